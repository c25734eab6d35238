"""The compiled loops behind generation: one sample after the other, many streams at once.

Each stream sees the same additions in the same order, whatever other streams are made beside it.
So its samples do not depend on how the streams are shared out among threads, to the last bit. A
library's matrix products do not promise that, and for one stream or for a few they are slower.

Compiling takes some seconds once in each process. numba could keep the result on disk, but then
fails to load this module where it finds no folder to write to, as in a locked-down installation.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

_compiled = njit(nogil=True, error_model="numpy", fastmath={"contract"})
_inlined = njit(nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
# Products and sums may become one instruction. No other liberty is taken, since then the order of
# additions could depend on the shape.
_F = np.float32
TILE = 64  # columns of a matrix that are worked on together


class Weights(NamedTuple):
    """A decoder's arrays, filled up with zeros, and its matrices cut by `tiled`."""

    embed: np.ndarray
    foretold: np.ndarray
    heights: np.ndarray  # of the 256 codes, in double precision
    gate_past: np.ndarray
    gate_now: np.ndarray
    mix: np.ndarray
    mix_bias: np.ndarray
    hidden: np.ndarray
    out: np.ndarray
    out_bias: np.ndarray
    dilations: np.ndarray


def tiled(x):
    """Cut matrices (..., width, columns) into tiles (..., columns / TILE, width, TILE)."""
    cut = x.reshape(*x.shape[:-1], -1, TILE)
    return np.ascontiguousarray(np.moveaxis(cut, -2, -3))


class Tables(NamedTuple):
    """What each code adds to each layer's gate, and to the hidden layer; biases are in it."""

    gates: np.ndarray  # (layers, codes, 2 * residual)
    hidden: np.ndarray  # (codes, columns of hidden)
    filters: np.ndarray  # (codes, order), in double precision


class State(NamedTuple):
    """What has to be kept from one sample to the next."""

    rings: np.ndarray  # (sum of dilations, streams, residual)
    before: np.ndarray  # (2, streams): the sample before the last one, and the last one
    recent: np.ndarray  # (streams, 2 * order): the last heights twice, so that some are in a row


class Job(NamedTuple):
    """What a group of streams is made from; every array begins with (time, streams)."""

    index: np.ndarray  # the code of each sample, as a row of the tables
    given: np.ndarray  # samples to take, or -1 where one is to be drawn; perhaps fewer
    uniforms: np.ndarray
    out: np.ndarray  # the samples
    scores: np.ndarray  # logits, as many as are wanted


@_inlined
def _tanh(x):
    """Return tanh by Lambert's continued fraction at x / 2, and one doubling; error below 3e-7."""
    x = _F(9) if x > _F(9) else x
    x = _F(-9) if x < _F(-9) else x
    y = x * _F(0.5)
    s = y * y
    p = y * (_F(135135) + s * (_F(17325) + s * (_F(378) + s)))
    q = _F(135135) + s * (_F(62370) + s * (_F(3150) + s * _F(28)))
    # tanh(2y) = 2 tanh(y) / (1 + tanh(y)^2), with tanh(y) = p / q: one division in all.
    return (_F(2) * p * q) / (q * q + p * p)


@_compiled
def add_product(x, W, y):
    """Add x @ W to y, for W in tiles: (columns / TILE, width, TILE), with width a multiple of 4.

    So the weights lie in memory in the order in which they are taken, which is what memory is
    quickest at. Four rows of a tile serve all streams while they are near. The loop over a tile has
    a fixed length, so that it is compiled to a few wide instructions and nothing around them.
    """
    for k in range(W.shape[0]):
        first = k * TILE
        for i in range(0, W.shape[1], 4):
            for b in range(x.shape[0]):
                a0, a1, a2, a3 = x[b, i], x[b, i + 1], x[b, i + 2], x[b, i + 3]
                for j in range(TILE):
                    low = (y[b, first + j] + a0 * W[k, i, j]) + a1 * W[k, i + 1, j]
                    y[b, first + j] = (low + a2 * W[k, i + 2, j]) + a3 * W[k, i + 3, j]


@_compiled
def _start(embed, before, x):
    """Write into x what the last two samples of each stream give, and no skips yet."""
    for b in range(before.shape[1]):
        older, newer = embed[0, before[0, b]], embed[1, before[1, b]]
        for r in range(older.size):
            x[b, r] = older[r] + newer[r]
        for r in range(older.size, x.shape[1]):
            x[b, r] = _F(0)


