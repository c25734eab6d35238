"""Seeds, checkpoints that resume, and a progress bar that knows when nobody is watching."""

import hashlib
import json
import numbers
import os
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from audiostyle_utils.errors import InputError

T = TypeVar("T")


def seed_everything(seed: int) -> None:
    """Seed every random number generator that a chapter may draw from.

    These are Python's ``random``, NumPy's global generator, and those of TensorFlow, Keras and
    PyTorch where they are imported: call it after the imports. It imports no framework. Generators
    that a chapter makes itself, such as ``np.random.default_rng(seed)``, take their own seed.

    Parameters
    ----------
    seed : int
        From 0 to 4294967295 (2**32 - 1), the range that all of them accept.

    Raises
    ------
    InputError
        If the seed is not a whole number in this range.

    Chapter
    -------
    01_style_transfer
    """
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed!r}: give a whole number from 0 to {2**32 - 1}.")
    seed = int(seed)
    # Keras also seeds Python, NumPy and its backend, and forgets the generator it had begun.
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def progress(iterable: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Show a progress bar while iterating, if a person is there to see it.

    The bar appears in a terminal, and in a notebook that is open in Jupyter, VS Code or Colab. It
    is silent where the book is built or tested, so that no half-drawn bar ends on a page.

    Parameters
    ----------
    iterable : iterable
        What to go through.
    description : str
        Short text that stands before the bar.
    total : int, optional
        Number of items, where ``len(iterable)`` is not known.

    Returns
    -------
    tqdm.tqdm
        Yields the items of `iterable`, unchanged. Its ``set_postfix(loss=...)`` adds values to the
        bar.

    Chapter
    -------
    01_style_transfer
    """
    from tqdm import tqdm

    return tqdm(iterable, desc=description, total=total, disable=not _watched())


def _watched() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return sys.stderr is not None and sys.stderr.isatty()
    # A kernel that Jupyter's server started knows its notebook by this variable, VS Code leaves a
    # name in the notebook, and Colab has its own module. A kernel that builds the book has none.
    return (
        "JPY_SESSION_NAME" in os.environ
        or "__vsc_ipynb_file__" in shell.user_ns
        or "google.colab" in sys.modules
    )


class Checkpoint:
    """Keeps a training of Keras, so that one that was stopped goes on as if it had not been.

    All that training changes is kept: weights, statistics of normalisation, the seeds of dropout
    and other random layers, the optimizer with its count of steps. What the caller draws has to
    follow from the epoch's number, such as the order of the data from
    ``np.random.default_rng((seed, epoch))``. The model itself is not stored: build and compile
    the same one again. It works with Keras on TensorFlow and on PyTorch; on PyTorch, each random
    layer has to be given a seed.

    ::

        checkpoint = Checkpoint("runs/genres", settings)
        history = checkpoint.restore(model)
        for epoch in range(len(history), epochs):
            history.append(train_one_epoch(model, epoch))
            checkpoint.save(model, history)

    Parameters
    ----------
    folder : str or path
        Where to keep it; made when it is first needed.
    settings : dict
        Whatever the course of the training depends on, as text, numbers, lists and dicts. A
        checkpoint that was made with other settings is refused.

    Raises
    ------
    InputError
        The settings cannot be written as JSON.

    Chapter
    -------
    02_genre_cnn
    """

    def __init__(self, folder: str | os.PathLike, settings: dict[str, object]) -> None:
        self.file = Path(folder).expanduser() / "checkpoint.safetensors"
        try:
            self._settings = json.loads(json.dumps(dict(settings), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"The settings cannot be written as JSON ({error}). Give a dict of text, numbers, "
                "lists and dicts."
            ) from error

    def restore(self, model) -> list[dict[str, float]]:
        """Bring a model to where the training stopped.

        Parameters
        ----------
        model : keras.Model
            Built and compiled, as it was when the training began.

        Returns
        -------
        list of dict
            One dict of measures for each epoch that is done. Where nothing was kept it is empty,
            and the model is left as it is.

        Raises
        ------
        InputError
            What was kept has other settings, belongs to another model or backend, or is damaged;
            or the model is not built or compiled, or has a layer without the seed that it needs.
            The model is then left as it is.
        """
        variables = _variables(model)
        if not self.file.exists():
            return []
        header, arrays = self._read()
        self._check(header)
        self._check_fit(arrays, variables)
        for name, variable in variables:
            variable.assign(arrays[name])
        return header["history"]

    def save(self, model, history: list[dict[str, float]]) -> None:
        """Keep a model and its history, in place of what was kept before.

        The new file replaces the old one in a single step, so that a training that is killed at
        any moment has one or the other.

        Parameters
        ----------
        model : keras.Model
            Built and compiled.
        history : list of dict
            One dict for each epoch so far: a number for each measure.

        Raises
        ------
        InputError
            The folder holds a checkpoint with other settings or cannot be written, the history
            is not as described, or the model is not built or compiled or has a layer without
            the seed that it needs.
        """
        if self.file.exists():
            self._check(self._read(tensors=False)[0])
        arrays = {name: _array(variable) for name, variable in _variables(model)}
        header = {"settings": self._settings, "history": _plain(history), "backend": _backend()}
        text = json.dumps(header, sort_keys=True)
        self._write(arrays, {"header": text, "sha256": _digest(text, arrays)})

    def _write(self, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
        from safetensors.numpy import save

        # Always the same name, so that what a killed process leaves is overwritten by the next.
        temporary = self.file.with_suffix(".part")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(save(arrays, metadata))
                file.flush()
                os.fsync(file.fileno())  # the content is on the disk before the name points to it
            os.replace(temporary, self.file)
        except OSError as error:
            raise InputError(
                f"{self.file} cannot be written: {error.strerror or error}. Give a folder that you "
                "may write to, with room on it."
            ) from error
        finally:
            if self.file.parent.is_dir():
                temporary.unlink(missing_ok=True)

    def _read(self, tensors: bool = True) -> tuple[dict, dict[str, np.ndarray]]:
        """Return the header and, if they are asked for, the arrays in their order."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.file, framework="np") as file:
                metadata = file.metadata()
                arrays = {name: file.get_tensor(name) for name in sorted(file.keys()) if tensors}
            header = json.loads(metadata["header"])
            if not {"settings", "history", "backend"} <= set(header):
                raise ValueError("another kind of file")
            if tensors and metadata["sha256"] != _digest(metadata["header"], arrays):
                raise ValueError("wrong checksum")
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.file} is damaged or no checkpoint ({error}). Remove it to begin the "
                "training anew."
            ) from error
        return header, arrays

    def _check(self, header: dict) -> None:
        """Refuse a checkpoint of another training."""
        wanted, kept = self._settings, header["settings"]
        if wanted != kept:
            differing = [
                f"{key} was {kept.get(key)!r} and is {wanted.get(key)!r}"
                for key in sorted({*wanted, *kept})
                if (key in wanted, wanted.get(key)) != (key in kept, kept.get(key))
            ]
            raise InputError(
                f"{self.file} was made with other settings: {'; '.join(differing)}. Go on with the "
                "former ones, choose another folder, or remove the file."
            )
        if header["backend"] != _backend():
            raise InputError(
                f"{self.file} was made with Keras on {header['backend']}, and this is "
                f"{_backend()}, which draws other random numbers. Set KERAS_BACKEND="
                f"{header['backend']}, or choose another folder."
            )

    def _check_fit(self, arrays: dict[str, np.ndarray], variables: list) -> None:
        """Refuse what belongs to another model, before anything is changed."""
        kept = {name: array.shape for name, array in arrays.items()}
        wanted = {name: tuple(variable.shape) for name, variable in variables}
        wrong = [name for name in sorted({*kept, *wanted}) if kept.get(name) != wanted.get(name)]
        if wrong:
            name = wrong[0]
            raise InputError(
                f"{self.file} belongs to another model: {name} has shape {kept.get(name)} there "
                f"and {wanted.get(name)} here. Build the model that was trained, or remove the "
                "file."
            )


