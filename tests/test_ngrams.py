import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiostyle_utils import InputError, scores
from audiostyle_utils.ngrams import NGram

BEGIN = "begin"


def by_the_book(sequences, order, V, discount=None):
    """Count and interpolate with dictionaries, straight from the formula; return P(w | history)."""
    met = [Counter() for _ in range(order + 1)]
    for sequence in sequences:
        padded = [BEGIN, *sequence]
        for n in range(1, order + 1):
            met[n].update(tuple(padded[i : i + n]) for i in range(len(padded) - n + 1))
    del met[1][(BEGIN,)]
    counts = {order: met[order]}
    for n in range(1, order):
        before = defaultdict(set)
        for gram in met[n + 1]:
            before[gram[1:]].add(gram[0])
        counts[n] = {g: met[n][g] if g[0] == BEGIN else len(before[g]) for g in met[n]}
    discounts = {n: discount or estimate(counts[n].values()) for n in counts}

    def p(w, history):
        history = (BEGIN, *history)
        value = 1 / V
        for n in range(1, order + 1):
            if n - 1 > len(history):
                break
            h = history[len(history) - (n - 1) :]
            following = {g[-1]: c for g, c in counts[n].items() if g[:-1] == h}
            if following:
                total, D = sum(following.values()), discounts[n]
                kept = max(following.get(w, 0) - D, 0) + D * len(following) * value
                value = kept / total
        return value

    return p


def estimate(counts):
    once, twice = (sum(c == n for c in counts) for n in (1, 2))
    return once / (once + 2 * twice) if once and twice else 0.5


def alike(sequences, tests, order, V, discount=None):
    p = by_the_book(sequences, order, V, discount)
    model = NGram(order, V, discount).fit(sequences)
    for test in tests:
        expected = [math.log(p(w, tuple(test[:i]))) for i, w in enumerate(test)]
        assert model.log_probs(test) == pytest.approx(expected, abs=1e-12)


music = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=4)


