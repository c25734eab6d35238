"""Unpacking archives without trusting what they say about where their files belong."""

import lzma
import posixpath
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from ..errors import InputError

_CHUNK = 1 << 20  # bytes
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


@dataclass(frozen=True)
class _Member:
    """A file or a folder (open is None) of an archive; what a link points to stands for it."""

    name: str
    open: Callable[[], IO[bytes] | None] | None


def extract(archive: Path, folder: Path) -> Path:
    """Unpack a tar or zip archive into a new folder.

    The folder appears complete or not at all. Links within the archive become copies, so that
    nothing unpacked later can be led elsewhere by one.

    Parameters
    ----------
    archive : pathlib.Path
        A .tar (plain or compressed) or .zip file.
    folder : pathlib.Path
        Folder to make; it must not exist yet.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    InputError
        The archive cannot be read or is damaged; it holds an absolute path, a path with "..", a
        link that leaves it, or a device; or the folder exists or cannot be made.

    Chapter
    -------
    01_style_transfer
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise InputError(f"{folder} exists already; remove it, or unpack to another place.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as temporary:
            inside = Path(temporary) / "inside"
            inside.mkdir()
            for member in _members(archive):
                _write(member, inside / member.name)
            inside.rename(folder)
    except _DAMAGE as error:
        raise InputError(f"{archive} is damaged ({error}); download it again.") from error
    except OSError as error:
        raise InputError(f"{archive} cannot be unpacked to {folder}: {error}.") from error
    return folder


def _write(member: _Member, place: Path) -> None:
    if member.open is None:
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as content, place.open("wb") as file:
        shutil.copyfileobj(content, file)


def _members(archive: Path) -> Iterator[_Member]:
    """Go through an archive whose every name has been checked first."""
    if not archive.is_file():
        raise InputError(f"{archive} is not a file; give a .tar or .zip archive.")
    if tarfile.is_tarfile(archive):  # asked first, for a tar that ends in a zip passes as a zip
        with tarfile.open(archive) as file:
            yield from [_tar_member(file, info) for info in file.getmembers()]
            while file.fileobj.read(_CHUNK):  # a compressed tar has its checksum at the very end
                pass
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield from [_zip_member(file, info) for info in file.infolist()]
    else:
        raise InputError(f"{archive} is neither a tar nor a zip archive.")


def _tar_member(file: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    _check(info.name, file.name)
    if info.isdir():
        return _Member(info.name, None)
    if info.issym():
        target = posixpath.join(posixpath.dirname(info.name), info.linkname)
        _check(posixpath.normpath(target), file.name)
    elif info.islnk():
        _check(info.linkname, file.name)
    elif not info.isfile():
        raise InputError(f"{file.name} holds the device {info.name!r}; it was not unpacked.")
    return _Member(info.name, lambda: _tar_content(file, info))


def _tar_content(file: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    try:
        content = file.extractfile(info)
    except KeyError:
        content = None
    if content is None:
        raise InputError(
            f"{file.name} holds the link {info.name!r} to {info.linkname!r}, which is not a file "
            "of it; it was not unpacked."
        )
    return content


def _zip_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    _check(info.filename, file.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if stat.S_ISLNK(kind):
        raise InputError(f"{file.filename} holds the link {info.filename!r}; it was not unpacked.")
    return _Member(info.filename, None if info.is_dir() else lambda: file.open(info))


def _check(name: str, archive: str) -> None:
    """Refuse a name that could lie outside the folder, on any system."""
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    if windows.drive or windows.root or posix.is_absolute() or ".." in windows.parts:
        raise InputError(
            f"{archive} holds {name!r}, which lies outside its own folder; it was not unpacked. "
            "Unpack it yourself, and give the folder."
        )
