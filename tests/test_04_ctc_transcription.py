"""What chapter 4 defines: CTC against brute force, decoding, times, batches, bad input."""

import json
import os
import re
import shutil
from itertools import product
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell
from scipy.special import log_softmax

from audiostyle_utils import InputError, audio, load_chapter, load_dataset, pretrained, speech

ROOT = Path(__file__).parents[1]
REAL = os.environ.get("AUDIOSTYLE_TEST_DATA")  # a folder with real recordings, if there is one
SHIPPED = "04_ctc_transcription_spoken", "04_ctc_transcription_real"
# Keras turns its tensors into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def chapter():
    return load_chapter("04_ctc_transcription")


@pytest.fixture(scope="module")
def network(chapter):
    """A small network that has learned nothing."""
    import keras

    keras.utils.set_random_seed(0)
    return chapter.our_network(units=16, depth=2)


def drawn(seed, steps, signs=29, sharpness=2.0):
    return log_softmax(sharpness * np.random.default_rng(seed).normal(size=(steps, signs)), axis=1)


def reads(path):
    """Read a path of signs with a plain loop."""
    found, last = [], None
    for sign in path:
        if sign != last and sign != 0:
            found.append(sign)
        last = sign
    return tuple(found)


# Letters and paths


@given(text=st.text(alphabet=" 'abcdefghijklmnopqrstuvwxyz"))
@settings(deadline=None)
def test_letters_come_back(chapter, text):
    ids = chapter.encode(text)
    assert chapter.spell(ids) == text
    assert 0 not in ids


def test_the_alphabet_is_that_of_normalised_texts(chapter):
    assert set(speech.normalise_text("It's 12 o'clock, at café Zürich")) <= set(chapter.ALPHABET)
    assert chapter.N_SIGNS == 29 == len(set(chapter.ALPHABET)) + 1


@given(path=st.lists(st.integers(0, 3), max_size=12))
@settings(deadline=None)
def test_collapse_is_the_two_rules(chapter, path):
    assert tuple(chapter.collapse(path)) == reads(path)


@given(ids=st.lists(st.integers(1, 3), min_size=1, max_size=6))
@settings(deadline=None)
def test_no_path_with_fewer_steps_reads_as_the_letters(chapter, ids):
    ids = np.array(ids)
    needed = chapter.steps_needed(ids)
    shortest = next(n for n in range(len(ids), 12) if any_path_reads(ids, n))
    assert needed == shortest
    assert np.isfinite(chapter.ctc_by_hand(np.zeros((needed, 4)), ids))
    if needed > 1:
        assert np.isinf(chapter.ctc_by_hand(np.zeros((needed - 1, 4)), ids))


def any_path_reads(ids, steps):
    """Try all ways to hold letters and to put blanks, step by step."""
    ends = {(0, 0)}  # how many letters are read, and the sign before
    for _ in range(steps):
        ends = {
            (n + (sign != last and sign != 0), sign)
            for n, last in ends
            for sign in (0, 1, 2, 3)
            if sign in (0, last) or (n < len(ids) and sign == ids[n])
        }
    return any(n == len(ids) for n, _ in ends)


def test_a_short_transcript_fits_and_a_long_one_does_not(chapter):
    ids = chapter.encode("see")
    assert np.isfinite(chapter.ctc_by_hand(np.zeros((4, 29)), ids))
    assert np.isinf(chapter.ctc_by_hand(np.zeros((3, 29)), ids))


@pytest.mark.parametrize("seed", range(4))
def test_the_sum_over_states_is_the_sum_over_all_paths(chapter, seed):
    log_p = drawn(seed, 6, 3)
    total = {}
    for path in product(range(3), repeat=6):
        text = reads(path)
        total[text] = total.get(text, 0) + np.exp(log_p[range(6), path].sum())
    assert sum(total.values()) == pytest.approx(1)
    for text, p in total.items():
        assert chapter.ctc_by_hand(log_p, np.array(text, int)) == pytest.approx(-np.log(p))


