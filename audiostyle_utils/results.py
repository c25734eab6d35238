"""Record what a chapter measured, on what, with what, and when."""

import contextlib
import datetime
import json
import math
import numbers
import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from audiostyle_utils.errors import InputError
from audiostyle_utils.settings import PROFILES, cores
from audiostyle_utils.settings import profile as current_profile

_METRIC_KEYS = {"metric", "value", "unit", "better", "group"}
_VERSIONED = {
    "audiostyle_utils": "audiostyle-utils",
    "keras": "keras",
    "librosa": "librosa",
    "music21": "music21",
    "numpy": "numpy",
    "plotnine": "plotnine",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "soundfile": "soundfile",
    "symusic": "symusic",
    "tensorflow": "tensorflow",
    "torch": "torch",
}


def record(
    chapter: str,
    metrics: Sequence[Mapping[str, Any]],
    *,
    data: str | Mapping[str, Any],
    settings: Mapping[str, Any],
    seconds: float,
    profile: str | None = None,
    variant: str | None = None,
    command: str | None = None,
    folder: str | os.PathLike | None = None,
) -> Path:
    """Write what a run measured to ``<chapter>-<profile>[-<variant>].json``.

    The machine, the date and the versions of Python and of the imported packages are added. An
    earlier file of the same name is replaced in one step.

    Parameters
    ----------
    chapter : str
        The chapter's name, such as ``"01_style_transfer"``.
    metrics : sequence of mappings
        Each with ``metric`` (its name), ``value`` (a finite number), ``unit`` (text, empty for a
        bare number) and, where it applies, ``better`` (``"lower"`` or ``"higher"``). Entries of
        the same ``metric`` with a ``group`` each are shown side by side, one column a group.
    data : str or mapping
        What was measured on.
    settings : mapping
        The chapter's knobs. Values must be what JSON can hold; NumPy numbers and arrays are
        converted.
    seconds : float
        How long the run took, 0 or more.
    profile : str, optional
        ``"quick"``, ``"colab"`` or ``"full"``; by default the one in force.
    variant : str, optional
        A word that keeps this run apart from others of the chapter and profile: letters, digits,
        ``_`` and ``-``.
    command : str, optional
        The command that repeats the run; by default the one that make runs for the profile, or
        the present script's own.
    folder : path-like, optional
        Where the file goes; by default ``_build/results`` of the repository, or of the current
        folder where the package does not lie in one.

    Returns
    -------
    pathlib.Path
        The file that was written.

    Raises
    ------
    InputError
        If a value is missing, not finite, or not one that JSON can hold, or the file cannot be
        written.

    Chapter
    -------
    01_style_transfer
    """
    profile = current_profile() if profile is None else profile
    name = _file_name(chapter, profile, variant)
    content = {
        "chapter": chapter,
        "profile": profile,
        "variant": variant,
        "metrics": [_metric(entry) for entry in metrics],
        "data": _plain(data, "data"),
        "settings": _plain(settings, "settings"),
        "seconds": _number(seconds, "seconds"),
        "command": command or _command(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": _versions(),
    }
    if not content["metrics"] or content["seconds"] < 0:
        raise InputError(f"{name}: give at least one metric, and seconds that are 0 or more.")
    path = (_default_folder() if folder is None else Path(folder)) / name
    _write(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def duration(seconds: float) -> str:
    """Write a time in minutes and seconds, as pages and handouts have it.

    Parameters
    ----------
    seconds : float
        A time, 0 or more.

    Returns
    -------
    str
        Such as ``"57 s"`` or ``"2 min 11 s"``.

    Chapter
    -------
    01_style_transfer
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def load_all(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """Read every result in a folder, in the order of their file names.

    Parameters
    ----------
    folder : path-like
        Such as ``results``. Files that do not end in ``.json`` are passed over.

    Returns
    -------
    list of dict
        One for each file, as `record` wrote it.

    Raises
    ------
    InputError
        If the folder does not exist, or a file in it is not such a result.

    Chapter
    -------
    01_style_transfer
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: check the path.")
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _file_name(chapter: str, profile: str, variant: str | None) -> str:
    if profile not in PROFILES:
        raise InputError(f"profile is {profile!r}: choose one of {', '.join(PROFILES)}.")
    for what, text in (("chapter", chapter), ("variant", variant or "-")):
        if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
            raise InputError(f"{what} is {text!r}: use letters, digits, '_' and '-' only.")
    return "-".join(filter(None, (chapter, profile, variant))) + ".json"


def _metric(entry: Mapping[str, Any]) -> dict[str, Any]:
    keys = set(entry)
    if not {"metric", "value", "unit"} <= keys <= _METRIC_KEYS:
        raise InputError(
            f"The metric {dict(entry)!r} must have 'metric', 'value' and 'unit', and may have "
            "'better' and 'group'; nothing else."
        )
    name = entry["metric"]
    texts = (name, entry["unit"], entry.get("group", ""))
    if not name or not all(isinstance(text, str) for text in texts):
        raise InputError(f"The metric {name!r} needs a name, a unit and a group that are text.")
    if entry.get("better", "lower") not in ("lower", "higher"):
        raise InputError(f"{name}: 'better' is {entry['better']!r}: write 'lower' or 'higher'.")
    return {**entry, "value": _number(entry["value"], name)}


def _number(value: Any, name: str) -> float | int:
    if isinstance(value, np.ndarray | np.generic) and np.size(value) == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise InputError(f"{name} is {value!r}: only a finite number can be recorded.")
    return value


def _plain(value: Any, name: str) -> Any:
    def convert(item: Any) -> Any:
        if isinstance(item, np.ndarray | np.generic):
            return item.tolist()
        raise TypeError(f"{item!r} of type {type(item).__name__}")

    try:
        return json.loads(json.dumps(value, default=convert, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} holds what JSON cannot ({error}): give numbers, text, lists and mappings."
        ) from error


def _command() -> str:
    if chosen := os.environ.get("AUDIOSTYLE_COMMAND"):
        return chosen
    # A kernel's own arguments are of no use to a reader.
    if "ipykernel" in sys.modules:
        return "run in a notebook"
    return shlex.join(["python", *sys.argv])


def _machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": _memory_gb(),
        "gpu": _gpu(),
        "system": f"{platform.system()} {platform.machine()}",
        # How many things ran at once, where a tool ran several: then no time is a measurement.
        **({"at_once": int(at_once)} if (at_once := os.environ.get("AUDIOSTYLE_AT_ONCE")) else {}),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _gpu() -> str | None:
    torch, tensorflow = sys.modules.get("torch"), sys.modules.get("tensorflow")
    if torch is not None and torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    if tensorflow is not None and (found := tensorflow.config.list_physical_devices("GPU")):
        details = tensorflow.config.experimental.get_device_details(found[0])
        return details.get("device_name", found[0].name)
    return None


def _versions() -> dict[str, str]:
    imported = {dist for module, dist in _VERSIONED.items() if module in sys.modules}
    versions = {dist: metadata.version(dist) for dist in sorted(imported)}
    return {"python": platform.python_version(), **versions}


def _default_folder() -> Path:
    root = Path(__file__).resolve().parents[1]
    if not (root / "chapters").is_dir():
        root = Path.cwd()
    return root / "_build" / "results"


def _write(path: Path, text: str) -> None:
    # The process's number keeps two runs that write at the same time from sharing a draft.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


def _read(path: Path) -> dict[str, Any]:
    needed = {"chapter", "profile", "metrics", "data", "settings", "seconds", "machine", "date"}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: remove or restore it.") from error
    if not isinstance(content, dict) or not needed <= set(content):
        raise InputError(f"{path} is not a recorded result: remove it or record it again.")
    return content
