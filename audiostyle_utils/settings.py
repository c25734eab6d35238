"""How much to compute, and where data lives: read from the environment, each time it is asked.

Nothing is read when the module is imported, so a notebook may set a variable and go on.

============================  ====================================================================
Variable                      Meaning
============================  ====================================================================
``AUDIOSTYLE_PROFILE``        ``quick`` (the default), ``colab`` or ``full``
``AUDIOSTYLE_OFFLINE``        ``1``: never touch the network
``AUDIOSTYLE_DATA``           folder with your own copies of the data sets
``AUDIOSTYLE_CACHE``          folder for what is made or downloaded once
============================  ====================================================================
"""

import os
from pathlib import Path
from typing import TypeVar

from audiostyle_utils.errors import InputError

T = TypeVar("T")

PROFILES = ("quick", "colab", "full")
_SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


def profile() -> str:
    """Return the profile that the chapters run at.

    Returns
    -------
    str
        ``"quick"`` (two cores, a minute or so), ``"colab"`` (one small GPU) or ``"full"``.

    Raises
    ------
    InputError
        ``AUDIOSTYLE_PROFILE`` holds another word.

    Chapter
    -------
    01_style_transfer
    """
    name = _read("AUDIOSTYLE_PROFILE").lower() or "quick"
    if name not in PROFILES:
        raise InputError(
            f"AUDIOSTYLE_PROFILE is {name!r}. Set it to quick, colab or full, or remove it."
        )
    return name


def choose(*, quick: T, colab: T, full: T) -> T:
    """Return the value that belongs to the current profile.

    Parameters
    ----------
    quick, colab, full : any
        One value for each profile. All three are required, so that no profile is forgotten.

    Returns
    -------
    any
        The one of the three that `profile` names.

    Raises
    ------
    InputError
        ``AUDIOSTYLE_PROFILE`` holds an unknown word.

    Chapter
    -------
    01_style_transfer
    """
    return {"quick": quick, "colab": colab, "full": full}[profile()]


def offline() -> bool:
    """Tell whether the network must be left alone.

    Returns
    -------
    bool
        True if ``AUDIOSTYLE_OFFLINE`` is ``1``, ``true`` or ``yes``.

    Raises
    ------
    InputError
        ``AUDIOSTYLE_OFFLINE`` is neither a yes nor a no. A guess could start a download.

    Chapter
    -------
    01_style_transfer
    """
    value = _read("AUDIOSTYLE_OFFLINE")
    if value.lower() not in _SWITCH:
        raise InputError(
            f"AUDIOSTYLE_OFFLINE is {value!r}. Set it to 1 to stay off the network, or to 0."
        )
    return _SWITCH[value.lower()]


def data_dir() -> Path | None:
    """Return the folder with the reader's own copies of data sets.

    Returns
    -------
    pathlib.Path or None
        Absolute path from ``AUDIOSTYLE_DATA``, or None if it is not set.

    Raises
    ------
    InputError
        The variable names something that is not a folder.

    Chapter
    -------
    01_style_transfer
    """
    value = _read("AUDIOSTYLE_DATA")
    if not value:
        return None
    folder = _absolute(value)
    if not folder.is_dir():
        raise InputError(
            f"AUDIOSTYLE_DATA is {value!r}, but there is no folder {folder}. "
            "Give the full path of the folder that holds your data, or remove the variable."
        )
    return folder


def cache_dir() -> Path:
    """Return the folder for what is made or downloaded once; it may not exist yet.

    Returns
    -------
    pathlib.Path
        Absolute path from ``AUDIOSTYLE_CACHE``, or the platform's own cache folder.

    Raises
    ------
    InputError
        The variable names a file.

    Chapter
    -------
    01_style_transfer
    """
    value = _read("AUDIOSTYLE_CACHE")
    if value:
        folder = _absolute(value)
    else:
        import pooch

        folder = Path(pooch.os_cache("audiostyle")).absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(
            f"The cache {folder} is a file, not a folder. Set AUDIOSTYLE_CACHE to a folder."
        )
    return folder


def cores() -> int:
    """Count the processor cores that this process may use.

    Returns
    -------
    int
        At least 1. Where the system does not say which ones the process is bound to, all are
        counted.

    Chapter
    -------
    02_genre_cnn
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(variable: str) -> str:
    """Return the variable's text without blanks around it; unset counts as empty."""
    return os.environ.get(variable, "").strip()


def _absolute(text: str) -> Path:
    """Return `text` as an absolute path, with ``~`` standing for the home folder."""
    try:
        return Path(text).expanduser().resolve()
    except RuntimeError as error:
        raise InputError(f"There is no home folder for {text!r}. Give the full path.") from error
