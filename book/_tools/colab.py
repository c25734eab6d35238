"""Run chapters with Colab's own versions of everything, as a reader does who presses the button.

It runs before anything is installed, so it uses Python's own library and the package's modules that
do the same.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from book._tools.common import Book, BuildError, cell_seconds, digest, run, write

LIST = Path(__file__).with_name("colab.txt")
CHAPTERS = ("02", "07")  # one with TensorFlow, one with PyTorch
SUPPORTED = ("3.13", "3.12", "3.11")


def pins(changed: list[str]) -> list[str]:
    """Return Colab's versions, with some of them replaced.

    Parameters
    ----------
    changed : list of str
        Such as "torch==2.13.0", where Colab's own version cannot be had.
    """
    listed = [line for line in LIST.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    replaced = {_name(item) for item in changed}
    return [line for line in listed if _name(line) not in replaced] + changed


def python_version() -> str:
    """Return the version of Python that Colab has, such as "3.13"."""
    return re.search(r"Python (\d+\.\d+)", LIST.read_text(encoding="utf-8"))[1]


def find_python() -> tuple[str, str]:
    """Return a Python of Colab's version, or else of the next one that is here, and its version.

    With PYTHON set, that one is taken, and no other.

    Raises
    ------
    BuildError
        There is none that the package supports.
    """
    given = os.environ.get("PYTHON")
    wanted = [python_version(), *(one for one in SUPPORTED if one != python_version())]
    names = [given] if given else [*(f"python{one}" for one in wanted), "python3", sys.executable]
    versions = {place: _version(place) for name in names if (place := shutil.which(name))}
    for version in wanted:
        for place, found in versions.items():
            if found == version:
                return place, version
    raise BuildError(
        f"Colab has Python {python_version()}, and {given or 'what is here'} is none of "
        f"{', '.join(SUPPORTED)}: install one, or name it: "
        "make test-colab PYTHON=/path/to/python3"
    )


def choose_python() -> tuple[str, str]:
    """Return the same, and say so where it is not Colab's version."""
    place, version = find_python()
    if version != python_version():
        print(
            f"Colab has Python {python_version()}, which is not here: Python {version} takes its "
            "place, with the same versions of the packages.",
            flush=True,
        )
    return place, version


def make_environment(book: Book, folder: Path, changed: list[str]) -> Path:
    """Install Colab's versions and then the package as the first cell of a chapter does.

    Returns
    -------
    pathlib.Path
        The environment's Python.

    Raises
    ------
    BuildError
        Something could not be installed.
    """
    found, version = choose_python()
    wanted = digest([*pins(changed), version], book.root / "pyproject.toml")
    stamp, python = folder / "made_of", folder / "bin" / "python"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print("Installing Colab's versions (once; several GB) ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _call([found, "-m", "venv", folder], "The environment could not be made")
        _install(python, *pins(changed))
        write(stamp, wanted)
    install_package(book, python)
    return python


def install_package(book: Book, python: str | Path) -> None:
    """Install this copy of the package beside what a Python has, as the first cell does."""
    # Without the exact versions of constraints.txt: Colab knows nothing of them.
    _install(python, "--no-deps", "--force-reinstall", book.root)
    _install(python, f"audiostyle-utils[torch,tensorflow] @ {book.root.as_uri()}")


def run_chapter(book: Book, python: str | Path, number: str) -> Path:
    """Execute a chapter, and return the notebook with what it gave.

    Raises
    ------
    BuildError
        A cell failed: the message of nbconvert stands above.
    """
    chapter, target = book.chapter(number), book.build / "colab" / "runs"
    # Alone in a folder, as it is in Colab: with neither the book nor the package beside it.
    copy = book.build / "colab" / "content" / chapter.name
    write(copy, chapter.read_text(encoding="utf-8"))
    command = [python, "-m", "nbconvert", "--to", "notebook", "--execute", "--log-level", "WARN"]
    command += [f"--ExecutePreprocessor.timeout={cell_seconds()}", "--output-dir", target, copy]
    # What is tried is what was installed, and not the folder beside it.
    surroundings = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    # Without it the debugger that every kernel loads warns about Python's own modules.
    surroundings["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    print(f"{chapter.stem}: running with Colab's versions ...", flush=True)
    _call(command, f"{chapter.stem} fails with Colab's versions", env=surroundings)
    return target / chapter.name


def _install(python: str | Path, *what: str | Path) -> None:
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    _call([*pip, *what], "Colab's versions could not be installed")


def _call(command: list[str | Path], problem: str, **how: object) -> None:
    if subprocess.run(command, **how).returncode:
        raise BuildError(f"{problem}: it says why above.")


def _version(python: str) -> str:
    asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-colab", description=__doc__.splitlines()[0])
    parser.add_argument("changed", nargs="*", metavar="NAME==VERSION", help="in place of Colab's")
    parser.add_argument(
        "--installed",
        action="store_true",
        help="take the packages of this Python as they are: for Colab's own image",
    )
    options = parser.parse_args(shlex.split(os.environ.get("P", "")))
    if options.installed and options.changed:
        parser.error("with --installed nothing is replaced: leave the versions out")
    return options


def main(book: Book) -> None:
    """Do what `make test-colab` promises."""
    options = _options()
    if options.installed:
        python = sys.executable
        install_package(book, python)
    else:
        python = make_environment(book, book.build / "colab" / "environment", options.changed)
    for number in CHAPTERS:
        run_chapter(book, python, number)
    print(f"Chapters {' and '.join(CHAPTERS)} run with Colab's versions.")


if __name__ == "__main__":
    run(main)
