"""Changes to finished pictures, as strong as the music is loud."""

import inspect
import os
from collections.abc import Callable, Iterable
from numbers import Integral, Real

import numpy as np

from ..errors import InputError
from .timeline import SR, at_frames, envelope, measure_loudness

_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class EffectsGenerator:
    """An effect of your own on each picture of a video.

    Parameters
    ----------
    func : callable
        Called with the keywords ``array`` (the picture, uint8 of shape (height, width, 3)),
        ``strength`` and ``amplitude`` (how loud it is, 0 to 1). It returns a picture of the same
        shape, uint8.
    audio : str, path or None
        Recording whose loudness counts; None means the song.
    strength : float
        Handed on to `func`; 0 or more.
    percussive : bool
        Whether only the beat counts, and not the tones.

    Raises
    ------
    InputError
        `func` does not take the three keywords, or another parameter is not as described.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    def __init__(
        self,
        func: Callable[..., np.ndarray],
        audio: str | os.PathLike | None = None,
        strength: float = 0.5,
        percussive: bool = True,
    ) -> None:
        if not callable(func):
            raise InputError(f"func is {func!r}: give a function of array, strength and amplitude.")
        missing = [name for name in ("array", "strength", "amplitude") if not takes(func, name)]
        if missing:
            raise InputError(
                f"func takes no {' and no '.join(missing)}: the arguments of an effect have to be "
                "named array, strength and amplitude."
            )
        good = isinstance(strength, Real) and not isinstance(strength, bool)
        if not (good and 0 <= strength < np.inf):
            raise InputError(f"strength is {strength!r}: give a number of 0 or more.")
        if audio is not None and not isinstance(audio, str | os.PathLike):
            raise InputError(f"audio is {audio!r}: give the path of a recording, or None.")
        if not isinstance(percussive, bool):
            raise InputError(f"percussive is {percussive!r}: give True or False.")
        self.func, self.audio = func, audio
        self.strength, self.percussive = float(strength), percussive
        self.amplitudes = np.zeros(0, np.float32)

    def __repr__(self) -> str:
        """Return how it was made."""
        name = getattr(self.func, "__name__", type(self.func).__name__)
        return f"EffectsGenerator({name}, strength={self.strength:g})"

    def render_audio(
        self,
        start: float = 0.0,
        duration: float | None = None,
        n_mels: int | None = None,
        hop_length: int = 512,
    ) -> None:
        """Measure the loudness of `audio`, so that `apply_effect` can be called by hand.

        Parameters
        ----------
        start, duration : float
            Which part of the recording, in seconds; None means to the end.
        n_mels : int, optional
            Not used any more; the published code needs it.
        hop_length : int
            Samples at 22,050 Hz from one picture to the next.

        Raises
        ------
        InputError
            There is no `audio`, or it cannot be read.
        """
        if self.audio is None:
            raise InputError("audio is None: give the effect a recording, or let hallucinate do.")
        if not (isinstance(hop_length, Integral) and hop_length > 0):
            raise InputError(f"hop_length is {hop_length!r}: give a whole number of samples.")
        loudness = measure_loudness(self.audio, start, duration)
        curve = loudness.parts["percussive" if self.percussive else "all"]
        fps = SR / hop_length
        frames = max(1, round(loudness.seconds * fps))
        self.amplitudes = at_frames(envelope(curve), fps, frames) ** 2

    def apply_effect(self, array: np.ndarray, index: int) -> np.ndarray:
        """Change one picture; `render_audio` has to be called before.

        Parameters
        ----------
        array : np.ndarray, uint8, shape (height, width, 3)
            Picture.
        index : int
            Number of its frame.

        Returns
        -------
        np.ndarray, uint8, shape (height, width, 3)
            The changed picture.

        Raises
        ------
        InputError
            `index` lies beyond what was measured.
        """
        if not 0 <= index < len(self.amplitudes):
            raise InputError(
                f"index is {index}, and {len(self.amplitudes)} frames are measured: "
                "call render_audio first, and give one of its frames."
            )
        return apply(self, array, float(self.amplitudes[index]))


def apply(effect: EffectsGenerator, array: np.ndarray, amplitude: float) -> np.ndarray:
    """Call an effect, and look at what it gives back.

    Parameters
    ----------
    effect : EffectsGenerator
        What is called.
    array : np.ndarray, uint8, shape (height, width, 3)
        Picture. The effect gets a copy.
    amplitude : float
        How loud it is, 0 to 1.

    Returns
    -------
    np.ndarray, uint8, shape (height, width, 3)
        The changed picture.

    Raises
    ------
    InputError
        The effect raised an exception, or returned something else than such a picture.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    array = np.array(array)  # effects may change it in place, and it may be the style's own
    try:
        changed = np.asarray(
            effect.func(array=array, strength=effect.strength, amplitude=amplitude)
        )
    except Exception as error:
        raise InputError(
            f"custom_effects: {effect} raised {type(error).__name__}: {error}"
        ) from error
    if changed.shape != array.shape or changed.dtype != np.uint8:
        raise InputError(
            f"custom_effects: {effect} returned {changed.dtype} of shape {changed.shape}; "
            f"return uint8 of shape {array.shape}."
        )
    return changed


def contrast_effect(array: np.ndarray, strength: float, amplitude: float) -> np.ndarray:
    """Pull the values of a picture away from their mean.

    Parameters
    ----------
    array : np.ndarray, uint8, shape (height, width, 3)
        Picture.
    strength, amplitude : float
        0 to 1; the distance from the mean grade grows by their product.

    Returns
    -------
    np.ndarray, uint8, shape (height, width, 3)
        The changed picture.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    from PIL import Image, ImageEnhance

    picture = ImageEnhance.Contrast(Image.fromarray(array))
    return np.asarray(picture.enhance(1 + amplitude * strength))


def flash_effect(array: np.ndarray, strength: float, amplitude: float) -> np.ndarray:
    """Brighten a picture: the value that becomes white falls from 255 with the loudness.

    The published formula divides by zero where `strength` and `amplitude` are both 1, and gives
    black. Here a value of 8 is the lowest that becomes white, so that a picture stays a picture.

    Parameters
    ----------
    array : np.ndarray, uint8, shape (height, width, 3)
        Picture.
    strength, amplitude : float
        0 to 1.

    Returns
    -------
    np.ndarray, uint8, shape (height, width, 3)
        The changed picture.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    white = max(255 - 255 * amplitude * strength, 8.0)
    table = np.minimum(np.arange(256) * (255 / white), 255).astype(np.uint8)
    return table[array]


def takes(func: Callable, name: str) -> bool:
    """Tell whether something can be called with a keyword.

    Parameters
    ----------
    func : callable
        What is looked at.
    name : str
        The keyword.

    Returns
    -------
    bool
        Also True if it takes any keyword.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    try:
        parameters: Iterable = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        parameter.kind is parameter.VAR_KEYWORD
        or (parameter.name == name and parameter.kind in _BY_KEYWORD)
        for parameter in parameters
    )
