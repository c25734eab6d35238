"""Run every test: style, package, chapters, built book."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from audiostyle_utils.settings import cores
from book._tools import execute
from book._tools.build import build
from book._tools.common import Book, BuildError, cell_seconds, prepare, run

PROFILE = "quick"
COVERED = 90  # percent of the package's lines that its tests must run


def style(book: Book) -> bool:
    """Run ruff over every Python file and notebook."""
    return _python(book, "-m", "ruff", "check", "--quiet", ".")


def unit(book: Book) -> bool:
    """Run the tests that need neither an executed chapter nor a built book."""
    # A file stays with one process, since its tests share what they have made.
    options = ["-n", str(jobs()), "--dist", "loadfile", "--ignore=tests/book"]
    covered = ["--cov=audiostyle_utils", f"--cov-fail-under={COVERED}", "--cov-report=term"]
    return _python(book, "-m", "pytest", "-q", *options, *covered, "tests")


def notebooks(book: Book) -> bool:
    """Run each chapter under nbval, which compares the bounded cells, some at once."""
    with ThreadPoolExecutor(jobs()) as pool:
        return all(list(pool.map(lambda chapter: _notebook(book, chapter), book.chapters())))


def _notebook(book: Book, chapter: Path) -> bool:
    start = time.monotonic()
    try:
        said = execute.check(book, chapter, PROFILE, cell_seconds())
    except BuildError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    passed = f"{said.splitlines()[-1]}, {time.monotonic() - start:.0f} s" if said else "unchanged"
    print(f"{chapter.stem}: {passed}", flush=True)
    return True


def pages(book: Book) -> bool:
    """Build the book and test its pages."""
    build(book, PROFILE)
    if not any((book.root / "tests" / "book").glob("test_*.py")):
        return True
    return _python(book, "-m", "pytest", "-q", "-n", str(jobs()), "tests/book")


STAGES: dict[str, Callable[[Book], bool]] = {
    "style": style,
    "package": unit,
    "chapters": notebooks,
    "book": pages,
}


def jobs() -> int:
    """Return how many things may run at once."""
    text = os.environ.get("JOBS") or str(min(2, cores()))
    if not text.isdecimal() or int(text) == 0:
        raise BuildError(f"JOBS is {text!r}: give a whole number, above 0.")
    return int(text)


def share_cores() -> None:
    """Give each of the things that run at once its part of the cores, and no more.

    Two libraries that each take all cores wait for each other, and both are slower than with half.
    """
    threads = str(max(1, cores() // jobs()))
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, threads)
    if jobs() > 1:
        # Times that are measured beside other work are no measurements: make keep refuses them.
        os.environ["AUDIOSTYLE_AT_ONCE"] = str(jobs())


def _python(book: Book, *arguments: str | Path) -> bool:
    return subprocess.run([sys.executable, *arguments], cwd=book.root).returncode == 0


def main(book: Book) -> int:
    """Do what `make test` promises: run all stages, then say which passed."""
    # A chapter that is run here is the one that the book shows.
    prepare(book, PROFILE, "make book")
    share_cores()
    passed = {}
    for name, stage in STAGES.items():
        print(f"\n== {name}", flush=True)
        try:
            passed[name] = stage(book)
        except BuildError as error:
            print(error, file=sys.stderr, flush=True)
            passed[name] = False
    print("\n" + ", ".join(f"{name}: {'ok' if ok else 'FAILED'}" for name, ok in passed.items()))
    return 0 if all(passed.values()) else 1


if __name__ == "__main__":
    run(main)
