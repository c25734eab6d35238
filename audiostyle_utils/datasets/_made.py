"""What data sets of recordings that are made on this computer have in common."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from ..errors import InputError
from ..settings import cores
from ..training import progress
from .catalogue import Dataset


def missing(dataset: Dataset) -> list[str]:
    """Name the files of a data set that have not been made yet."""
    here = {path.name for path in dataset.root.glob("*.flac")}
    return [name for name, path in dataset.files.items() if path.name not in here]


def make_all(save: Callable[[Any], None], items: Iterable[Any], root: Path, what: str) -> None:
    """Make recordings on all cores. Their work is done outside Python's lock, so threads will do.

    Parameters
    ----------
    save : callable
        Makes and writes the recording of an item.
    items : iterable
        Those to be made, in this order.
    root : pathlib.Path
        The folder to make first.
    what : str
        What the progress bar counts, such as "Clips".

    Raises
    ------
    InputError
        The folder cannot be made, or what `save` raises. Nothing else is begun then.
    """
    make_folder(root)
    items, pool = list(items), ThreadPoolExecutor(cores())
    try:
        for _ in progress(pool.map(save, items), what, total=len(items)):
            continue
    finally:
        pool.shutdown(cancel_futures=True)


def make_folder(root: Path) -> None:
    """Make a folder of the cache where it is missing."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(root, error) from error


def write_flac(path: Path, y: np.ndarray, sr: int, tags: dict[str, str], place: Path) -> None:
    """Write a recording; it appears whole or not at all, and two processes may do so at once.

    Parameters
    ----------
    path : pathlib.Path
        Where it shall be.
    y : np.ndarray, shape (samples,)
        Signal, between -1 and 1; it is kept in 16 bits.
    sr : int
        Its rate, Hz.
    tags : dict
        What the file says of itself, by the names that soundfile has for it, such as "title".
    place : pathlib.Path
        The folder for what is not whole yet, on the same disk as `path`.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    import soundfile

    temporary = place / f".{uuid4().hex}"
    try:
        with soundfile.SoundFile(temporary, "w", sr, 1, "PCM_16", format="FLAC") as file:
            for tag, content in tags.items():
                setattr(file, tag, content)
            file.write(y)
        os.replace(temporary, path)
    except (OSError, soundfile.SoundFileError) as error:
        raise unwritable(path.parent, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def unwritable(place: Path, error: Exception) -> InputError:
    """Give the error that says so."""
    return InputError(
        f"The cache {place} cannot be written: {error}. Set AUDIOSTYLE_CACHE to a folder that you "
        "may write to, with room on it."
    )
