"""Where things are, what has changed, and how to say that something is wrong."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from audiostyle_utils import InputError
from audiostyle_utils.settings import PROFILES

CELL_SECONDS = 600
# Where a kernel goes if this variable names a folder.
FOLDER = "AUDIOSTYLE_FOLDER"
_CHANGE_FOLDER = f"__import__('os').chdir(__import__('os').environ.get('{FOLDER}', '.'))"


class BuildError(Exception):
    """The build cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Book:
    """The folders of one clone of the book."""

    root: Path

    @property
    def build(self) -> Path:
        """Everything that is made lies here, and nothing else does."""
        return self.root / "_build"

    @property
    def html(self) -> Path:
        """The first page of the built book."""
        return self.build / "html" / "index.html"

    @property
    def results(self) -> Path:
        """Where runs record what they measured."""
        return self.build / "results"

    @property
    def weights(self) -> Path:
        """Where long runs leave what they trained."""
        return self.build / "weights"

    def executed(self, chapter: Path, profile: str) -> Path:
        """Return the place of a chapter's executed copy."""
        return self.build / "executed" / profile / chapter.name

    def chapters(self) -> list[Path]:
        """Return the chapters that the table of contents lists, in its order."""
        # Not at the top: make test-colab runs with a Python that has nothing installed.
        import yaml

        toc = self.root / "_toc.yml"
        try:
            listed = list(_entries(yaml.safe_load(toc.read_text(encoding="utf-8"))))
        except (OSError, yaml.YAMLError) as error:
            raise BuildError(f"{toc} cannot be read: {error}") from error
        names = [name.removesuffix(".ipynb") for name in listed if name.startswith("chapters/")]
        if missing := [name for name in names if not (self.root / f"{name}.ipynb").is_file()]:
            raise BuildError(f"_toc.yml lists {', '.join(missing)}, but there is no such notebook.")
        return [self.root / f"{name}.ipynb" for name in names]

    def chapter(self, number: str) -> Path:
        """Return the chapter with a number such as 01 (or 1, or its whole name)."""
        known = sorted((self.root / "chapters").glob("[0-9]*_*.ipynb"))
        for path in known:
            if number and number in (path.stem, path.stem.split("_")[0], path.stem[:2].lstrip("0")):
                return path
        lines = "".join(f"\n  CH={path.stem.split('_')[0]}  {path.stem}" for path in known)
        raise BuildError(f"CH is {number!r}: name a chapter by its number.{lines or ' None yet.'}")


ROOT = Path(__file__).resolve().parents[2]


def _entries(node: object) -> Iterable[str]:
    if isinstance(node, list):
        for item in node:
            yield from _entries(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("root", "file"):
                yield str(value)
            else:
                yield from _entries(value)


def digest(*parts: object) -> str:
    """Return one key for texts, files, and whole folders (each file with its name)."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for path in _files(part):
                total.update(f"{path.relative_to(part.parent)}\0".encode())
                total.update(hashlib.sha256(path.read_bytes()).digest())
        else:
            total.update(f"{json.dumps(part, sort_keys=True)}\0".encode())
    return total.hexdigest()


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(
        path
        for path in place.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    )


def write(path: Path, text: str) -> None:
    """Write a file in one step: whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def replace_folder(draft: Path, target: Path) -> None:
    """Put a finished folder in the place of another, which is there until the last moment."""
    former = target.with_name(f"{draft.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if target.exists():
        os.replace(target, former)
    os.replace(draft, target)
    shutil.rmtree(former, ignore_errors=True)


def profile() -> str:
    """Return the profile that make was given."""
    name = os.environ.get("PROFILE") or "quick"
    if name not in PROFILES:
        raise BuildError(f"PROFILE is {name!r}: choose one of {', '.join(PROFILES)}.")
    return name


def cell_seconds() -> int:
    """Return how long one cell may run."""
    text = os.environ.get("AUDIOSTYLE_CELL_TIMEOUT") or str(CELL_SECONDS)
    if not text.isdecimal() or int(text) == 0:
        raise BuildError(f"AUDIOSTYLE_CELL_TIMEOUT is {text!r}: give whole seconds, above 0.")
    return int(text)


def prepare(book: Book, profile_name: str, command: str) -> None:
    """Set the environment that the kernels and tests started from here inherit."""
    given = os.environ.get("AUDIOSTYLE_DATA")
    if given and not Path(given).expanduser().is_dir():
        raise BuildError(f"AUDIOSTYLE_DATA is {given!r}, and there is no such folder.")
    # Kernels run in chapters/, where a path relative to the repository would point elsewhere.
    for name in ("AUDIOSTYLE_DATA", "AUDIOSTYLE_CACHE", "AUDIOSTYLE_CHAPTERS"):
        if value := os.environ.get(name):
            os.environ[name] = str(Path(value).expanduser().resolve())
    os.environ["AUDIOSTYLE_PROFILE"] = profile_name
    os.environ["AUDIOSTYLE_COMMAND"] = f"AUDIOSTYLE_DATA={given} {command}" if given else command
    os.environ["JUPYTER_PATH"] = str(_kernel(book))
    os.environ["IPYTHONDIR"] = str(book.build / "ipython")
    # A kernel with these believes that a person watches it in Jupyter.
    os.environ.pop("JPY_SESSION_NAME", None)


def _kernel(book: Book) -> Path:
    """Describe this Python as the kernel python3, whatever other kernels the machine has."""
    folder = book.build / "jupyter"
    spec = {
        "argv": [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "--log-level=ERROR",
            # nbval would start it beside the copy that it runs; a chapter runs in its own folder.
            f"--IPKernelApp.exec_lines={_CHANGE_FOLDER}",
            "-f",
            "{connection_file}",
        ],
        "display_name": "Python 3",
        "language": "python",
    }
    write(folder / "kernels" / "python3" / "kernel.json", json.dumps(spec, indent=2))
    return folder


def run(main: Callable[[Book], int | None]) -> None:
    """Run a tool on this clone and turn what a person can mend into a short message."""
    try:
        status = main(Book(ROOT))
    except (BuildError, InputError) as error:
        print(f"\n{error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status or 0)
