"""What chapter 2 defines: published shapes, fair splits, properties of each change, own files."""

import json
import os
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from audiostyle_utils import InputError, audio, load_chapter, load_dataset, plots, pretrained
from audiostyle_utils.datasets import band

ROOT = Path(__file__).parents[1]
SR, HOP, BANDS = 16000, 512, 128
GENRES = "blues classical country disco hiphop jazz metal pop reggae rock".split()
SHIPPED = "02_genre_cnn_band", "02_genre_cnn_real"
# Keras turns its tensors into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def chapter():
    return load_chapter("02_genre_cnn")


def rng(seed=0):
    return np.random.default_rng(seed)


def noise(frames, seed=0):
    """Decibels as a song might have them: bands of unequal level and unequal spread."""
    spread = np.linspace(2, 15, BANDS)
    X = rng(seed).standard_normal((frames, BANDS)) * spread - np.linspace(10, 60, BANDS)
    return X.astype(np.float32)


def counting(frames):
    """A spectrogram whose values tell their place: 128 times the frame, plus the band."""
    return np.arange(frames * BANDS, dtype=np.float32).reshape(frames, BANDS)


def catalogue(genres, tracks, artists=0, filtered=None):
    """A table of songs as the collections give it."""
    names = [f"{genre}.{i:05d}" for genre in genres for i in range(tracks)]
    songs = pd.DataFrame({"genre": [name.split(".")[0] for name in names]}, index=names)
    if artists:
        songs["artist"] = [f"{genre}-{i % artists}" for genre in genres for i in range(tracks)]
    if filtered is not None:
        songs["filtered"] = pd.Series(filtered, index=names, dtype=object)
    return songs


# The published network


def lengths(network, kind):
    return [layer.output.shape[1] for layer in network.layers if type(layer).__name__ == kind]


def test_the_published_network_has_the_published_shape(chapter):
    network = chapter.source_network(10, 900)
    assert network.count_params() == 34_728_650
    assert lengths(network, "Conv1D") == [898, 447, 221, 108, 52, 24, 10]
    assert lengths(network, "MaxPooling1D") == [449, 223, 110, 54, 26, 12, 5]
    filters = [layer.filters for layer in network.layers if type(layer).__name__ == "Conv1D"]
    assert filters == [64, 128, 256, 512, 1024, 2048, 4096]


def test_the_length_of_the_input_adds_no_parameters(chapter):
    assert chapter.source_network(10, 469).count_params() == 34_728_650


def test_the_published_network_needs_382_frames(chapter):
    assert lengths(chapter.source_network(2, 382, filters=1), "MaxPooling1D")[-1] == 1
    with pytest.raises(ValueError):
        chapter.source_network(2, 381, filters=1)
    assert chapter.SHORTEST == 382


def test_the_source_gets_power_of_equal_length(chapter):
    X = [noise(9, 0), noise(12, 1)]
    power = chapter.source_input(X, 9)
    assert power.shape == (2, 9, BANDS)
    np.testing.assert_allclose(power[1], 10 ** (X[1][:9] / 10), rtol=1e-5)


# Cues that need no ear


def test_cues_are_level_tempo_and_instruments(chapter, tmp_path):
    t = np.arange(SR) / SR
    for name, level in (("a", 0.5), ("b", 0.05)):
        wave = level * np.sin(2 * np.pi * 440 * t)
        audio.save(tmp_path / f"{name}.wav", wave.astype(np.float32), SR)
    songs = pd.DataFrame({"tempo": [100, 90], "instruments": [("Organ",), ("Flute", "Organ")]})
    songs.index = ["a", "b"]
    table = chapter.cues(songs, {name: tmp_path / f"{name}.wav" for name in "ab"})
    assert table["loudness"].tolist() == pytest.approx([-9.03, -29.03], abs=0.01)
    assert table["tempo"].tolist() == [100, 90]
    assert table["instrument: Organ"].tolist() == [1, 1]
    assert table["instrument: Flute"].tolist() == [0, 1]


def test_a_cue_that_gives_the_genre_away_is_found_and_chance_is_not_beaten(chapter):
    songs = catalogue(["jazz", "rock"], 20, artists=4)
    # The folds go by artist: the artist alone says nothing of a genre that it has never met.
    chance = pd.DataFrame({"level": rng(1).standard_normal(40)}, songs.index)
    told = chance.assign(tempo=(songs.genre == "rock") * 30.0)
    assert chapter.cue_accuracy(told, songs) == 1
    assert 0.2 < chapter.cue_accuracy(chance, songs) < 0.8


