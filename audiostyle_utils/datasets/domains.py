"""One side of a translation: the recordings of one speaker, of one genre, or of a folder."""

import os
from pathlib import Path

from ..errors import InputError
from . import band, cmu_arctic, fsdd, gtzan, voices
from ._transcribed import fault
from .catalogue import Dataset, Entry

_MODULES = (voices, band, cmu_arctic, fsdd, gtzan)
_LABELS = ("speaker", "genre")  # of which a data set has the one or the other
SUFFIXES = set(".wav .flac .ogg .opus .mp3 .au .aif .aiff .m4a .mp4 .aac .webm .mov .mkv".split())
FOLDER = Entry(
    name="folder",
    title="A folder of your own recordings",
    licence="As you have them",
    source="Your computer",
    size="As many as it holds",
    citation="Yours",
    chapters=("05_melgan_vc",),
    kind="own copy",
)


def load_domain(name: str | os.PathLike) -> Dataset:
    """Give the recordings of one domain: what a translation goes from, or what it goes to.

    Parameters
    ----------
    name : str or path
        A data set and one of its speakers or genres, such as ``"cmu_arctic:slt"``,
        ``"fsdd:theo"``, ``"voices:low"`` or ``"band:jazz"``; or a folder with recordings of yours,
        which may lie in folders within it.

    Returns
    -------
    Dataset
        The files of the domain, by name, and what is known of them. ``skipped`` names those that
        are empty.

    Raises
    ------
    InputError
        There is no such data set, speaker, genre or folder, or it holds no recordings; or the data
        set is not here and cannot be had.

    Chapter
    -------
    05_melgan_vc
    """
    modules = {module.ENTRY.name: module for module in _MODULES}
    source, colon, wanted = os.fspath(name).partition(":")
    if colon and source in modules:
        return _of_dataset(modules[source], wanted)
    folder = Path(name).expanduser()
    if source and folder.is_dir():
        return _of_folder(folder.resolve())
    if folder.is_file():
        raise InputError(f"{folder} is a file. Give the folder that it lies in, or another one.")
    raise InputError(
        f"There is no domain {os.fspath(name)!r}. Give a folder that exists, or a data set with "
        f"a speaker or genre, such as cmu_arctic:slt; the data sets are {', '.join(modules)}."
    )


def _of_dataset(module, wanted: str) -> Dataset:
    options = {}
    if module is cmu_arctic:  # it has more speakers than those that it loads by itself
        options = {"speakers": [wanted]}
    dataset = module.load(**options)
    key = next(key for key in _LABELS if key in next(iter(dataset.labels.values())))
    names = [name for name, label in dataset.labels.items() if label[key] == wanted]
    if not names:
        known = sorted({str(label[key]) for label in dataset.labels.values()})
        raise InputError(f"{dataset.name} has no {key} {wanted!r}; it has {', '.join(known)}.")
    files = {name: dataset.files[name] for name in names}
    labels = {name: dataset.labels[name] for name in names}
    return Dataset(dataset.name, dataset.entry, dataset.root, files, labels, dataset.skipped)


def _of_folder(root: Path) -> Dataset:
    files, skipped = {}, {}
    for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES):
        place = path.relative_to(root)
        if any(part.startswith(".") for part in place.parts):
            continue
        reason = fault(path)
        if reason:
            skipped[place.as_posix()] = reason
        else:
            files[place.as_posix()] = path
    if not files:
        empty = f" but {len(skipped)} empty ones" if skipped else ""
        endings = ", ".join(sorted(SUFFIXES))
        raise InputError(f"{root} holds no recordings{empty}. Their names end in {endings}.")
    return Dataset(FOLDER.name, FOLDER, root, files, {}, skipped)
