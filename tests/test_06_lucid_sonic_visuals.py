"""Chapter 6: each idea that it builds, by hand and beside the package's own; a song to a video."""

import pickletools

import numpy as np
import pytest
import torch
from scipy.stats import truncnorm

from audiostyle_utils import InputError, audio, load_chapter, pretrained, spectra
from audiostyle_utils.visuals import (
    LucidSonicDream,
    drawings,
    latents,
    styles,
    timeline,
    video,
)
from audiostyle_utils.visuals.pickles import read_stylegan2
from audiostyle_utils.visuals.stylegan2 import modulated_conv2d, upsample2d


@pytest.fixture(scope="module")
def chapter():
    return load_chapter("06_lucid_sonic_visuals")


@pytest.fixture(scope="module")
def vectors():
    a, b = np.random.default_rng(0).standard_normal((2, 64))
    return a, b / np.linalg.norm(b) * np.linalg.norm(a)


def beaten(seconds=3.0, sr=44_100):
    """Return a tone with a click every half second, on both sides unlike."""
    t = np.arange(round(seconds * sr)) / sr
    y = 0.2 * np.sin(2 * np.pi * 440 * t)
    noise = np.random.default_rng(0).normal(size=sr // 100)
    for k in range(0, t.size - noise.size, sr // 2):
        y[k : k + noise.size] += 0.2 * noise
    return np.stack([y, 0.5 * y]).astype(np.float32), sr


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    path = tmp_path_factory.mktemp("song") / "beat.mp3"
    audio.save(path, *beaten())
    return path


@pytest.fixture(scope="module")
def measured(song):
    return timeline.measure_loudness(song)


# Walks through latent space


def degrees(points):
    """Return the angle from each point to the next."""
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    return np.degrees(2 * np.arcsin(np.linalg.norm(np.diff(unit, axis=0), axis=1) / 2))


def test_a_line_and_an_arc_begin_and_end_at_their_points(chapter, vectors):
    a, b = vectors
    for way in (chapter.line, chapter.arc):
        np.testing.assert_allclose(way(a, b, 0), a, atol=1e-12)
        np.testing.assert_allclose(way(a, b, 1), b, atol=1e-12)


def test_an_arc_keeps_length_and_speed_and_a_line_does_not(chapter, vectors):
    a, b = vectors
    shares = np.linspace(0, 1, 21)
    arc, line = (np.array([way(a, b, s) for s in shares]) for way in (chapter.arc, chapter.line))
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), np.linalg.norm(a))
    angle = np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    np.testing.assert_allclose(degrees(arc), angle / 20, rtol=1e-6)
    half = np.cos(np.radians(angle / 2))  # what is left in the middle of a line
    assert np.linalg.norm(line[10]) / np.linalg.norm(a) == pytest.approx(half)
    assert degrees(line).max() > 1.5 * degrees(line).min()


def test_the_arc_is_the_packages(chapter, vectors):
    shares = np.linspace(0, 1, 9)
    a, b = (np.tile(v, (9, 1)) for v in vectors)
    found = [chapter.arc(*vectors, share) for share in shares]
    np.testing.assert_allclose(found, latents.slerp(a, b, shares), atol=1e-9)


def test_the_base_passes_a_key_each_so_many_seconds_and_never_stands_still(chapter):
    walk = chapter.base_path(299, 10, 64, speed_fpm=12, seed=3)  # a key each 5 s, 50 frames
    keys = truncnorm.rvs(-2, 2, size=(7, 64), random_state=3)
    np.testing.assert_allclose(walk[::50], keys[:6], atol=1e-9)
    assert np.abs(walk).max() < 3
    assert np.linalg.norm(np.diff(walk, axis=0), axis=1).min() > 0.01


def test_knobs_of_the_base(chapter):
    still = chapter.base_path(20, 10, 8, speed_fpm=0)
    np.testing.assert_array_equal(still, np.tile(still[0], (20, 1)))
    wide, narrow = (chapter.base_path(40, 10, 8, truncation=share) for share in (1.0, 0.5))
    np.testing.assert_allclose(narrow, wide / 2)
    assert not np.allclose(wide, chapter.base_path(40, 10, 8, seed=1))


