"""Ten genres of music, composed by rule and played on General MIDI instruments: no download.

What makes a genre here is rhythm, harmony, texture and articulation. Loudness is drawn from one
distribution for all genres, tempi overlap, and the genres share instruments. Each genre has eight
artists, who are known by tuning, equaliser, room, noise and favourite instruments; track number i
is by artist i % 8. The music is new: nothing is quoted.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import ModuleType

from ..._checks import whole
from ...errors import InputError
from ...settings import cache_dir, cores, data_dir
from ...training import progress
from .._made import make_folder, unwritable, write_flac
from ..catalogue import Dataset, Entry
from . import blues, classical, country, disco, hiphop, jazz, metal, pop, reggae, rock
from .artists import ARTISTS, GENRES, Artist, artist
from .sketch import Sketch
from .songs import SECONDS, Note, Part, Song
from .studio import SR, perform
from .theory import KEYS, Chord

__all__ = [
    "ARTISTS",
    "ENTRY",
    "GENRES",
    "SECONDS",
    "SR",
    "Artist",
    "Chord",
    "Note",
    "Part",
    "Song",
    "artist",
    "compose",
    "find",
    "load",
    "perform",
]

RULES = 3  # version of the rules; the cache is made anew when it changes
TRACKS, _MOST_TRACKS = 40, 1000
_SLOWEST, _FASTEST = 76.0, 144.0  # beats a minute, for all genres
_MADE_WITH = ("numpy", "scipy", "pretty_midi")
_FEW = 6  # so many tracks are made here, for other processes take a second to begin
_PART = ".part-"  # begins the name of a folder for what is not finished
_LEFT = 3600  # seconds after which nobody works in such a folder any more
_LAST_LINES = 3  # of what a helper said before it died
_MODULES: tuple[ModuleType, ...] = (
    blues,
    classical,
    country,
    disco,
    hiphop,
    jazz,
    metal,
    pop,
    reggae,
    rock,
)

ENTRY = Entry(
    name="band",
    title="Ten genres of music, composed by rule",
    licence="CC0: the music is made on your computer, and nothing in it is quoted",
    source="Composed by rules in the package, played on the SoundFont that pretty_midi carries",
    size="400 tracks of 15 s, 40 a genre, 16 kHz, mono, about 125 MB; as many as tracks= says, up "
    "to 1,000 a genre",
    citation="The audio-style book",
    chapters=("02_genre_cnn", "05_melgan_vc", "06_lucid_sonic_visuals"),
    kind="built-in",
)


def compose(genre: str, index: int) -> Song:
    """Write a song; it takes a few milliseconds.

    Parameters
    ----------
    genre : str
        One of `GENRES`.
    index : int
        Number of the track, 0 to 99999. The same number always gives the same song.

    Returns
    -------
    Song
        What each player has to play; `perform` makes sound of it.

    Raises
    ------
    InputError
        There is no such genre or number.

    Chapter
    -------
    02_genre_cnn
    """
    if genre not in GENRES:
        raise InputError(f"There is no genre {genre!r}; the band plays {', '.join(GENRES)}.")
    whole(index, "index", 0, 99_999)
    module, name = _MODULES[GENRES.index(genre)], f"{genre}.{index:05d}"
    by = f"{genre}-{index % ARTISTS}"
    rng = Random(f"band/{name}")
    tempo = round(rng.triangular(_SLOWEST, _FASTEST, module.TEMPO), 1)
    sketch = Sketch(rng, tempo, _favourites(module.PALETTE, by))
    variant = rng.choice(list(module.VARIANTS))
    module.VARIANTS[variant](sketch)
    parts = tuple(line.finished(sketch.end) for line in sketch.lines if line.notes)
    return Song(
        name=name,
        genre=genre,
        variant=variant,
        artist=by,
        tempo=tempo,
        key=KEYS[sketch.tonic] + "m" * sketch.minor,
        meter=sketch.meter,
        chords=tuple(sketch.chords),
        parts=parts,
        start=float(rng.choice((0, 0, 0, 1, 2)) if sketch.meter == 4 else 0),
        clock=sketch.clock(),
    )


def _favourites(palette: dict[str, tuple[str, ...]], by: str) -> dict[str, tuple[str, ...]]:
    """Draw which of a genre's instruments an artist works with: two or three for a role."""
    rng = Random(f"band/favourites/{by}")
    return {
        role: tuple(rng.sample(names, min(len(names), 2 + (len(names) > 5))))
        for role, names in palette.items()
    }


