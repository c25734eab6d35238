"""Styles: what turns latent vectors into pictures, whatever is inside."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from .. import pretrained
from .._checks import is_whole
from ..errors import InputError
from . import catalogue
from .effects import takes
from .latents import check_sizes

BUILT_IN = {
    "drawings": "a small StyleGAN2 of our own, trained on drawings of twelve kinds, 128 x 128",
    "cppn": "a random network that paints each point from where it lies",
    "aurora": "random waves of all sizes, as clouds have them",
    "kaleidoscope": "mirrors around a centre",
}
WEIGHTS = "06_lucid_sonic_visuals_drawings"
_PAINTED_SIZES = 64, 12  # lengths of a noise and of a class vector
_SIDE = 256  # of a painted style, if nothing else is asked for
_SIDES = 16, 4096
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
    truncates : bool
        Whether `paint` heeds its `truncation`; if not, the noise has to be made shorter.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    name: str
    paint: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    input_shape: int
    num_possible_classes: int
    truncates: bool = False


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
        A name of `BUILT_IN`, or one of a published model (see `show_styles`), where capitals and
        spaces around it do not matter; the path of a
        StyleGAN2-ADA file that ends in ``.pkl``; or a function of ``noise_batch`` and
        ``class_batch`` that returns pictures.
    input_shape, num_possible_classes : int or None
        Lengths of a noise and of a class vector. A function needs them, unless it has attributes
        of these names; other styles know them.
    width, height : int or None
        Size at which a painted style is painted, 16 to 4096; one of them alone is that of both
        sides. Networks have a size of their own.

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
    _check_side("width", width)
    _check_side("height", height)
    check_style(style, input_shape, num_possible_classes)
    if callable(style):
        return _of_function(style, input_shape, num_possible_classes)
    name = _plain(style)
    if is_painted(name):
        return _painted(name, width or height or _SIDE, height or width or _SIDE)
    opened = of_generator(name, _generator(name))
    _check_fit(opened.input_shape, opened.num_possible_classes, input_shape, num_possible_classes)
    return opened


def check_style(
    style: str | os.PathLike | Callable,
    input_shape: int | None = None,
    num_possible_classes: int | None = None,
) -> None:
    """Check what can be known of a style without loading or downloading it.

    Parameters
    ----------
    style, input_shape, num_possible_classes :
        As for `open_style`.

    Raises
    ------
    InputError
        There is no such style, it cannot be had, or the lengths are missing, out of range or not
        those of a built-in style.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    check_sizes(input_shape, num_possible_classes)
    if callable(style):
        _of_function(style, input_shape, num_possible_classes)
        return
    if not isinstance(style, str | os.PathLike) or not os.fspath(style):
        raise InputError(f"style is {style!r}: give a name, the path of a .pkl file or a function.")
    name = _plain(style)
    if is_painted(name):
        _check_fit(*_PAINTED_SIZES, input_shape, num_possible_classes)
    elif name in BUILT_IN:
        card = pretrained.load(WEIGHTS).card["settings"]["generator"]
        _check_fit(card["z_dim"], card["c_dim"], input_shape, num_possible_classes)
    elif name.strip().lower() in catalogue.CATALOGUE:
        _check_published(name)
    else:
        _check_file(name)


def is_painted(style: str | os.PathLike | Callable) -> bool:
    """Tell whether a style is painted by a formula, at whatever size is asked for.

    Parameters
    ----------
    style : str, path or callable
        As for `open_style`.

    Returns
    -------
    bool
        False for networks and functions, which have a size of their own.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    return not callable(style) and _plain(style) in set(BUILT_IN) - {"drawings"}


def show_styles() -> list[str]:
    """Print the names of the styles that can be used, the built-in ones first.

    Returns
    -------
    list of str
        The same names: each may be given as `style`.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    usable = {name: style for name, style in catalogue.CATALOGUE.items() if style.address}
    lines = {name: f"built in: {what}" for name, what in BUILT_IN.items()}
    lines |= {name: f"download: {_described(style)}" for name, style in usable.items()}
    print("\n".join(f"{name:<14}{line}" for name, line in lines.items()))
    return list(lines)


