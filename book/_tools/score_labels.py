"""Find out which scores of music21's corpus belong together: python -m book._tools.score_labels.

It reads the fiddle tunes and the chorales and writes what takes reading them into
audiostyle_utils/datasets/fiddle.json and chorales.json. Run it again when music21, the reader of
scores or the rule for families changes.
"""

import json
from pathlib import Path

from music21.corpus.chorales import ChoraleList, ChoraleListRKBWV

from audiostyle_utils import datasets, scores
from audiostyle_utils.datasets import _corpus
from book._tools.common import ROOT, write

FOLDER = ROOT / "audiostyle_utils" / "datasets"
NAMES = "C C# D Eb E F F# G Ab A Bb B".split()
VOICES = 4


def fiddle() -> dict[str, str]:
    """Give the family of each tune that has versions."""
    path = _corpus.folder("ryansMammoth")
    files = {file.stem: file for file in sorted(path.glob("*.abc"))}
    found = scores.families(scores.tokenise_files(files).tokens)
    several = [family for family in set(found.values()) if list(found.values()).count(family) > 1]
    return {name: family for name, family in found.items() if family in several}


def chorales() -> dict[str, dict[str, str | None]]:
    """Give file, title, key and family of each chorale of four parts."""
    files = {path.stem: path for path in sorted(_corpus.folder("bach").glob("bwv*.[mx]*l"))}
    tokens = scores.tokenise_files(files).tokens
    pieces = {name: scores.detokenise(tokens[name]) for name in files}
    names = sorted((n for n in files if len(pieces[n].parts) == VOICES), key=number)
    titles = hymns()
    titles = {name: titles.get(name.removeprefix("bwv")) for name in names}
    family = scores.families({name: tokens[name] for name in names}, titles)
    return {
        name: {
            "file": files[name].name,
            "title": titles[name],
            "key": key(pieces[name]),
            "family": family[name],
        }
        for name in names
    }


def number(name: str) -> tuple:
    """Put bwv9.7 before bwv10.7."""
    return tuple(
        (int(part), "") if part.isdigit() else (0, part)
        for part in name.removeprefix("bwv").replace("-", ".").split(".")
    )


def hymns() -> dict[str, str]:
    """Give the title of the hymn by number in the catalogue of Bach's works."""
    lists = [ChoraleList().byBWV, ChoraleListRKBWV().byBWV]
    # music21 writes "AAch Gott" once.
    return {
        str(bwv): facts["title"].replace("AAch", "Ach")
        for known in lists
        for bwv, facts in known.items()
    }


def key(piece: scores.Piece) -> str:
    """Name a key by the bass's last note and by the third above it that sounds longer."""
    tonic = max(note for note in piece.notes if note.part == len(piece.parts) - 1).pitch
    minor, major = (
        sum(note.length for note in piece.notes if (note.pitch - tonic) % 12 == third)
        for third in (3, 4)
    )
    return f"{NAMES[tonic % 12]} {'minor' if minor > major else 'major'}"


def save(name: str, facts: dict) -> Path:
    """Write one line for each score."""
    lines = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in facts.items()]
    path = FOLDER / f"{name}.json"
    write(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


if __name__ == "__main__":
    for made, find in (("fiddle", fiddle), ("chorales", chorales)):
        print(save(made, find()), len(datasets.load_dataset(made).files))
