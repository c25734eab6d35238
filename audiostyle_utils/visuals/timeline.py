"""What music does at each frame of a video: how loud its beat and its tones are, and which notes.

The recording is read block by block, so that an hour takes no more memory than a minute. Blocks
overlap by more than any filter here can see, and the overlap is dropped: the result is the same
as in one piece.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real

import numpy as np

from .. import audio
from ..errors import InputError

SR = 22_050
HOP = 256  # 11.6 ms, shorter than a frame at every rate up to 86 frames a second
N_FFT = 1024  # short enough to tell when a drum was hit
N_MELS = 64
PITCH_FFT, PITCH_HOP = 4096, 1024  # long enough to tell neighbouring notes apart
BLOCK, OVERLAP = 200 * PITCH_HOP, 22 * PITCH_HOP  # about 9 s and 1 s
SMOOTH_FRAMES, SMOOTH_BANDS = 61, 13  # of the medians: 0.7 s, and a fifth of the bands
HALF_SECOND = 43  # in hops
AROUND = 345  # in hops: two seconds to each side
FAINT = 0.01  # what is 40 dB below the loudest moment stays faint
SILENT = 1e-4  # a largest sample of -80 dB
PARTS = ("all", "percussive", "harmonic")


@dataclass(frozen=True)
class Loudness:
    """How loud a recording is, moment by moment, and which of the twelve notes are heard.

    Attributes
    ----------
    parts : dict
        For ``"all"``, ``"percussive"`` and ``"harmonic"`` the root of the power in all mel bands,
        float32 of shape (moments,), `HOP` samples at `SR` apart.
    chroma : np.ndarray, float32, shape (12, moments of PITCH_HOP samples)
        Strength of the pitch classes from C to B, 0 to 1, the strongest being 1; all 0 in
        silence.
    seconds : float
        Length of what was analysed.
    peak : float
        Largest sample.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    parts: dict[str, np.ndarray]
    chroma: np.ndarray
    seconds: float
    peak: float


@dataclass(frozen=True)
class Timeline:
    """What drives a video: one value, or twelve, for each of its frames.

    Attributes
    ----------
    fps : float
        Frames a second.
    pulse, motion : np.ndarray, float32, shape (frames,)
        What pushes the picture away for a moment, and what carries it on, 0 to 1: the power of
        the one and the amplitude of the other.
    loudness : np.ndarray, float32, shape (frames,)
        How loud the recording is whose notes are followed, 0 to 1: its power, compared with the
        seconds around.
    chroma : np.ndarray, float32, shape (12, frames)
        Strength of the pitch classes, 0 to 1.
    seconds : float
        Length of the music; there are ``round(seconds * fps)`` frames, and one at least.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    fps: float
    pulse: np.ndarray
    motion: np.ndarray
    loudness: np.ndarray
    chroma: np.ndarray
    seconds: float

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.pulse)


def measure_loudness(
    path: str | os.PathLike, start: float = 0.0, duration: float | None = None
) -> Loudness:
    """Measure how loud a recording is, its beat and its tones apart.

    A drum is a vertical line in a spectrogram, a tone a horizontal one. A median along time keeps
    what lasts, one along frequency keeps what is there in all bands at once, and each point of
    the mel spectrogram is shared out in proportion to the two (FitzGerald 2010).

    Parameters
    ----------
    path : str or path
        Recording of any length, rate, number of channels and format that `audio.load` reads.
    start : float
        Where to begin, in seconds.
    duration : float or None
        How much to measure, in seconds; None means to the end.

    Returns
    -------
    Loudness
        Curves at a fixed rate; `at_frames` brings them to that of a video.

    Raises
    ------
    InputError
        The file cannot be read, or nothing is left after `start`.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    curves: dict[str, list] = {name: [] for name in (*PARTS, "notes")}
    samples, peak = 0, 0.0
    for y, before, core in _overlapping(excerpt_blocks(path, SR, start, duration)):
        samples += core
        peak = max(peak, float(np.abs(y[before : before + core]).max()))
        for name, curve in _part_curves(y, before, core).items():
            curves[name].append(curve)
        curves["notes"].append(_notes(y, before, core))
    if not samples:
        raise InputError(f"{path} has nothing left after start, {start:g} s: give a smaller start.")
    joined = {name: np.concatenate(pieces, axis=-1) for name, pieces in curves.items()}
    chroma = _chroma(joined.pop("notes"))
    return Loudness(joined, chroma, samples / SR, peak)