def _variables(model) -> list[tuple[str, object]]:
    """Return all that training changes in a model, by names that are the same in each process.

    Keras numbers the names of layers through a whole process, so that a variable is told by its
    place among the others.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not model.built:
        raise InputError(
            "The model has no optimizer or no weights yet. Give its input's shape and call "
            "model.compile(...) before the checkpoint is used."
        )
    if _backend() == "torch":
        _refuse_unseeded(model)
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    named = [(f"{i:05} {v.name}", v) for i, v in enumerate(model.variables)]
    return named + [(f"optimizer {i:05}", v) for i, v in enumerate(optimizer.variables)]


def _refuse_unseeded(model) -> None:
    """Refuse layers that draw from PyTorch's own generator, which Keras also draws from itself."""
    for layer in model._flatten_layers():  # there is no public way to those within others
        if getattr(layer, "seed", 0) is None and getattr(layer, "seed_generator", None):
            raise InputError(
                f"The layer {layer.name} has no seed, so that on PyTorch a training that was "
                f"stopped would not go on with the same random numbers. Give it one: "
                f"{type(layer).__name__}(..., seed=1), and another to each such layer."
            )


def _array(variable) -> np.ndarray:
    value = variable.value
    if hasattr(value, "detach"):  # PyTorch's tensors, which may lie on a graphics card
        value = value.detach().cpu()
    # A copy in memory order, and of the same number of dimensions, 0 included.
    return np.array(value.numpy(), order="C")


def _backend() -> str:
    import keras

    return keras.backend.backend()


def _plain(history: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return a history as plain floats."""
    try:
        return [{str(key): float(value) for key, value in epoch.items()} for epoch in history]
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"The history cannot be kept ({error}). Give a list with a dict of numbers an epoch."
        ) from error


def _digest(text: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