def test_the_losses_of_keras_and_of_the_compiled_loop_are_ours(chapter):
    from keras import ops

    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 30, 29)).astype(np.float32)
    sizes, steps = np.array([9, 4, 12]), np.array([30, 17, 26])
    labels = rng.integers(1, 29, (3, 12))
    labels[0, 3] = labels[0, 4]
    wanted = [
        chapter.ctc_by_hand(log_softmax(scores[k, : steps[k]], axis=1), labels[k, : sizes[k]])
        for k in range(3)
    ]
    ours = ops.convert_to_numpy(chapter.ctc_loss(labels, scores, sizes, steps))
    by_keras = ops.convert_to_numpy(ops.ctc_loss(labels, scores, sizes, steps, mask_index=0))
    assert ours == pytest.approx(np.array(wanted), rel=1e-4)
    assert by_keras == pytest.approx(np.array(wanted), rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_where_paths_pass_adds_up_to_one_at_each_step(chapter, seed):
    gamma = chapter.passing(drawn(seed, 9), np.array([3, 5, 5, 2]))
    assert gamma.shape == (9, 9)
    assert gamma.sum(axis=1) == pytest.approx(np.ones(9))
    assert gamma[0, 2:] == pytest.approx(0) and gamma[-1, :-2] == pytest.approx(0)


@pytest.mark.parametrize("seed", range(4))
def test_the_best_path_is_the_most_probable_of_all(chapter, seed):
    log_p, word = drawn(seed, 6, 3), (1, 2, 2)
    paths = [path for path in product(range(3), repeat=6) if reads(path) == word]
    best = max(log_p[range(6), path].sum() for path in paths)
    states, _ = chapter.states_of(word)
    path = states[chapter.best_path(log_p, np.array(word))]
    assert reads(path) == word
    assert log_p[range(6), path].sum() == pytest.approx(best)


# Decoding


class NoOpinion:
    """A `Spelling` that gives every text the same score."""

    def score(self, text, k):
        return 0.0


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_that_keeps_all_finds_the_most_probable_text(chapter, seed):
    log_p = np.full((5, 29), -np.inf)
    log_p[:, [0, 3, 4]] = drawn(seed, 5, 3, sharpness=1.0)
    total = {}
    for path in product((0, 3, 4), repeat=5):
        text = reads(path)
        total[text] = total.get(text, 0) + np.exp(log_p[range(5), path].sum())
    best = chapter.spell(max(total, key=total.get))
    assert chapter.beam_search(log_p, None, width=10_000) == best
    assert chapter.beam_search(log_p, NoOpinion(), width=10_000) == best


@pytest.mark.parametrize("seed", range(5))
def test_the_beam_is_never_less_probable_than_greedy(chapter, seed):
    log_p = drawn(seed, 40, sharpness=3.0)
    texts = chapter.greedy(log_p), chapter.beam_search(log_p, None, 16)
    greedy, beam = (chapter.ctc_by_hand(log_p, chapter.encode(text)) for text in texts)
    assert beam <= greedy + 1e-6


def said(chapter, text, p=0.9, hold=2):
    """Log probabilities of a clear voice: each letter for some steps, a blank between."""
    path = [sign for k in chapter.encode(text) for sign in (0, *[k] * hold)] + [0]
    P = np.full((len(path), 29), (1 - p) / 28)
    P[range(len(path)), path] = p
    return np.log(P)


def test_a_clear_voice_is_read_by_both(chapter):
    log_p = said(chapter, "see the bell")
    assert chapter.greedy(log_p) == "see the bell" == chapter.beam_search(log_p)


def test_the_word_list_mends_what_is_nearly_a_word(chapter):
    log_p = said(chapter, "the dog", p=0.5)
    log_p[7:9] = np.log(1 / 29)  # the "e" of "the" can hardly be heard
    words = chapter.Words({"the": 0.5, "dog": 0.25, "cat": 0.25}, price=20.0)
    assert chapter.beam_search(log_p, chapter.Spelling(words=words)) == "the dog"


def test_a_word_leaves_the_list_only_once(chapter):
    words = chapter.Words({"go": 0.5, "on": 0.5}, weight=1.0, price=4.0)
    assert [words.score("gox"[:k], "gox "[k]) for k in range(4)] == [0.0, 0.0, -4.0, 0.0]
    assert words.score("g", " ") == -4.0
    assert words.score("go", " ") == pytest.approx(np.log(0.5))


def test_letters_are_scored_by_the_n_grams_of_the_texts(chapter):
    letters = chapter.Letters(["abba", "baab"], order=3)
    ids = [*chapter.encode("abba"), 0]
    total = sum(letters.after("abba"[:k])[sign] for k, sign in enumerate(ids))
    assert total == pytest.approx(letters.model.log_probs(ids).sum())
    spelling = chapter.Spelling(letters, weight=0.5, bonus=2.0)
    whole = sum(spelling.score("abba"[:k], sign) for k, sign in enumerate(ids))
    assert whole == pytest.approx(0.5 * total + 4 * 2.0)


def test_shares_of_words_sum_to_one_and_mix(chapter):
    shares = chapter.word_shares(["a cat", "a dog"])
    assert shares == {"a": 0.5, "cat": 0.25, "dog": 0.25}
    mixed = chapter.word_shares(["a cat", "a dog"], {"a": 0.6, "zebra": 0.4}, own=0.2)
    assert sum(mixed.values()) == pytest.approx(1)
    assert mixed["a"] == pytest.approx(0.2 * 0.5 + 0.8 * 0.6)
    assert mixed["zebra"] == pytest.approx(0.32) and mixed["cat"] == pytest.approx(0.05)


def test_words_have_their_times_and_confidence(chapter):
    log_p = said(chapter, "go on", p=0.9)
    go, on = chapter.words_of(log_p, "go on", offset=10.0)
    step = chapter.STRIDE * chapter.HOP / chapter.SR
    assert (go.text, on.text) == ("go", "on")
    assert go.start == pytest.approx(10 + 1 * step, abs=0.006)
    assert go.end == pytest.approx(10 + 6 * step, abs=0.006)
    assert on.start == pytest.approx(10 + 10 * step, abs=0.006)
    assert go.confidence == pytest.approx(0.9**2, abs=0.001)


def test_errors_are_those_of_the_edit_distance(chapter):
    found = chapter.errors({"a": "the dg", "b": ""}, {"a": "the dog", "b": "cat"})
    assert found["CER"] == pytest.approx(4 / 10)
    assert found["WER"] == pytest.approx(2 / 3)


# Pictures and batches


def test_a_picture_does_not_depend_on_the_level_or_on_an_equaliser(chapter):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 64))
    moved = X + rng.normal(size=64) * 10
    assert chapter.normalised(moved) == pytest.approx(chapter.normalised(X), abs=1e-4)


