"""Twelve kinds of drawings, one for each pitch class, from which a small generator learns.

Each kind is a formula with random parameters (centre, angle, scale, phase, hue) and a palette of
its own, on a dark background. All parameters of a drawing follow from one latent vector of normal
numbers, as a picture follows from one in a generator, and near vectors give near drawings. A
drawing does not depend on the size it is drawn at, so that a training may start with small ones.
"""

import math
from collections.abc import Callable

import numpy as np

from .._checks import whole
from ..errors import InputError

_SUPERSAMPLING = 2  # each pixel is the mean of 2 x 2 points, which smooths the edges

LATENTS = 32
"""Length of a drawing's latent vector."""

_Drawer = Callable[[np.ndarray, np.ndarray, "_Dice"], np.ndarray]


def draw(kind: int | str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one picture.

    Parameters
    ----------
    kind : int or str
        A name of `DRAWINGS`, or its place there, from 0 to 11.
    size : int
        Side in pixels, from 4 to 2048.
    rng : numpy.random.Generator
        Where the drawing's parameters come from: the same state draws the same picture, at any
        size.

    Returns
    -------
    np.ndarray
        RGB values from 0 to 255, shape (size, size, 3), of type uint8.

    Raises
    ------
    InputError
        `kind` is no kind, `size` is out of range, or `rng` is no generator.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"rng is {rng!r}: give np.random.default_rng(seed).")
    return draw_latent(kind, size, rng.standard_normal(LATENTS))


def draw_latent(kind: int | str, size: int, z: np.ndarray) -> np.ndarray:
    """Draw the picture that belongs to a latent vector.

    Parameters
    ----------
    kind : int or str
        A name of `DRAWINGS`, or its place there, from 0 to 11.
    size : int
        Side in pixels, from 4 to 2048.
    z : np.ndarray
        Shape (LATENTS,), finite. As in StyleGAN2, only its direction matters: it is first scaled
        so that the mean of its squares is 1.

    Returns
    -------
    np.ndarray
        RGB values from 0 to 255, shape (size, size, 3), of type uint8.

    Raises
    ------
    InputError
        `kind` is no kind, `size` is out of range, or `z` is not as described.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    drawer = _KINDS[_name(kind)]
    n = whole(size, "size", 4, 2048) * _SUPERSAMPLING
    axis = ((np.arange(n) + 0.5) / n * 2 - 1).astype(np.float32)
    colours = drawer(axis[None, :], axis[:, None], _Dice(z))  # x right, y down, each -1 to 1
    blocks = colours.reshape(size, _SUPERSAMPLING, size, _SUPERSAMPLING, 3)
    return np.rint(blocks.mean(axis=(1, 3)).clip(0, 1) * 255).astype(np.uint8)


def latents(n: int, seed: int) -> np.ndarray:
    """Return the latent vectors from which `draw_many` draws.

    Parameters
    ----------
    n, seed : int
        As for `draw_many`.

    Returns
    -------
    np.ndarray
        Normal numbers, shape (n, LATENTS), of type float64.

    Raises
    ------
    InputError
        A number is out of its range.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    whole(n, "n", 1, 10_000_000)
    whole(seed, "seed", 0, 2**63)
    return np.random.default_rng(seed).standard_normal((n, LATENTS))