def test_features_of_each_file_and_the_reason_where_there_are_none(chapter, tmp_path):
    audio.save(tmp_path / "good.wav", rng().uniform(-0.3, 0.3, 2 * SR).astype(np.float32), SR)
    (tmp_path / "bad.wav").write_text("no sound", encoding="utf-8")
    X, skipped = chapter.log_mels({name: tmp_path / f"{name}.wav" for name in ("good", "bad")})
    assert list(X) == ["good"] and X["good"].shape == (1 + 2 * SR // HOP, BANDS)
    assert X["good"].dtype == np.float32
    alone = chapter.spectrogram_of(tmp_path / "good.wav")
    np.testing.assert_allclose(X["good"], alone, rtol=1e-3, atol=1e-3)  # kept in half precision
    assert list(skipped) == ["bad"] and "bad.wav" in skipped["bad"]


# Splits


@pytest.mark.parametrize("tracks", [16, 40, 100])
def test_no_artist_of_an_examination_by_artist_is_known(chapter, tracks):
    songs = catalogue(GENRES, tracks, artists=8)
    part = chapter.split_by_artist(songs)
    assert part.index.equals(songs.index)
    artists = {name: set(songs.artist[part == name]) for name in part.unique()}
    assert set(artists) == {"train", "validation", "known artists", "new artists"}
    assert artists["known artists"] == artists["train"]
    for one, other in (("train", "validation"), ("train", "new artists")):
        assert not artists[one] & artists[other]
    assert not artists["validation"] & artists["new artists"]
    for genre in GENRES:
        assert len(set(part[songs.genre == genre])) == 4


def test_the_artists_of_the_examination_are_the_same_in_every_profile(chapter):
    """The shipped weights may be examined by whoever runs the chapter at another profile."""
    for tracks in (16, 48, 100):
        songs = catalogue(["blues", "rock"], tracks, artists=8)
        new = songs.artist[chapter.split_by_artist(songs) == "new artists"]
        assert set(new) == {"blues-6", "blues-7", "rock-6", "rock-7"}


def test_forty_songs_by_eight_artists_are_split_in_known_numbers(chapter):
    part = chapter.split_by_artist(catalogue(["jazz"], 40, artists=8))
    assert part.value_counts().to_dict() == {
        "train": 20,
        "new artists": 10,
        "validation": 5,
        "known artists": 5,
    }


@pytest.mark.parametrize("tracks", [2, 8])
def test_too_few_songs_by_each_artist_are_refused(chapter, tracks):
    """With one song an artist there is nothing to learn from, once the examinations have theirs."""
    with pytest.raises(InputError, match="16"):
        chapter.split_by_artist(catalogue(["jazz", "rock"], tracks, artists=8))


def test_a_random_tenth_is_a_tenth_of_every_genre(chapter):
    songs = catalogue(GENRES, 100)
    part = chapter.split_at_random(songs)
    assert (part == "random tenth").groupby(songs.genre).sum().tolist() == [10] * 10
    counts = part.value_counts()
    assert counts["random tenth"] == 100 and 90 <= counts["validation"] <= 100
    assert counts.sum() == 1000
    pd.testing.assert_series_equal(part, chapter.split_at_random(songs))
    assert not part.equals(chapter.split_at_random(songs, seed=1))


@pytest.mark.parametrize(("genres", "tracks"), [(2, 5), (3, 5), (5, 5), (10, 5), (10, 8)])
def test_five_songs_of_each_genre_are_enough(chapter, genres, tracks):
    songs = catalogue(GENRES[:genres], tracks)
    part = chapter.split_at_random(songs)
    for name in ("train", "validation", "random tenth"):
        assert set(songs.genre[part == name]) == set(GENRES[:genres]), name


@pytest.mark.parametrize(
    ("songs", "says"),
    [
        (catalogue(["jazz"], 20), "'jazz': 20"),
        (catalogue(["jazz", "rock"], 4), "'rock': 4"),
        (catalogue(["jazz", "rock"], 20).iloc[:23], "'rock': 3"),
    ],
)
def test_what_cannot_be_split_is_refused_with_advice(chapter, songs, says):
    with pytest.raises(InputError, match=f"{says}.*five songs or more"):
        chapter.split_at_random(songs)


def gtzan(listed):
    """A thousand songs, so many of them on the filtered list, evenly spread over the genres."""
    filtered = np.full(1000, None, dtype=object)
    places = np.linspace(0, 999, listed).astype(int)
    filtered[places] = np.array(["train", "valid", "test"])[np.arange(listed) % 3]
    return catalogue(GENRES, 100, filtered=filtered)


def test_the_protocol_follows_the_collection(chapter):
    songs = catalogue(GENRES, 16, artists=8)
    assert chapter.split_songs(songs).equals(chapter.split_by_artist(songs))
    assert chapter.split_songs(songs, "random").equals(chapter.split_at_random(songs))
    assert set(chapter.split_songs(catalogue(GENRES, 10))) == {
        "train",
        "validation",
        "random tenth",
    }


def test_the_filtered_list_keeps_its_parts_and_leaves_the_faults_out(chapter):
    songs = gtzan(930)
    part = chapter.split_songs(songs)
    for theirs, ours in (("train", "train"), ("valid", "validation"), ("test", "filtered test")):
        assert (part == ours).equals(songs.filtered == theirs)
    assert part.isna().equals(songs.filtered.isna())


def test_with_some_of_gtzan_the_random_protocol_takes_its_place(chapter):
    songs = gtzan(300)
    assert "random tenth" in set(chapter.split_songs(songs))
    assert "filtered test" in set(chapter.split_songs(songs, "filtered"))


def test_a_list_that_leaves_a_genre_or_a_part_empty_is_refused(chapter):
    songs = gtzan(930)
    nothing_to_learn = songs.filtered.mask((songs.genre == "rock") & (songs.filtered == "train"))
    nothing_to_test = songs.filtered.mask(songs.filtered == "test")
    for filtered in (nothing_to_learn, nothing_to_test):
        with pytest.raises(InputError, match='split="random"'):
            chapter.split_songs(songs.assign(filtered=filtered), "filtered")


@pytest.mark.parametrize(
    ("songs", "protocol", "best"),
    [
        (catalogue(GENRES, 16, artists=8), "filtered", "artist"),
        (catalogue(GENRES, 10), "artist", "random"),
        (catalogue(GENRES, 10), "filtered", "random"),
        (gtzan(930), "artist", "filtered"),
        (gtzan(0), "filtered", "random"),
        (gtzan(0), "by song", "random"),
    ],
)
def test_a_protocol_that_does_not_suit_is_refused_and_another_named(chapter, songs, protocol, best):
    with pytest.raises(InputError, match=f"split='{protocol}'.*Use '{best}'"):
        chapter.split_songs(songs, protocol)


def test_a_part_is_its_spectrograms_and_the_numbers_of_its_genres(chapter):
    songs = catalogue(["jazz", "rock"], 2).assign(part=["train", "new", "new", "train"])
    X = {name: noise(3, i) for i, name in enumerate(songs.index)}
    chosen, labels = chapter.of_part(songs, X, "new", ["jazz", "rock"])
    assert chosen[0] is X["jazz.00001"] and chosen[1] is X["rock.00000"]
    assert labels.tolist() == [0, 1]


# What the compact network sees


def test_the_training_songs_get_mean_0_and_spread_1(chapter):
    songs = [noise(200, 0), noise(300, 1) + 20, noise(250, 2) - 5]
    scale = chapter.training_scale(songs)
    frames = np.concatenate([chapter.scaled(X, scale) for X in songs])
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, rtol=2e-3)


