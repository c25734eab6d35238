"""Seeds, checkpoints that resume, and a progress bar that knows when nobody is watching."""

import hashlib
import json
import os
import random
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from audiostyle_utils._checks import whole
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
    seed = whole(seed, "seed", 0, 2**32 - 1)
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


class _CheckpointFile:
    """The file of a checkpoint: its arrays, and a header with the settings and the history."""

    def __init__(self, folder: str | os.PathLike, settings: dict[str, object]) -> None:
        self.file = Path(folder).expanduser() / "checkpoint.safetensors"
        try:
            self._settings = json.loads(json.dumps(dict(settings), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"The settings cannot be written as JSON ({error}). Give a dict of text, numbers, "
                "lists and dicts."
            ) from error

    def _backend(self) -> str:
        """Name what computes, since each draws random numbers of its own."""
        raise NotImplementedError

    def _keep(
        self, arrays: dict[str, np.ndarray], history: list[dict[str, float]], **more: object
    ) -> None:
        """Write all that is needed to go on, unless the folder belongs to other settings."""
        if self.file.exists():
            self._check(self._read(tensors=False)[0])
        header = {"settings": self._settings, "history": _plain(history), **more}
        text = json.dumps(header | {"backend": self._backend()}, sort_keys=True)
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
        kept_by, ours = header["backend"], self._backend()
        if kept_by != ours:
            raise InputError(
                f"{self.file} was made with {kept_by}, and this is {ours}, which draws other "
                f"random numbers. Set KERAS_BACKEND={kept_by}, or choose another folder."
            )

    def _check_fit(self, kept: dict[str, tuple], wanted: dict[str, tuple]) -> None:
        """Refuse what belongs to another model, before anything is changed."""
        wrong = [name for name in sorted({*kept, *wanted}) if kept.get(name) != wanted.get(name)]
        if wrong:
            name = wrong[0]
            raise InputError(
                f"{self.file} belongs to another model: {name} has shape {kept.get(name)} there "
                f"and {wanted.get(name)} here. Build the model that was trained, or remove the "
                "file."
            )


class Checkpoint(_CheckpointFile):
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

    def _backend(self) -> str:
        return _backend()

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
        self._check_fit(_shapes(arrays), _shapes(dict(variables)))
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
        self._keep({name: _array(variable) for name, variable in _variables(model)}, history)


class TorchCheckpoint(_CheckpointFile):
    """Keeps a training of PyTorch, so that one that was stopped goes on as if it had not been.

    It keeps the parts that the training changes: networks, optimizers, gradient scalers, running
    averages, whatever has ``state_dict()`` and ``load_state_dict()``. What is drawn has to follow
    from the number of the step, such as ``torch.Generator().manual_seed(...)`` for each. Nothing
    is pickled: arrays lie in a safetensors file, and the rest in its header as text.

    ::

        parts = {"generator": generator, "critic": critic, "adam": optimizer}
        checkpoint = TorchCheckpoint("runs/voices", settings)
        history = checkpoint.restore(parts)
        for step in range(len(history), steps):
            history.append(train_one_step(step))
            checkpoint.save(parts, history)

    Parameters
    ----------
    folder, settings
        As for `Checkpoint`.

    Raises
    ------
    InputError
        The settings cannot be written as JSON.

    Chapter
    -------
    05_melgan_vc
    """

    def _backend(self) -> str:
        return "torch without Keras"

    def restore(self, parts: Mapping[str, object]) -> list[dict[str, float]]:
        """Bring the parts of a training to where it stopped.

        Parameters
        ----------
        parts : mapping of str to object
            As they were when the training began, by the names under which `save` got them.

        Returns
        -------
        list of dict
            The history that was kept; empty where nothing was, and then the parts stay as they
            are.

        Raises
        ------
        InputError
            What was kept has other settings or belongs to other networks, or is damaged. The
            parts are then left as they are.
        """
        if not self.file.exists():
            return []
        header, arrays = self._read()
        self._check(header)
        states = _unpacked(header.get("states", {}), arrays)
        self._check_fit(_network_shapes(states), _network_shapes(_states(parts)))
        for name, part in parts.items():
            part.load_state_dict(states[name])
        return header["history"]

    def save(self, parts: Mapping[str, object], history: list[dict[str, float]]) -> None:
        """Keep the parts and the history, in place of what was kept before.

        The new file replaces the old one in a single step, so that a training that is killed at
        any moment has one or the other.

        Parameters
        ----------
        parts : mapping of str to object
            What the training changes, by name.
        history : list of dict
            One dict of numbers for each step, or each so many steps, so far.

        Raises
        ------
        InputError
            The folder holds a checkpoint with other settings or cannot be written, or the history
            is not as described.
        """
        arrays: dict[str, np.ndarray] = {}
        self._keep(arrays, history, states=_packed(_states(parts), "", arrays))


def _states(parts: Mapping[str, object]) -> dict[str, object]:
    return {str(name): part.state_dict() for name, part in parts.items()}


def _packed(value: object, name: str, arrays: dict[str, np.ndarray]) -> object:
    """Return a state as JSON in which each tensor is the name of an array, put into `arrays`.

    Keys may be numbers, which JSON does not know, so that a dict becomes a list of pairs.
    """
    if isinstance(value, Mapping):
        pairs = value.items()
        return {"dict": [[key, _packed(item, f"{name}/{key}", arrays)] for key, item in pairs]}
    if isinstance(value, list | tuple):
        items = [_packed(item, f"{name}/{i}", arrays) for i, item in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if hasattr(value, "detach"):
        arrays[name] = _array(value)
        return {"tensor": name}
    return value


def _unpacked(value: object, arrays: dict[str, np.ndarray]) -> object:
    """Return the state that `_packed` took apart."""
    import torch

    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return torch.from_numpy(arrays[value["tensor"]])
    if "dict" in value:
        return {key: _unpacked(item, arrays) for key, item in value["dict"]}
    ((kind, items),) = value.items()
    return {"list": list, "tuple": tuple}[kind](_unpacked(item, arrays) for item in items)


def _network_shapes(states: Mapping[str, object]) -> dict[str, tuple]:
    """Return the shapes of the networks; an optimizer has none before its first step."""
    return {name: () for name in states} | {
        f"{name}/{key}": tuple(value.shape)
        for name, state in states.items()
        for key, value in state.items()
        if hasattr(value, "shape")
    }


def _shapes(arrays: Mapping[str, object]) -> dict[str, tuple]:
    return {name: tuple(array.shape) for name, array in arrays.items()}


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
    value = variable if hasattr(variable, "detach") else variable.value
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
