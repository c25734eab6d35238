"""How an excerpt is played, whoever plays it: what sounds when, for how long, how loud."""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from random import Random
from zlib import crc32

import numpy as np

from ...errors import InputError
from ...scores import STEPS, Note
from .pieces import cut, piece, sources

SHIFTS = (0, 2, -2, 1, -1, 3, -3)  # semitones by which each take is transposed
FIRST, TAIL = 0.1, 0.6  # seconds before the first note, and after the last one
_TEMPO, _DRIFT = (0.93, 1.07), 0.02  # times the piece's own
_BROADEST, _SLOWING = 0.3, 4  # how much slower a piece ends, over so many quarters
_REST = 0.5  # seconds; general pauses are not held for longer
_TIMING = (0.006, 0.015)  # seconds: standard deviation, and the most
_HELD = (0.8, 1.0)  # share of its length for which a note is held
_LOUDNESS, _ARCH = (-9.0, 0.0), (1.0, 5.0)  # dB: of phrases, and from their ends to their peaks
_PEAK = (0.4, 0.8)  # place of the peak in a phrase
_BALANCE = (1.0, -1.0, -1.0, 0.0)  # dB for each part, from the highest
_DOWNBEAT, _UNEVEN = 0.8, 0.7  # dB


@dataclass(frozen=True)
class PlayedNote:
    """A note as it is played.

    Attributes
    ----------
    start, seconds : float
        When it begins, in seconds of the recording, and for how long it is held.
    pitch : int
        MIDI pitch, as written. Players who do not have it take it in the nearest octave.
    part : int
        0 for the highest part to 3 for the lowest.
    level : float
        How loud it is played, in dB; the loudest phrases are near 0.

    Chapter
    -------
    07_music_translation
    """

    start: float
    seconds: float
    pitch: int
    part: int
    level: float


@dataclass(frozen=True)
class Recording:
    """An excerpt of a piece, to be played in one way.

    Attributes
    ----------
    name : str
        "haydn-opus74no1-2_07": the piece and the number of the excerpt. Behind it there may be the
        number of another take, "haydn-opus74no1-2_07_1", which is in another key, at another tempo
        and in another room.
    piece : str
        The piece.
    excerpt, take : int
        The numbers, from 0.

    Chapter
    -------
    07_music_translation
    """

    name: str
    piece: str
    excerpt: int
    take: int

    @property
    def bars(self) -> tuple[int, int]:
        """Steps at which the excerpt begins and ends."""
        return sources()[self.piece].cuts[self.excerpt : self.excerpt + 2]


def recordings(domain: str, split: str) -> list[Recording]:
    """List what there is for a domain, in the order in which it is taken.

    Parameters
    ----------
    domain : str
        Who plays it in the data set.
    split : str
        "training", of which there are seven takes, or "test", of which there is one.

    Returns
    -------
    list of Recording
        All excerpts once, in an order drawn by lot, before any is taken a second time.

    Chapter
    -------
    07_music_translation
    """
    played = [s for s in sources().values() if (s.domain, s.split) == (domain, split)]
    excerpts = [(s.name, number) for s in played for number in range(len(s.cuts) - 1)]
    found = []
    for take in range(len(SHIFTS) if split == "training" else 1):
        rng = Random(f"ensembles/{domain}/{split}/{take}")
        for name, number in rng.sample(excerpts, len(excerpts)):
            behind = f"_{take}" if take else ""
            found.append(Recording(f"{name}_{number:02}{behind}", name, number, take))
    return found


def recording(name: str) -> Recording:
    """Find a recording by its name.

    Parameters
    ----------
    name : str
        As `Recording` has it.

    Returns
    -------
    Recording
        What is played.

    Raises
    ------
    InputError
        There is none of that name.

    Chapter
    -------
    07_music_translation
    """
    match = re.fullmatch(r"([^_]+)_([0-9]{2})(?:_([1-9]))?", str(name))
    source = sources().get(match[1]) if match else None
    if source is None:
        raise InputError(
            f"There is no recording {name!r}. A name is that of a piece and the number of an "
            "excerpt, such as haydn-opus1no1-2_00: take one from the files of "
            'load_dataset("ensembles").'
        )
    number, take = int(match[2]), int(match[3] or 0)
    last = len(source.cuts) - 2
    takes = len(SHIFTS) if source.split == "training" else 1
    if number > last or take >= takes:
        raise InputError(
            f"There is no recording {name!r}: the excerpts of {source.name} go from 00 to "
            f"{last:02}, and there {'are' if takes > 1 else 'is'} {takes} of each."
        )
    return Recording(str(name), source.name, number, take)


