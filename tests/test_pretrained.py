"""Weights are kept whole, with a card, and mean the same on every backend."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from audiostyle_utils import InputError, pretrained

CARD = {
    "what": "A network that tells two tones apart.",
    "data": "tones, 100 of them",
    "command": "make chapter CH=02 PROFILE=full",
    "date": "2025-11-20",
    "settings": {"epochs": 3, "rate": np.float32(0.5)},
    "measures": [
        {
            "metric": "accuracy",
            "value": 0.9,
            "low": 0.8,
            "high": np.float64(0.95),
            "data": "20 tones",
        }
    ],
    "licence": "MIT",
    "classes": ["low", "high"],
}


def some_arrays():
    rng = np.random.default_rng(0)
    return {
        "000/kernel": rng.standard_normal((3, 4, 5)).astype(np.float32),
        "001/bias": rng.standard_normal(5).astype(np.float16),
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "swapped": np.arange(3, dtype=">f4"),
        "scale": np.float32(2.5),
        "steps": np.int64(7),
    }


@pytest.fixture
def kept(tmp_path):
    return pretrained.save(tmp_path / "tones.safetensors", some_arrays(), CARD)


def test_what_is_saved_comes_back(kept):
    weights = pretrained.load(kept)
    given = some_arrays()
    assert weights.name == "tones" and weights.arrays.keys() == given.keys()
    for name, array in given.items():
        found = weights.arrays[name]
        assert found.dtype.name == array.dtype.name and found.shape == array.shape, name
        assert np.array_equal(found, array), name
    assert sorted(path.name for path in kept.parent.iterdir()) == [
        "tones.json",
        "tones.safetensors",
    ]


def test_the_card_is_completed(kept):
    card = pretrained.load(str(kept)).card
    assert set(pretrained.CARD) == set(card)
    assert card["sha256"] == hashlib.sha256(kept.read_bytes()).hexdigest()
    assert card["parameters"] == 60 + 5 + 6 + 3 + 1 + 1
    assert card["settings"] == {"epochs": 3, "rate": 0.5}
    assert card["measures"][0]["high"] == 0.95


def test_more_entries_of_a_card_are_kept_and_a_stale_sum_is_not(tmp_path):
    path = tmp_path / "tones.safetensors"
    pretrained.save(path, some_arrays(), {**CARD, "note": "ä", "parameters": 3, "sha256": "old"})
    card = pretrained.load(path).card
    assert (card["note"], card["parameters"]) == ("ä", 3) and card["sha256"] != "old"


def test_saving_again_replaces_both_files(kept):
    pretrained.save(kept, {"a": np.zeros(2, np.float16)}, {**CARD, "what": "Zeros."})
    weights = pretrained.load(kept)
    assert (list(weights.arrays), weights.card["what"]) == (["a"], "Zeros.")


def test_weights_are_had_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert pretrained.names() == []
    with pytest.raises(InputError, match="none so far"):
        pretrained.load("tones")
    for name in ("tones_2", "tones"):
        pretrained.save(name, some_arrays(), CARD)
    assert pretrained.names() == ["tones", "tones_2"]
    assert pretrained.load("tones").name == "tones"
    with pytest.raises(InputError, match="no weights 'tunes'.*tones, tones_2"):
        pretrained.load("tunes")


@pytest.mark.parametrize("damage", ["flipped", "cut", "other"])
def test_damaged_weights_are_refused(kept, damage):
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes({"flipped": content, "cut": content[:-9], "other": b"no weights"}[damage])
    with pytest.raises(InputError, match="tones.safetensors is damaged"):
        pretrained.load(kept)


def test_a_file_of_another_format_is_refused(kept):
    kept.write_bytes(b"no weights")
    card = kept.with_suffix(".json")
    content = json.loads(card.read_text(encoding="utf-8"))
    content["sha256"] = hashlib.sha256(b"no weights").hexdigest()
    card.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="no safetensors file"):
        pretrained.load(kept)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no card"), ("{", "cannot be read"), ("[]", "no mapping"), ("{}", "lacks what, data")],
)
def test_weights_without_a_good_card_are_refused(kept, content, words):
    card = kept.with_suffix(".json")
    card.unlink()
    if content:
        card.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        pretrained.load(kept)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("what", " "),
        ("licence", None),
        ("date", "yesterday"),
        ("settings", "fast"),
        ("classes", "rock"),
        ("classes", None),
        ("classes", [1]),
        ("parameters", 0),
        ("measures", []),
        ("measures", 3),
        ("measures", [{"metric": "accuracy", "value": 0.9}]),
        ("measures", [{**CARD["measures"][0], "low": 0.91}]),
        ("measures", [{**CARD["measures"][0], "high": float("nan")}]),
        ("measures", [{**CARD["measures"][0], "data": ""}]),
    ],
)
def test_a_bad_card_is_refused_and_nothing_is_written(tmp_path, entry, value):
    with pytest.raises(InputError, match=f"card: {entry} is"):
        pretrained.save(tmp_path / "a.safetensors", some_arrays(), {**CARD, entry: value})
    assert list(tmp_path.iterdir()) == []


def test_a_card_that_lacks_entries_names_them(tmp_path):
    card = {key: value for key, value in CARD.items() if key not in ("command", "licence")}
    with pytest.raises(InputError, match="lacks command, licence"):
        pretrained.save(tmp_path / "a.safetensors", some_arrays(), card)
    with pytest.raises(InputError, match="JSON cannot"):
        settings = {"path": tmp_path}
        pretrained.save(tmp_path / "a.safetensors", some_arrays(), {**CARD, "settings": settings})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "empty"),
        ({"a": np.array([1, np.nan])}, "'a' holds NaN"),
        ({"a": np.array(["x"])}, "'a' has type"),
        ({"a": np.array([None])}, "'a' has type object"),
        ({"a": np.ones(2, complex)}, "'a' has type complex"),
        ({1: np.ones(2)}, "by name"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, arrays, words):
    with pytest.raises(InputError, match=words):
        pretrained.save(tmp_path / "a.safetensors", arrays, CARD)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "Tones", "../tones", "tones.npz", "a b", 3, None])
def test_a_bad_name_is_refused(name):
    for call in (pretrained.load, lambda name: pretrained.save(name, some_arrays(), CARD)):
        with pytest.raises(InputError, match="no name of weights"):
            call(name)


def test_what_is_read_between_the_two_replacements_is_refused(kept):
    former = kept.with_suffix(".json").read_bytes()
    pretrained.save(kept, some_arrays() | {"steps": np.int64(8)}, CARD)
    kept.with_suffix(".json").write_bytes(former)
    with pytest.raises(InputError, match="checksums differ"):
        pretrained.load(kept)


def test_a_folder_that_is_missing_is_made(tmp_path):
    path = pretrained.save(tmp_path / "new" / "a.safetensors", some_arrays(), CARD)
    assert pretrained.load(path).card["what"] == CARD["what"]


def test_a_save_that_fails_leaves_what_was_there(kept):
    before = kept.read_bytes()
    with pytest.raises(InputError, match="cannot be written"):
        pretrained.save(kept / kept.name, some_arrays(), CARD)  # a file in place of a folder
    assert kept.read_bytes() == before
    assert not list(kept.parent.glob(".part-*"))


def test_every_shipped_weight_loads_with_a_full_card():
    files = {
        path for path in pretrained.FOLDER.iterdir() if path.suffix in (".safetensors", ".json")
    }
    assert files == {
        pretrained.FOLDER / f"{name}{end}"
        for name in pretrained.names()
        for end in (".safetensors", ".json")
    }
    for name in pretrained.names():
        weights = pretrained.load(name)  # checks the card's entries and the sum
        assert all(np.isfinite(array).all() for array in weights.arrays.values()), name


# The same on each backend: the first to run writes what a network holds and gives; both read it.
NETWORK = """
import sys
from pathlib import Path

