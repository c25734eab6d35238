"""Run chapters with Colab's own versions of everything, as a reader does who presses the button."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from book._tools.common import Book, BuildError, cell_seconds, digest, run, write

LIST = Path(__file__).with_name("colab.txt")
CHAPTERS = ("02", "07")  # one with TensorFlow, one with PyTorch


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


def find_python() -> str:
    """Return a Python of Colab's version.

    Raises
    ------
    BuildError
        There is none.
    """
    version = python_version()
    for python in filter(None, [os.environ.get("PYTHON"), f"python{version}", "python3"]):
        asked = "import sys; print('%d.%d' % sys.version_info[:2])"
        place = shutil.which(python)
        if place and _said([place, "-c", asked]) == version:
            return place
    raise BuildError(
        f"Colab has Python {version}, and there is none here: install it, or name it: "
        "make test-colab PYTHON=/path/to/python3"
    )


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
    wanted = [*pins(changed), digest(book.root / "pyproject.toml")]
    stamp, python = folder / "made_of", folder / "bin" / "python"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest(wanted):
        shutil.rmtree(folder, ignore_errors=True)
        _call([find_python(), "-m", "venv", folder], "The environment could not be made")
        _install(python, *pins(changed))
        write(stamp, digest(wanted))
    # Without the exact versions of constraints.txt: Colab knows nothing of them.
    _install(python, "--no-deps", "--force-reinstall", book.root)
    _install(python, f"audiostyle-utils[torch,tensorflow] @ {book.root.as_uri()}")
    return python


def run_chapter(book: Book, python: Path, number: str) -> Path:
    """Execute a chapter, and return the notebook with what it gave.

    Raises
    ------
    BuildError
        A cell failed: the message of nbconvert stands above.
    """
    chapter, target = book.chapter(number), book.build / "colab" / "runs"
    command = [python, "-m", "nbconvert", "--to", "notebook", "--execute", "--log-level", "WARN"]
    command += [f"--ExecutePreprocessor.timeout={cell_seconds()}", "--output-dir", target, chapter]
    # What is tried is what was installed, and not the folder beside it.
    surroundings = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    print(f"{chapter.stem}: running with Colab's versions ...", flush=True)
    _call(command, f"{chapter.stem} fails with Colab's versions", env=surroundings)
    return target / chapter.name


def _install(python: Path, *what: str | Path) -> None:
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    _call([*pip, *what], "Colab's versions could not be installed")


def _call(command: list[str | Path], problem: str, **how: object) -> None:
    if subprocess.run(command, **how).returncode:
        raise BuildError(f"{problem}: it says why above.")


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def main(book: Book) -> None:
    """Do what `make test-colab` promises."""
    changed = shlex.split(os.environ.get("P", ""))
    python = make_environment(book, book.build / "colab" / "environment", changed)
    for number in CHAPTERS:
        run_chapter(book, python, number)
    print(f"Chapters {' and '.join(CHAPTERS)} run with Colab's versions.")


if __name__ == "__main__":
    run(main)
