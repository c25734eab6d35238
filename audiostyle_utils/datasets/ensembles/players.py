"""Who plays: the instruments of the six domains, and the recording of one excerpt."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ... import scores
from ...errors import InputError
from ...soundfont import SoundFont, open_soundfont
from .pieces import sources
from .playing import PlayedNote, play, random, recording, seconds
from .rooms import SR, Room, in_room

ROOMS = {
    "orchestra": Room((1.1, 2.2), (-9, -2)),
    "quartet": Room((0.5, 1.4), (-14, -6)),
    "choir": Room((1.2, 2.6), (-8, -1)),
    "organ": Room((1.3, 2.8), (-8, -1)),
    "harpsichord": Room((0.4, 1.2), (-15, -6)),
    "piano": Room((0.4, 1.4), (-15, -6)),
}
DOMAINS = tuple(ROOMS)
_KEYBOARDS = ("organ", "harpsichord", "piano")
_RIGID = ("organ", "harpsichord")  # a soft note of theirs is as bright as a loud one
_LEVELS = (-9.0, -1.0)  # dBFS of a recording's peak
_LENGTHS = (0.4, 1.0, 2.5, 6.0, 15.0)  # seconds; notes of about the same length are made once
_EVEN = 0.7  # share of the differences in dB between keys and instruments that is taken away
_TYPICAL = 0.1  # root mean square of a note
_AT_ONCE = 0.03  # seconds
_SMOOTH = 21  # milliseconds
# Seconds by which what is struck or plucked is heard before the steepest rise of its spectrum: with
# these, onsets of all six domains agree within 5 ms, by the cross-correlation of their envelopes.
_STRUCK = dict.fromkeys((0, 1, 6), 0.005)
_ONSET = 0.06  # seconds at the beginning of a note in which it rises
_EARLY = 0.35  # seconds in which every note has reached its loudness
_SLOWEST = 0.012  # seconds that a note may take to half its loudness
_SOFT_EDGE = 0.01  # seconds of fading in where a slower one has been cut
_DARK, _DARKNESS, _QUIET = 1200.0, 0.6, -12.0  # Hz, share, dB: what is as soft as this is dark
_VIBRATO, _PULSE = 0.2, 5.6  # seconds before a vibrato, and as many until it is full; Hz
_RUMBLE = 25.0  # Hz
_FADE = 0.25  # seconds at the end
# Lowest and highest key of each General MIDI program that is used, and the seconds in which a note
# of it dies away when it is let go.
_COMPASS = {
    0: (21, 108, 0.2),
    1: (21, 108, 0.2),
    6: (29, 89, 0.12),
    19: (36, 96, 0.12),
    40: (55, 101, 0.1),
    41: (48, 91, 0.1),
    42: (36, 81, 0.1),
    43: (28, 60, 0.1),
    48: (28, 101, 0.15),
    49: (28, 101, 0.15),
    52: (38, 84, 0.2),
    53: (38, 84, 0.2),
    60: (41, 77, 0.1),
    68: (58, 91, 0.08),
    70: (34, 75, 0.08),
    71: (50, 91, 0.08),
    73: (60, 98, 0.1),
}


@dataclass(frozen=True)
class Player:
    """An instrument that plays one of the four parts.

    Attributes
    ----------
    part : int
        The part.
    program : int
        General MIDI program.
    gain : float
        In dB.
    octave : int
        Semitones by which it sounds above what is written.
    cents : int
        How much it is out of tune, in hundredths of a semitone.
    vibrato : float
        Semitones to each side; it begins a little after the note does.
    doubles : bool
        Whether it only doubles others: then it leaves out the notes that it does not have, and
        otherwise takes them in the nearest octave.

    Chapter
    -------
    07_music_translation
    """

    part: int
    program: int
    gain: float = 0.0
    octave: int = 0
    cents: int = 0
    vibrato: float = 0.0
    doubles: bool = False


def render_piece(name: str, domain: str | None = None) -> tuple[np.ndarray, int]:
    """Record an excerpt as any of the six domains plays it.

    Tempo, timing, touch and dynamics are the same for all domains, and so is the number of samples:
    two recordings of one name can be compared sample by sample. Instruments, registration and room
    are drawn anew for each, by the name.

    Parameters
    ----------
    name : str
        A recording of the data set, such as "haydn-opus1no1-2_00".
    domain : str, optional
        One of `DOMAINS`; by default the recording's own, which gives what `load` keeps in its file.

    Returns
    -------
    y : np.ndarray, float32, shape (samples,)
        One channel; its peak is between 0.35 and 0.9, the same for all domains.
    sr : int
        16000.

    Raises
    ------
    InputError
        There is no such recording or domain, or the SoundFont of pretty_midi is not installed.

    Chapter
    -------
    07_music_translation
    """
    own = sources()[recording(name).piece].domain
    domain = own if domain is None else domain
    if domain not in DOMAINS:
        raise InputError(f"There is no domain {domain!r}; there are {', '.join(DOMAINS)}.")
    y = in_room(_together(name, domain), ROOMS[domain], random(name, "room"))
    fade = round(_FADE * SR)
    y[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    level = 10 ** (random(name, "level").uniform(*_LEVELS) / 20)
    return y * np.float32(level / np.abs(y).max()), SR


def line_up(domain: str, rng: np.random.Generator) -> list[Player]:
    """Draw who plays an excerpt.

    Parameters
    ----------
    domain : str
        One of `DOMAINS`.
    rng : np.random.Generator
        What it is drawn by.

    Returns
    -------
    list of Player
        One or several for each part.

    Chapter
    -------
    07_music_translation
    """
    return {
        "orchestra": _orchestra,
        "quartet": _quartet,
        "choir": _choir,
        "organ": _organ,
        "harpsichord": _harpsichord,
        "piano": _piano,
    }[domain](rng)


def _orchestra(rng: np.random.Generator) -> list[Player]:
    """Draw strings and a contrabass, and winds for all parts but, at times, an inner one."""
    strings = int(rng.choice((48, 49)))
    players = [Player(part, strings) for part in range(4)]
    players += [Player(part, solo, -6.0) for part, solo in enumerate((40, 40, 41, 42))]
    players.append(Player(3, 43, rng.uniform(-6, -2), -12, doubles=True))
    high, octave = ((73, 0), (68, 0), (73, 12))[rng.integers(3)]
    winds = [(0, high, octave), (1, int(rng.choice((68, 71))), 0), (2, 60, 0), (3, 70, 0)]
    absent = rng.integers(4)  # 1 and 2 are inner parts, and otherwise nobody is
    return players + [
        Player(part, program, rng.uniform(-5, 0), octave, doubles=True)
        for part, program, octave in winds
        if part != absent or part in (0, 3)
    ]


def _quartet(rng: np.random.Generator) -> list[Player]:
    gains = rng.uniform(-1.5, 1.5, 4)
    programs, cents = (40, 40, 41, 42), (0, 4, -3, 0)
    return [Player(k, programs[k], gains[k], 0, cents[k], 0.15) for k in range(4)]


def _choir(rng: np.random.Generator) -> list[Player]:
    """Draw how many sing with open mouths, and how many with round ones."""
    open_, round_ = rng.uniform(-8, 0), rng.uniform(-10, 0)
    voices = [Player(part, 52, open_) for part in range(4)]
    return voices + [Player(part, 53, round_, 0, 5) for part in range(4)]


def _organ(rng: np.random.Generator) -> list[Player]:
    """Draw an eight-foot stop, and at times a four-foot one and a pedal."""
    players = [Player(part, 19) for part in range(4)]
    if rng.uniform() < 0.6:
        gain = rng.uniform(-14, -6)
        players += [Player(part, 19, gain, 12, 2, doubles=True) for part in range(4)]
    if rng.uniform() < 0.6:
        players.append(Player(3, 19, rng.uniform(-12, -5), -12, doubles=True))
    return players


def _harpsichord(rng: np.random.Generator) -> list[Player]:
    """Draw one set of strings, and at times a second one and a four-foot one."""
    players = [Player(part, 6) for part in range(4)]
    if rng.uniform() < 0.6:
        players += [Player(part, 6, -3.0, 0, 3) for part in range(4)]
    if rng.uniform() < 0.4:
        gain = rng.uniform(-14, -8)
        players += [Player(part, 6, gain, 12, 0, doubles=True) for part in range(4)]
    return players


def _piano(rng: np.random.Generator) -> list[Player]:
    bright = int(rng.uniform() < 0.3)
    return [Player(part, bright) for part in range(4)]


def _together(name: str, domain: str) -> np.ndarray:
    """Let all play, without a room."""
    notes = play(name)
    if domain in _KEYBOARDS:
        notes = tuple(_one_key_each(notes))
    players = line_up(domain, random(name, f"players/{domain}"))
    loud, soft = np.zeros((2, round(seconds(name) * SR)), np.float32)
    for player in players:
        for note in notes:
            if note.part == player.part:
                _add(loud, soft, note, player)
    y = loud + soft if domain in _RIGID else loud + _darker(soft)
    return _without_rumble(y)


def _without_rumble(y: np.ndarray) -> np.ndarray:
    """Take away what lies below all notes: some of the font's recordings are not centred."""
    from scipy.signal import butter, sosfilt

    return sosfilt(butter(2, _RUMBLE, "highpass", fs=SR, output="sos"), y).astype(np.float32)


