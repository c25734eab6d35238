"""Run every test: style, package, chapters, built book."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from book._tools.build import build
from book._tools.common import Book, BuildError, cell_seconds, digest, prepare, run, write
from book._tools.execute import execute_all

PROFILE = "quick"


def style(book: Book) -> bool:
    """Run ruff over every Python file and notebook."""
    return _python(book, "-m", "ruff", "check", "--quiet", ".")


def unit(book: Book) -> bool:
    """Run the tests that need neither an executed chapter nor a built book."""
    return _python(book, "-m", "pytest", "-q", "--ignore=tests/book", "tests")


def notebooks(book: Book) -> bool:
    """Execute the chapters, then a second time under nbval, which compares the bounded cells."""
    executed = execute_all(book, PROFILE, cell_seconds())
    return all([_nbval(book, path) for path in executed])


def pages(book: Book) -> bool:
    """Build the book and test its pages."""
    build(book, PROFILE)
    if not any((book.root / "tests" / "book").glob("test_*.py")):
        return True
    return _python(book, "-m", "pytest", "-q", "tests/book")


STAGES: dict[str, Callable[[Book], bool]] = {
    "style": style,
    "package": unit,
    "chapters": notebooks,
    "book": pages,
}


def _nbval(book: Book, executed: Path) -> bool:
    stamp, key = book.build / "tested" / f"{executed.stem}.key", digest(executed)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == key:
        print(f"{executed.stem}: its second run passed before (cached).", flush=True)
        return True
    # The settings of the package's own tests do not fit notebooks.
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={executed.parent}"]
    nbval = ["--nbval-lax", "--nbval-kernel-name=python3", f"--nbval-cell-timeout={cell_seconds()}"]
    if not _python(book, "-m", "pytest", *options, *nbval, executed):
        return False
    write(stamp, key)
    return True


def _python(book: Book, *arguments: str | Path) -> bool:
    return subprocess.run([sys.executable, *arguments], cwd=book.root).returncode == 0


def main(book: Book) -> int:
    """Do what `make test` promises: run all stages, then say which passed."""
    # A chapter that is run here is the one that the book shows.
    prepare(book, PROFILE, "make book")
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
