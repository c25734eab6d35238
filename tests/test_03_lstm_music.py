"""What chapter 3 defines: what the published tokens lose, fair splits, exact loss, whole bars."""

import importlib.util
import json
import os
import shutil
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from audiostyle_utils import InputError, load_chapter, load_dataset, pretrained, scores

ROOT = Path(__file__).parents[1]
SHIPPED = "03_lstm_music_fiddle", "03_lstm_music_chorales"
# Keras turns its tensors into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

JIG = """X:1
T:Jig
M:6/8
L:1/8
Q:3/8=100
K:G
D|GAB dBG|ABc d2B|GAB dBG|A3 G2:|
"""


@pytest.fixture(scope="module")
def chapter():
    return load_chapter("03_lstm_music")


@pytest.fixture(scope="module")
def jig(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "jig.abc"
    path.write_text(JIG)
    return path


@pytest.fixture(scope="module")
def jig_tokens(jig):
    return scores.tokenise(scores.read(jig))


@pytest.fixture(scope="module")
def chorale_tokens():
    return scores.tokenise(scores.read("bach/bwv66.6"))


@pytest.fixture(scope="module")
def network(chapter):
    """A small network that has learned nothing."""
    import keras

    keras.utils.set_random_seed(1)
    return chapter.music_network(12, 2, width=8, dropout=0.5)


@pytest.fixture(scope="module")
def net(chapter, network):
    return chapter.player(network, 2)


def rng(seed=0):
    return np.random.default_rng(seed)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def piece_of(*notes, parts=(0,), meters=()):
    """A piece of notes given as (onset, length, pitch, part)."""
    return scores.make_piece([scores.Note(*note) for note in notes], parts, meters)


# The published tokens


def test_the_published_tokens_of_a_wide_chord_are_its_pitch_classes(chapter):
    wide = piece_of(*[(0, 24, pitch, 0) for pitch in (36, 52, 67, 72)], (24, 12, 61, 0))
    tokens = chapter.source_tokens(wide)
    assert tokens == ["0.4.7", "C#4"]
    assert chapter.from_source_tokens(tokens) == [(0, 24, (60, 64, 67)), (12, 24, (61,))]


def test_what_the_published_tokens_keep_is_counted(chapter):
    close = [(0, 24, pitch, 0) for pitch in (60, 64, 67)]  # comes back as it was
    wide = [(12, 12, pitch, 0) for pitch in (47, 65, 69)]  # half a beat later, and short
    single = [(36, 24, 72, 0)]  # a whole beat later
    left_hand = [(0, 96, 40, 1), (0, 96, 47, 1), (0, 96, 52, 1)]
    kept = chapter.kept([piece_of(*close, *wide, *single, *left_hand, parts=(0, 0))])
    assert kept["notes in the first part"] == pytest.approx(7 / 10)
    assert kept["chords with their pitches"] == pytest.approx(1 / 2)
    assert kept["lengths"] == pytest.approx(2 / 3)
    assert kept["distances in time"] == pytest.approx(1 / 2)


def test_our_tokens_come_back(chapter, jig_tokens, chorale_tokens):
    assert chapter.comes_back(jig_tokens) and chapter.comes_back(chorale_tokens)


def test_the_figures_of_the_text_are_those_of_the_tunes(chapter):
    dataset = load_dataset("fiddle")
    tokens = scores.tokenise_files(dataset.files).tokens
    part = chapter.split(list(tokens), dataset.labels)
    learned = [tokens[name] for name in part.index[part == "training"]]
    assert len(set(chapter.vocabulary)) == 2497
    assert len({token for tune in learned for token in tune}) == 374
    assert len({label["family"] for label in dataset.labels.values()}) == 890
    before = {"rest:3": [], "rest:1/4": []}
    for one, other in (pair for tune in learned for pair in pairwise(tune)):
        if other in before:
            before[other].append(one)
    assert [(len(b), len(set(b))) for b in before.values()] == [(207, 2), (207, 46)]


# The split


def test_a_family_is_never_on_both_sides(chapter):
    names = [f"piece {k}" for k in range(200)]
    labels = {name: {"family": f"family {k % 60}"} for k, name in enumerate(names)}
    part = chapter.split(names, labels)
    for family in {label["family"] for label in labels.values()}:
        assert part[[n for n in names if labels[n]["family"] == family]].nunique() == 1
    assert set(part) == {"training", "validation", "test"}
    families = part.groupby(part).apply(lambda p: len({labels[n]["family"] for n in p.index}))
    assert families["test"] == families["validation"] == 6
    assert chapter.split(names, labels).equals(part)


def test_pieces_without_families_stand_alone_and_two_are_too_few(chapter):
    part = chapter.split(["a", "b", "c"], {name: {} for name in "abc"})
    assert sorted(part) == ["test", "training", "validation"]
    with pytest.raises(InputError, match="2 pieces are too few"):
        chapter.split(["a", "b"], {"a": {}, "b": {}})


# What the networks are shown


def test_a_sequence_says_where_each_token_stands(chapter, jig_tokens):
    made = chapter.sequence(jig_tokens)
    assert len(made.ids) == len(jig_tokens) and made.places.shape == (len(jig_tokens) + 1, 3)
    assert jig_tokens[made.first].startswith("rest") and jig_tokens[made.first - 1] == "part:0"
    # The upbeat is the last eighth of a bar of six.
    where = jig_tokens.index("D4:1/2")
    assert made.places[where].tolist() == [0, 60, 12]


def test_a_passage_shows_each_token_with_what_follows(chapter, chorale_tokens):
    made = chapter.sequence(chorale_tokens)
    start, steps = 40, 30
    seen, what, length, counts = chapter.passage(made, start, steps)
    ids, after = made.ids[start : start + steps], made.ids[start + 1 : start + steps + 1]
    np.testing.assert_array_equal(scores.token_ids(seen[:, 0], seen[:, 1]), ids)
    np.testing.assert_array_equal(scores.token_ids(what, length), after)
    np.testing.assert_array_equal(seen[:, 2:], made.places[start + 1 : start + steps + 1])
    assert counts.all()


def test_neither_header_nor_padding_counts(chapter, jig_tokens):
    made = chapter.sequence(jig_tokens)
    counts = chapter.passage(made, 0, 128)[3]
    expected = [made.first <= k < len(jig_tokens) for k in range(1, 129)]
    assert counts.tolist() == expected


@pytest.mark.parametrize("semitones", [-5, 3, 6])
def test_another_key_moves_each_note_and_nothing_else(chapter, chorale_tokens, semitones):
    made = chapter.sequence(chorale_tokens)
    moved = chapter.moved(made, semitones)
    before, after = (scores.detokenise(scores.decode(p.ids)) for p in (made, moved))
    assert after == scores.transpose(before, semitones)
    assert moved.places is made.places


def test_another_key_stops_at_the_end_of_the_keyboard(chapter):
    high = chapter.sequence(scores.tokenise(piece_of((0, 24, 126, 0), (24, 24, 120, 0))))
    moved = chapter.moved(high, 6)
    assert chapter.PITCH[moved.ids].max() == 127


def test_batches_are_drawn_in_proportion_and_weights_average_to_one(chapter, jig_tokens):
    pieces = [chapter.sequence(jig_tokens)] * 3
    (seen, following), (what, length), (weight, long) = chapter.draw_batch(
        pieces, rng(), 5, 32, transposed=True
    )
    assert seen.shape == (5, 32, 5) and following.shape == what.shape == length.shape == (5, 32)
    assert weight.mean() == pytest.approx(1)
    assert np.all((long > 0) == ((weight > 0) & (length < chapter.N_LENGTH - 1)))


def test_windows_join_pieces_as_published(chapter):
    stream = np.arange(300, dtype=np.int32)
    x, y = chapter.windows(stream, np.array([100, 250]), 299)
    assert x.shape == (2, 100, 1) and y.tolist() == [100, 250]
    np.testing.assert_allclose(x[1, :, 0] * 299, np.arange(150, 250), rtol=1e-6)


def test_the_published_network_has_its_published_size(chapter):
    def lstm(inputs, units):
        return 4 * units * (inputs + units + 1)

    expected = lstm(1, 256) + lstm(256, 512) + lstm(512, 256) + 257 * 256 + 257 * 162
    assert chapter.source_network(162).count_params() == expected


# The loss


def test_probabilities_of_all_tokens_add_up_to_one(chapter, network, jig_tokens):
    made = chapter.sequence(jig_tokens)
    seen = chapter.passage(made, 0, 20)[0]
    rows = np.repeat(seen[None], chapter.N_WHAT, 0)
    following = np.repeat(np.arange(chapter.N_WHAT)[:, None], 20, 1)
    what, length = (np.asarray(a) for a in network.predict_on_batch([rows, following]))
    last_what, last_length = softmax(what[0, -1]), softmax(length[:, -1])
    whats, lengths, _ = scores.factors()
    timed = lengths < chapter.N_LENGTH - 1
    p = last_what[whats] * np.where(timed, last_length[whats, lengths], 1)
    # A token without a length has one answer only; one with it shares its own among sixteen.
    spilled = last_what[np.unique(whats[timed])] * last_length[np.unique(whats[timed]), -1]
    assert p.sum() + spilled.sum() == pytest.approx(1, abs=1e-5)


def test_nats_are_those_of_the_formula(chapter, network, jig_tokens, chorale_tokens):
    pieces = [chapter.sequence(tokens) for tokens in (chorale_tokens, jig_tokens)]
    expected = []
    for made in pieces:
        n = len(made.ids)
        seen, what, length, _ = chapter.passage(made, 0, n)
        a, b = (np.asarray(x)[0] for x in network.predict_on_batch([seen[None], what[None]]))
        for k in range(made.first - 1, n - 1):
            p = softmax(a[k])[what[k]]
            if length[k] < 16:
                p *= softmax(b[k])[length[k]]
            expected.append(-np.log(p))
    got = chapter.our_nats(network, pieces)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_the_first_answer_does_not_see_what_follows(chapter, network):
    seen = rng().integers(0, 16, (1, 12, 5))
    one, other = np.full((1, 12), 290), np.full((1, 12), 300)
    first = np.asarray(network.predict_on_batch([seen, one])[0])
    second = np.asarray(network.predict_on_batch([seen, other])[0])
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_ngrams_are_asked_for_the_tokens_after_the_header(chapter, jig_tokens):
    made = chapter.sequence(jig_tokens)
    nats = chapter.ngram_nats(3, [made] * 2, [made])
    assert len(nats) == len(jig_tokens) - made.first and nats.mean() < 1


def test_the_published_network_is_asked_for_the_same_tokens(chapter, jig_tokens, chorale_tokens):
    pieces = [chapter.sequence(tokens) for tokens in (chorale_tokens, jig_tokens)]
    V = len(scores.vocabulary())
    row = rng().dirichlet(np.ones(V))

    class Fixed:
        def predict(self, x, **_):
            self.seen = x
            return np.tile(row, (len(x), 1))

    model, stream = Fixed(), np.arange(150)
    found = chapter.source_nats(model, stream, pieces, 1)
    asked = np.concatenate([piece.ids[piece.first :] for piece in pieces])
    np.testing.assert_allclose(found, -np.log(row[asked] + 1e-12))
    # The first window ends with the header, the last one with all but the last token.
    first, last = np.round(model.seen[[0, -1], :, 0] * (V - 1))
    header = pieces[0].first
    assert first.tolist() == [*range(50 + header, 150), *pieces[0].ids[:header]]
    assert last[-len(pieces[1].ids) + 1 :].tolist() == pieces[1].ids[:-1].tolist()
    np.testing.assert_allclose(chapter.source_nats(model, stream, pieces, 3), found[::3])


# The training


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(
    chapter, tmp_path, jig_tokens, chorale_tokens
):
    pieces = [chapter.sequence(tokens) for tokens in (jig_tokens, chorale_tokens)]

    def model():
        return chapter.music_network(8, 1, width=8)

    import keras

    keras.utils.set_random_seed(3)
    whole = model()
    history = chapter.train(whole, pieces, pieces, 3, 3, tmp_path / "whole", size=4)
    keras.utils.set_random_seed(3)
    begun = model()
    stopped = interrupted(chapter, begun, pieces, tmp_path / "parts", after=1)
    assert len(stopped) == 1
    keras.utils.set_random_seed(4)  # other first weights: they must not matter
    resumed = model()
    again = chapter.train(resumed, pieces, pieces, 3, 3, tmp_path / "parts", size=4)
    assert [e["validation"] for e in again] == pytest.approx([e["validation"] for e in history])
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


class StoppedError(Exception):
    """Raised in the middle of a training, as a closed laptop would."""


def interrupted(chapter, model, pieces, folder, after):
    """Train, and stop within an epoch; return the history that was kept."""
    from audiostyle_utils.training import Checkpoint

    batches, learn = iter(range(3 * after + 1)), model.train_on_batch

    def learn_for_a_while(*batch):
        if next(batches, None) is None:
            raise StoppedError
        return learn(*batch)

    model.train_on_batch = learn_for_a_while
    with pytest.raises(StoppedError):
        chapter.train(model, pieces, pieces, 3, 3, folder, size=4)
    fresh = chapter.music_network(8, 1, width=8)
    chapter.prepare(fresh, 0.015, 9)
    return Checkpoint(folder / "newest", {}).restore(fresh)


def test_training_stops_early_and_keeps_the_best(chapter, tmp_path, jig_tokens, chorale_tokens):
    learned, other = ([chapter.sequence(tokens)] for tokens in (jig_tokens, chorale_tokens))
    model = chapter.music_network(16, 1, width=16)
    history = chapter.train(model, learned, other, 40, 5, tmp_path, size=4, patience=2, rate=0.05)
    # A network that learns one jig by heart gets worse at a chorale.
    losses = [epoch["validation"] for epoch in history]
    assert len(losses) < 40
    assert np.argmin(losses) == len(losses) - 3
    assert chapter.our_nats(model, other).mean() == pytest.approx(min(losses), abs=1e-4)


# Playing on


def test_numpy_plays_what_keras_computes(chapter, network, net, chorale_tokens):
    made = chapter.sequence(chorale_tokens)
    seen, what, length, _ = chapter.passage(made, 0, 60)
    by_keras = np.asarray(network.predict_on_batch([seen[None], what[None]])[0])[0]
    state = chapter.silence(net)
    for k in range(60):
        known = chapter.hear(net, seen[None, k], state)
        played = known @ net.what[0] + net.what[1]
        np.testing.assert_allclose(played[0], by_keras[k], atol=1e-4)


def test_drawing_follows_the_probabilities(chapter):
    logits = np.log([[0.6, 0.3, 0.1]] * 20_000)
    drawn = chapter.draw(logits, np.ones(3, bool), rng())
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, [0.6, 0.3, 0.1], atol=0.015)
    colder = chapter.draw(logits, np.ones(3, bool), rng(), temperature=0.5)
    squares = np.array([0.36, 0.09, 0.01])
    np.testing.assert_allclose(np.bincount(colder) / 20_000, squares / squares.sum(), atol=0.015)


