"""The timeline and the latent vectors of Lucid Sonic Dreams 0.4, formula by formula.

They are here to be compared with: ``compat="0.4"`` renders with them, and the chapter measures
what each change to them is worth. Only what would end in an error there is mended, and the sums
are kept from frame to frame in place of being added up anew. The whole song lies in memory, and
the frame rate is the one that the published code ends up with.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import audio
from ..errors import InputError
from .latents import REACH, check_sizes, class_labels, path_settings
from .timeline import SR, Timeline

_KEEP = 0.75  # of the last frame's pulse and motion


def hop_at(fps: float) -> int:
    """Return the samples a frame: a multiple of 64, which rounds the frame rate up.

    Parameters
    ----------
    fps : float
        Frames a second that are wanted. The video gets ``22050 / hop_at(fps)`` of them.

    Returns
    -------
    int
        Samples at 22,050 Hz.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    return int(SR / fps - SR / fps % 64)


def loudness(y: np.ndarray, n_mels: int, hop_length: int) -> np.ndarray:
    """Return the power of the loudest mel band of each frame, from 0 to 1.

    Parameters
    ----------
    y : np.ndarray, shape (samples,)
        Signal at 22,050 Hz.
    n_mels : int
        Number of mel bands; the published code takes the length of a noise vector.
    hop_length : int
        Samples a frame.

    Returns
    -------
    np.ndarray, float32, shape (frames,)
        All 0 for silence, where the published code divides by zero.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    import warnings

    import librosa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters", category=UserWarning)
        S = librosa.feature.melspectrogram(y=y, sr=SR, n_mels=n_mels, hop_length=hop_length)
    power = S.max(axis=0)
    return (power - power.min()) / max(np.ptp(power), 1e-20)


def published_timeline(
    song: str | os.PathLike,
    fps: float = 43,
    n_mels: int = 512,
    *,
    pulse_audio: str | os.PathLike | None = None,
    motion_audio: str | os.PathLike | None = None,
    class_audio: str | os.PathLike | None = None,
    start: float = 0.0,
    duration: float | None = None,
    parts: Sequence[str] = ("percussive", "harmonic"),
) -> Timeline:
    """Measure a song as the published code does.

    Parameters
    ----------
    song : str or path
        Recording.
    fps : float
        Frames a second that are wanted.
    n_mels : int
        Number of mel bands.
    pulse_audio, motion_audio, class_audio : str, path or None
        Recordings in place of the song.
    start, duration : float
        Which part, in seconds.
    parts : two of "all", "percussive" and "harmonic"
        What drives pulse and motion where it is the song.

    Returns
    -------
    Timeline
        Its `fps` is the rate that comes of whole multiples of 64 samples; its `loudness` is 0.

    Raises
    ------
    InputError
        A recording cannot be read.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    import librosa

    hop = hop_at(fps)
    y = audio.load(song, SR, offset=start, duration=duration)[0]
    signals = dict.fromkeys(("all", "percussive", "harmonic"), y)
    if set(parts) != {"all"}:
        signals["harmonic"], signals["percussive"] = librosa.effects.hpss(y)
    stems = [
        audio.load(path, SR, offset=start, duration=duration)[0] if path else signals[part]
        for path, part in ((pulse_audio, parts[0]), (motion_audio, parts[1]), (class_audio, "all"))
    ]
    frames = 1 + len(y) // hop
    curves = [loudness(stem, n_mels, hop) for stem in stems[:2]]
    # Of loudness itself the published code makes no use.
    curves += [np.zeros(frames, np.float32), _chroma(stems[2], hop)]
    curves = [librosa.util.fix_length(curve, size=frames) for curve in curves]
    return Timeline(SR / hop, *curves, len(y) / SR)


def _chroma(y: np.ndarray, hop_length: int) -> np.ndarray:
    """Return the twelve notes of each frame. In what is short or silent librosa warns of itself."""
    import warnings

    import librosa

    with warnings.catch_warnings():
        for message in ("n_fft=", "Trying to estimate tuning"):
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        return librosa.feature.chroma_cqt(y=y, sr=SR, hop_length=hop_length)


