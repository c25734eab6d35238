"""Which pieces are versions of one tune, so that no split puts one of them on either side."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from .pieces import DRUMS, Piece
from .tokens import detokenise

# Among the fiddle tunes, 14 intervals in a row chain 67 tunes by turns that all reels share; with
# 16, no family has more than 8 members.
INTERVALS = 16


def families(
    tokens: Mapping[str, Sequence[str]], titles: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    """Find out which pieces are versions of one tune.

    Two pieces belong together where their melodies have 16 intervals in a row in common, anywhere
    and in any rhythm: so a tune is found in another key, and as a reel and a hornpipe. What
    belongs together with a third piece belongs together. The melody is the highest note at each
    onset of the first part that is not drums.

    Parameters
    ----------
    tokens : mapping
        Tokens of each piece, by name.
    titles : mapping, optional
        Title of each piece, by name, or None: pieces of the same title belong together too.

    Returns
    -------
    dict
        The name of a family for each piece: that of its first member in the order of `tokens`.

    Raises
    ------
    InputError
        Tokens are no piece, as `detokenise` says.

    Chapter
    -------
    03_lstm_music
    """
    titles = titles or {}
    first: dict[str, str] = {name: name for name in tokens}
    known: dict[object, str] = {}
    for name in tokens:
        marks: set[object] = set(_runs(_melody(detokenise(tokens[name]))))
        if titles.get(name):
            marks.add(titles[name])
        for mark in marks:
            first[_root(first, known.setdefault(mark, name))] = _root(first, name)
    names: dict[str, str] = {}
    return {name: names.setdefault(_root(first, name), name) for name in tokens}


def _melody(piece: Piece) -> list[int]:
    part = next((k for k, program in enumerate(piece.parts) if program != DRUMS), 0)
    # Notes are in order of pitch at each onset, so the highest comes last.
    return list({note.onset: note.pitch for note in piece.notes if note.part == part}.values())


def _runs(pitches: list[int]) -> list[tuple[int, ...]]:
    steps = [after - before for before, after in pairwise(pitches)]
    return [tuple(steps[k : k + INTERVALS]) for k in range(len(steps) - INTERVALS + 1)]


def _root(first: dict[str, str], name: str) -> str:
    """Follow a piece to the one that stands for its family so far."""
    while first[name] != name:
        first[name] = first[first[name]]  # a shorter way for the next time
        name = first[name]
    return name
