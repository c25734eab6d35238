"""Run the chapters on a graphics card, and compare what they measure with bounds.

Each chapter runs under nbval, which compares what its bounded cells print. The numbers that it
records are laid beside results/bounds/colab.json. The chapters with Keras calculate with PyTorch
here, so that one library alone has to find the card. What comes of it is in _build/gpu/summary.md.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from audiostyle_utils.results import load_all
from book._tools import execute
from book._tools.common import Book, BuildError, cell_seconds, prepare, profile, run, write

# A chapter may train in one cell for longer than a page of the book may take to build.
CELL_SECONDS = 7200
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ASK = """
import json, torch
card = torch.cuda.is_available()
name = torch.cuda.get_device_name(0) if card else None
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "card": name}))
"""


@dataclass(frozen=True)
class GpuBook(Book):
    """The book with a build folder of its own: what the page builders keep is left alone."""

    @property
    def build(self) -> Path:
        """Everything that this check makes lies here, but for the recorded results."""
        return self.root / "_build" / "gpu"

    @property
    def results(self) -> Path:
        """Where chapters record what they measured, whoever runs them."""
        return self.root / "_build" / "results"


@dataclass(frozen=True)
class Bound:
    """Between which values a metric has to lie; None leaves a side open."""

    metric: str
    group: str | None
    low: float | None
    high: float | None
    why: str

    def holds(self, value: float) -> bool:
        """Tell whether a value is inside; the ends are."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        """Return such as "0.25 to 0.7"."""
        if self.low is None or self.high is None:
            return f"at most {self.high:.7g}" if self.low is None else f"at least {self.low:.7g}"
        return f"{self.low:.7g} to {self.high:.7g}"


@dataclass(frozen=True)
class Row:
    """One metric beside its bound."""

    metric: str
    group: str | None
    value: float | None
    unit: str
    bound: Bound | None

    @property
    def inside(self) -> bool | None:
        """Tell whether the value is inside; None where nothing is asked of it."""
        if self.bound is None:
            return None
        return self.value is not None and self.bound.holds(self.value)


@dataclass
class Outcome:
    """What became of one chapter."""

    chapter: str
    seconds: float = 0.0
    nbval: bool = False
    saw: str | None = None
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def load_bounds(path: Path) -> dict[str, list[Bound]]:
    """Read the bounds of every chapter.

    Raises
    ------
    BuildError
        The file is not there, or it does not hold bounds.
    """
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["bounds"]
        names = ("metric", "group", "low", "high", "why")
        bounds = {
            chapter: [Bound(**{name: entry[name] for name in names}) for entry in entries]
            for chapter, entries in listed.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError(f"{path} holds no bounds ({error!r}): restore it with git.") from error
    for chapter, entries in bounds.items():
        for bound in entries:
            _check(bound, f"{path}, {chapter}")
    return bounds


def _check(bound: Bound, place: str) -> None:
    ends = [end for end in (bound.low, bound.high) if end is not None]
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    if not ends or not numbers or ends != sorted(ends):
        raise BuildError(
            f"{place}: {bound.metric!r} has the bounds {bound.low!r} and {bound.high!r}. "
            "Give at least one number, and the lower one as low."
        )


def compare(metrics: Sequence[Mapping[str, Any]], bounds: Sequence[Bound]) -> list[Row]:
    """Lay recorded metrics beside their bounds.

    Returns
    -------
    list of Row
        One for each metric, in their order. Those that are bounded and were not recorded follow,
        without a value.
    """
    asked = {(bound.metric, bound.group): bound for bound in bounds}
    rows = []
    for entry in metrics:
        bound = asked.pop((entry["metric"], entry.get("group")), None)
        rows.append(Row(entry["metric"], entry.get("group"), entry["value"], entry["unit"], bound))
    return rows + [Row(bound.metric, bound.group, None, "", bound) for bound in asked.values()]


def problems_of(rows: Sequence[Row]) -> list[str]:
    """Say in words which metrics are out of bounds, or missing."""
    found = []
    for row in rows:
        name = ", ".join(filter(None, (row.metric, row.group)))
        if row.inside is False and row.value is None:
            found.append(f"{name}: was not recorded, and has to be {row.bound}")
        elif row.inside is False:
            found.append(f"{name}: is {row.value:.4g}, and has to be {row.bound} ({row.bound.why})")
    return found


def find_card(found: Mapping[str, str | None]) -> str:
    """Return the name of the graphics card.

    Parameters
    ----------
    found : mapping
        "torch" (its version), "cuda" (the one that it was built for, or None) and "card" (its
        name, or None).

    Raises
    ------
    BuildError
        PyTorch sees none. The message says what is missing.
    """
    if found["card"]:
        return found["card"]
    if found["cuda"]:
        cure = (
            f"It was built for CUDA {found['cuda']}: does nvidia-smi list a card, and is its "
            "driver new enough?"
        )
    else:
        cure = (
            "It was built without CUDA: put the build with CUDA into .venv, as the set-up page "
            "says (book/setup.md, GPU)."
        )
    raise BuildError(
        f"PyTorch {found['torch']} sees no graphics card with CUDA. {cure}\n"
        'To try the check itself on the processor: make test-gpu PROFILE=quick CH=06 P="--device '
        'cpu"'
    )


def _ask_torch() -> dict[str, str | None]:
    # In a process of its own: PyTorch would hold memory of the card as long as this one runs.
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True)
    if told.returncode:
        words = told.stderr.strip().splitlines() or [f"it ended with {told.returncode}"]
        raise BuildError(f"PyTorch cannot be loaded: {words[-1]}")
    return json.loads(told.stdout.splitlines()[-1])


def _prepare(book: Book, device: str) -> str:
    """Set what the kernels inherit, and return the name of the device."""
    name = f"the processor, {platform.machine()}"
    if device == "cuda":
        name = find_card(_ask_torch())
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("AUDIOSTYLE_CELL_TIMEOUT", str(CELL_SECONDS))
    prepare(book, profile(), f"make test-gpu PROFILE={profile()}")
    return name


def check_chapter(book: Book, chapter: Path, device: str, bounds: Sequence[Bound]) -> Outcome:
    """Run a chapter under nbval, and compare what it measured.

    Parameters
    ----------
    book : Book
    chapter : pathlib.Path
    device : str
        "cuda": a chapter with PyTorch that sees no card is a problem. "cpu": it is none.
    bounds : sequence of Bound
    """
    outcome = Outcome(chapter.stem)
    began = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    start = time.monotonic()
    print(f"{chapter.stem} ({profile()}): running ...", flush=True)
    try:
        with keras_with_torch(chapter):
            execute.check(book, chapter, profile(), cell_seconds())
        outcome.nbval = True
    except BuildError as error:
        print(error, file=sys.stderr, flush=True)
        outcome.problems.append("it failed under nbval: " + _last_words(str(error)))
    outcome.seconds = time.monotonic() - start
    _measure(outcome, recorded(book, chapter.stem, began), device, bounds)
    return outcome


@contextlib.contextmanager
def keras_with_torch(chapter: Path) -> Iterator[None]:
    """Let a chapter that leaves the choice open calculate with PyTorch, unless one is set.

    Chapter 1 is written with TensorFlow itself, and is left as it is.
    """
    mine = "KERAS_BACKEND" not in os.environ
    if mine and "KERAS_BACKEND" in chapter.read_text(encoding="utf-8"):
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        yield
    finally:
        if mine:
            os.environ.pop("KERAS_BACKEND", None)


def _last_words(said: str) -> str:
    """Return what tells most of nbval's message: the cell, and the error if there was one."""
    lines = [_COLOURS.sub("", line).strip() for line in said.splitlines() if line.strip()]
    cells = [line for line in lines if re.match(r"Cell \d+: ", line)]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return "; ".join([*cells[:1], *errors[-1:]]) or lines[-1]