# Drums and tones, and how loud they are


def test_lines_along_time_are_tones_and_lines_along_frequency_drums(chapter):
    S = np.full((64, 200), 1e-4)
    S[20] = 1
    S[:, 100] = 1
    share = chapter.percussive_share(S)
    assert share.shape == S.shape and 0 <= share.min() and share.max() <= 1
    assert share[20, np.r_[:90, 110:200]].max() < 1e-3
    assert share[np.r_[:14, 27:64], 100].min() > 0.999
    assert share[20, 100] == pytest.approx(0.5)  # both at once
    np.testing.assert_allclose(share[40, :90], 0.5)


def test_the_division_is_the_packages(chapter, song, measured):
    y, _ = audio.load(song, timeline.SR)
    S = np.sqrt(
        spectra.mel_spectrogram(y, timeline.SR, timeline.N_FFT, timeline.HOP, timeline.N_MELS)
    )
    share = chapter.percussive_share(S)
    for name, part in {"percussive": share, "harmonic": 1 - share}.items():
        own, theirs = np.sqrt((part * S**2).sum(axis=0)), measured.parts[name]
        assert len(own) == len(theirs)
        whole = slice(2, -3)  # at the ends the package takes whole windows only
        np.testing.assert_allclose(own[whole], theirs[whole], atol=1e-4 * own.max())


def test_a_single_loud_hit_does_not_hide_the_rest(chapter):
    quiet = 0.1 * (1 + np.sin(np.arange(4000) / 7))
    hit = quiet.copy()
    hit[2000] = 20
    curve = chapter.envelope_of(hit)
    assert curve.min() == 0 and curve.max() == 1 and curve[2000] == 1
    assert np.abs(np.delete(curve - chapter.envelope_of(quiet), 2000)).max() < 0.05


def test_the_envelope_is_the_packages(chapter, measured):
    for part in measured.parts.values():
        np.testing.assert_allclose(
            chapter.envelope_of(part), timeline.envelope(part), atol=1e-5, err_msg="see envelope"
        )


def test_a_hit_of_one_frame_keeps_a_quarter_or_all_of_its_height(chapter):
    hit = np.zeros(40)
    hit[10] = 1
    mean, meter = chapter.running_mean(hit), chapter.rise_and_fall(hit, 43, release=0.2)
    np.testing.assert_allclose(mean[10:20], 0.25 * 0.75 ** np.arange(10))
    assert not mean[:10].any() and not meter[:10].any()
    np.testing.assert_allclose(meter[10:], np.exp(-np.arange(30) / (43 * 0.2)))
    assert chapter.running_mean(np.ones(5)).tolist() == [1] * 5


def test_the_level_meter_is_the_packages(chapter, measured):
    curve = timeline.at_frames(measured.parts["percussive"], 43, 120)
    for fps, release in ((43, 0.2), (24, 0.2), (43, 0.5)):
        found = chapter.rise_and_fall(curve, fps, release)
        np.testing.assert_allclose(found, latents.follow(curve, fps, release), rtol=1e-4, atol=1e-6)
        assert (found >= curve - 1e-6).all()


# Motion


def test_a_running_sum_is_the_sum_of_all_steps(chapter):
    steps = np.random.default_rng(0).normal(size=(50, 7))
    np.testing.assert_allclose(chapter.motion_published(steps), chapter.motion_running(steps))
    np.testing.assert_allclose(chapter.motion_running(steps)[-1], steps.sum(axis=0))


def test_a_folded_way_is_that_of_a_ball_between_two_walls(chapter):
    place, direction, places = 0.0, 1, []
    for _ in range(1000):
        places.append(place)
        place += 0.125 * direction
        if abs(place) == 2.0:
            direction = -direction
    way = 0.125 * np.arange(1000)
    np.testing.assert_allclose(chapter.folded(way), places, atol=1e-9)
    np.testing.assert_allclose(chapter.folded(-way), -np.array(places), atol=1e-9)


@pytest.mark.parametrize("reach", [0.5, 2.0, 3.0])
def test_folding_is_the_packages(chapter, reach):
    way = np.random.default_rng(0).normal(0, 20, 500)
    found = chapter.folded(way, reach)
    np.testing.assert_allclose(found, latents.fold(way, reach))
    assert np.abs(found).max() <= reach
    inside = np.abs(way) <= reach
    np.testing.assert_allclose(found[inside], way[inside], atol=1e-9)


