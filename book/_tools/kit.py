"""The offline kit: wheels, data, handouts and the book in one folder that installs by itself."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import nbformat
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)

from book._tools.common import Book, BuildError, cell_seconds, digest, replace_folder, write
from book._tools.execute import content_key, execute
from book._tools.kit_install import OLDEST_MACOS, checksum

INSTALLER = Path(__file__).with_name("kit_install.py")
# Where Python asks for the extra that starts notebooks; each chapter's first cell names its own.
_LAB = "lab"
_EXTRAS = re.compile(r"audiostyle-utils\[([\w,]+)\]")
# pip knows that an older macOS will do where a newer one would, but not so for Linux.
_GLIBC = [f"manylinux_2_{minor}" for minor in range(28, 4, -1)] + ["manylinux2014", "linux"]
PLATFORMS = {
    "windows": ["win_amd64"],
    "macos": [f"macosx_{OLDEST_MACOS}_0_arm64"],
    "linux": [f"{name}_x86_64" for name in _GLIBC],
    "linux-arm": [f"{name}_aarch64" for name in _GLIBC],
}
# What the markers of requirements are asked about: os_name, sys_platform, system, machine.
_FACTS = {
    "windows": ("nt", "win32", "Windows", "AMD64"),
    "macos": ("posix", "darwin", "Darwin", "arm64"),
    "linux": ("posix", "linux", "Linux", "x86_64"),
    "linux-arm": ("posix", "linux", "Linux", "aarch64"),
}
# Some packages refuse the first releases of a Python, such as 3.11.0 to 3.11.4.
_PATCH = 9


@dataclass(frozen=True)
class Target:
    """A kind of computer with a version of Python, such as windows with 3.12."""

    platform: str
    python: str

    def pip_options(self) -> list[str]:
        """Return the options that make pip look for this computer's wheels."""
        tags = [option for tag in PLATFORMS[self.platform] for option in ("--platform", tag)]
        return [*tags, "--implementation", "cp", "--python-version", f"{self.python}.{_PATCH}"]

    def environment(self, extra: str = "") -> dict[str, str]:
        """Return what a marker such as ``sys_platform == "win32"`` is asked about."""
        os_name, sys_platform, system, machine = _FACTS[self.platform]
        return {
            "os_name": os_name, "sys_platform": sys_platform, "platform_system": system,
            "platform_machine": machine, "platform_release": "", "platform_version": "",
            "python_version": self.python, "python_full_version": f"{self.python}.{_PATCH}",
            "implementation_name": "cpython", "implementation_version": f"{self.python}.{_PATCH}",
            "platform_python_implementation": "CPython", "extra": extra,
        }


def this_computer() -> Target:
    """Return the target that the running Python belongs to.

    Raises
    ------
    BuildError
        No kit can be made for such a computer.
    """
    for name, (_, _, system, machine) in _FACTS.items():
        if (system, machine) == (platform.system(), platform.machine()):
            return Target(name, ".".join(platform.python_version_tuple()[:2]))
    raise BuildError(
        f"No kit is made for {platform.system()} on {platform.machine()}: name the students' "
        f"computers with --platform, one of {', '.join(PLATFORMS)}."
    )


def targets_of(platforms: Iterable[str], pythons: Iterable[str]) -> list[Target]:
    """Return each platform with each Python; this computer's where one is not named.

    Raises
    ------
    BuildError
        A Python is not one that the book runs with.
    """
    platforms, pythons = list(platforms), list(pythons)
    for version in pythons:
        if not re.fullmatch(r"3\.1[123]", version):
            raise BuildError(f"--python is {version!r}: give 3.11, 3.12 or 3.13.")
    here = None if platforms and pythons else this_computer()
    return [
        Target(name, version)
        for name in platforms or [here.platform]
        for version in pythons or [here.python]
    ]


def make(book: Book, handouts: Path, targets: list[Target]) -> Path:
    """Make the kit and return its folder.

    Parameters
    ----------
    book : Book
    handouts : pathlib.Path
        What `book._tools.workshop.make` has written.
    targets : list of Target
        The computers that the kit is for.

    Returns
    -------
    pathlib.Path
        ``_build/kit``. An earlier one is replaced once this one is whole.
    """
    notebooks = sorted((handouts / "student").glob("*.ipynb"))
    data = data_of(book, notebooks)
    root = Requirement(f"audiostyle-utils[{','.join(extras_of(notebooks))}]")
    with tempfile.TemporaryDirectory() as place:
        package = wheel_of(book.root, Path(place))
        wheels = {target: collect(book, package, root, target) for target in targets}
        return assemble(book, handouts, data, wheels, root)