def excerpt_blocks(
    path: str | os.PathLike, sr: int, start: float, duration: float | None, mono: bool = True
) -> Iterator[np.ndarray]:
    """Read a part of a recording block by block.

    Parameters
    ----------
    path : str or path
        Recording.
    sr : int
        Sample rate of the blocks in hertz.
    start : float
        Seconds that are left out at the beginning.
    duration : float or None
        Seconds to read; None means to the end.
    mono : bool
        Whether to give the mean of the channels.

    Yields
    ------
    np.ndarray, float32, shape (samples,), or (channels, samples) if mono is False
        The part, in order.

    Raises
    ------
    InputError
        The file cannot be read, `start` is below 0 or `duration` is not above it.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    for name, value, least in (("start", start, 0), ("duration", duration, 1 / sr)):
        if value is not None and not (isinstance(value, Real) and least <= value < np.inf):
            raise InputError(f"{name} is {value!r}: give seconds, from {least:.2g} on.")
    skip = round(start * sr)
    left = None if duration is None else round(duration * sr)
    for block in audio.stream(path, sr, mono=mono):
        dropped = min(skip, block.shape[-1])
        skip -= dropped
        block = block[..., dropped:] if left is None else block[..., dropped : dropped + left]
        if left is not None:
            left -= block.shape[-1]
        if block.shape[-1]:
            yield block
        if left == 0:
            return


def at_frames(curve: np.ndarray, fps: float, frames: int, mean: bool = False) -> np.ndarray:
    """Bring a curve of loudness to the frames of a video.

    A frame takes the loudest moment between its own beginning and that of the next, so that no
    hit falls between two frames. What is added up over frames needs the mean: else a video with
    fewer frames, each of them louder, would go further.

    Parameters
    ----------
    curve : np.ndarray, shape (moments,)
        Values at multiples of `HOP` samples.
    fps : float
        Frames a second.
    frames : int
        How many frames there are. Beyond the end of the curve they are 0.
    mean : bool
        Whether to take the mean of the moments, and not the loudest.

    Returns
    -------
    np.ndarray, float32, shape (frames,)
        One value for each frame.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    # The first moment that is not before the frame; a hair less, since division rounds.
    first = np.ceil(np.arange(frames + 1) / fps * SR / HOP - 1e-6).astype(int)
    inside = first[:-1][first[:-1] < len(curve)]
    values = np.zeros(frames, np.float32)
    end = max(first[-1], inside[-1] + 1)
    if mean:
        moments = np.maximum(np.diff([*inside, end]), 1)
        values[: len(inside)] = np.add.reduceat(curve[:end], inside) / moments
    else:
        values[: len(inside)] = np.maximum.reduceat(curve[:end], inside)
    return values


def envelope(loudness: np.ndarray) -> np.ndarray:
    """Scale loudness to the range from 0 to 1 as a viewer would.

    The published way divides the power by its largest value, so that a single loud hit makes the
    rest of a song invisible. Here the top is what the loudest moments of nine tenths of all half
    seconds stay below: what is louder is cut to 1. So few hits count as much as many. The
    quietest tenth is the bottom, if that is more than silence.

    Parameters
    ----------
    loudness : np.ndarray, shape (moments,)
        Amplitudes, 0 or more, `HOP` samples apart; not those of frames, or the frame rate would
        change how a video reacts.

    Returns
    -------
    np.ndarray, float32, shape (moments,)
        From 0 to 1; all 0 for silence.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    if not loudness.any():
        return np.zeros_like(loudness)
    loudest = np.maximum.reduceat(loudness, np.arange(0, len(loudness), HALF_SECOND))
    top = np.percentile(loudest[loudest > 1e-3 * loudest.max()], 90)
    bottom = min(np.percentile(loudness, 10), top / 2)
    return np.clip((loudness - bottom) / (top - bottom), 0, 1).astype(np.float32)


def presence(loudness: np.ndarray) -> np.ndarray:
    """Compare each moment with the loudest of the seconds around it.

    So a quiet passage has beats of its own, although a loud one comes later.

    Parameters
    ----------
    loudness : np.ndarray, shape (moments,)
        Amplitudes, 0 or more, `HOP` samples apart.

    Returns
    -------
    np.ndarray, float32, shape (moments,)
        From 0 to 1, the quietest tenth being 0, unless that is more than half; all 0 for silence.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    from scipy.ndimage import maximum_filter1d

    if not loudness.any():
        return np.zeros_like(loudness)
    around = maximum_filter1d(loudness, AROUND, mode="nearest")
    share = loudness / np.maximum(around, FAINT * loudness.max())
    bottom = min(np.percentile(share, 10), 0.5)
    return np.clip((share - bottom) / (1 - bottom), 0, 1).astype(np.float32)


