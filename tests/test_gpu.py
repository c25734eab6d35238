"""The check on a graphics card: its bounds, its comparison, its summary."""

import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import reads
from nbformat.v4 import new_code_cell, new_notebook, writes

from audiostyle_utils.results import load_all
from book._tools import gpu
from book._tools.common import ROOT, Book, BuildError
from book._tools.gpu import Bound, GpuBook, Outcome, Row

FILE = ROOT / "results" / "bounds" / "colab.json"
LISTED = json.loads(FILE.read_text(encoding="utf-8"))["bounds"]
MEASURED = {path.stem: path for path in (ROOT / "results").glob("*.json")}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


pytestmark = pytest.mark.usefixtures("environment_is_restored")


def metric(name, value, group=None, unit=""):
    entry = {"metric": name, "value": value, "unit": unit}
    return entry | ({"group": group} if group else {})


# The bounds


def test_every_chapter_has_bounds():
    assert set(gpu.load_bounds(FILE)) == {path.stem for path in (ROOT / "chapters").glob("*.ipynb")}


@pytest.mark.parametrize("chapter", LISTED)
def test_what_a_bound_comes_from_was_measured_and_is_inside(chapter):
    for entry, bound in zip(LISTED[chapter], gpu.load_bounds(FILE)[chapter], strict=True):
        assert entry["from"] and entry["why"]
        for name in entry["from"]:
            assert name.startswith(chapter) and name in MEASURED, name
            metrics = json.loads(MEASURED[name].read_text(encoding="utf-8"))["metrics"]
            found = [m["value"] for m in metrics if same(m, entry)]
            assert len(found) == 1 and bound.holds(found[0]), (name, entry, found)


def same(one, other):
    return (one["metric"], one.get("group")) == (other["metric"], other["group"])


def test_bounds_are_of_what_does_not_depend_on_the_machine():
    names = " ".join(entry["metric"] for entries in LISTED.values() for entry in entries)
    assert not re.search(r"second|frames a", names)


def test_the_bounds_are_no_result():
    """They lie below results/, and the pages show the files of results/ itself."""
    assert FILE not in MEASURED.values()
    assert len(load_all(ROOT / "results")) == len(MEASURED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no JSON", "holds no bounds"),
        ("[]", "holds no bounds"),
        ('{"bounds": {"01_x": [{"metric": "m"}]}}', "holds no bounds"),
        ('{"bounds": {"01_x": [{"metric": "m", "group": null, "low": 2, "high": 1, "why": ""}]}}',
         "01_x: 'm' has the bounds 2 and 1"),
        ('{"bounds": {"01_x": [{"metric": "m", "group": null, "low": null, "high": null, '
         '"why": ""}]}}', "Give at least one number"),
        ('{"bounds": {"01_x": [{"metric": "m", "group": null, "low": "2", "high": null, '
         '"why": ""}]}}', "Give at least one number"),
    ],
)  # fmt: skip
def test_bounds_that_are_none_are_refused(tmp_path, text, said):
    (tmp_path / "colab.json").write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=re.escape(said)):
        gpu.load_bounds(tmp_path / "colab.json")


def test_bounds_that_are_missing_are_named(tmp_path):
    with pytest.raises(BuildError, match="colab.json holds no bounds"):
        gpu.load_bounds(tmp_path / "colab.json")


# The comparison


@given(value=NUMBERS, low=st.none() | NUMBERS, high=st.none() | NUMBERS)
def test_a_value_is_inside_if_it_is_on_the_right_side_of_both_ends(value, low, high):
    inside = Bound("m", None, low, high, "").holds(value)
    assert inside == (not (low is not None and value < low or high is not None and value > high))


def test_metrics_are_told_apart_by_their_groups():
    bounds = [Bound("error", "ours", 0, 0.2, "why"), Bound("error", "theirs", 0.5, None, "why")]
    metrics = [metric("error", 0.3, "ours"), metric("error", 0.9, "theirs"), metric("error", 7)]
    rows = gpu.compare(metrics, bounds)
    assert [(row.group, row.inside) for row in rows] == [
        ("ours", False),
        ("theirs", True),
        (None, None),
    ]
    assert gpu.problems_of(rows) == ["error, ours: is 0.3, and has to be 0 to 0.2 (why)"]


def test_what_is_bounded_and_was_not_recorded_is_a_problem():
    rows = gpu.compare([metric("speed", 3)], [Bound("error", None, None, 0.2, "why")])
    assert [row.inside for row in rows] == [None, False]
    assert gpu.problems_of(rows) == ["error: was not recorded, and has to be at most 0.2"]