def random(name: str, what: str) -> np.random.Generator:
    """Give the random numbers for one side of a recording.

    Parameters
    ----------
    name : str
        The recording.
    what : str
        What they are for.

    Returns
    -------
    np.random.Generator
        The same for the same words.

    Chapter
    -------
    07_music_translation
    """
    return np.random.default_rng(crc32(f"ensembles/{what}/{name}".encode()))


@lru_cache(maxsize=4096)
def play(name: str) -> tuple[PlayedNote, ...]:
    """Play a recording: tempo, timing, touch and dynamics, the same for all players.

    Parameters
    ----------
    name : str
        The recording.

    Returns
    -------
    tuple of PlayedNote
        The notes, in order of their beginnings as written.

    Raises
    ------
    InputError
        There is no recording of that name.

    Chapter
    -------
    07_music_translation
    """
    chosen = recording(name)
    rng = random(name, "playing")
    notes = cut(piece(chosen.piece), *chosen.bars)
    starts, ends = _times(notes, chosen, rng)
    levels = _levels(notes, chosen, rng)
    held = (ends - starts) * rng.uniform(*_HELD, starts.size)
    spread, most = _TIMING
    starts = starts + np.clip(rng.normal(0, spread, starts.size), -most, most)
    shift = SHIFTS[chosen.take]
    return tuple(
        PlayedNote(float(start), float(seconds), note.pitch + shift, note.part, float(level))
        for note, start, seconds, level in zip(notes, starts, held, levels, strict=True)
    )


def seconds(name: str) -> float:
    """Tell how long a recording lasts.

    Parameters
    ----------
    name : str
        The recording.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InputError
        There is no recording of that name.

    Chapter
    -------
    07_music_translation
    """
    return max(note.start + note.seconds for note in play(name)) + TAIL


def _times(
    notes: list[Note], chosen: Recording, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Give begin and end of each note in seconds, by a tempo that is never quite even."""
    first, last = chosen.bars
    quarters = np.arange(-(-(last - first) // STEPS) + 1)
    tempo = sources()[chosen.piece].tempo * rng.uniform(*_TEMPO)
    wave = np.sin(2 * np.pi * (quarters / rng.uniform(8, 16) + rng.uniform()))
    pace = tempo * (1 + _DRIFT * wave)
    if last == sources()[chosen.piece].cuts[-1]:
        left = np.clip((quarters[-1] - quarters) / _SLOWING, 0, 1)
        pace /= 1 + _BROADEST * (1 - left)
    clock = np.concatenate([[0.0], np.cumsum(60 / pace[:-1])])
    onsets = np.array([note.onset for note in notes])
    lengths = np.array([note.length for note in notes])
    starts, ends = (np.interp(x / STEPS, quarters, clock) for x in (onsets, onsets + lengths))
    return _without_pauses(starts, ends)


def _without_pauses(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shorten what is silent for all: a pause would teach the network no music."""
    heard = np.maximum.accumulate(ends)
    gaps = np.maximum(starts[1:] - heard[:-1] - _REST, 0)
    earlier = np.concatenate([[0.0], np.cumsum(gaps)]) + starts[0] - FIRST
    return starts - earlier, ends - earlier


def _levels(notes: list[Note], chosen: Recording, rng: np.random.Generator) -> np.ndarray:
    """Give the loudness of each note in dB: phrases of two or four bars rise and fall."""
    first, last = chosen.bars
    lines = [line - first for line in piece(chosen.piece).barlines if first <= line <= last]
    places, heights = _phrases(lines, rng)
    onsets = np.array([note.onset for note in notes])
    parts = np.array([note.part for note in notes])
    levels = np.interp(onsets, places, heights) + np.array(_BALANCE)[parts]
    levels += _DOWNBEAT * np.isin(onsets, lines)
    return levels + np.clip(rng.normal(0, _UNEVEN, onsets.size), -2, 2)


def _phrases(lines: list[int], rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Draw how loud the music is at the ends and peaks of its phrases."""
    bars = int(rng.choice((2, 4)))
    edges = [*lines[:-1:bars], lines[-1]]
    loud = rng.uniform(*_LOUDNESS, len(edges) - 1)
    arch, peak = rng.uniform(*_ARCH, loud.size), rng.uniform(*_PEAK, loud.size)
    places, heights = [], []
    for (begin, end), level, depth, where in zip(pairwise(edges), loud, arch, peak, strict=True):
        places += [begin, begin + where * (end - begin)]
        heights += [level - depth, level]
    return [*places, edges[-1]], [*heights, heights[-1] - arch[-1]]
