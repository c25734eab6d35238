"""Everything for a room: notebooks for students and teachers, slides, and the offline kit."""

import argparse
import json
import os
import shlex
import shutil
from pathlib import Path

import nbformat

from audiostyle_utils.results import duration
from book._tools import handouts, kit, slides
from book._tools.build import build
from book._tools.common import Book, BuildError, prepare, replace_folder, run, write

# Slides show what the chapters give at this profile, which every laptop can run.
PROFILE = "quick"

README = """\
For the teacher
===============

student/   notebooks without the solutions, with a cell for each answer
teacher/   the same with everything in them, as they ran, and notes in front
slides/    one page for each chapter: open it in a browser, S opens the speaker's view
book/      the whole book: open index.html (it holds the solutions, folded)

Keep the four folders side by side: the notebooks link to the book.
The kit that installs without a network is made by
    make workshop P="--kit"
The teaching guide, book/book/teaching.html, says what to do with it.

Chapters, and how long each ran at the quick profile when it was measured:
"""


def make(book: Book, chapters: list[Path], pages: Path) -> Path:
    """Write the handouts of some chapters and return their folder.

    Parameters
    ----------
    book : Book
    chapters : list of pathlib.Path
        Notebooks in chapters/. Each must have been executed.
    pages : pathlib.Path
        The folder of the built book.

    Returns
    -------
    pathlib.Path
        ``_build/workshop``. An earlier one is replaced once this one is whole.
    """
    target, draft = book.build / "workshop", book.build / ".workshop"
    shutil.rmtree(draft, ignore_errors=True)
    names = [chapter.stem for chapter in chapters]
    for chapter in chapters:
        print(f"{chapter.stem}: notebooks and slides ...", flush=True)
        try:
            _hand_out(book, chapter, names, draft)
        except BuildError as error:
            raise BuildError(f"{chapter.stem}: {error}") from error
    slides.assets(draft / "slides" / "assets", book.root / "book" / "_static" / "katex")
    shutil.copytree(pages, draft / "book")
    write(draft / "README.txt", README + "".join(_line(book, name) for name in names))
    replace_folder(draft, target)
    return target


def _hand_out(book: Book, chapter: Path, names: list[str], folder: Path) -> None:
    guide = (book.root / "book" / "teaching.md").read_text(encoding="utf-8")
    notes = handouts.teachers_notes(
        guide, int(chapter.stem.split("_")[0]), quick_seconds(book, chapter.stem)
    )
    source = nbformat.read(chapter, as_version=4)
    executed = nbformat.read(book.executed(chapter, PROFILE), as_version=4)
    made = {
        "student": handouts.student(source, names),
        "teacher": handouts.teacher(executed, notes, names),
    }
    for kind, notebook in made.items():
        nbformat.validate(notebook)
        write(folder / kind / chapter.name, nbformat.writes(notebook) + "\n")
    write(folder / "slides" / f"{chapter.stem}.html", slides.deck(executed))


def quick_seconds(book: Book, chapter: str) -> float | None:
    """Return the measured time of a chapter's quick run; None where none is kept."""
    path = book.root / "results" / f"{chapter}-{PROFILE}.json"
    if not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))["seconds"]


def _line(book: Book, name: str) -> str:
    seconds = quick_seconds(book, name)
    return f"    {name:24} {'not measured' if seconds is None else duration(seconds)}\n"


def options_of(text: str) -> argparse.Namespace:
    """Read what make was given as P."""
    parser = argparse.ArgumentParser(prog="make workshop", usage='make workshop P="[options]"')
    parser.add_argument(
        "--chapter", action="append", default=[], metavar="NUMBER",
        help="a chapter such as 01; give it again for more (all, if it is left out)",
    )
    parser.add_argument("--kit", action="store_true", help="make the offline kit as well")
    parser.add_argument(
        "--platform", action="append", default=[], choices=sorted(kit.PLATFORMS),
        help="with --kit: computers that it is for; give it again for more (this one's)",
    )
    parser.add_argument(
        "--python", action="append", default=[], metavar="VERSION",
        help="with --kit: a Python such as 3.12; give it again for more (the one that runs make)",
    )
    parser.add_argument("--zip", action="store_true", help="with --kit: as one file, too")
    given = parser.parse_args(shlex.split(text))
    if (given.platform or given.python or given.zip) and not given.kit:
        parser.error("--platform, --python and --zip belong to --kit")
    return given


def main(book: Book) -> None:
    """Do what `make workshop` promises."""
    given = options_of(os.environ.get("P", ""))
    targets = kit.targets_of(given.platform, given.python) if given.kit else []
    chapters = [book.chapter(number) for number in given.chapter] or book.chapters()
    # A chapter that is run here is the one that the book shows.
    prepare(book, PROFILE, "make book")
    folder = make(book, chapters, build(book, PROFILE).parent)
    print(f"\nNotebooks, slides and the book: {folder}")
    if given.kit:
        made = kit.make(book, folder, targets)
        print(f"\nThe kit: {made}, {kit.megabytes(made)} MB")
        if given.zip:
            print(f"As one file: {kit.zipped(made)}")


if __name__ == "__main__":
    run(main)