@given(music.filter(any), music, st.integers(1, 5), st.sampled_from([None, 0.3, 0.9]))
def test_it_is_the_formula(sequences, tests, order, discount):
    alike(sequences, tests, order, 5, discount)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_it_is_the_formula_where_counts_are_many(order):
    rng = np.random.default_rng(order)
    sequences = [(rng.integers(0, 12, 120) ** 2 // 12).tolist() for _ in range(4)]
    alike(sequences, [(rng.integers(0, 12, 40) ** 2 // 12).tolist()], order, 13)


def test_one_bigram_by_hand():
    # After 0 came 1 twice and 2 once. Before 1 stood 0 alone, before 2 stood 0, before 0 the
    # beginning and 1: four different pairs, of which the lower order is made.
    model = NGram(2, 4, discount=0.5).fit([[0, 1, 0, 1], [0, 2]])
    after_nothing = np.array([2, 1, 1, 0]) - [0.5, 0.5, 0.5, 0] + 0.5 * 3 / 4
    expected = ([0, 1.5, 0.5, 0] + 0.5 * 2 * after_nothing / 4) / 3
    assert model.probabilities([0]) == pytest.approx(expected)
    assert model.discounts == (0.5, 0.5)


def test_order_one_is_the_share_of_each_token_less_a_discount():
    sequences = [[0, 0, 0, 1], [1, 2]]  # 3, 2 and 1 times
    D = 1 / (1 + 2 * 1)
    expected = (np.array([3 - D, 2 - D, 1 - D, 0]) + D * 3 / 4) / 6
    model = NGram(1, 4).fit(sequences)
    assert model.discounts == pytest.approx((D,))
    assert model.probabilities([]) == pytest.approx(expected)
    assert model.probabilities([2, 2]) == pytest.approx(expected)
    assert model.log_probs([3, 0]) == pytest.approx(np.log(expected[[3, 0]]))


def test_a_token_that_follows_only_one_other_is_a_poor_guess_elsewhere():
    # 1 is as frequent as 2, but only ever follows 0.
    sequences = [[0, 1] * 9, [3, 2, 4, 2, 5, 2, 6, 2, 7, 2, 8, 2, 9, 2, 2, 2]]
    assert Counter(w for row in sequences for w in row)[1] == 9
    p = NGram(2, 11).fit(sequences).probabilities([10])
    assert p[2] > 3 * p[1]


@pytest.mark.parametrize("order", range(1, 7))
def test_probabilities_sum_to_one_and_agree_with_log_probs(order):
    rng = np.random.default_rng(0)
    model = NGram(order, 50).fit([rng.integers(0, 40, n) for n in (200, 1, 0, 30)])
    test = rng.integers(0, 50, 60)
    rows = np.array([model.probabilities(test[:i]) for i in range(len(test))])
    assert rows.min() > 0
    assert rows.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-12)
    assert model.log_probs(test) == pytest.approx(np.log(rows[np.arange(60), test]), abs=1e-12)


def test_log_probs_does_not_look_ahead():
    rng = np.random.default_rng(1)
    model = NGram(4, 8).fit([rng.integers(0, 8, 500)])
    test = rng.integers(0, 8, 50)
    assert np.array_equal(model.log_probs(test)[:20], model.log_probs(test[:20]))


def test_no_ngram_reaches_from_one_sequence_into_the_next():
    apart = NGram(2, 4).fit([[0, 1], [2, 3]]).probabilities([0, 1])
    joined = NGram(2, 4).fit([[0, 1, 2, 3]]).probabilities([0, 1])
    assert apart[2] == apart[3] < joined[2]


def test_the_beginning_is_known():
    model = NGram(3, 4).fit([[2, 0, 1, 3]] * 5)
    assert model.probabilities([]).argmax() == 2
    assert model.probabilities([1]).argmax() == 3


def test_a_longer_memory_finds_a_longer_rule():
    # The next token is the sum of the last two, but for one in ten.
    rng = np.random.default_rng(2)
    x = [0, 1]
    for surprise in rng.random(6000) < 0.1:
        x.append(int(rng.integers(5)) if surprise else (x[-1] + x[-2]) % 5)
    loss = [-NGram(order, 5).fit([x[:5000]]).log_probs(x[5000:]).mean() for order in (1, 2, 3)]
    best = -0.92 * math.log(0.92) - 0.08 * math.log(0.02)
    assert loss[0] == pytest.approx(math.log(5), abs=0.03)
    assert loss[1] == pytest.approx(math.log(5), abs=0.03)
    assert loss[2] == pytest.approx(best, abs=0.08)


def test_what_was_never_met_is_even():
    model = NGram(3, 6).fit([[0, 1, 0, 1, 0]])
    p = model.probabilities([4, 5])
    assert p[2] == p[3] == p[4] == p[5] > 0
    assert np.isfinite(model.log_probs([5, 4, 3, 2, 5])).all()


def test_one_token_alone_is_certain():
    model = NGram(3, 1).fit([[0, 0, 0]])
    assert model.log_probs([0, 0]) == pytest.approx([0, 0])
    assert (model.log_probs([0, 0]) <= 0).all()


def test_fitting_again_forgets():
    model = NGram(3, 4).fit([[0, 1, 2, 3]])
    again = model.fit([[3, 2, 1]])
    assert again is model
    assert model.log_probs([3, 2]) == pytest.approx(NGram(3, 4).fit([[3, 2, 1]]).log_probs([3, 2]))


def test_sequences_may_be_drawn_one_by_one_and_of_any_kind():
    rows = [[0, 1, 2], [2, 1]]
    expected = NGram(2, 3).fit(rows).log_probs([0, 2])
    kinds = (np.array(row, kind) for row, kind in zip(rows, (np.int32, np.uint8), strict=True))
    assert np.array_equal(NGram(2, 3).fit(kinds).log_probs((0, 2)), expected)
    assert expected.dtype == np.float64
    assert NGram(2, 3).fit(rows).log_probs([]).shape == (0,)


def test_it_takes_what_scores_encode_gives():
    tune = ["meter:4/4", "part:0", *["C4:1", "E4:1", "G4:1", "rest:1"] * 8, "end"]
    ids = scores.encode(tune)
    model = NGram(3, len(scores.vocabulary())).fit([ids])
    assert scores.decode([model.probabilities(ids[:5]).argmax()]) == ["rest:1"]
    assert -model.log_probs(ids).mean() < 1


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ((0, 5), "order is 0"),
        ((2.0, 5), "order is 2.0"),
        ((True, 5), "order is True"),
        ((2, 0), "vocabulary_size is 0"),
        ((2, "5"), "vocabulary_size is '5'"),
        ((2, 5, 0), "discount is 0"),
        ((2, 5, 1), "discount is 1"),
        ((2, 5, math.nan), "discount is nan"),
        ((2, 5, "some"), "discount is 'some'"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, words):
    with pytest.raises(InputError, match=words):
        NGram(*parameters)


@pytest.mark.parametrize(
    ("sequences", "words"),
    [
        ([], "holds no tokens"),
        ([[], []], "holds no tokens"),
        ([[0], [1, 5]], r"sequences\[1\] goes from 1 to 5.*0 to 4"),
        ([[-1, 0]], "goes from -1 to 0"),
        ([[0.0, 1.0]], "type float64"),
        ([["C4:1"]], "scores.encode"),
        ([[True]], "type bool"),
        ([[[0, 1]]], r"shape \(1, 2\)"),
        ([[[0, 1], [0]]], r"shape \(0, 0\)"),
        ([0, 1, 2], r"sequences\[0\] has shape \(\)"),
    ],
)
def test_sequences_that_are_no_numbers_of_tokens_are_refused(sequences, words):
    with pytest.raises(InputError, match=words):
        NGram(2, 5).fit(sequences)


def test_what_is_asked_for_is_checked_too():
    model = NGram(2, 5)
    for ask in (model.log_probs, model.probabilities):
        with pytest.raises(InputError, match=r"Call fit\(sequences\) first"):
            ask([0])
    model.fit([[0, 1]])
    with pytest.raises(InputError, match="sequence goes from 9 to 9"):
        model.log_probs([9])
    with pytest.raises(InputError, match="history goes from 9 to 9"):
        model.probabilities([9])
