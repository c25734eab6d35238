"""Keep what a chapter's runs measured and learned, from _build to where the book has it.

Results go to results/, trained weights with their cards to audiostyle_utils/pretrained/.
"""

import json
import os
import shutil
from pathlib import Path

from audiostyle_utils import pretrained
from audiostyle_utils.results import load_all
from book._tools.common import Book, BuildError, run


def keep(book: Book, number: str) -> list[Path]:
    """Copy the recorded results and the weights of a chapter, and return the copies.

    All files are looked at before the first one is copied.

    Raises
    ------
    BuildError
        There are none, or the name of a file of weights is not one that the package can give.
    InputError
        One of them is not a whole result, or weights and their card do not belong together.
    """
    chapter = book.chapter(number)
    results, weights = _results(book, chapter.stem), _weights(book, chapter.stem)
    if not results and not weights:
        raise BuildError(
            f"{chapter.stem} has recorded nothing in {book.results} and left no weights in "
            f"{book.weights}: run it first, "
            f"such as with make chapter CH={chapter.stem.split('_')[0]} PROFILE=quick."
        )
    shipped = book.root / "audiostyle_utils" / "pretrained"
    return [
        *(_copy(path, book.root / "results") for path in results),
        *(_copy(path, shipped) for path in weights),
    ]


def _results(book: Book, chapter: str) -> list[Path]:
    found = sorted(book.results.glob(f"{chapter}-*.json"))
    if found:
        load_all(book.results)
    for path in found:
        if "at_once" in json.loads(path.read_text(encoding="utf-8"))["machine"]:
            raise BuildError(
                f"{path} was measured by make test, which runs several things at once, so that its "
                f"times are too long: run make chapter CH={chapter.split('_')[0]} first."
            )
    return found


def _weights(book: Book, chapter: str) -> list[Path]:
    """List each file of weights and its card, once they are known to be whole."""
    found = sorted(book.weights.glob(f"{chapter}*.safetensors"))
    for path in found:
        pretrained.load(path)
        if not pretrained.NAME.fullmatch(path.stem):
            raise BuildError(
                f"{path} cannot be kept: the package could not give it by name. "
                "Use small letters, digits, _ and - only."
            )
    return [file for path in found for file in (path, path.with_suffix(".json"))]


def _copy(path: Path, folder: Path) -> Path:
    """Copy a file in one step: whole, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / path.name
    draft = folder / f".{path.name}.{os.getpid()}"
    try:
        shutil.copyfile(path, draft)
        os.replace(draft, copy)
    finally:
        draft.unlink(missing_ok=True)
    return copy


def main(book: Book) -> None:
    """Do what `make keep` promises."""
    for path in keep(book, os.environ.get("CH", "")):
        print(f"kept {path.relative_to(book.root)}")


if __name__ == "__main__":
    run(main)
