"""Signals, timelines and a style that the tests of the visuals share."""

import numpy as np

from audiostyle_utils.visuals.timeline import Timeline

SR = 22_050
SCALE = 261.6256 * 2 ** (np.arange(12) / 12)  # from C4 to B4, in hertz
CELLS = 64  # coordinates of the style below


def tone(frequency=440.0, seconds=1.0, size=0.5, sr=SR):
    return (size * np.sin(2 * np.pi * frequency * np.arange(round(seconds * sr)) / sr)).astype("f4")


def clicks(times, seconds, sr=SR, size=0.8):
    """Put bursts of noise, each of 3 ms, into silence."""
    y = np.zeros(round(seconds * sr), np.float32)
    burst = np.random.default_rng(5).uniform(-size, size, round(0.003 * sr)).astype("f4")
    for time in times:
        first = round(time * sr)
        y[first : first + burst.size] += burst[: max(0, y.size - first)]
    return y


def scale(note_seconds, notes=range(12), sr=SR):
    """Play notes one after the other, each with overtones and soft ends."""
    edge = np.linspace(0, 1, round(0.01 * sr))
    played = []
    for note in notes:
        y = sum(tone(SCALE[note] * k, note_seconds, 0.3 / k**2, sr) for k in (1, 2, 3))
        y[: edge.size] *= edge
        y[-edge.size :] *= edge[::-1]
        played.append(y)
    return np.concatenate(played).astype("f4")


def timeline(frames=200, fps=40.0, pulse=None, motion=None, chroma=None, loudness=None):
    """Make a timeline of given curves; those left out are nothing, but notes are loud."""
    curves = [np.zeros(frames) if curve is None else np.asarray(curve) for curve in (pulse, motion)]
    chroma = np.zeros((12, frames)) if chroma is None else np.asarray(chroma)
    curves += [chroma.any(axis=0) if loudness is None else np.asarray(loudness), chroma]
    return Timeline(fps, *(c.astype("f4") for c in curves), frames / fps)


def random_timeline(frames=300, fps=43.0, seed=0):
    """Make a timeline of random curves."""
    random = np.random.default_rng(seed)
    pulse, motion, loudness = random.random(frames) ** 3, *random.random((2, frames))
    return timeline(frames, fps, pulse, motion, random.random((12, frames)), loudness)


def chart(noise_batch, class_batch):
    """Paint vectors so that `noise_of` and `weights_of` can read them off: a style of 32 x 32.

    Red are the coordinates of the noise, in 8 x 8 squares, and blue the classes, in columns.
    """
    batch, count = class_batch.shape
    pictures = np.zeros((batch, 32, 32, 3), np.uint8)
    cells = np.clip(np.round(128 + 20 * noise_batch), 0, 255).reshape(batch, 8, 8)
    pictures[..., 0] = cells.repeat(4, axis=1).repeat(4, axis=2)
    pictures[..., 1] = 100
    columns = np.round(255 * class_batch)
    pictures[:, :, :count, 2] = columns[:, None]
    return pictures


def noise_of(frames):
    """Read the noise vectors off the frames of `chart`, to a 40th."""
    return (np.asarray(frames)[:, ::4, ::4, 0].reshape(len(frames), CELLS) - 128.0) / 20


def weights_of(frames, count=12):
    """Read the class vectors off the frames of `chart`, shape (frames, count)."""
    return np.asarray(frames)[:, 0, :count, 2] / 255