def _measure(
    outcome: Outcome, record: Mapping[str, Any] | None, device: str, bounds: Sequence[Bound]
) -> None:
    if record is None:
        # A chapter records in its last cell, so one that failed has said why.
        outcome.problems += ["it recorded nothing in this run"] if outcome.nbval else []
        return
    outcome.saw = record["machine"]["gpu"]
    outcome.rows = compare(record["metrics"], bounds)
    outcome.problems += problems_of(outcome.rows)
    # Chapter 1 has TensorFlow alone, and its usual build finds no card: it may use the processor.
    if device == "cuda" and not outcome.saw and "torch" in record.get("versions", {}):
        outcome.problems.append("PyTorch saw no graphics card in it")


def recorded(book: Book, chapter: str, began: datetime.datetime) -> dict[str, Any] | None:
    """Return what a chapter recorded at this profile since `began`, or None."""
    if not book.results.is_dir():
        return None
    for record in load_all(book.results):
        mine = record["chapter"] == chapter and record["profile"] == profile()
        if mine and not record.get("variant"):
            return record if datetime.datetime.fromisoformat(record["date"]) >= began else None
    return None


def summary(about: Mapping[str, str], outcomes: Sequence[Outcome]) -> str:
    """Return the page that tells what was run, what was measured, and what is wrong."""
    wrong = [f"- {one.chapter}: {text}" for one in outcomes for text in one.problems]
    lines = ["# What the chapters measured, beside their bounds", ""]
    lines += [f"- {name}: {value}" for name, value in about.items()]
    lines += ["", *(["What is wrong:", "", *wrong] if wrong else ["Nothing is out of bounds."]), ""]
    lines += [
        "The bounds are in results/bounds/colab.json, with the reason for each. A metric without "
        "them is shown and not judged.",
        "",
        "| Chapter | Seconds | nbval | Saw | Metric | Value | Bounds | Inside |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(line for one in outcomes for line in _lines(one))]) + "\n"


def _lines(outcome: Outcome) -> list[str]:
    word = {True: "yes", False: "**no**", None: ""}
    passed = "passed" if outcome.nbval else "**failed**"
    front = [outcome.chapter, f"{outcome.seconds:.0f}", passed, outcome.saw or "the processor"]
    lines = []
    for row in outcome.rows or [Row("", None, None, "", None)]:
        name = ", ".join(filter(None, (row.metric, row.group)))
        value = "" if row.value is None else f"{row.value:.4g} {row.unit}".strip()
        cells = [*front, name, value, str(row.bound or ""), word[row.inside]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        front = [""] * len(front)
    return lines


def as_json(about: Mapping[str, str], outcomes: Sequence[Outcome]) -> str:
    """Return the same for programs."""
    listed = [asdict(one) for one in outcomes]
    for told, one in zip(listed, outcomes, strict=True):
        for row, original in zip(told["rows"], one.rows, strict=True):
            row["inside"] = original.inside
    return json.dumps({**about, "chapters": listed}, indent=2, ensure_ascii=False) + "\n"


def keep_summary(book: Book, about: Mapping[str, str], outcomes: Sequence[Outcome]) -> None:
    """Write the page and the file for programs."""
    write(book.build / "summary.md", summary(about, outcomes))
    write(book.build / "summary.json", as_json(about, outcomes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    return parser.parse_args(shlex.split(os.environ.get("P", "")))


def _about(device: str) -> dict[str, str]:
    wanted = ("torch", "keras", "tensorflow", "numpy", "librosa")
    return {
        "Device": device,
        "Profile": profile(),
        "Date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "Keras calculates with": os.environ.get("KERAS_BACKEND", "torch"),
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in wanted},
    }


def main(book: Book) -> int:
    """Do what `make test-gpu` promises."""
    book, device = GpuBook(book.root), _options().device
    numbers = os.environ.get("CH", "").split()
    chapters = [book.chapter(number) for number in numbers] or book.chapters()
    bounds = load_bounds(book.root / "results" / "bounds" / "colab.json")
    name = _prepare(book, device)
    print(f"On {name}:", flush=True)
    # What an earlier run left must not pass for this one's.
    for folder in ("executed", "tested"):
        shutil.rmtree(book.build / folder, ignore_errors=True)
    about, outcomes = _about(name), []
    for chapter in chapters:
        outcomes.append(check_chapter(book, chapter, device, bounds.get(chapter.stem, [])))
        # Written after each chapter: a machine that is taken away leaves what it found.
        keep_summary(book, about, outcomes)
    for one in outcomes:
        print(f"{one.chapter}: {'; '.join(one.problems) or 'ok'}")
    print(f"\nThe summary is here: {book.build / 'summary.md'}")
    return 1 if any(one.problems for one in outcomes) else 0


if __name__ == "__main__":
    run(main)
