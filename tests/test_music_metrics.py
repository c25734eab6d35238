import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiostyle_utils import InputError, metrics

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=30)


# histogram_overlap


def test_overlap_has_known_values():
    assert metrics.histogram_overlap([0, 0, 7], [0, 7, 0]) == 1
    assert metrics.histogram_overlap([0, 4], [7, 11]) == 0
    assert metrics.histogram_overlap([0, 0, 0, 4], [0, 4, 7, 7]) == 0.5
    assert metrics.histogram_overlap(["C", "E"], ["C"]) == 0.5


def test_overlap_is_of_shares_not_of_numbers():
    a, b = [0, 4, 7], [0, 4, 4]
    assert metrics.histogram_overlap(a, b) == metrics.histogram_overlap(a * 7, b * 100)
    assert metrics.histogram_overlap(a * 7, a * 11) == 1


@given(tokens, tokens)
def test_overlap_is_its_formula(a, b):
    expected = sum(min(a.count(x) / len(a), b.count(x) / len(b)) for x in range(3))
    assert metrics.histogram_overlap(a, b) == pytest.approx(expected)
    assert metrics.histogram_overlap(a, b) == metrics.histogram_overlap(b, a)


def test_overlap_takes_lengths_and_arrays():
    lengths = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 2), 1]
    assert metrics.histogram_overlap(lengths, [0.5, 0.5, 1.0, 1.0]) == 0.75
    assert metrics.histogram_overlap(np.array([0, 4]), (4, 0)) == 1


# repeated_share


def test_repeats_have_known_values():
    assert metrics.repeated_share(range(20), 8) == 0
    assert metrics.repeated_share([*range(8), *range(8)], 8) == pytest.approx(1 / 9)
    assert metrics.repeated_share("a b a b a b".split(), 2) == pytest.approx(3 / 5)
    assert metrics.repeated_share([5] * 500) == pytest.approx(492 / 493)
    assert metrics.repeated_share([1, 1, 2], 1) == pytest.approx(1 / 3)


@given(tokens, st.integers(1, 4))
def test_repeats_are_those_that_came_before(sequence, n):
    if len(sequence) < n:
        sequence = sequence + [0] * n
    places = range(len(sequence) - n + 1)
    before = sum(any(sequence[j : j + n] == sequence[i : i + n] for j in range(i)) for i in places)
    assert metrics.repeated_share(sequence, n) == pytest.approx(before / len(places))


# loop_share


def test_loops_have_known_values():
    assert metrics.loop_share([60] * 50) == 1
    assert metrics.loop_share([1, 2, 3] * 3) == 1
    assert metrics.loop_share([1, 2, 3] * 2 + [1, 2]) == 0
    assert metrics.loop_share(range(30)) == 0
    assert metrics.loop_share([1]) == metrics.loop_share([1, 1]) == 0
    assert metrics.loop_share([9, 8, 7, 6] + [1, 2] * 3) == 0.6


def test_a_loop_that_breaks_off_counts_to_its_last_token():
    assert metrics.loop_share([*range(10, 15), *([1, 2, 3, 4] * 3), 1, 2, 9]) == 14 / 20


def test_a_network_that_gets_stuck_is_seen():
    tune = np.random.default_rng(0).integers(50, 80, 100)
    stuck = np.concatenate([tune, np.tile(np.arange(32), 12)])
    assert metrics.loop_share(tune) < 0.05
    assert metrics.loop_share(stuck) == pytest.approx(384 / 484, abs=0.01)


