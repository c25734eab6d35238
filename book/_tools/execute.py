"""Execute chapters, one after another, and keep the copies while nothing changes."""

import os
import platform
import re
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from book._tools.common import Book, BuildError, digest, write

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
    _mark(notebook, key)
    write(target, nbformat.writes(notebook))
    failed.unlink(missing_ok=True)
    print(f"{chapter.stem} ({profile}): done in {time.monotonic() - start:.0f} s.", flush=True)
    return target


def execute_all(book: Book, profile: str, seconds: int) -> list[Path]:
    """Execute every chapter of the table of contents."""
    return [execute(book, chapter, profile, seconds) for chapter in book.chapters()]


def _read_key(path: Path) -> str | None:
    return nbformat.read(path, as_version=4).metadata.get("audiostyle", {}).get("key")


def _mark(notebook: NotebookNode, key: str) -> None:
    notebook.metadata["audiostyle"] = {"key": key}
    for cell in notebook.cells:
        if "bounded" in cell.metadata.get("tags", ()):
            # The name by which nbval knows that a second run must print the same.
            cell.metadata["tags"] = [*cell.metadata["tags"], "nbval-check-output"]


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