import keras
import numpy as np

from audiostyle_utils import InputError, pretrained

backend, folder = sys.argv[1], Path(sys.argv[2])
assert keras.backend.backend() == backend
x = np.random.default_rng(1).standard_normal((5, 20, 6)).astype("float32")

def network(outputs=3):
    y = inputs = keras.Input((20, 6))
    y = keras.layers.Conv1D(8, 3, activation="relu")(y)
    y = keras.layers.BatchNormalization()(y)
    y = keras.layers.SeparableConv1D(12, 3, depth_multiplier=2)(y)
    y = keras.layers.LayerNormalization()(y)
    y = keras.layers.Bidirectional(keras.layers.LSTM(4))(y)
    y = keras.layers.Dropout(0.5)(y)
    return keras.Model(inputs, keras.layers.Dense(outputs, activation="softmax")(y))

def outputs(model):
    return keras.ops.convert_to_numpy(model(x, training=False))

def same(first, second):
    return list(first) == list(second) and all((first[k] == second[k]).all() for k in first)

if not (folder / "arrays.npz").exists():
    model, rng = network(), np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(rng.uniform(0.1, 0.5, variable.shape))
    np.savez(folder / "arrays.npz", **pretrained.keras_arrays(model))
    np.save(folder / "outputs.npy", outputs(model))
with np.load(folder / "arrays.npz", allow_pickle=False) as file:
    arrays = dict(file)
wanted = np.load(folder / "outputs.npy", allow_pickle=False)

network()  # Keras counts on, so that the layers of the next have other names.
model = network()
model.layers[1].trainable = False
fresh = pretrained.keras_arrays(model)
assert list(fresh) == list(arrays)
assert abs(outputs(model) - wanted).max() > 0.01
last = list(arrays)[-2]
less = {name: array for name, array in arrays.items() if name != last}
for given, words in [
    (network(4), f"{last} is (8, 4) in the model and (8, 3) among"),
    (keras.Sequential([keras.layers.Dense(2)]), "no weights yet"),
    (less, f"{last} is (8, 3) in the model and nothing among"),
    ({**arrays, "999/kernel": x}, "999/kernel is nothing in the model and (5, 20, 6) among"),
]:
    try:
        pair = (model, given) if isinstance(given, dict) else (given, arrays)
        pretrained.set_keras_arrays(*pair)
    except InputError as error:
        assert words in str(error), error
    else:
        raise AssertionError(words)
assert same(pretrained.keras_arrays(model), fresh)  # nothing was set half

before = {name: array.copy() for name, array in fresh.items()}
pretrained.set_keras_arrays(model, {**arrays, "mean": x})
assert same(fresh, before)  # what was taken does not change with the model
assert same(pretrained.keras_arrays(model), arrays)
assert np.allclose(outputs(model), wanted, atol=1e-5)

halves = {name: array.astype("float16") for name, array in arrays.items()}
pretrained.set_keras_arrays(model, halves)
assert {array.dtype.name for array in pretrained.keras_arrays(model).values()} == {"float32"}
assert np.allclose(outputs(model), wanted, atol=0.02)
"""


def test_a_keras_model_means_the_same_on_each_backend(tmp_path):
    for backend in ("tensorflow", "torch"):
        done = subprocess.run(
            [sys.executable, "-c", NETWORK, backend, str(tmp_path)],
            env={**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{backend}: {done.stderr[-3000:]}"
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as arrays:
        assert arrays.files[:3] == ["000/kernel", "001/bias", "002/gamma"]
