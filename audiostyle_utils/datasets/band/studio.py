"""From a song to sound: players, mix, room, equaliser, tuning, noise, level."""

from functools import lru_cache
from zlib import crc32

import numpy as np

from ... import scores
from ...soundfont import SoundFont, open_soundfont
from .artists import FRAMES, Artist, artist
from .songs import SECONDS, Part, Song

SR = 16000
PEAK = 0.95
_LENGTHS = (0.3, 0.6, 1.2, 2.4, 4.8)  # seconds; notes of about the same length are made once
_FADE = 0.03  # seconds, at both ends of a recording
_FIRST = 0.01  # seconds before the first note
# Seconds that a note goes on when it is let go, for each of General MIDI's 16 families.
_RELEASE = (
    0.15, 0.5, 0.06, 0.08, 0.07, 0.08, 0.2, 0.25, 0.08, 0.08, 0.08, 0.08, 0.25, 0.2, 0.15, 0.2,
)  # fmt: skip
_LOW = (*range(32, 40), 42, 43, 47, 58, 70)  # programs that play low notes
_SEND = {"drums": 0.45, "bass": 0.15}  # of a part into the room; others go there in full
_DRUM_GAIN = 0.55
_LONGEST_STROKE = 2.0  # seconds that a stroke of a drum is left to ring


def _scoop(semitones: float, begin: float, end: float):
    return lambda t: -semitones * (1 - np.clip((t - begin) / (end - begin), 0, 1))


BENDS = {
    "up1": _scoop(1, 0.03, 0.14),
    "up2": _scoop(2, 0.06, 0.26),
    "slide": _scoop(2, 0.0, 0.12),
    "fall": lambda t: -7 * np.clip((t - 0.25) / 0.5, 0, 1),
    "vibrato": lambda t: 0.3 * np.clip((t - 0.2) / 0.2, 0, 1) * np.sin(2 * np.pi * 5.5 * t),
}


def perform(song: Song) -> tuple[np.ndarray, int]:
    """Play a song, and produce it as its artist does.

    Parameters
    ----------
    song : Song
        From `compose`.

    Returns
    -------
    y : np.ndarray, float32, shape (240000,)
        Fifteen seconds, with no sample beyond 0.95.
    sr : int
        Sample rate in hertz, 16000.

    Raises
    ------
    InputError
        The artist is unknown, or the SoundFont of pretty_midi is not installed.

    Chapter
    -------
    02_genre_cnn
    """
    producer = artist(song.artist)
    rng = np.random.default_rng(crc32(f"band/mix/{song.name}".encode()))
    y = _record(song, producer, rng)
    return _master(y, producer, rng), SR


