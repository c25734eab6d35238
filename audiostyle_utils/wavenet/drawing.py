"""Samples of many streams at once, and the logits of samples that are known."""

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import NamedTuple

import numpy as np

from audiostyle_utils import spectra
from audiostyle_utils._checks import whole
from audiostyle_utils.errors import InputError
from audiostyle_utils.settings import cores

from . import _checks
from .decoder import Decoder

_STEPS = 256  # between two looks for Ctrl-C: a second or less
_WIDTH = 32  # the widths of all arrays are filled up to a multiple of this: half a tile
OVERFLOW = (
    "The decoder's logits are not finite. Its weights or the codes are far too large: train it "
    "again with a smaller learning rate, or normalise the codes."
)


class Stream(NamedTuple):
    """What one stream is made from.

    Chapter
    -------
    07_music_translation
    """

    index: np.ndarray  # (time,), the code of each sample, as a row of all codes
    uniforms: np.ndarray  # (time,)
    given: np.ndarray  # (known,), samples at the beginning that are not drawn


def draw(
    decoder: Decoder,
    codes: np.ndarray,
    hop_length: int,
    uniforms: np.ndarray,
    *,
    given: np.ndarray | None = None,
    temperature: float = 1.0,
) -> np.ndarray:
    """Draw streams of sound sample by sample, each from the samples before it and from its codes.

    The sample is where the summed probabilities of the mu-law codes pass its uniform number. So the
    same numbers give the same samples. The streams know nothing of each other, and come out the
    same whichever are made together, on however many cores.

    Parameters
    ----------
    decoder : Decoder
        Weights.
    codes : np.ndarray, shape (frames, streams, latent)
        Codes, each of which holds for `hop_length` samples. If the decoder has an order, the
        filters stand behind them: (frames, streams, latent + order).
    hop_length : int
        Samples from one code to the next.
    uniforms : np.ndarray, shape (time, streams)
        Random numbers, 0 or more and below 1; as many as there are samples to make.
    given : np.ndarray of whole numbers, shape (known, streams), or None
        The first samples of each stream. They are taken as they are instead of drawn.
    temperature : float
        What the logits are divided by. Below 1 likely samples become likelier still.

    Returns
    -------
    np.ndarray, uint8, shape (time, streams)
        Mu-law codes, for `spectra.mu_law_decode`.

    Raises
    ------
    InputError
        An array does not fit the decoder or the others, a number is out of range, or the decoder's
        weights are so large that its numbers overflow.

    Chapter
    -------
    07_music_translation

    References
    ----------
    T. Le Paine et al. (2016). Fast WaveNet generation algorithm. arXiv:1611.09482.
    """
    codes, index, uniforms, given = plan(decoder, codes, hop_length, uniforms, given)
    temperature = _checks.positive(temperature, "temperature")
    streams = [Stream(*columns) for columns in zip(index.T, uniforms.T, given.T, strict=True)]
    return np.stack(run(decoder, codes, streams, temperature)[0], axis=1)


def logits(decoder: Decoder, codes: np.ndarray, samples: np.ndarray, hop_length: int) -> np.ndarray:
    """Return the logits of each sample of known streams, given the samples before it.

    They come from the same compiled loops as `draw`, and so show what it draws from.

    Parameters
    ----------
    decoder : Decoder
        Weights.
    codes : np.ndarray, shape (frames, streams, latent)
        Codes, each of which holds for `hop_length` samples; with filters behind them as for `draw`.
    samples : np.ndarray of whole numbers, shape (time, streams)
        Mu-law codes.
    hop_length : int
        Samples from one code to the next.

    Returns
    -------
    np.ndarray, float32, shape (time, streams, 256)
        Logits; those at t depend on the samples before t alone.

    Raises
    ------
    InputError
        As for `draw`.

    Chapter
    -------
    07_music_translation
    """
    samples = _checks.samples(samples, "samples", ("time", "streams"))
    if 0 in samples.shape:
        raise InputError(
            f"samples has shape {samples.shape}. Give (time, streams), none of them 0."
        )
    nothing = np.zeros(samples.shape)
    codes, index, uniforms, given = plan(decoder, codes, hop_length, nothing, samples)
    streams = [Stream(*columns) for columns in zip(index.T, uniforms.T, given.T, strict=True)]
    return np.stack(run(decoder, codes, streams, keep=True)[1], axis=1)