def _one_key_each(notes: tuple[PlayedNote, ...]) -> Iterator[PlayedNote]:
    """Leave out what another part strikes at the same time: a key goes down once."""
    last: dict[int, PlayedNote] = {}
    for note in sorted(notes, key=lambda note: (note.pitch, note.start, -note.seconds)):
        before = last.get(note.pitch)
        if before is None or note.start - before.start > _AT_ONCE:
            yield note
            last[note.pitch] = note


def _add(loud: np.ndarray, soft: np.ndarray, note: PlayedNote, player: Player) -> None:
    """Add one note to what sounds bright, and to what sounds dark."""
    key = _key(note.pitch + player.octave, player)
    if key is None:
        return
    release = _COMPASS[player.program][2]
    step = _step(note.seconds + _ONSET + release)
    sound, rise = _tone(player.program, key, step, player.cents, player.vibrato)
    first = round((note.start - rise) * SR)
    sound = _released(sound, note.seconds + rise, release)[: loud.size - first]
    sound = sound * np.float32(10 ** ((note.level + player.gain) / 20))
    bright = np.float32(np.clip(1 - note.level / _QUIET, 0, 1))
    place = slice(first, first + sound.size)
    loud[place] += bright * sound
    soft[place] += (1 - bright) * sound


def _key(key: int, player: Player) -> int | None:
    """Bring a key into the compass of a player; None where one who only doubles is silent."""
    low, high, _ = _COMPASS[player.program]
    if player.doubles:
        return key if low <= key <= high else None
    while key < low:
        key += 12
    while key > high:
        key -= 12
    return key


