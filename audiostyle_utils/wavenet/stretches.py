"""Whole recordings, cut into stretches that are made side by side and joined."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiostyle_utils import spectra
from audiostyle_utils._checks import whole
from audiostyle_utils.errors import InputError

from . import _checks
from .decoder import Decoder
from .drawing import Stream, checked, run

# More streams than this save little: the weights are then fetched seldom enough. The number does
# not depend on the machine, so that a seed gives the same stretches everywhere.
_MOST = 24
_SHARE = 0.5  # that warm-ups may add to the samples of the recording


@dataclass(frozen=True)
class Cut:
    """Where the stretches of a recording lie; stretch k begins at sample k * step.

    Chapter
    -------
    07_music_translation
    """

    streams: int
    warm_up: int
    fade: int
    search: int
    length: int  # of each stretch, with its warm-up
    step: int

    @property
    def joins(self) -> list[int]:
        """Samples at which the second stretch, the third and so on begin to fade in."""
        return [k * self.step + self.warm_up + self.search for k in range(1, self.streams)]


def generate(
    decoder: Decoder,
    codes: np.ndarray,
    hop_length: int,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    streams: int | None = None,
    warm_up: int | None = None,
    fade: int = 400,
) -> np.ndarray:
    """Make a recording of codes.

    The recording is cut into stretches that are made side by side. Each begins `warm_up` samples
    early, which are thrown away, so that it has a past when it counts. At a join both stretches
    play the same music, but each has drawn phases of its own. So the later one is moved, by `fade`
    / 2 samples at most, to where both agree best, and then faded in.

    Parameters
    ----------
    decoder : Decoder
        Weights.
    codes : np.ndarray, shape (frames, latent)
        Codes, each of which holds for `hop_length` samples; with filters behind them if the
        decoder has an order, as for `draw`.
    hop_length : int
        Samples from one code to the next.
    seed : int
        Seed of the random numbers.
    temperature : float
        What the logits are divided by.
    streams : int or None
        Number of stretches. 1 gives what `draw` does. None takes as many as pay, 24 at most; it
        depends on the length alone.
    warm_up : int or None
        Samples that are thrown away; None means ``decoder.past``.
    fade : int
        Samples in which one stretch passes into the next.

    Returns
    -------
    np.ndarray, float32, shape (frames * hop_length,)
        Samples between -1 and 1.

    Raises
    ------
    InputError
        The codes do not fit the decoder, a number is out of range, or there are too many streams
        for so short a recording.

    Chapter
    -------
    07_music_translation
    """
    knobs = {"seed": seed, "temperature": temperature, "streams": streams}
    return generate_many(decoder, [codes], hop_length, warm_up=warm_up, fade=fade, **knobs)[0]


def generate_many(
    decoder: Decoder,
    recordings: Sequence[np.ndarray],
    hop_length: int,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    streams: int | None = None,
    warm_up: int | None = None,
    fade: int = 400,
) -> list[np.ndarray]:
    """Make several recordings at once; each comes out as `generate` makes it alone.

    Short recordings gain most, since each of them has few stretches of its own.

    Parameters
    ----------
    decoder : Decoder
        Weights.
    recordings : sequence of np.ndarray, each of shape (frames, latent)
        Codes of each recording, with filters behind them if the decoder has an order.
    hop_length : int
        Samples from one code to the next.
    seed, temperature, streams, warm_up, fade
        As for `generate`, for each recording.

    Returns
    -------
    list of np.ndarray, float32
        One signal for each recording.

    Raises
    ------
    InputError
        As for `generate`, or there is no recording.

    Chapter
    -------
    07_music_translation
    """
    size, axes = (checked(decoder).latent, decoder.order), ("frames", "latent")
    recordings = [_checks.codes(codes, *size, axes) for codes in _sequence(recordings)]
    hop_length, seed = whole(hop_length, "hop_length", 1), whole(seed, "seed", 0)
    temperature = _checks.positive(temperature, "temperature")
    sizes = [len(codes) * hop_length for codes in recordings]
    cuts = [lay_out(size, decoder.past, streams, warm_up, fade) for size in sizes]
    first, parts = 0, []
    for codes, cut in zip(recordings, cuts, strict=True):
        parts += _streams(cut, first, len(codes), hop_length, seed)
        first += len(codes)
    samples = iter(run(decoder, np.concatenate(recordings), parts, temperature)[0])
    return [_joined(cut, samples, size) for cut, size in zip(cuts, sizes, strict=True)]


def _sequence(recordings: Sequence[np.ndarray]) -> list[np.ndarray]:
    if isinstance(recordings, np.ndarray) or not isinstance(recordings, Sequence):
        kind = type(recordings).__name__
        raise InputError(f"recordings is a {kind}. Give a list with the codes of each recording.")
    if not recordings:
        raise InputError("recordings is empty. Give the codes of at least one recording.")
    return list(recordings)


def lay_out(size: int, past: int, streams: int | None, warm_up: int | None, fade: int) -> Cut:
    """Lay out the stretches of a recording of `size` samples.

    Chapter
    -------
    07_music_translation
    """
    warm_up = past if warm_up is None else whole(warm_up, "warm_up", 0)
    fade = whole(fade, "fade", 0)
    search = fade // 2
    # What every stretch but the first makes beside its share of the recording.
    beside = warm_up + fade + 2 * search
    if streams is None:
        streams = min(
            _MOST, max(1, int(_SHARE * size / max(beside, 1))), max(1, size // (fade + 1))
        )
    streams = whole(streams, "streams", 1)
    if streams == 1:
        return Cut(1, warm_up, fade, search, size, size)
    # The last one may be moved, and must still reach the end.
    length = -(-(size + search + (streams - 1) * beside) // streams)
    step = length - beside
    if step < max(fade, 1):
        raise InputError(
            f"streams is {streams}, which leaves {max(step, 0)} new samples for each, and a fade "
            f"takes {fade}. Give fewer streams, a shorter warm_up or a shorter fade."
        )
    return Cut(streams, warm_up, fade, search, length, step)


def _streams(cut: Cut, first: int, frames: int, hop_length: int, seed: int) -> list[Stream]:
    """Return the stretches of a recording whose codes begin at row `first` of all codes."""
    uniforms = np.random.default_rng(seed).random((cut.length, cut.streams))
    result, nothing = [], np.zeros(0, np.uint8)  # all samples are drawn
    for k in range(cut.streams):
        times = k * cut.step + np.arange(cut.length)
        index = first + np.minimum(times // hop_length, frames - 1)
        result.append(Stream(index, uniforms[:, k], nothing))
    return result


def _joined(cut: Cut, samples, size: int) -> np.ndarray:
    """Join the next stretches of `samples` into one signal."""
    y = spectra.mu_law_decode(next(samples))
    for join in cut.joins:
        later = spectra.mu_law_decode(next(samples))
        # What is moved was made `search` samples longer on both sides.
        moved, agreement = _best(y[join : join + cut.fade], later[cut.warm_up :], cut.search)
        start = cut.warm_up + moved
        faded = _faded(y[join : join + cut.fade], later[start : start + cut.fade], agreement)
        y = np.concatenate([y[:join], faded, later[start + cut.fade :]])
    return y[:size]


def _best(earlier: np.ndarray, later: np.ndarray, search: int) -> tuple[int, float]:
    """Return from where on `later` agrees best with `earlier`, and their correlation there."""
    if not search:
        return 0, 0.0
    windows = np.lib.stride_tricks.sliding_window_view(later, earlier.size)[: 2 * search + 1]
    size = np.linalg.norm(windows, axis=1) * np.linalg.norm(earlier)
    agreement = windows @ earlier / np.maximum(size, 1e-9)
    # Among places that are all but equal, the one in the middle moves nothing.
    far = np.abs(np.arange(agreement.size) - search) / search
    best = int(np.argmax(agreement - 1e-3 * far))
    return best, float(agreement[best])


def _faded(earlier: np.ndarray, later: np.ndarray, agreement: float) -> np.ndarray:
    """Pass from one signal to another without a change of loudness.

    Signals that agree add up in amplitude, and others in power. The correlation says how it is.
    """
    up = (np.arange(earlier.size, dtype=np.float32) + 1) / (earlier.size + 1)
    down = 1 - up
    power = up**2 + down**2 + 2 * max(agreement, 0.0) * up * down
    return np.clip((down * earlier + up * later) / np.sqrt(power), -1, 1)
