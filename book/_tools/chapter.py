"""Run one chapter through papermill, at any profile and with any settings."""

import os
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from book._tools.common import Book, BuildError, cell_seconds, prepare, profile, run


def papermill(book: Book, chapter: Path, profile_name: str, options: list[str]) -> Path:
    """Run a chapter into _build/runs and return the notebook that was written.

    Parameters
    ----------
    book : Book
    chapter : pathlib.Path
    profile_name : str
    options : list of str
        More options for papermill, such as ``["-p", "seed", "7"]``.

    Raises
    ------
    BuildError
        Papermill stopped; the notebook holds what ran up to there.
    """
    target = book.build / "runs" / f"{chapter.stem}-{profile_name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "papermill", chapter, target, "--cwd", chapter.parent]
    command += ["--kernel", "python3", "--log-output", "--no-progress-bar", *options]
    # A long run has no limit unless one is asked for: it may train for hours in one cell.
    if profile_name == "quick" or os.environ.get("AUDIOSTYLE_CELL_TIMEOUT"):
        command += ["--execution-timeout", str(cell_seconds())]
    if subprocess.run(command, cwd=book.root).returncode:
        raise BuildError(f"{chapter.stem} stopped: papermill says why above; see {target}")
    return target


def check_names(chapter: Path, options: list[str]) -> None:
    """Refuse a setting that the chapter does not have: papermill would pass over it.

    Raises
    ------
    BuildError
        The name is not assigned in the chapter's settings cell.
    """
    from papermill import inspect_notebook

    known = inspect_notebook(str(chapter))
    flags = {"-p", "--parameters", "-r", "--parameters_raw"}
    for flag, name in pairwise(options):
        if flag in flags and name not in known:
            raise BuildError(f"{chapter.stem} has no setting {name!r}: use {', '.join(known)}.")


def main(book: Book) -> None:
    """Do what `make chapter` promises."""
    chapter = book.chapter(os.environ.get("CH", ""))
    options = os.environ.get("P", "")
    check_names(chapter, shlex.split(options))
    said = f"make chapter CH={chapter.stem.split('_')[0]} PROFILE={profile()}"
    prepare(book, profile(), f"{said} P={shlex.quote(options)}" if options else said)
    target = papermill(book, chapter, profile(), shlex.split(options))
    print(f"\nThe run is here: {target}")


if __name__ == "__main__":
    run(main)
