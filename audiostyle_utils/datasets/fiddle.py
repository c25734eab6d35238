"""Fiddle tunes of Ryan's Mammoth Collection, which music21 brings along."""

import re
from pathlib import Path
from string import capwords

from . import _corpus
from .catalogue import Dataset, Entry

_METERS = {"C": "4/4", "C|": "2/2"}
_MODES = {
    "": "major",
    "maj": "major",
    "m": "minor",
    "min": "minor",
    "dor": "dorian",
    "mix": "mixolydian",
    "lyd": "lydian",
    "phr": "phrygian",
}
_DANCES = {"slipjig": "slip jig", "fling": "highland fling", "walk around": "walkaround"}

ENTRY = Entry(
    name="fiddle",
    title="Fiddle tunes: reels, hornpipes, jigs, strathspeys, clogs",
    licence="Tunes in the public domain (printed in 1883); the transcriptions are distributed with "
    "music21 by permission of those who made them",
    source="music21's corpus, folder ryansMammoth; no download",
    size="1,059 tunes of one voice, ABC notation; 121,514 notes",
    citation="Ryan's Mammoth Collection (Boston: E. Howe, 1883), transcribed to ABC by R. Davies, "
    "J. B. Walsh, B. Puckette, J. Chambers and others, as each file says; M. S. Cuthbert, C. Ariza "
    "(2010). music21: a toolkit for computer-aided musicology and symbolic music data. ISMIR",
    chapters=("03_lstm_music",),
    kind="built-in",
)


def find() -> Dataset:
    """Find the tunes, as `load` does.

    Returns
    -------
    Dataset
        As `load` gives it.

    Raises
    ------
    InputError
        music21 is installed without its corpus.

    Chapter
    -------
    03_lstm_music
    """
    return load()


def load() -> Dataset:
    """Find the tunes where music21 is installed.

    Some tunes stand in the book several times, under other titles, in other keys or as another
    dance: give all of a family to the same part of a split.

    Returns
    -------
    Dataset
        Files by the name that they have in music21: "AcaciaReel". ``labels`` has for each
        ``"title"``; ``"dance"``, such as "reel" or "slip jig" (None: the file does not say);
        ``"meter"``, such as "6/8"; ``"key"``, such as "G major" or "E dorian", the first where it
        changes; and ``"family"``, the first of the tunes that are versions of one another, as
        `scores.families` finds them.

    Raises
    ------
    InputError
        music21 is installed without its corpus.

    Chapter
    -------
    03_lstm_music
    """
    root = _corpus.folder("ryansMammoth")
    files = {path.stem: path for path in sorted(root.glob("*.abc"))}
    labels = {name: _label(name, path) for name, path in files.items()}
    return Dataset(ENTRY.name, ENTRY, root, files, labels)


def _label(name: str, path: Path) -> dict[str, object]:
    fields = _fields(path.read_text(encoding="utf-8", errors="replace"))
    title = _title(fields.get("T", name))
    meter = fields.get("M", "")
    return {
        "title": title,
        "dance": _dance(fields.get("R", "")),
        "meter": _METERS.get(meter, meter) or None,
        "key": _key(fields.get("K", "")),
        "family": _corpus.labels(ENTRY.name).get(name, name),
    }


def _fields(text: str) -> dict[str, str]:
    """Return the first entry of each kind in an ABC file."""
    found: dict[str, str] = {}
    for kind, value in re.findall(r"^([TRMK]):([^%\r\n]*)", text, re.MULTILINE):
        found.setdefault(kind, value.strip())
    return found


def _title(text: str) -> str:
    """Return a title without the dance behind it, and not in capitals only."""
    text = text.replace("at:", "at")  # left by a program that put it in place of every "at"
    text = re.split(r"\s+--?\s+", text)[0].strip().rstrip(".")
    capitals = sum(letter.isupper() for letter in text)
    return capwords(text) if capitals > len(text) / 2 else text


def _dance(text: str) -> str | None:
    dance = text.lower()
    return _DANCES.get(dance, dance) or None


def _key(text: str) -> str | None:
    match = re.match(r"([A-G][#b]?)\s*([A-Za-z]*)", text)
    if match is None:
        return None
    mode = _MODES.get(match[2].lower()[:3])
    return f"{match[1]} {mode}" if mode else None
