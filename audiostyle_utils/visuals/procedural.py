"""Three styles without a trained network: small formulas that turn latents into pictures.

A style is a function of two arrays, noise_batch of shape (batch, input_shape) and class_batch of
shape (batch, 12), that returns pictures of shape (batch, height, width, 3). These three know no
data. They are quick on any computer, and show what the music does as clearly as a network.

Each frame is made in two steps. The latent and the classes give two smooth fields over the
picture: a tone, which a palette turns into colour, and a height, which is lit from the side. What
costs time is done on a coarse grid or with few waves, since smooth fields lose nothing by it.
"""

import math
from abc import ABC, abstractmethod

import numpy as np

from .._checks import whole
from ..errors import InputError

CLASSES = 12
"""Number of classes of these styles: one for each pitch class."""

_SIDES = (16, 2048)
_MAX_LATENT = 4096
_SHADES = 1024  # entries of a palette, so many that steps between them cannot be seen
# Sum of the weights at which half of the look without a class is left.
_NEUTRAL = 0.02
# How much of the neutral palette comes in where many classes sound at once.
_IRIDESCENCE = 0.8
_LIGHT = (-0.6, -0.8, 0.8)  # from the upper left: across, down, and towards the eye
_FAINT = 0.03  # chroma so small that its hue is chance, and is not strengthened
# Oklab, in which equal steps look equal (Ottosson, 2020).
_OKLAB_TO_LMS = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


class ProceduralStyle(ABC):
    """What the procedural styles share: checks, classes, palettes and light.

    Attributes
    ----------
    width, height : int
        Size of the pictures in pixels.
    input_shape : int
        Number of coordinates of a latent.
    num_possible_classes : int
        Number of classes, 12.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    num_possible_classes = CLASSES

    def __init__(self, width: int, height: int, *, input_shape: int = 64, seed: int = 0) -> None:
        self.width = whole(width, "width", *_SIDES)
        self.height = whole(height, "height", *_SIDES)
        self.input_shape = whole(input_shape, "input_shape", 1, _MAX_LATENT)
        self._rng = np.random.default_rng(whole(seed, "seed", 0, 2**32 - 1))
        self._palettes = _class_palettes()

    def __call__(self, noise_batch: np.ndarray, class_batch: np.ndarray) -> np.ndarray:
        """Draw one picture for each latent.

        Parameters
        ----------
        noise_batch : np.ndarray, float32, shape (batch, input_shape)
            Latents, drawn from a normal distribution or near it.
        class_batch : np.ndarray, float32, shape (batch, 12)
            Weight of each class, zero or more. Their ratios count; all zero gives a look of its
            own.

        Returns
        -------
        np.ndarray, uint8, shape (batch, height, width, 3)
            The pictures. Each depends on its own latent and classes alone.

        Raises
        ------
        InputError
            An array has another shape, holds NaN, or a weight is negative.
        """
        noise = _batch(noise_batch, "noise_batch", self.input_shape)
        classes = _batch(class_batch, "class_batch", CLASSES)
        if len(noise) != len(classes):
            raise InputError(
                f"noise_batch has {len(noise)} rows and class_batch {len(classes)}: "
                "give one of each for a picture."
            )
        if (classes < 0).any():
            raise InputError("class_batch has a negative weight: give zero or more.")
        pictures = np.empty((len(noise), self.height, self.width, 3), np.uint8)
        # One by one, so that a picture is the same to the last bit in any batch.
        for picture, latent, weights in zip(pictures, noise, classes, strict=True):
            mixture = _mixture(weights)
            tone, relief = self._fields(latent, mixture)
            picture[:] = _paint(tone, relief, _mixed_palette(self._palettes, mixture))
        return pictures

    @abstractmethod
    def _fields(self, latent: np.ndarray, mixture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return tone (one palette a unit) and height of each pixel, (height, width) each."""

    def _projection(self, rows: int, size: float) -> np.ndarray:
        """Return a matrix that turns a latent into `rows` numbers of standard deviation `size`."""
        directions = self._rng.standard_normal((rows, self.input_shape))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return (size * directions).astype(np.float32)