@pytest.mark.parametrize(
    ("low", "high", "said"), [(1, None, "at least 1"), (None, 2.5, "at most 2.5"), (0, 1, "0 to 1")]
)
def test_a_bound_says_what_it_is(low, high, said):
    assert str(Bound("m", None, low, high, "")) == said


# The summary


def outcomes():
    bound = Bound("error", "a|b", 0, 0.2, "why")
    rows = [
        Row("error", "a|b", 0.25, "dB", bound),
        Row("steps", None, 200, "", None),
        Row("lost", None, None, "", Bound("lost", None, 1, None, "why")),
    ]
    good = Outcome("01_one", 12.4, True, "A card", [Row("error", "a|b", 0.1, "dB", bound)])
    bad = Outcome("02_two", 3.6, False, None, rows, gpu.problems_of(rows))
    return [good, bad, Outcome("03_three", problems=["a cell failed"])]


def test_the_summary_is_one_table_with_every_metric():
    page = gpu.summary({"Device": "A card"}, outcomes())
    rows = [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in page.splitlines() if line[:1] == "|"]
    assert {len(row) for row in rows} == {8} and len(rows) == 2 + 5
    assert rows[2] == [
        "01_one",
        "12",
        "passed",
        "A card",
        r"error, a\|b",
        "0.1 dB",
        "0 to 0.2",
        "yes",
    ]
    assert rows[3][:4] == ["02_two", "4", "**failed**", "the processor"]
    assert rows[3][-1] == "**no**" and rows[4][-2:] == ["", ""]
    assert rows[5][4:] == ["lost", "", "at least 1", "**no**"]
    assert rows[6][0] == "03_three" and rows[6][2] == "**failed**"


def test_the_summary_begins_with_what_is_wrong():
    page = gpu.summary({"Device": "A card"}, outcomes())
    wrong = [line for line in page.splitlines() if re.match(r"- 0\d_", line)]
    assert wrong == [
        "- 02_two: error, a|b: is 0.25, and has to be 0 to 0.2 (why)",
        "- 02_two: lost: was not recorded, and has to be at least 1",
        "- 03_three: a cell failed",
    ]
    assert "Nothing is out of bounds." in gpu.summary({}, outcomes()[:1])


def test_the_summary_for_programs_says_the_same():
    told = json.loads(gpu.as_json({"Device": "A card"}, outcomes()))
    assert told["Device"] == "A card"
    inside = [[row["inside"] for row in one["rows"]] for one in told["chapters"]]
    assert inside == [[True], [False, None, False], []]
    assert told["chapters"][2]["problems"] == ["a cell failed"]


# The card


def test_a_card_is_named():
    assert gpu.find_card({"torch": "2", "cuda": "13.0", "card": "Card 9"}) == "Card 9"


@pytest.mark.parametrize(
    ("cuda", "said"), [(None, "without CUDA.*set-up page"), ("13.0", "CUDA 13.0.*nvidia-smi")]
)
def test_without_a_card_it_is_said_what_is_missing(cuda, said):
    with pytest.raises(BuildError, match=rf"PyTorch 2\.9 sees no graphics card.*{said}"):
        gpu.find_card({"torch": "2.9", "cuda": cuda, "card": None})


