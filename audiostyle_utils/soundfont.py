"""Notes from a SoundFont: reading the .sf2 file and playing one note of one instrument.

A SoundFont holds short recordings of instruments and, for each range of keys, how to play them:
which recording, at which pitch, where to loop it, how it swells and dies away, how bright it is.
The installable synthesisers either need a system library or play looped samples at the wrong
pitch, so this module does the part of the standard that a General MIDI font needs: key and
velocity ranges, tuning, loops, the volume envelope, and the low-pass filter with its envelope.
Vibrato, chorus, reverberation and stereo are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from .errors import InputError

RATE = 44100
DRUM_BANK = 128
LONGEST_RELEASE = 3.0  # seconds
_CLICK_FREE = 0.005  # seconds: no note begins to vanish faster
_FILTER_BLOCK = 256  # samples: at RATE the filter moves 172 times a second
_LOW_PASS_REACH = 16  # samples to each side
_HOW = ("bend", "rate", "limit", "settled")

# The numbers of the standard's "generators" (parameters of a zone) that are used here.
_LOOP_START, _LOOP_END = 2, 3
_CUTOFF, _RESONANCE, _ENVELOPE_TO_CUTOFF = 8, 9, 11
_FILTER_ENVELOPE, _VOLUME_ENVELOPE = 25, 33  # each: delay, attack, hold, decay, sustain, release
_INSTRUMENT, _KEYS, _VELOCITIES, _ATTENUATION = 41, 43, 44, 48
_LOOP_START_COARSE, _LOOP_END_COARSE = 45, 50
_SEMITONES, _CENTS, _SAMPLE, _LOOPING, _SCALE, _ROOT = 51, 52, 53, 54, 56, 58
_DEFAULTS = {_CUTOFF: 13500, _SCALE: 100, _ROOT: -1} | dict.fromkeys(
    [*range(_FILTER_ENVELOPE, 29), 30, *range(_VOLUME_ENVELOPE, 37), 38], -12000
)
_ALWAYS_OPEN = 13500  # cents: a cutoff at or above this means no filter

_ZONE_START = [("generator", "<u2"), ("modulator", "<u2")]
_LAYOUT = {
    b"phdr": [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("zone", "<u2"), ("x", "V12")],
    b"inst": [("name", "S20"), ("zone", "<u2")],
    b"pbag": _ZONE_START,
    b"ibag": _ZONE_START,
    b"pgen": [("kind", "<u2"), ("amount", "<i2")],
    b"igen": [("kind", "<u2"), ("amount", "<i2")],
    b"shdr": [
        ("name", "S20"),
        *((field, "<u4") for field in ("start", "end", "loop_start", "loop_end", "rate")),
        ("pitch", "u1"),
        ("correction", "i1"),
        ("link", "<u2"),
        ("kind", "<u2"),
    ],
}


@dataclass(frozen=True)
class Voice:
    """One recording of a SoundFont and how to play it; several may sound for one note.

    Attributes
    ----------
    sample : np.ndarray, float32, shape (samples,)
        The recording, between -1 and 1.
    rate : int
        Its sample rate in hertz.
    root : float
        The key, in semitones, that it sounds at when played at `rate`.
    loop : tuple of int, or None
        First and last sample of the loop.
    settings : dict
        The generators of the zone by number, in the standard's units.

    Chapter
    -------
    01_style_transfer
    """

    sample: np.ndarray
    rate: int
    root: float
    loop: tuple[int, int] | None
    settings: dict[int, int]


class SoundFont:
    """An .sf2 file, read into memory.

    Parameters
    ----------
    path : str or path
        The SoundFont.

    Raises
    ------
    InputError
        If the file is missing or not a SoundFont with 16-bit samples.

    Chapter
    -------
    01_style_transfer

    References
    ----------
    E-mu Systems (2006). SoundFont technical specification, version 2.04.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            chunks = _read(self.path)
            self._tables = {name: np.frombuffer(chunks[name], _LAYOUT[name]) for name in _LAYOUT}
            self._samples = np.frombuffer(chunks[b"smpl"], "<i2")
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{self.path} is not a readable SoundFont (.sf2) file: {error}"
            ) from error
        self._check()
        presets = self._tables[b"phdr"][:-1]
        self._presets = {
            (int(preset["bank"]), int(preset["program"])): index
            for index, preset in enumerate(presets)
        }

    def note(self, program: int, key: int, velocity: int, seconds: float, **options) -> np.ndarray:
        """Play one note.

        Parameters
        ----------
        program : int
            General MIDI program number, 0 to 127.
        key : int
            MIDI key number, 0 to 127; 69 is the A of 440 Hz.
        velocity : int
            How hard it is struck, 1 to 127.
        seconds : float
            How long the key is held. The sound lasts longer: it dies away after that.
        **options
            `drums=True` takes a drum kit; `bend`, in semitones, shape (samples,), moves the pitch;
            `rate`, in hertz, asks for another sample rate than 44100, which takes less time where
            it is lower; `limit` cuts the sound after so many seconds; `settled=True` begins with
            the low-pass filter as open as it will be a moment later, which spares instruments
            whose filter opens at once a click.

        Returns
        -------
        np.ndarray, float32, shape (samples,)
            Sound at 44100 Hz, or at `rate`; empty where the instrument has none for the key.

        Raises
        ------
        InputError
            If the SoundFont has no such program.

        Chapter
        -------
        01_style_transfer
        """
        how = {name: options.pop(name) for name in _HOW if name in options}
        voices = self.voices(program, key, velocity, **options)
        sounds = [_sound(voice, key, velocity, seconds, **how) for voice in voices]
        y = np.zeros(max((sound.size for sound in sounds), default=0), np.float32)
        for sound in sounds:
            y[: sound.size] += sound
        return y

    def voices(self, program: int, key: int, velocity: int, drums: bool = False) -> list[Voice]:
        """Find the recordings that sound for a note.

        Parameters
        ----------
        program, key, velocity : int
            As in `note`.
        drums : bool
            Whether to look among the drum kits.

        Returns
        -------
        list of Voice
            None, one or several.

        Raises
        ------
        InputError
            If the SoundFont has no such program.

        Chapter
        -------
        01_style_transfer
        """
        found = []
        for preset in self._zones(b"phdr", self._preset(program, drums), key, velocity):
            if _INSTRUMENT not in preset:
                continue
            for zone in self._zones(b"inst", preset[_INSTRUMENT], key, velocity):
                if _SAMPLE in zone:
                    found.append(self._voice(_combine(zone, preset)))
        return found

    def _check(self) -> None:
        """Make sure that what one table says of the next is true."""
        tables = self._tables
        whole = all(
            table.size > 0 and int(table[field].max()) < tables[other].size + spare
            for table, field, other, spare in (
                (tables[b"phdr"], "zone", b"pbag", 0),
                (tables[b"inst"], "zone", b"ibag", 0),
                (tables[b"pbag"], "generator", b"pgen", 1),
                (tables[b"ibag"], "generator", b"igen", 1),
            )
        )
        if not whole or int(tables[b"shdr"]["end"].max(initial=0)) > self._samples.size:
            raise InputError(f"{self.path} is a damaged SoundFont; get it again.")

    def _preset(self, program: int, drums: bool) -> int:
        wanted = [(DRUM_BANK, program), (DRUM_BANK, 0)] if drums else [(0, program)]
        for place in wanted:
            if place in self._presets:
                return self._presets[place]
        kind = "drum kit" if drums else "instrument"
        raise InputError(f"{self.path.name} has no {kind} with program number {program}.")

    def _zones(self, kind: bytes, index: int, key: int, velocity: int) -> Iterator[dict[int, int]]:
        bags, generators = (b"pbag", b"pgen") if kind == b"phdr" else (b"ibag", b"igen")
        first, last = (int(self._tables[kind][i]["zone"]) for i in (index, index + 1))
        common: dict[int, int] = {}
        for zone in range(first, last):
            start, end = (int(self._tables[bags][i]["generator"]) for i in (zone, zone + 1))
            own = dict(self._tables[generators][start:end].tolist())
            if zone == first and not {_INSTRUMENT, _SAMPLE} & own.keys():
                common = own  # the first zone without a sound holds what all the others share
            elif _covers(own | common, own, key, velocity):
                yield common | own

    def _voice(self, settings: dict[int, int]) -> Voice:
        head = self._tables[b"shdr"][settings[_SAMPLE]]
        start, end = int(head["start"]), int(head["end"])
        loop = [int(head[field]) - start for field in ("loop_start", "loop_end")]
        loop[0] += settings.get(_LOOP_START, 0) + 32768 * settings.get(_LOOP_START_COARSE, 0)
        loop[1] += settings.get(_LOOP_END, 0) + 32768 * settings.get(_LOOP_END_COARSE, 0)
        looped = settings.get(_LOOPING, 0) & 1 and 0 <= loop[0] < loop[1] <= end - start
        root = int(head["pitch"]) if settings[_ROOT] < 0 else settings[_ROOT]
        return Voice(
            sample=self._samples[start:end].astype(np.float32) / 32768,
            rate=int(head["rate"]),
            root=root - int(head["correction"]) / 100,
            loop=(loop[0], loop[1]) if looped else None,
            settings=settings,
        )


