"""GTZAN: a thousand excerpts of thirty seconds, a hundred of each of ten genres."""

import json
from functools import lru_cache
from pathlib import Path

from .. import audio
from ..errors import InputError
from ..settings import cache_dir, data_dir
from ._obtained import obtain
from .catalogue import Dataset, Entry
from .fetch import download_any

GENRES = tuple("blues classical country disco hiphop jazz metal pop reggae rock".split())
PARTS = ("train", "valid", "test")  # of the fault-filtered split

# Below AUDIOSTYLE_DATA. The first that is there counts.
_PLACES = (
    "gtzan/genres",
    "gtzan/genres_original",
    "gtzan/Data/genres_original",
    "gtzan",
    "genres",
    "genres_original",
    "Data/genres_original",
    "gtzan_subset/genres",
    "gtzan_subset",
)
_SUFFIXES = {".au", ".wav", ".ogg", ".flac", ".mp3"}
_DAMAGED = "jazz.00054"  # in the copies that are in circulation
# Two different archives of the same recordings. The first sum is the one that Hugging Face shows
# for this file, the second the one that torchaudio holds for the archive of the first publication,
# whose own host no longer answers.
_MIRRORS = {
    "https://huggingface.co/datasets/marsyas/gtzan/resolve/"
    "d2146561ecc7df707d9e6b8318885fe6a39668a2/data/genres.tar.gz": (
        "b28cc067ff6199bd826f5d1a6931458586d64acae7f44b2e882b7a97af057531"
    ),
    "https://web.archive.org/web/20220328223413if_/http://opihi.cs.uvic.ca/sound/genres.tar.gz": (
        "24347e0223d2ba798e0a558c4c172d9d4a19c00bb7963fe055d183dadb4ef2c6"
    ),
}

ENTRY = Entry(
    name="gtzan",
    title="GTZAN: songs of ten genres, the most used set for naming genres",
    licence="Excerpts of commercial recordings, gathered without licences: for research only",
    source="https://huggingface.co/datasets/marsyas/gtzan, or the Internet Archive's copy of the "
    "first publication",
    size="1,000 tracks of 30 s, 100 a genre, 22.05 kHz, mono; 1.2 GB to download",
    citation="G. Tzanetakis, P. Cook (2002). Musical genre classification of audio signals. IEEE "
    "Transactions on Speech and Audio Processing 10(5). Its fault-filtered split: C. Kereliuk, "
    "B. L. Sturm, J. Larsen (2015). Deep learning and music adversaries. IEEE Transactions on "
    "Multimedia 17(11)",
    chapters=("02_genre_cnn",),
    kind="download",
    checksums={f"genres.tar.gz of {url.split('/')[2]}": total for url, total in _MIRRORS.items()},
)


def find() -> Dataset | None:
    """Find the tracks on this computer.

    Returns
    -------
    Dataset or None
        As `load`; None where they are neither in the reader's copy nor in the cache.

    Raises
    ------
    InputError
        The reader's own copy has no genre folders, no recordings, or a single genre.

    Chapter
    -------
    02_genre_cnn
    """
    data = data_dir()
    own = [data / place for place in _PLACES] if data else []
    for root in [*own, cache_dir() / ENTRY.name / "genres"]:
        if root.is_dir():
            return _dataset(root)
    return None


def load() -> Dataset:
    """Find the tracks, or download them.

    Your own copy may lie below AUDIOSTYLE_DATA as ``gtzan/genres``, ``genres``, or as the folder
    ``genres_original`` of the copy on Kaggle. It may lack tracks, and it may hold genres of your
    own: a folder is a genre.

    Returns
    -------
    Dataset
        Files "blues.00000" to "rock.00099", as far as they are there, in the order of `GENRES`.
        ``labels`` has two entries for each: ``"genre"``, and ``"filtered"``, its part of the
        fault-filtered split ("train", "valid" or "test"; None: left out of it for a fault).
        ``skipped`` names empty files, doubles, and jazz.00054 where it is damaged, each with its
        folder ("jazz/jazz.00054.wav"), and folders without recordings ("jazz").

    Raises
    ------
    InputError
        The reader's own copy has no genre folders, no recordings, or a single genre; or the
        download is not possible or not allowed.

    Chapter
    -------
    02_genre_cnn
    """
    found = find()
    if found is not None:
        return found
    root = cache_dir() / ENTRY.name
    obtain(
        ENTRY.name,
        lambda place: download_any(_MIRRORS, place / "genres.tar.gz"),
        root,
        own="gtzan/genres",
    )
    return _dataset(root / "genres")


def _dataset(root: Path) -> Dataset:
    """Return what a folder of genre folders holds."""
    folders = {path.name: path for path in _visible(root) if path.is_dir()}
    if not folders:
        raise InputError(
            f"{root} holds no genre folders. Put the recordings into one folder a genre, such as "
            f"{root / 'blues'} and {root / 'jazz'}."
        )
    files, skipped = {}, {}
    for genre in [*(g for g in GENRES if g in folders), *sorted(set(folders) - set(GENRES))]:
        _add(genre, folders[genre], files, skipped)
    labels = {name: _label(name, path) for name, path in files.items()}
    genres = {label["genre"] for label in labels.values()}
    if len(genres) < 2:
        found = f"only the genre {genres.pop()}" if genres else "no recordings"
        raise InputError(
            f"{root} holds {found}, and naming genres takes two or more. Add recordings "
            f"({', '.join(sorted(_SUFFIXES))}) in one folder a genre, or move {root} away."
        )
    return Dataset(ENTRY.name, ENTRY, root, files, labels, skipped)


def _visible(folder: Path) -> list[Path]:
    """List a folder without hidden files, such as those that macOS puts beside others."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _add(genre: str, folder: Path, files: dict[str, Path], skipped: dict[str, str]) -> None:
    """Add the recordings of one genre to `files`, or to `skipped` with the reason."""
    recordings = [path for path in _visible(folder) if path.suffix.lower() in _SUFFIXES]
    if not recordings:
        skipped[folder.name] = f"{folder} holds no recordings."
    for path in recordings:
        name = path.stem if path.stem.startswith(f"{genre}.") else f"{genre}.{path.stem}"
        reason = f"{path} is a double of {files[name]}." if name in files else _fault(path)
        if reason:
            skipped[f"{folder.name}/{path.name}"] = reason
        else:
            files[name] = path


def _fault(path: Path) -> str | None:
    """Tell why a recording cannot be used, as far as that is quickly found out."""
    if not path.is_file():
        return f"{path} is no file."
    if path.stat().st_size == 0:
        return f"{path} is empty (0 bytes)."
    if path.stem == _DAMAGED:
        try:
            audio.load(path, sr=None)
        except InputError as error:
            return str(error)
    return None


def _label(name: str, path: Path) -> dict[str, object]:
    return {"genre": path.parent.name, "filtered": _filtered().get(name)}


@lru_cache(maxsize=1)
def _filtered() -> dict[str, str]:
    """Return the part of the fault-filtered split that each track belongs to."""
    text = Path(__file__).with_name("gtzan_filtered.json").read_text(encoding="utf-8")
    return {
        f"{genre}.{number:05}": part
        for part, genres in json.loads(text).items()
        for genre, numbers in genres.items()
        for number in numbers
    }