# Notes


def test_classes_change_neither_early_nor_late(chapter):
    chroma = np.zeros((12, 400))
    chroma[0, :200] = chroma[7, 200:] = 0.5
    weights = chapter.class_curves(chroma, fps=40, seconds=1.0)
    assert weights.shape == chroma.shape
    np.testing.assert_allclose(weights.max(axis=0), 1)
    assert weights.argmax(axis=0).tolist() == [0] * 200 + [7] * 200
    np.testing.assert_allclose(weights[7], weights[0, ::-1])  # even about the change
    mixed = np.flatnonzero((weights[0] > 0) & (weights[7] > 0))
    assert (mixed[0], mixed[-1]) == (180, 219)  # half a second to either side


def test_classes_are_smoothed_as_the_package_does(chapter):
    chroma = np.random.default_rng(0).random((12, 150))
    beats = timeline.Timeline(43.0, *np.zeros((3, 150)), chroma, 150 / 43)
    for seconds in (0.0, 0.3, 1.0):
        smooth = latents.smooth(chroma**2, beats, seconds)
        wanted = smooth / smooth.max(axis=0)
        np.testing.assert_allclose(chapter.class_curves(chroma, 43, seconds), wanted, atol=1e-9)


@pytest.mark.parametrize("react", [0.0, 0.1, 0.5, 2.0])
def test_classes_change_on_the_beat_as_the_package_does(chapter, react):
    random = np.random.default_rng(0)
    weights, loudness = random.random((12, 150)), random.random(150)
    weights /= weights.max(axis=0)
    beats = timeline.Timeline(43.0, *np.zeros((2, 150)), loudness, weights, 150 / 43)
    wanted = latents.follow_loud(latents.stand_out(weights), beats, react)
    found = chapter.on_the_beat(weights, loudness, 43, react)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_classes_rest_where_nothing_is_loud(chapter):
    weights, loudness = np.eye(12)[[0] * 10 + [5] * 30].T, np.zeros(40)
    assert not np.diff(chapter.on_the_beat(weights, loudness, 40)).any()
    loudness[20] = 1
    moved = np.abs(np.diff(chapter.on_the_beat(weights, loudness, 40))).max(axis=0)
    assert not moved[:19].any() and moved.argmax() == 19


def test_silence_has_no_class(chapter):
    assert not chapter.class_curves(np.zeros((12, 60)), 43).any()


# Pictures


def test_the_readers_style_paints_vectors_of_the_package(chapter, song):
    noise = np.random.default_rng(0).standard_normal((3, 64)).astype("f")
    pictures = chapter.my_style(noise, np.zeros((3, 12), "f"))
    assert pictures.shape == (3, 96, 96, 3) and pictures.dtype == np.uint8
    assert pictures.std() > 20
    one = chapter.my_style(noise[1:2], np.zeros((1, 12), "f"))
    np.testing.assert_array_equal(one[0], pictures[1])
    near = chapter.my_style(noise + np.float32(0.01), np.zeros((3, 12), "f"))
    far = chapter.my_style(noise[::-1], np.zeros((3, 12), "f"))
    moved = [np.abs(other[0].astype(int) - pictures[0]).mean() for other in (near, far)]
    assert moved[0] < 5 < 20 < moved[1]
    made = LucidSonicDream(song, style=chapter.my_style, input_shape=64, num_possible_classes=12)
    assert len(list(made.frames(duration=1, fps=3))) == 3