@lru_cache(maxsize=2)
def open_soundfont(path: Path) -> SoundFont:
    """Read a SoundFont, once a process.

    Parameters
    ----------
    path : pathlib.Path
        The .sf2 file.

    Returns
    -------
    SoundFont
        What it holds.

    Raises
    ------
    InputError
        If the file is missing or not a SoundFont.

    Chapter
    -------
    01_style_transfer
    """
    return SoundFont(path)


def _read(path: Path) -> dict[bytes, memoryview]:
    data = memoryview(path.read_bytes())
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise ValueError("it does not begin with the mark of a SoundFont")
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise ValueError("it has been cut short")
    chunks = {}
    for name, body in _chunks(data[12:]):
        if name == b"LIST":
            chunks.update(_chunks(body[4:]))
    if chunks[b"ifil"][0] != 2:
        raise ValueError("only version 2, with uncompressed samples, is read")
    return chunks


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    place = 0
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        yield bytes(data[place : place + 4]), data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _covers(ranges: dict[int, int], own: dict[int, int], key: int, velocity: int) -> bool:
    for kind, value in ((_KEYS, key), (_VELOCITIES, velocity)):
        both = own.get(kind, ranges.get(kind))
        if both is not None and not both & 0xFF <= value <= (both >> 8) & 0xFF:
            return False
    return True