@given(tokens)
def test_loops_are_cycles_of_three_rounds_or_more(sequence):
    def cycles(part):
        return any(
            all(part[i] == part[i - p] for i in range(p, len(part)))
            for p in range(1, len(part) // 3 + 1)
        )

    ends = range(len(sequence) + 1)
    longest = max((j - i for i in ends for j in ends if j > i and cycles(sequence[i:j])), default=0)
    assert metrics.loop_share(sequence) == longest / len(sequence)


# longest_copy


def test_copies_have_known_values():
    corpus = [[1, 2, 3, 4], [9, 8, 2, 3, 4, 5, 9]]
    assert metrics.longest_copy([7, 2, 3, 4, 5, 7], corpus) == (4, 1, 2)
    assert metrics.longest_copy([2, 3, 4], corpus) == (3, 0, 1)
    assert metrics.longest_copy([9], corpus) == (1, 1, 0)
    assert metrics.longest_copy([7, 7], corpus) == (0, None, None)
    assert metrics.longest_copy([4, 9, 8], [[1, 2, 3, 4], [9, 8]]) == (2, 1, 0)


def test_a_copy_is_found_in_arrays_words_and_tuples():
    corpus = np.array([[0, 1, 2, 3], [4, 5, 6, 7]])
    length, index, start = metrics.longest_copy(np.array([5, 6]), corpus)
    assert (length, index, start) == (2, 1, 1) and type(start) is type(length) is int
    assert metrics.longest_copy(["C4:1", "end"], [["D4:1"], ["C4:1", "end"]]) == (2, 1, 0)
    assert metrics.longest_copy([(2, 1), (0, 4)], [[(0, 0), (2, 1), (0, 4)]]) == (2, 0, 1)


def test_intervals_find_a_copy_in_another_key():
    def intervals(pitches):
        return [b - a for a, b in zip(pitches, pitches[1:], strict=False)]

    tune = [60, 62, 64, 65, 67, 71, 60]
    moved = [pitch + 5 for pitch in tune]
    assert metrics.longest_copy(moved, [tune])[0] < 3
    assert metrics.longest_copy(intervals(moved), [intervals(tune)]) == (6, 0, 0)


@given(tokens, st.lists(st.lists(st.integers(0, 3), max_size=20), min_size=1, max_size=4))
def test_the_longest_copy_is_the_first_of_the_longest(sequence, corpus):
    parts = {tuple(sequence[i:j]) for i in range(len(sequence)) for j in range(i, len(sequence))}
    parts |= {tuple(sequence[i:]) for i in range(len(sequence))}
    found = [
        (-length, index, start)
        for index, piece in enumerate(corpus)
        for start in range(len(piece))
        for length in range(1, len(piece) - start + 1)
        if tuple(piece[start : start + length]) in parts
    ]
    expected = min(found, default=(0, None, None))
    assert metrics.longest_copy(sequence, corpus) == (-expected[0], *expected[1:])


def test_a_passage_hidden_in_a_large_corpus_is_found():
    rng = np.random.default_rng(3)
    corpus = [rng.integers(0, 40, 300) for _ in range(300)]
    generated = rng.integers(0, 40, 500)
    generated[100:137] = corpus[211][50:87]
    corpus[211][[49, 87]] = 40  # neither end happens to go on
    assert metrics.longest_copy(generated, corpus) == (37, 211, 50)


# What is refused


@pytest.mark.parametrize(
    "measure",
    [
        lambda x: metrics.histogram_overlap(x, [1]),
        lambda x: metrics.repeated_share(x, 1),
        metrics.loop_share,
        lambda x: metrics.longest_copy(x, [[1]]),
    ],
    ids=["histogram_overlap", "repeated_share", "loop_share", "longest_copy"],
)
@pytest.mark.parametrize(
    ("sequence", "words"),
    [
        ([], "is empty"),
        ("C4 D4", "is 'C4 D4'"),
        (60, "is 60"),
        (np.array(60), r"is array\(60\)"),
        ([[1], [2]], "holds lists, arrays or the like"),
        (np.zeros((2, 2)), "holds lists, arrays or the like"),
        ([1.0, math.nan], "holds NaN"),
    ],
)
def test_what_is_no_sequence_of_tokens_is_refused(measure, sequence, words):
    with pytest.raises(InputError, match=words):
        measure(sequence)


def test_the_second_sample_is_checked_too():
    with pytest.raises(InputError, match="b is empty"):
        metrics.histogram_overlap([1], [])


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "8"])
def test_a_passage_has_a_whole_number_of_tokens(n):
    with pytest.raises(InputError, match="n is "):
        metrics.repeated_share([1, 2, 3], n)


def test_a_sequence_without_one_passage_is_refused():
    with pytest.raises(InputError, match="3 values.*n = 8"):
        metrics.repeated_share([1, 2, 3])


@pytest.mark.parametrize(
    ("corpus", "words"),
    [
        ([], "corpus is empty"),
        ("C4", "corpus is 'C4'"),
        (7, "corpus is 7"),
        ([1, 2, 3], r"corpus\[0\] is 1"),
        (["C4:1", "D4:1"], r"corpus\[0\] is 'C4:1'"),
        ([[1], [[2]]], r"corpus\[1\] holds lists"),
    ],
)
def test_a_corpus_is_a_list_of_sequences(corpus, words):
    with pytest.raises(InputError, match=words):
        metrics.longest_copy([1, 2], corpus)