def test_modulation_is_the_same_in_all_three_ways(chapter):
    torch.manual_seed(0)
    x, style = torch.randn(3, 5, 8, 8), torch.rand(3, 5) + 0.1
    for weight in (torch.randn(4, 5, 3, 3), torch.randn(4, 5, 1, 1)):
        slow, fast = (way(x, weight, style) for way in (chapter.modulated, chapter.modulated_fast))
        torch.testing.assert_close(slow, fast, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(fast, modulated_conv2d(x, weight, style), rtol=1e-4, atol=1e-5)


def test_demodulation_takes_the_size_of_a_style_away(chapter):
    torch.manual_seed(0)
    x, weight, style = torch.randn(2, 5, 8, 8), torch.randn(4, 5, 3, 3), torch.rand(2, 5) + 0.5
    for way in (chapter.modulated, chapter.modulated_fast):
        torch.testing.assert_close(
            way(x, weight, style), way(x, weight, 10 * style), rtol=1e-4, atol=1e-5
        )
        assert not torch.allclose(way(x, weight, style), way(x, weight, style.flip(1)))


def test_the_hostile_file_would_call_a_shell_and_is_refused(chapter, tmp_path, monkeypatch):
    steps = [(code.name, value) for code, value, _ in pickletools.genops(chapter.HOSTILE)]
    assert ("GLOBAL", "os system") in steps and ("REDUCE", None) in steps
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trap.pkl").write_bytes(chapter.HOSTILE)
    with pytest.raises(InputError, match="trap.pkl"):
        read_stylegan2(tmp_path / "trap.pkl")
    assert [path.name for path in tmp_path.iterdir()] == ["trap.pkl"]


@pytest.mark.parametrize("size", [16, 32])
def test_the_generator_paints_each_class_at_its_size(chapter, size):
    torch.manual_seed(0)
    generator = chapter.generator_of(size)
    z, c = torch.randn(2, chapter.Z_DIM), torch.eye(chapter.CLASSES)[[0, 5]]
    assert generator(z, c).shape == (2, 3, size, size)
    assert not torch.allclose(generator(z[:1], c[:1]), generator(z[:1], c[1:]))
    assert chapter.CLASSES == 12


# Effects


def test_a_swirl_turns_each_point_about_the_centre(chapter):
    side, strength, amplitude = 64, 0.7, 0.8
    y, x = np.mgrid[:side, :side].astype(float)
    found = chapter.swirl(np.stack([x, y, 0 * x], -1), strength, amplitude)
    before = np.array([x, y]) - side / 2
    after = np.moveaxis(found[..., :2], -1, 0) - side / 2
    radius = np.hypot(*before)
    inside = radius < side / 2 - 1  # nothing comes from beyond the picture
    np.testing.assert_allclose(np.hypot(*after)[inside], radius[inside], atol=1e-6)
    ring = inside & (radius > 1)
    turned = np.angle(np.exp(1j * (np.arctan2(*after[::-1]) - np.arctan2(*before[::-1]))))
    wanted = 3 * strength * amplitude * np.exp(-3 * (radius / (side / 2)) ** 2)
    np.testing.assert_allclose(np.abs(turned[ring]), wanted[ring], atol=1e-6)
    assert len(set(np.sign(turned[ring & (wanted > 1e-3)]))) == 1  # all the same way round


@pytest.mark.parametrize(("strength", "amplitude"), [(0.0, 1.0), (1.0, 0.0)])
def test_without_strength_or_sound_nothing_is_turned(chapter, strength, amplitude):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    found = chapter.swirl(picture, strength, amplitude)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, picture)


# Does it dance?


def test_loudness_is_the_root_mean_square_of_a_frames_span(chapter, tmp_path):
    sr = 22_050
    t = np.arange(2 * sr) / sr
    y = np.where(t < 1, 0, 0.5) * np.sin(2 * np.pi * 300 * t)
    audio.save(tmp_path / "half.wav", y.astype("f"), sr)
    loud = chapter.loudness_of(tmp_path / "half.wav", 30, 70)
    assert loud.shape == (70,)
    np.testing.assert_allclose(loud[:30], 0, atol=1e-4)
    np.testing.assert_allclose(loud[30:60], 0.5 / np.sqrt(2), rtol=0.01)
    np.testing.assert_allclose(loud[60:], 0, atol=0.02)  # after the end


def test_changes_are_means_of_what_a_pixel_changes(chapter):
    frames = [np.full((4, 4, 3), value, np.uint8) for value in (255, 0, 0, 10)]
    frames[3][:2] = 0
    assert chapter.changes_of(iter(frames)).tolist() == [255, 0, 5]


# The reader's song

QUICK = {"width": 64, "height": 48, "seed": 1}