def _combine(zone: dict[int, int], preset: dict[int, int]) -> dict[int, int]:
    """Add a preset's settings to an instrument's, as the standard asks."""
    settings = _DEFAULTS | zone
    for kind in preset.keys() - {_INSTRUMENT, _KEYS, _VELOCITIES}:
        settings[kind] = settings.get(kind, 0) + preset[kind]
    return settings


def _sound(
    voice: Voice,
    key: int,
    velocity: int,
    seconds: float,
    bend: np.ndarray | None = None,
    rate: int = RATE,
    limit: float = np.inf,
    settled: bool = False,
) -> np.ndarray:
    held = max(seconds, _CLICK_FREE)
    length = min(held + _release(voice.settings), limit)
    t = np.arange(round(length * rate), dtype=np.float32) / rate
    speed = _speed(voice, key, bend, t.size)
    if rate != RATE:
        speed = speed * (RATE / rate)
        voice = _darker(voice, float(np.max(speed, initial=0)), t.size)
    y = _play(voice, speed, t.size)
    ahead = _FILTER_BLOCK / rate if settled else 0.0
    y = _filter(y, voice.settings, t[: y.size] + np.float32(ahead), held, rate)
    return y * _volume(voice.settings, t[: y.size], held) * _gain(voice.settings, velocity)


def _darker(voice: Voice, speed: float, n: int) -> Voice:
    """Take away what would fold down when a recording is read in steps longer than a sample."""
    if speed <= 1:
        return voice
    read = int(n * speed) + 2 * _LOW_PASS_REACH
    if read < (voice.loop[1] if voice.loop else voice.sample.size):
        voice = replace(voice, sample=voice.sample[:read], loop=None)
    from scipy.signal import oaconvolve

    taps = _taps(int(np.ceil(6 * np.log2(speed))))
    return replace(voice, sample=oaconvolve(voice.sample, taps, "same").astype(np.float32))


@lru_cache(maxsize=64)
def _taps(sixths: int) -> np.ndarray:
    """Design a low-pass filter for steps that are so many sixths of an octave above a sample."""
    from scipy.signal import firwin

    cutoff = 0.92 * 2 ** (-sixths / 6)
    return firwin(2 * _LOW_PASS_REACH + 1, cutoff, window=("kaiser", 5.0)).astype(np.float32)


def _release(settings: dict[int, int]) -> float:
    # The standard counts the time to fall by 100 dB; the last 20 are not heard.
    return float(np.clip(0.8 * _seconds(settings[38]), _CLICK_FREE, LONGEST_RELEASE))


def _seconds(timecents: int) -> float:
    return 0.0 if timecents <= -12000 else 2 ** (timecents / 1200)


def _speed(voice: Voice, key: int, bend: np.ndarray | None, n: int) -> np.ndarray | float:
    """Count samples of the recording for one of sound: an array where the pitch bends."""
    settings = voice.settings
    semitones = (key - voice.root) * settings[_SCALE] / 100
    semitones += settings.get(_SEMITONES, 0) + settings.get(_CENTS, 0) / 100
    speed = voice.rate / RATE * 2 ** (semitones / 12)
    if bend is None:
        return speed
    return speed * 2 ** (np.pad(bend, (0, max(0, n - bend.size)), "edge")[:n] / 12)


