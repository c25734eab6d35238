"""The music that the ensembles play: note lists in ensembles.json, for parsing scores is slow.

book/_tools/ensemble_scores.py has made that file from the scores that music21 brings along.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from ...scores import Meter, Note, Piece, make_piece

# Letters of the twelve pitches from C on. A capital is the pitch above its small letter.
_LETTERS = "cCdDefFgGaAb"
_OCTAVE = 60  # MIDI pitch of the c that a voice begins from
_TOKEN = re.compile(r"\d+|[a-gACDFGr<>]")
_FILE = Path(__file__).parents[1] / "ensembles.json"


@dataclass(frozen=True)
class Source:
    """A piece, or a movement of one, in four parts.

    Attributes
    ----------
    name : str
        "haydn-opus74no1-2" or "bwv1.6".
    work : str
        The work that it is a movement of; of chorales the family, that is the first of those on
        the same hymn tune. A work is wholly for training or wholly for the test.
    domain : str
        Who plays it in the data set.
    split : str
        "training" or "test".
    tempo : float
        Quarter notes a minute.
    cuts : tuple of int
        Where its excerpts begin, and where the last one ends, in steps of a 24th of a quarter.
    meters : tuple of Meter
        Its time signatures.
    parts : tuple of tuple of str
        The notes of each part, from the highest to the lowest, in one or several voices, written as
        `voice_notes` reads them.

    Chapter
    -------
    07_music_translation
    """

    name: str
    work: str
    domain: str
    split: str
    tempo: float
    cuts: tuple[int, ...]
    meters: tuple[Meter, ...]
    parts: tuple[tuple[str, ...], ...]


@lru_cache
def sources() -> dict[str, Source]:
    """Give all pieces.

    Returns
    -------
    dict
        The pieces by name.

    Chapter
    -------
    07_music_translation
    """
    known = json.loads(_FILE.read_text(encoding="utf-8"))
    return {name: _source(name, **facts) for name, facts in known.items()}


def _source(name: str, cuts: list, meters: list, parts: list, **facts) -> Source:
    return Source(
        name=name,
        cuts=tuple(cuts),
        meters=tuple(Meter(*meter) for meter in meters),
        parts=tuple(tuple(voices) for voices in parts),
        **facts,
    )


@lru_cache(maxsize=256)
def piece(name: str) -> Piece:
    """Give the music of a piece, as `scores.read` would.

    Parameters
    ----------
    name : str
        One of the names in `sources`.

    Returns
    -------
    Piece
        Four parts; repeats are not written out, and grace notes are left out.

    Raises
    ------
    KeyError
        There is no such piece.

    Chapter
    -------
    07_music_translation
    """
    source = sources()[name]
    notes = [
        note
        for part, voices in enumerate(source.parts)
        for text in voices
        for note in voice_notes(text, part)
    ]
    return make_piece(notes, [0] * len(source.parts), source.meters)


def cut(piece: Piece, first: int, last: int) -> list[Note]:
    """Give the notes that begin in a part of a piece, each until that part's end at most.

    Parameters
    ----------
    piece : Piece
        The music.
    first, last : int
        Begin and end, in steps.

    Returns
    -------
    list of scores.Note
        In their order; onsets count from `first`.

    Chapter
    -------
    07_music_translation
    """
    return [
        note._replace(onset=note.onset - first, length=min(note.length, last - note.onset))
        for note in piece.notes
        if first <= note.onset < last
    ]


def voice_notes(text: str, part: int) -> list[Note]:
    """Read a voice: notes and rests one after the other.

    Parameters
    ----------
    text : str
        A number is the length in steps of the notes behind it; ``c`` to ``b`` are notes, capitals
        a semitone higher, and ``r`` is a rest; ``<`` and ``>`` go down and up by an octave, at the
        beginning from the one above middle C: ``"24cde12fg<b"``.
    part : int
        The number that the notes are given.

    Returns
    -------
    list of scores.Note
        The notes.

    Chapter
    -------
    07_music_translation
    """
    notes, onset, length, octave = [], 0, 0, _OCTAVE
    for token in _TOKEN.findall(text):
        if token.isdigit():
            length = int(token)
        elif token in "<>":
            octave += 12 if token == ">" else -12
        else:
            if token != "r":
                notes.append(Note(onset, length, octave + _LETTERS.index(token), part))
            onset += length
    return notes


def voice_text(notes: Iterable[Note]) -> str:
    """Write a voice.

    Parameters
    ----------
    notes : iterable of scores.Note
        In order of their onsets; none begins before the one before it ends.

    Returns
    -------
    str
        What `voice_notes` reads.

    Chapter
    -------
    07_music_translation
    """
    words, state = [], [0, _OCTAVE]
    start = Note(0, 0, _OCTAVE, 0)
    for before, note in pairwise([start, *notes]):
        rest = note.onset - before.onset - before.length
        if rest:
            words.append(_word(rest, None, state))
        words.append(_word(note.length, note.pitch, state))
    return "".join(words)


def _word(length: int, pitch: int | None, state: list[int]) -> str:
    """Write a note or a rest; the state is the length and the octave that hold so far."""
    number = "" if length == state[0] else str(length)
    state[0] = length
    if pitch is None:
        return f"{number}r"
    octaves = (pitch - state[1]) // 12
    state[1] += 12 * octaves
    return number + ("<" if octaves < 0 else ">") * abs(octaves) + _LETTERS[pitch % 12]
