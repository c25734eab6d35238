"""Keep what a chapter's runs measured: copy it to results/, from where the book shows it."""

import os
from pathlib import Path

from audiostyle_utils.results import load_all
from book._tools.common import Book, BuildError, run, write


def keep(book: Book, number: str) -> list[Path]:
    """Copy the recorded results of a chapter and return the copies.

    Raises
    ------
    BuildError
        There are none.
    InputError
        One of them is not a whole result.
    """
    chapter = book.chapter(number)
    found = sorted(book.results.glob(f"{chapter.stem}-*.json"))
    if not found:
        raise BuildError(
            f"{chapter.stem} has recorded nothing in {book.results}: run it first, "
            f"such as with make chapter CH={chapter.stem.split('_')[0]} PROFILE=quick."
        )
    load_all(book.results)
    copies = [book.root / "results" / path.name for path in found]
    for path, copy in zip(found, copies, strict=True):
        write(copy, path.read_text(encoding="utf-8"))
    return copies


def main(book: Book) -> None:
    """Do what `make keep` promises."""
    for path in keep(book, os.environ.get("CH", "")):
        print(f"kept {path.relative_to(book.root)}")


if __name__ == "__main__":
    run(main)
