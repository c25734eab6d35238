"""A training that is stopped and goes on ends where an unbroken one does, on both backends."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from audiostyle_utils import InputError, training
from audiostyle_utils.training import Checkpoint

SETTINGS = {"seed": 3, "rates": (0.1, 0.2), "name": "compact"}
COMMON = """
import json, sys
import numpy as np
import keras
from audiostyle_utils.training import Checkpoint, seed_everything

folder = sys.argv[1]
settings = {"seed": 3, "rates": (0.1, 0.2), "name": "compact"}
rng = np.random.default_rng(0)
x = rng.normal(size=(48, 20, 5)).astype("float32")
y = rng.integers(0, 3, 48)

class Scale(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")

    def call(self, inputs):
        return inputs * self.factor

torch = keras.backend.backend() == "torch"

def build(seed=5 if torch else None):
    model = keras.Sequential([
        keras.Input((20, 5)), Scale(),
        keras.layers.Conv1D(8, 3, activation="relu"), keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.4, seed=seed), keras.layers.GlobalMaxPooling1D(),
        keras.layers.Dropout(0.3, seed=6), keras.layers.Dense(3, activation="softmax"),
    ])
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 30)
    adam = keras.optimizers.Adam(schedule)
    loss = "sparse_categorical_crossentropy"
    model.compile(adam, loss, metrics=["accuracy"], jit_compile=False)  # which saves time
    return model

def train(model, history, epochs, checkpoint=None):
    for epoch in range(len(history), epochs):
        order = np.random.default_rng((3, epoch)).permutation(len(x))
        logs = model.fit(x[order], y[order], 8, shuffle=False, verbose=0).history
        history.append({key: values[0] for key, values in logs.items()})
        if checkpoint:
            checkpoint.save(model, history)
    return history