class PublishedPath:
    """The noise and class vectors of the published code, frame after frame.

    Parameters
    ----------
    timeline : Timeline
        What `published_timeline` returns.
    fps : float
        The rate that was wanted: rules in seconds use it, and not the real one.
    input_shape, num_possible_classes : int
        Lengths of a noise and of a class vector.
    **settings
        As the attributes of `PathSettings`. The published code draws differently each time.

    Raises
    ------
    InputError
        `speed_fpm` asks for more key vectors than there are frames between them, a length is out
        of range, or there is no such setting.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    def __init__(
        self,
        timeline: Timeline,
        input_shape: int = 512,
        num_possible_classes: int = 0,
        *,
        fps: float = 43,
        **settings: Any,
    ) -> None:
        check_sizes(input_shape, num_possible_classes)
        self.settings = chosen = path_settings(settings)
        self.timeline, self.fps = timeline, fps
        self.input_shape, self.num_possible_classes = input_shape, num_possible_classes
        self.class_pitch_react = chosen.class_pitch_react * 43 / fps
        self.smooth = round(chosen.class_smooth_seconds * fps)
        self.turn = round(chosen.class_shuffle_strength * 12)
        random = np.random.default_rng(chosen.seed)
        dominance = _dominance(timeline.chroma) if chosen.dominant_classes_first else None
        self.labels = class_labels(chosen.classes, num_possible_classes, random, dominance)
        self._noise = self._walk(self._base(random), random)
        self._done = 0
        self.classes = self._class_path()

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.timeline)

    def noise(self, first: int, last: int) -> np.ndarray:
        """Give noise vectors in order: each call has to go on where the last one ended.

        Parameters
        ----------
        first, last : int
            From this frame on, and up to but without that one.

        Returns
        -------
        np.ndarray, float32, shape (last - first, input_shape)
            Noise vectors.

        Raises
        ------
        InputError
            `first` is not the frame that comes next.
        """
        if first != self._done:
            raise InputError(f"first is {first}, and frame {self._done} comes next: ask in order.")
        vectors = [next(self._noise) for _ in range(first, min(last, len(self)))]
        self._done += len(vectors)
        return np.array(vectors, np.float32)

    def class_vectors(self, first: int, last: int) -> np.ndarray:
        """Give class vectors.

        Parameters
        ----------
        first, last : int
            From this frame on, and up to but without that one.

        Returns
        -------
        np.ndarray, float32, shape (last - first, num_possible_classes)
            Class vectors.
        """
        return self.classes[first:last]

    def _base(self, random: np.random.Generator) -> np.ndarray:
        """Return one key for all frames, or straight lines between keys that stop too early."""
        from scipy.stats import truncnorm

        frames = len(self)
        speed_fpm = self.settings.speed_fpm
        keys = max(1, round(self.timeline.seconds / 60 * speed_fpm))
        shape = (keys, self.input_shape)
        drawn = truncnorm.rvs(-REACH, REACH, size=shape, random_state=random)
        drawn = self.settings.truncation * drawn
        steps = int(frames / keys - 1)
        if keys > 1 and steps < 1:
            raise InputError(
                f"speed_fpm is {speed_fpm}: with compat, give half as many as frames a minute."
            )
        return drawn if keys == 1 else _lines(drawn, steps, frames)

    def _walk(self, base: np.ndarray, random: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield base, pulse and motion together, and turn each coordinate at the border."""
        size, motion_react = self.input_shape, self.settings.motion_react * 20
        signs, pulse, step = random.choice([1, -1], size), 0.0, np.zeros(size)
        motion, limit = np.zeros(size), REACH * self.settings.truncation
        for i in range(len(self)):
            if i % round(self.fps * 4) == 0:
                factors = random.choice([1, 1 - self.settings.motion_randomness], size)
            new_pulse = self.settings.pulse_react * self.timeline.pulse[i]
            new_step = motion_react / self.fps * self.timeline.motion[i] * signs * factors
            pulse = _KEEP * pulse + (1 - _KEEP) * new_pulse if i else new_pulse
            step = _KEEP * step + (1 - _KEEP) * new_step if i else new_step
            motion = motion + step
            noise = base[min(i, len(base) - 1)] + pulse + motion
            signs = np.where(noise + self.settings.motion_react >= limit, -1, signs)
            signs = np.where(noise - self.settings.motion_react < -limit, 1, signs)
            yield noise

    def _class_path(self) -> np.ndarray:
        """Return all class vectors, smoothed in blocks."""
        frames, size = len(self), self.num_possible_classes
        if size == 0:
            return np.zeros((frames, 0), np.float32)
        labels, vectors = list(self.labels), np.zeros((frames, size))
        heard = np.flatnonzero(self.timeline.chroma.sum(axis=0) > 0)
        for i in range(frames):
            if self._shuffles(i):
                labels = labels[self.turn :] + labels[: self.turn]
            first = heard[0] if i == 0 and heard.size else i
            notes = np.zeros(size)
            notes[labels] = self.timeline.chroma[:, first]  # the last note of a label counts
            summed = vectors[i - 1] + self.class_pitch_react * notes if i else notes
            vectors[i] = self.settings.class_complexity * _stretched(summed)
        return self._in_blocks(vectors).astype(np.float32)

    def _shuffles(self, i: int) -> bool:
        seconds = self.settings.class_shuffle_seconds
        if seconds is None:
            return False
        if np.ndim(seconds):
            return i / self.fps + self.settings.start in list(seconds)
        return i != 0 and i % max(1, round(seconds * self.fps)) == 0

    def _in_blocks(self, vectors: np.ndarray) -> np.ndarray:
        """Take the mean of each block, and go from one mean to the next in straight lines."""
        if self.smooth <= 1:
            return vectors
        starts = range(0, len(vectors), self.smooth)
        means = np.array([vectors[first : first + self.smooth].mean(axis=0) for first in starts])
        lines = _lines(means, self.smooth, len(vectors)) if len(means) > 1 else means
        return lines[np.minimum(np.arange(len(vectors)), len(lines) - 1)]


def _lines(keys: np.ndarray, steps: int, frames: int) -> np.ndarray:
    """Go from key to key in so many steps, both ends counted, and stay at the last."""
    share = np.linspace(0, 1, steps)[:, None]
    lines = [(1 - share) * a + share * b for a, b in zip(keys[:-1], keys[1:], strict=True)]
    joined = np.concatenate(lines)
    return np.concatenate([joined, np.repeat(joined[-1:], max(0, frames - len(joined)), axis=0)])


def _stretched(vector: np.ndarray) -> np.ndarray:
    """Bring a vector to the range from 0 to 1; equal values get 0.1 on the first of them."""
    if np.ptp(vector) > 0:
        return (vector - vector.min()) / np.ptp(vector)
    stretched = np.array(vector)
    stretched[0] += 0.1
    return stretched


def _dominance(chroma: np.ndarray) -> np.ndarray:
    """Return the share of each note in each frame."""
    return chroma / np.maximum(chroma.sum(axis=0, keepdims=True), 1e-20)