def test_a_band_without_any_change_does_no_harm(chapter):
    songs = [noise(50, 0), noise(50, 1)]
    for X in songs:
        X[:, 100:] = 0
        X -= X.mean()
    assert np.isfinite(chapter.scaled(songs[0], chapter.training_scale(songs))).all()


@settings(deadline=None, max_examples=20)
@given(level=st.floats(-60, 60))
def test_how_loud_a_song_is_played_changes_nothing(chapter, level):
    X = noise(100)
    scale = chapter.training_scale([noise(150, 1)])
    louder = chapter.scaled(X + np.float32(level), scale)
    np.testing.assert_allclose(louder, chapter.scaled(X, scale), atol=1e-3)


def test_each_of_a_batch_is_scaled_as_if_it_were_alone(chapter):
    batch, scale = np.stack([noise(50, 0), noise(50, 1) + 9]), chapter.training_scale([noise(90)])
    alone = np.stack([chapter.scaled(X, scale) for X in batch])
    np.testing.assert_allclose(chapter.scaled(batch, scale), alone, atol=1e-4)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0, 30))
def test_no_equaliser_passes_the_mean_normalisation(chapter, seed, spread):
    curve = (spread * rng(seed).standard_normal(BANDS)).astype(np.float32)
    X = np.stack([noise(60, seed), noise(60, seed // 2)])
    layer = chapter.MeanNormalisation()
    left, plain = (chapter.ops.convert_to_numpy(layer(Z)) for Z in (X + curve, X))
    np.testing.assert_allclose(left, plain, atol=1e-3)
    np.testing.assert_allclose(plain.mean(axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(plain, X - X.mean(axis=1, keepdims=True), atol=1e-3)


def test_statistics_are_mean_and_spread_over_time(chapter):
    x = np.array([[[1, 5], [3, 5]], [[0, -4], [8, 4]]], np.float32)
    found = chapter.ops.convert_to_numpy(chapter.Statistics()(x))
    expected = [[2, 5, np.sqrt(1 + 1e-4), 0.01], [4, 0, np.sqrt(16 + 1e-4), np.sqrt(16 + 1e-4)]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_compact_network_is_small_and_takes_any_length(chapter):
    network = chapter.compact_network(10)
    assert network.count_params() < 1_000_000
    for frames in (8, 50, 128, 301):
        p = chapter.ops.convert_to_numpy(network(noise(frames)[None] / 10))
        assert p.shape == (1, 10)
        assert p.sum() == pytest.approx(1, abs=1e-5) and (p >= 0).all()
    assert network.get_layer("embedding").output.shape == (None, 64)


def test_the_compact_network_follows_from_the_seed(chapter):
    def answer(seed):
        chapter.keras.utils.set_random_seed(seed)
        network = chapter.compact_network(4, filters=16, widths=(5,))
        return chapter.ops.convert_to_numpy(network(noise(40)[None] / 10))

    np.testing.assert_array_equal(answer(3), answer(3))
    assert not np.array_equal(answer(3), answer(4))


# Augmentation


@pytest.mark.parametrize("frames", [256, 300, 1000])
def test_a_crop_is_a_stretch_of_the_song_moved_by_a_few_bands(chapter, frames):
    shifts, starts, taken = set(), set(), []
    for seed in range(60):
        places = chapter.crop(counting(frames), rng(seed))
        assert places.shape == (128, 128)
        rows, bands = np.divmod(places.astype(int), BANDS)
        assert (rows == rows[:, :1]).all() and (bands == bands[:1]).all()
        shift = 64 - bands[0, 64]
        np.testing.assert_array_equal(bands[0], np.clip(np.arange(BANDS) - shift, 0, BANDS - 1))
        assert set(np.diff(rows[:, 0])) <= {1, 2, 3}
        shifts.add(int(shift))
        starts.add(int(rows[0, 0]))
        taken.append(rows[-1, 0] - rows[0, 0] + 1)
    assert shifts == set(range(-4, 5))
    assert 256 * np.exp(-0.15) - 1 <= min(taken) <= 230
    assert max(taken) <= min(frames, 256 * np.exp(0.15) + 1)
    assert max(taken) == 256 if frames == 256 else max(taken) > 280
    assert len(starts) > 5


@pytest.mark.parametrize("frames", [1, 31, 200])
def test_a_crop_of_a_short_song_repeats_it(chapter, frames):
    places = chapter.crop(counting(frames), rng()).astype(int)
    assert places.shape == (128, 128)
    rows, bands = np.divmod(places, BANDS)
    assert rows.max() < frames and len(set(rows[:, 0])) >= min(frames, 31)
    assert (bands == bands[:1]).all() and abs(64 - bands[0, 64]) <= 4


def test_masks_hide_at_most_what_they_may_and_leave_the_rest(chapter):
    hidden_frames, hidden_bands = [], []
    values = rng().uniform(1, 2, (200, 128, BANDS)).astype(np.float32)
    masked = chapter.mask(values.copy(), rng(1))
    for X, original in zip(masked, values, strict=True):
        frames, bands = (X == 0).all(axis=1), (X == 0).all(axis=0)
        np.testing.assert_array_equal(X[~frames][:, ~bands], original[~frames][:, ~bands])
        hidden_frames.append(frames.sum())
        hidden_bands.append(bands.sum())
    assert max(hidden_frames) <= 20 and max(hidden_bands) <= 32
    # Two stretches of 0 to 10 frames and 0 to 16 bands: 10 and 16 together, but for overlaps.
    assert 8 < np.mean(hidden_frames) < 10.5 and 13 < np.mean(hidden_bands) < 16.5


def test_mixup_mixes_spectrograms_and_targets_alike(chapter):
    """Each song is a genre of its own here, so that the target says what was mixed."""
    batch = rng().standard_normal((12, 6, BANDS)).astype(np.float32)
    mixed, targets = chapter.mixup(batch, np.eye(12, dtype=np.float32), rng(1))
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert targets.min() >= 0 and ((targets > 0).sum(axis=1) <= 2).all()
    assert 0 < np.mean(targets.max(axis=1) < 0.999)
    np.testing.assert_allclose(mixed, np.einsum("ij,jtb->itb", targets, batch), atol=1e-5)
    assert mixed.dtype == targets.dtype == np.float32


def test_the_shares_of_mixup_come_from_its_distribution(chapter):
    """Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))."""
    n = 4000
    _, targets = chapter.mixup(np.zeros((n, 1, 1), np.float32), np.eye(n, dtype="f"), rng())
    share = targets.diagonal()
    assert share.mean() == pytest.approx(0.5, abs=0.03)
    assert share.var() == pytest.approx(1 / (4 * 1.6), rel=0.06)


def test_tone_control_adds_one_smooth_curve_to_all_frames(chapter):
    batch = np.stack([noise(20, seed) for seed in range(300)])
    added = chapter.tone_control(batch, rng()) - batch
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=1e-4)
    curves = added[:, 0]
    assert curves[:, [0, -1]].std() == pytest.approx(4, rel=0.12)
    assert len(np.unique(curves[:, 0])) > 290
    # Straight between eight points: a bend in few places only.
    bends = np.abs(np.diff(curves, 2, axis=1)) > 1e-3
    assert bends.sum(axis=1).max() <= 12


def test_an_epoch_follows_from_its_generator_and_takes_each_song_as_often(chapter, monkeypatch):
    songs = [noise(300, seed) for seed in range(6)]
    labels, scale = np.array([0, 1, 2, 0, 1, 2]), chapter.training_scale(songs)
    asked, crop = [], chapter.crop
    monkeypatch.setattr(
        chapter, "crop", lambda X, r: asked.append(songs_index(songs, X)) or crop(X, r)
    )
    batch, targets = chapter.one_epoch(songs, labels, 3, scale, rng(5), crops=3)
    assert batch.shape == (18, 128, 128) and targets.shape == (18, 3)
    assert batch.dtype == targets.dtype == np.float32
    assert sorted(asked) == sorted([*range(6)] * 3) and asked != sorted(asked)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    again, targets_again = chapter.one_epoch(songs, labels, 3, scale, rng(5), crops=3)
    np.testing.assert_array_equal(batch, again)
    np.testing.assert_array_equal(targets, targets_again)
    other, _ = chapter.one_epoch(songs, labels, 3, scale, rng(6), crops=3)
    assert not np.array_equal(batch, other)


def songs_index(songs, X):
    return next(i for i, song in enumerate(songs) if song is X)


# Training


def toy(songs, seed):
    """Half of the songs come and go at low bands, half at high ones, in noise."""
    labels = np.arange(songs) % 2
    X = []
    for i, label in enumerate(labels):
        draw = rng((seed, i))
        song = draw.normal(-40, 6, (300, BANDS)).astype(np.float32)
        centre = (32, 96)[label] + draw.integers(-8, 9)
        on = (np.arange(300) + draw.integers(20)) % 20 < 10
        song[on, centre - 12 : centre + 12] += 30
        X.append(song)
    return X, labels


@pytest.fixture(scope="module")
def learn(chapter):
    """Train a smaller copy of the compact network, which is built anew each time."""
    X, labels = toy(12, 0)

    def learn(folder):
        chapter.keras.utils.set_random_seed(0)
        start = chapter.compact_network(2, filters=32, widths=(5,))
        return chapter.train(X, labels, 2, 4, batch_size=16, crops=6, start=start, folder=folder)

    return learn


@pytest.fixture(scope="module")
def unbroken(learn, tmp_path_factory):
    return learn(tmp_path_factory.mktemp("unbroken"))


def test_it_learns_to_tell_low_from_high(chapter, unbroken):
    network, scale, history = unbroken
    X, labels = toy(40, 1)
    assert chapter.report(chapter.vote(network, X, scale), labels)["accuracy"] > 0.9
    assert len(history) == 4 and history[-1]["loss"] < history[0]["loss"]


def test_a_stopped_training_ends_as_an_unbroken_one(
    chapter, learn, unbroken, tmp_path, monkeypatch
):
    epochs, one_epoch = [], chapter.one_epoch

    def stops_in_the_third(*arguments):
        if len(epochs) == 2:
            raise KeyboardInterrupt
        epochs.append(1)
        return one_epoch(*arguments)

    monkeypatch.setattr(chapter, "one_epoch", stops_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path)
    monkeypatch.setattr(chapter, "one_epoch", one_epoch)
    network, scale, history = learn(tmp_path)
    assert history == unbroken[2]
    np.testing.assert_array_equal(scale, unbroken[1])
    for one, other in zip(network.get_weights(), unbroken[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def kept(chapter, tmp_path_factory):
    """The folder of a training of one epoch, and what it was called with."""
    folder = tmp_path_factory.mktemp("kept")
    X, labels = toy(4, 0)
    knobs = {"X": X, "labels": labels, "n_genres": 2, "epochs": 1, "batch_size": 4, "crops": 1}
    knobs |= {"start": chapter.compact_network(2, filters=8, widths=(5,)), "folder": folder}
    chapter.train(**knobs)
    return knobs


@pytest.mark.parametrize(
    "change",
    [
        {"X": toy(4, 1)[0]},
        {"labels": np.array([1, 0, 1, 0])},
        {"epochs": 2},
        {"batch_size": 2},
        {"crops": 2},
        {"seed": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_checkpoint_of_another_training_is_refused(chapter, kept, change):
    with pytest.raises(InputError, match="made with other settings"):
        chapter.train(**kept | change)
    assert len(chapter.train(**kept)[2]) == 1


# The vote


@pytest.fixture(scope="module")
def small(chapter):
    """A network for three genres, as it is before any training."""
    chapter.keras.utils.set_random_seed(0)
    return chapter.compact_network(3, filters=16, widths=(5,))


@pytest.fixture(scope="module")
def scale():
    return np.stack([np.linspace(25, -25, BANDS), np.linspace(2, 15, BANDS)]).astype(np.float32)


def test_a_short_song_is_repeated_until_it_fills_a_segment(chapter):
    (found,) = chapter.segments(counting(100))
    rows = np.arange(0, 256, 2) % 100
    np.testing.assert_array_equal(found, counting(100)[rows])


def test_segments_overlap_by_three_quarters(chapter):
    X = counting(2 * (128 + 3 * 32))
    found = chapter.segments(X)
    assert found.shape == (4, 128, 128)
    for k, segment in enumerate(found):
        np.testing.assert_array_equal(segment, X[64 * k : 64 * k + 256 : 2])
    assert len(chapter.segments(X, hop=96)) == 2
    assert len(chapter.segments(X[:-1])) == 4 and len(chapter.segments(X[:-2])) == 3


def test_a_long_song_has_many_segments(chapter):
    assert len(chapter.segments(np.zeros((938, BANDS), np.float32))) == (469 - 128) // 32 + 1


def test_the_vote_is_the_geometric_mean_over_the_segments(chapter, small, scale):
    songs = [noise(100, 0), noise(300, 1), noise(700, 2)]
    found = chapter.vote(small, songs, scale)
    for song, p in zip(songs, found, strict=True):
        judged = small.predict(chapter.scaled(chapter.segments(song), scale), verbose=0)
        together = judged.astype(float).prod(axis=0) ** (1 / len(judged))
        np.testing.assert_allclose(p, together / together.sum(), rtol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_one_segment_votes_as_the_network_answers(chapter, small, scale):
    song = noise(256)
    (alone,) = small.predict(chapter.scaled(song[::2], scale)[None], verbose=0)
    np.testing.assert_allclose(chapter.vote(small, [song], scale)[0], alone, rtol=1e-4)


def test_the_order_of_the_songs_does_not_matter(chapter, small, scale):
    songs = [noise(150 + 130 * i, i) for i in range(4)]
    order = [2, 0, 3, 1]
    shuffled = chapter.vote(small, [songs[i] for i in order], scale)
    np.testing.assert_allclose(shuffled, chapter.vote(small, songs, scale)[order], rtol=1e-4)


def certain(chapter):
    """A network that gives a genre no chance at all."""
    spectrogram = chapter.keras.Input((None, BANDS))
    x = chapter.layers.GlobalAveragePooling1D()(spectrogram)
    dense = chapter.layers.Dense(3, activation="softmax")
    network = chapter.keras.Model(spectrogram, dense(x))
    dense.set_weights([np.zeros((BANDS, 3)), np.array([500.0, 500.0, -500.0])])
    return network


def test_no_chance_at_all_is_a_number_too(chapter, scale):
    network = certain(chapter)
    p = chapter.vote(network, [noise(600)], scale)
    np.testing.assert_allclose(p, [[0.5, 0.5, 0]], atol=1e-5)
    judge = chapter.Classifier([network] * 2, scale, 0.3, ["a", "b", "c"])
    np.testing.assert_allclose(chapter.judge(judge, [noise(600)]), [[0.5, 0.5, 0]], atol=1e-5)


def test_networks_vote_together_and_the_temperature_follows(chapter, small, scale):
    chapter.keras.utils.set_random_seed(1)
    networks = [small, chapter.compact_network(3, filters=16, widths=(5,))]
    songs = [noise(300, seed) for seed in range(3)]
    P = [chapter.vote(network, songs, scale) for network in networks]
    for T in (0.5, 1.0, 3.0):
        found = chapter.judge(chapter.Classifier(networks, scale, T, ["a", "b", "c"]), songs)
        expected = (P[0] * P[1]) ** (0.5 / T)
        np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), rtol=1e-4)


# Results


def test_the_report_counts_what_is_right(chapter):
    P = np.eye(4)[[0, 1, 2, 3, 0, 1, 2, 3, 0, 0]]
    found = chapter.report(P, np.array([0, 1, 2, 3, 0, 1, 2, 3, 1, 2]))
    assert found["accuracy"] == 0.8 and found["songs"] == 10
    assert 0.4 <= found["from"] < 0.8 < found["to"] <= 1


def test_the_temperature_undoes_what_was_done_to_the_probabilities(chapter):
    z = 2 * rng().standard_normal((4000, 5))
    P = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    labels = np.array([rng(i).choice(5, p=p) for i, p in enumerate(P)])
    for power in (0.5, 1.0, 2.0):
        changed = P**power / (P**power).sum(axis=1, keepdims=True)
        assert chapter.fitted_temperature(changed, labels) == pytest.approx(power, rel=0.1)


def test_the_temperature_stays_within_its_bounds(chapter):
    labels = np.arange(30) % 3
    P = 0.1 + 0.7 * np.eye(3)[labels]
    assert chapter.fitted_temperature(P, labels) == 0.3
    assert chapter.fitted_temperature(P, (labels + 1) % 3) == 4
    assert 0.3 <= chapter.fitted_temperature(np.eye(3)[labels], labels) <= 4


# Shipped weights and own files


@pytest.fixture(scope="module")
def song():
    """Fifteen seconds that the shipped networks have not met."""
    return band.perform(band.compose("jazz", 3006))[0]


def is_verdict(p, genres=GENRES):
    assert isinstance(p, pd.Series) and set(p.index) == set(genres) and len(p) == len(genres)
    assert p.sum() == pytest.approx(1, abs=1e-5) and (p >= 0).all()
    assert p.is_monotonic_decreasing


@pytest.mark.parametrize("weights", SHIPPED)
def test_shipped_weights_have_a_card_and_fit_the_network(chapter, weights):
    shipped, classifier = pretrained.load(weights), chapter.load_classifier(weights)
    assert classifier.genres == shipped.card["classes"] == GENRES
    assert classifier.scale.shape == (2, BANDS) and (classifier.scale[1] > 0).all()
    assert 0.3 <= classifier.temperature <= 4
    assert len(classifier.networks) == shipped.card["settings"]["members"]
    members = {key.split("/")[0] for key in shipped.arrays if "/" in key}
    assert members == {str(i) for i in range(len(classifier.networks))}
    for measure in shipped.card["measures"]:
        assert 0 <= measure["low"] <= measure["value"] <= measure["high"] <= 1
    assert len(shipped.card["what"]) > 10 and len(shipped.card["data"]) > 10


def test_unknown_weights_are_answered_with_those_there_are(chapter, tmp_path):
    with pytest.raises(InputError, match="02_genre_cnn_band.*02_genre_cnn_real"):
        chapter.load_classifier("02_genre_cnn_unreal")
    with pytest.raises(InputError, match=r"mine\.safetensors"):
        chapter.load_classifier(str(tmp_path / "mine.safetensors"))


def test_own_weights_are_had_by_their_path(chapter, song, tmp_path):
    network = chapter.compact_network(2)
    arrays = {f"0/{key}": value for key, value in pretrained.keras_arrays(network).items()}
    scale = np.stack([np.zeros(BANDS), np.full(BANDS, 10)]).astype(np.float32)
    card = {
        "what": "a network as it is before any training",
        "data": "none",
        "command": "none",
        "settings": {"members": 1, "temperature": 1.0},
        "measures": [{"metric": "accuracy", "value": 0.5, "low": 0, "high": 1, "data": "none"}],
        "licence": "MIT",
        "classes": ["loud", "soft"],
    }
    path = pretrained.save(tmp_path / "mine.safetensors", arrays | {"scale": scale}, card)
    audio.save(tmp_path / "song.wav", song[: 3 * SR], SR)
    found = chapter.classify_genre(tmp_path / "song.wav", path)
    is_verdict(found, ["loud", "soft"])
    expected = chapter.vote(network, [chapter.spectrogram_of(tmp_path / "song.wav")], scale)[0]
    np.testing.assert_allclose(found[["loud", "soft"]], expected, rtol=1e-3)


def test_the_band_network_knows_songs_by_artists_that_it_has_not_met(chapter):
    songs = [(genre, index) for genre in GENRES for index in (2006, 2007)]
    X = [
        chapter.features.log_mel(*band.perform(band.compose(genre, index))).T
        for genre, index in songs
    ]
    P = chapter.judge(chapter.load_classifier("02_genre_cnn_band"), X)
    labels = np.array([GENRES.index(genre) for genre, _ in songs])
    assert np.sum(P.argmax(axis=1) == labels) >= 16


def test_a_chorale_is_classical(chapter):
    assert chapter.classify_genre(load_dataset("style_clips").files["chorale"]).index[0] == (
        "classical"
    )


@pytest.mark.parametrize(
    ("name", "rate", "seconds", "channels"),
    [
        ("song.wav", 16000, 15, 1),
        ("song.mp3", 22050, 15, 1),
        ("song.ogg", 48000, 15, 1),
        ("stereo.wav", 44100, 5, 2),
        ("telephone.wav", 8000, 4, 1),
        ("second.flac", 16000, 1, 1),
        ("long.mp3", 16000, 40, 1),
    ],
)
def test_any_file_gets_a_verdict(chapter, song, tmp_path, name, rate, seconds, channels):
    y = audio.resample(np.resize(song, seconds * SR), SR, rate)
    y = y if channels == 1 else np.stack([y, 0.5 * y])
    audio.save(tmp_path / name, y, rate)
    is_verdict(chapter.classify_genre(tmp_path / name))


def test_channels_and_level_do_not_change_the_verdict(chapter, song, tmp_path):
    audio.save(tmp_path / "mono.wav", 0.5 * song, SR)
    audio.save(tmp_path / "stereo.wav", np.stack([song, song]), SR)
    mono, stereo = (
        chapter.classify_genre(tmp_path / f"{name}.wav", "02_genre_cnn_band")
        for name in ("mono", "stereo")
    )
    # The floor of -100 dB and the 16 bits of the files are all that differs.
    np.testing.assert_allclose(stereo[mono.index], mono, atol=0.03)


@pytest.mark.parametrize("judge", ["classify_genre", "genres_over_time"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("short.wav", r"short\.wav lasts 0\.5 s\. Give 1 s"),
        ("silent.wav", r"silent\.wav is silent"),
        ("missing.mp3", r"missing\.mp3"),
        ("text.wav", r"text\.wav"),
        ("empty.mp3", r"empty\.mp3"),
        ("", "."),
    ],
)
def test_what_cannot_be_judged_is_named(chapter, tmp_path, judge, name, says):
    audio.save(tmp_path / "short.wav", np.full(SR // 2, 0.1, np.float32), SR)
    audio.save(tmp_path / "silent.wav", np.zeros(2 * SR, np.float32), SR)
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    (tmp_path / "empty.mp3").write_bytes(b"")
    with pytest.raises(InputError, match=says):
        getattr(chapter, judge)(tmp_path / name)


# Over time


@pytest.fixture(scope="module")
def ten_seconds(song, tmp_path_factory):
    path = tmp_path_factory.mktemp("songs") / "ten.wav"
    audio.save(path, song[: 10 * SR], SR)
    return path


def test_windows_of_four_seconds_move_on_by_one(chapter, ten_seconds):
    table = chapter.genres_over_time(ten_seconds)
    assert list(table.columns) == GENRES and table.index.name == "second"
    assert table.index[0] == pytest.approx(2, abs=HOP / SR)
    np.testing.assert_allclose(np.diff(table.index), 1, atol=HOP / SR)
    assert len(table) == 7 and table.index[-1] + 2 <= 10 + HOP / SR
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-5)


def test_each_window_is_judged_as_if_it_were_alone(chapter, ten_seconds):
    table = chapter.genres_over_time(ten_seconds, "02_genre_cnn_band", seconds=3, every=2)
    X = chapter.spectrogram_of(ten_seconds)
    classifier = chapter.load_classifier("02_genre_cnn_band")
    for middle, p in zip(table.index, table.to_numpy(), strict=True):
        first = round((middle - 1.5) * SR / HOP)
        alone = chapter.judge(classifier, [X[first : first + round(3 * SR / HOP)]])[0]
        np.testing.assert_allclose(p, alone, atol=1e-4)


def test_one_window_over_all_is_the_verdict(chapter, ten_seconds):
    table = chapter.genres_over_time(ten_seconds, seconds=60)
    assert table.index.tolist() == pytest.approx([5], abs=HOP / SR)
    verdict = chapter.classify_genre(ten_seconds)
    np.testing.assert_allclose(table.iloc[0][verdict.index], verdict, rtol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 0.5},
        {"seconds": -4},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"every": 0},
        {"every": -1},
        {"every": float("nan")},
        {"every": float("inf")},
    ],
)
def test_windows_that_cannot_be_are_refused(chapter, ten_seconds, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        chapter.genres_over_time(ten_seconds, **wrong)


@pytest.mark.parametrize("seconds", [4, 60])
def test_genres_over_time_are_drawn(chapter, ten_seconds, seconds):
    figure = chapter.draw_genres(
        chapter.genres_over_time(ten_seconds, seconds=seconds), title="A song"
    )
    ax = figure.axes[0]
    assert ax.get_title() == "A song"
    assert {label.get_text() for label in ax.get_yticklabels()} == set(GENRES)
    assert len(plots.show(figure, "Genres over time")._repr_html_()) > 1000


# The other backend


QUICK = "tracks, epochs, source_epochs, source_filters = 16, 2, 1, 4"
COMPARE = """
from safetensors.numpy import save_file
compared = load_classifier("02_genre_cnn_band").networks[0]
save_file({"p": compared.predict(np.load("segments.npy"), verbose=0)}, "torch.safetensors")
"""


@pytest.fixture(scope="module")
def on_torch(tmp_path_factory):
    """Run the whole chapter with PyTorch, in a copy of the book that may be written to."""
    root = tmp_path_factory.mktemp("book")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "audiostyle_utils", root / "audiostyle_utils", ignore=ignore)
    (root / "chapters").mkdir()
    np.save(root / "chapters" / "segments.npy", in_segments())
    notebook = nbformat.read(ROOT / "chapters" / "02_genre_cnn.ipynb", as_version=4)
    tags = [cell.metadata.get("tags", ()) for cell in notebook.cells]
    knobs = next(i for i, names in enumerate(tags) if "parameters" in names)
    notebook.cells.insert(knobs + 1, new_code_cell(QUICK))
    notebook.cells.append(new_code_cell(COMPARE))
    environment = {
        "KERAS_BACKEND": "torch",
        "AUDIOSTYLE_PROFILE": "quick",
        "AUDIOSTYLE_OFFLINE": "1",
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


def in_segments():
    """Two spectrograms that are moderate in every band."""
    return rng(7).standard_normal((2, 128, BANDS)).astype(np.float32)


def test_the_chapter_runs_with_pytorch(on_torch):
    root, notebook = on_torch
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells if cell.source.strip())
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs and not [o for o in outputs if o.output_type == "error"]
    # With 16 songs a genre each artist has one to learn from, of which scikit-learn warns.
    spoken = [output.text for output in outputs if output.get("name") == "stderr"]
    assert all("number of unique classes" in text for text in spoken), spoken
    (path,) = (root / "_build" / "results").glob("*.json")
    assert path.name == "02_genre_cnn-quick.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["settings"]["backend"] == "torch" and "torch" in kept["versions"]
    assert kept["settings"]["tracks"] == 16 and kept["profile"] == "quick"
    accuracy = [entry for entry in kept["metrics"] if entry["metric"].startswith("accuracy, ")]
    assert len(accuracy) == 4 and all(0 <= entry["value"] <= 1 for entry in accuracy)


def test_shipped_weights_answer_alike_on_both_backends(chapter, on_torch):
    from safetensors.numpy import load_file

    network = chapter.load_classifier("02_genre_cnn_band").networks[0]
    here = network.predict(in_segments(), verbose=0)
    there = load_file(on_torch[0] / "chapters" / "torch.safetensors")["p"]
    assert here.shape == there.shape == (2, 10)
    np.testing.assert_allclose(here, there, atol=1e-3)
