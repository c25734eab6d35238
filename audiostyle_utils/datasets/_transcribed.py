"""What data sets of recordings with transcripts have in common: each needs the other."""

from collections.abc import Iterable, Mapping
from pathlib import Path


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
    recordings: Iterable[Path], texts: Mapping[str, str], source: Path, root: Path
) -> tuple[dict[str, Path], dict[str, str]]:
    """Bring recordings and transcripts together by the names of the files.

    Parameters
    ----------
    recordings : iterable of pathlib.Path
        The files of one folder.
    texts : mapping
        The transcripts, by the names of the recordings without their endings.
    source : pathlib.Path
        Where the transcripts stand; its name gives its place to a recording that is not there.
    root : pathlib.Path
        The folder of the data set.

    Returns
    -------
    files, skipped : dict
        Usable recordings by their names without endings, and why others are not, by their paths
        below `root`.
    """
    files: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    seen = set()
    for path in recordings:
        seen.add(path.stem)
        reason = fault(path)
        if path.stem in files:
            reason = f"{path} is a double of {files[path.stem]}."
        elif path.stem not in texts:
            reason = reason or f"{path} has no transcript in {source}."
        if reason:
            skipped[path.relative_to(root).as_posix()] = reason
        else:
            files[path.stem] = path
    for name in (name for name in texts if name not in seen):
        place = source.relative_to(root).as_posix()
        skipped[f"{place}: {name}"] = f"{source} has a text for {name}, of which there is no sound."
    return files, skipped
