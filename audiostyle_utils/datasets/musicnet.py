"""MusicNet: 330 recordings of classical music by ten composers, for one to many players."""

import csv
import shutil
from pathlib import Path

from ..errors import InputError
from ..settings import cache_dir, data_dir
from ._table import pair, visible
from .archives import extract
from .catalogue import Dataset, Entry
from .fetch import download

SPLITS = ("train", "test")
_PLACES = ("musicnet/musicnet", "musicnet")  # below AUDIOSTYLE_DATA; the first that is there counts
_ADDRESS = "https://zenodo.org/records/5120004/files/"
_ARCHIVE, _METADATA = "musicnet.tar.gz", "musicnet_metadata.csv"
# Zenodo publishes MD5 sums only. That of the archive is here as several public programs hold it for
# this record; no SHA-256 sum of it has been found. The SHA-256 sum of the metadata is the one that
# two public repositories hold, one beside Zenodo's MD5 sum 1caef62cee9c875235e62aac368b49d8.
_SUMS = {
    _ARCHIVE: "md5:844764911fa0d5b97c97da944a057590",
    _METADATA: "1308d938bafb594e3b0471f2bdda3630da352f881857f265f92114cf398de7ca",
}

ENTRY = Entry(
    name="musicnet",
    title="MusicNet: classical music by ten composers, from solo cello to wind quintet",
    licence="CC BY 4.0",
    source="https://zenodo.org/records/5120004",
    size="330 recordings, 34 hours: 320 to train, 10 for the test; 44.1 kHz, mono; 11.1 GB to "
    "download, about 22 GB unpacked",
    citation="J. Thickstun, Z. Harchaoui, S. M. Kakade (2017). Learning features of music from "
    "scratch. ICLR",
    chapters=("07_music_translation",),
    kind="download",
    checksums=_SUMS,
)


def find() -> Dataset | None:
    """Find the recordings on this computer.

    Returns
    -------
    Dataset or None
        As `load`; None where they are neither in the reader's copy nor in the cache.

    Raises
    ------
    InputError
        The reader's own copy has no metadata, or damaged ones, or no recordings.

    Chapter
    -------
    07_music_translation
    """
    data = data_dir()
    for root in [data / place for place in _PLACES] if data else []:
        if root.is_dir():
            return _dataset(root, _table(root))
    root, table = _unpacked() / "musicnet", _cached_table()
    return _dataset(root, table) if root.is_dir() and table.is_file() else None


def load() -> Dataset:
    """Find the recordings, or download them. No sound is read yet.

    Your own copy is found as ``musicnet`` below AUDIOSTYLE_DATA, with the folders ``train_data``
    and ``test_data`` as in the archive, and with ``musicnet_metadata.csv`` in it or beside it. It
    may lack recordings, so that a few may be kept instead of 22 GB.

    Returns
    -------
    Dataset
        Files "1727" and so on, .wav, by their numbers in MusicNet. ``labels`` has four entries for
        each: ``"composer"`` ("Beethoven"), ``"ensemble"`` ("Solo Piano"), ``"domain"``, which is
        both ("Beethoven Solo Piano"), and ``"split"`` ("train" or "test"). ``skipped`` names empty
        files, and those that the metadata do not name.

    Raises
    ------
    InputError
        The reader's own copy has no metadata, or damaged ones, or no recordings; or the download
        is not possible or not allowed.

    Chapter
    -------
    07_music_translation
    """
    found = find()
    if found is not None:
        return found
    arrived = cache_dir() / f"{ENTRY.name}-download"
    try:
        download(_ADDRESS + _METADATA, _SUMS[_METADATA], _cached_table())
        if not _unpacked().is_dir():
            extract(download(_ADDRESS + _ARCHIVE, _SUMS[_ARCHIVE], arrived / _ARCHIVE), _unpacked())
    except InputError as error:
        raise InputError(
            f"{error} A copy of your own is found as musicnet below AUDIOSTYLE_DATA."
        ) from error
    shutil.rmtree(arrived, ignore_errors=True)  # half as large as what it held, and of no more use
    return _dataset(_unpacked() / "musicnet", _cached_table())


def _unpacked() -> Path:
    return cache_dir() / ENTRY.name / "unpacked"


def _cached_table() -> Path:
    return cache_dir() / ENTRY.name / _METADATA


def _table(root: Path) -> Path:
    """Find the metadata of a copy: Zenodo has them as a file of their own beside the archive."""
    for table in (root / _METADATA, root.parent / _METADATA):
        if table.is_file():
            return table
    raise InputError(
        f"{root} lacks {_METADATA}, which says what each recording holds. Get it from {_ADDRESS}"
        f"{_METADATA} and put it there."
    )


def _dataset(root: Path, table: Path) -> Dataset:
    rows = _rows(table)
    folders = [root / f"{split}_data" for split in SPLITS]
    recordings = [p for folder in folders if folder.is_dir() for p in visible(folder, ".wav")]
    # A copy of the reader's own may hold a part of the recordings: no fault.
    files, skipped = pair(recordings, rows, table, root, "has no entry in")
    if not files:
        raise InputError(
            f"{root} holds no recordings that {table} names, such as {root}/train_data/1727.wav. "
            "Unpack the archive again, or move the folder away."
        )
    labels = {
        name: rows[name] | {"split": path.parent.name.removesuffix("_data")}
        for name, path in files.items()
    }
    return Dataset(ENTRY.name, ENTRY, root, files, labels, skipped)


def _rows(table: Path) -> dict[str, dict[str, object]]:
    """Read who composed and who plays each recording, by its number."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            return {row["id"].strip(): _label(row) for row in csv.DictReader(file)}
    # A row that is cut short has None in the place of what is missing.
    except (OSError, ValueError, KeyError, AttributeError, csv.Error) as error:
        raise InputError(
            f"{table} is damaged ({type(error).__name__}: {error}). Get it again from {_ADDRESS}"
            f"{_METADATA}: each row has an id, a composer and an ensemble."
        ) from error


def _label(row: dict[str, str]) -> dict[str, object]:
    composer, ensemble = row["composer"].strip(), row["ensemble"].strip()
    return {"composer": composer, "ensemble": ensemble, "domain": f"{composer} {ensemble}"}
