"""Weights of long runs, each with a card that says what they are and how good they were.

A set of weights is two files: ``NAME.safetensors`` holds the arrays, ``NAME.json`` the card. Those
that come with the package lie in its folder ``pretrained`` and are had by name; your own lie where
you say, and are had by path.

A card is a mapping with these entries:

===============  ================================================================================
Entry            Meaning
===============  ================================================================================
``what``         what it is, in a sentence
``data``         what it was trained on
``command``      the command that trains it again
``date``         when it was trained, ``YYYY-MM-DD``; by default the day it is saved
``settings``     the knobs of that run, a mapping
``measures``     what was measured: a list of mappings, each with ``metric``, ``value``, the ends
                 ``low`` and ``high`` of its interval, and ``data``, what it was measured on
``licence``      the terms under which the weights may be used
``classes``      names of the classes in the order of the outputs; empty where there are none
``parameters``   number of parameters; by default the number of values in all arrays
``sha256``       the checksum of the arrays' file; worked out when they are saved
===============  ================================================================================

More entries are kept as they are.
"""

import datetime
import hashlib
import json
import math
import numbers
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

__all__ = ["Weights", "keras_arrays", "load", "names", "save", "set_keras_arrays"]
__all__ += ["set_torch_arrays", "torch_arrays"]

FOLDER = Path(__file__).parent
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")  # of weights that come with the package
CARD = ("what", "data", "command", "date", "settings", "measures", "licence", "classes")
CARD += ("parameters", "sha256")
MEASURE = ("metric", "value", "low", "high", "data")
_TYPES = {"float16", "float32", "float64", "uint8", "int8", "int32", "int64", "uint32", "bool"}
# The arrays that belong to a Keras model: its place among the model's weights, then its name.
_KERAS = re.compile(r"\d{3,}/")


@dataclass(frozen=True)
class Weights:
    """The arrays of a trained network and what is known of them.

    Attributes
    ----------
    name : str
        The name they are had by.
    arrays : dict
        NumPy arrays by name, with the types that they were saved with.
    card : dict
        What they are: see the head of this module.

    Chapter
    -------
    02_genre_cnn
    """

    name: str
    arrays: dict[str, np.ndarray]
    card: dict[str, Any]


def names() -> list[str]:
    """List the weights that come with the package.

    Returns
    -------
    list of str
        The names that `load` takes, sorted.

    Chapter
    -------
    02_genre_cnn
    """
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def load(name: str | os.PathLike) -> Weights:
    """Give weights that were saved, after checking that they are whole.

    Parameters
    ----------
    name : str or path-like
        One of `names`, or the path of a ``.safetensors`` file of your own with its card beside it.

    Returns
    -------
    Weights
        Arrays and card.

    Raises
    ------
    InputError
        There are no such weights, the card is missing or lacks an entry, or the arrays are not
        those that the card was written for.

    Chapter
    -------
    02_genre_cnn
    """
    path = _path(name)
    if not path.is_file():
        known, near = names(), get_close_matches(os.fspath(name), names(), n=1, cutoff=0.5)
        advice = f" Did you mean {near[0]}?" if near else ""
        raise InputError(
            f"There are no weights {os.fspath(name)!r}.{advice} "
            f"The package has: {', '.join(known) or 'none so far'}."
        )
    card = _read_card(path.with_suffix(".json"))
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card["sha256"]:
        raise InputError(
            f"{path} is damaged, or is not the file that its card was written for: the checksums "
            "differ. Get both files again."
        )
    return Weights(path.stem, _parse(path, content), card)


