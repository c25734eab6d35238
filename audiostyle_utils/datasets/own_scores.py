"""Scores of your own: a folder or a .zip file."""

import os
from pathlib import Path
from zipfile import is_zipfile

from .. import _kept
from ..errors import InputError
from ..scores import SUFFIXES
from ..settings import cache_dir, data_dir
from .archives import extract
from .catalogue import Dataset, Entry

_PLACES = ("scores", "midi")  # below AUDIOSTYLE_DATA

ENTRY = Entry(
    name="own_scores",
    title="Your own scores: MIDI, MusicXML, ABC or Humdrum",
    licence="That of your scores",
    source="A folder or .zip file that you name, or scores or midi below AUDIOSTYLE_DATA",
    size="As many as there are",
    citation="Those who wrote and transcribed them",
    chapters=("03_lstm_music",),
    kind="own copy",
)


def find() -> Dataset | None:
    """Find the scores below AUDIOSTYLE_DATA.

    Returns
    -------
    Dataset or None
        As `load` gives it; None where AUDIOSTYLE_DATA is not set or has neither folder.

    Raises
    ------
    InputError
        AUDIOSTYLE_DATA is no folder, or there are no scores in what is there.

    Chapter
    -------
    03_lstm_music
    """
    data = data_dir()
    roots = [data / place for place in _PLACES if (data / place).is_dir()] if data else []
    return _dataset(roots[0]) if roots else None


def load(folder: str | os.PathLike | None = None) -> Dataset:
    """List the scores of a folder, with all that lies below it, or of a .zip file.

    Parameters
    ----------
    folder : str or path, optional
        The folder or the .zip file, which is unpacked into the cache. By default it is the folder
        ``scores`` or else ``midi`` below AUDIOSTYLE_DATA.

    Returns
    -------
    Dataset
        Files by their path below the folder, without the ending: "nottingham/jigs12". Hidden files
        do not count. ``labels`` has for each ``"collection"``, the first folder on that path
        (None: it has none), and ``"part"``, which is None: you split them as you like. ``skipped``
        names the files that are empty.

    Raises
    ------
    InputError
        There is no such folder or .zip file, the file is damaged, or it holds no scores.

    Chapter
    -------
    03_lstm_music
    """
    if folder is not None:
        if not isinstance(folder, str | os.PathLike) or not str(folder):
            raise InputError(f"folder is {folder!r}; give a folder of scores or a .zip file.")
        return _dataset(_folder(Path(folder).expanduser()))
    found = find()
    if found is None:
        raise InputError(
            'No scores of your own are known. Give their folder, load_dataset("own_scores", '
            'folder="my_scores"), or put them into a folder scores below AUDIOSTYLE_DATA.'
        )
    return found


def _folder(path: Path) -> Path:
    """Return a folder; of a .zip file, the one that it has been unpacked to."""
    if path.is_dir():
        return path.resolve()
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder of scores or a .zip file.")
    if path.suffix.lower() in SUFFIXES:
        raise InputError(f"{path} is a single score; give the folder that it lies in.")
    content = _kept.content_sum(path)
    if content is None or not is_zipfile(path):
        raise InputError(f"{path} is no readable .zip file; give one, or a folder of scores.")
    root = cache_dir() / ENTRY.name / content[:16]
    return root if root.is_dir() else extract(path, root)


def _dataset(root: Path) -> Dataset:
    files: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES):
        place = path.relative_to(root)
        if path.is_dir() or any(p.startswith(".") or p == "__MACOSX" for p in place.parts):
            continue
        if path.is_file() and path.stat().st_size:
            name = place.with_suffix("").as_posix()
            # The same piece may lie there in two formats.
            files[place.as_posix() if name in files else name] = path
        else:
            reason = "is empty (0 bytes)" if path.is_file() else "is no file"
            skipped[place.as_posix()] = f"{path} {reason}."
    if not files:
        empty = f" but {len(skipped)} empty ones" if skipped else ""
        raise InputError(
            f"{root} holds no scores{empty}. Their names end in {', '.join(sorted(SUFFIXES))}."
        )
    labels = {name: _label(path.relative_to(root)) for name, path in files.items()}
    return Dataset(ENTRY.name, ENTRY, root, files, labels, skipped)


def _label(place: Path) -> dict[str, object]:
    return {"collection": place.parts[0] if len(place.parts) > 1 else None, "part": None}