@given(
    st.integers(0, 1000),
    st.sampled_from([0, 0.3, 1.0, 4.0]),
    st.sampled_from([None, 1, 3]),
    st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_what_is_drawn_is_allowed_and_among_the_best(chapter, seed, temperature, top_k, top_p):
    numbers = rng(seed)
    logits, allowed = numbers.normal(0, 3, (6, 9)), numbers.random((6, 9)) < 0.5
    allowed[:, 4] = True
    drawn = chapter.draw(logits, allowed, numbers, temperature, top_k, top_p)
    rows = np.arange(6)
    assert allowed[rows, drawn].all()
    better = (np.where(allowed, logits, -np.inf) > logits[rows, drawn][:, None]).sum(axis=1)
    if temperature == 0 or top_k == 1 or top_p == 0:
        assert (better == 0).all()
    assert top_k is None or (better < top_k).all()


@pytest.mark.parametrize("how", [{}, {"temperature": 0}, {"temperature": 3}, {"top_p": 0.9}])
def test_every_bar_is_whole_and_no_note_gets_stuck(chapter, net, jig_tokens, chorale_tokens, how):
    # A network that has learned nothing tries everything that is allowed.
    for tokens, start in ((jig_tokens, 2), (chorale_tokens, 3)):
        opening = chapter.opening_of(tokens, start)
        for made in chapter.play_on(net, opening, 5, tunes=4, seed=2, **how):
            assert made[: len(opening)] == opening
            reader = scores.Reader()
            for token in made:
                reader.push(token)
            assert reader.bars == start + 5 and reader.position == 0
            piece = scores.detokenise(made)
            bar = piece.barlines[1]
            assert max(note.length for note in piece.notes) <= 3 * bar
            assert scores.detokenise([*made, "end"]) == piece


def test_a_chord_may_close_the_last_bar_but_not_change_the_opening(chapter, net):
    chords = [(96 * k, 96, pitch, 0) for k in range(4) for pitch in (60, 64)]
    opening = chapter.opening_of(scores.tokenise(piece_of(*chords)), 2)
    tunes = chapter.play_on(net, opening, 2, tunes=60, seed=3)
    new = [tune[len(opening) :] for tune in tunes]
    assert not any(tokens[0].startswith("+") for tokens in new)
    assert any(tokens[-1].startswith("+") for tokens in new)
    lengths = {len(scores.detokenise(tune).barlines) - 1 for tune in tunes}
    assert lengths == {4}


def test_losses_of_an_epoch_are_nats(chapter, jig_tokens):
    made = chapter.sequence(jig_tokens)
    model = chapter.music_network(8, 1, width=8, dropout=0)
    chapter.prepare(model, 1e-9, 10)  # it does not move
    past = chapter.one_epoch(model, [made], [made], 2, 4, False, rng())
    assert past["training"] == pytest.approx(past["validation"], rel=0.02)


def test_pieces_of_any_length_are_examined(chapter, network, jig_tokens):
    short, bar = chapter.sequence(jig_tokens), [scores.Note(0, 24, 60, 0)]
    long = [note._replace(onset=24 * k) for k in range(700) for note in bar]
    long = chapter.sequence(scores.tokenise(scores.make_piece(long, [0])))
    nats = chapter.our_nats(network, [long, short])
    alone = chapter.our_nats(network, [short])
    np.testing.assert_allclose(nats[-len(alone) :], alone, atol=1e-4)


def test_the_usual_split_of_a_set_is_kept(chapter):
    labels = {"a": {"part": "train"}, "b": {"part": "valid"}, "c": {"part": "test"}}
    assert chapter.split(list(labels), labels).to_dict() == {
        "a": "training",
        "b": "validation",
        "c": "test",
    }


def test_tunes_at_once_differ_and_the_same_seed_gives_the_same(chapter, net, jig_tokens):
    opening = chapter.opening_of(jig_tokens, 2)
    many = chapter.play_on(net, opening, 3, tunes=6, seed=5)
    assert len({tuple(made) for made in many}) == 6
    assert chapter.play_on(net, opening, 3, tunes=6, seed=5) == many
    assert chapter.play_on(net, opening, 3, tunes=6, seed=6) != many


def test_arg_max_does_not_depend_on_the_seed_nor_on_company(chapter, net, chorale_tokens):
    opening = chapter.opening_of(chorale_tokens, 2)
    alone = chapter.play_on(net, opening, 2, temperature=0, seed=1)[0]
    together = chapter.play_on(net, opening, 2, temperature=0, tunes=3, seed=9)
    assert together == [alone] * 3


def test_an_opening_ends_at_a_barline_with_its_chords(chapter):
    chords = [(96 * k, 96, pitch, 0) for k in range(4) for pitch in (60, 64 + k)]
    tokens = scores.tokenise(piece_of(*chords))
    opening = chapter.opening_of(tokens, 2)
    assert opening[-2:] == ["C4:4", "+F4"]
    assert scores.detokenise(opening).notes == scores.detokenise(tokens).notes[:4]
    with pytest.raises(InputError, match="has 4 bars"):
        chapter.opening_of(tokens, 5)


# Measures


def test_moves_are_the_same_in_every_key(chapter, chorale_tokens):
    made = chapter.sequence(chorale_tokens)
    assert chapter.moves(made.ids) == chapter.moves(chapter.moved(made, 4).ids)
    ids = scores.encode(["C4:1", "rest:1", "E4:1/2", "D4:2"])
    assert chapter.moves(ids) == [
        (4, scores.LENGTHS.index(12)),
        (-2, scores.LENGTHS.index(48)),
    ]


def test_a_copy_and_a_loop_are_described_as_such(chapter, chorale_tokens):
    made = chapter.sequence(chorale_tokens).ids[6:100]
    stuck = scores.encode(["C4:1"] * 40)
    real = chapter.describe([made], [made], [chapter.moves(made)])
    assert real["pitch classes"] == real["lengths"] == 1
    assert real["longest copy"] == len(chapter.sounding(made))
    loop = chapter.describe([stuck], [made], [chapter.moves(made)])
    assert loop["loops"] == 1 and loop["repeated passages"] > 0.9
    assert loop["pitch classes"] < 0.5


# Your own music


def bars_in(stream):
    return max(len(part.getElementsByClass("Measure")) for part in stream.parts)


def test_continue_music_takes_abc_midi_musicxml_and_streams(chapter, jig, tmp_path):
    from music21 import converter

    parsed = converter.parse(jig)
    parsed.write("midi", tmp_path / "jig.mid")
    parsed.write("musicxml", tmp_path / "jig.musicxml")
    for own in (jig, str(tmp_path / "jig.mid"), tmp_path / "jig.musicxml", parsed):
        made = chapter.continue_music(own, bars=3, seed=1)
        piece, before = scores.read(made), scores.read(own)
        assert len(piece.barlines) == len(before.barlines) + 3
        assert piece.notes[: len(before.notes) - 1] == before.notes[:-1]


def test_continue_music_keeps_every_voice_of_a_chorale(chapter):
    made = chapter.continue_music("bach/bwv66.6", bars=2, after=3)
    piece = scores.read(made)
    assert len(piece.parts) == 4 and len(piece.barlines) == 6
    for part in range(4):
        assert any(note.part == part and note.onset >= piece.barlines[3] for note in piece.notes)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"bars": 0}, "bars is 0"),
        ({"bars": 2.5}, "bars is 2.5"),
        ({"temperature": -1}, "temperature is -1"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 2}, "top_p is 2"),
        ({"top_k": 0}, "top_k is 0"),
        ({"bars": 6000}, "1 to 5000"),
        ({"temperature": True}, "temperature is True"),
        ({"top_p": -0.5}, "give 0 to 1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"weights": "02_genre_cnn_band"}, "no network of this chapter"),
        ({"after": 40}, "has 5 bars"),
        ({"after": 0}, "after is 0"),
        ({"after": "4"}, "after is '4'"),
        ({"temperature": 1e-40}, "temperature is 1e-40"),
        ({"weights": "03_lstm_musik"}, "There are no weights"),
    ],
)
def test_requests_that_make_no_sense_are_refused(chapter, jig, request_, said):
    with pytest.raises(InputError, match=said):
        chapter.continue_music(jig, **request_)


