"""A piece of music on a grid: what is played when, and nothing else."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from audiostyle_utils.errors import InputError

# A quarter note has 24 steps: whole numbers for 32nds (3), and for triplets of eighths (8) and of
# sixteenths (4).
STEPS = 24
DRUMS = 128  # in place of a program number, 0 to 127

# The marks of a metronome, in quarter notes a minute. From 30 on two neighbours differ by 3 to 7
# per cent.
TEMPOS = (
    *range(20, 40, 2),
    *range(40, 60, 2),
    *range(60, 72, 3),
    *range(72, 120, 4),
    *range(120, 144, 6),
    *range(144, 216, 8),
    *range(216, 264, 12),
    *range(264, 401, 16),
)
_SANE_TEMPOS = (1, 10_000)
METERS = frozenset((count, unit) for count in range(1, 25) for unit in (2, 4, 8, 16))
_COMMON = (4, 4)
_SHORTEST_METER = 3 * STEPS // 2  # 3/8; a score that has only shorter ones means something else
_LONGEST = 4 * STEPS * 5000  # steps: 5,000 bars of 4/4


class Note(NamedTuple):
    """A note.

    Attributes
    ----------
    onset : int
        Where it begins, in steps.
    length : int
        How long it is, in steps.
    pitch : int
        MIDI pitch, 0 to 127; 60 is C4.
    part : int
        Number of its part, from 0.

    Chapter
    -------
    03_lstm_music
    """

    onset: int
    length: int
    pitch: int
    part: int


class Meter(NamedTuple):
    """A time signature.

    Attributes
    ----------
    onset : int
        The step from which it holds.
    count : int
        How many units a bar has.
    unit : int
        The unit: 4 for quarters, 8 for eighths.

    Chapter
    -------
    03_lstm_music
    """

    onset: int
    count: int
    unit: int

    @property
    def bar(self) -> int:
        """Steps in a bar."""
        return 4 * STEPS * self.count // self.unit


class Tempo(NamedTuple):
    """A tempo.

    Attributes
    ----------
    onset : int
        The step from which it holds.
    bpm : float
        Quarter notes a minute.

    Chapter
    -------
    03_lstm_music
    """

    onset: int
    bpm: float


@dataclass(frozen=True)
class Piece:
    """Notes of one or several parts on a grid of 24 steps a quarter note.

    `read` makes one from a file, `detokenise` from tokens. A piece is always in order: notes by
    onset, part and pitch; no pitch twice at once in a part; changes of meter and tempo at
    barlines; whole bars to the end.

    Attributes
    ----------
    notes : tuple of Note
        Onset and length in steps, MIDI pitch, number of the part.
    parts : tuple of int
        General MIDI program of each part, 0 to 127, or 128 for drums.
    meters : tuple of Meter
        Time signatures, each with the barline at which it begins; the first begins at 0.
    tempos : tuple of Tempo
        Metronome marks, each with the barline at which it begins; the first begins at 0.

    Chapter
    -------
    03_lstm_music
    """

    notes: tuple[Note, ...]
    parts: tuple[int, ...]
    meters: tuple[Meter, ...]
    tempos: tuple[Tempo, ...]

    @property
    def barlines(self) -> list[int]:
        """Steps at which the bars begin, and the end of the last."""
        return _barlines(self.meters, max(note.onset + note.length for note in self.notes))


def make_piece(
    notes: Iterable[Note],
    parts: Iterable[int],
    meters: Iterable[Meter] = (),
    tempos: Iterable[Tempo] = (),
) -> Piece:
    """Bring notes, meters and tempi into the order that every `Piece` has.

    Of two notes of the same pitch in a part that overlap, the first ends where the second begins.
    A change of meter waits for the next barline. The tempo of a bar is the metronome mark nearest
    to its mean: between 30 and 400 quarter notes a minute it is at most 3.2 per cent off. Parts
    without notes go.

    Parameters
    ----------
    notes : iterable of Note
        In any order. Lengths below one step become one step.
    parts : iterable of int
        Program of each part that the notes name, 0 to 127, or 128 for drums.
    meters : iterable of Meter
        Of several at one step the last holds. Known are 1 to 24 halves, quarters, eighths or
        sixteenths in a bar; others are left out. Without any, or where all bars would be shorter
        than 3/8, the meter is 4/4.
    tempos : iterable of Tempo
        Of several at one step the last holds. Those below 1 or above 10,000 quarter notes a minute
        are left out. 120 where none is given.

    Returns
    -------
    Piece
        The same music.

    Raises
    ------
    InputError
        There are no notes, one has no such pitch, part or place, or they last longer than 5,000
        bars of 4/4.

    Chapter
    -------
    03_lstm_music
    """
    notes, parts = list(notes), list(parts)
    if not notes:
        raise InputError("there are no notes; give a score that has some.")
    _check(notes, parts)
    end = max(note.onset + max(1, note.length) for note in notes)
    if end > _LONGEST:
        raise InputError(f"It lasts {end // (4 * STEPS):,} bars of 4/4; the longest is 5,000.")
    used = sorted({note.part for note in notes})
    number = {part: k for k, part in enumerate(used)}
    renamed = [note._replace(part=number[note.part]) for note in notes]
    metered = _at_barlines(meters, end)
    lines = _barlines(metered, end)
    return Piece(
        notes=_without_overlaps(renamed),
        parts=tuple(parts[part] for part in used),
        meters=metered,
        tempos=_marks(tempos, lines),
    )


def _barlines(meters: Iterable[Meter], end: int) -> list[int]:
    """Return the steps at which bars begin, up to the first barline at or after `end`."""
    meters = list(meters)
    lines, current = [0], 0
    while lines[-1] < end:
        while current + 1 < len(meters) and meters[current + 1].onset <= lines[-1]:
            current += 1
        lines.append(lines[-1] + meters[current].bar)
    return lines


def transpose(piece: Piece, semitones: int) -> Piece:
    """Move every note but those of drums up, or down if negative.

    Parameters
    ----------
    piece : Piece
        A piece.
    semitones : int
        How far.

    Returns
    -------
    Piece
        The same piece in another key.

    Raises
    ------
    InputError
        A note would leave MIDI's pitches, 0 to 127.

    Chapter
    -------
    03_lstm_music
    """
    moved = tuple(
        note if piece.parts[note.part] == DRUMS else note._replace(pitch=note.pitch + semitones)
        for note in piece.notes
    )
    if any(not 0 <= note.pitch <= 127 for note in moved):
        raise InputError(f"{semitones} semitones move notes out of MIDI's pitches 0 to 127.")
    return Piece(moved, piece.parts, piece.meters, piece.tempos)


def _check(notes: list[Note], parts: list[int]) -> None:
    for note in notes:
        if note.onset < 0 or not 0 <= note.pitch <= 127 or not 0 <= note.part < len(parts):
            raise InputError(
                f"{note} cannot be: onsets begin at 0, pitches go from 0 to 127, and there are "
                f"{len(parts)} parts, counted from 0."
            )
    wrong = [program for program in parts if not 0 <= program <= DRUMS]
    if wrong:
        raise InputError(f"{wrong[0]} is no program: 0 to 127, or {DRUMS} for drums.")


def _at_barlines(meters: Iterable[Meter], end: int) -> tuple[Meter, ...]:
    """Keep the meters that are known, each at the barline where it can begin."""
    known = [meter for meter in meters if meter[1:] in METERS]
    known.sort(key=lambda meter: meter.onset)
    kept: list[Meter] = []
    line = passed = 0
    while line < end:
        while passed < len(known) and known[passed].onset <= line:
            passed += 1
        sign = known[passed - 1][1:] if passed else _COMMON
        if not kept or sign != kept[-1][1:]:
            kept.append(Meter(line, *sign))
        line += kept[-1].bar
    if all(meter.bar < _SHORTEST_METER for meter in kept):
        return (Meter(0, *_COMMON),)
    return tuple(kept)


def _without_overlaps(notes: list[Note]) -> tuple[Note, ...]:
    longest: dict[tuple[int, int, int], int] = {}
    for onset, length, pitch, part in notes:
        key = onset, part, pitch
        longest[key] = max(1, length, longest.get(key, 0))
    following: dict[tuple[int, int], int] = {}
    cut = []
    for onset, part, pitch in sorted(longest, reverse=True):
        room = following.get((part, pitch), _LONGEST) - onset
        following[part, pitch] = onset
        cut.append(Note(onset, min(longest[onset, part, pitch], room), pitch, part))
    return tuple(reversed(cut))


def _marks(tempos: Iterable[Tempo], lines: list[int]) -> tuple[Tempo, ...]:
    """Give each bar the metronome mark nearest to its mean tempo; keep the changes."""
    low, high = _SANE_TEMPOS
    changes = [tempo for tempo in tempos if low <= tempo.bpm <= high]
    changes.sort(key=lambda tempo: tempo.onset)
    if not changes or changes[0].onset > 0:
        changes = [Tempo(0, 120.0), *changes]
    onsets = [change.onset for change in changes]
    marks: list[Tempo] = []
    for start, end in zip(lines, lines[1:], strict=False):
        first, last = bisect_right(onsets, start) - 1, bisect_right(onsets, end - 1)
        edges = [start, *onsets[first + 1 : last], end]
        beats = [b - a for a, b in zip(edges, edges[1:], strict=False)]
        minutes = sum(n / change.bpm for n, change in zip(beats, changes[first:last], strict=True))
        mark = _mark((end - start) / minutes)
        if not marks or marks[-1].bpm != mark:
            marks.append(Tempo(start, mark))
    return tuple(marks)


@lru_cache(maxsize=1024)
def _mark(bpm: float) -> int:
    return min(TEMPOS, key=lambda mark: abs(mark / bpm - 1))


@lru_cache(maxsize=1024)
def quarters(steps: int) -> str:
    """Write a number of steps as a fraction of a quarter note: 12 is "1/2".

    Parameters
    ----------
    steps : int
        Steps.

    Returns
    -------
    str
        The fraction in lowest terms.

    Chapter
    -------
    03_lstm_music
    """
    return str(Fraction(steps, STEPS))
