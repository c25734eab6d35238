"""Results that are computed once: files in the cache that appear whole, and are known to be."""

import hashlib
import os
import zlib
from pathlib import Path
from uuid import uuid4

from audiostyle_utils.errors import InputError
from audiostyle_utils.settings import cache_dir

_CHECKSUM = 4  # bytes


def folder(name: str) -> Path:
    """Return a folder of the cache, and make it where it is missing."""
    place = cache_dir() / name
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(place, error) from error
    return place


def content_sum(path: str | os.PathLike) -> str | None:
    """Return the SHA-256 sum of a file; None where it cannot be read."""
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, TypeError, ValueError):
        return None


def write(place: Path, content: bytes) -> None:
    """Keep bytes, with their CRC-32 behind the end."""
    temporary = place.with_name(f".{uuid4().hex}")
    try:
        temporary.write_bytes(content + zlib.crc32(content).to_bytes(_CHECKSUM))
        os.replace(temporary, place)
    except OSError as error:
        raise _unwritable(place, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def read(place: Path) -> bytes | None:
    """Return what is kept; None where there is nothing, or where it is damaged."""
    try:
        content = place.read_bytes()
    except OSError:
        return None
    body, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:]
    return body if body and zlib.crc32(body).to_bytes(_CHECKSUM) == checksum else None


def _unwritable(place: Path, error: OSError) -> InputError:
    return InputError(
        f"The cache {place} cannot be written: {error.strerror or error}. Set AUDIOSTYLE_CACHE to "
        "a folder that you may write to, or pass cache=False."
    )
