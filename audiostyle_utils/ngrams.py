"""Predict the next token from the few before it: n-grams, the baseline of sequence models.

Written here because no library fits. The Kneser-Ney model of NLTK gives probability zero to a token
that its training never met, and walks through all its counts for each probability that it is asked
for; kenlm has to be compiled.
"""

import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from audiostyle_utils._checks import whole
from audiostyle_utils.errors import InputError

# Where no n-gram occurs once, or none twice, the counts do not say how much to discount.
_USUAL_DISCOUNT = 0.5
_NO_KEY = np.iinfo(np.int64).max


class _Table(NamedTuple):
    """The n-grams of one order that were met.

    An n-gram's number is its place in `keys`. A key is made of the number of the n-gram's context
    (the same tokens without the last) and of its last token. The number -1 stands for an n-gram
    that was not met: each array has an entry more at its end for it, with a key that nothing has.
    """

    keys: np.ndarray  # int64, sorted
    counts: np.ndarray  # of each n-gram
    totals: np.ndarray  # of each context: sum of the counts of what followed
    types: np.ndarray  # of each context: how many different tokens followed
    discount: float


class NGram:
    """Interpolated Kneser-Ney model over whole numbers, such as those of `scores.encode`.

    The probability of a token w after a history h of n - 1 tokens is ::

        P(w | h) = max(c(h w) - D, 0) / c(h) + D t(h) / c(h) P(w | h without its first token)

    with c(h) the sum of c(h w) over all w, and t(h) the number of different w that followed h. At
    the highest order c(h w) tells how often h w was met. At the lower orders it tells how many
    different tokens stood before h w: a token that only ever follows one other is a poor guess
    elsewhere, however frequent it is. A history that was not met leaves all to the next shorter
    one. The order below 1 is even, 1 / V, so that no token of the vocabulary has probability zero.

    The beginning of a sequence counts as a token of its own, which is never predicted. N-grams that
    start with it have nothing before them and are always counted as often as they were met.

    Parameters
    ----------
    order : int
        Length of the n-grams, at least 1. 3 looks at two tokens to predict the third; 1 knows only
        how frequent each token is.
    vocabulary_size : int
        V, the number of different tokens, at least 1. They are numbered from 0.
    discount : float, optional
        D, above 0 and below 1, for all orders. Otherwise each order has its own,
        D = n1 / (n1 + 2 n2), where n1 and n2 n-grams have the count 1 and 2; or 0.5 where n1 or n2
        is 0.

    Raises
    ------
    InputError
        A parameter is not in its range.

    Chapter
    -------
    03_lstm_music

    References
    ----------
    R. Kneser, H. Ney (1995). Improved backing-off for m-gram language modeling. ICASSP.

    S. F. Chen, J. Goodman (1999). An empirical study of smoothing techniques for language
    modeling. Computer Speech and Language 13(4).
    """

    def __init__(self, order: int, vocabulary_size: int, discount: float | None = None) -> None:
        self.order = whole(order, "order", 1)
        self.vocabulary_size = whole(vocabulary_size, "vocabulary_size", 1)
        real = isinstance(discount, numbers.Real) and not isinstance(discount, bool)
        if discount is not None and not (real and 0 < discount < 1):
            raise InputError(
                f"discount is {discount!r}. Give a number above 0 and below 1, such as 0.75, or "
                "None to have it estimated."
            )
        self.discount = discount
        self._tables: list[_Table] = []

    @property
    def discounts(self) -> tuple[float, ...]:
        """D of each order, the lowest first; empty before `fit`."""
        return tuple(table.discount for table in self._tables)

    def fit(self, sequences: Iterable[Sequence[int]]) -> "NGram":
        """Count the n-grams of some sequences. What was counted before is forgotten.

        Parameters
        ----------
        sequences : iterable of sequences of int
            One for each piece, of any length; no n-gram reaches from one into the next. Numbers
            from 0 to ``vocabulary_size - 1``.

        Returns
        -------
        NGram
            This model.

        Raises
        ------
        InputError
            A sequence is not one of such numbers, or all are empty.
        """
        tokens, place = self._padded(sequences)
        grams = [(np.zeros(1, np.int64), np.zeros_like(tokens), None)]
        for order in range(1, self.order + 1):
            grams.append(self._grams(tokens, place, order, grams[-1][1]))
        self._tables = [
            self._table(grams, place, order, len(grams[order - 1][0]))
            for order in range(1, self.order + 1)
        ]
        return self

    def log_probs(self, sequence: Sequence[int]) -> np.ndarray:
        """Give the log probability of each token of a sequence after those before it.

        The mean over all tokens of a test set, with the sign changed, is its loss in nats a token.

        Parameters
        ----------
        sequence : sequence of int
            From its beginning. Numbers from 0 to ``vocabulary_size - 1``.

        Returns
        -------
        np.ndarray, float64, shape (len(sequence),)
            Natural logarithms; finite, at most 0.

        Raises
        ------
        InputError
            The sequence is not one of such numbers, or `fit` was not called before.
        """
        tokens = self._opened(sequence, "sequence")
        p = np.full(tokens.size, 1 / self.vocabulary_size)
        for table, contexts, ids in self._followed(tokens):
            p = _mixed(table, contexts, table.counts[ids], p)
        # A sum of parts may pass 1 by its rounding.
        return np.log(np.minimum(p[1:], 1.0))

    def probabilities(self, history: Sequence[int]) -> np.ndarray:
        """Give the probability of each token of the vocabulary after a history.

        Parameters
        ----------
        history : sequence of int
            All tokens since the beginning of the sequence; none for the first token. Numbers from
            0 to ``vocabulary_size - 1``.

        Returns
        -------
        np.ndarray, float64, shape (vocabulary_size,)
            Above 0; they sum to 1.

        Raises
        ------
        InputError
            The history is not one of such numbers, or `fit` was not called before.
        """
        # The last tokens are all that matters, and one more to shift by.
        tokens = self._opened(history, "history")[-self.order :]
        p = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        # What would follow is not known yet: the contexts of any token at the end will do.
        for table, contexts, _ in self._followed(np.append(tokens, 0)):
            p = _mixed(table, contexts[-1], self._following(table, contexts[-1]), p)
        return p

    def _padded(self, sequences: Iterable[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Join sequences, each with its beginning, and number the places in each from 0."""
        rows = [self._checked(row, f"sequences[{i}]") for i, row in enumerate(sequences)]
        if not any(row.size for row in rows):
            raise InputError("sequences holds no tokens. Give at least one sequence with a token.")
        begin = np.array([self.vocabulary_size])
        tokens = np.concatenate([part for row in rows for part in (begin, row)])
        return tokens, np.concatenate([np.arange(row.size + 1) for row in rows])

    def _grams(
        self, tokens: np.ndarray, place: np.ndarray, order: int, shorter: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give each n-gram a number; return keys, numbers by place, and where each ends first."""
        ends = np.flatnonzero(place >= order - 1)
        keys = shorter[ends - 1] * (self.vocabulary_size + 1) + tokens[ends]
        keys, first, number = np.unique(keys, return_index=True, return_inverse=True)
        ids = np.full(tokens.size, -1)
        ids[ends] = number
        return keys, ids, ends[first]

    def _table(self, grams: list, place: np.ndarray, order: int, contexts: int) -> _Table:
        """Count the n-grams of one order; `grams` is what `_grams` gave, from order 0 on."""
        keys, ids, _ = grams[order]
        # Each different n-gram of the next order counts once for the one that it ends with.
        counted = ids if order == self.order else ids[grams[order + 1][2]]
        counts = np.bincount(counted[counted >= 0], minlength=keys.size).astype(np.float64)
        if order < self.order:
            counts += np.bincount(ids[place == order - 1], minlength=keys.size)
        context, last = np.divmod(keys, self.vocabulary_size + 1)
        counts[last == self.vocabulary_size] = 0  # the beginning is never predicted
        totals = np.bincount(context, counts, minlength=contexts + 1)
        types = np.bincount(context, counts > 0, minlength=contexts + 1)
        discount = self.discount or _estimated_discount(counts)
        keys, counts = np.append(keys, _NO_KEY), np.append(counts, 0.0)
        return _Table(keys, counts, totals, types, discount)

    def _followed(self, tokens: np.ndarray) -> Iterator[tuple[_Table, np.ndarray, np.ndarray]]:
        """Yield for each order which context stands before each token, and which n-gram ends there.

        -1 where the training did not meet it.
        """
        ids, first = np.zeros(tokens.size, np.int64), 0
        for table in self._tables:
            contexts = np.append(first, ids[:-1])
            keys = contexts * (self.vocabulary_size + 1) + tokens
            slots = np.searchsorted(table.keys, keys)
            # The key of an unknown context is below zero, so it is never found.
            ids = np.where(table.keys[slots] == keys, slots, -1)
            first = -1
            yield table, contexts, ids

    def _following(self, table: _Table, context: int) -> np.ndarray:
        """Return the count of each token of the vocabulary after a context."""
        start = context * (self.vocabulary_size + 1)
        low, high = np.searchsorted(table.keys, [start, start + self.vocabulary_size])
        counts = np.zeros(self.vocabulary_size)
        counts[table.keys[low:high] - start] = table.counts[low:high]
        return counts

    def _opened(self, sequence: Sequence[int], name: str) -> np.ndarray:
        if not self._tables:
            raise InputError("The model has counted nothing yet. Call fit(sequences) first.")
        return np.append(self.vocabulary_size, self._checked(sequence, name))

    def _checked(self, sequence: Sequence[int], name: str) -> np.ndarray:
        """Return numbers of tokens as int64."""
        try:
            tokens = np.asarray(sequence)
        except ValueError:  # rows of different lengths
            tokens = np.empty((0, 0))
        if tokens.ndim == 1 and not tokens.size:
            return np.zeros(0, np.int64)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise InputError(
                f"{name} has shape {tokens.shape} and type {tokens.dtype}. Give whole numbers in "
                "one row: scores.encode(tokens) makes them of tokens."
            )
        if tokens.min() < 0 or tokens.max() >= self.vocabulary_size:
            raise InputError(
                f"{name} goes from {tokens.min()} to {tokens.max()}, but tokens are numbered from "
                f"0 to {self.vocabulary_size - 1}. Give the vocabulary_size that they belong to."
            )
        return tokens.astype(np.int64)


def _mixed(
    table: _Table, contexts: np.ndarray, counts: np.ndarray, shorter: np.ndarray
) -> np.ndarray:
    """Interpolate one order with the next shorter; a context without a count leaves it all."""
    totals, types = table.totals[contexts], table.types[contexts]
    kept = np.maximum(counts - table.discount, 0) + table.discount * types * shorter
    return np.where(totals > 0, kept / np.maximum(totals, 1), shorter)


def _estimated_discount(counts: np.ndarray) -> float:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once and twice else _USUAL_DISCOUNT
