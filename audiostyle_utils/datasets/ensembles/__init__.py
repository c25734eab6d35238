"""Six ensembles: orchestra, string quartet, choir, organ, harpsichord and piano, no download.

They play Mozart's and Haydn's quartets, Bach's chorales and Beethoven's quartets from the scores
that music21 brings along, on General MIDI instruments, each excerpt in a room of its own. Nobody
plays what another plays. But as the scores are known, `render_piece` lets any ensemble play what
another one does, in the same time: what a translation ought to sound like.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from ...errors import InputError
from ...settings import cache_dir
from .. import _made
from ..catalogue import Dataset, Entry
from .players import DOMAINS, render_piece
from .playing import FIRST, SHIFTS, TAIL, PlayedNote, play, recordings, seconds
from .rooms import SR

__all__ = [
    "DOMAINS",
    "ENTRY",
    "FIRST",
    "SHIFTS",
    "SR",
    "TAIL",
    "PlayedNote",
    "find",
    "load",
    "play",
    "render_piece",
]

MINUTES, TEST_MINUTES = 20.0, 4.0
_FEWEST, _MOST, _MOST_TEST = 0.1, 100.0, 8.0
_VERSION = 1  # of the rules; the cache is made anew when it changes
_MADE_WITH = ("numpy", "scipy", "pretty_midi")

ENTRY = Entry(
    name="ensembles",
    title="Six ensembles that play Mozart, Haydn, Bach and Beethoven",
    licence="Compositions in the public domain; the notes are from encodings that are distributed "
    "with music21 by permission of those who made them; CC0 for how they are played",
    source="Note lists in the package, played on the SoundFont that pretty_midi carries",
    size="20 minutes a domain for training and 4 for the test, 145 minutes in all, 16 kHz, mono, "
    "170 MB; as many as minutes= and test_minutes= say, up to 100 and 8 a domain",
    citation="W. A. Mozart, J. Haydn, J. S. Bach, L. van Beethoven; M. S. Cuthbert, C. Ariza "
    "(2010). music21: a toolkit for computer-aided musicology and symbolic music data. ISMIR",
    chapters=("07_music_translation",),
    kind="built-in",
)


def find() -> Dataset | None:
    """Find the recordings on this computer.

    Returns
    -------
    Dataset or None
        As many as `load` makes without being asked for more; None where some are missing.

    Chapter
    -------
    07_music_translation
    """
    dataset = _dataset(MINUTES, TEST_MINUTES, DOMAINS)
    return None if _made.missing(dataset) else dataset


def load(
    minutes: float = MINUTES,
    test_minutes: float = TEST_MINUTES,
    domains: Sequence[str] | None = None,
) -> Dataset:
    """Find the recordings, or make them, once: all that `find` asks for in under a minute.

    A load that was stopped goes on where it was. The first recordings are the same whatever the
    minutes.

    Parameters
    ----------
    minutes : float
        Of training for each domain, 0.1 to 100; it ends with a whole recording. There are 17
        minutes (string quartet) to 40 (choir, organ, harpsichord) of different music. Beyond that,
        the same excerpts come again in another key, at another tempo and in another room.
    test_minutes : float
        For the test, 0.1 to 8.
    domains : sequence of str, optional
        Some of `DOMAINS`; all of them by default.

    Returns
    -------
    Dataset
        Files of 4 to 23 s, mono, 16 kHz: "haydn-opus74no1-2_07" is the eighth excerpt of the second
        movement. ``labels`` has for each ``"domain"``; ``"piece"``, the movement or the chorale,
        such as "haydn-opus74no1-2" or "bwv1.6"; ``"split"``, "training" or "test"; and
        ``"seconds"``. No work has movements in both parts, and no hymn tune is in both.

    Raises
    ------
    InputError
        There is no such domain, minutes are out of their range, or the cache cannot be written.

    Chapter
    -------
    07_music_translation
    """
    _check("minutes", minutes, _MOST)
    _check("test_minutes", test_minutes, _MOST_TEST)
    dataset = _dataset(minutes, test_minutes, _known(domains))
    missing = _made.missing(dataset)
    if missing:  # domain by domain, so that the notes of one are at hand
        _made.make_all(partial(_save, dataset.root), missing, dataset.root, "Recordings")
    return dataset


def _check(name: str, minutes: float, most: float) -> None:
    number = isinstance(minutes, int | float) and not isinstance(minutes, bool)
    if not number or not _FEWEST <= minutes <= most:
        raise InputError(f"{name} is {minutes!r}; give a number from {_FEWEST:g} to {most:g}.")


def _known(domains: Sequence[str] | None) -> tuple[str, ...]:
    """Give the domains that are asked for, in their own order."""
    wanted = DOMAINS if domains is None else domains
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    wrong = [domain for domain in wanted if domain not in DOMAINS]
    if wrong or not wanted:
        which = f"no domain {wrong[0]!r}" if wrong else "nothing in domains"
        raise InputError(f"There is {which}; ensembles has {', '.join(DOMAINS)}.")
    return tuple(domain for domain in DOMAINS if domain in wanted)


def _dataset(minutes: float, test_minutes: float, domains: Sequence[str]) -> Dataset:
    root = _folder()
    labels = {}
    for domain in domains:
        for split, wanted in (("training", minutes), ("test", test_minutes)):
            labels |= _labels(domain, split, 60 * wanted)
    files = {name: root / f"{name}.flac" for name in labels}
    return Dataset(ENTRY.name, ENTRY, root, files, labels)


def _labels(domain: str, split: str, wanted: float) -> dict[str, dict[str, object]]:
    """Take recordings until there are enough seconds."""
    labels, total = {}, 0.0
    for one in recordings(domain, split):
        if total >= wanted:
            break
        length = round(seconds(one.name), 3)
        total += length
        labels[one.name] = {
            "domain": domain,
            "piece": one.piece,
            "split": split,
            "seconds": length,
        }
    return labels


def _folder() -> Path:
    """Name a folder by what the recordings depend on, so that none is ever out of date."""
    packages = {package: version(package) for package in _MADE_WITH}
    key = hashlib.sha256(json.dumps([_VERSION, packages]).encode()).hexdigest()[:16]
    return cache_dir() / f"{ENTRY.name}-{key}"


def _save(root: Path, name: str) -> None:
    y, sr = render_piece(name)
    _made.write_flac(root / f"{name}.flac", y, sr, {"title": name}, root)
