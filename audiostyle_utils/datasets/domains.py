"""One side of a translation: recordings of a speaker, genre, ensemble, instrument or folder."""

import os
from pathlib import Path

from ..errors import InputError
from . import band, cmu_arctic, ensembles, fsdd, gtzan, musicnet, nsynth, voices
from ._table import fault
from .catalogue import Dataset, Entry

_MODULES = (voices, band, cmu_arctic, fsdd, gtzan, ensembles, musicnet, nsynth)
_LABELS = ("speaker", "genre", "domain")  # of which a data set has one
SUFFIXES = set(".wav .flac .ogg .opus .mp3 .au .aif .aiff .m4a .mp4 .aac .webm .mov .mkv".split())
FOLDER = Entry(
    name="folder",
    title="A folder of your own recordings",
    licence="As you have them",
    source="Your computer",
    size="As many as it holds",
    citation="Yours",
    chapters=("05_melgan_vc", "07_music_translation"),
    kind="own copy",
)


def load_domain(name: str | os.PathLike) -> Dataset:
    """Give the recordings of one domain: what a translation goes from, or what it goes to.

    Parameters
    ----------
    name : str or path
        A data set and one of its speakers, genres, ensembles or families of instruments, such as
        ``"cmu_arctic:slt"``, ``"fsdd:theo"``, ``"voices:low"``, ``"band:jazz"``,
        ``"ensembles:piano"``, ``"musicnet:Beethoven Solo Piano"`` or ``"nsynth:guitar"`` (of its
        test split); or a folder with recordings of yours, which may lie in folders within it.

    Returns
    -------
    Dataset
        The files of the domain, by name, and what is known of them. ``skipped`` names those that
        are empty.

    Raises
    ------
    InputError
        There is no such data set, speaker, genre, ensemble, instrument or folder, or it holds no
        recordings; or the data set is not here and cannot be had.

    Chapter
    -------
    05_melgan_vc
    07_music_translation
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
        "a speaker, genre, ensemble or instrument, such as cmu_arctic:slt; the data sets are "
        f"{', '.join(modules)}."
    )


def _of_dataset(module, wanted: str) -> Dataset:
    options = {}
    if module is cmu_arctic:  # it has more speakers than those that it loads by itself
        options = {"speakers": [wanted]}
    if module is ensembles:  # one is made in a sixth of the time
        options = {"domains": [wanted]}
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
