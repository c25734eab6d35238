"""Six ensembles: nothing learned is tested, all keep the same time, and each sounds like itself."""

import json
import os
import threading
from itertools import combinations

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import InputError, load_dataset, scores
from audiostyle_utils.datasets import ensembles, load_domain
from audiostyle_utils.datasets.ensembles import DOMAINS, SR, pieces, playing, render_piece
from book._tools import ensemble_scores

MINUTES, TEST_MINUTES = 0.75, 0.5
PARTS = ("training", "test")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSTYLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("AUDIOSTYLE_DATA", raising=False)
        yield load_dataset("ensembles", minutes=MINUTES, test_minutes=TEST_MINUTES)


@pytest.fixture(scope="module")
def sounds(made):
    return {name: sf.read(path, dtype="float32") for name, path in made.files.items()}


@pytest.fixture(scope="module")
def everywhere():
    """Three unseen excerpts, each as all six play it."""
    names = [playing.recordings(domain, "test")[0].name for domain in ("quartet", "choir", "piano")]
    return {name: {domain: render_piece(name, domain)[0] for domain in DOMAINS} for name in names}


def chosen(made, **wanted):
    """Names of the recordings with these labels."""
    return [k for k, label in made.labels.items() if wanted.items() <= label.items()]


# The scores


def test_no_work_is_on_both_sides_or_has_two_players():
    places = {}
    for source in pieces.sources().values():
        places.setdefault(source.work, set()).add((source.domain, source.split))
    assert all(len(place) == 1 for place in places.values())
    assert {place for one in places.values() for place in one} == {
        (domain, split) for domain in DOMAINS for split in PARTS
    }


def test_no_hymn_tune_is_on_both_sides_or_has_two_players():
    family = {name: label["family"] for name, label in load_dataset("chorales").labels.items()}
    places = {}
    for source in pieces.sources().values():
        if source.domain in ("choir", "organ", "harpsichord"):
            place = (source.domain, source.split)
            assert places.setdefault(family[source.name], place) == place
    # Not one tune in many versions.
    for domain in ("choir", "organ", "harpsichord"):
        assert sum(place == (domain, "test") for place in places.values()) >= 8


def test_movements_of_a_work_carry_its_name():
    for source in pieces.sources().values():
        if not source.name.startswith("bwv"):
            assert source.name.rpartition("-")[0] == source.work


def test_the_notes_are_those_of_the_corpus():
    kept = json.loads(ensemble_scores.FILE.read_text(encoding="utf-8"))
    menuet, hymn = "haydn-opus1no1-4", "bwv38.6"
    place = pieces.sources()[hymn]
    assert ensemble_scores.facts(ensemble_scores.movement("haydn-opus1no1", 4)) == kept[menuet]
    again = ensemble_scores.hymn(hymn, place.domain, place.split)
    assert ensemble_scores.facts(again) == kept[hymn]
    read = scores.read(load_dataset("chorales").files[hymn])
    assert pieces.piece(hymn).notes == read.notes
    assert ensemble_scores.FILE.stat().st_size < 400_000


voices = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 500), st.integers(0, 127)))


@settings(max_examples=50, deadline=None)
@given(voices)
def test_a_voice_is_read_as_it_is_written(voice):
    notes, place = [], 0
    for rest, length, pitch in voice:
        notes.append(scores.Note(place + rest, length, pitch, 2))
        place += rest + length
    assert pieces.voice_notes(pieces.voice_text(notes), 2) == notes


def test_there_is_enough_of_everything():
    for domain in DOMAINS:
        for split, minutes in (("training", 16), ("test", ensembles._MOST_TEST)):
            listed = playing.recordings(domain, split)
            first = [one.name for one in listed if one.take == 0]
            total = sum(map(playing.seconds, first)) / 60
            assert total > minutes
            assert len({one.name for one in listed}) == len(listed)
            if split == "training":
                # Other takes are at most so much faster than the first.
                assert total * len(listed) / len(first) * 0.9 > ensembles._MOST


# The recordings


def test_labels_say_what_is_there(made, sounds):
    for domain in DOMAINS:
        for split, minutes in zip(PARTS, (MINUTES, TEST_MINUTES), strict=True):
            names = chosen(made, domain=domain, split=split)
            total = sum(made.labels[name]["seconds"] for name in names)
            assert 60 * minutes <= total < 60 * minutes + 25
    for name, label in made.labels.items():
        source = pieces.sources()[label["piece"]]
        assert (source.domain, source.split) == (label["domain"], label["split"])
        y, sr = sounds[name]
        assert sr == SR and y.ndim == 1 and abs(y.size / sr - label["seconds"]) < 2e-3