def _step(seconds: float) -> int:
    return next((i for i, length in enumerate(_LENGTHS) if length >= seconds), len(_LENGTHS) - 1)


@lru_cache(maxsize=1000)
def _tone(
    program: int, key: int, step: int, cents: int, vibrato: float
) -> tuple[np.ndarray, float]:
    """Give a note, and after how many seconds one hears it begin.

    Recorded choirs and strings may take a third of a second to rise. A player knows, and begins
    earlier; here the beginning is cut too, so that all players are together in fast music.
    """
    length = _LENGTHS[step] + _EARLY
    bend = _bend(round(length * SR), cents, vibrato) if cents or vibrato else None
    options = {"rate": SR, "limit": length, "bend": bend, "settled": True}
    y = _font().note(program, key, 100, length, **options)
    envelope = _envelope(y)
    late = max(0, int(np.argmax(envelope >= envelope.max() / 2)) - round(_SLOWEST * SR))
    y = y[late : late + round(_LENGTHS[step] * SR)].copy()
    if late:
        edge = round(_SOFT_EDGE * SR)
        y[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)
    level = np.sqrt(np.mean(y[: round(_EARLY * SR)] ** 2))
    heard = _beginning(y) - _STRUCK.get(program, 0.0)
    return y * np.float32((_TYPICAL / level) ** _EVEN), heard


def _bend(size: int, cents: int, vibrato: float) -> np.ndarray:
    """Give the pitch of a note against what is written, in semitones."""
    t = np.arange(size) / SR
    depth = vibrato * np.clip(t / _VIBRATO - 1, 0, 1)
    return cents / 100 + depth * np.sin(2 * np.pi * _PULSE * t)


def _envelope(y: np.ndarray) -> np.ndarray:
    width = round(0.01 * SR)
    early = y[: round(_EARLY * SR)]
    return np.sqrt(np.convolve(early**2, np.ones(width) / width, "same"))


def _beginning(y: np.ndarray) -> float:
    """Find after how many seconds the spectrum of a note rises the most."""
    hop, width = SR // 1000, 512
    early = np.pad(y[: round(_ONSET * SR)], width // 2)
    frames = np.lib.stride_tricks.sliding_window_view(early, width)[::hop]
    S = np.abs(np.fft.rfft(frames * np.hanning(width)))[: -width // hop]
    flux = np.maximum(np.diff(S, axis=0), 0).sum(axis=1)
    return float(np.argmax(np.convolve(flux, np.hanning(_SMOOTH), "same")) + 0.5) * hop / SR


@lru_cache(maxsize=1)
def _font() -> SoundFont:
    return open_soundfont(scores.general_midi_font())


def _released(sound: np.ndarray, held: float, release: float) -> np.ndarray:
    """End a note after the time for which it is held."""
    sound = sound[: round((held + release) * SR)].copy()
    fade = _fade(release)
    sound[-fade.size :] *= fade[-sound.size :]
    return sound


@lru_cache(maxsize=32)
def _fade(release: float) -> np.ndarray:
    t = np.linspace(0, 1, round(release * SR), dtype=np.float32)
    return (np.exp(-4 * t) * (1 - t)).astype(np.float32)


def _darker(y: np.ndarray) -> np.ndarray:
    """Take away some of the treble."""
    from scipy.signal import lfilter

    pole = np.exp(-2 * np.pi * _DARK / SR)
    bass = lfilter([1 - pole], [1, -pole], y).astype(np.float32)
    return bass + np.float32(1 - _DARKNESS) * (y - bass)
