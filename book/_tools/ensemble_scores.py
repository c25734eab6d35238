"""Choose what the ensembles play: python -m book._tools.ensemble_scores.

It reads scores of music21's corpus and writes their notes into
audiostyle_utils/datasets/ensembles.json, with who plays what, which is for training and which for
the test, the tempi, and the bars at which excerpts begin. It takes about two minutes. Run it again
when music21, the reader of scores, the families of chorales or the tables below change; then raise
the version in audiostyle_utils/datasets/ensembles.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

from audiostyle_utils import scores
from audiostyle_utils.datasets import _corpus, chorales
from audiostyle_utils.datasets.ensembles import pieces
from book._tools.common import ROOT, write

FILE = ROOT / "audiostyle_utils" / "datasets" / "ensembles.json"
SECONDS = 15  # of an excerpt, about
CHORALES = ("choir", "organ", "harpsichord")
MINUTES = {"test": 9, "training": 40}  # of chorales for each of these three
LARGEST = 2  # members of a family in the test, that there be many hymns
HYMN = 72.0  # quarter notes a minute
VOICES = 4


@dataclass(frozen=True)
class Movement:
    """A movement: where it stands, and how fast it goes.

    The corpus has no tempi that musicians would take: most movements have the 120 of a program
    that was not told otherwise. Tempi are in quarter notes a minute, as the movement's heading and
    common practice have them.
    """

    file: str
    tempo: float
    bars: tuple[int, int | None] = (0, None)


# Works by player and split. In two files of Beethoven's opus 18 no. 1 the cello lacks changes of
# clef, which the Humdrum files have.
WORKS = {
    ("orchestra", "training"): {
        "mozart-k80": (
            Movement("mozart/k80/movement1.mxl", 56),  # Adagio
            Movement("mozart/k80/movement2.mxl", 132),  # Allegro
            Movement("mozart/k80/movement3.mxl", 120),  # Menuetto
            Movement("mozart/k80/movement4.mxl", 144),  # Rondeau
        ),
        "mozart-k155": (
            Movement("mozart/k155/movement1.mxl", 132),  # Allegro
            Movement("mozart/k155/movement2.mxl", 66),  # Andante
            Movement("mozart/k155/movement3.mxl", 132),  # Molto allegro
        ),
        "mozart-k458": (
            Movement("mozart/k458/movement1.mxl", 150),  # Allegro vivace assai, 6/8
            Movement("mozart/k458/movement2.mxl", 112),  # Menuetto, moderato
            Movement("mozart/k458/movement3.mxl", 46),  # Adagio
            Movement("mozart/k458/movement4.mxl", 138),  # Allegro assai
        ),
    },
    ("orchestra", "test"): {
        "mozart-k156": (
            Movement("mozart/k156/movement1.mxl", 114),  # Presto, 3/8
            Movement("mozart/k156/movement2.mxl", 50),  # Adagio
            Movement("mozart/k156/movement3.mxl", 116),  # Tempo di menuetto
            Movement("mozart/k156/movement4.mxl", 50),  # Adagio, the first version
        ),
    },
    ("quartet", "training"): {
        "haydn-opus74no1": (
            Movement("haydn/opus74no1/movement1.mxl", 126),  # Allegro
            Movement("haydn/opus74no1/movement2.mxl", 54),  # Andantino grazioso, 3/8
            Movement("haydn/opus74no1/movement3.mxl", 144),  # Menuetto, allegretto
            Movement("haydn/opus74no1/movement4.mxl", 132),  # Vivace
        ),
    },
    ("quartet", "test"): {
        "haydn-opus1no1": (
            Movement("haydn/opus1no1/movement1.mxl", 150),  # Presto, 6/8
            Movement("haydn/opus1no1/movement2.mxl", 120),  # Menuetto
            Movement("haydn/opus1no1/movement3.mxl", 48),  # Adagio
            Movement("haydn/opus1no1/movement4.mxl", 116),  # Menuetto
            Movement("haydn/opus1no1/movement5.mxl", 132),  # Presto, 2/4
        ),
    },
    ("piano", "training"): {
        "beethoven-opus18no1": (
            Movement("beethoven/opus18no1/movement1.krn", 150),  # Allegro con brio, 3/4
            Movement("beethoven/opus18no1/movement2.krn", 66),  # Adagio, 9/8
            Movement("beethoven/opus18no1/movement3.mxl", 224),  # Scherzo, allegro molto
            Movement("beethoven/opus18no1/movement4.mxl", 112),  # Allegro, with triplets
        ),
        "beethoven-opus18no3": (
            Movement("beethoven/opus18no3.mxl", 176, (0, 271)),  # Allegro, 2/2
            Movement("beethoven/opus18no3.mxl", 52, (271, 422)),  # Andante con moto, 2/4
        ),
    },
    ("piano", "test"): {
        "beethoven-opus18no4": (
            Movement("beethoven/opus18no4.mxl", 140, (0, 220)),  # Allegro ma non tanto
            Movement("beethoven/opus18no4.mxl", 66, (221, 482)),  # Andante scherzoso, 3/8
        ),
    },
}


def movements() -> Iterator[pieces.Source]:
    """Go through the quartets, movement by movement."""
    for works in WORKS.values():
        for work, listed in works.items():
            for number in range(1, len(listed) + 1):
                yield movement(work, number)


def movement(work: str, number: int) -> pieces.Source:
    """Read a movement of a quartet."""
    (domain, split), works = next(item for item in WORKS.items() if work in item[1])
    wanted = works[work][number - 1]
    played = _bars(_read(wanted.file), *wanted.bars)
    facts = {"work": work, "domain": domain, "split": split, "tempo": wanted.tempo}
    return source(f"{work}-{number}", played, **facts)


def hymns() -> Iterator[pieces.Source]:
    """Go through the chorales that are played: a family has one player, and is on one side."""
    known = chorales.load()
    families: dict[str, list[str]] = {}
    for name, label in known.labels.items():
        families.setdefault(label["family"], []).append(name)
    order = Random("ensembles").sample(sorted(families), len(families))
    missing = {(domain, split): MINUTES[split] for split in MINUTES for domain in CHORALES}
    for family in order:
        fit = [p for p in missing if p[1] == "training" or len(families[family]) <= LARGEST]
        part = max(fit, key=lambda part: missing[part] / MINUTES[part[1]])
        if missing[part] <= 0:
            continue
        for name in families[family]:
            chorale = hymn(name, *part)
            missing[part] -= chorale.cuts[-1] / scores.STEPS / HYMN
            yield chorale


def hymn(name: str, domain: str, split: str) -> pieces.Source:
    """Read a chorale."""
    known = chorales.load()
    facts = {"work": known.labels[name]["family"], "domain": domain, "split": split}
    return source(name, scores.read(known.files[name]), tempo=HYMN, **facts)


@lru_cache(maxsize=1)
def _read(file: str) -> scores.Piece:
    folder, _, rest = file.partition("/")
    return scores.read(_corpus.folder(folder) / rest)


def _bars(piece: scores.Piece, first: int, last: int | None) -> scores.Piece:
    """Give some bars of a piece; a movement that is all of it stays as it is."""
    if last is None:
        return piece
    begin, end = piece.barlines[first], piece.barlines[last]
    meters = [m._replace(onset=max(0, m.onset - begin)) for m in piece.meters if m.onset < end]
    return scores.make_piece(pieces.cut(piece, begin, end), piece.parts, meters)


def source(name: str, piece: scores.Piece, **facts) -> pieces.Source:
    """Write a piece down."""
    if len(piece.parts) != VOICES:
        raise ValueError(f"{name} has {len(piece.parts)} parts, not {VOICES}.")
    return pieces.Source(
        name=name,
        cuts=tuple(cuts(piece, facts["tempo"])),
        meters=piece.meters,
        parts=tuple(tuple(voices(piece, part)) for part in range(VOICES)),
        **facts,
    )


def voices(piece: scores.Piece, part: int) -> Iterator[str]:
    """Write a part as voices in which no two notes sound at once."""
    layers: list[list[scores.Note]] = []
    notes = [note for note in piece.notes if note.part == part]
    for note in sorted(notes, key=lambda note: (note.onset, -note.pitch)):
        for layer in layers:
            if layer[-1].onset + layer[-1].length <= note.onset:
                layer.append(note)
                break
        else:
            layers.append([note])
    yield from map(pieces.voice_text, layers)


def cuts(piece: scores.Piece, tempo: float) -> list[int]:
    """Cut a piece into excerpts at barlines over which as few notes as possible are held."""
    begin, end = piece.barlines[0], piece.barlines[-1]
    steps = SECONDS * tempo / 60 * scores.STEPS
    count = max(1, round((end - begin) / steps))
    found = [begin]
    for number in range(1, count):
        place = begin + number * (end - begin) / count
        near = [line for line in piece.barlines if abs(line - place) < 0.3 * (end - begin) / count]
        if near:
            found.append(min(near, key=lambda line: (_held(piece, line), abs(line - place))))
    return [*found, end]


def _held(piece: scores.Piece, step: int) -> int:
    return sum(note.onset < step < note.onset + note.length for note in piece.notes)


def facts(source: pieces.Source) -> dict:
    """Give what is kept of a piece, as JSON can hold it."""
    kept = {name: value for name, value in vars(source).items() if name != "name"}
    return json.loads(json.dumps(kept))


def save(made: Iterable[pieces.Source], path: Path = FILE) -> None:
    """Write one line for each piece."""
    lines = [
        f"{json.dumps(one.name)}: {json.dumps(facts(one), separators=(',', ':'))}" for one in made
    ]
    write(path, "{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    save([*movements(), *hymns()])
    print(FILE, f"{FILE.stat().st_size:,} bytes")