def find() -> Dataset | None:
    """Find the tracks on this computer.

    Returns
    -------
    Dataset or None
        40 tracks a genre; None where they have not all been made yet.

    Raises
    ------
    InputError
        Your own copy lacks some of the files.

    Chapter
    -------
    02_genre_cnn
    """
    names = _names(TRACKS)
    root = _own_folder(names) or _folder()
    return None if _missing(root, names) else _dataset(root, names)


def load(tracks: int = TRACKS) -> Dataset:
    """Find the tracks, or make them: half a minute or less, once.

    Parameters
    ----------
    tracks : int
        Tracks of each genre, 1 to 1000. The first ones are the same whatever the number.

    Returns
    -------
    Dataset
        Files "blues.00000" and so on, with labels "genre", "variant", "artist", "tempo" (beats a
        minute), "key" and "instruments".

    Raises
    ------
    InputError
        `tracks` is out of its range, your own copy lacks some of the files, or the cache cannot be
        written.

    Chapter
    -------
    02_genre_cnn
    """
    whole(tracks, "tracks", 1, _MOST_TRACKS)
    names = _names(tracks)
    root = _own_folder(names)
    if root is None:
        root = _folder()
        _remove_leftovers(root)
        missing = _missing(root, names)
        if missing:
            make_folder(root)
            _render_all(root, missing)
    return _dataset(root, names)


def render(root: Path, names: Iterable[str], place: Path | None = None) -> None:
    """Compose, play and keep tracks that are not there yet.

    Parameters
    ----------
    root : pathlib.Path
        A folder that exists.
    names : iterable of str
        Short names: "blues.00000".
    place : pathlib.Path, optional
        A folder below `root` for what is not finished; by default one that is made and removed
        here.

    Raises
    ------
    InputError
        A name is not one of a track, or the folder cannot be written.

    Chapter
    -------
    02_genre_cnn
    """
    if place is None:
        with _workplace(root) as place:
            render(root, names, place)
        return
    for name in names:
        genre, index = _parts(name)
        if not _path(root, name).is_file():
            _save(_path(root, name), compose(genre, index), place)


def _parts(name: str) -> tuple[str, int]:
    """Return the genre and the number that a short name stands for."""
    match = re.fullmatch(r"([a-z]+)\.([0-9]{5})", name)
    if match is None or match[1] not in GENRES:
        raise InputError(
            f"There is no track {name!r}. Give a genre ({', '.join(GENRES)}) and five digits, "
            "such as 'blues.00007'."
        )
    return match[1], int(match[2])


def _names(tracks: int) -> list[str]:
    return [f"{genre}.{index:05d}" for genre in GENRES for index in range(tracks)]


def _path(root: Path, name: str) -> Path:
    return root / f"{name}.flac"


def _missing(root: Path, names: list[str]) -> list[str]:
    here = {path.name for path in root.iterdir()} if root.is_dir() else set()
    return [name for name in names if f"{name}.flac" not in here]


def _own_folder(names: list[str]) -> Path | None:
    data = data_dir()
    if data is None or not (data / ENTRY.name).is_dir():
        return None
    root = data / ENTRY.name
    missing = _missing(root, names)
    if missing:
        raise InputError(
            f"Your copy of {ENTRY.name} in {root} is incomplete: of {len(names)} files it lacks "
            f"{len(missing)}, {missing[0]}.flac the first of them. Add what is missing, ask for "
            "fewer tracks, or move the folder away."
        )
    return root


def _folder() -> Path:
    """Name a folder by what the tracks depend on, so that none is ever out of date."""
    packages = {package: version(package) for package in _MADE_WITH}
    key = hashlib.sha256(json.dumps([RULES, SR, SECONDS, packages]).encode()).hexdigest()[:16]
    return cache_dir() / f"{ENTRY.name}-{key}"