class Cppn(ProceduralStyle):
    """A compositional pattern-producing network: coordinates in, smooth shapes out.

    A small network with random weights sees the place of a pixel, its distance from the middle,
    and the latent, which shifts its units. Sines make waves and hyperbolic tangents make edges.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    _units = 24

    def __init__(self, width: int, height: int, *, input_shape: int = 64, seed: int = 0) -> None:
        super().__init__(width, height, input_shape=input_shape, seed=seed)
        rng, units = self._rng, self._units
        x, y, self._rows, self._columns = _grid(self.width, self.height, 256)
        self._shape = x.shape
        r = np.hypot(x, y)
        self._places = np.stack([x, y, r]).reshape(3, -1)
        octaves = 2.0 ** rng.uniform(0.0, 2.6, units)
        angles = rng.uniform(0, 2 * np.pi, units)
        first = np.stack([np.cos(angles), np.sin(angles), rng.normal(0, 0.7, units)], 1)
        self._weights = [
            (first * octaves[:, None]).astype(np.float32),
            rng.normal(0, 1.5 / math.sqrt(units), (units, units)).astype(np.float32),
            rng.normal(0, 1.6 / math.sqrt(units), (units, units)).astype(np.float32),
            rng.normal(0, 1.0 / math.sqrt(units), (3, units)).astype(np.float32),
        ]
        self._shifts = [self._projection(units, size) for size in (0.45, 0.25, 0.25)]
        self._class_shifts = rng.normal(0, 1.2, (units, CLASSES + 1)).astype(np.float32)

    def _fields(self, latent: np.ndarray, mixture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shifts = [shift @ latent for shift in self._shifts]
        shifts[0] += self._class_shifts @ mixture
        values = self._places
        for weights, shift, bend in zip(
            self._weights, shifts, (np.sin, np.tanh, np.sin), strict=False
        ):
            values = weights @ values
            values += shift[:, None]
            bend(values, out=values)
        fields = (self._weights[-1] @ values).reshape(3, *self._shape)
        a, b, c = (_enlarge(field, self._rows, self._columns) for field in fields)
        folds = a + 0.25 * np.sin(3 * b + 2 * c)
        return 0.6 * folds + 0.2 * np.sin(2 * b) + 0.15 * c, folds + 0.08 * np.sin(12 * a)


class Aurora(ProceduralStyle):
    """A sum of waves whose size falls with their frequency, as in clouds and water.

    The latent turns the phase of every wave. The classes choose directions, roughness and colour.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    _frequencies = 20  # periods of the fastest wave across the picture

    def __init__(self, width: int, height: int, *, input_shape: int = 64, seed: int = 0) -> None:
        super().__init__(width, height, input_shape=input_shape, seed=seed)
        x, y = _coordinates(self.width, self.height)
        count = self._frequencies
        kx = np.arange(-count, count + 1) * 0.5
        ky = np.arange(count + 1) * 0.5
        self._across = np.exp(1j * np.pi * np.outer(kx, x)).astype(np.complex64)
        self._across = np.concatenate([self._across.real, -self._across.imag])
        self._down = np.exp(1j * np.pi * np.outer(y, ky)).astype(np.complex64)
        self._sizes = _wave_sizes(kx, ky)
        waves = 2 * kx.size * ky.size
        self._turns = self._projection(waves, 0.7)
        self._phases = self._rng.uniform(0, 2 * np.pi, waves).astype(np.float32)

    def _fields(self, latent: np.ndarray, mixture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes = np.tensordot(mixture, self._sizes, 1)
        sizes /= np.sqrt((sizes**2).sum() / 2)
        phases = (self._turns @ latent + self._phases).reshape(2, *sizes.shape)
        a, b = (self._sum_of_waves(sizes * np.exp(1j * phase)) for phase in phases)
        folds = a + 0.6 * np.sin(1.8 * b + 1.2 * a)
        return 0.3 * folds + 0.12 * np.sin(2 * b), folds + 0.1 * np.sin(9 * folds + 3 * b)

    def _sum_of_waves(self, waves: np.ndarray) -> np.ndarray:
        """Return the real part of the sum, as a product of two thin matrices."""
        down = self._down @ waves.astype(np.complex64)
        return np.concatenate([down.real, down.imag], axis=1) @ self._across


class Kaleidoscope(ProceduralStyle):
    """Waves seen through mirrors that stand in a star, from 3 to 10 sectors by the class.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    _orders = (3, 4, 5, 6, 8, 10)
    _waves = 22

    def __init__(self, width: int, height: int, *, input_shape: int = 64, seed: int = 0) -> None:
        super().__init__(width, height, input_shape=input_shape, seed=seed)
        x, y, self._rows, self._columns = _grid(self.width, self.height, 192)
        self._shape = x.shape
        self._vectors = _random_vectors(self._rng, self._waves)
        self._basis = np.concatenate([_folded(x, y, n, self._vectors) for n in self._orders])
        self._sizes = (1 / np.linalg.norm(self._vectors, axis=1) ** 0.8).astype(np.float32)
        self._turns = self._projection(2 * self._waves, 0.55)
        self._phases = self._rng.uniform(0, 2 * np.pi, 2 * self._waves).astype(np.float32)
        # Neighbouring classes differ in their number of mirrors as well as in colour.
        order = np.arange(CLASSES + 1) * 5 % len(self._orders)
        self._mirrors = np.eye(len(self._orders), dtype=np.float32)[order].T

    def _fields(self, latent: np.ndarray, mixture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mirrors = self._mirrors @ mixture
        mirrors /= np.sqrt((mirrors**2).sum())
        phases = (self._turns @ latent + self._phases).reshape(2, self._waves)
        sizes = self._sizes / np.sqrt((self._sizes**2).sum() / 2)
        waves = np.concatenate([sizes * np.cos(phases), -sizes * np.sin(phases)], axis=1)
        parts = (mirrors[None, :, None] * waves[:, None]).reshape(2, -1)
        fields = (parts @ self._basis).reshape(2, *self._shape)
        a, b = (_enlarge(field, self._rows, self._columns) for field in fields)
        folds = a + 0.6 * np.sin(1.7 * b)
        return 0.3 * folds + 0.1 * b, folds + 0.06 * np.sin(8 * folds)


def make_cppn(width: int, height: int, *, input_shape: int = 64, seed: int = 0) -> Cppn:
    """Make the style of a small random network over the place of a pixel.

    Parameters
    ----------
    width, height : int
        Size of the pictures in pixels, from 16 to 2048.
    input_shape : int
        Number of coordinates of a latent.
    seed : int
        Another number gives another network.

    Returns
    -------
    Cppn
        The style, to be called with noise_batch and class_batch.

    Raises
    ------
    InputError
        A parameter is out of range.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    return Cppn(width, height, input_shape=input_shape, seed=seed)


def make_aurora(width: int, height: int, *, input_shape: int = 64, seed: int = 0) -> Aurora:
    """Make the style of waves with a power-law spectrum, lit like silk.

    Parameters
    ----------
    width, height : int
        Size of the pictures in pixels, from 16 to 2048.
    input_shape : int
        Number of coordinates of a latent.
    seed : int
        Another number gives other waves.

    Returns
    -------
    Aurora
        The style, to be called with noise_batch and class_batch.

    Raises
    ------
    InputError
        A parameter is out of range.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    return Aurora(width, height, input_shape=input_shape, seed=seed)


def make_kaleidoscope(
    width: int, height: int, *, input_shape: int = 64, seed: int = 0
) -> Kaleidoscope:
    """Make the style of waves between mirrors.

    Parameters
    ----------
    width, height : int
        Size of the pictures in pixels, from 16 to 2048.
    input_shape : int
        Number of coordinates of a latent.
    seed : int
        Another number gives other waves.

    Returns
    -------
    Kaleidoscope
        The style, to be called with noise_batch and class_batch.

    Raises
    ------
    InputError
        A parameter is out of range.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    return Kaleidoscope(width, height, input_shape=input_shape, seed=seed)


def _batch(values: np.ndarray, name: str, columns: int) -> np.ndarray:
    """Return an array of shape (batch, columns) as float32, or say what is wrong with it."""
    try:
        values = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is no array of numbers.") from error
    if values.ndim != 2 or values.shape[1] != columns:
        raise InputError(f"{name} has shape {values.shape}: give (batch, {columns}).")
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds NaN or infinite numbers.")
    return values


def _mixture(weights: np.ndarray) -> np.ndarray:
    """Return the shares of the 12 classes and of the neutral look, of sum 1.

    Cubes let the strongest class show, where all twelve sound a little.
    """
    total = weights.sum(dtype=np.float64)
    if total == 0:
        return np.eye(CLASSES + 1, dtype=np.float32)[-1]
    shares = (weights / total) ** 3
    loud = total / (total + _NEUTRAL)
    return np.append(loud * shares / shares.sum(), 1 - loud).astype(np.float32)


def _coordinates(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the pixels' centres; a square reaches from -1 to 1."""
    side = math.sqrt(width * height)
    x = (2 * np.arange(width) + 1 - width) / side
    y = (2 * np.arange(height) + 1 - height) / side
    return x, y


def _grid(width: int, height: int, side: int) -> tuple[np.ndarray, ...]:
    """Return x and y of a coarse grid, and the matrices that enlarge it to the picture.

    It has half as many points as pixels each way, and not many more than side x side in all.
    """
    step = max(2, math.sqrt(width * height) / side) if min(width, height) >= 64 else 1
    x, y = _coordinates(width, height)
    columns, rows = _enlarging(width, step), _enlarging(height, step)
    # The matrix maps places in the grid to pixels. Its inverse on a line is simple.
    x, y = (_centres(values, matrix.shape[1]) for values, matrix in ((x, columns), (y, rows)))
    x, y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return x, y, rows, columns.T.copy()


def _centres(values: np.ndarray, count: int) -> np.ndarray:
    """Return the centres of `count` equal cells over the range of some pixels."""
    edge = values[-1] * values.size / max(1, values.size - 1)
    return edge * (2 * np.arange(count) + 1 - count) / count


def _enlarging(pixels: int, step: float) -> np.ndarray:
    """Return the matrix of a cubic interpolation from cells to pixels (Catmull-Rom)."""
    cells = max(4, math.ceil(pixels / step))
    place = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    left = np.floor(place).astype(int)
    t = place - left
    cubic = [
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    ]
    matrix = np.zeros((pixels, cells))
    for offset, weight in enumerate(cubic, start=-1):
        np.add.at(matrix, (np.arange(pixels), np.clip(left + offset, 0, cells - 1)), weight)
    return matrix.astype(np.float32)


def _enlarge(field: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return rows @ (field @ columns)


def _wave_sizes(kx: np.ndarray, ky: np.ndarray) -> np.ndarray:
    """Return the sizes of the waves for each class and the neutral look, (13, ky, kx)."""
    across, down = np.meshgrid(kx, ky)
    frequency, angle = np.hypot(across, down), np.arctan2(down, across)
    slow = 1 - np.exp(-((frequency / 1.2) ** 2))
    sizes = []
    for index in range(CLASSES + 1):
        roughness = 1.6 + 0.8 * (index * 7 % 12) / 11
        narrow = 2.5 * (index * 5 % 12) / 11
        direction = np.exp(narrow * (np.cos(2 * (angle - np.pi * index / CLASSES)) - 1))
        # The slowest waves alone would leave large empty areas.
        sizes.append(np.maximum(frequency, 0.5) ** -roughness * direction * slow)
    return np.array([size / np.sqrt((size**2).sum()) for size in sizes], np.float32)


def _random_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return wave vectors of all directions, from one to seven periods a picture."""
    length = np.pi * np.geomspace(0.8, 6.0, count)
    angle = np.pi * (np.arange(count) * 0.618034 + rng.uniform())
    return np.stack([length * np.cos(angle), length * np.sin(angle)], 1).astype(np.float32)


def _folded(x: np.ndarray, y: np.ndarray, sectors: int, vectors: np.ndarray) -> np.ndarray:
    """Return cosines, then sines, of waves in a plane folded into a sector."""
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    # The plain fold is arccos(cos(x)). The factor rounds its edge, which would look like a seam.
    angle = np.arccos(0.985 * np.cos(sectors * angle)) / sectors
    places = np.stack([r * np.cos(angle), r * np.sin(angle)]).reshape(2, -1)
    phases = vectors @ places.astype(np.float32)
    return np.concatenate([np.cos(phases), np.sin(phases)]).astype(np.float32)


def _class_palettes() -> np.ndarray:
    """Return a closed palette for each class and the neutral look in Oklab, (13, shades, 3).

    Each goes from a dark shade over a strong colour to a light one and back by another hue. The
    hues of the classes go round the circle of colours in fifths, as keys do.
    """
    t = 2 * np.pi * np.arange(_SHADES) / _SHADES
    lightness = 0.53 - 0.35 * np.cos(t) + 0.04 * np.cos(2 * t)
    chroma = 0.16 - 0.03 * np.cos(2 * t)
    palettes = []
    for index in range(CLASSES + 1):
        neutral = index == CLASSES
        hue = 4.4 if neutral else 2 * np.pi * (index * 7 % 12) / 12
        spread = 2.0 if neutral else (0.5, 0.9, 1.3)[index % 3]
        angle = hue + spread * np.sin(t) + 0.35 * np.cos(t)
        palettes.append(
            np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1)
        )
    return np.array(palettes)


def _mixed_palette(palettes: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """Return the palette of a mixture as floats from 0 to 255, (shades, 3).

    The mean of opposite hues is grey. So the mean strength of colour is given back to it, and
    many classes at once take on the neutral palette, which has many colours.
    """
    shares = mixture.astype(np.float64)
    shares[-1] += _IRIDESCENCE * (1 - (shares**2).sum())
    shares /= shares.sum()
    mixed = np.tensordot(shares, palettes, 1)
    chroma = shares @ np.hypot(palettes[..., 1], palettes[..., 2])
    found = np.hypot(mixed[:, 1], mixed[:, 2])
    mixed[:, 1:] *= (np.hypot(chroma, _FAINT) / np.hypot(found, _FAINT))[:, None]
    linear = (mixed @ _OKLAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T
    linear = np.clip(linear, 0, 1)
    curved = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return (255 * curved).astype(np.float32)


def _paint(tone: np.ndarray, relief: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Return the picture of a tone in a palette's colours, lit by the slope of the relief."""
    shade = (tone * _SHADES).astype(np.int32) & (_SHADES - 1)
    picture = palette[shade]
    light, gloss = _lighting(relief)
    picture *= light[..., None]
    picture += gloss[..., None]
    np.clip(picture, 0, 255, out=picture)
    return (picture + 0.5).astype(np.uint8)


def _lighting(relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how bright a surface is, around 1, and the white that it mirrors, 0 to 255."""
    across, down, towards = _LIGHT
    scale = np.float32(math.sqrt(relief.size) / 16)
    slope_y, slope_x = np.gradient(scale * relief)
    facing = across * slope_x + down * slope_y + towards
    facing /= math.hypot(*_LIGHT) * np.sqrt(1 + slope_x**2 + slope_y**2)
    np.maximum(facing, 0, out=facing)
    gloss = facing**2
    for _ in range(3):
        gloss *= gloss  # to the power of 16
    return 0.72 + 0.45 * facing, 70 * gloss