def save(
    name: str | os.PathLike, arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]
) -> Path:
    """Keep weights and their card.

    Files of the same name are replaced. The types of the arrays stay as they are: turn them into
    float16 first to halve the file.

    Parameters
    ----------
    name : str or path-like
        A plain word (small letters, digits, ``_`` and ``-``) keeps them in the package; a path
        that ends in ``.safetensors`` keeps them there, in a folder that is made if need be.
    arrays : mapping of str to np.ndarray
        What to keep: finite numbers of any shape.
    card : mapping
        What it is: see the head of this module. ``date`` and ``parameters`` may be left out, and
        ``sha256`` is worked out.

    Returns
    -------
    pathlib.Path
        The file of the arrays. The card lies beside it.

    Raises
    ------
    InputError
        An array or an entry of the card is not usable, the name or path is not one of the two
        kinds, or the folder cannot be made or written to.

    Chapter
    -------
    02_genre_cnn
    """
    from safetensors.numpy import save as serialise

    path = _path(name)
    if not arrays:
        raise InputError("arrays is empty: there is nothing to keep.")
    plain = {key: _plain(key, value) for key, value in arrays.items()}
    content = serialise(plain)
    card = {
        "date": datetime.date.today().isoformat(),
        "parameters": sum(array.size for array in plain.values()),
        **card,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    _check_card(card, "card")
    _write_both(path, content, _as_json(card))
    return path


def keras_arrays(model: Any) -> dict[str, np.ndarray]:
    """Take the weights out of a Keras model, for `save`.

    Each is named by its place among the model's weights and its own name in its layer, such as
    ``003/gamma``. These names are the same in every session and on every backend; the names that
    Keras gives to layers are not, for it counts all layers made so far.

    Parameters
    ----------
    model : keras.Model or keras.Layer
        A built one: it has seen a batch, or knows the shape of its input.

    Returns
    -------
    dict
        NumPy arrays by name, in the model's order: copies, which stay as they are when the model is
        trained on. The state of random generators is left out.

    Raises
    ------
    InputError
        The model has no weights yet.

    Chapter
    -------
    02_genre_cnn
    """
    from keras import ops

    return {name: ops.convert_to_numpy(variable) for name, variable in _variables(model).items()}


def set_keras_arrays(model: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Put weights into a Keras model that is built like the one they were taken from.

    All names and shapes are checked before the first value is set. The values take the type of the
    model's own, so that arrays in float16 may go into a model in float32.

    Parameters
    ----------
    model : keras.Model or keras.Layer
        A built one.
    arrays : mapping of str to np.ndarray
        As given by `keras_arrays`, on this backend or another. Entries whose names do not start
        with a number and a slash are passed over: they may hold what else belongs to the model.

    Raises
    ------
    InputError
        The model has no weights yet, or a weight is missing, left over or of another shape: the
        first of them is named.

    Chapter
    -------
    02_genre_cnn
    """
    variables = _variables(model)
    given = {name: np.asarray(array) for name, array in arrays.items() if _KERAS.match(name)}
    wanted = {name: tuple(variable.shape) for name, variable in variables.items()}
    _check_fit(wanted, {name: array.shape for name, array in given.items()})
    for name, variable in variables.items():
        variable.assign(given[name])


def torch_arrays(module: Any) -> dict[str, np.ndarray]:
    """Take the weights out of a PyTorch module, for `save`.

    Parameters
    ----------
    module : torch.nn.Module
        Any one with weights, on any device.

    Returns
    -------
    dict
        NumPy arrays by the names of ``module.state_dict()``: copies, which stay as they are when
        the module is trained on.

    Raises
    ------
    InputError
        The module has no weights.

    Chapter
    -------
    05_melgan_vc
    """
    state = module.state_dict()
    if not state:
        raise InputError("The module has no weights: there is nothing to keep.")
    return {name: np.array(value.detach().cpu().numpy()) for name, value in state.items()}


def set_torch_arrays(module: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Put weights into a PyTorch module that is built like the one they were taken from.

    All names and shapes are checked before the first value is set. The values take the type of the
    module's own, so that arrays in float16 may go into a module in float32.

    Parameters
    ----------
    module : torch.nn.Module
        On any device.
    arrays : mapping of str to np.ndarray
        As given by `torch_arrays`.

    Raises
    ------
    InputError
        A weight is missing, left over or of another shape: the first of them is named.

    Chapter
    -------
    05_melgan_vc
    """
    import torch

    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    _check_fit(wanted, {name: np.shape(array) for name, array in arrays.items()})
    module.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in arrays.items()})


def _check_fit(wanted: dict[str, tuple], found: dict[str, tuple]) -> None:
    """Compare the shapes that a model has with those of arrays."""
    for name in [*wanted, *found]:
        ours, theirs = wanted.get(name, "nothing"), found.get(name, "nothing")
        if ours != theirs:
            raise InputError(
                f"The weights do not fit the model: {name} is {ours} in the model and {theirs} "
                "among the arrays. Build the model with the settings that it was trained with."
            )