def _dataset(root: Path, names: list[str]) -> Dataset:
    files = {name: _path(root, name) for name in names}
    return Dataset(ENTRY.name, ENTRY, root, files, {k: _labels(path) for k, path in files.items()})


@contextmanager
def _workplace(root: Path) -> Iterator[Path]:
    """Give a folder for what is not finished, and remove it with all that is left there."""
    try:
        # On the same disk, so that a track that is whole moves to its place in one step.
        folder = TemporaryDirectory(prefix=_PART, dir=root, ignore_cleanup_errors=True)
    except OSError as error:
        raise unwritable(root, error) from error
    with folder as name:
        yield Path(name)


def _remove_leftovers(root: Path) -> None:
    """Remove what a rendering that was killed could not remove."""
    for folder in root.glob(f"{_PART}*"):
        with suppress(FileNotFoundError):  # another process removes it too
            # Each track that is begun or finished there sets its folder's time.
            if time.time() - folder.stat().st_mtime > _LEFT:
                shutil.rmtree(folder, ignore_errors=True)


def _save(path: Path, song: Song, place: Path) -> None:
    """Write a track with its labels in it."""
    y, sr = perform(song)
    labels = {
        "genre": song.genre,
        "variant": song.variant,
        "artist": song.artist,
        "tempo": song.tempo,
        "key": song.key,
        "instruments": sorted({part.instrument for part in song.parts}),
    }
    tags = {"title": song.name, "artist": song.artist, "genre": song.genre}
    write_flac(path, y, sr, tags | {"comment": json.dumps(labels)}, place)


def _labels(path: Path) -> dict[str, object]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            labels = json.loads(file.comment)
        return labels | {"instruments": tuple(labels["instruments"])}
    except (soundfile.SoundFileError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a track of the band with its labels in it: remove it, and load the "
            "data set again."
        ) from error


def _render_all(root: Path, missing: list[str]) -> None:
    """Make tracks on all cores: in processes of their own, which work in any kind of script."""
    if len(missing) <= _FEW:
        render(root, progress(missing, "Tracks"))
        return
    with _workplace(root) as place:
        workers = []
        try:
            for names in _shares(missing):
                workers.append(_start(root, names, place / f"helper-{len(workers)}"))
            for _ in progress(_arrivals(root, missing, workers), "Tracks", total=len(missing)):
                continue
        except OSError as error:
            raise InputError(f"The band cannot be rendered into {root}: {error}.") from error
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        if _missing(root, missing):
            raise InputError(f"The band cannot be rendered into {root}. {_reason(place)}")


def _shares(missing: list[str]) -> Iterator[list[str]]:
    """Yield the names that each helper works through."""
    count = max(1, min(cores(), 16, len(missing) // _FEW))
    for number in range(count):
        # Each begins with genres of its own, whose notes it keeps. Then it helps the others, in
        # an order of its own, so that no two go on with the same track.
        first, last = (k * len(missing) // count for k in (number, number + 1))
        others = missing[:first] + missing[last:]
        yield missing[first:last] + Random(number).sample(others, len(others))


def _start(root: Path, names: list[str], stem: Path) -> subprocess.Popen:
    """Start a helper. Files take the place of pipes, which block when nobody reads them."""
    package = Path(__file__).resolve().parents[3]
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    stem.with_suffix(".txt").write_text("\n".join(names), encoding="ascii")
    command = [sys.executable, "-m", __name__, str(root), str(stem.parent)]
    with stem.with_suffix(".txt").open("rb") as given, stem.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, stdin=given, stderr=log, env=env)


def _reason(place: Path) -> str:
    """Repeat the last lines of the first helper that said anything."""
    for log in sorted(place.glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return "\n".join(["A helper stopped with:", *lines[-_LAST_LINES:]])
    return "The helpers stopped without a word. Load the data set again: it goes on from here."


def _arrivals(root: Path, missing: list[str], workers: list[subprocess.Popen]) -> Iterator[str]:
    """Yield each track once it is there, until all are or nobody works any more."""
    left = set(missing)
    while left:
        working = any(worker.poll() is None for worker in workers)
        here = left - set(_missing(root, list(left)))
        yield from here
        left -= here
        if not working:
            return
        time.sleep(0.1)