def assemble(
    book: Book, handouts: Path, data: Path, wheels: dict[Target, set[Path]], root: Requirement
) -> Path:
    """Put the kit together, with a list by which the installer knows what is damaged."""
    target, draft = book.build / "kit", book.build / ".kit"
    shutil.rmtree(draft, ignore_errors=True)
    for folder in ("student", "slides", "book"):
        shutil.copytree(handouts / folder, draft / folder)
    shutil.copytree(data, draft / "data", copy_function=_place)
    (draft / "wheels").mkdir()
    for wheel in {path.name: path for paths in wheels.values() for path in paths}.values():
        _place(wheel, draft / "wheels" / wheel.name)
    shutil.copy(INSTALLER, draft / "install.py")
    write(draft / "kit.json", json.dumps(_description(draft, wheels, root), indent=1))
    replace_folder(draft, target)
    return target


def _description(draft: Path, wheels: dict[Target, set[Path]], root: Requirement) -> dict:
    """Return what the installer checks before it installs."""
    files = sorted(path for path in draft.rglob("*") if path.is_file())
    return {
        "install": str(root),
        "check": ["audiostyle_utils", "jupyterlab", *sorted(root.extras - {_LAB})],
        "targets": [
            {"platform": each.platform, "python": oldest_python(each, paths)}
            for each, paths in wheels.items()
        ],
        "files": {path.relative_to(draft).as_posix(): checksum(path) for path in files},
    }


def _place(source: str | Path, target: str | Path) -> None:
    """Give a file a second name rather than a copy, where the disk allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


# What the chapters need


def extras_of(notebooks: Iterable[Path]) -> list[str]:
    """Return the extras of the package that chapters ask for in their first cells.

    Raises
    ------
    BuildError
        A notebook does not say how the package is installed.
    """
    extras = {_LAB}
    for path in notebooks:
        cells = nbformat.read(path, as_version=4).cells
        found = [_EXTRAS.search(cell.source) for cell in cells if cell.cell_type == "code"]
        named = [match[1] for match in found if match]
        if not named:
            raise BuildError(
                f"{path.name} has no cell that installs audiostyle-utils[...]: the kit takes from "
                "it which packages the chapter needs."
            )
        extras |= {extra for text in named for extra in text.split(",")}
    return sorted(extras)


@dataclass(frozen=True)
class _Trial(Book):
    """A clone whose notebooks are the students', run in a folder of their own."""

    @property
    def folder(self) -> Path:
        return self.build / "trial"

    def executed(self, chapter: Path, profile: str) -> Path:
        return self.folder / "executed" / chapter.name


def data_of(book: Book, notebooks: list[Path], profile: str = "quick") -> Path:
    """Run the students' notebooks without a network and return the data that they leave.

    So the kit holds what the chapters use and nothing else, and each notebook that it holds has
    run from top to bottom. What was begun goes on where it was broken off.

    Returns
    -------
    pathlib.Path
        The cache that the runs have filled.
    """
    trial = _Trial(book.root)
    runs, cache = trial.folder / "student", trial.folder / "data"
    key = digest([content_key(trial, path, profile) for path in notebooks])
    stamp = trial.folder / "key"
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == key):
        shutil.rmtree(trial.folder, ignore_errors=True)
        write(stamp, key)
    runs.mkdir(parents=True, exist_ok=True)
    cache.mkdir(exist_ok=True)
    with _variables(AUDIOSTYLE_CACHE=str(cache), AUDIOSTYLE_OFFLINE="1"):
        for path in notebooks:
            shutil.copy(path, runs / path.name)
            execute(trial, runs / path.name, profile, cell_seconds())
    return cache


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    """Set variables of the environment for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# Wheels


def wheel_of(root: Path, folder: Path) -> Path:
    """Build the package's own wheel.

    It is built from a copy: what an earlier build left in the clone would go into the wheel. The
    setuptools of this environment, which constraints.txt pins, builds it.
    """
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "audiostyle_utils", source / "audiostyle_utils", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    _pip(source, "wheel", *options, str(source))
    (made,) = folder.glob("*.whl")
    return made


def collect(book: Book, package: Path, root: Requirement, target: Target) -> set[Path]:
    """Return wheels of all that the package needs on a computer of another kind.

    pip itself would ask the markers of requirements about the computer that it runs on. So each
    wheel is fetched without its requirements, and its requirements are read here. Versions are
    those of constraints.txt.

    Raises
    ------
    BuildError
        pip found no wheel, or a package has none and cannot be built for every computer.
    """
    folder = book.build / "wheels" / f"{target.platform}-{target.python}"
    folder.mkdir(parents=True, exist_ok=True)
    pins = pins_of(book.root / "constraints.txt")
    print(f"Wheels for {target.platform}, Python {target.python} ...", flush=True)

    def fetch(wanted: list[Requirement]) -> dict[str, Path]:
        missing = [item for item in wanted if _present(folder, item) is None]
        if missing:
            _pip(book.root, "download", "--quiet", "--no-deps", "--dest", str(folder),
                 *target.pip_options(), *map(str, missing))
            _build_sources(folder)
        return {canonicalize_name(item.name): _found(folder, item, target) for item in wanted}

    return closure(package, root, target, pins, fetch)


def closure(
    package: Path, root: Requirement, target: Target, pins: Mapping[str, str],
    fetch: Callable[[list[Requirement]], dict[str, Path]],
) -> set[Path]:
    """Return the wheels that a package needs, directly or not.

    Parameters
    ----------
    package : pathlib.Path
        The wheel to begin with.
    root : Requirement
        What is wanted of it: its name and its extras.
    target : Target
    pins : mapping of str to str
        The version of each distribution, by its canonical name.
    fetch : callable
        Takes requirements without extras or markers; returns a wheel for each name.
    """
    name = canonicalize_name(root.name)
    wheels, seen, waiting = {name: package}, {}, {name: set(root.extras)}
    while waiting:
        for name, extras in waiting.items():
            seen[name] = seen.get(name, set()) | extras
        found = [item for name in waiting for item in needs(wheels[name], seen[name], target)]
        new, waiting = {canonicalize_name(item.name): item for item in found}, {}
        for name, item in ((canonicalize_name(item.name), item) for item in found):
            if name not in seen or item.extras - seen[name]:
                waiting[name] = waiting.get(name, set()) | item.extras
        wheels |= fetch([pinned(new[name], pins) for name in sorted(waiting) if name not in wheels])
    return set(wheels.values())


def oldest_python(target: Target, wheels: Iterable[Path]) -> str:
    """Return the first release of a target's Python that every wheel accepts, such as 3.11.5."""
    limits = [SpecifierSet(_header(wheel).get("Requires-Python") or "") for wheel in wheels]
    for patch in range(_PATCH + 1):
        if all(limit.contains(f"{target.python}.{patch}") for limit in limits):
            return f"{target.python}.{patch}"
    raise BuildError(f"Some package refuses every Python {target.python}: choose another --python.")