def _described(style: catalogue.PublishedStyle) -> str:
    classes = f", {style.classes} classes" if style.classes else ""
    return f"{style.title}{classes}, {style.resolution} x {style.resolution} ({style.licence})"


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
    from . import pickles

    published = name.strip().lower() in catalogue.CATALOGUE
    file = catalogue.style_file(name) if published else Path(name).expanduser()
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
        vectors = (noise, _clearer(np.asarray(classes)))
        z, c = (torch.as_tensor(v, dtype=torch.float32, device=device) for v in vectors)
        with _threads(1 if generator.img_resolution <= _SMALL else torch.get_num_threads()):
            ws = generator.mapping(z, c if generator.c_dim else None, truncation_psi=truncation)
            pictures = generator.synthesis(ws) * 127.5 + 128
        return pictures.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    return Style(name, paint, generator.z_dim, generator.c_dim, truncates=True)


def _clearer(classes: np.ndarray) -> np.ndarray:
    """Let the strongest class of each picture stand out: networks have learned one at a time."""
    largest = classes.max(axis=1, keepdims=True, initial=1e-6)
    return classes * (classes / largest) ** 3


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
            f"style takes no {' and no '.join(missing)}: the arguments of a style have to be named "
            "noise_batch and class_batch."
        )
    sizes: dict = {"input_shape": input_shape, "num_possible_classes": num_possible_classes}
    for key, value in sizes.items():
        sizes[key] = value if value is not None else getattr(func, key, None)
        if sizes[key] is None:
            raise InputError(
                f"{key} is missing: give it as an argument, or as an attribute of the function, "
                f"such as style.{key} = {64 if key == 'input_shape' else 12}."
            )
    check_sizes(**sizes)

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


def _check_published(name: str) -> None:
    """Say what there is if a style of the catalogue cannot be had."""
    try:
        catalogue.check_available(name)
    except InputError as error:
        raise InputError(f"style: {error} Built-in styles are {', '.join(BUILT_IN)}.") from error


def _check_file(name: str) -> None:
    """Refuse what is no .pkl file, and say whether it is a file, a folder, or a name misspelt."""
    path = os.path.expanduser(name)
    if "://" in name:
        raise InputError(f"style: {name} is an address. Download the file, and give its path.")
    if os.path.isdir(path):
        raise InputError(f"style: {name} is a folder. Give the path of a .pkl file in it.")
    if ".pkl" in name.lower():
        if not os.path.isfile(path):
            raise InputError(f"style: there is no file {name}. Check the name.")
    elif os.path.isfile(path):
        raise InputError(f"style: {name} is no .pkl file, and only such files are read as styles.")
    elif os.path.splitext(name)[1] or os.path.dirname(name):
        raise InputError(f"style: there is no file {name}, and only .pkl files are read as styles.")
    else:
        raise InputError(_unknown(name))


def _unknown(name: str) -> str:
    """Say what there is, and what a name that no style has may have been meant to be."""
    usable = [style.name for style in catalogue.CATALOGUE.values() if style.address]
    key = name.strip().lower()
    near = get_close_matches(key, BUILT_IN, n=1) or get_close_matches(key, usable, n=1)
    advice = f" Did you mean {near[0]}?" if near else ""
    return (
        f"style: there is no style {name!r}.{advice} Built-in styles are {', '.join(BUILT_IN)}; "
        f"{', '.join(usable)} are downloaded. Or give the path of a .pkl file."
    )


def _plain(style: str | os.PathLike) -> str:
    """Return a name or path as text, the name of a built-in style as `BUILT_IN` has it."""
    name = os.fspath(style)
    key = name.strip().lower()
    return key if key in BUILT_IN else name


def _check_side(name: str, side: int | None) -> None:
    low, high = _SIDES
    if side is not None and not (is_whole(side) and low <= side <= high):
        raise InputError(f"{name} is {side!r}: give a whole number of pixels, {low} to {high}.")


def _check_fit(
    own_shape: int, own_classes: int, input_shape: int | None, num_possible_classes: int | None
) -> None:
    """Refuse lengths that a style does not have."""
    for name, given, own in (
        ("input_shape", input_shape, own_shape),
        ("num_possible_classes", num_possible_classes, own_classes),
    ):
        if given is not None and given != own:
            raise InputError(f"{name} is {given}, and this style has {own}: leave it out.")