def _play(voice: Voice, speed: np.ndarray | float, n: int) -> np.ndarray:
    """Read a recording at a speed, by cubic (Catmull-Rom) interpolation."""
    steps = np.broadcast_to(speed, n)
    place = np.concatenate([[0.0], np.cumsum(steps[:-1], dtype=np.float64)])
    x = _long_enough(voice, int(place[-1]) + 4)
    place = place[place < x.size - 3]
    i = place.astype(np.intp)
    f = (place - i).astype(np.float32)
    x = np.pad(x, (1, 0))
    before, here, after, later = x[i], x[i + 1], x[i + 2], x[i + 3]
    slope, curve = after - before, 2 * before - 5 * here + 4 * after - later
    return here + f / 2 * (slope + f * (curve + f * (3 * (here - after) + later - before)))


def _long_enough(voice: Voice, n: int) -> np.ndarray:
    if voice.loop is None:
        return np.pad(voice.sample, (0, 4))[:n]
    start, end = voice.loop
    turns = max(0, -(-(n - end) // (end - start)))
    return np.concatenate([voice.sample[:end], np.tile(voice.sample[start:end], turns)])


def _volume(settings: dict[int, int], t: np.ndarray, held: float) -> np.ndarray:
    """Amplitude over time: linear attack, then straight lines in dB."""
    delay, attack, hold, decay = (_seconds(settings[_VOLUME_ENVELOPE + k]) for k in range(4))
    sustain = np.clip(settings.get(37, 0) / 10, 0, 100)  # dB below the peak
    while_held = np.minimum(t, held)
    fallen = (while_held - delay - attack - hold) * (100 / max(decay, _CLICK_FREE))
    rise = np.clip((while_held - delay) / max(attack, 1e-3), 0, 1)
    after = np.maximum(t - held, 0) * (80 / _release(settings))
    return rise * 10 ** (-(np.clip(fallen, 0, sustain) + after) / 20)


def _gain(settings: dict[int, int], velocity: int) -> float:
    # Fonts are tuned to the first hardware, which took 0.4 of the attenuation that it was given.
    attenuation = 0.4 * settings.get(_ATTENUATION, 0) / 10
    return float((velocity / 127) ** 2 * 10 ** (-attenuation / 20))


def _filter(
    y: np.ndarray, settings: dict[int, int], t: np.ndarray, held: float, rate: int = RATE
) -> np.ndarray:
    """Low-pass filter whose cutoff follows its own envelope, in short blocks."""
    blocks = t[::_FILTER_BLOCK]
    sweep = settings.get(_ENVELOPE_TO_CUTOFF, 0) * _brightness(settings, blocks, held)
    cents = settings[_CUTOFF] + sweep
    if cents.size == 0 or cents.min() >= _ALWAYS_OPEN:
        return y
    from scipy.signal import lfilter

    hertz = np.clip(8.176 * 2 ** (cents / 1200), 20, 0.45 * rate)
    b, a = _low_pass(hertz, settings.get(_RESONANCE, 0) / 10, rate)
    if not sweep.any():
        return lfilter(b[:, 0], a[:, 0], y).astype(np.float32)
    state, out = np.zeros(2), np.empty_like(y)
    # Neighbouring blocks with the same cutoff are one.
    edges = [0, *(np.flatnonzero(np.diff(hertz)) + 1), blocks.size]
    for k, following in pairwise(edges):
        part = slice(k * _FILTER_BLOCK, following * _FILTER_BLOCK)
        out[part], state = lfilter(b[:, k], a[:, k], y[part], zi=state)
    return out


def _brightness(settings: dict[int, int], t: np.ndarray, held: float) -> np.ndarray:
    """Filter envelope in [0, 1] over time: straight lines."""
    delay, attack, hold, decay = (_seconds(settings[_FILTER_ENVELOPE + k]) for k in range(4))
    sustain = 1 - np.clip(settings.get(29, 0) / 1000, 0, 1)
    while_held = np.minimum(t, held)
    rise = np.clip((while_held - delay) / max(attack, 1e-3), 0, 1)
    fallen = (while_held - delay - attack - hold) / max(decay, 1e-3)
    level = rise * np.clip(1 - fallen, sustain, 1)
    return np.maximum(level - np.maximum(t - held, 0) / max(_seconds(settings[30]), 1e-3), 0)


def _low_pass(
    hertz: np.ndarray, resonance: float, rate: int = RATE
) -> tuple[np.ndarray, np.ndarray]:
    """Second-order low-pass filters; 0 dB of resonance is the maximally flat one."""
    w = 2 * np.pi * hertz / rate
    alpha = np.sin(w) / (2 * 10 ** ((resonance - 3.01) / 20))
    ones, cosine = np.ones_like(w), np.cos(w)
    b = np.stack([(ones - cosine) / 2, ones - cosine, (ones - cosine) / 2])
    a = np.stack([1 + alpha, -2 * cosine, 1 - alpha])
    return b / a[0], a / a[0]
