"""Downloads that go on where they stopped."""

from collections.abc import Callable, Iterator
from pathlib import Path

from audiostyle_utils.errors import InputError
from audiostyle_utils.training import progress

_CHUNK = 1 << 16  # bytes
_PATIENCE = (10, 60)  # seconds to connect, and to wait for more
_NOT_SATISFIABLE = 416  # the server has nothing beyond what is here already


def fill(
    address: str, part: Path, *, most: int | None = None, look: Callable | None = None
) -> None:
    """Download what the file `part` lacks.

    `most` bytes are taken at the most; of a larger file nothing is kept. `look` is called with
    each answer of a server, also with those that lead on to another address.
    """
    import requests

    start = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}  # else byte counts are those of a compressed form
    if start:
        headers["Range"] = f"bytes={start}-"
    options = {"timeout": _PATIENCE, "hooks": {"response": look} if look else None}
    with requests.get(address, headers=headers, stream=True, **options) as answer:
        if start and answer.status_code == _NOT_SATISFIABLE:
            return  # all of it is here
        answer.raise_for_status()
        resumed = answer.status_code == requests.codes.partial_content
        expected = int(answer.headers.get("Content-Length", 0)) or None
        room = None if most is None else most - (start if resumed else 0)
        chunks = _shown(answer.iter_content(_CHUNK), part.stem, expected)
        written = _append(chunks, part, "ab" if resumed else "wb", room)
    if room is not None and written > room:
        part.unlink()
        raise InputError(
            f"{address} sends more than {most / 1e9:g} GB, which no such file has: what came was "
            "thrown away."
        )
    if expected and written < expected:
        raise requests.ConnectionError(f"{written} of {expected} bytes arrived")


def _append(chunks: Iterator[bytes], part: Path, mode: str, room: int | None) -> int:
    """Write until `room` is exceeded, and return how many bytes have come."""
    written = 0
    with part.open(mode) as file:
        for chunk in chunks:
            written += len(chunk)
            if room is not None and written > room:
                break
            file.write(chunk)
    return written


def _shown(chunks: Iterator[bytes], name: str, expected: int | None) -> Iterator[bytes]:
    return progress(chunks, name, -(-expected // _CHUNK) if expected else None)