def test_the_printed_frames_do_not_know_what_came_first(chapter):
    y = np.random.default_rng(0).normal(size=16_000)
    swapped = np.concatenate([y[8000:], y[:8000]])
    before, after = (np.abs(chapter.printed_features(signal)) for signal in (y, swapped))
    assert after == pytest.approx(before)
    a, b = chapter.source_features(y), chapter.source_features(swapped)
    assert a.shape == (999, 161) and np.abs(a - b).max() > 0.1


@given(lengths=st.lists(st.integers(20, 400), min_size=1, max_size=40), size=st.integers(1, 9))
@settings(deadline=None)
def test_buckets_hold_each_clip_once(chapter, lengths, size):
    lengths = pd.Series(lengths, index=[f"clip {k}" for k in range(len(lengths))])
    groups = chapter.buckets(lengths, size, np.random.default_rng(0))
    assert sorted(sum(groups, [])) == sorted(lengths.index)
    assert max(map(len, groups)) <= size
    sorted_groups = chapter.buckets(lengths, size)
    assert [lengths[name] for name in sum(sorted_groups, [])] == sorted(lengths)


def test_a_batch_holds_the_clips_and_zeros(chapter):
    pictures = [np.ones((10, 4)), 2 * np.ones((7, 4))]
    x, mask, y = chapter.joined(pictures, [[5, 6], [7]], stride=3)
    assert (
        x.shape == (2, 12, 4) and mask.shape == (2, 4, 1) and y.tolist() == [[2, 5, 6], [1, 7, 0]]
    )
    assert x[0, :10].min() == 1 and x[0, 10:].max() == 0 and x[1, 7:].max() == 0
    assert mask[..., 0].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]


