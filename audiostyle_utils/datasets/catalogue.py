"""What the catalogue says of a data set, and what loading one gives."""

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..settings import data_dir


@dataclass(frozen=True)
class Entry:
    """One line of the catalogue.

    Attributes
    ----------
    name : str
        What `load_dataset` takes.
    title : str
        What it is, in a few words.
    licence : str
        Under which terms it may be used.
    source : str
        Where it comes from.
    size : str
        How much it holds.
    citation : str
        Whom to name when it is used.
    chapters : tuple of str
        The chapters that use it.
    kind : str
        "built-in" (made on this computer), "download" or "own copy" (never downloaded).
    checksums : dict
        SHA-256 sum of each file, by file name, or ``md5:`` and its MD5 sum where no other is known;
        empty unless files are downloaded.

    Chapter
    -------
    01_style_transfer
    """

    name: str
    title: str
    licence: str
    source: str
    size: str
    citation: str
    chapters: tuple[str, ...]
    kind: str
    checksums: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A data set that lies on this computer.

    Attributes
    ----------
    name : str
        Its name in the catalogue.
    entry : Entry
        Its line in the catalogue.
    root : pathlib.Path
        The folder that holds it.
    files : dict
        Absolute path of each file, by its short name.
    labels : dict
        What is known of each file, by its short name; empty where a set has no labels.
    skipped : dict
        Why a file or folder of the set cannot be used, by its path below `root`, with ``/``
        between folder and file.

    Chapter
    -------
    01_style_transfer
    """

    name: str
    entry: Entry
    root: Path
    files: dict[str, Path]
    labels: dict[str, dict[str, object]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def own_copy(entry: Entry, folder: str, names: dict[str, str]) -> Dataset | None:
    """Find the reader's own copy of a data set below AUDIOSTYLE_DATA.

    Parameters
    ----------
    entry : Entry
        The data set.
    folder : str
        Where it lies below AUDIOSTYLE_DATA.
    names : dict
        File name of each file, by its short name.

    Returns
    -------
    Dataset or None
        None where AUDIOSTYLE_DATA is not set or has no such folder.

    Raises
    ------
    InputError
        AUDIOSTYLE_DATA is no folder, or the copy lacks some of the files.

    Chapter
    -------
    01_style_transfer
    """
    data = data_dir()
    if data is None or not (data / folder).is_dir():
        return None
    root = data / folder
    missing = [name for name in names.values() if not (root / name).is_file()]
    if missing:
        raise InputError(
            f"Your copy of {entry.name} in {root} is incomplete: it lacks {', '.join(missing)}. "
            "Add what is missing, or move the folder away."
        )
    return Dataset(entry.name, entry, root, {key: root / name for key, name in names.items()})