def test_a_song_becomes_a_video_beside_it(chapter, song, tmp_path):
    path = tmp_path / "my song.mp3"
    path.write_bytes(song.read_bytes())
    made = chapter.dream(path, style="aurora", fps=24, **QUICK)
    assert made == tmp_path / "my song.mp4"
    about = video.probe(made)
    assert (about.width, about.height) == (64, 48)
    assert about.fps == pytest.approx(24, rel=1e-3)
    assert abs(about.frames - 24 * audio.load(path, 44_100)[0].size / 44_100) <= 1
    assert abs(about.seconds - about.audio_seconds) <= 1 / 24
    y, _ = audio.load(made, 44_100, mono=False)
    assert (about.sr, about.channels, y.shape[0]) == (44_100, 2, 2)
    left, right = (float(np.sqrt(np.mean(side**2))) for side in y)
    assert left / right == pytest.approx(2, rel=0.05)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["my song.mp3", "my song.mp4"]


def test_the_same_song_becomes_the_same_video(chapter, song, tmp_path):
    knobs = QUICK | {"style": "kaleidoscope", "duration": 1, "fps": 12}
    paths = [chapter.dream(song, save_to=tmp_path / f"{k}.mp4", **knobs) for k in (0, 1)]
    paths.append(chapter.dream(song, save_to=tmp_path / "c.mp4", **(knobs | {"seed": 2})))
    one, again, other = (np.array(list(video.read_frames(path)), int) for path in paths)
    # The frames are the same to the bit; what an encoder of several threads makes of them is not.
    assert np.abs(one - again).mean() < 1 and np.abs(one - other).mean() > 10


def test_the_size_can_be_given_in_one_or_two_numbers(chapter, song, tmp_path):
    for knobs, size in (({"resolution": 32}, (32, 32)), ({"width": 48, "height": 32}, (48, 32))):
        made = chapter.dream(
            song, style="cppn", save_to=tmp_path / "a.mp4", duration=0.5, fps=10, **knobs
        )
        about = video.probe(made)
        assert (about.width, about.height) == size


def test_a_function_may_paint_the_readers_song(chapter, song, tmp_path):
    def grey(noise_batch, class_batch):
        level = np.clip(128 + 40 * noise_batch[:, :1], 0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.broadcast_to(level[:, None, None], (len(level), 32, 32, 3)))

    grey.input_shape, grey.num_possible_classes = 8, 0
    made = chapter.dream(song, style=grey, save_to=tmp_path / "grey.mp4", duration=1, **QUICK)
    frames = np.array(list(video.read_frames(made)), int)
    assert len(frames) == 43 and np.ptp(frames.mean(axis=(1, 2, 3))) > 5


def test_what_cannot_become_a_video_is_said_and_leaves_nothing(chapter, song, tmp_path):
    (tmp_path / "notes.mp3").write_text("la la la")
    (tmp_path / "film.mp4").write_bytes(song.read_bytes())
    before = sorted(tmp_path.iterdir())
    for name, words in (
        ("notes.mp3", "notes.mp3"),
        ("no_such.mp3", "no_such.mp3"),
        ("film.mp4", "another name"),
    ):
        with pytest.raises(InputError, match=words):
            chapter.dream(tmp_path / name, style="aurora", **QUICK)
    with pytest.raises(InputError, match="pulse_react"):
        chapter.dream(song, style="aurora", save_to=tmp_path / "a.mp4", pulse_react=-1, **QUICK)
    with pytest.raises(InputError, match="no_such_style"):
        chapter.dream(song, style="no_such_style", save_to=tmp_path / "a.mp4", **QUICK)
    assert sorted(tmp_path.iterdir()) == before


def test_the_default_style_is_one_that_is_built_in(chapter):
    default = chapter.dream.__defaults__[0]
    assert default in styles.BUILT_IN


# The shipped weights


