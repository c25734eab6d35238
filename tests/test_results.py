"""What a run measured, written and read back."""

import datetime
import json
import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import InputError, results

METRIC = {
    "metric": "style loss",
    "value": 674.0,
    "unit": "",
    "better": "lower",
    "group": "published",
}
RUN = {"data": "two built-in clips", "settings": {"n_fft": 2048}, "seconds": 1.5}


def record(folder, *metrics, **changes):
    arguments = {**RUN, "profile": "quick", "folder": folder, **changes}
    return results.record("09_throwaway", metrics or [METRIC], **arguments)


def test_a_result_reads_back(tmp_path):
    path = record(tmp_path, variant="own-clips", command="make chapter CH=09")
    assert path == tmp_path / "09_throwaway-quick-own-clips.json"
    (content,) = results.load_all(tmp_path)
    assert content["metrics"] == [METRIC]
    assert {key: content[key] for key in RUN} == RUN
    assert (content["chapter"], content["profile"], content["variant"], content["command"]) == (
        "09_throwaway",
        "quick",
        "own-clips",
        "make chapter CH=09",
    )


def test_machine_date_and_versions_are_added(tmp_path):
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    content = json.loads(record(tmp_path).read_text(encoding="utf-8"))
    assert before <= datetime.datetime.fromisoformat(content["date"])
    assert content["versions"]["python"] == platform.python_version()
    assert content["versions"]["numpy"] == np.__version__
    machine = content["machine"]
    assert machine["processor"] and machine["cores"] >= 1 and machine["memory_gb"] > 0
    assert "gpu" in machine


def test_the_profile_in_force_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_PROFILE", "full")
    assert record(tmp_path, profile=None).name == "09_throwaway-full.json"


def test_the_command_that_make_ran_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_COMMAND", "make chapter CH=09 PROFILE=full")
    record(tmp_path)
    assert results.load_all(tmp_path)[0]["command"] == "make chapter CH=09 PROFILE=full"


def test_numpy_values_become_plain_ones(tmp_path):
    metric = {"metric": "x", "value": np.float32(0.5), "unit": "dB"}
    record(tmp_path, metric, settings={"widths": np.array([1, 2]), "alpha": np.float64(0.1)})
    content = results.load_all(tmp_path)[0]
    assert content["metrics"][0]["value"] == 0.5
    assert content["settings"] == {"widths": [1, 2], "alpha": 0.1}


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_values_keep_every_digit(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("values")
    record(folder, {"metric": "x", "value": value, "unit": ""})
    assert results.load_all(folder)[0]["metrics"][0]["value"] == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "1", True, np.ones(2)])
def test_values_that_are_no_finite_number_are_refused(tmp_path, value):
    with pytest.raises(InputError, match="only a finite number"):
        record(tmp_path, {"metric": "loss", "value": value, "unit": ""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"f": print}},
        {"settings": {"x": float("nan")}},
        {"settings": {"x": np.array([np.inf])}},
        {"data": object()},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"profile": "fast"},
        {"variant": "../up"},
    ],
)
def test_what_cannot_be_recorded_is_refused(tmp_path, changes):
    with pytest.raises(InputError):
        record(tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "metric",
    [
        {"metric": "x", "value": 1.0},
        {"metric": "", "value": 1.0, "unit": ""},
        {"metric": "x", "value": 1.0, "unit": None},
        {"metric": "x", "value": 1.0, "unit": "", "better": "bigger"},
        {"metric": "x", "value": 1.0, "unit": "", "units": "dB"},
        {"metric": "x", "value": 1.0, "unit": "", "group": 2},
    ],
)
def test_metrics_of_another_shape_are_refused(tmp_path, metric):
    with pytest.raises(InputError):
        record(tmp_path, metric)


def test_a_run_without_metrics_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one metric"):
        results.record("09_throwaway", [], **RUN, profile="quick", folder=tmp_path)


def test_a_refused_run_leaves_the_earlier_one(tmp_path):
    earlier = record(tmp_path).read_text(encoding="utf-8")
    with pytest.raises(InputError):
        record(tmp_path, settings={"f": print})
    assert [path.name for path in tmp_path.iterdir()] == ["09_throwaway-quick.json"]
    assert next(tmp_path.iterdir()).read_text(encoding="utf-8") == earlier


def test_a_later_run_replaces_the_earlier_one(tmp_path):
    record(tmp_path, seconds=1.0)
    record(tmp_path, seconds=2.0)
    assert [content["seconds"] for content in results.load_all(tmp_path)] == [2.0]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="a-file.*cannot be written"):
        record(blocked)


def test_results_land_in_the_current_folder_outside_the_book(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "__file__", str(tmp_path / "site" / "package" / "results.py"))
    monkeypatch.chdir(tmp_path)
    assert record(None) == tmp_path / "_build" / "results" / "09_throwaway-quick.json"


def test_files_are_read_in_the_order_of_their_names(tmp_path):
    for variant in ("b", "a"):
        record(tmp_path, variant=variant)
    (tmp_path / "notes.txt").write_text("not a result", encoding="utf-8")
    assert [content["variant"] for content in results.load_all(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"chapter": "x"}'])
def test_a_broken_file_is_named(tmp_path, text):
    (tmp_path / "broken.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="broken.json"):
        results.load_all(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        results.load_all(tmp_path / "nowhere")