def test_make_test_gpu_refuses_a_machine_without_a_card():
    surroundings = dict(os.environ, CUDA_VISIBLE_DEVICES="", PROFILE="quick", P="", CH="06")
    told = subprocess.run(
        [sys.executable, "-m", "book._tools.gpu"],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1
    assert "sees no graphics card" in told.stderr and "--device cpu" in told.stderr


@pytest.mark.parametrize(("given", "reached"), [([], "colab"), (["PROFILE=quick"], "quick")])
def test_make_test_gpu_runs_the_colab_profile_unless_told_otherwise(tmp_path, given, reached):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    # The tool is replaced by one that says which profile it was given.
    makefile = re.sub(r"^RUN := .*$", "RUN := printenv PROFILE \\#", makefile, flags=re.M)
    makefile = re.sub(r"^env:\n.*$", "env:", makefile, flags=re.M)
    (tmp_path / "Makefile").write_text(makefile, encoding="utf-8")
    told = subprocess.run(
        ["make", "-s", "test-gpu", *given], cwd=tmp_path, capture_output=True, text=True
    )
    assert told.stdout == f"{reached}\n", told.stderr


# A chapter

KERNEL = {"name": "python3", "display_name": "Python 3"}
CODE = """
from audiostyle_utils import results
metrics = [{"metric": "sum", "value": 1 + 1, "unit": ""}]
results.record("01_tiny", metrics, data="none", settings={}, seconds=0.1, folder=FOLDER)
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A book with one chapter that records a sum."""
    book = GpuBook(tmp_path)
    for folder in ("chapters", "audiostyle_utils"):
        (tmp_path / folder).mkdir()
    (tmp_path / "constraints.txt").write_text("", encoding="utf-8")
    monkeypatch.setenv("PROFILE", "quick")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    gpu._prepare(book, "cpu")
    return book


def chapter(book, code):
    path = book.root / "chapters" / "01_tiny.ipynb"
    cells = [new_code_cell(code.replace("FOLDER", repr(str(book.results))))]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    path.write_text(writes(notebook), encoding="utf-8")
    return path


def test_a_chapter_runs_and_what_it_measured_is_compared(tiny):
    bounds = [Bound("sum", None, 3, None, "why")]
    outcome = gpu.check_chapter(tiny, chapter(tiny, CODE), "cpu", bounds)
    assert outcome.nbval is True and outcome.seconds > 0
    assert outcome.problems == ["sum: is 2, and has to be at least 3 (why)"]
    kept = tiny.executed(Path("01_tiny.ipynb"), "quick")
    assert kept.is_file() and kept.is_relative_to(tiny.root / "_build" / "gpu")


def test_a_chapter_that_fails_is_a_problem_and_no_end(tiny, capfd):
    outcome = gpu.check_chapter(tiny, chapter(tiny, "1 / 0"), "cpu", [])
    assert (outcome.nbval, outcome.rows) == (False, [])
    (said,) = outcome.problems
    assert re.fullmatch(r"it failed under nbval: Cell 0: .*; ZeroDivisionError: .* zero", said)
    assert "1 / 0" in capfd.readouterr().err


def test_a_bounded_cell_that_prints_something_else_is_a_problem(tiny):
    path = chapter(tiny, "print('better:', 1 > 2)")
    notebook = reads(path.read_text(encoding="utf-8"), as_version=4)
    notebook.cells[0].metadata = {"tags": ["bounded"], "prints": "better: True\n"}
    path.write_text(writes(notebook), encoding="utf-8")
    outcome = gpu.check_chapter(tiny, path, "cpu", [])
    assert outcome.problems == ["it failed under nbval: Cell 0: Cell outputs differ"]


def test_keras_calculates_with_torch_where_a_chapter_leaves_it_open(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    chapters = Book(ROOT).chapters()
    told = {}
    for path in chapters:
        with gpu.keras_with_torch(path):
            told[path.stem[:2]] = os.environ.get("KERAS_BACKEND")
        assert "KERAS_BACKEND" not in os.environ
    assert {told[number] for number in ("02", "03", "04")} == {"torch"}
    assert told["01"] is None
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with gpu.keras_with_torch(chapters[1]):
        assert os.environ["KERAS_BACKEND"] == "jax"
    assert os.environ["KERAS_BACKEND"] == "jax"


def result(book, **changed):
    content = {
        "chapter": "01_tiny",
        "profile": "quick",
        "metrics": [metric("sum", 2)],
        "data": "",
        "settings": {},
        "seconds": 1,
        "machine": {"gpu": None},
        "date": "2026-01-02T03:04:05+00:00",
        "versions": {"torch": "2"},
    }
    book.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content | changed)
    (book.results / "01_tiny-quick.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("seconds", "changed", "there"),
    [(0, {}, True), (1, {}, False), (0, {"profile": "full"}, False), (0, {"variant": "x"}, False)],
)
def test_only_what_this_run_recorded_counts(tiny, seconds, changed, there):
    began = datetime.datetime(2026, 1, 2, 3, 4, 5 + seconds, tzinfo=datetime.UTC)
    assert gpu.recorded(tiny, "01_tiny", began) is None
    result(tiny, **changed)
    assert (gpu.recorded(tiny, "01_tiny", began) is not None) is there


@pytest.mark.parametrize(
    ("device", "changed", "problems"),
    [
        ("cpu", {}, []),
        ("cuda", {}, ["PyTorch saw no graphics card in it"]),
        ("cuda", {"machine": {"gpu": "Card 9"}}, []),
        ("cuda", {"versions": {"tensorflow": "2"}}, []),
    ],
)
def test_a_chapter_that_missed_the_card_is_a_problem(tiny, device, changed, problems):
    result(tiny, **changed)
    began = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    outcome = Outcome("01_tiny")
    gpu._measure(outcome, gpu.recorded(tiny, "01_tiny", began), device, [])
    assert outcome.problems == problems