@_compiled
def _foretell(t, weights, tables, code, state, x):
    """Add what the foretold sample of each stream gives to x; double precision finds its code.

    In single precision it would depend on the order of the additions where it is near a border.
    """
    order = tables.filters.shape[1]
    place = t % order
    for b in range(x.shape[0]):
        newest = weights.heights[state.before[1, b]]
        state.recent[b, place] = state.recent[b, place + order] = newest
        y = 0.0
        for i in range(order):
            y += tables.filters[code[b], i] * state.recent[b, place + 1 + i]
        y = min(max(y, -1.0), 1.0)
        companded = math.copysign(math.log1p(255 * abs(y)) / math.log(256.0), y)
        level = int(math.floor(255 * (companded + 1) / 2 + 0.5))
        for r in range(weights.foretold.shape[1]):
            x[b, r] += weights.foretold[level, r]


@_compiled
def _gates(z, h):
    """Write tanh of the first half of z times the sigmoid of the second into h."""
    width = h.shape[1]
    for b in range(h.shape[0]):
        for r in range(width):
            open_ = _F(0.5) + _F(0.5) * _tanh(_F(0.5) * z[b, width + r])
            h[b, r] = _tanh(z[b, r]) * open_


@_compiled
def _rows(table, code, y):
    """Write the row of each stream's code into y."""
    for b in range(y.shape[0]):
        for r in range(y.shape[1]):
            y[b, r] = table[code[b], r]


@_compiled
def _layers(t, weights, tables, code, rings, work):
    """Run one sample of each stream through all layers; x ends as [last layer | sum of skips]."""
    x, now, z, h = work
    residual, place = now.shape[1], 0
    for layer in range(weights.gate_now.shape[0]):
        past = rings[place + t % weights.dilations[layer]]
        _rows(tables.gates[layer], code, z)
        add_product(past, weights.gate_past[layer], z)
        for b in range(x.shape[0]):
            for r in range(residual):
                now[b, r] = past[b, r] = x[b, r]
        add_product(now, weights.gate_now[layer], z)
        _gates(z, h)
        for b in range(x.shape[0]):
            for r in range(x.shape[1]):
                x[b, r] += weights.mix_bias[layer, r]
        add_product(h, weights.mix[layer], x)
        place += weights.dilations[layer]


@_compiled
def _positive_part(x, first, y):
    for b in range(y.shape[0]):
        for r in range(y.shape[1]):
            # Written so that NaN stays NaN and is seen.
            y[b, r] = _F(0) if x[b, first + r] < 0 else x[b, first + r]


@_compiled
def _head(x, weights, tables, code, skip, hidden, score):
    """Turn the sum of the skips into the logits of the next sample."""
    _positive_part(x, weights.embed.shape[2], skip)
    _rows(tables.hidden, code, hidden)
    for b in range(x.shape[0]):
        for r in range(score.shape[1]):
            score[b, r] = weights.out_bias[r]
    add_product(skip, weights.hidden, hidden)
    _positive_part(hidden, 0, hidden)
    add_product(hidden, weights.out, score)


@_compiled
def _pick(score, uniform, temperature):
    """Return the code at which the summed probabilities pass `uniform`; -1 if there are none."""
    top = score[0]
    for q in range(1, score.size):
        top = max(top, score[q])
    chances, total = np.empty(score.size, np.float64), 0.0
    for q in range(score.size):
        total += math.exp((np.float64(score[q]) - np.float64(top)) / temperature)
        chances[q] = total
    if not total < np.inf:
        return -1
    for q in range(score.size - 1):
        if chances[q] > uniform * total:
            return q
    return score.size - 1


@_compiled
def advance(first, stop, weights, tables, state, job, temperature):
    """Make samples `first` to `stop` of a group of streams; tell whether all logits were finite."""
    streams, residual, skips = job.out.shape[1], weights.embed.shape[2], weights.hidden.shape[1]
    x, z = np.empty((streams, weights.mix_bias.shape[1]), _F), np.empty((streams, 2 * residual), _F)
    work = (x, np.empty((streams, residual), _F), z, np.empty((streams, residual), _F))
    skip, hidden = np.empty((streams, skips), _F), np.empty((streams, tables.hidden.shape[1]), _F)
    score, before = np.empty((streams, weights.out_bias.size), _F), state.before
    for t in range(first, stop):
        code = job.index[t]
        _start(weights.embed, before, x)
        if tables.filters.shape[1]:
            _foretell(t, weights, tables, code, state, x)
        _layers(t, weights, tables, code, state.rings, work)
        known, wanted = t < job.given.shape[0], t < job.scores.shape[0]
        if wanted or not known or job.given[t].min() < 0:
            _head(x, weights, tables, code, skip, hidden, score)
        if wanted:
            for b in range(streams):
                for q in range(score.shape[1]):
                    job.scores[t, b, q] = score[b, q]
        for b in range(streams):
            found = int(job.given[t, b]) if known else -1
            if found < 0:
                found = _pick(score[b], job.uniforms[t, b], temperature)
            if found < 0:
                return False
            job.out[t, b] = found
            before[0, b], before[1, b] = before[1, b], found
    return True
