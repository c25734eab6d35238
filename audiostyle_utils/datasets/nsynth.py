"""NSynth: single notes of a thousand instruments, four seconds each."""

import json
from pathlib import Path

from ..errors import InputError
from ..settings import cache_dir, data_dir
from ._obtained import obtain
from ._table import pair, visible
from .catalogue import Dataset, Entry
from .fetch import download

# The bucket behind download.magenta.tensorflow.org, which itself answers without encryption only.
_ADDRESS = "https://storage.googleapis.com/download.magenta.tensorflow.org/datasets/nsynth/"
# Google publishes MD5 sums, in the headers of its answers: 5e6f8719bf7e16ad0a00d518b78af77d,
# 87e94a00a19b6dbc99cf6d4c0c0cae87 and fde6665a93865503ba598b9fac388660; the HEAR benchmark has the
# same. These SHA-256 sums are those that public repositories hold for files with these MD5 sums:
# two or more for the first two, a single one for the third.
_SUMS = {
    "test": "0f9ba5d62beba9ec4612f918d19f5e87a681822f1c566124f05fe8b27a51934c",
    "valid": "00dea2645fbe0069258567da30807a90825e0bab54c077d6481f253096c4e2a0",
    "train": "15c5100fc40c3a262f9b42707c15ffed30b8fec58c0d9b88d4136f6cb1fddefe",
}
SPLITS = tuple(_SUMS)
_PLACES = ("nsynth", ".")  # below AUDIOSTYLE_DATA, around the folders of the splits

ENTRY = Entry(
    name="nsynth",
    title="NSynth: single notes of a thousand instruments",
    licence="CC BY 4.0",
    source="https://magenta.tensorflow.org/datasets/nsynth",
    size="test (the default): 4,096 notes of 4 s, 0.35 GB to download; valid: 12,678, 1.1 GB; "
    "train: 289,205, 24 GB; 16 kHz, mono",
    citation="J. Engel, C. Resnick, A. Roberts, S. Dieleman, M. Norouzi, D. Eck, K. Simonyan "
    "(2017). Neural audio synthesis of musical notes with WaveNet autoencoders. ICML",
    chapters=("07_music_translation",),
    kind="download",
    checksums={f"nsynth-{split}.jsonwav.tar.gz": total for split, total in _SUMS.items()},
)


def find(split: str = "test") -> Dataset | None:
    """Find a split on this computer.

    Parameters
    ----------
    split : str
        One of `SPLITS`.

    Returns
    -------
    Dataset or None
        As `load`; None where it is neither in the reader's copy nor in the cache.

    Raises
    ------
    InputError
        There is no such split, or the reader's own copy of it has no metadata, or damaged ones, or
        no recordings.

    Chapter
    -------
    07_music_translation
    """
    if split not in SPLITS:
        raise InputError(f"split is {split!r}; NSynth has {', '.join(SPLITS)}.")
    data = data_dir()
    own = [data / place / f"nsynth-{split}" for place in _PLACES] if data else []
    for root in [*own, _unpacked(split) / f"nsynth-{split}"]:
        if root.is_dir():
            return _dataset(root, split)
    return None


def load(split: str = "test") -> Dataset:
    """Find a split, or download it. No sound is read yet.

    No instrument of "train" is in the other two. Your own copy is found as ``nsynth`` below
    AUDIOSTYLE_DATA, with the folder ``nsynth-test`` and so on as in the archives: ``audio`` and
    ``examples.json``. It may lack recordings.

    Parameters
    ----------
    split : str
        One of `SPLITS`: "test", "valid" or "train".

    Returns
    -------
    Dataset
        Files "guitar_acoustic_010-060-100" and so on, .wav: family, source and number of the
        instrument, pitch, velocity. ``labels`` has six entries for each: ``"family"`` ("guitar"),
        ``"source"`` ("acoustic", "electronic" or "synthetic"), ``"pitch"`` (60, as in MIDI),
        ``"velocity"`` (100, as in MIDI), ``"domain"``, which is the family again, and ``"split"``.
        The test split has no "synth_lead". ``skipped`` names empty files, and those that
        ``examples.json`` does not name.

    Raises
    ------
    InputError
        There is no such split; the reader's own copy of it has no metadata, or damaged ones, or no
        recordings; or the download is not possible or not allowed.

    Chapter
    -------
    07_music_translation
    """
    found = find(split)
    if found is not None:
        return found
    archive = f"nsynth-{split}.jsonwav.tar.gz"
    obtain(
        f"{ENTRY.name}-{split}",
        lambda place: download(_ADDRESS + archive, _SUMS[split], place / archive),
        _unpacked(split),
        own=f"nsynth/nsynth-{split}",
    )
    return _dataset(_unpacked(split) / f"nsynth-{split}", split)


def _unpacked(split: str) -> Path:
    return cache_dir() / ENTRY.name / split


def _dataset(root: Path, split: str) -> Dataset:
    table, folder = root / "examples.json", root / "audio"
    rows = _rows(table, split)
    recordings = visible(folder, ".wav") if folder.is_dir() else []
    # A copy of the reader's own may hold a part of the recordings: no fault.
    files, skipped = pair(recordings, rows, table, root, "has no entry in")
    if not files:
        raise InputError(
            f"{root} holds no recordings that {table} names, in {folder}. Unpack the archive "
            "again, or move the folder away."
        )
    labels = {name: rows[name] for name in files}
    return Dataset(ENTRY.name, ENTRY, root, files, labels, skipped)


def _rows(table: Path, split: str) -> dict[str, dict[str, object]]:
    """Read what plays each note, by the name of its file."""
    if not table.is_file():
        raise InputError(
            f"{table.parent} lacks {table.name}, which says what each recording holds. It is in "
            "the archive: unpack it again, or move the folder away."
        )
    try:
        notes = json.loads(table.read_text(encoding="utf-8"))
        return {name: _label(note, split) for name, note in notes.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{table} is damaged ({type(error).__name__}: {error}). Unpack the archive again, or "
            f"move {table.parent} away."
        ) from error


def _label(note: dict, split: str) -> dict[str, object]:
    family = note["instrument_family_str"]
    return {
        "family": family,
        "source": note["instrument_source_str"],
        "pitch": int(note["pitch"]),
        "velocity": int(note["velocity"]),
        "domain": family,
        "split": split,
    }
