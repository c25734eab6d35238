"""How a data set that is one archive comes to this computer."""

import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from ..settings import cache_dir
from .archives import extract


def obtain(name: str, arrive: Callable[[Path], Path], folder: Path, own: str) -> None:
    """Download an archive, unpack it, and remove it with all that arrived beside it.

    Parameters
    ----------
    name : str
        Of the data set and its part, if it has any, such as "nsynth-test".
    arrive : callable
        Downloads the archive into a folder, and returns its path.
    folder : pathlib.Path
        Where its content goes.
    own : str
        Where a copy of the reader's own would be found below AUDIOSTYLE_DATA.

    Raises
    ------
    InputError
        The download is not possible or not allowed, or the archive is not what it should be.
    """
    place = cache_dir() / f"{name}-download"
    try:
        archive = arrive(place)
    except InputError as error:
        raise InputError(
            f"{error} A copy of your own is found as {own} below AUDIOSTYLE_DATA."
        ) from error
    extract(archive, folder)
    shutil.rmtree(place, ignore_errors=True)  # as large as what it held, and of no more use