def needs(wheel: Path, extras: Iterable[str], target: Target) -> Iterator[Requirement]:
    """Yield what a wheel requires on a computer, with some of its extras."""
    for text in _header(wheel).get_all("Requires-Dist", []):
        item = Requirement(text)
        if item.marker is None or any(
            item.marker.evaluate(target.environment(extra)) for extra in ("", *extras)
        ):
            yield item


def _header(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        return HeaderParser().parsestr(archive.read(name).decode("utf-8"))


def pins_of(constraints: Path) -> dict[str, str]:
    """Return the version of each distribution that constraints.txt names."""
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("==")[::2] for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in pairs}


def pinned(item: Requirement, pins: Mapping[str, str]) -> Requirement:
    """Return a requirement with its pin, or as it is where there is none."""
    version = pins.get(canonicalize_name(item.name))
    return Requirement(f"{item.name}=={version}" if version else f"{item.name}{item.specifier}")


def _present(folder: Path, item: Requirement) -> Path | None:
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if name == canonicalize_name(item.name) and item.specifier.contains(version, True):
            return path
    return None


def _found(folder: Path, item: Requirement, target: Target) -> Path:
    if path := _present(folder, item):
        return path
    raise BuildError(
        f"{item} has no wheel for {target.platform} with Python {target.python} that pip could "
        "fetch: choose another --python, or another version in constraints.txt."
    )


def _build_sources(folder: Path) -> None:
    """Build the wheels of what comes as source only; they must fit every computer."""
    for source in [*folder.glob("*.tar.gz"), *folder.glob("*.zip")]:
        with tempfile.TemporaryDirectory() as place:
            _pip(folder, "wheel", "--quiet", "--no-deps", "--wheel-dir", place, str(source))
            (made,) = Path(place).glob("*.whl")
            if not made.name.endswith("-none-any.whl"):
                raise BuildError(
                    f"{source.name} comes as source only, and what is built of it fits this "
                    f"computer alone ({made.name}): choose a version that has wheels."
                )
            shutil.move(made, folder / made.name)
        source.unlink()


def _pip(where: Path, *arguments: str) -> None:
    """Run pip, which takes its own settings (such as PIP_INDEX_URL) from the environment."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, cwd=where).returncode:
        raise BuildError("The kit was not made: pip says why above.")


# As one file


def megabytes(folder: Path) -> int:
    """Return the size of a folder in MB."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


def zipped(folder: Path) -> Path:
    """Pack the kit into one file beside it. Wheels are packed already, so nothing is squeezed."""
    target, draft = folder.with_suffix(".zip"), folder.with_suffix(".zip.part")
    with zipfile.ZipFile(draft, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, Path("audio-style") / path.relative_to(folder))
    os.replace(draft, target)
    return target
