"""Seeds, in a process of their own for each framework, and the progress bar."""

import random
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from audiostyle_utils import InputError, training

TENSORFLOW = """
import random
import numpy as np, tensorflow as tf
from audiostyle_utils.training import seed_everything

def draw():
    layer = tf.keras.layers.Dense(3)
    layer.build((None, 2))
    return [random.random(), np.random.rand(), *tf.random.normal([2]).numpy(),
            *layer.kernel.numpy().ravel(), *tf.keras.random.normal([2]).numpy()]

def seeded(seed):
    seed_everything(seed)
    return draw()
"""
TORCH = """
import random
import numpy as np, torch
from audiostyle_utils.training import seed_everything

def seeded(seed):
    seed_everything(seed)
    return [random.random(), np.random.rand(), *torch.randn(3).tolist(),
            *torch.nn.Linear(2, 2).weight.flatten().tolist()]
"""
CHECK = """
import sys
first, again, other = seeded(3), seeded(3), seeded(4)
assert first == again, (first, again)
assert not set(first) & set(other), (first, other)
print(*first)
"""


def run(code):
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("name", "setup", "absent"),
    [("tensorflow", TENSORFLOW, "torch"), ("torch", TORCH, "tensorflow")],
)
def test_a_seed_gives_the_same_numbers_again(name, setup, absent):
    pytest.importorskip(name)
    check = f"{setup}{CHECK}\nassert {absent!r} not in sys.modules"
    assert run(check) == run(check)


def test_python_and_numpy_are_seeded_and_no_framework_is_imported():
    code = """
    import random, sys
    import numpy as np
    from audiostyle_utils.training import seed_everything
    seed_everything(5)
    print(random.random(), np.random.rand())
    assert not {"tensorflow", "keras", "torch"} & set(sys.modules)
    """
    random.seed(5)
    expected = [random.random(), np.random.RandomState(5).rand()]
    assert [float(word) for word in run(code).split()] == expected


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(7), np.uint32(9)])
def test_seeds_at_the_edges_of_the_range(seed):
    training.seed_everything(seed)
    assert np.random.rand() == np.random.RandomState(int(seed)).rand()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "1", None, True])
def test_other_seeds_are_refused(seed):
    with pytest.raises(InputError, match="whole number from 0 to 4294967295"):
        training.seed_everything(seed)


class Terminal:
    """A stream that says it is a terminal and keeps what it is given."""

    encoding = "utf-8"

    def __init__(self, interactive):
        self.interactive, self.text = interactive, ""

    def isatty(self):
        return self.interactive

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("interactive", [True, False])
def test_the_bar_is_drawn_in_a_terminal_only(monkeypatch, interactive):
    stream = Terminal(interactive)
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(training.progress("abc", "Training")) == ["a", "b", "c"]
    assert ("Training: 100%" in stream.text) is interactive
    assert bool(stream.text) is interactive


def test_values_can_be_added_and_the_total_given(monkeypatch):
    stream = Terminal(True)
    monkeypatch.setattr(sys, "stderr", stream)
    bar = training.progress(iter(range(4)), "Fitting", total=4)
    for step in bar:
        bar.set_postfix(loss=step)
    assert "4/4" in stream.text and "loss=3" in stream.text


@pytest.mark.parametrize("variable", ["JPY_SESSION_NAME", None])
def test_in_a_notebook_the_bar_needs_someone_who_looks(tmp_path, monkeypatch, variable):
    nbclient = pytest.importorskip("nbclient")
    from nbformat.v4 import new_code_cell, new_notebook

    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    if variable:
        monkeypatch.setenv(variable, "a.ipynb")
    code = "from audiostyle_utils.training import progress\nlist(progress(range(3), 'Training'))"
    notebook = new_notebook(cells=[new_code_cell(code)])
    client = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=60)
    client.execute(cwd=str(tmp_path))
    shown = [out for out in notebook.cells[0].outputs if out.output_type == "stream"]
    assert bool(shown) is bool(variable)
