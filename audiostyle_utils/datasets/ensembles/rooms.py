"""Rooms: a few early reflections, and noise that dies away, the high notes first."""

from dataclasses import dataclass

import numpy as np

SR = 16000
_REFLECTIONS, _NEAREST, _FARTHEST = 7, 0.004, 0.05  # how many, and their delays in seconds
_FADING = 0.03  # seconds in which reflections lose a factor of e
_TAIL = 0.02  # seconds after which there is noise
_TREBLE = 0.5  # how long the treble lasts, of the time that the bass does
_CORNER = 2000.0  # Hz between the two


@dataclass(frozen=True)
class Room:
    """What rooms for some kind of music have in common.

    Attributes
    ----------
    decay : tuple of (float, float)
        Least and most seconds in which the sound falls by 60 dB.
    wet : tuple of (float, float)
        Least and most level of the room's sound against what comes straight, in dB.

    Chapter
    -------
    07_music_translation
    """

    decay: tuple[float, float]
    wet: tuple[float, float]


def in_room(y: np.ndarray, room: Room, rng: np.random.Generator) -> np.ndarray:
    """Put sound into a room. What comes straight stays where it is in time.

    Parameters
    ----------
    y : np.ndarray, float32, shape (samples,)
        Sound at 16 kHz.
    room : Room
        From what the room is drawn.
    rng : np.random.Generator
        What it is drawn by.

    Returns
    -------
    np.ndarray, float32, shape (samples,)
        As many samples.

    Chapter
    -------
    07_music_translation
    """
    from scipy.signal import fftconvolve

    # Drawn before all else, so that one recording has rooms of one kind for all players.
    decay, wet = (low + rng.uniform() * (high - low) for low, high in (room.decay, room.wet))
    back = fftconvolve(y, _response(decay, rng))[: y.size]
    level = np.sqrt(np.mean(y**2) / max(np.mean(back**2), 1e-12))
    return y + np.float32(10 ** (wet / 20) * level) * back


def _response(decay: float, rng: np.random.Generator) -> np.ndarray:
    """Draw what a room answers to a single click."""
    from scipy.signal import lfilter

    t = np.arange(round(decay * SR)) / SR
    noise = rng.standard_normal(t.size)
    pole = np.exp(-2 * np.pi * _CORNER / SR)
    bass = lfilter([1 - pole], [1, -pole], noise)
    fall = 10 ** (-3 * t / decay)
    tail = bass * fall + (noise - bass) * fall ** (1 / _TREBLE)
    tail *= np.clip(t / _TAIL - 1, 0, 1) / np.sqrt(np.sum(tail**2))
    delays = rng.uniform(_NEAREST, _FARTHEST, _REFLECTIONS)
    gains = np.exp(-delays / _FADING) * rng.choice((-1, 1), _REFLECTIONS)
    np.add.at(tail, (delays * SR).astype(int), gains / np.sqrt(np.sum(gains**2)))
    return tail.astype(np.float32)