def _variables(model: Any) -> dict[str, Any]:
    """Return a model's weights by place and name."""
    if not model.weights:
        raise InputError("The model has no weights yet: call it on a batch, or model.build(shape).")
    return {f"{i:03d}/{variable.name}": variable for i, variable in enumerate(model.weights)}


def _path(name: str | os.PathLike) -> Path:
    """Return the arrays' file for a plain word or a path."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return FOLDER / f"{name}.safetensors"
    if isinstance(name, str | os.PathLike):
        path = Path(name).expanduser()
        if path.suffix == ".safetensors":
            return path
    known = ", ".join(names()) or "none so far"
    raise InputError(
        f"{name!r} is no name of weights. Give a path that ends in .safetensors, or a word of "
        f"small letters, digits, _ and -. The package has: {known}."
    )


def _parse(path: Path, content: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as parse

    try:
        return parse(content)
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file ({error}). Get it again.") from error


def _plain(name: str, value: Any) -> np.ndarray:
    """Return an array as safetensors can keep it: in C order, with this machine's byte order."""
    array = np.asarray(value)
    if not isinstance(name, str) or array.dtype.name not in _TYPES:
        raise InputError(
            f"The array {name!r} has type {array.dtype}. Give numbers by name: float16 or float32."
        )
    if not np.isfinite(array).all():
        raise InputError(f"The array {name!r} holds NaN or infinite values: look at the training.")
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


def _read_card(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"There is no card {path}. Weights without a card are not loaded.")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"The card {path} cannot be read ({error}). Get it again.") from error
    if not isinstance(card, dict):
        raise InputError(f"The card {path} is no mapping. Get it again.")
    _check_card(card, f"The card {path}")
    return card


def _check_card(card: Mapping[str, Any], where: str) -> None:
    missing = [key for key in CARD if key not in card]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}.")
    for key in ("what", "data", "command", "date", "licence", "sha256"):
        if not isinstance(card[key], str) or not card[key].strip():
            raise InputError(f"{where}: {key} is {card[key]!r}. Give text.")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", card["date"]):
        raise InputError(f"{where}: date is {card['date']!r}. Write it as YYYY-MM-DD.")
    if not isinstance(card["settings"], Mapping):
        raise InputError(f"{where}: settings is {card['settings']!r}. Give a mapping.")
    classes, measures = card["classes"], card["measures"]
    if not isinstance(classes, list | tuple) or not all(isinstance(c, str) for c in classes):
        raise InputError(f"{where}: classes is {classes!r}. Give a list of names.")
    if not isinstance(card["parameters"], numbers.Integral) or card["parameters"] < 1:
        raise InputError(f"{where}: parameters is {card['parameters']!r}. Give a number.")
    if not isinstance(measures, list | tuple) or not all(_is_measure(m) for m in measures or [0]):
        raise InputError(
            f"{where}: measures is {measures!r}. Give a list, at least one long, of "
            f"mappings with {', '.join(MEASURE)}, where low <= value <= high."
        )


def _is_measure(entry: Any) -> bool:
    if not isinstance(entry, Mapping) or not set(MEASURE) <= set(entry):
        return False
    span = [entry[key] for key in ("low", "value", "high")]
    if not all(isinstance(x, numbers.Real) and math.isfinite(x) for x in span):
        return False
    return span == sorted(span) and all(entry[key] for key in ("metric", "data"))


def _as_json(card: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False, default=_to_python)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The card holds what JSON cannot ({error}): give numbers, text, lists and mappings."
        ) from error
    return (text + "\n").encode("utf-8")


def _to_python(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not a kind of JSON")


def _write_both(path: Path, content: bytes, card: bytes) -> None:
    """Write both files beside their places first, so that neither is ever there in part.

    They are put in place one after the other. What reads them in between, or after a stop in
    between, is refused: the checksum in the card is not that of the arrays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
            parts = Path(folder, path.name), Path(folder, path.stem + ".json")
            parts[0].write_bytes(content)
            parts[1].write_bytes(card)
            os.replace(parts[0], path)
            os.replace(parts[1], path.with_suffix(".json"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}). Give a path that you may write to."
        ) from error