def checked(decoder: Decoder) -> Decoder:
    """Return a decoder, or say that it is none.

    Chapter
    -------
    07_music_translation
    """
    if not isinstance(decoder, Decoder):
        raise InputError(f"decoder is a {type(decoder).__name__}. Give a wavenet.Decoder.")
    return decoder


def plan(
    decoder: Decoder,
    codes: np.ndarray,
    hop_length: int,
    uniforms: np.ndarray,
    given: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Check what streams are made from; return all codes as rows, and the row of each sample.

    Chapter
    -------
    07_music_translation
    """
    hop_length = whole(hop_length, "hop_length", 1)
    size = checked(decoder).latent, decoder.order
    codes = _checks.codes(codes, *size, ("frames", "streams", "latent"))
    uniforms = _checks.uniforms(uniforms)
    (time, streams), frames = uniforms.shape, len(codes)
    if given is None:
        given = np.zeros((0, streams), np.uint8)
    given = _checks.samples(given, "given", ("time", "streams"))
    if {codes.shape[1], given.shape[1]} != {streams} or len(given) > time:
        raise InputError(
            f"codes has shape {codes.shape}, the samples to make have {uniforms.shape} and those "
            f"given {given.shape}. Give as many streams in each, and no more given than to be made."
        )
    if time > frames * hop_length:
        raise InputError(
            f"{frames} codes last for {frames * hop_length} samples, and {time} are to be made. "
            "Give more codes."
        )
    index = np.arange(time)[:, np.newaxis] // hop_length * streams + np.arange(streams)
    return codes.reshape(-1, decoder.width), index, uniforms, given


def run(
    decoder: Decoder,
    codes: np.ndarray,
    streams: list[Stream],
    temperature: float = 1.0,
    keep: bool = False,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Make streams, which may differ in length; return their samples, and their logits if kept.

    Each core has a group of streams. The compiled loops let go of Python's lock, so that threads
    are enough for that.

    Chapter
    -------
    07_music_translation
    """
    weights = _folded(decoder)
    tables = _tables(decoder, weights, codes)
    order = sorted(range(len(streams)), key=lambda i: -streams[i].index.size)
    parts = np.array_split(order, min(cores(), len(order)))
    groups = [_Group(weights, tables, [streams[i] for i in part], keep) for part in parts]
    with ThreadPoolExecutor(len(groups)) as pool:
        for first in range(0, groups[0].time, _STEPS):
            finite = pool.map(_Group.advance, groups, repeat(first), repeat(temperature))
            if not all(finite):
                raise InputError(OVERFLOW)
    made = [group.stream(b) for group in groups for b in range(len(group.lengths))]
    back = np.argsort(order)
    return [made[i][0] for i in back], [made[i][1] for i in back]


class _Group:
    """Streams that are made together, in step."""

    def __init__(self, weights, tables, streams: list[Stream], keep: bool) -> None:
        from ._kernel import Job, State

        count, self.lengths = len(streams), [stream.index.size for stream in streams]
        self.time, known = max(self.lengths), max(stream.given.size for stream in streams)
        self.weights, self.tables = weights, tables
        self.job = Job(
            _beside([stream.index for stream in streams], self.time, np.int64, 0),
            _beside([stream.given for stream in streams], known, np.int16, -1),
            _beside([stream.uniforms for stream in streams], self.time, np.float64, 0),
            np.zeros((self.time, count), np.uint8),
            np.zeros((self.time if keep else 0, count, _checks.LEVELS), np.float32),
        )
        rings = (int(weights.dilations.sum()), count, weights.embed.shape[2])
        before = np.full((2, count), _checks.SILENCE)
        recent = np.zeros((count, 2 * tables.filters.shape[1]))
        self.state = State(np.zeros(rings, np.float32), before, recent)

    def advance(self, first: int, temperature: float) -> bool:
        """Make the samples from `first` up to the next look for Ctrl-C."""
        from ._kernel import advance

        stop = min(first + _STEPS, self.time)
        parts = (self.weights, self.tables, self.state, self.job)
        return advance(first, stop, *parts, temperature)

    def stream(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the samples of one stream, and its logits."""
        return self.job.out[: self.lengths[b], b], self.job.scores[: self.lengths[b], b]


def _beside(columns: list[np.ndarray], time: int, dtype: type, fill: int) -> np.ndarray:
    """Put columns of several lengths side by side, filled up at their ends."""
    result = np.full((time, len(columns)), fill, dtype)
    for b, column in enumerate(columns):
        result[: column.size, b] = column
    return result


def _folded(decoder: Decoder):
    """Return the weights as the compiled loops take them."""
    from ._kernel import Weights, tiled

    layers, residual, wide = decoder.dilations.size, decoder.residual, _wide(decoder.residual)
    gate = _filled(decoder.gate.reshape(layers, 2, residual, 2, residual), 2, 4)
    gate = gate.reshape(layers, 2 * wide, 2 * wide)
    return Weights(
        _filled(decoder.embed, 2),
        _filled(decoder.foretold, 1),
        spectra.mu_law_decode(np.arange(_checks.LEVELS)).astype(np.float64),
        tiled(gate[:, :wide]),
        tiled(gate[:, wide:]),
        tiled(_filled(_parted(decoder.mix, residual), 1)),
        _parted(decoder.mix_bias, residual),
        tiled(_columns(_filled(decoder.hidden, 0))),
        tiled(_filled(decoder.out, 0)),
        decoder.out_bias,
        decoder.dilations,
    )


def _tables(decoder: Decoder, weights, codes: np.ndarray):
    """Work out what codes (count, latent) add, once for each of them."""
    from ._kernel import Tables, add_product, tiled

    layers, residual = decoder.dilations.size, decoder.residual
    halves = _filled(decoder.gate_codes.reshape(layers, decoder.latent, 2, residual), 1, 3)
    to_gates = tiled(halves.reshape(layers, halves.shape[1], -1))
    bias = _filled(decoder.gate_bias.reshape(layers, 1, 2, residual), 3).reshape(layers, 1, -1)
    gates = np.repeat(bias, len(codes), axis=1)
    hidden = np.repeat(_columns(decoder.hidden_bias[np.newaxis]), len(codes), axis=0)
    filters = codes[:, decoder.latent :].astype(np.float64)
    codes = _filled(codes[:, : decoder.latent], 1)
    for layer in range(layers):
        add_product(codes, to_gates[layer], gates[layer])
    add_product(codes, tiled(_columns(_filled(decoder.hidden_codes, 0))), hidden)
    return Tables(gates, hidden, filters)


def _wide(width: int, least: int = _WIDTH) -> int:
    return -(-width // least) * least


def _filled(x: np.ndarray, *axes: int, least: int = _WIDTH) -> np.ndarray:
    """Return an array with axes filled up with zeros, which changes no sum."""
    room = [(0, _wide(n, least) - n if axis in axes else 0) for axis, n in enumerate(x.shape)]
    return np.ascontiguousarray(np.pad(x, room))


def _columns(x: np.ndarray) -> np.ndarray:
    """Return an array whose last axis is filled up to whole tiles."""
    return _filled(x, x.ndim - 1, least=2 * _WIDTH)


def _parted(x: np.ndarray, residual: int) -> np.ndarray:
    """Return [residual | skip] columns, with each part filled up, and both together."""
    last = x.ndim - 1
    parts = [_filled(x[..., :residual], last), _filled(x[..., residual:], last)]
    return _columns(np.concatenate(parts, axis=last))
