"""The notes of a part, laid out in voices that play one note or chord at a time."""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from .pieces import Note, Piece


class Chord(NamedTuple):
    """Pitches that begin and end together, in steps; none are a rest."""

    start: int
    end: int
    pitches: tuple[int, ...]


Voice = list[Chord]


def by_part(piece: Piece) -> list[list[Voice]]:
    """Lay out each part of a piece in voices."""
    notes: list[list[Note]] = [[] for _ in piece.parts]
    for note in piece.notes:
        notes[note.part].append(note)
    return [voices(own) for own in notes]


def voices(notes: Iterable[Note]) -> list[Voice]:
    """Lay out the notes of one part in voices.

    Notes that begin and end together are a chord. Where several begin together, the highest goes
    first, into the first voice that is free.
    """
    by_time = sorted(notes, key=lambda note: (note.onset, note.length))
    chords = [
        Chord(onset, onset + length, tuple(sorted(note.pitch for note in same)))
        for (onset, length), same in groupby(by_time, key=lambda note: note[:2])
    ]
    made: list[Voice] = []
    for chord in sorted(chords, key=lambda chord: (chord.start, -chord.pitches[-1])):
        free = next((voice for voice in made if voice[-1].end <= chord.start), None)
        if free is None:
            made.append(free := [])
        free.append(chord)
    return made
