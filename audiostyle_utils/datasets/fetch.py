"""Downloads that resume, and that are kept only if their checksum is right."""

import os
from collections.abc import Mapping
from pathlib import Path

from .. import _downloads
from ..errors import InputError
from ..settings import offline

_KINDS = {"sha256": "SHA-256", "md5": "MD5"}


def download(address: str, checksum: str, target: Path) -> Path:
    """Download a file, unless it is there with the right content.

    What has arrived of an interrupted download stays beside the target, and the next call asks
    for the rest only.

    Parameters
    ----------
    address : str
        Where the file is, beginning with https:// or http://.
    checksum : str
        SHA-256 sum of its content, in hexadecimal; or ``md5:`` and the MD5 sum, where no other is
        known. An MD5 sum finds every damage, but not a file that somebody made to have that sum.
    target : pathlib.Path
        Where to put it. Its folder is made.

    Returns
    -------
    pathlib.Path
        The target.

    Raises
    ------
    InputError
        The network may not be used, the file cannot be had, its content is not what it should
        be, or the target cannot be written. Nothing wrong is left at the target.

    Chapter
    -------
    01_style_transfer
    """
    try:
        return _download(address, checksum, target)
    except _SourceError as error:
        raise InputError(str(error)) from error


def _download(address: str, checksum: str, target: Path) -> Path:
    import pooch

    kind, total = _parts(checksum)
    if target.is_file() and pooch.file_hash(str(target), kind) == total:
        return target
    if offline():
        raise _SourceError(
            f"{target} is missing or damaged, and AUDIOSTYLE_OFFLINE=1 forbids the download of "
            f"{address}. Remove the variable once, or put the file there yourself."
        )
    part = target.with_name(f"{target.name}.part")
    had_some = part.is_file()
    try:
        return _retrieve(address, checksum, target, part)
    except _WrongContentError as error:
        if had_some:  # the beginning may have been of an older file, so once more from the start
            return _download(address, checksum, target)
        raise _SourceError(
            f"What {address} sent is not the file that is expected (its {_KINDS[kind]} sum "
            "differs), so it was thrown away. Try again later; if that does not help, the source "
            "has changed."
        ) from error


def download_any(mirrors: Mapping[str, str], target: Path) -> Path:
    """Download a file from the first of several sources that has it.

    The sources may hold different files that serve alike, such as two archives of the same
    recordings. So each content has its own place, and an interrupted download is only ever
    resumed with its own kind.

    Parameters
    ----------
    mirrors : mapping
        SHA-256 sum of what a source holds, in hexadecimal, by address; tried in this order.
    target : pathlib.Path
        Where to put it: the name gets the beginning of the sum in front.

    Returns
    -------
    pathlib.Path
        The file that arrived.

    Raises
    ------
    InputError
        The network may not be used; no source gave the file (the message has each one's reason);
        or the target cannot be written, which no other source would mend.

    Chapter
    -------
    02_genre_cnn
    """
    reasons = []
    for address, sha256 in mirrors.items():
        try:
            return _download(address, sha256, target.with_name(f"{sha256[:8]}-{target.name}"))
        except _SourceError as error:
            reasons.append(str(error))
    # Offline, every source has the same reason.
    raise InputError(reasons[0] if offline() else " ".join(reasons))


def _parts(checksum: str) -> tuple[str, str]:
    """Return the kind of a checksum, and its digits."""
    kind, _, total = checksum.rpartition(":")
    return kind or "sha256", total


class _SourceError(Exception):
    """A source does not give the file, or may not be asked: another one might."""


class _WrongContentError(Exception):
    """The checksum differs."""


def _retrieve(address: str, checksum: str, target: Path, part: Path) -> Path:
    import pooch
    import requests

    def resume(url: str, output_file: str, _: object) -> None:
        _downloads.fill(url, part)  # the checksum decides
        os.replace(part, output_file)

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        known = ":".join(_parts(checksum))
        pooch.retrieve(address, known, target.name, target.parent, downloader=resume)
    except requests.RequestException as error:
        raise _SourceError(
            f"{address} could not be downloaded ({type(error).__name__}). Check the connection and "
            f"try again: it goes on where it stopped. Or put the file at {target} yourself."
        ) from error
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}.") from error
    except ValueError as error:
        raise _WrongContentError from error
    return target
