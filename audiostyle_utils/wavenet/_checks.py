"""What every function of this package asks of its input."""

from numbers import Real

import numpy as np

from audiostyle_utils.errors import InputError

LEVELS = 256
SILENCE = 128  # the mu-law code of 0, which stands for all samples before the first


def floats(x: np.ndarray, name: str) -> np.ndarray:
    """Return a copy of an array as float32 in one piece."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise InputError(f"{name} has type {x.dtype}. Give an array of floating-point numbers.")
    with np.errstate(over="ignore"):
        x = np.array(x, np.float32, order="C")
    if not np.isfinite(x).all():
        raise InputError(f"{name} holds NaN or infinite values. Find the step that made them.")
    return x


def dilations(x: np.ndarray, name: str) -> np.ndarray:
    """Return dilations as int64."""
    x = np.asarray(x)
    if x.dtype.kind not in "iu" or x.ndim != 1 or (x.size and x.min() < 1):
        raise InputError(f"{name} must be a row of whole numbers above 0, and is {x!r}.")
    return x.astype(np.int64)


def codes(x: np.ndarray, latent: int, order: int, axes: tuple[str, ...]) -> np.ndarray:
    """Return codes as float32. Their last axis has the code, and its filter if there is one."""
    x = floats(x, "codes")
    if x.ndim != len(axes) or 0 in x.shape:
        raise InputError(f"codes has shape {x.shape}. Give ({', '.join(axes)}), none of them 0.")
    if x.shape[-1] != latent + order:
        parts = f": {latent} for the code, and {order} for its filter behind it" if order else ""
        raise InputError(
            f"codes are {x.shape[-1]} numbers wide, and the decoder was made for {latent + order}"
            f"{parts}. Give what its own encoder makes."
        )
    return x


def samples(x: np.ndarray, name: str, axes: tuple[str, ...]) -> np.ndarray:
    """Return mu-law codes as uint8."""
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise InputError(f"{name} has type {x.dtype}. Give what spectra.mu_law_encode returns.")
    if x.ndim != len(axes):
        raise InputError(f"{name} has shape {x.shape}. Give ({', '.join(axes)}).")
    if x.size and (x.min() < 0 or x.max() >= LEVELS):
        raise InputError(f"{name} reaches from {x.min()} to {x.max()}. Give codes of 0 to 255.")
    return x.astype(np.uint8)


def uniforms(x: np.ndarray) -> np.ndarray:
    """Return random numbers (time, streams) as float64."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise InputError(f"uniforms has type {x.dtype}. Give random numbers of 0 to 1.")
    if x.ndim != 2 or 0 in x.shape:
        raise InputError(f"uniforms has shape {x.shape}. Give (time, streams), none of them 0.")
    if not ((x >= 0) & (x < 1)).all():  # false for NaN as well
        raise InputError("uniforms must be 0 or more and below 1, as a generator's random() gives.")
    return x.astype(np.float64)


def positive(value: float, name: str) -> float:
    """Return a number above zero as a float."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not (real and np.isfinite(value) and value > 0):
        raise InputError(f"{name} is {value!r}. Give a number above zero.")
    return float(value)