def test_the_shipped_generators_paint_what_they_are_asked_for(chapter):
    for name in ("drawings", "drawings_copied"):
        weights = pretrained.load(f"06_lucid_sonic_visuals_{name}")
        generator = styles.generator_from(weights)
        assert generator.img_resolution == 128
        painter = styles.of_generator(name, generator)
        verdict = chapter.judged(painter.paint, painter.input_shape, seed=11)
        assert verdict["drawings recognised"] > 0.97
        assert verdict["made pictures recognised"] > 0.95
        assert 0.75 < verdict["variety, drawings being 1"] < 1.25
        said = {entry["metric"]: entry["value"] for entry in weights.card["measures"]}
        for metric, value in said.items():
            assert verdict[metric] == pytest.approx(value, abs=0.06)
        assert weights.card["classes"] == list(drawings.DRAWINGS)


def test_the_critic_gives_back_the_detail_that_copying_lost(chapter):
    z, kinds = drawings.latents(48, 21), np.tile(np.arange(12), 4)
    drawn = np.array([drawings.draw_latent(int(k), 128, v) for k, v in zip(kinds, z, strict=True)])

    def detail(pictures):
        return np.abs(np.diff(np.int16(pictures), axis=2)).mean()

    share = {}
    for name in ("drawings", "drawings_copied"):
        generator = chapter.generator_named(f"06_lucid_sonic_visuals_{name}")
        made = chapter.made_by(generator, z, np.eye(12)[kinds])
        share[name] = detail(made) / detail(drawn)
        # They were learned from pairs: a latent vector gives nearly its own drawing.
        others = np.roll(made, 12, axis=0)
        assert np.abs(np.int16(made) - drawn).mean() < 0.7 * np.abs(np.int16(others) - drawn).mean()
    assert share["drawings"] > share["drawings_copied"] + 0.05
    assert 0.7 < share["drawings_copied"] < 1 < share["drawings"] < 1.5


# The training


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(chapter, tmp_path):
    stage = {"size": 16, "batch": 12, "adversarial": 0.3, "gamma": 1.0}
    whole, _ = chapter.train_stage("sharp", stage | {"steps": 6}, None, tmp_path / "a", count=24)
    chapter.train_stage("sharp", stage | {"steps": 3}, None, tmp_path / "b", count=24)
    parts, _ = chapter.train_stage("sharp", stage | {"steps": 6}, None, tmp_path / "b", count=24)
    for one, other in zip(
        whole["average"].parameters(), parts["average"].parameters(), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_a_larger_generator_begins_with_the_pictures_of_the_smaller_one(chapter):
    small, large = chapter.generator_of(16), chapter.generator_of(32)
    chapter.grow(large, small, 32)
    z, c = torch.randn(3, chapter.Z_DIM), torch.eye(12)[:3]
    with torch.inference_mode():
        before, after = small.eval()(z, c), large.eval()(z, c)
    upsampled = upsample2d(before, small.synthesis.b8.resample_filter)
    torch.testing.assert_close(after, upsampled, atol=1e-4, rtol=1e-4)


def test_copying_a_few_drawings_lowers_the_loss(chapter, tmp_path):
    stage = {"size": 16, "batch": 12, "adversarial": 0.0, "gamma": 0.0, "steps": 40}
    images, _ = drawings.draw_many(24, 16, 1)
    drawn, z, c = chapter.batch_of(images, drawings.latents(24, 1), 12, np.random.default_rng(0))

    def loss(parts):
        with torch.inference_mode():
            return chapter.pyramid_loss(parts["average"](z, c), drawn).item()

    trained, seconds = chapter.train_stage("16", stage, None, tmp_path, count=24)
    assert seconds > 0
    assert loss(trained) < 0.7 * loss(chapter.new_parts(stage))


def test_the_critics_loss_falls_when_it_tells_drawings_apart(chapter):
    critic, c = chapter.Discriminator(16), torch.eye(12)
    bright, dark = torch.full((12, 3, 16, 16), 0.8), torch.full((12, 3, 16, 16), -0.8)
    adam = torch.optim.Adam(critic.parameters(), 0.004)
    first = chapter.discriminator_loss(critic, bright, dark, c, 0.0)
    for _ in range(10):
        chapter.descend(chapter.discriminator_loss(critic, bright, dark, c, 0.0), adam)
    last = chapter.discriminator_loss(critic, bright, dark, c, 0.0)
    assert last < 0.3 * first
    assert (critic(bright, c) > critic(dark, c)).all()