def test_the_answers_do_not_depend_on_the_company(chapter, network):
    rng = np.random.default_rng(1)
    clips = {name: rng.normal(size=(n, 64)) for name, n in (("a", 61), ("b", 200), ("c", 122))}
    heard = chapter.Speech(clips, {}, pd.Series({name: len(X) for name, X in clips.items()}))
    together = chapter.answers(network, heard, list(clips))
    for name, X in clips.items():
        assert together[name].shape == (-(-len(X) // 3), 29)
        alone = chapter.answers(network, heard, [name])[name]
        assert together[name] == pytest.approx(alone, abs=1e-4)
        assert np.exp(together[name]).sum(axis=1) == pytest.approx(1, abs=1e-5)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_changed_clip_still_has_room_for_its_letters(chapter, seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, 4, rng.integers(1, 60))
    frames = chapter.STRIDE * chapter.steps_needed(ids) + int(rng.integers(0, 200))
    made = chapter.changed(rng.normal(size=(frames, 64)), ids, rng)
    assert chapter.steps_of(len(made)) >= chapter.steps_needed(ids)
    assert made.shape[1] == 64 and np.isfinite(made).all()


def test_the_same_seed_changes_a_clip_in_the_same_way(chapter):
    X, ids = np.random.default_rng(0).normal(size=(120, 64)), np.array([3, 4, 5])
    first, again, other = (
        chapter.changed(X, ids, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_the_backward_layer_is_turned_round(chapter):
    """Where it is not, the first step already knows the last frame, and not the second."""
    import keras

    x = np.random.default_rng(0).normal(size=(1, 48, 161)).astype(np.float32)
    later = x.copy()
    later[:, 24:] += 1.0
    mask = np.ones((1, 12, 1), np.float32)
    moved = {}
    for turned in (False, True):
        keras.utils.set_random_seed(0)
        model = chapter.source_network(32, turned)
        a, b = (np.asarray(model.predict_on_batch([clip, mask])) for clip in (x, later))
        moved[turned] = np.abs(a - b).mean(axis=(0, 2))
    # What changes in the second half concerns the last steps most, if the answers are in order.
    assert moved[True][-3:].mean() > moved[True][:3].mean()
    assert moved[False][:3].mean() > moved[True][:3].mean()


def test_the_published_network_has_its_published_size(chapter):
    # Its own count was 3,211,486. A GRU of Keras 3 has a second set of biases for its two gates
    # and the new content, and the answer that was never used is gone: 1,024 weights and a bias.
    second_biases, unused = 2 * 3 * 512, 1025
    assert chapter.source_network().count_params() == 3_211_486 + second_biases - unused


# Data


def test_texts_without_letters_are_left_out_with_the_reason(chapter):
    labels = {"a": {"text": "Room 12"}, "b": {"text": "Привет"}, "c": {"text": "!"}}
    texts, skipped = chapter.normalised_texts(labels)
    assert texts == {"a": "room twelve"}
    assert set(skipped) == {"b", "c"} and "letters" in skipped["b"]


def test_sentences_are_dealt_whole(chapter):
    table = pd.DataFrame(
        {"sentence": [k // 2 for k in range(200)], "speaker": ["bdl", "slt"] * 100}
    )
    parts = chapter.parts_of(table)
    assert set(parts) == {"training", "validation", "test"}
    assert parts.groupby(table.sentence).nunique().max() == 1
    assert (parts == "validation").sum() == (parts == "test").sum() == 10
    assert parts.equals(chapter.parts_of(table))
    own = table.assign(part="training")
    assert chapter.parts_of(own).equals(own.part)


def test_a_collection_without_a_test_is_refused(chapter):
    with pytest.raises(InputError, match="No clip is left for test, training"):
        chapter.check_parts(pd.Series(["validation"]))


def test_a_text_that_was_not_normalised_is_refused(chapter):
    with pytest.raises(InputError, match="normalise the text first"):
        chapter.encode("Hello, world")
    with pytest.raises(InputError, match="give a list"):
        chapter.word_shares("one text")


# Training


def small_speech(chapter, clips=12):
    rng = np.random.default_rng(0)
    pictures = {f"clip {k}": rng.normal(size=(60 + 5 * k, 64)) for k in range(clips)}
    letters = {name: rng.integers(1, 29, 6).astype(np.int32) for name in pictures}
    return chapter.Speech(pictures, letters, pd.Series({n: len(X) for n, X in pictures.items()}))


def test_a_training_that_was_stopped_goes_on(chapter, tmp_path, capsys):
    import keras

    heard = small_speech(chapter)
    names, weights = list(heard.pictures), []
    for folder, stops in (("once", [3]), ("twice", [1, 3])):
        for epochs in stops:
            keras.utils.set_random_seed(0)
            model = chapter.our_network(8, 1)
            chapter.prepare(model, 6)
            # The schedule depends on the whole: a stop is a run that ends before its last epoch.
            stopping = Stop(model, epochs) if epochs < 3 else model
            try:
                chapter.train(stopping, heard, names, 3, tmp_path / folder, watched=names[0])
            except KeyboardInterrupt:
                continue
        weights.append(model.get_weights())
    for once, twice in zip(*weights, strict=True):
        assert twice == pytest.approx(once, abs=1e-5)
    assert "epoch   3" in capsys.readouterr().out


class Stop:
    """A model whose user presses Ctrl-C after some epochs of two batches."""

    def __init__(self, model, epochs):
        self.__dict__.update(model=model, left=2 * epochs)

    def __getattr__(self, name):
        return getattr(self.model, name)

    def train_on_batch(self, *batch):
        if not self.left:
            raise KeyboardInterrupt
        self.__dict__["left"] -= 1
        return self.model.train_on_batch(*batch)


def test_the_loss_falls_when_a_few_clips_are_learned(chapter, tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    heard = small_speech(chapter, 4)
    model = chapter.our_network(32, 2)
    chapter.prepare(model, 30)
    history = chapter.train(
        model, heard, list(heard.pictures), 30, tmp_path, watched="clip 0", view=chapter.as_heard
    )
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]


# Shipped weights, and the reader's own recordings


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_weights_fit_the_network_and_have_a_card(chapter, name):
    kept = pretrained.load(name)
    assert {measure["metric"] for measure in kept.card["measures"]} >= {"CER", "WER"}
    model, card = chapter.load_recogniser(name)
    assert model.count_params() == sum(array.size for array in kept.arrays.values())
    assert card["chapter"] == "04_ctc_transcription"


def test_weights_that_were_saved_anew_are_loaded_anew(chapter, tmp_path):
    kept, path = pretrained.load(SHIPPED[0]), tmp_path / "mine.safetensors"
    pretrained.save(path, kept.arrays, kept.card)
    before, _ = chapter.load_recogniser(str(path))
    assert chapter.load_recogniser(str(path))[0] is before
    pretrained.save(path, {name: 0 * array for name, array in kept.arrays.items()}, kept.card)
    os.utime(path, ns=(0, 0))  # a coarse clock might give both the same time
    after, _ = chapter.load_recogniser(str(path))
    assert not np.any(after.get_weights()[0])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A sentence by a voice that no training has heard."""
    dataset = load_dataset("spoken", clips=10)
    name = next(name for name, label in dataset.labels.items() if label["part"] == "test")
    return dataset.files[name], dataset.labels[name]["text"]


def test_the_shipped_weights_read_a_new_voice(chapter, clip):
    path, text = clip
    found = chapter.transcribe(path, SHIPPED[0])
    assert chapter.errors({"clip": found.text}, {"clip": text})["CER"] < 0.2
    assert found.text == " ".join(word.text for word in found.words)
    starts = [word.start for word in found.words]
    assert starts == sorted(starts) and all(w.start < w.end <= found.seconds for w in found.words)
    assert all(0 <= word.confidence <= 1 for word in found.words)


def test_a_recording_may_have_any_format_rate_and_length(chapter, clip, tmp_path):
    path, _ = clip
    y, sr = audio.load(path, None)
    here = chapter.transcribe(path, SHIPPED[0]).text
    audio.save(tmp_path / "fast.wav", audio.resample(y, sr, 44_100), 44_100)
    audio.save(tmp_path / "two.flac", np.stack([y, y]), sr)
    fast = chapter.transcribe(tmp_path / "fast.wav", SHIPPED[0]).text
    assert chapter.errors({"a": fast}, {"a": here})["CER"] < 0.1
    assert chapter.transcribe(tmp_path / "two.flac", SHIPPED[0]).text == here


# Where a program has cut the sound off in the pauses, there is no noise as in the training.
@pytest.mark.parametrize(("background", "most"), [(0.02, 0.1), (0.0, 0.2)])
def test_a_long_recording_is_read_piece_by_piece(chapter, clip, tmp_path, background, most):
    path, _ = clip
    y, sr = audio.load(path, None)
    here = chapter.transcribe(path, SHIPPED[0]).text
    noise = np.random.default_rng(0).standard_normal(2 * sr).astype(np.float32)
    audio.save(tmp_path / "long.wav", np.concatenate([y, background * y.std() * noise] * 8), sr)
    long = chapter.transcribe(tmp_path / "long.wav", SHIPPED[0])
    assert chapter.errors({"a": long.text}, {"a": " ".join([here] * 8)})["CER"] < most
    assert long.words[-1].end > 7 * (len(y) / sr + 2)


def test_a_constant_offset_changes_nothing(chapter, clip, tmp_path):
    y, sr = audio.load(clip[0], 16_000)
    texts = []
    for name, offset in (("as_is.flac", 0.0), ("offset.flac", 0.1)):
        audio.save(tmp_path / name, 0.5 * y + offset, sr)
        texts.append(chapter.transcribe(tmp_path / name, SHIPPED[0]).text)
    assert texts[0] == texts[1]


def test_no_word_ends_behind_the_recording(chapter, clip, tmp_path):
    y, sr = audio.load(clip[0], 16_000)
    for cut in range(3):
        audio.save(tmp_path / "a.flac", y[: len(y) // 2 + 160 * cut], sr)
        found = chapter.transcribe(tmp_path / "a.flac", SHIPPED[0])
        assert all(word.start < word.end <= found.seconds for word in found.words)


def test_a_word_list_is_no_spelling(chapter, clip):
    with pytest.raises(InputError, match="spelling is no Spelling"):
        chapter.transcribe(clip[0], SHIPPED[0], chapter.Words({"one": 1.0}))


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.zeros(16_000, np.float32), "silent"),
        (0.1 * np.ones(800, np.float32), "50 ms"),
    ],
)
def test_silence_and_clicks_are_turned_away(chapter, tmp_path, y, reason):
    audio.save(tmp_path / "bad.wav", y, 16_000)
    with pytest.raises(InputError, match=reason):
        chapter.transcribe(tmp_path / "bad.wav", SHIPPED[0])


def test_what_is_no_recording_is_turned_away(chapter, tmp_path):
    (tmp_path / "notes.wav").write_text("this is no sound")
    with pytest.raises(InputError, match="notes.wav"):
        chapter.transcribe(tmp_path / "notes.wav", SHIPPED[0])
    with pytest.raises(InputError, match="missing.wav"):
        chapter.transcribe(tmp_path / "missing.wav", SHIPPED[0])


def test_weights_of_another_chapter_are_refused(chapter, clip):
    with pytest.raises(InputError, match="another chapter"):
        chapter.transcribe(clip[0], "02_genre_cnn_real")


@pytest.mark.skipif(not REAL, reason="AUDIOSTYLE_TEST_DATA names no folder of real recordings")
def test_the_table_of_librispeech_holds_what_the_weights_write(chapter):
    notebook = nbformat.read(ROOT / "chapters" / "04_ctc_transcription.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    rows = re.findall(r"^\| (\d+-\d+-\d+) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    assert len(rows) == 3
    for name, _, printed in rows:
        found = chapter.transcribe(Path(REAL) / "librosa" / f"{name}.ogg").text
        # Processors round in different ways.
        assert chapter.errors({name: found}, {name: printed})["CER"] < 0.03, found


# The whole chapter


KNOBS = """
clips, epochs, units, depth, source_epochs, source_scale = 40, 2, 16, 2, 1, 32
weights_file = "mine.safetensors"
"""


@pytest.fixture(scope="module")
def on_torch(tmp_path_factory):
    """Run the whole chapter with PyTorch, in a copy of the book."""
    root = tmp_path_factory.mktemp("book")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "audiostyle_utils", root / "audiostyle_utils", ignore=ignore)
    (root / "chapters").mkdir()
    notebook = nbformat.read(ROOT / "chapters" / "04_ctc_transcription.ipynb", as_version=4)
    tags = [cell.metadata.get("tags", ()) for cell in notebook.cells]
    knobs = next(i for i, names in enumerate(tags) if "parameters" in names)
    notebook.cells.insert(knobs + 1, new_code_cell(KNOBS))
    environment = {
        "KERAS_BACKEND": "torch",
        "AUDIOSTYLE_PROFILE": "quick",
        "AUDIOSTYLE_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",  # threads that wait for each other take long on a busy machine
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": str(root / "chapters")}},
        ).execute()
    return root, notebook


def test_the_chapter_runs_with_pytorch(on_torch):
    root, notebook = on_torch
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells if cell.source.strip())
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs and not [o for o in outputs if o.output_type == "error"]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
    (path,) = (root / "_build" / "results").glob("*.json")
    assert path.name == "04_ctc_transcription-quick.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["settings"]["backend"] == "torch" and "torch" in kept["versions"]
    rates = [m["value"] for m in kept["metrics"] if m["metric"] in ("CER", "WER")]
    assert len(rates) >= 8 and all(0 <= rate < 10 for rate in rates)