def _record(song: Song, producer: Artist, rng: np.random.Generator) -> np.ndarray:
    """Play all parts into a room and through an equaliser, and tune the whole."""
    from scipy.fft import irfft, rfft

    dry, wet = np.zeros((2, producer.frames), np.float32)
    for part in song.parts:
        y = _play(part, song, producer, rng)
        dry += y
        wet += _SEND.get(part.role.split()[0], 1.0) * y
    gain = np.float32(10 ** ((producer.wet + rng.uniform(-2, 2)) / 20))
    spectrum = rfft(dry) + gain * rfft(wet) * _room(producer)
    spectrum *= _response(producer, rng.uniform(-1, 1, len(producer.equaliser)))
    # The same spectrum over another number of samples is the same sound, higher or lower.
    bins = min(spectrum.size, FRAMES // 2 + 1)
    return irfft(spectrum[:bins], FRAMES)[: round(SECONDS * SR)]


def _play(part: Part, song: Song, producer: Artist, rng: np.random.Generator) -> np.ndarray:
    """Play one part, at the pitch and speed that the tuning will set right."""
    y = np.zeros(producer.frames, np.float32)
    speed = producer.frames / FRAMES
    last = round((SECONDS + 0.2) * SR * speed)
    beats, seconds = np.array(song.clock).T
    starts, stops = (
        np.interp([n.beat + held * n.beats for n in part.notes], beats, seconds) for held in (0, 1)
    )
    timing = producer.timing * (0.5 if part.drums else 1.0)
    offset = _FIRST - np.interp(song.start, beats, seconds)
    places = starts + offset + np.clip(rng.normal(0, timing, starts.size), -0.02, 0.02)
    lengths = (stops - starts) * speed
    touch = np.clip(rng.normal(1, 0.06, starts.size), 0.8, 1.2)
    gain = 10 ** (part.level / 20) * (_DRUM_GAIN if part.drums else _balance(part.program))
    release = 0.0 if part.drums else _RELEASE[part.program // 8]
    for note, place, held, strength in zip(part.notes, places, lengths, touch, strict=True):
        first = round(place * SR * speed)
        if first >= last or place + held + release < 0:
            continue
        sound = _tone(part.program, part.drums, note.key, _step(held + release), note.bend)
        if not part.drums:
            sound = _released(sound, held, release)
        sound = sound[max(0, -first) : last - first] * np.float32(
            gain * strength * (note.velocity / 100) ** 2
        )
        y[max(0, first) : max(0, first) + sound.size] += sound
    return y


def _step(seconds: float) -> int:
    return next((i for i, length in enumerate(_LENGTHS) if length >= seconds), len(_LENGTHS) - 1)


def _released(sound: np.ndarray, held: float, release: float) -> np.ndarray:
    """End a note after the time that it is held."""
    count, fade = round((held + release) * SR), _fade(release)
    if count >= sound.size:
        fade = fade[: sound.size]
        count = sound.size
    sound = sound[:count].copy()
    sound[count - fade.size :] *= fade[:count]
    return sound


@lru_cache(maxsize=32)
def _fade(release: float) -> np.ndarray:
    t = np.linspace(0, 1, max(1, round(release * SR)), dtype=np.float32)
    return (np.exp(-4 * t) * (1 - t)).astype(np.float32)


@lru_cache(maxsize=600)  # of 307 kB at most: 180 MB for each process
def _tone(program: int, drums: bool, key: int, step: int, bend: str) -> np.ndarray:
    """Give one note at SR, as hard as 100; its length is one of a few."""
    font, seconds = _font(), _LENGTHS[step]
    curve = BENDS[bend](np.arange(round(seconds * SR)) / SR) if bend else None
    limit = _LONGEST_STROKE if drums else seconds
    options = {"drums": drums, "bend": curve, "rate": SR, "limit": limit}
    y = font.note(program, key, 100, seconds, **options)
    if y.size or drums:
        return y
    # A key that the font has forgotten: its neighbour, a semitone lower.
    options["bend"] = np.full(round(seconds * SR), -1.0) + (0 if curve is None else curve)
    return font.note(program, key + 1, 100, seconds, **options)


@lru_cache(maxsize=1)
def _font() -> SoundFont:
    return open_soundfont(scores.general_midi_font())


@lru_cache(maxsize=128)
def _balance(program: int) -> float:
    """Give the gain that makes all instruments of a SoundFont about as loud."""
    y = _tone(program, False, 43 if program in _LOW else 67, 2, "")
    blocks = np.sort([np.sqrt(np.mean(block**2)) for block in np.array_split(y, 12)])
    return 0.12 / max(float(blocks[-4:].mean()), 0.02)


@lru_cache(maxsize=10)
def _room(producer: Artist) -> np.ndarray:
    """Give the spectrum of a room's answer: noise that dies away, the high notes first."""
    from scipy.fft import rfft

    rng = np.random.default_rng(crc32(f"band/room/{producer.name}".encode()))
    t = np.arange(round(min(producer.room * 1.1, 2.4) * SR)) / SR
    tail = rng.standard_normal(t.size) * 10 ** (-3 * t / producer.room)
    tail[: round(0.008 * SR)] = 0
    spectrum = rfft(tail.astype(np.float32) / np.sqrt(np.sum(tail**2)), producer.frames)
    hertz = np.linspace(0, SR / 2, spectrum.size, dtype=np.float32)
    return (spectrum / np.sqrt(1 + (hertz / producer.damping) ** 2)).astype(np.complex64)


def _response(producer: Artist, changes: np.ndarray) -> np.ndarray:
    """Give the equaliser's gain at each bin; nothing below 25 Hz comes through."""
    octaves = np.linspace(0, 10.5, 400)  # above 10 Hz
    decibels = producer.tilt * (octaves - np.log2(100))
    for (hertz, width, gain), change in zip(producer.equaliser, changes, strict=True):
        decibels += (gain + change) * np.exp(-(((octaves - np.log2(hertz / 10)) / width) ** 2))
    hertz = 10 * 2**octaves
    gains = 10 ** (np.clip(decibels, -18, 18) / 20) * (hertz / 25) ** 4 / (1 + (hertz / 25) ** 4)
    bins = np.linspace(0, SR / 2, producer.frames // 2 + 1)
    response = np.interp(bins, hertz, gains).astype(np.float32)
    response[0] = 0
    return response


def _master(y: np.ndarray, producer: Artist, rng: np.random.Generator) -> np.ndarray:
    """Add noise, set the level, keep the peaks below the limit, and fade the ends."""
    y /= np.sqrt(np.mean(y**2))
    y += np.float32(10 ** ((producer.noise_level + rng.uniform(-2, 2)) / 20)) * _noise(
        producer.noise, rng
    )
    goal = 10 ** ((producer.level + rng.uniform(-2.5, 2.5)) / 20)
    gain, ceiling = goal, np.float32(0.98 * PEAK)
    for _ in range(3):
        loud = ceiling * np.tanh(y[::4] * np.float32(gain) / ceiling)
        gain *= goal / float(np.sqrt(np.mean(loud**2)))
    y = ceiling * np.tanh(y * np.float32(gain) / ceiling)
    fade = np.linspace(0, 1, round(_FADE * SR), dtype=np.float32)
    y[: fade.size] *= fade
    y[-fade.size :] *= fade[::-1]
    return y


def _noise(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Make noise with a root mean square of 1."""
    n = round(SECONDS * SR)
    if kind == "hum":
        t = np.arange(n, dtype=np.float32) * np.float32(2 * np.pi * rng.choice((50, 60)) / SR)
        y = sum(np.sin(t * k + np.float32(rng.uniform(0, 6))) / k for k in (1, 2, 3, 5))
    else:
        y = rng.standard_normal(n, dtype=np.float32)
    if kind == "vinyl":
        # A little hiss, and clicks at random that are as short as a scratch is wide.
        clicks = np.zeros(n, np.float32)
        places = rng.integers(0, n - 8, 300)
        clicks[places] = rng.exponential(1, 300) * rng.choice((-1, 1), 300)
        y = 0.3 * y + 30 * (clicks - 0.7 * np.roll(clicks, 2))
    return y / np.float32(np.sqrt(np.mean(y**2)))
