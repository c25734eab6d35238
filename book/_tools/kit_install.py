"""Install the audio-style book from this folder. No network is needed.

Run it with Python: python install.py

It makes a folder "environment" beside itself, puts everything in there and changes nothing else
on the computer. It may be run again at any time: a finished installation is left as it is, and one
that was broken off begins again. To remove everything, delete the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = {
    ("Windows", "AMD64"): "windows",
    ("Darwin", "arm64"): "macos",
    ("Linux", "x86_64"): "linux",
    ("Linux", "aarch64"): "linux-arm",
}
# Without a setting that only administrators can change, Windows knows no longer paths.
LONGEST_PATH = 259
SHELL = """#!/bin/sh
# Opens the notebooks. Made by install.py.
cd "$(dirname "$0")" || exit 1
unset PYTHONPATH PYTHONHOME
export AUDIOSTYLE_OFFLINE=1 AUDIOSTYLE_CACHE="$PWD/data" AUDIOSTYLE_CHAPTERS="$PWD/student"
export JUPYTER_PREFER_ENV_PATH=1 PYTHONNOUSERSITE=1
export JUPYTER_CONFIG_DIR="$PWD/settings/jupyter" IPYTHONDIR="$PWD/settings/ipython"
exec environment/bin/python -m jupyterlab {options} "$@"
"""
BATCH = """@echo off\r
rem Opens the notebooks. Made by install.py.\r
setlocal\r
cd /d "%~dp0"\r
set PYTHONPATH=\r
set PYTHONHOME=\r
set AUDIOSTYLE_OFFLINE=1\r
set "AUDIOSTYLE_CACHE=%CD%\\data"\r
set "AUDIOSTYLE_CHAPTERS=%CD%\\student"\r
set JUPYTER_PREFER_ENV_PATH=1\r
set PYTHONNOUSERSITE=1\r
set "JUPYTER_CONFIG_DIR=%CD%\\settings\\jupyter"\r
set "IPYTHONDIR=%CD%\\settings\\ipython"\r
environment\\Scripts\\python.exe -m jupyterlab {options} %*\r
if errorlevel 1 pause\r
"""
OPTIONS = (
    "--ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks "
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
)
# The wheels for Macs are made for this one.
OLDEST_MACOS = 14


class KitError(Exception):
    """Why the kit cannot be installed, and what to do."""


def main(root: Path = HERE) -> None:
    """Check this computer and the kit, then install it."""
    kit, said = read_kit(root)
    check_computer(kit["targets"], platform.system(), platform.machine(), sys.version_info[:3])
    check_macos(platform.mac_ver()[0])
    if os.name == "nt":
        check_paths(root, LONGEST_PATH)
    environment = root / "environment"
    if is_finished(environment, said):
        print("Everything is installed already.")
    else:
        print("Checking the files ...", flush=True)
        check_files(root, kit["files"])
        install(root, environment, kit)
        (environment / "finished").write_text(said, encoding="utf-8")
    lay_out(root)
    write_starters(root)
    print("\nReady. To open the notebooks: " + ("start.bat" if os.name == "nt" else "sh start.sh"))


def read_kit(root: Path) -> tuple[dict, str]:
    """Return the kit's description, and a sum by which an installation knows its kit."""
    path = root / "kit.json"
    try:
        content = path.read_bytes()
        return json.loads(content), hashlib.sha256(content).hexdigest()
    except (OSError, ValueError) as error:
        raise KitError(
            f"{path} cannot be read ({error}): copy the whole kit again."
        ) from error


def check_computer(targets: list, system: str, machine: str, version: tuple) -> None:
    """Say clearly which computer or Python is missing, before anything is done."""
    here = NAMES.get((system, machine))
    python = ".".join(map(str, version))
    kinds = sorted({target["platform"] for target in targets})
    if here not in kinds:
        hint = ""
        if (system, machine) == ("Darwin", "x86_64"):
            hint = (
                " If this Mac has an Apple chip, its Python is one for Intel: install one for "
                "Apple chips."
            )
        raise KitError(
            f"This computer is {system} on {machine}, and the kit is for {', '.join(kinds)}. Ask "
            f"your teacher for another kit, or sit with a neighbour.{hint}"
        )
    oldest = [target["python"] for target in targets if target["platform"] == here]
    numbers = sorted(tuple(map(int, text.split("."))) for text in oldest)
    pythons = ["{}.{}".format(*number) for number in numbers]
    if not any(number[:2] == version[:2] and number <= version for number in numbers):
        raise KitError(
            f"This is Python {python}, and the kit needs Python {' or '.join(pythons)} (64 bits, "
            f"at least {' or '.join(oldest)}). Install one beside it, then start install.py with "
            f"it: {command_for(system, pythons[-1])}"
        )
    if sys.maxsize < 2**32:
        raise KitError("This Python has 32 bits, and the kit needs one with 64: install that one.")


