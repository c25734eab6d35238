"""Execute chapters, one after another, and keep the copies while nothing changes."""

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from book._tools.common import FOLDER, ROOT, Book, BuildError, digest, write

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def content_key(book: Book, chapter: Path, profile: str) -> str:
    """Return the key of everything that an executed chapter depends on."""
    notebook = nbformat.read(chapter, as_version=4)
    cells = [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]
    return digest(
        cells,
        book.root / "audiostyle_utils",
        book.root / "constraints.txt",
        Path(__file__),
        profile,
        os.environ.get("AUDIOSTYLE_DATA"),
        platform.python_version(),
    )


def execute(book: Book, chapter: Path, profile: str, seconds: int) -> Path:
    """Run a chapter unless its copy is up to date; return the copy's path.

    Parameters
    ----------
    book : Book
    chapter : pathlib.Path
        The notebook in chapters/.
    profile : str
    seconds : int
        How long each cell may run.

    Raises
    ------
    BuildError
        A cell failed, hung or killed its kernel. What ran up to there is kept for a look.
    """
    target, key = book.executed(chapter, profile), content_key(book, chapter, profile)
    if target.is_file() and _read_key(target) == key:
        print(f"{chapter.stem} ({profile}): unchanged since it was run.", flush=True)
        return target
    print(f"{chapter.stem} ({profile}): running ...", flush=True)
    start = time.monotonic()
    notebook = nbformat.read(chapter, as_version=4)
    failed = target.with_suffix(".failed.ipynb")
    try:
        _run(notebook, chapter, seconds, target.with_suffix(".log"))
    except BuildError as error:
        write(failed, nbformat.writes(notebook))
        raise BuildError(f"{error}\nWhat ran up to there: {failed}") from error
    notebook.metadata["audiostyle"] = {"key": key}
    write(target, nbformat.writes(notebook))
    failed.unlink(missing_ok=True)
    print(f"{chapter.stem} ({profile}): done in {time.monotonic() - start:.0f} s.", flush=True)
    return target


def execute_all(book: Book, profile: str, seconds: int) -> list[Path]:
    """Execute every chapter of the table of contents."""
    return [execute(book, chapter, profile, seconds) for chapter in book.chapters()]


def check(book: Book, chapter: Path, profile: str, seconds: int) -> str | None:
    """Run a chapter under nbval, and keep its copy if there is none that is up to date.

    A cell that is tagged "bounded" must print what its metadata say under "prints".

    Parameters
    ----------
    book : Book
    chapter : pathlib.Path
        The notebook in chapters/.
    profile : str
    seconds : int
        How long each cell may run.

    Returns
    -------
    str or None
        What nbval said, or None if the chapter is unchanged since it passed.

    Raises
    ------
    BuildError
        A cell failed, took too long or printed something else; the message is nbval's.
    """
    target, key = book.executed(chapter, profile), content_key(book, chapter, profile)
    current = target.is_file() and _read_key(target) == key
    stamp = book.build / "tested" / profile / f"{chapter.stem}.key"
    if current and stamp.is_file() and stamp.read_text(encoding="utf-8") == key:
        return None
    reference, ran = _reference(book, chapter), book.build / "tested" / profile / chapter.name
    said = _nbval(chapter.parent, reference, ran, seconds)
    if not current:
        notebook = nbformat.read(ran, as_version=4)
        notebook.metadata["audiostyle"] = {"key": key}
        write(target, nbformat.writes(notebook))
    write(stamp, key)
    return said


def _reference(book: Book, chapter: Path) -> Path:
    """Copy a chapter, with what its bounded cells must print as their outputs."""
    notebook = nbformat.read(chapter, as_version=4)
    for cell in notebook.cells:
        if "bounded" in cell.metadata.get("tags", ()):
            cell.metadata["tags"] = [*cell.metadata["tags"], "nbval-check-output"]
            cell.outputs = [new_output("stream", text=cell.metadata["prints"])]
            cell.execution_count = 1
    path = book.build / "tested" / "references" / chapter.name
    write(path, nbformat.writes(notebook))
    return path


def _nbval(folder: Path, reference: Path, ran: Path, seconds: int) -> str:
    # The settings of the package's own tests do not fit notebooks.
    options = ["-q", "-x", "-p", "no:cacheprovider", "-c", "/dev/null"]
    options += [f"--rootdir={reference.parent}", "-p", "book._tools.nbval_keep"]
    nbval = ["--nbval-lax", "--nbval-kernel-name=python3", f"--nbval-cell-timeout={seconds}"]
    command = [sys.executable, "-m", "pytest", *options, *nbval, f"--keep-run={ran}", reference]
    surroundings = {**os.environ, FOLDER: str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"{reference.stem}\n{done.stdout}{done.stderr}What ran: {ran}")
    return done.stdout.strip()


def _read_key(path: Path) -> str | None:
    return nbformat.read(path, as_version=4).metadata.get("audiostyle", {}).get("key")


def _run(notebook: NotebookNode, chapter: Path, seconds: int, log: Path) -> None:
    running: list[int] = []
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(chapter.parent)}},
        timeout=seconds,
        record_timing=False,
        # A kernel that hangs in compiled code does not listen to a polite request.
        shutdown_kernel="immediate",
        on_cell_execute=lambda cell, cell_index: running.append(cell_index),
    )
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("wb") as stream:
            client.execute(stderr=stream)
    except (CellTimeoutError, DeadKernelError, CellExecutionError) as error:
        cell = f"{_where(notebook, chapter, running)} {_why(error, seconds, log)}"
        raise BuildError(f"{cell}\n{_begins(notebook, running)}") from error


def _why(error: Exception, seconds: int, log: Path) -> str:
    if isinstance(error, CellTimeoutError):
        limit = "(AUDIOSTYLE_CELL_TIMEOUT sets the limit)"
        return f"was stopped: it ran longer than {seconds} s {limit}."
    if isinstance(error, CellExecutionError):
        return f"failed with {error.ename}: {_COLOURS.sub('', error.evalue)}"
    return f"ended its kernel; often there was not enough memory. Its last words, if any: {log}"


def _where(notebook: NotebookNode, chapter: Path, running: list[int]) -> str:
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    return f"{chapter.stem}, cell [{code.index(running[-1]) + 1}]"


def _begins(notebook: NotebookNode, running: list[int]) -> str:
    lines = notebook.cells[running[-1]].source.splitlines()
    return "\n".join(f"    {line}" for line in lines[:3])