def keep(model, history, name):
    variables = model.variables + model.optimizer.variables
    arrays = {f"{i:03}": keras.ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    np.savez(f"{folder}/{name}.npz", **arrays)
    with open(f"{folder}/{name}.json", "w") as file:
        json.dump(history, file)
"""
BEGIN = """
seed_everything(3)
model = build()
keep(model, train(model, [], 4), "unbroken")

seed_everything(3)
model, checkpoint = build(), Checkpoint(folder, settings)
assert checkpoint.restore(model) == []
train(model, [], 2, checkpoint)

if torch:
    from audiostyle_utils import InputError
    try:
        checkpoint.restore(build(seed=None))
        raise SystemExit("a layer without a seed was not refused")
    except InputError as error:
        assert "Dropout(..., seed=1)" in str(error), error

seed_everything(50)
model = build()  # its layers have other names than those of the first
keep(model, train(model, checkpoint.restore(model), 4), "same process")
"""
GO_ON = """
seed_everything(60)
model, checkpoint = build(), Checkpoint(folder, settings)
history = checkpoint.restore(model)
assert len(history) == 2
keep(model, train(model, history, 4, checkpoint), "other process")
while True:  # until it is killed
    history.append({"loss": float(len(history))})
    checkpoint.save(model, history)
    print(len(history), flush=True)
"""


def start(code, backend, folder):
    env = os.environ | {"KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", COMMON + code, str(folder)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=env)


@pytest.fixture(scope="module", params=["tensorflow", "torch"])
def trained(request, tmp_path_factory):
    """Train unbroken, and in two pieces; the second process is killed while it saves."""
    if not all(find_spec(name) for name in ("keras", request.param)):
        pytest.skip(f"Keras on {request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    with start(BEGIN, request.param, folder) as first:
        errors = first.communicate(timeout=240)[1]
        assert first.returncode == 0, errors
    with start(GO_ON, request.param, folder) as second:
        lines = [second.stdout.readline() for _ in range(30)]
        second.kill()
        rest, errors = second.communicate()
        assert lines[-1], errors
    return folder, int([*lines, *rest.splitlines()][-1])


@pytest.mark.parametrize("resumed", ["same process", "other process"])
def test_a_resumed_training_ends_exactly_as_an_unbroken_one(trained, resumed):
    folder, _ = trained
    histories = [
        json.loads((folder / f"{name}.json").read_text()) for name in ("unbroken", resumed)
    ]
    assert len(histories[0]) == 4 and histories[0] == histories[1]
    with np.load(folder / "unbroken.npz") as expected, np.load(folder / f"{resumed}.npz") as found:
        assert set(found) == set(expected)
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name], strict=True)


def test_a_training_that_is_killed_while_it_saves_leaves_a_whole_checkpoint(trained):
    folder, saved = trained
    header, arrays = Checkpoint(folder, SETTINGS)._read()
    assert len(header["history"]) in (saved, saved + 1)
    assert header["history"][-1] == {"loss": len(header["history"]) - 1.0}
    with np.load(folder / "other process.npz") as expected:
        for array, name in zip(arrays.values(), sorted(expected), strict=True):
            np.testing.assert_array_equal(array, expected[name], strict=True)


# What is refused


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


@pytest.fixture
def compiled(keras):
    def make(units=3, optimizer="adam"):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])
        model.compile(optimizer, "mse")
        return model

    return make


@pytest.fixture
def checkpoint(compiled, tmp_path):
    kept = Checkpoint(tmp_path / "run", SETTINGS)
    kept.save(compiled(), [{"loss": 0.1}, {"loss": np.float32(0.5), "steps": 7}])
    return kept


def weights(model):
    return [array.copy() for array in model.get_weights()]


def refused(words, kept, model):
    """Check that a model is left alone by a checkpoint that is refused."""
    before = weights(model)
    with pytest.raises(InputError, match=words):
        kept.restore(model)
    for array, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_history_and_weights_come_back(compiled, checkpoint):
    trained, other = compiled(), compiled()
    trained.set_weights([np.full((4, 3), 0.1), np.arange(3.0)])
    history = [{"loss": 1 / 3, "acc": 0.1}, {"loss": float("inf"), "acc": 0.2}]
    checkpoint.save(trained, history)
    assert checkpoint.restore(other) == history
    for array, expected in zip(other.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_numbers_of_any_kind_are_kept_as_floats(compiled, checkpoint):
    assert checkpoint.restore(compiled()) == [{"loss": 0.1}, {"loss": 0.5, "steps": 7.0}]


def test_a_folder_without_a_checkpoint_leaves_the_model_alone(compiled, tmp_path):
    model = compiled()
    before = weights(model)
    assert Checkpoint(tmp_path / "new", {}).restore(model) == []
    assert not (tmp_path / "new").exists()
    for array, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_only_the_checkpoint_is_left_in_the_folder(compiled, checkpoint):
    checkpoint.file.with_suffix(".part").write_bytes(b"what a killed process left")
    assert len(checkpoint.restore(compiled())) == 2
    for _ in range(3):
        checkpoint.save(compiled(), [])
    assert os.listdir(checkpoint.file.parent) == [checkpoint.file.name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 4}, "seed was 3 and is 4"),
        ({"rates": (0.1,)}, r"rates was \[0.1, 0.2\] and is \[0.1\]"),
        ({"more": 1}, "more was None and is 1"),
    ],
)
def test_other_settings_are_refused_when_reading_and_when_writing(
    compiled, checkpoint, change, words
):
    other = Checkpoint(checkpoint.file.parent, SETTINGS | change)
    before = checkpoint.file.read_bytes()
    refused(words, other, compiled())
    with pytest.raises(InputError, match="other settings"):
        other.save(compiled(), [])
    assert checkpoint.file.read_bytes() == before


@pytest.mark.parametrize("change", [{"units": 4}, {"optimizer": "sgd"}])
def test_another_model_is_refused(compiled, checkpoint, change):
    refused("another model", checkpoint, compiled(**change))


def test_another_backend_is_refused(compiled, checkpoint):
    header, arrays = checkpoint._read()
    text = json.dumps(header | {"backend": "elsewhere"})
    digest = training._digest(text, arrays)
    save_file(arrays, checkpoint.file, {"header": text, "sha256": digest})
    refused("KERAS_BACKEND=elsewhere", checkpoint, compiled())


def test_a_damaged_file_is_refused_wherever_it_is_damaged(compiled, checkpoint):
    whole, model = checkpoint.file.read_bytes(), compiled()
    rng = np.random.default_rng(0)
    for where in [0, 8, 9, len(whole) - 1, *rng.integers(0, len(whole), 400)]:
        damaged = bytearray(whole)
        damaged[where] ^= 1 << int(rng.integers(8))
        checkpoint.file.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged.*Remove it"):
            checkpoint.restore(model)
    for content in (b"", whole[:9], whole[: len(whole) // 2], whole[:-1], b"no checkpoint"):
        checkpoint.file.write_bytes(content)
        refused("damaged", checkpoint, model)
        with pytest.raises(InputError, match="damaged"):
            checkpoint.save(model, [])
    checkpoint.file.write_bytes(whole)
    assert len(checkpoint.restore(model)) == 2


def test_other_safetensors_are_no_checkpoint(compiled, checkpoint):
    arrays = load_file(checkpoint.file)
    for metadata in (None, {"header": "{}"}, {"header": "[]"}, {"author": "somebody"}):
        save_file(arrays, checkpoint.file, metadata)
        refused("no checkpoint", checkpoint, compiled())


def test_a_model_that_is_not_ready_is_refused(keras, compiled, checkpoint):
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    unbuilt = keras.Sequential([keras.layers.Dense(3)])
    unbuilt.compile("adam", "mse")
    for model in (plain, unbuilt):
        with pytest.raises(InputError, match="model.compile"):
            checkpoint.restore(model)
        with pytest.raises(InputError, match="model.compile"):
            checkpoint.save(model, [])


@pytest.mark.parametrize("settings", [{"a": Path("x")}, {"a": float("nan")}, ["a"], 3])
def test_settings_that_cannot_be_compared_later_are_refused(tmp_path, settings):
    with pytest.raises(InputError, match="JSON"):
        Checkpoint(tmp_path, settings)


@pytest.mark.parametrize("history", [[{"loss": "low"}], [0.3], [{"loss": [1, 2]}], 3])
def test_a_history_that_is_no_list_of_numbers_is_refused(compiled, checkpoint, history):
    before = checkpoint.file.read_bytes()
    with pytest.raises(InputError, match="dict of numbers"):
        checkpoint.save(compiled(), history)
    assert checkpoint.file.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(compiled, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        Checkpoint(tmp_path / "file" / "run", {}).save(compiled(), [])
