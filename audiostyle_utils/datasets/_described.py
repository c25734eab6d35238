"""What data sets of recordings with one table about all of them have in common."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ._transcribed import fault


def describe(
    recordings: Iterable[Path], rows: Mapping[str, dict], table: Path, root: Path
) -> tuple[dict[str, Path], dict[str, dict[str, object]], dict[str, str]]:
    """Bring recordings and what is known of them together by the names of the files.

    A copy of the reader's own may hold a part of the recordings: rows without one are no fault.

    Parameters
    ----------
    recordings : iterable of pathlib.Path
        The files.
    rows : mapping
        What is known, by the names of the recordings without their endings.
    table : pathlib.Path
        Where that stands.
    root : pathlib.Path
        The folder of the data set.

    Returns
    -------
    files, labels, skipped : dict
        Usable recordings and what is known of them by their names without endings, and why others
        are not usable, by their paths below `root`.
    """
    files: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for path in recordings:
        reason = fault(path)
        if path.stem in files:
            reason = f"{path} is a double of {files[path.stem]}."
        elif path.stem not in rows:
            reason = reason or f"{path} is not in {table}, so nobody knows what it holds."
        if reason:
            skipped[path.relative_to(root).as_posix()] = reason
        else:
            files[path.stem] = path
    return files, {name: rows[name] for name in files}, skipped
