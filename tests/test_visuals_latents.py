"""The latent path does with its vectors what the music and the parameters say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import InputError, audio
from audiostyle_utils.visuals import latents
from audiostyle_utils.visuals.latents import LatentPath, fold, follow, slerp
from audiostyle_utils.visuals.published import PublishedPath
from audiostyle_utils.visuals.timeline import SR, make_timeline, measure_loudness

from .visuals_helpers import random_timeline, scale, timeline

SIZE = 48


def angles(vectors):
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.arccos(np.clip((units[1:] * units[:-1]).sum(axis=1), -1, 1))


def frames_of(path):
    return np.arange(len(path))


# Arcs, walls and meters


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 64), length=st.floats(0.01, 100))
def test_an_arc_keeps_the_length_and_the_speed(seed, size, length):
    a, b = np.random.default_rng(seed).normal(size=(2, size))
    a, b = (length * v / np.linalg.norm(v) for v in (a, b))
    shares = np.linspace(0, 1, 21)
    arc = slerp(np.tile(a, (21, 1)), np.tile(b, (21, 1)), shares)
    np.testing.assert_allclose(arc[[0, -1]], [a, b], atol=1e-5 * length)
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), length, rtol=1e-4)
    assert np.ptp(angles(arc)) < 1e-5


def test_lengths_go_from_one_to_the_other():
    a, b = np.eye(2)[:1] * 2, np.eye(2)[1:] * 6
    assert np.linalg.norm(slerp(a, b, np.array([0.25]))) == pytest.approx(3)


def test_equal_opposite_and_zero_vectors_have_an_arc():
    a = np.ones((3, 4))
    for b in (a, -a, 0 * a):
        assert np.isfinite(slerp(a, b, np.array([0, 0.3, 1]))).all()
    np.testing.assert_allclose(slerp(a, a, np.array([0, 0.3, 1])), a, atol=1e-5)
    assert not slerp(0 * a, 0 * a, np.array([0, 0.3, 1])).any()


@settings(max_examples=60, deadline=None)
@given(
    reach=st.floats(0.1, 5),
    steps=st.lists(st.floats(-0.09, 0.09), min_size=1, max_size=300),
)
def test_fold_is_a_ball_between_two_walls(reach, steps):
    place, direction, found = 0.0, 1, []
    for step in steps:
        place += direction * step
        if abs(place) > reach:
            place, direction = np.sign(place) * 2 * reach - place, -direction
        found.append(place)
    np.testing.assert_allclose(fold(np.cumsum(steps), reach), found, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(x=st.floats(-1e3, 1e3), reach=st.floats(0, 5))
def test_fold_stays_inside(x, reach):
    found = fold(np.array([x]), reach)[0]
    assert -reach - 1e-9 <= found <= reach + 1e-9
    if abs(x) <= reach:
        assert found == pytest.approx(x, abs=1e-9)


@pytest.mark.parametrize("fps", [10, 43, 120])
def test_a_meter_rises_at_once_and_falls_slowly(fps):
    curve = np.zeros(3 * fps)
    curve[fps] = 0.8
    found = follow(curve, fps, release=0.5)
    assert found[fps] == pytest.approx(0.8) == found.max()
    assert found[fps + round(0.5 * fps)] == pytest.approx(0.8 / np.e, rel=0.05)
    assert not found[:fps].any()
    assert (found >= curve - 1e-6).all() and (curve[fps] == 0.8)  # the caller's stays


# The base


def test_the_base_goes_from_key_to_key_in_time():
    path = LatentPath(timeline(200, 20), SIZE, speed_fpm=60)  # a key each 20 frames
    steps = angles(path.base(frames_of(path))).reshape(-1)[:180].reshape(9, 20)
    assert np.ptp(steps, axis=1).max() < 1e-4  # steady from key to key
    assert np.abs(np.diff(steps[:, 0])).min() > 1e-4  # and another speed after each key


def test_the_base_never_stands_still():
    path = LatentPath(timeline(430, 43), SIZE, speed_fpm=12)
    old = PublishedPath(timeline(430, 43), SIZE, speed_fpm=12)
    steps = angles(path.base(frames_of(path)))
    assert steps.min() > 0.3 * steps.max() > 0
    assert not np.diff(old.noise(0, 430), axis=0)[-200:].any()


def test_the_base_keeps_its_length():
    path = LatentPath(timeline(430, 43), 512, speed_fpm=60)
    lengths = np.linalg.norm(path.base(frames_of(path)), axis=1)
    assert np.ptp(lengths) < 0.15 * lengths.mean()


def test_speed_is_keys_a_minute_at_any_rate():
    ways = {}
    for fps in (24, 43, 120):
        path = LatentPath(timeline(10 * fps, fps), SIZE, speed_fpm=30)
        ways[fps] = path.base(np.arange(10) * fps)
    np.testing.assert_allclose(ways[24], ways[43], atol=1e-5)
    np.testing.assert_allclose(ways[24], ways[120], atol=1e-5)


def test_speed_0_stands_still_and_more_is_faster():
    still, slow, quick = (
        angles(LatentPath(timeline(430, 43), 512, speed_fpm=speed).base(np.arange(430))).sum()
        for speed in (0, 6, 24)
    )
    assert still == pytest.approx(0, abs=0.2) and 3 < quick / slow < 5
    path = LatentPath(timeline(430, 43), SIZE, speed_fpm=0)
    assert not np.diff(path.noise(0, 430), axis=0).any()


def test_truncation_scales_the_base():
    line = timeline(200, 43)
    whole, half, none = (
        LatentPath(line, SIZE, truncation=truncation).noise(0, 200) for truncation in (1, 0.5, 0)
    )
    np.testing.assert_allclose(half, 0.5 * whole, atol=1e-5)
    assert not none.any()


# The pulse


def isolated(frames=120, at=60, fps=43):
    hit = np.zeros(frames)
    hit[at] = 1
    return timeline(frames, fps, pulse=hit)


@pytest.mark.parametrize("fps", [24, 43, 60, 120])
def test_an_isolated_hit_reaches_its_height(fps):
    line = isolated(fps=fps)
    path = LatentPath(line, SIZE, pulse_react=0.8)
    push = np.linalg.norm(path.pulses(frames_of(path)), axis=1) / np.sqrt(SIZE)
    assert push.argmax() == 60 and push[60] >= 0.9 * 0.8
    still = LatentPath(timeline(120, fps), SIZE).noise(0, 120)
    shown = np.linalg.norm(path.noise(0, 120) - still, axis=1) / np.sqrt(SIZE)
    np.testing.assert_allclose(shown, push, atol=1e-4)
    old = PublishedPath(line, SIZE, speed_fpm=0, pulse_react=0.8).noise(0, 120)
    assert np.abs(old[60] - old[0]).max() == pytest.approx(0.25 * 0.8, abs=1e-5)


def test_a_pulse_comes_back():
    path = LatentPath(isolated(), SIZE)
    push = np.linalg.norm(path.pulses(frames_of(path)), axis=1)
    assert push[60 + 43] < 0.01 * push[60] and not push[:60].any()


def test_the_direction_of_the_pulse_turns():
    hits = np.zeros(1000)
    hits[::100] = 1
    path = LatentPath(timeline(1000, 40, pulse=hits), SIZE, speed_fpm=24)
    pushes = path.pulses(np.arange(0, 1000, 100))
    turned = angles(pushes)
    assert turned.min() > 0.5
    np.testing.assert_allclose(np.linalg.norm(pushes, axis=1), 0.5 * np.sqrt(SIZE), rtol=1e-3)


def test_pulse_react_is_a_factor():
    line = random_timeline()
    one, two, none = (
        LatentPath(line, SIZE, pulse_react=react).pulses(np.arange(300)) for react in (0.5, 1, 0)
    )
    np.testing.assert_allclose(two, 2 * one, atol=1e-5)
    assert not none.any()


# The motion


def directions(line, randomness, part_frames):
    """Return sign times factor, (parts, SIZE), as they show in a motion that meets no wall."""
    path = LatentPath(line, SIZE, motion_react=1e-5, motion_randomness=randomness)
    steps = np.diff(path.motion(frames_of(path)), axis=0) / (1e-5 * 20 / line.fps)
    shares = steps / line.motion[1:, None]
    return np.stack([shares[first] for first in range(0, len(shares), part_frames)]), shares


@pytest.mark.parametrize("fps", [24, 43])
@pytest.mark.parametrize("react", [0.05, 1.0])
@pytest.mark.parametrize("speed_fpm", [0, 30])
def test_noise_is_what_adding_up_frame_by_frame_gives(fps, react, speed_fpm):
    line = random_timeline(420, fps)
    parts, _ = directions(line, 0.7, round(4 * fps))
    path = LatentPath(line, SIZE, motion_react=react, motion_randomness=0.7, pulse_react=0,
                      speed_fpm=speed_fpm)  # fmt: skip
    base = path.base(np.arange(420))
    way, place = np.zeros(SIZE), base[0].astype(float)
    ways, places, bounce = [way], [place], np.ones(SIZE)
    for i in range(1, 420):
        step = parts[(i - 1) // round(4 * fps)] * react * 20 / fps * line.motion[i]
        way = way + step
        place = place + bounce * (step + base[i] - base[i - 1])
        beyond = np.abs(place) > 2
        place = np.where(beyond, 4 * np.sign(place) - place, place)
        bounce = np.where(beyond, -bounce, bounce)
        ways.append(way)
        places.append(place)
    np.testing.assert_allclose(path.motion(np.arange(420)), ways, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(path.noise(0, 420), places, atol=2e-3)
    assert np.abs(ways).max() > (20 if react == 1 else 1)


def test_slower_coordinates_are_drawn_anew_every_four_seconds():
    line = random_timeline(600)
    parts, shares = directions(line, 0.7, 172)
    for number, first in enumerate(range(0, 599, 172)):
        np.testing.assert_allclose(shares[first : first + 172], parts[number][None].repeat(
            len(shares[first : first + 172]), 0), atol=1e-3)  # fmt: skip
    sizes = np.round(np.abs(parts), 3)
    assert set(np.unique(sizes)) == {0.3, 1.0}
    assert all((a != b).any() for a, b in zip(sizes[:-1], sizes[1:], strict=True))
    assert 0.3 < (sizes == 1).mean() < 0.7
    assert (np.sign(parts) == np.sign(parts[0])).all()
    assert 0.2 < (parts[0] > 0).mean() < 0.8


def test_without_randomness_all_coordinates_are_as_fast():
    parts, _ = directions(random_timeline(300), 0, 172)
    np.testing.assert_allclose(np.abs(parts), 1, atol=1e-3)


def test_full_loudness_moves_20_times_react_a_second():
    line = timeline(60, 30, motion=np.ones(60))
    path = LatentPath(line, SIZE, motion_react=0.04, motion_randomness=0)
    way = np.abs(path.motion(np.array([1, 31])))
    np.testing.assert_allclose(way[1] - way[0], 20 * 0.04, atol=1e-5)


def test_motion_never_comes_back_by_itself():
    loud = np.zeros(200)
    loud[50:60] = 1
    path = LatentPath(timeline(200, 43, motion=loud), SIZE, motion_react=0.1)
    moved = path.motion(np.arange(200))
    assert not moved[:50].any() and np.abs(moved[60]).min() > 0.1
    assert not np.diff(moved[59:], axis=0).any()


def test_noise_stays_within_bounds():
    line = timeline(3000, 43, pulse=np.ones(3000), motion=np.ones(3000))
    for truncation in (1, 0.3):
        path = LatentPath(line, SIZE, motion_react=2, pulse_react=1, truncation=truncation)
        place = path.noise(0, 3000) - path.pulses(np.arange(3000))
        assert 1.9 * truncation < np.abs(place).max() <= 2 * truncation + 1e-5
        assert place.std() > 0.5 * truncation
        assert np.abs(path.motion(np.arange(3000))).max() > 100  # which has no walls
        assert np.abs(path.noise(0, 3000)).max() > 2 * truncation + 0.5  # the pulse goes beyond


# The whole


@pytest.mark.parametrize("block", [1, 64, 171, 172, 300])
def test_blocks_in_any_order_are_the_whole(block):
    path = LatentPath(random_timeline(300), SIZE, 12, motion_react=1, class_shuffle_seconds=1.3)
    noise, classes = path.noise(0, 300), path.class_vectors(0, 300)
    assert noise.shape == (300, SIZE) and classes.shape == (300, 12)
    assert noise.dtype == classes.dtype == np.float32
    firsts = np.random.default_rng(1).permutation(np.arange(0, 300, block))
    for first in firsts:
        part = slice(first, first + block)
        np.testing.assert_array_equal(path.noise(first, first + block), noise[part])
        np.testing.assert_array_equal(path.class_vectors(first, first + block), classes[part])


def test_same_seed_same_path():
    line = random_timeline()
    first, same, other = (LatentPath(line, SIZE, 30, seed=seed) for seed in (4, 4, 5))
    assert first.labels == same.labels != other.labels
    np.testing.assert_array_equal(first.noise(0, 300), same.noise(0, 300))
    np.testing.assert_array_equal(first.class_vectors(0, 300), same.class_vectors(0, 300))
    assert np.abs(first.noise(0, 300) - other.noise(0, 300)).min(axis=1).max() > 1e-3


def test_the_beginning_of_a_song_does_not_depend_on_its_length():
    long = random_timeline(600)
    curves = (curve[..., :300] for curve in (long.pulse, long.motion, long.chroma, long.loudness))
    line = timeline(300, 43, *curves)
    np.testing.assert_array_equal(
        LatentPath(line, SIZE).base(np.arange(300)), LatentPath(long, SIZE).base(np.arange(300))
    )
    np.testing.assert_allclose(
        LatentPath(line, SIZE).motion(np.arange(300)),
        LatentPath(long, SIZE).motion(np.arange(300)),
        atol=1e-6,
    )


def test_a_long_song_takes_little_memory():
    def kept(frames):
        path = LatentPath(random_timeline(frames), 512, 12)
        arrays = [value for value in vars(path).values() if isinstance(value, np.ndarray)]
        return sum(array.nbytes for array in arrays)

    ten_minutes = 600 * 43
    assert kept(ten_minutes) < 0.2 * 4 * 512 * ten_minutes
    assert kept(ten_minutes) < 10.5 * kept(ten_minutes // 10)


# Classes


def steady(notes, frames=40, fps=40.0):
    """Make a timeline in which each of the notes sounds alone for so many frames."""
    chroma = np.zeros((12, frames * len(notes)))
    for index, note in enumerate(notes):
        chroma[note, index * frames : (index + 1) * frames] = 1
    return timeline(chroma.shape[1], fps, chroma=chroma)


def loudest(path):
    return path.class_vectors(0, len(path)).argmax(axis=1)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    path = tmp_path_factory.mktemp("songs") / "scale.wav"
    notes = [0, 4, 7, 2, 5, 9, 11, 3, 1, 6, 10, 8]
    audio.save(path, scale(0.75, notes), SR)
    loudness = measure_loudness(path)
    parts = loudness.parts
    line = make_timeline(parts["percussive"], parts["harmonic"], loudness, 43, 9.0)
    return line, notes


@pytest.mark.parametrize("smooth", [0, 0.5, 1])
def test_classes_follow_a_scale_neither_early_nor_late(played, smooth):
    line, notes = played
    path = LatentPath(line, SIZE, 12, classes=range(12), class_smooth_seconds=smooth)
    shown = loudest(path)
    middles = ((np.arange(12) + 0.5) * 0.75 * 43).astype(int)
    assert (shown[middles] == notes).mean() >= 0.9
    sounding = np.repeat(notes, 33)[: len(shown)]  # 32.25 frames a note
    sounding = np.array(notes)[np.minimum((np.arange(len(shown)) / 32.25).astype(int), 11)]
    half = 16
    right = {
        lag: (shown[half + lag : len(shown) - half + lag] == sounding[half:-half]).mean()
        for lag in range(-half, half + 1)
    }
    best = max(right, key=right.get)
    assert abs(best) <= 4 and right[best] >= 0.9  # within a tenth of a second
    assert max(right[-half], right[half]) < 0.7


def test_published_classes_are_worse_at_it(played):
    line, notes = played
    labels = list(range(12))
    shown = PublishedPath(line, SIZE, 12, classes=labels).class_vectors(0, len(line)).argmax(axis=1)
    middles = ((np.arange(12) + 0.5) * 0.75 * 43).astype(int)
    assert (shown[middles] == notes).mean() < 0.9


def test_labels_are_dealt_from_c_on_and_again():
    path = LatentPath(steady(range(12)), SIZE, 20, classes=[3, 7, 11], class_smooth_seconds=0)
    assert path.labels == [3, 7, 11] * 4
    assert loudest(path)[20::40].tolist() == [3, 7, 11] * 4


def test_labels_are_drawn_if_none_are_given():
    random = np.random.default_rng(0)
    drawn = latents.class_labels(None, 1000, random)
    assert len(set(drawn)) == 12 and all(0 <= label < 1000 for label in drawn)
    assert sorted(set(latents.class_labels(None, 5, random))) == list(range(5))
    assert latents.class_labels([1], 0, random) == []


def test_the_dominant_note_gets_the_first_label():
    line = steady([9, 9, 9, 4, 4, 1])
    path = LatentPath(line, SIZE, 12, classes=[5, 6, 7], dominant_classes_first=True,
                      class_smooth_seconds=0)  # fmt: skip
    assert [path.labels[note] for note in (9, 4, 1)] == [5, 6, 7]
    assert loudest(path)[20::40].tolist() == [5, 5, 5, 6, 6, 7]


def test_where_notes_share_a_label_the_strongest_counts():
    chroma = np.zeros((12, 20))
    chroma[0], chroma[1], chroma[2] = 0.6, 1.0, 0.8
    path = LatentPath(timeline(20, chroma=chroma), SIZE, 4, classes=[2, 2, 0])
    vectors = path.class_vectors(0, 20)
    np.testing.assert_allclose(vectors[:, 2], 1, atol=1e-5)
    np.testing.assert_allclose(vectors[:, 0], 0.8 ** (2 * latents.CONTRAST), atol=1e-5)
    assert not vectors[:, [1, 3]].any()


@pytest.mark.parametrize("complexity", [0, 0.3, 1])
def test_complexity_is_the_largest_weight(complexity):
    path = LatentPath(random_timeline(), SIZE, 15, class_complexity=complexity)
    vectors = path.class_vectors(0, 300)
    np.testing.assert_allclose(vectors.max(axis=1), complexity, atol=1e-5)
    assert vectors.min() >= 0


def delays(react, fps):
    path = LatentPath(steady([0, 6], 2 * fps, fps), SIZE, 12, classes=range(12),
                      class_pitch_react=react, class_smooth_seconds=0)  # fmt: skip
    return (loudest(path)[2 * fps :] == 0).sum() / fps


def test_pitch_react_is_how_fast_labels_follow():
    assert delays(2, 43) < delays(0.5, 43) < delays(0.05, 43)
    assert delays(0, 43) == 2  # it stays at the first note
    for fps in (24, 120):
        assert delays(0.05, fps) == pytest.approx(delays(0.05, 43), abs=0.03)


@pytest.mark.parametrize("react", [0.1, 0.5, 2])
def test_the_share_of_the_way_is_as_the_text_says(react):
    path = LatentPath(steady([0, 6], 43, 43.0), SIZE, 12, classes=range(12),
                      class_pitch_react=react, class_smooth_seconds=0)  # fmt: skip
    assert path.weights[6, 43] == pytest.approx(1 - np.exp(-20 * react / 43), abs=1e-4)


def test_silence_keeps_the_last_notes():
    line = steady([3, 5])
    line.chroma[:, :20] = 0
    line.chroma[:, 60:] = 0
    path = LatentPath(line, SIZE, 12, classes=range(12), class_smooth_seconds=0)
    shown = loudest(path)
    assert (shown[:35] == 3).all() and (shown[55:] == 5).all()
    silent = LatentPath(timeline(50), SIZE, 12).class_vectors(0, 50)
    assert np.isfinite(silent).all() and not np.diff(silent, axis=0).any()


@pytest.mark.parametrize("react", [0.05, 0.5])
def test_classes_go_on_as_far_as_it_is_loud(react):
    random = np.random.default_rng(0)
    chroma, loudness = np.zeros((12, 200)), random.random(200)
    chroma[3, :50] = chroma[8, 50:] = 1
    loudness[90:110] = 0
    line = timeline(200, 40, chroma=chroma, loudness=loudness)
    path = LatentPath(line, SIZE, 12, class_pitch_react=react, class_smooth_seconds=0)
    loud = latents.follow(loudness, 40, latents.SETTLE)
    left = np.exp(-20 * react * np.cumsum(loud[50:]) / 40)  # of the way to note 8
    np.testing.assert_allclose(path.weights[3, 50:], left, atol=1e-5)
    np.testing.assert_allclose(path.weights[8, 50:], 1 - left, atol=1e-5)


def of_song(path, y, fps=43):
    """Return which class leads at each frame of a song, class 0 being that of C."""
    audio.save(path, y.astype("f4"), SR)
    loudness = measure_loudness(path)
    parts = loudness.parts
    line = make_timeline(parts["percussive"], parts["harmonic"], loudness, fps, loudness.seconds)
    return loudest(LatentPath(line, SIZE, 12, classes=range(12)))


@pytest.mark.parametrize("gain", [0.5, 0.1])
def test_a_quiet_passage_is_followed_as_well_as_a_loud_one(tmp_path, gain):
    notes = [0, 2, 4, 5, 7, 9, 11, 0, 2, 4]
    y = scale(1, notes)
    shown = of_song(tmp_path / "scale.wav", np.concatenate([gain * y, y]))
    middles = ((np.arange(20) + 0.5) * 43).astype(int)
    assert (shown[middles] == notes * 2).mean() >= 0.9


@pytest.mark.parametrize("fps", [24, 43, 120])
def test_a_short_note_changes_the_picture_completely_at_any_rate(tmp_path, fps):
    notes = [0, 2, 4, 5, 7, 9, 11, 0]
    rest = np.zeros(SR - SR // 20, "f4")
    y = np.concatenate([np.concatenate([scale(0.05, [note]), rest]) for note in notes])
    shown = of_song(tmp_path / "short.wav", y, fps)
    middles = ((np.arange(8) + 0.5) * fps).astype(int)
    assert (shown[middles] == notes).mean() >= 0.85


def test_a_setting_that_does_not_exist_is_named():
    for kind in (LatentPath, PublishedPath):
        with pytest.raises(InputError, match="'class_pitch_reach'.*class_pitch_react"):
            kind(timeline(20), SIZE, class_pitch_reach=1)


def test_smoothing_lies_evenly_around_a_change():
    line = steady([0, 6], 80)
    for seconds in (0.5, 1.5):
        path = LatentPath(line, SIZE, 12, classes=range(12), class_pitch_react=10,
                          class_smooth_seconds=seconds)  # fmt: skip
        vectors = path.class_vectors(0, 160)
        assert loudest(path)[78] == 0 and loudest(path)[81] == 6
        mixed = ((vectors[:, 0] > 0.01) & (vectors[:, 6] > 0.01)).sum()
        least = 0.01 ** (1 / latents.CONTRAST)  # of the larger of the two means
        assert mixed == pytest.approx(seconds * 40 * (1 - least) / (1 + least), abs=2)


def test_no_smoothing_changes_nothing_and_too_much_is_possible():
    weights = np.random.default_rng(0).random((12, 30))
    np.testing.assert_allclose(latents.smooth(weights, timeline(30), 0), weights)
    assert np.isfinite(latents.smooth(weights, timeline(30), 60)).all()
    assert np.ptp(latents.smooth(weights, timeline(30), 60), axis=1).max() < 0.6


# Shuffles


@pytest.mark.parametrize("period", [2, 0.75, 1.5])
def test_a_period_turns_each_so_many_seconds(period):
    turns = latents.shuffle_turns(timeline(400, 40), period, 0.25)
    at = (np.flatnonzero(np.diff(turns)) + 1) / 40
    np.testing.assert_allclose(at, np.arange(1, len(at) + 1) * period, atol=1 / 40)
    assert len(at) == int((10 - 1 / 40) / period)
    assert set(np.diff(turns)) <= {0, 3, -9}


def test_times_are_those_of_the_song():
    line = timeline(400, 40)
    turns = latents.shuffle_turns(line, [7.013, 3, 9.5], 0.5)
    assert (np.flatnonzero(np.diff(turns)) + 1).tolist() == [120, 281, 380]
    turns = latents.shuffle_turns(line, [1, 3, 7.5], 0.5, start=2)
    assert (np.flatnonzero(np.diff(turns)) + 1).tolist() == [40, 220] and turns[0] == 0


def test_strength_is_the_share_of_twelve_places():
    line = timeline(400, 40)
    for strength, places in ((0, 0), (0.25, 3), (0.5, 6), (1, 0)):
        turns = latents.shuffle_turns(line, [1], strength)
        assert turns[0] == 0 and turns[-1] == places
    assert not latents.shuffle_turns(line, None, 0.5).any()


def test_a_turn_gives_notes_the_labels_further_on():
    line = steady([0] * 4)
    path = LatentPath(line, SIZE, 12, classes=range(12), class_smooth_seconds=0,
                      class_shuffle_seconds=1, class_shuffle_strength=0.25)  # fmt: skip
    shown = loudest(path)
    # The published code turns the list of labels the same way.
    old = PublishedPath(line, SIZE, 12, fps=40, classes=list(range(12)), class_smooth_seconds=0,
                        class_shuffle_seconds=1, class_shuffle_strength=0.25)  # fmt: skip
    assert shown[20::40].tolist() == [0, 3, 6, 9]
    assert old.labels == path.labels


@pytest.mark.parametrize("kind", [LatentPath, PublishedPath])
@pytest.mark.parametrize(
    ("sizes", "name"),
    [
        ((0, 0), "input_shape"),
        ((-3, 0), "input_shape"),
        ((2.5, 0), "input_shape"),
        ((True, 0), "input_shape"),
        ((100_000, 0), "input_shape"),
        ((8, -1), "num_possible_classes"),
        ((8, 1.5), "num_possible_classes"),
    ],
)
def test_lengths_out_of_range_are_refused(kind, sizes, name):
    with pytest.raises(InputError, match=name):
        kind(timeline(20), *sizes)
