"""Make .venv and install the package with the pinned versions, once.

It runs before anything is installed, so it uses Python's own library only.
"""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = "audiostyle.json"


def wanted(root: Path) -> dict[str, str]:
    """Describe the environment that the repository asks for."""
    lists = b"\0".join((root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "place": str(root),
        "packages": hashlib.sha256(lists).hexdigest(),
    }


def read_state(folder: Path) -> dict[str, str]:
    """Return what an earlier run noted, or nothing."""
    try:
        return json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def must_begin_anew(folder: Path, want: dict[str, str]) -> bool:
    """Tell whether an environment is absent, half made, moved, or of another Python."""
    if not (folder / "bin" / "python").exists():
        return True
    state = read_state(folder)
    if state:
        return state["complete"] != "yes" or any(
            state[name] != want[name] for name in ("python", "place")
        )
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = subprocess.run(
        [folder / "bin" / "python", "-c", version], capture_output=True, text=True, check=False
    )
    if found.stdout.strip() != want["python"]:
        raise SystemExit(
            f"{folder} is not of Python {want['python']} and was not made by make: "
            "move it away, then run make again."
        )
    return False


def note(folder: Path, want: dict[str, str], complete: str) -> None:
    """Write down what the environment is, and whether it is finished."""
    text = json.dumps({**want, "complete": complete}, indent=2)
    (folder / STATE).write_text(text + "\n", encoding="utf-8")


def create(folder: Path, want: dict[str, str]) -> None:
    """Make an empty environment with pip in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # Noted first: if this is interrupted, the next run knows that it was not finished.
    note(folder, want, complete="no")
    try:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    except (subprocess.CalledProcessError, OSError) as error:
        raise SystemExit(
            f"Python {platform.python_version()} ({sys.executable}) could not make {folder}: "
            f"{error}\nSome systems keep the venv module apart (on Debian: python3-venv): install "
            "it, or name another Python: make book PYTHON=/path/to/python3"
        ) from error


def install(root: Path, folder: Path) -> None:
    """Install the package in place, with everything it needs."""
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
    options = ["-qq", "--constraint", "constraints.txt", "--editable", ".[all]"]
    if subprocess.run([*pip, *options], cwd=root, check=False).returncode:
        raise SystemExit(
            "The packages could not be installed: pip says why above. "
            "Run make again once that is mended."
        )


def main(root: Path = ROOT) -> None:
    """Bring .venv to the state that the repository asks for; do nothing where it is there."""
    folder, want = root / ".venv", wanted(root)
    ready = {**want, "complete": "yes"}
    if read_state(folder) == ready and (folder / "bin" / "python").exists():
        return
    print(f"Setting up .venv with Python {want['python']} (once; it takes minutes) ...", flush=True)
    start = time.monotonic()
    if must_begin_anew(folder, want):
        create(folder, want)
    note(folder, want, complete="no")
    install(root, folder)
    note(folder, want, complete="yes")
    print(f".venv is ready after {time.monotonic() - start:.0f} s.", flush=True)


if __name__ == "__main__":
    main()
