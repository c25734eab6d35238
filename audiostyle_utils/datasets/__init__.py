"""Data sets: one file for each, one function to load them, one catalogue."""

from difflib import get_close_matches
from inspect import signature

from ..errors import InputError
from . import (
    band,
    chorales,
    cmu_arctic,
    ensembles,
    fiddle,
    fsdd,
    gtzan,
    jsb_chorales,
    librispeech,
    librosa_examples,
    musicnet,
    neural_style_audio,
    nsynth,
    own_scores,
    previews,
    spoken,
    style_clips,
    voices,
)
from .catalogue import Dataset, Entry
from .domains import load_domain

__all__ = ["Dataset", "Entry", "available", "catalogue", "load_dataset", "load_domain"]

# Each of these modules has an ENTRY, find() for what lies on this computer, and load().
_MODULES = (
    style_clips,
    band,
    gtzan,
    neural_style_audio,
    librosa_examples,
    fiddle,
    chorales,
    own_scores,
    jsb_chorales,
    spoken,
    cmu_arctic,
    fsdd,
    librispeech,
    voices,
    ensembles,
    musicnet,
    nsynth,
    previews,
)


def catalogue() -> dict[str, Entry]:
    """List the data sets.

    Returns
    -------
    dict
        The catalogue's entries by name.

    Chapter
    -------
    01_style_transfer
    """
    return {module.ENTRY.name: module.ENTRY for module in _MODULES}


def load_dataset(name: str, **options: object) -> Dataset:
    """Give a data set, from the first place that has it.

    The places are your own copy below ``AUDIOSTYLE_DATA``, then the cache, then its origin: a
    built-in set is made once and kept in the cache, and other sets are downloaded and checked.
    With ``AUDIOSTYLE_OFFLINE=1`` nothing is downloaded.

    Parameters
    ----------
    name : str
        One of the names in `catalogue`.
    **options
        What the data set lets you choose: ``tracks`` of "band" is the number of tracks a genre,
        ``minutes`` of "ensembles" is how much each of them plays, ``folder`` of "own_scores" is
        where they lie, ``part`` of "librispeech" is one of its parts, ``split`` of "nsynth" is
        "test", "valid" or "train".

    Returns
    -------
    Dataset
        Its folder and its files.

    Raises
    ------
    InputError
        The name or an option is unknown, your copy is incomplete, or the data set is not here and
        cannot be had: the message says what to do.

    Chapter
    -------
    01_style_transfer
    """
    load = _module(name).load
    known = list(signature(load).parameters)
    for option in options:
        if option not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"The data set {name!r} has no option {option!r}; {has}.")
    return load(**options)


def available(name: str) -> bool:
    """Tell whether a data set can be had without a download.

    Parameters
    ----------
    name : str
        One of the names in `catalogue`.

    Returns
    -------
    bool
        True if it lies on this computer or can be made here.

    Raises
    ------
    InputError
        The name is unknown, or your own copy is incomplete.

    Chapter
    -------
    01_style_transfer
    """
    module = _module(name)
    return module.ENTRY.kind == "built-in" or module.find() is not None


def _module(name: str):
    modules = {module.ENTRY.name: module for module in _MODULES}
    if name in modules:
        return modules[name]
    close = get_close_matches(str(name), modules, n=1, cutoff=0.5)
    advice = f" Did you mean {close[0]}?" if close else ""
    raise InputError(
        f"There is no data set {name!r}.{advice} The catalogue has {', '.join(modules)}."
    )