def make_timeline(
    pulse: np.ndarray, motion: np.ndarray, notes: Loudness, fps: float, seconds: float
) -> Timeline:
    """Put curves of loudness and notes together, at the frames of a video.

    Parameters
    ----------
    pulse, motion : np.ndarray, shape (moments,)
        What a `Loudness` has in its `parts`.
    notes : Loudness
        That of the recording whose notes are followed.
    fps : float
        Frames a second, 1 to 120.
    seconds : float
        Length of the video.

    Returns
    -------
    Timeline
        With ``round(seconds * fps)`` frames, and one at least.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    frames = max(1, round(seconds * fps))
    times = (np.arange(frames) + 0.5) / fps
    places = np.arange(notes.chroma.shape[1]) * PITCH_HOP / SR
    chroma = np.array([np.interp(times, places, row, right=0) for row in notes.chroma], np.float32)
    # Squared, a hit stands out from what sounds on between two of them.
    pulse = at_frames(envelope(pulse), fps, frames) ** 2
    motion = at_frames(envelope(motion), fps, frames, mean=True)
    loudness = at_frames(presence(notes.parts["all"]) ** 2, fps, frames, mean=True)
    return Timeline(float(fps), pulse, motion, loudness, chroma, seconds)


def _overlapping(blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield stretches of a signal: samples, how many come before the core, how long that is."""
    waiting, before = np.zeros(0, np.float32), 0
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= before + BLOCK + OVERLAP:
            yield waiting[: before + BLOCK + OVERLAP], before, BLOCK
            waiting, before = waiting[before + BLOCK - OVERLAP :], OVERLAP
    if len(waiting) > before:
        yield waiting, before, len(waiting) - before


def _part_curves(y: np.ndarray, before: int, core: int) -> dict[str, np.ndarray]:
    """Return the loudness of all, the percussive and the harmonic part of a stretch's core."""
    from scipy.ndimage import median_filter

    from .. import spectra

    y = _padded(y, N_FFT)
    power = spectra.mel_spectrogram(y, SR, N_FFT, HOP, N_MELS)
    amplitude = np.sqrt(power)
    lasting = median_filter(amplitude, (1, SMOOTH_FRAMES), mode="nearest")
    broad = median_filter(amplitude, (SMOOTH_BANDS, 1), mode="nearest")
    share = broad / np.maximum(lasting + broad, 1e-10)
    # Only whole windows count: a tone that is cut at an end would look like a hit there.
    margin, first = N_FFT // 2, before // HOP
    columns = np.arange(first, first - (-core // HOP))
    columns = columns.clip(margin // HOP, (len(y) - margin) // HOP)
    parts = zip(PARTS, (1.0, share, 1 - share), strict=True)
    return {name: np.sqrt((mask * power).sum(axis=0))[columns] for name, mask in parts}


def _notes(y: np.ndarray, before: int, core: int) -> np.ndarray:
    """Return the power of the twelve pitch classes in a stretch's core."""
    import librosa

    from .. import spectra

    S = np.abs(spectra.stft(_padded(y, PITCH_FFT), PITCH_FFT, PITCH_HOP))
    power = librosa.filters.chroma(sr=SR, n_fft=PITCH_FFT) @ S**2  # (12, moments)
    first = before // PITCH_HOP
    return power[:, first : first + -(-core // PITCH_HOP)].astype(np.float32)


def _chroma(power: np.ndarray) -> np.ndarray:
    """Scale the strongest pitch class of each moment to 1; what is 40 dB below the rest is 0."""
    strongest = power.max(axis=0)
    heard = strongest > max(1e-6, 1e-4 * strongest.max())
    return np.where(heard, power / np.maximum(strongest, 1e-20), 0).astype(np.float32)


def _padded(y: np.ndarray, n_fft: int) -> np.ndarray:
    """Fill up a stretch that is shorter than a window with silence."""
    return np.pad(y, (0, max(0, n_fft - len(y))))
