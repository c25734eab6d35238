"""What data sets of recordings have in common that come with a table of what they hold."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def fault(path: Path) -> str | None:
    """Tell why a recording cannot be used, without opening it."""
    if not path.is_file():
        return f"{path} is no file."
    return None if path.stat().st_size else f"{path} is empty (0 bytes)."


def visible(folder: Path, *suffixes: str) -> list[Path]:
    """List what ends in one of some suffixes, without hidden files such as those of macOS."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in suffixes]
    return sorted(path for path in found if not path.name.startswith("."))


def pair(
    recordings: Iterable[Path], rows: Mapping[str, Any], source: Path, root: Path, lack: str
) -> tuple[dict[str, Path], dict[str, str]]:
    """Bring recordings and what is known of them together by the names of the files.

    Parameters
    ----------
    recordings : iterable of pathlib.Path
        The files.
    rows : mapping
        What is known, by the names of the recordings without their endings.
    source : pathlib.Path
        Where that stands.
    root : pathlib.Path
        The folder of the data set.
    lack : str
        What to say of a recording without a row, before the name of the source: "has no transcript
        in".

    Returns
    -------
    files, skipped : dict
        Usable recordings by their names without endings, and why others are not, by their paths
        below `root`.
    """
    files: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for path in recordings:
        reason = fault(path)
        if path.stem in files:
            reason = f"{path} is a double of {files[path.stem]}."
        elif path.stem not in rows:
            reason = reason or f"{path} {lack} {source}."
        if reason:
            skipped[path.relative_to(root).as_posix()] = reason
        else:
            files[path.stem] = path
    return files, skipped


def unheard(
    recordings: Iterable[Path], texts: Mapping[str, str], source: Path, root: Path
) -> dict[str, str]:
    """Say which transcripts have no recording, by the place of the source and the name."""
    there, place = {path.stem for path in recordings}, source.relative_to(root).as_posix()
    return {
        f"{place}: {name}": f"{source} has a text for {name}, of which there is no sound."
        for name in texts
        if name not in there
    }