def test_bad_files_are_refused_with_a_reason(chapter, tmp_path):
    (tmp_path / "empty.mid").touch()
    (tmp_path / "broken.mid").write_bytes(b"MThd no music at all")
    drums = piece_of((0, 24, 38, 0), parts=(128,))
    scores.save_midi(drums, tmp_path / "drums.mid")
    for name, said in (
        ("missing.mid", "does not exist"),
        ("empty.mid", "empty.mid"),
        ("broken.mid", "broken.mid"),
        ("drums.mid", "only drums"),
    ):
        with pytest.raises(InputError, match=said):
            chapter.continue_music(tmp_path / name)
    with pytest.raises(InputError, match="score is a int"):
        chapter.continue_music(3)


# The weights


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_fits_the_weights(chapter, name):
    card = pretrained.load(name).card
    model = chapter.music_network(card["settings"]["units"], card["settings"]["depth"])
    assert card["parameters"] == model.count_params()
    assert card["command"].startswith("make chapter CH=03 PROFILE=full")


@pytest.mark.parametrize(("name", "most"), [("fiddle", 2.05), ("chorales", 1.75)])
def test_the_weights_predict_music_that_they_have_not_met(chapter, name, most):
    dataset = load_dataset(name)
    part = chapter.split(list(dataset.files), dataset.labels)
    names = part.index[part == "test"][:12]
    pieces = [chapter.sequence(scores.tokenise(scores.read(dataset.files[n]))) for n in names]
    weights = pretrained.load(f"03_lstm_music_{name}")
    model = chapter.music_network(*(weights.card["settings"][k] for k in ("units", "depth")))
    pretrained.set_keras_arrays(model, weights.arrays)
    nats = chapter.our_nats(model, pieces)
    assert nats.mean() < most
    moved = chapter.our_nats(model, [chapter.moved(piece, 2) for piece in pieces])
    assert moved.mean() < nats.mean() + 0.4  # it knows other keys as well