def draw_many(n: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw pictures of all kinds in turn.

    Parameters
    ----------
    n : int
        How many, at least 1.
    size : int
        Side in pixels, from 4 to 2048.
    seed : int
        At least 0. The first pictures of a longer row are those of a shorter one.

    Returns
    -------
    images : np.ndarray
        Shape (n, size, size, 3), of type uint8.
    labels : np.ndarray
        Places in `DRAWINGS`, shape (n,), of type int64: 0, 1, ... 11, 0, 1, ...

    Raises
    ------
    InputError
        A number is out of its range.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    whole(size, "size", 4, 2048)
    vectors = latents(n, seed)
    labels = np.arange(n) % len(DRAWINGS)
    images = np.empty((n, size, size, 3), np.uint8)
    for i, kind in enumerate(labels.tolist()):
        images[i] = draw_latent(kind, size, vectors[i])
    return images, labels


def _sunburst(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw golden rays around a glowing core, slightly twisted."""
    r, angle = _polar(x, y, dice, 0.06)
    rays, twist = 10, dice.uniform(0.05, 0.35)
    wave = np.cos(rays * (angle + twist * r) + dice.phase)
    fade = np.exp(-((r / dice.uniform(0.8, 1.3)) ** 2))
    light = _smoothstep(-0.25, 0.25, wave) * (0.3 + 0.5 * fade) + 0.12 * fade
    core = np.exp(-((r / dice.uniform(0.2, 0.34)) ** 2))
    return _gradient(light + core, _hues(dice, ("260a05", "8f2106", "ef7a0c", "ffc83a", "fff6cf")))


def _petals(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw a flower of four rings of petals, each turned by half a petal."""
    r, angle = _polar(x, y, dice, 0.05)
    petals, phase = 6, dice.phase / 6
    colours = _hues(dice, ("1d0523", "6d0d5c", "c9177f", "fb5fa0", "ffd9c2"))
    picture = _mix(colours[0], colours[1] * 0.6, np.exp(-2 * r**2))
    for ring, radius in enumerate((1.0, 0.75, 0.5, 0.26)):
        lobes = np.abs(np.cos(petals * (angle + phase) / 2 + ring * math.pi / 2))
        edge = dice.uniform(0.85, 1.15) * radius * (0.5 + 0.5 * np.sqrt(lobes))
        inside = _smoothstep(0.015, -0.015, r - edge)
        # Each petal is lighter towards its tip.
        shaded = _mix(colours[ring] * 0.75, colours[ring + 1], np.clip(r / edge, 0, 1) ** 1.5)
        picture = _mix(picture, shaded, inside)
    return picture


def _ripples(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw rings of water that spread from a point."""
    r, _ = _polar(x, y * dice.uniform(1.0, 1.2), dice, 0.06)
    wave = np.cos(12 * r**0.9 - dice.phase)
    light = (0.5 + 0.5 * wave) ** 2 * (0.35 + 0.65 * np.exp(-0.8 * r)) + 0.2 * np.exp(-4 * r)
    return _gradient(light, _hues(dice, ("03142b", "065a82", "12b5cb", "8df3e6", "f2fffb")))


def _spiral(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw arms that wind into the centre, ruby on black."""
    r, angle = _polar(x, y, dice, 0.06)
    arms, winding = 3, dice.uniform(4, 5.2)
    wave = np.cos(arms * angle + winding * np.log(r + 0.08) + dice.phase)
    light = _smoothstep(-0.6, 1.0, wave) * (0.85 - 0.3 * np.clip(r, 0, 1.5))
    light = light + 0.8 * np.exp(-((r / 0.16) ** 2))
    return _gradient(light, _hues(dice, ("120006", "5c0018", "d1052f", "ff5d5d", "ffe9dc"), 0.02))


def _dunes(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw six ridges, one before the other, lit from above."""
    colours = _hues(dice, ("2c1250", "7b2368", "d1495b", "f2784b", "f9a848", "ffd98a"))
    picture = _mix(colours[0] * 0.35, colours[1], np.clip((y + 1) / 1.1, 0, 1) + 0 * x)
    for ridge, base in enumerate(np.linspace(-0.55, 0.7, 6)):
        waves = (1.7 + 0.3 * (-1) ** ridge) * x + (dice.angle() if ridge else dice.phase)
        top = base + 0.16 * np.sin(waves) + 0.05 * np.sin(2 * waves + ridge)
        depth = y - top
        shaded = colours[ridge] * (0.4 + 0.6 * np.exp(-3.2 * np.clip(depth, 0, None)))[..., None]
        picture = _mix(picture, shaded, _smoothstep(-0.012, 0.012, depth))
    return picture


_SCATTER = np.sin(np.arange(32) ** 2 * 1.7).reshape(16, 2)  # makes the panes irregular


def _stained_glass(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw panes of ruby, amber and sapphire between dark leads."""
    sites = np.stack(np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 4)), -1).reshape(-1, 2)
    turn = dice.phase + np.arange(16)  # each site goes round in a small circle of its own
    sites = sites + 0.2 * _SCATTER + 0.07 * np.stack([np.cos(turn), np.sin(turn)], -1)
    sites = sites.astype(np.float32)
    distances = np.hypot(x[..., None] - sites[:, 0], y[..., None] - sites[:, 1])
    nearest, second = np.partition(distances, 1, axis=-1)[..., :2].transpose(2, 0, 1)
    jewels = _hues(dice, ("ffb01f", "f0401f", "d0123e", "7a14c9", "1536d8", "0a9fe8"))
    panes = _gradient(dice.uniform(0, 1, 16), jewels)[distances.argmin(-1)]
    glow = 1.1 - 0.8 * nearest
    lead = _smoothstep(0.03, 0.08, second - nearest)
    return panes * (glow * lead)[..., None] + 0.03


def _aurora(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw curtains of light that are green below and fade upwards into violet."""
    colours = _hues(dice, ("040a24", "35f58a", "13b7a6", "6b2fd0"), 0.03)
    picture = colours[0] * (1.3 + 0.7 * y + 0 * x)[..., None]
    for foot in (-0.05, 0.4, 0.85):
        waves = 2.3 * x + (dice.angle() if foot > 0 else dice.phase)
        height = foot + 0.2 * np.sin(waves) - y
        folds = 0.65 + 0.35 * np.cos(11 * x + 1.5 * np.sin(waves) + 9 * foot)
        light = _smoothstep(-0.05, 0.06, height) * np.exp(-2.4 * np.clip(height, 0, None)) * folds
        hue = _gradient(np.clip(height, 0, 1), colours[1:])
        picture = picture + hue * light[..., None]
    return picture


def _nebula(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw clouds of gas: slow waves, bent by other slow waves."""
    u = x + 0.4 * np.sin(2.6 * y + dice.phase)
    v = y + 0.4 * np.sin(2.6 * x + dice.angle())
    # A sum of waves, for a product would hide each of them from a network that learns.
    light = 0.5 + 0.27 * (np.sin(2.8 * u + dice.angle()) + np.sin(2.8 * v + dice.angle()))
    light = np.clip(light, 0, 1)
    return _gradient(light**1.4, _hues(dice, ("060420", "241a8c", "7d2bd6", "f05fd0", "ffc9b0")))


def _tiles(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw a slanted floor of bevelled tiles, and a wave of light over it."""
    angle, scale = math.pi / 4, 1.9
    u = scale * (x * math.cos(angle) + y * math.sin(angle))
    v = scale * (y * math.cos(angle) - x * math.sin(angle))
    across, along = dice.uniform(-1.1, 1.1, 2)
    wave = 0.5 + 0.5 * np.sin(across * np.floor(u) + along * np.floor(v) + dice.phase)
    border = np.maximum(np.abs(u - np.floor(u) - 0.5), np.abs(v - np.floor(v) - 0.5))  # 0 to 0.5
    inside = _smoothstep(0.47, 0.42, border)
    light = (0.15 + 0.85 * wave) * (1 - 0.45 * (border > 0.27)) * inside
    return _gradient(light, _hues(dice, ("021a14", "02594a", "0fa37f", "7be3a0", "f6ffd5")))


def _moon(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw a crescent with a halo above water that mirrors it."""
    colours = _hues(dice, ("040a2b", "1d3fb0", "6fa0ff", "fff1c4"), 0.03)
    cx, cy, radius = dice.uniform(-0.2, 0.2), dice.uniform(-0.25, -0.15), dice.uniform(0.42, 0.52)
    r, horizon = np.hypot(x - cx, y - cy), 0.5
    halo = np.exp(-2.2 * np.clip(r - radius, 0, None))
    sky = _gradient(halo * 0.85, colours[:3])
    shade = dice.uniform(0.35, 1.3) * radius  # how far the shadow has moved
    lit = _smoothstep(0.96, 1.06, np.hypot(x - cx - shade, y - cy + 0.2 * shade) / radius)
    face = _mix(colours[1] * 0.8, colours[3], lit)
    picture = _mix(sky, face, _smoothstep(0.012, -0.012, r - radius))
    depth = np.clip(y - horizon, 0, None) + 0 * x
    glint = np.cos(6 * math.tau * depth + dice.phase)
    path = _smoothstep(-0.5, 0.7, glint) * np.exp(-(((x - cx) / (radius * (0.5 + depth))) ** 2))
    water = _mix(colours[0], colours[2], path) + colours[1] * (0.25 * np.exp(-8 * depth))[..., None]
    return _mix(picture, water, _smoothstep(-0.01, 0.01, y - horizon + 0 * x))


def _leaf(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw a leaf across the frame, with veins to both sides of its rib."""
    angle = dice.uniform(-0.5, 0.5) - math.pi / 4
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    v = v - dice.uniform(-0.3, 0.3) * (1 - u**2)  # bends the rib
    width = dice.uniform(0.6, 0.8) * np.sin(math.pi * np.clip((u + 1.05) / 2.1, 0, 1) ** 0.8)
    veins = np.cos(16 * (u - 0.8 * np.abs(v)) + dice.phase)
    light = 0.38 + 0.3 * _smoothstep(-0.8, 0.9, veins) + 0.22 * (v > 0)
    light = _mix(light[..., None], np.ones(1), _smoothstep(0.035, 0.01, np.abs(v)))[..., 0]
    inside = _smoothstep(0.02, -0.02, np.abs(v) - width)
    back = 0.12 * np.exp(-(np.abs(v) + np.clip(np.abs(u) - 0.8, 0, None)))
    colours = _hues(dice, ("0a1402", "2f5c04", "8fbf0a", "e2ef3c", "fdffd0"), 0.03)
    return _gradient(light * inside + back * (1 - inside), colours)


def _lightning(x: np.ndarray, y: np.ndarray, dice: "_Dice") -> np.ndarray:
    """Draw a bolt with two branches, electric violet."""
    path = dice.uniform(-0.2, 0.2) + dice.uniform(-0.2, 0.2) * y + _zigzag(y, dice.phase)
    light = 0.05 / (np.abs(x - path) + 0.03) * np.ones_like(x)
    for side, start in ((-1, -0.5), (1, 0.0)):
        below = np.clip(y - start, 0, None)
        wander = dice.uniform(0.5, 0.9) * side + _zigzag(y, dice.angle())
        branch = 0.03 / (np.abs(x - path - wander * below) + 0.03)
        light = np.maximum(light, branch * (y > start))
    colours = _hues(dice, ("08031c", "2b0f8a", "7b4dff", "c8b4ff", "ffffff"), 0.03)
    return _gradient(light + 0.1 * np.exp(-np.abs(x - path)), colours)


def _zigzag(t: np.ndarray, phase: float) -> np.ndarray:
    """Sum three triangle waves, each finer and smaller than the one before."""
    return sum(0.22 / 2.2**k * np.arcsin(np.sin(4 * 2**k * t + phase + 2 * k)) for k in range(3))


def _polar(
    x: np.ndarray, y: np.ndarray, dice: "_Dice", shift: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return distance and angle from a centre that lies up to `shift` from the middle."""
    cx, cy = dice.uniform(-shift, shift, 2)
    return np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)


def _smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at `low` to 1 at `high`; it falls where `low` is above `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _mix(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Blend colours: `a` where `share` is 0, `b` where it is 1."""
    return a + (b - a) * share[..., None]


def _gradient(value: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Look values from 0 to 1 up in a row of evenly spaced colours."""
    places = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(value, places, channel) for channel in colours.T], axis=-1)


def _hues(dice: "_Dice", colours: tuple[str, ...], spread: float = 0.035) -> np.ndarray:
    """Return hexadecimal colours as RGB from 0 to 1, all turned by the same small random hue."""
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (0, 2, 4)] for c in colours])
    turn = math.tau * spread * (2 * dice.hue - 1)
    # A rotation about the grey diagonal turns the hue and keeps the mean of the channels.
    offsets = np.array([0, 1, 2]) * math.tau / 3
    kernel = (1 + 2 * np.cos(turn + offsets)) / 3
    matrix = np.stack([np.roll(kernel, i) for i in range(3)])
    return (rgb @ matrix).clip(0, 1).astype(np.float32)


class _Dice:
    """Parameters from a latent vector: each throw uses up its next number or numbers."""

    def __init__(self, z: np.ndarray) -> None:
        z = np.asarray(z, float)
        if z.shape != (LATENTS,) or not np.isfinite(z).all():
            raise InputError(f"z has shape {z.shape}: give {LATENTS} finite numbers.")
        z = z / np.sqrt(np.mean(z**2) + 1e-8)
        self._numbers = iter(z.tolist())
        # The first three mean the same in all kinds, so that a network may learn them together.
        self.hue = self.uniform(0, 1)
        self.phase = self.angle()

    def uniform(self, low: float, high: float, shape: tuple[int, ...] | int = ()) -> np.ndarray:
        """Return numbers that are equally likely everywhere from `low` to `high`."""
        count = int(np.prod(shape))
        shares = [0.5 + 0.5 * math.erf(next(self._numbers) / math.sqrt(2)) for _ in range(count)]
        values = low + (high - low) * np.array(shares).reshape(shape)
        return values if shape else float(values)

    def angle(self) -> float:
        """Return an angle in radians: that of a point, so that it turns without a jump."""
        return math.atan2(next(self._numbers), next(self._numbers))


def _name(kind: int | str) -> str:
    if isinstance(kind, str) and kind in _KINDS:
        return kind
    if not isinstance(kind, str | bool) and isinstance(kind, int | np.integer):
        if 0 <= kind < len(DRAWINGS):
            return DRAWINGS[kind]
    names = ", ".join(DRAWINGS)
    raise InputError(f"kind is {kind!r}: give a number from 0 to {len(DRAWINGS) - 1}, or {names}.")


_KINDS: dict[str, _Drawer] = {
    "sunburst": _sunburst,
    "petals": _petals,
    "ripples": _ripples,
    "spiral": _spiral,
    "dunes": _dunes,
    "stained glass": _stained_glass,
    "aurora": _aurora,
    "nebula": _nebula,
    "tiles": _tiles,
    "moon": _moon,
    "leaf": _leaf,
    "lightning": _lightning,
}

DRAWINGS = tuple(_KINDS)
"""The kinds' names, for the pitch classes C, C#, ... B."""
