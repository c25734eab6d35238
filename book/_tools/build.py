"""Build the book: execute the chapters, gather the pages, run Jupyter Book."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from book._tools.common import Book, BuildError, cell_seconds, digest, prepare, profile, run, write
from book._tools.execute import execute_all

_FILES = ("_toc.yml", "LICENSE", "LICENSE-TEXT", "CITATION.cff")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "_tools")


def build(book: Book, profile_name: str) -> Path:
    """Bring the built book up to date and return its first page.

    Parameters
    ----------
    book : Book
    profile_name : str
        The profile that the chapters run at.

    Raises
    ------
    BuildError
        A chapter failed, or Jupyter Book gave a warning.
    """
    executed = execute_all(book, profile_name, cell_seconds())
    site = stage(book, executed)
    stamp = book.build / "html.key"
    # The pages of the package's functions are made from its docstrings.
    key = digest(site, book.root / "audiostyle_utils", book.root / "constraints.txt")
    if book.html.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == key:
        print("The pages: unchanged since they were built.", flush=True)
        return book.html
    stamp.unlink(missing_ok=True)
    render(book, site)
    write(stamp, key)
    return book.html


def stage(book: Book, executed: list[Path]) -> Path:
    """Copy the pages and the executed chapters to a folder of their own."""
    site = book.build / "site"
    shutil.rmtree(site, ignore_errors=True)
    for folder in ("book", "results"):
        if (book.root / folder).is_dir():
            shutil.copytree(book.root / folder, site / folder, ignore=_LEFT_OUT)
    (site / "chapters").mkdir()
    for path in executed:
        shutil.copy(path, site / "chapters" / path.name)
    for name in _FILES:
        if (book.root / name).is_file():
            shutil.copy(book.root / name, site / name)
    config = yaml.safe_load((book.root / "_config.yml").read_text(encoding="utf-8"))
    # Cells without output would make Jupyter Book run these chapters again.
    config["execute"] = {**config.get("execute", {}), "execute_notebooks": "off"}
    write(site / "_config.yml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return site


def render(book: Book, site: Path) -> None:
    """Run Jupyter Book from nothing, with every warning an error."""
    print("The pages: building ...", flush=True)
    # A build on top of a failed one does not repeat the warnings of pages that it has read.
    for old in ("html", ".doctrees"):
        shutil.rmtree(book.build / old, ignore_errors=True)
    program = Path(sys.executable).with_name("jupyter-book")
    options = ["--path-output", book.root, "-q", "-W", "-n", "--keep-going"]
    status = subprocess.run([program, "build", site, *options], cwd=book.root).returncode
    if status or not book.html.is_file():
        shutil.rmtree(book.build / "html", ignore_errors=True)
        raise BuildError("Jupyter Book stopped: mend the warnings and errors above.")


def main(book: Book) -> None:
    """Do what `make book` promises."""
    prepare(book, profile(), f"make book PROFILE={profile()}")
    print(f"\nThe book is here: {build(book, profile())}")


if __name__ == "__main__":
    run(main)