def check_macos(version: str) -> None:
    """Refuse a macOS that is older than the wheels; elsewhere `version` is empty."""
    if version and int(version.split(".")[0]) < OLDEST_MACOS:
        raise KitError(
            f"This is macOS {version}, and the kit needs {OLDEST_MACOS} or newer: update it, or "
            "sit with a neighbour."
        )


def command_for(system: str, python: str) -> str:
    """Return how one starts a certain Python."""
    return f"py -{python} install.py" if system == "Windows" else f"python{python} install.py"


def check_paths(root: Path, longest: int) -> None:
    """Refuse a folder so deep that the packages' own files would have too long names."""
    place = len(str(root / "environment" / "Lib" / "site-packages")) + 1
    for wheel in sorted((root / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            most = max(map(len, archive.namelist()), default=0)
        if place + most > longest:
            raise KitError(
                f"{root} is too deep for Windows: {wheel.name} holds names so long that a path "
                f"would have {place + most} characters, and {longest} is the limit. Move the kit "
                "to a short place such as C:\\audio."
            )


def is_finished(environment: Path, said: str) -> bool:
    """Tell whether this very kit has been installed to the end."""
    try:
        return (environment / "finished").read_text(encoding="utf-8") == said
    except OSError:
        return False


def check_files(root: Path, files: dict) -> None:
    """Compare every file with the list, and name those that are damaged or absent."""
    # A teacher may have taken a whole folder out that only reading needs.
    left_out = tuple(f"{name}/" for name in ("book", "slides") if not (root / name).exists())
    needed = {name: total for name, total in files.items() if not name.startswith(left_out)}
    wrong = [name for name, total in needed.items() if checksum(root / name) != total]
    if wrong:
        more = f" and {len(wrong) - 5} more" if wrong[5:] else ""
        raise KitError(
            f"Damaged or missing: {', '.join(wrong[:5])}{more}. Copy the kit again, best from the "
            "original."
        )


def checksum(path: Path) -> str | None:
    """Return the SHA-256 sum of a file; None where it cannot be read."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                total.update(block)
    except OSError:
        return None
    return total.hexdigest()


def install(root: Path, environment: Path, kit: dict) -> None:
    """Make the environment anew and fill it from the wheels of the kit alone."""
    shutil.rmtree(environment, ignore_errors=True)
    print("Installing; this takes some minutes ...", flush=True)
    call(
        [sys.executable, "-m", "venv", environment],
        "Python could not make an environment. On Debian and Ubuntu the package python3-venv is "
        "needed; elsewhere, is there room on the disk?",
    )
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wheels = ["--no-index", "--find-links", root / "wheels"]
    call(
        [python, "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--quiet"]
        + wheels + ["--no-cache-dir", kit["install"]],
        "The packages could not be installed: pip says why above. Is there room on the disk?",
    )
    print("Trying it ...", flush=True)
    call(
        [python, "-c", "import " + ", ".join(kit["check"])],
        "The packages are installed but do not start. On Windows this is nearly always the "
        "Microsoft Visual C++ Redistributable (x64): install it, then run install.py again.",
    )


def call(command: list, problem: str) -> None:
    """Run a program, with nothing in its environment that would lead it elsewhere."""
    theirs = ("PIP_", "PYTHON")
    ours = {key: value for key, value in os.environ.items() if not key.startswith(theirs)}
    # pip would read the settings of the computer's owner, which may name another place.
    ours["PIP_CONFIG_FILE"] = os.devnull
    ours["PYTHONNOUSERSITE"] = "1"
    if subprocess.run([str(part) for part in command], env=ours).returncode:
        raise KitError(problem)


def lay_out(root: Path) -> None:
    """Give the student notebooks to write in. Those that are there already stay as they are."""
    notebooks = root / "notebooks"
    notebooks.mkdir(exist_ok=True)
    for path in sorted((root / "student").glob("*.ipynb")):
        if not (notebooks / path.name).exists():
            shutil.copy(path, notebooks / path.name)


def write_starters(root: Path) -> None:
    """Write the two files that open the notebooks."""
    (root / "start.bat").write_bytes(BATCH.format(options=OPTIONS).encode("ascii"))
    shell = root / "start.sh"
    shell.write_bytes(SHELL.format(options=OPTIONS).encode("ascii"))
    shell.chmod(shell.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


if __name__ == "__main__":
    try:
        main()
    except KitError as error:
        print("\n" + str(error), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nBroken off. Run install.py again: it begins anew.", file=sys.stderr)
        sys.exit(130)