def test_levels_differ_and_nothing_is_clipped(sounds):
    peaks = [np.abs(y).max() for y, _ in sounds.values()]
    assert 0.34 < min(peaks) < 0.5 and 0.7 < max(peaks) < 0.9
    for y, _ in sounds.values():
        assert abs(y.mean()) < 1e-3
        assert np.abs(y[[0, -1]]).max() < 1e-3


def longest_run(flags):
    edges = np.flatnonzero(np.diff(np.r_[0, flags.astype(int), 0]))
    return max(edges[1::2] - edges[::2], default=0)


def test_nothing_is_silent_for_a_second_and_nothing_clicks(sounds):
    for name, (y, sr) in sounds.items():
        blocks = y[: y.size // 160 * 160].reshape(-1, 160)
        quiet = np.sqrt(np.mean(blocks**2, axis=1)) < 1e-3 * np.abs(y).max()
        assert longest_run(quiet) * 160 / sr < 1, name
        # A click bends the curve far more than the music around it does.
        bend = np.abs(np.diff(y, 2))
        place = int(bend.argmax())
        around = np.median(bend[max(0, place - 400) : place + 400])
        assert bend[place] < 40 * around, (name, place / sr)


def test_loudness_rises_and_falls(sounds):
    for y, sr in sounds.values():
        seconds = y[: y.size // sr * sr].reshape(-1, sr)[:-1]
        level = 20 * np.log10(np.sqrt(np.mean(seconds**2, axis=1)))
        assert 2 < np.ptp(level) < 40


def test_a_recording_is_always_the_same(made, sounds):
    for domain in DOMAINS:
        name = chosen(made, domain=domain, split="test")[0]
        y, sr = render_piece(name)
        assert sr == SR and y.dtype == np.float32
        assert np.array_equal(y, render_piece(name, domain)[0])
        assert np.abs(y - sounds[name][0]).max() <= 1 / 32768


def test_rooms_tempi_and_levels_are_drawn_anew_for_each(everywhere):
    first, other = (ensembles.playing.random(name, "room").uniform() for name in ("a", "b"))
    assert first != other
    levels = [np.abs(next(iter(one.values()))).max() for one in everywhere.values()]
    assert len(set(levels)) == len(levels)
    name = playing.recordings("quartet", "training")[0].name
    takes = [playing.play(name), playing.play(f"{name}_1")]
    assert takes[1][0].pitch - takes[0][0].pitch == playing.SHIFTS[1]
    assert takes[0][-1].start != takes[1][-1].start


# The same music in all domains


def onsets(y):
    """Rise of the spectrum, a thousand times a second."""
    import librosa

    S = np.abs(librosa.stft(y[: 8 * SR], n_fft=512, hop_length=SR // 1000))
    rise = np.maximum(np.diff(np.log1p(100 * S / S.max())), 0).sum(axis=0)
    smooth = np.convolve(rise, np.hanning(21), "same")
    return smooth - smooth.mean()


def milliseconds_apart(a, b, most=60):
    """Where the cross-correlation of two envelopes is largest."""
    lags = range(-most, most + 1)
    products = [a[max(0, k) : a.size + k] @ b[max(0, -k) : b.size - max(0, k)] for k in lags]
    return abs(lags[int(np.argmax(products))])


def test_all_play_in_the_same_time(everywhere):
    for played in everywhere.values():
        assert len({y.size for y in played.values()}) == 1
        envelopes = [onsets(y) for y in played.values()]
        assert all(milliseconds_apart(a, b) <= 5 for a, b in combinations(envelopes, 2))


def test_onsets_are_where_the_notes_say(everywhere):
    for name, played in everywhere.items():
        starts = np.zeros(8000)
        for note in playing.play(name):
            if note.start < 8:
                starts[round(1000 * note.start)] += 1
        written = np.convolve(starts, np.hanning(21), "same")
        for y in played.values():
            heard = onsets(y)[:8000]
            assert milliseconds_apart(written[: heard.size] - written.mean(), heard) <= 10


def chroma(y):
    import librosa

    return librosa.feature.chroma_cqt(y=y, sr=SR, hop_length=1024).ravel()


def test_all_play_the_same_pitches(everywhere):
    found = {name: [chroma(y) for y in one.values()] for name, one in everywhere.items()}
    for one in found.values():
        same = [np.corrcoef(a, b)[0, 1] for a, b in combinations(one, 2)]
        assert np.mean(same) > 0.8 and min(same) > 0.65
    for one, other in combinations(found.values(), 2):
        size = min(one[0].size, other[0].size) // 12
        a, b = (x[0].reshape(12, -1)[:, :size].ravel() for x in (one, other))
        assert np.corrcoef(a, b)[0, 1] < 0.5


def timbres(y):
    """Mean and spread of the cepstrum in each three seconds."""
    import librosa

    parts = y[: y.size // (3 * SR) * 3 * SR].reshape(-1, 3 * SR)
    mfcc = librosa.feature.mfcc(y=parts, sr=SR, n_mfcc=20)[:, 1:]
    return np.concatenate([mfcc.mean(axis=2), mfcc.std(axis=2)], axis=1)


@pytest.fixture(scope="module")
def judge(made, sounds):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    heard = {name: timbres(sounds[name][0]) for name in chosen(made, split="training")}
    who = [made.labels[name]["domain"] for name, rows in heard.items() for _ in rows]
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return classifier.fit(np.concatenate(list(heard.values())), who)


def test_a_simple_classifier_tells_the_domains_apart(made, sounds, judge):
    right = [
        judge.predict(timbres(sounds[name][0])) == made.labels[name]["domain"]
        for name in chosen(made, split="test")
    ]
    assert np.mean(np.concatenate(right)) > 0.9


def test_a_rendering_in_another_domain_sounds_like_that_domain(everywhere, judge):
    right = [
        judge.predict(timbres(y)) == domain
        for played in everywhere.values()
        for domain, y in played.items()
    ]
    assert np.mean(np.concatenate(right)) > 0.8


# The cache


def test_nothing_is_made_twice(made, monkeypatch):
    def never(name):
        raise AssertionError(name)

    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(made.root.parent))
    monkeypatch.setattr(ensembles, "render_piece", never)
    again = load_dataset("ensembles", minutes=MINUTES, test_minutes=TEST_MINUTES)
    assert (again.files, again.labels) == (made.files, made.labels)
    fewer = load_dataset("ensembles", minutes=0.1, test_minutes=0.1, domains=["organ", "choir"])
    assert set(fewer.files) < set(made.files)
    assert {label["domain"] for label in fewer.labels.values()} == {"choir", "organ"}


def test_what_is_missing_is_made_and_nothing_half_made_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path))
    small = {"minutes": 0.1, "test_minutes": 0.1, "domains": ["piano"]}
    lock, whole = threading.Lock(), os.replace

    def once(*paths):
        with lock:
            monkeypatch.setattr(os, "replace", broken)
        whole(*paths)

    def broken(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(InputError, match="AUDIOSTYLE_CACHE"):
        load_dataset("ensembles", **small)
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert len(left) <= 1 and all(name.endswith(".flac") for name in left)

    monkeypatch.setattr(os, "replace", whole)
    made = load_dataset("ensembles", **small)
    assert sorted(path.name for path in made.root.iterdir()) == sorted(
        path.name for path in made.files.values()
    )
    assert len(made.files) == 2


def test_a_domain_is_loaded_by_its_name(made, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(made.root.parent))
    monkeypatch.setattr(ensembles.load, "__defaults__", (MINUTES, TEST_MINUTES, None))
    piano = load_domain("ensembles:piano")
    assert set(piano.files) == set(chosen(made, domain="piano"))
    with pytest.raises(InputError, match="orchestra, quartet, choir, organ, harpsichord, piano"):
        load_domain("ensembles:kazoo")


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 0}, "minutes is 0; give a number from 0.1 to 100"),
        ({"minutes": True}, "minutes is True"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"minutes": "ten"}, "minutes is 'ten'"),
        ({"test_minutes": 9}, "test_minutes is 9; give a number from 0.1 to 8"),
        ({"domains": ["kazoo"]}, "no domain 'kazoo'; ensembles has orchestra"),
        ({"domains": []}, "nothing in domains"),
        ({"tracks": 3}, "has no option 'tracks'; it has minutes, test_minutes, domains"),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(InputError, match=message):
        load_dataset("ensembles", **options)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("haydn-opus1no1-2", "the number of an excerpt, such as haydn-opus1no1-2_00"),
        ("mahler-9_00", "There is no recording 'mahler-9_00'"),
        ("haydn-opus1no1-2_99", "the excerpts of haydn-opus1no1-2 go from 00 to"),
        ("haydn-opus1no1-2_00_1", "there is 1 of each"),
        ("haydn-opus74no1-2_00_9", "there are 7 of each"),
        (7, "There is no recording 7"),
    ],
)
def test_wrong_names_are_explained(name, message):
    with pytest.raises(InputError, match=message):
        render_piece(name, "piano")


def test_an_unknown_domain_is_explained():
    with pytest.raises(InputError, match="There is no domain 'kazoo'; there are orchestra"):
        render_piece("haydn-opus1no1-2_00", "kazoo")


def test_a_cache_that_cannot_be_made_is_explained(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="Set AUDIOSTYLE_CACHE"):
        load_dataset("ensembles", minutes=0.1, test_minutes=0.1, domains="piano")