def test_the_weights_do_not_loop_when_they_draw(chapter):
    dataset = load_dataset("fiddle")
    part = chapter.split(list(dataset.files), dataset.labels)
    name = part.index[part == "test"][1]
    opening = chapter.opening_of(scores.tokenise(scores.read(dataset.files[name])), 4)
    net = chapter.load_player()
    tunes = chapter.play_on(net, opening, 12, 8, temperature=0.9, top_p=0.95)
    for tune in tunes:
        pitches = [note.pitch for note in scores.detokenise(tune).notes]
        runs = "".join("=" if a == b else " " for a, b in pairwise(pitches)).split()
        assert max(map(len, runs), default=0) < 12
        assert len(set(pitches)) > 5


# The benchmark


@pytest.fixture(scope="module")
def bench(chapter):
    spec = importlib.util.spec_from_file_location("bench_03", ROOT / "benchmarks/03_lstm_music.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_windows_of_pieces_kept_apart_show_no_other_piece(bench, chapter, jig_tokens):
    jig, V = chapter.sequence(jig_tokens), len(scores.vocabulary())
    n = len(jig.ids)
    places = chapter.WINDOW + n + np.array([0, 5])
    apart, y = bench.windows_of([jig, jig], places, apart=True)
    assert y.tolist() == jig.ids[[0, 5]].tolist()
    assert (apart[0] == 1).all() and (apart[1, :-5] == 1).all()
    assert np.round(apart[1, -5:, 0] * (V - 1)).tolist() == jig.ids[:5].tolist()
    joined, _ = bench.windows_of([jig, jig], places, apart=False)
    assert np.round(joined[0, -n:, 0] * (V - 1)).tolist() == jig.ids.tolist()


def test_windows_are_asked_for_all_tokens_after_the_headers(
    bench, chapter, jig_tokens, chorale_tokens
):
    pieces = [chapter.sequence(tokens) for tokens in (chorale_tokens, jig_tokens)]
    _, y = bench.windows_of(pieces, bench.places_of(pieces), apart=False)
    assert y.tolist() == np.concatenate([piece.ids[piece.first :] for piece in pieces]).tolist()


def test_one_answer_taken_apart_is_still_the_same(bench, chapter):
    ids = scores.encode(["C4:1/2", "rest:1", "+E4", "hold:1/3"])
    logits = rng().normal(0, 2, (1, len(ids), len(scores.vocabulary())))

    class One:
        def predict_on_batch(self, inputs):
            return logits

    what, length = chapter.WHAT[ids], chapter.LENGTH[ids]
    first, second = bench.Split(One()).predict_on_batch([None, what[None]])
    rows = np.arange(len(ids))
    nats = chapter.log_softmax(first[0])[rows, what]
    nats += np.where(length < 16, chapter.log_softmax(second[0])[rows, length], 0)
    np.testing.assert_allclose(nats, np.log(softmax(logits[0]))[rows, ids], atol=1e-4)


# The other backend

KNOBS = """
data, epochs, steps, units, depth = "tunes", 1, 4, 16, 1
source_scale, source_batches, tested, continuations = 16, 2, 40, 2
"""


@pytest.fixture(scope="module")
def on_torch(tmp_path_factory):
    """Run the whole chapter with PyTorch on a folder of scores, in a copy of the book."""
    root = tmp_path_factory.mktemp("book")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "audiostyle_utils", root / "audiostyle_utils", ignore=ignore)
    (root / "chapters" / "tunes").mkdir(parents=True)
    for path in list(load_dataset("fiddle").files.values())[::50]:
        shutil.copy(path, root / "chapters" / "tunes")
    (root / "chapters" / "tunes" / "A_broken.mid").write_bytes(b"MThd")
    (root / "chapters" / "tunes" / "empty.abc").touch()
    notebook = nbformat.read(ROOT / "chapters" / "03_lstm_music.ipynb", as_version=4)
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


def test_the_chapter_runs_with_pytorch_on_a_folder_of_scores(on_torch):
    root, notebook = on_torch
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells if cell.source.strip())
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs and not [o for o in outputs if o.output_type == "error"]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
    printed = "".join(o.get("text", "") for o in outputs)
    assert "skipped A_broken" in printed and "skipped empty" in printed
    (path,) = (root / "_build" / "results").glob("*.json")
    assert path.name == "03_lstm_music-quick-own.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["settings"]["backend"] == "torch" and "torch" in kept["versions"]
    nats = {m["group"]: m["value"] for m in kept["metrics"] if m["metric"] == "nats a token"}
    assert set(nats) == {"unigram", "trigram", "six-gram", "published", "ours"}
    assert all(0 < value < 10 for value in nats.values())
