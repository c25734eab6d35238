"""Styles: what turns latent vectors into pictures, whatever is inside."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import pretrained
from ..errors import InputError
from .effects import takes

BUILT_IN = {
    "drawings": "a small StyleGAN2 of our own, trained on drawings of twelve kinds, 128 x 128",
    "cppn": "a random network that paints each point from where it lies",
    "aurora": "random waves of all sizes, as clouds have them",
    "kaleidoscope": "mirrors around a centre",
}
WEIGHTS = "06_lucid_sonic_visuals_drawings"
_SIDE = 256  # of a painted style, if nothing else is asked for
_SMALL = 128  # a network for such pictures loses more time by sharing its work than it gains


@dataclass(frozen=True)
class Style:
    """A function from latent vectors to pictures, and what it wants to be given.

    Attributes
    ----------
    name : str
        What it is called.
    paint : callable
        ``paint(noise_batch, class_batch, truncation)`` returns pictures, uint8 of shape
        (batch, height, width, 3).
    input_shape : int
        Length of a noise vector.
    num_possible_classes : int
        Length of a class vector; 0 for a style without classes.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    name: str
    paint: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    input_shape: int
    num_possible_classes: int


def open_style(
    style: str | os.PathLike | Callable,
    input_shape: int | None = None,
    num_possible_classes: int | None = None,
    *,
    width: int | None = None,
    height: int | None = None,
) -> Style:
    """Find or load a style.

    Parameters
    ----------
    style : str, path or callable
        A name of `BUILT_IN`, or one of a published model (see `show_styles`); the path of a
        StyleGAN2-ADA file that ends in ``.pkl``; or a function of ``noise_batch`` and
        ``class_batch`` that returns pictures.
    input_shape, num_possible_classes : int or None
        Lengths of a noise and of a class vector. A function needs them, unless it has attributes
        of these names; other styles know them.
    width, height : int or None
        Size at which a painted style is painted. Networks have a size of their own.

    Returns
    -------
    Style
        Ready to paint.

    Raises
    ------
    InputError
        There is no such style, it cannot be loaded, or it does not fit the other parameters.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    if callable(style):
        return _of_function(style, input_shape, num_possible_classes)
    if not isinstance(style, str | os.PathLike) or not os.fspath(style):
        raise InputError(f"style is {style!r}: give a name, the path of a .pkl file or a function.")
    name = os.fspath(style)
    if name in BUILT_IN and name != "drawings":
        opened = _painted(name, width or _SIDE, height or width or _SIDE)
    else:
        opened = of_generator(name, _generator(name))
    _check_fit("input_shape", input_shape, opened.input_shape)
    _check_fit("num_possible_classes", num_possible_classes, opened.num_possible_classes)
    return opened


def generator_from(weights: pretrained.Weights):
    """Build the StyleGAN2 generator that belongs to weights of this book.

    Parameters
    ----------
    weights : pretrained.Weights
        Its card holds the sizes under ``settings["generator"]``.

    Returns
    -------
    stylegan2.Generator
        In evaluation mode, without gradients.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    from .stylegan2 import Generator

    generator = Generator(**weights.card["settings"]["generator"])
    pretrained.set_torch_arrays(generator, weights.arrays)
    return generator.eval().requires_grad_(False)


def _generator(name: str):
    """Load the generator of a style that is a network."""
    if name == "drawings":
        return generator_from(pretrained.load(WEIGHTS))
    from . import catalogue, pickles

    file = Path(name).expanduser() if ".pkl" in name else catalogue.style_file(name)
    return pickles.load_generator(file)


def of_generator(name: str, generator) -> Style:
    """Make a style of a StyleGAN2 generator.

    Parameters
    ----------
    name : str
        What it is called.
    generator : stylegan2.Generator
        It is moved to a graphics card if there is one.

    Returns
    -------
    Style
        Its `truncation` is the psi of StyleGAN2.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = generator.to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def paint(noise: np.ndarray, classes: np.ndarray, truncation: float) -> np.ndarray:
        z, c = (torch.as_tensor(v, dtype=torch.float32, device=device) for v in (noise, classes))
        with _threads(1 if generator.img_resolution <= _SMALL else torch.get_num_threads()):
            ws = generator.mapping(z, c if generator.c_dim else None, truncation_psi=truncation)
            pictures = generator.synthesis(ws) * 127.5 + 128
        return pictures.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    return Style(name, paint, generator.z_dim, generator.c_dim)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let PyTorch compute with so many threads for a while."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _painted(name: str, width: int, height: int) -> Style:
    """Make one of the styles that are painted by a formula."""
    from . import procedural

    painter = getattr(procedural, f"make_{name}")(width, height)
    return _of_function(painter, None, None, name)


def _of_function(
    func: Callable, input_shape: int | None, num_possible_classes: int | None, name: str = "style"
) -> Style:
    """Make a style of a function."""
    missing = [key for key in ("noise_batch", "class_batch") if not takes(func, key)]
    if missing:
        raise InputError(
            f"style takes no {' and no '.join(missing)}: give a function of noise_batch and "
            "class_batch."
        )
    sizes = {"input_shape": input_shape, "num_possible_classes": num_possible_classes}
    for key, value in sizes.items():
        sizes[key] = value if value is not None else getattr(func, key, None)
        if sizes[key] is None:
            raise InputError(f"{key} is missing: a function as style does not tell it.")

    def paint(noise: np.ndarray, classes: np.ndarray, truncation: float) -> np.ndarray:
        try:
            pictures = func(noise_batch=noise, class_batch=classes)
        except Exception as error:
            raise InputError(f"{name} raised {type(error).__name__}: {error}") from error
        return _checked(pictures, len(noise), name)

    return Style(name, paint, **sizes)


def _checked(pictures: object, count: int, name: str) -> np.ndarray:
    """Return what a function painted as an array, or say what is wrong with it."""
    advice = "return a list of pictures, or uint8 of shape (batch, height, width, 3)."
    try:
        if not isinstance(pictures, np.ndarray):
            pictures = [_rgb(picture) for picture in pictures]
        array = np.asarray(pictures)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} returned no pictures ({error}): {advice}") from error
    if array.ndim != 4 or array.shape[-1] != 3 or array.dtype != np.uint8 or not array.size:
        raise InputError(f"{name} returned {array.dtype} of shape {array.shape}: {advice}")
    if len(array) != count:
        raise InputError(f"{name} got {count} vectors and returned {len(array)} pictures.")
    return array


def _rgb(picture: object) -> np.ndarray:
    """Return one picture, of Pillow or an array, as an array."""
    convert = getattr(picture, "convert", None)  # Pillow knows grey, palettes and transparency
    return np.asarray(convert("RGB") if convert else picture)


def _check_fit(name: str, given: int | None, own: int) -> None:
    if given is not None and given != own:
        raise InputError(f"{name} is {given}, and this style has {own}: leave it out.")
