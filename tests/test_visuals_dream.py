"""Each parameter does what its text says, wrong ones are refused, and nothing leaks or is left."""

import hashlib
import inspect
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from audiostyle_utils import InputError, audio, visuals
from audiostyle_utils.visuals import EffectsGenerator, LucidSonicDream, effects, styles, video
from audiostyle_utils.visuals.dream import check_knobs
from audiostyle_utils.visuals.latents import LatentPath
from audiostyle_utils.visuals.procedural import make_aurora
from audiostyle_utils.visuals.published import PublishedPath

from .visuals_helpers import (
    CELLS,
    SR,
    chart,
    clicks,
    noise_of,
    scale,
    tone,
    weights_of,
)

FPS = 43
HITS = (0.26, 0.76, 1.26, 1.76)  # of the song; a tone, A, swells up after a second
PUBLISHED = {
    LucidSonicDream: {
        "song": inspect.Parameter.empty,
        "pulse_audio": None,
        "motion_audio": None,
        "class_audio": None,
        "contrast_audio": None,
        "flash_audio": None,
        "style": "wikiart",
        "input_shape": None,
        "num_possible_classes": None,
    },
    LucidSonicDream.hallucinate: {
        "file_name": inspect.Parameter.empty,
        "output_audio": None,
        "fps": 43,
        "resolution": None,
        "start": 0,
        "duration": None,
        "save_frames": False,
        "batch_size": 1,
        "speed_fpm": 12,
        "pulse_percussive": True,
        "pulse_harmonic": False,
        "pulse_react": 0.5,
        "motion_percussive": False,
        "motion_harmonic": True,
        "motion_react": 0.5,
        "motion_randomness": 0.5,
        "truncation": 1,
        "classes": None,
        "dominant_classes_first": False,
        "class_pitch_react": 0.5,
        "class_smooth_seconds": 1,
        "class_complexity": 1,
        "class_shuffle_seconds": None,
        "class_shuffle_strength": 0.5,
        "contrast_strength": None,
        "contrast_percussive": None,
        "flash_strength": None,
        "flash_percussive": None,
        "custom_effects": None,
    },
    EffectsGenerator: {
        "func": inspect.Parameter.empty,
        "audio": None,
        "strength": 0.5,
        "percussive": True,
    },
}
HELD = ("self", "file_name")
OURS = ("seed", "width", "height", "codec", "quality", "compat")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Make recordings: a song, stems of other contents, and what is no song."""
    folder = tmp_path_factory.mktemp("songs")
    swelling = np.interp(np.arange(2 * SR) / SR, [0.85, 1.1], [0.003, 1])
    recordings = {
        "song": clicks(HITS, 2, size=0.6) + (tone(440, 2, 0.3) * swelling).astype("f4"),
        "drums": clicks([0.5, 1.5], 2),
        "early": np.concatenate([tone(262, 0.7), np.zeros(round(1.3 * SR), "f4")]),
        "low": tone(261.63, 2),
        "high": tone(880, 2),
        "notes": np.concatenate([tone(261.63, 0.7), tone(440, 1.3)]),
        "short": clicks([0.25], 0.6) + tone(440, 0.6, 0.1),
        "hush": np.zeros(SR, "f4"),
        "brief": tone(440, 0.005),
    }
    for name, y in recordings.items():
        audio.save(folder / f"{name}.wav", y, SR)
    (folder / "text.wav").write_text("This is no song.")
    return SimpleNamespace(folder=folder, **{n: folder / f"{n}.wav" for n in recordings})


def made(song, style=chart, **parameters):
    parameters = {"input_shape": CELLS, "num_possible_classes": 12} | parameters
    return LucidSonicDream(song, style=style, **parameters)


def painted(dream, **parameters):
    return np.array(list(dream.frames(**parameters)))


def swing(dream, **parameters):
    """Return how far each frame is from the first, where neither stroll nor motion is."""
    noise = noise_of(painted(dream, speed_fpm=0, motion_react=0, **parameters))
    return np.sqrt(((noise - noise[0]) ** 2).mean(axis=1))


def way(dream, **parameters):
    """Return how far each frame is from the first, where neither stroll nor pulse is."""
    parameters = {"motion_react": 0.03} | parameters
    noise = noise_of(painted(dream, speed_fpm=0, pulse_react=0, **parameters))
    return np.abs(noise - noise[0]).mean(axis=1)


def hits(curve, fps=FPS):
    """Return the times in seconds at which a curve jumps up to a third of its height or more."""
    high = curve > curve.max() / 3
    return (np.flatnonzero(high[1:] & ~high[:-1]) + 1) / fps


def weights(dream, **parameters):
    return weights_of(painted(dream, classes=range(12), **parameters))


def recorder(kept):
    def style(noise_batch, class_batch):
        kept.append((noise_batch.copy(), class_batch.copy()))
        return chart(noise_batch[:, :CELLS], class_batch[:, :12])

    return style


def digests(frames):
    return [hashlib.sha256(np.ascontiguousarray(frame)).hexdigest() for frame in frames]


# The published interface


@pytest.mark.parametrize("function", PUBLISHED, ids=lambda function: function.__qualname__)
def test_the_published_parameters_keep_names_order_and_defaults(function):
    parameters = inspect.signature(function).parameters
    found = {
        name: entry.default
        for name, entry in parameters.items()
        if name != "self" and entry.kind is not entry.KEYWORD_ONLY
    }
    assert list(found.items()) == list(PUBLISHED[function].items())
    extra = [name for name, entry in parameters.items() if entry.kind is entry.KEYWORD_ONLY]
    assert extra == (list(OURS) if function is LucidSonicDream.hallucinate else [])


# What each parameter does: one entry a parameter, or the test below it fails.

SHOWN = {}


def shows(*names):
    def keep(check):
        SHOWN.update(dict.fromkeys(names, check))
        return check

    return keep


@shows("LucidSonicDream.song")
def check_song(music, folder):
    np.testing.assert_allclose(hits(swing(made(music.song))), HITS, atol=0.05)
    np.testing.assert_allclose(hits(swing(made(music.drums))), [0.5, 1.5], atol=0.05)


@shows("LucidSonicDream.pulse_audio")
def check_pulse_audio(music, folder):
    stem = made(music.song, pulse_audio=music.drums)
    np.testing.assert_allclose(hits(swing(stem)), [0.5, 1.5], atol=0.05)
    np.testing.assert_array_equal(way(stem), way(made(music.song)))


@shows("LucidSonicDream.motion_audio")
def check_motion_audio(music, folder):
    usual, stem = way(made(music.song)), way(made(music.song, motion_audio=music.early))
    assert usual[40] < 0.05 < 0.3 < usual[-1]
    assert stem[27] > 0.2 and abs(stem[-1] - stem[32]) < 0.03
    np.testing.assert_array_equal(
        swing(made(music.song, motion_audio=music.early)), swing(made(music.song))
    )


@shows("LucidSonicDream.class_audio")
def check_class_audio(music, folder):
    assert (weights(made(music.song)).argmax(axis=1)[-20:] == 9).all()
    assert (weights(made(music.song, class_audio=music.low)).argmax(axis=1) == 0).all()


@shows("LucidSonicDream.contrast_audio", "LucidSonicDream.flash_audio")
def check_effect_audio(music, folder):
    plain = painted(made(music.song)).astype(float)
    for name, measure in (("contrast", np.std), ("flash", np.mean)):
        other = painted(made(music.song, **{f"{name}_audio": music.drums})).astype(float)
        grown = np.array([measure(a) - measure(b) for a, b in zip(other, plain, strict=True)])
        np.testing.assert_allclose(hits(grown), [0.5, 1.5], atol=0.05)
        np.testing.assert_array_equal(other[:18], plain[:18])


@shows("LucidSonicDream.style")
def check_style(music, folder):
    dream = LucidSonicDream(music.song, style="aurora")
    found = painted(dream, width=32, height=16, duration=0.2)
    path = dream.latent_path(width=32, height=16, duration=0.2)
    painter = make_aurora(32, 16)
    np.testing.assert_array_equal(found, painter(path.noise(0, 9), path.class_vectors(0, 9)))
    bright = painted(made(music.song, lambda noise_batch, class_batch: [
        np.full((16, 16, 3), 250, np.uint8) for _ in noise_batch
    ]), duration=0.2)  # fmt: skip
    assert (bright == 250).all() and bright.shape == (9, 16, 16, 3)


@shows("LucidSonicDream.input_shape", "LucidSonicDream.num_possible_classes")
def check_sizes(music, folder):
    for sizes in ((64, 12), (200, 1000), (512, 0)):
        kept = []
        dream = made(
            music.song, recorder(kept), input_shape=sizes[0], num_possible_classes=sizes[1]
        )
        painted(dream, duration=0.1)
        assert {(noise.shape, classes.shape) for noise, classes in kept} == {
            ((1, sizes[0]), (1, sizes[1]))
        }


@shows("hallucinate.file_name")
def check_file_name(music, folder):
    dream = made(music.song)
    for name, wanted in (
        ("a.mp4", "a.mp4"),
        ("b", "b.mp4"),
        ("c.webm", "c.webm"),
        ("d.live", "d.live.mp4"),
        ("E.MKV", "E.MKV"),
    ):
        assert dream.hallucinate(folder / name, duration=0.1) == folder / wanted
        assert video.probe(folder / wanted).frames == 4
        dream.hallucinate(str(folder / name), duration=0.1)
    assert sorted(path.name for path in folder.iterdir()) == [
        "E.MKV", "a.mp4", "b.mp4", "c.webm", "d.live.mp4",
    ]  # fmt: skip


@shows("hallucinate.output_audio")
def check_output_audio(music, folder):
    for name, wanted in ((None, 440), (music.high, 880)):
        path = made(music.song).hallucinate(folder / "a", name, start=1.3)
        y, sr = audio.load(path, None)
        assert np.abs(np.fft.rfft(y)).argmax() * sr / y.size == pytest.approx(wanted, abs=3)
        pulses = hits(swing(made(music.song), start=1.3))
        np.testing.assert_allclose(pulses, [0.46], atol=0.05)  # the picture follows the song


@shows("hallucinate.fps")
def check_fps(music, folder):
    for fps in (10, 29.97, 60):
        assert len(painted(made(music.song), fps=fps)) == round(2 * fps)
        np.testing.assert_allclose(hits(swing(made(music.song), fps=fps), fps), HITS, atol=0.1)


@shows("hallucinate.resolution", "hallucinate.width", "hallucinate.height")
def check_resolution(music, folder):
    dream = made(music.song)
    small = painted(dream, duration=0.1)
    for size, shape in (
        ({}, (32, 32)),
        ({"resolution": 48}, (48, 48)),
        ({"width": 50}, (50, 50)),
        ({"height": 24}, (24, 24)),
        ({"width": 20, "height": 41}, (41, 20)),
    ):
        large = painted(dream, duration=0.1, **size)
        assert large.shape[1:] == (*shape, 3)
        # What does not fit is cut off at both sides, so that nothing is stretched.
        seen = small[:, :, 8:24] if shape[0] > shape[1] else small
        assert abs(large.mean() - seen.mean()) < 3
    assert painted(LucidSonicDream(music.song, style="cppn"), duration=0.03, width=40, height=30
                   ).shape == (1, 30, 40, 3)  # fmt: skip


@shows("hallucinate.start")
def check_start(music, folder):
    np.testing.assert_allclose(hits(swing(made(music.song), start=0.5)), [0.26, 0.76, 1.26],
                               atol=0.05)  # fmt: skip
    assert len(painted(made(music.song), start=0.5)) == round(1.5 * FPS)


@shows("hallucinate.duration")
def check_duration(music, folder):
    whole = swing(made(music.song))
    part = swing(made(music.song), duration=1)
    assert len(whole) == 86 and len(part) == 43
    np.testing.assert_allclose(hits(part), HITS[:2], atol=0.05)
    assert len(painted(made(music.song), duration=99)) == 86


@shows("hallucinate.save_frames")
def check_save_frames(music, folder):
    dream = made(music.song)
    dream.hallucinate(folder / "a", duration=0.2)
    assert [path.name for path in folder.iterdir()] == ["a.mp4"]
    for duration in (0.2, 0.1):  # a second, shorter run leaves no frame of the first
        dream.hallucinate(folder / "a", duration=duration, save_frames=True)
        kept = [np.asarray(Image.open(path)) for path in sorted((folder / "a_frames").iterdir())]
        np.testing.assert_array_equal(kept, painted(dream, duration=duration))


@shows("hallucinate.batch_size")
def check_batch_size(music, folder):
    frames = {}
    for size in (1, 7, 300):
        kept = []
        dream = made(music.song, recorder(kept))
        frames[size] = digests(dream.frames(batch_size=size, fps=120, speed_fpm=60))
        batches = [len(noise) for noise, _ in kept]
        assert sum(batches) == len(frames[size]) == 240
        assert set(batches[:-1]) <= {size} and batches[-1] <= size
    assert frames[1] == frames[7] == frames[300]
    audio.save(folder / "long.wav", tone(440, 6, 0.1), SR)
    for size, wanted in ((100, [100] * 7 + [20]), (400, [400, 320])):
        kept = []
        painted(made(folder / "long.wav", recorder(kept)), batch_size=size, fps=120)
        assert [len(noise) for noise, _ in kept] == wanted


@shows("hallucinate.speed_fpm")
def check_speed_fpm(music, folder):
    still = {"pulse_react": 0, "motion_react": 0}
    ways = {}
    for speed in (0, 12, 60):
        noise = noise_of(painted(made(music.song), speed_fpm=speed, **still))
        ways[speed] = np.linalg.norm(noise[43] - noise[0])
        assert speed or not np.diff(noise, axis=0).any()
    assert ways[0] == 0 < ways[12] < ways[60]
    noise = noise_of(painted(made(music.song), speed_fpm=60 * FPS, **still))  # a key each frame
    assert np.abs(np.diff(noise, axis=0)).mean(axis=1).min() > 0.5


@shows("hallucinate.pulse_percussive", "hallucinate.pulse_harmonic")
def check_pulse_parts(music, folder):
    dream = made(music.song)
    beat = swing(dream)
    tones = swing(dream, pulse_percussive=False, pulse_harmonic=True)
    both = swing(dream, pulse_harmonic=True)
    neither = swing(dream, pulse_percussive=False)
    between = slice(70, 74)  # the tone alone
    assert beat[11] > 0.2 and beat[between].max() < 0.1
    assert tones[:40].max() < 0.1 and tones[between].min() > 0.2
    assert both[11] > tones[11] + 0.02 and both[between].min() > 0.1
    np.testing.assert_array_equal(both, neither)


@shows("hallucinate.motion_percussive", "hallucinate.motion_harmonic")
def check_motion_parts(music, folder):
    dream = made(music.song)
    tones = way(dream)
    beat = way(dream, motion_percussive=True, motion_harmonic=False)
    both = way(dream, motion_percussive=True)
    neither = way(dream, motion_harmonic=False)
    assert tones[40] < 0.04 and tones[-1] > 0.3
    assert beat[20] > 0.005 and beat[-1] < 0.6 * tones[-1]
    assert both[40] > tones[40]
    np.testing.assert_array_equal(both, neither)


@shows("hallucinate.pulse_react")
def check_pulse_react(music, folder):
    none, one, two = (swing(made(music.song), pulse_react=react).max() for react in (0, 0.5, 1))
    assert none == 0 and one == pytest.approx(0.5, abs=0.06) and two == pytest.approx(1, abs=0.06)


@shows("hallucinate.motion_react")
def check_motion_react(music, folder):
    ends = [way(made(music.song), motion_react=react)[-1] for react in (0, 0.02, 0.04)]
    assert ends[0] == 0 and ends[2] == pytest.approx(2 * ends[1], rel=0.1) and ends[1] > 0.1


@shows("hallucinate.motion_randomness")
def check_motion_randomness(music, folder):
    for randomness, shares in ((0, {1.0}), (1, {0.0, 1.0}), (0.5, {0.5, 1.0})):
        noise = noise_of(painted(made(music.song), speed_fpm=0, pulse_react=0, motion_react=0.1,
                                 motion_randomness=randomness))  # fmt: skip
        moved = np.abs(noise[65] - noise[45])
        free = (np.abs(noise[:66]) < 1.9).all(axis=0)  # meets no wall, which turns it round
        assert free.mean() > 0.5
        assert set(np.round(2 * moved[free] / moved[free].max()) / 2) == shares


@shows("hallucinate.truncation")
def check_truncation(music, folder):
    from audiostyle_utils.visuals.stylegan2 import Generator

    still = {"pulse_react": 0, "motion_react": 0, "speed_fpm": 60}
    spreads = [noise_of(painted(made(music.song), truncation=truncation, **still)).std()
               for truncation in (0, 0.5, 1)]  # fmt: skip
    assert spreads[0] == 0 and spreads[1] == pytest.approx(0.5 * spreads[2], rel=0.05)
    generator = Generator(z_dim=8, c_dim=0, w_dim=8, img_resolution=8, channel_base=64,
                          channel_max=8, num_layers=2).eval().requires_grad_(False)  # fmt: skip
    style = styles.of_generator("tiny", generator)
    noise = np.random.default_rng(0).normal(size=(6, 8)).astype("f4")
    classes = np.zeros((6, 0), "f4")
    spread = [style.paint(noise, classes, psi).std(axis=0).mean() for psi in (0, 0.5, 1)]
    assert spread[0] == 0 < spread[1] < spread[2]
    check_truncating_styles(music)


def check_truncating_styles(music):
    """A style that truncates gets whole noise and the psi, except with the published formulas."""
    for compat, psi, whole in ((None, 0.5, True), ("0.4", 1.0, False)):
        seen = {}
        for truncates in (True, False):
            dream, kept = made(music.song), []

            def paint(noise, classes, truncation, kept=kept):
                kept.append((noise.copy(), truncation))
                return chart(noise, classes)

            dream._styles = {None: styles.Style("a", paint, CELLS, 12, truncates)}
            for share in (0.5, 1):
                kept.clear()
                painted(dream, truncation=share, compat=compat, pulse_react=1, batch_size=200)
                seen[truncates, share] = kept[0]
        assert [seen[True, share][1] for share in (0.5, 1)] == [psi, 1]
        assert [seen[False, share][1] for share in (0.5, 1)] == [1, 1]
        same = np.array_equal(seen[True, 0.5][0], seen[True, 1][0])
        assert same is whole
        assert not np.array_equal(seen[False, 0.5][0], seen[False, 1][0])
        np.testing.assert_array_equal(seen[True, 1][0], seen[False, 1][0])
        if not whole:
            np.testing.assert_array_equal(seen[True, 0.5][0], seen[False, 0.5][0])


@shows("hallucinate.classes")
def check_classes(music, folder):
    for classes, lit in (([3], {3}), ([5, 7], {5, 7}), (range(12), set(range(12)))):
        found = weights_of(painted(made(music.song), classes=classes))
        assert set(np.flatnonzero(found.any(axis=0))) <= lit
        assert (found.argmax(axis=1)[-10:] == list(classes)[9 % len(classes)]).all()
    drawn = made(music.song).latent_path().labels
    assert sorted(drawn) == list(range(12)) != drawn


@shows("hallucinate.dominant_classes_first")
def check_dominant(music, folder):
    found = weights(made(music.notes), dominant_classes_first=True)
    assert found[5].argmax() == 1 and found[-5].argmax() == 0  # A is heard for longer than C
    usual = weights(made(music.notes))
    assert usual[5].argmax() == 0 and usual[-5].argmax() == 9


@shows("hallucinate.class_pitch_react")
def check_class_pitch_react(music, folder):
    dream, quick = made(music.notes), {"class_smooth_seconds": 0}
    changes = [(weights(dream, class_pitch_react=react, **quick).argmax(axis=1) == 0).sum()
               for react in (0, 0.05, 2)]  # fmt: skip
    assert changes[0] == 86 > changes[1] > changes[2] >= 0.7 * FPS - 2


@shows("hallucinate.class_smooth_seconds")
def check_class_smooth_seconds(music, folder):
    at_once = {"class_pitch_react": 10}
    found = [weights(made(music.notes), class_smooth_seconds=seconds, **at_once)
             for seconds in (0, 0.5, 1)]  # fmt: skip
    mixed = [(np.sort(vectors)[:, -2] > 0.01).sum() for vectors in found]
    assert mixed[0] < mixed[1] - 5 and mixed[1] < mixed[2] - 5


@shows("hallucinate.class_complexity")
def check_class_complexity(music, folder):
    for complexity in (0, 0.25, 1):
        found = weights(made(music.song), class_complexity=complexity)
        np.testing.assert_allclose(found.max(axis=1), complexity, atol=0.003)


@shows("hallucinate.class_shuffle_seconds", "hallucinate.class_shuffle_strength")
def check_class_shuffle(music, folder):
    dream, quick = made(music.low), {"class_smooth_seconds": 0, "class_pitch_react": 10}
    shown = [weights(dream, **quick, **shuffle).argmax(axis=1)[[10, 35, 55, 80]].tolist()
             for shuffle in (
        {},
        {"class_shuffle_seconds": 0.5},
        {"class_shuffle_seconds": 0.5, "class_shuffle_strength": 0.25},
        {"class_shuffle_seconds": 0.5, "class_shuffle_strength": 0},
        {"class_shuffle_seconds": [0.6, 1.7], "class_shuffle_strength": 0.25},
        {"class_shuffle_seconds": [1.6, 9], "class_shuffle_strength": 0.25},
    )]  # fmt: skip
    assert shown == [[0] * 4, [0, 6, 0, 6], [0, 3, 6, 9], [0] * 4, [0, 3, 3, 6], [0, 0, 0, 3]]


def grown(dream, measure, **parameters):
    """Return by how much a measure of each frame exceeds that of the frame without effects."""
    still = {"speed_fpm": 0, "pulse_react": 0, "motion_react": 0}
    plain, changed = painted(dream, **still), painted(dream, **still, **parameters)
    return np.array([measure(a) - measure(b) for a, b in zip(changed, plain, strict=True)])


@shows("hallucinate.contrast_strength", "hallucinate.flash_strength")
def check_effect_strength(music, folder):
    dream = made(music.song)
    for name, measure in (("contrast", np.std), ("flash", np.mean)):
        none, half, whole = (
            grown(dream, measure, **{f"{name}_strength": strength}) for strength in (0, 0.5, 1)
        )
        np.testing.assert_allclose(hits(half), HITS, atol=0.05)
        assert not none.any() and 0 < half.max() < whole.max()
        assert min(half.min(), whole.min()) >= -0.1  # grades are whole numbers


@shows("hallucinate.contrast_percussive", "hallucinate.flash_percussive")
def check_effect_parts(music, folder):
    dream = made(music.song)
    for name, measure in (("contrast", np.std), ("flash", np.mean)):
        beat = grown(dream, measure, **{f"{name}_percussive": True})
        both = grown(dream, measure, **{f"{name}_percussive": False})
        np.testing.assert_allclose(hits(beat), HITS, atol=0.05)
        assert np.abs(beat[68:73]).max() < 0.05 * beat.max()
        assert both[68:73].min() > 0.1 * both.max()
        np.testing.assert_array_equal(beat, grown(dream, measure, **{f"{name}_strength": 0.5}))


@shows("hallucinate.custom_effects")
def check_custom_effects(music, folder):
    order = []

    def first(array, strength, amplitude):
        order.append("first")
        return np.full_like(array, 40)

    def second(array, strength, amplitude):
        order.append("second")
        assert (array == 40).all()
        return array + np.uint8(1)

    chosen = [EffectsGenerator(first), EffectsGenerator(second)]
    frames = painted(made(music.song), custom_effects=chosen)
    assert (frames == 41).all() and order == ["first", "second"] * 86
    # Contrast and flash come after them: contrast leaves an even picture as it is.
    flashed = painted(made(music.song), custom_effects=chosen, contrast_strength=1,
                      flash_strength=0.3)  # fmt: skip
    np.testing.assert_allclose(hits(flashed.mean(axis=(1, 2, 3)) - 41), HITS, atol=0.05)


@shows("hallucinate.seed")
def check_seed(music, folder):
    first, same, other = (digests(made(music.song).frames(seed=seed)) for seed in (3, 3, 4))
    assert first == same and not set(first) & set(other)


@shows("hallucinate.codec")
def check_codec(music, folder):
    for suffix, codec, wanted in (
        ("mp4", None, "h264"),
        ("mp4", "vp9", "vp9"),
        ("webm", None, "vp9"),
        ("mkv", "h264", "h264"),
    ):
        path = made(music.song).hallucinate(folder / f"a.{suffix}", duration=0.2, codec=codec)
        assert video.probe(path).codec == wanted


@shows("hallucinate.quality")
def check_quality(music, folder):
    wanted = painted(made(music.song), resolution=128).astype(float)
    sizes, errors = [], []
    for quality in (0, 50, 100):
        path = made(music.song).hallucinate(folder / "a", quality=quality, resolution=128)
        sizes.append(path.stat().st_size)
        errors.append(np.abs(np.array(list(video.read_frames(path))) - wanted).mean())
    assert sizes == sorted(sizes) and errors == sorted(errors, reverse=True)
    assert sizes[0] < 0.8 * sizes[2] and errors[2] < 0.8 * errors[0]


@shows("hallucinate.compat")
def check_compat(music, folder):
    dream = made(music.song)
    path, ours = dream.latent_path(compat="0.4", fps=60), dream.latent_path(fps=60)
    assert isinstance(path, PublishedPath) and isinstance(ours, LatentPath)
    assert path.timeline.fps == pytest.approx(68.91, abs=0.01)
    np.testing.assert_allclose(
        noise_of(painted(dream, compat="0.4", fps=60)),
        path.noise(0, 999).clip(-6.4, 6.35),
        atol=0.026,
    )
    info = video.probe(dream.hallucinate(folder / "a", compat="0.4", fps=60))
    assert info.fps == pytest.approx(68.906, abs=0.01) and info.frames == len(path) == 138
    assert abs(info.audio_seconds - info.seconds) < 1 / 60 + 0.03


@shows("EffectsGenerator.func", "EffectsGenerator.strength")
def check_effect_func(music, folder):
    seen = []

    def dim(array, strength, amplitude):
        seen.append((array.shape, array.dtype, strength, amplitude))
        return (array * (1 - strength * amplitude)).astype(np.uint8)

    for strength in (0, 0.5, 0.9):
        effect = EffectsGenerator(dim, strength=strength)
        darker = -grown(made(music.song), np.mean, custom_effects=[effect])
        assert (darker.max() > 0) == (strength > 0)
        shapes, types, strengths, amplitudes = zip(*seen, strict=True)
        assert set(shapes) == {(32, 32, 3)} and set(types) == {np.dtype("u1")}
        assert set(strengths) == {strength} and len(seen) == 86
        assert min(amplitudes) == 0 and 0.99 < max(amplitudes) <= 1
        seen.clear()


def amplitudes_of(song, **parameters):
    seen = []

    def look(array, strength, amplitude):
        seen.append(amplitude)
        return array

    painted(made(song), custom_effects=[EffectsGenerator(look, **parameters)])
    return np.array(seen)


@shows("EffectsGenerator.audio")
def check_effect_stem(music, folder):
    np.testing.assert_allclose(hits(amplitudes_of(music.song)), HITS, atol=0.05)
    stem = amplitudes_of(music.song, audio=music.drums)
    np.testing.assert_allclose(hits(stem), [0.5, 1.5], atol=0.05)


@shows("EffectsGenerator.percussive")
def check_effect_percussive(music, folder):
    beat, both = amplitudes_of(music.song), amplitudes_of(music.song, percussive=False)
    assert beat[68:73].max() < 0.05 and both[68:73].min() > 0.5


EVERY = [
    f"{function.__qualname__.split('.')[-1]}.{name}"
    for function in PUBLISHED
    for name in inspect.signature(function).parameters
    if name != "self"
]


@pytest.mark.parametrize("name", EVERY)
def test_each_parameter_does_what_its_text_says(music, tmp_path, name):
    SHOWN[name](music, tmp_path)


def test_no_check_is_of_a_parameter_that_is_gone():
    assert set(SHOWN) == set(EVERY)


# Nothing leaks from one call to the next


def test_the_callers_list_of_effects_stays_as_it_is(music):
    effect = EffectsGenerator(effects.contrast_effect)
    chosen, dream = [effect], made(music.song)
    for _ in range(2):
        frames = painted(dream, custom_effects=chosen, contrast_strength=1, flash_strength=1)
    assert chosen == [effect] and effect.audio is None
    again = painted(dream, custom_effects=(effect,), contrast_strength=1, flash_strength=1)
    np.testing.assert_array_equal(frames, again)


def test_an_effect_is_off_again_in_the_next_call(music):
    dream = made(music.song, flash_audio=music.drums)
    first = painted(dream)
    painted(dream, contrast_strength=1, flash_strength=0.2, pulse_react=2, classes=[1], fps=30)
    np.testing.assert_array_equal(painted(dream), first)


def test_changed_parts_are_not_taken_from_the_last_call(music):
    dream = made(music.song)
    swing(dream)
    changed = swing(dream, pulse_percussive=False, pulse_harmonic=True)
    fresh = swing(made(music.song), pulse_percussive=False, pulse_harmonic=True)
    np.testing.assert_array_equal(changed, fresh)


def test_a_recording_that_is_replaced_is_measured_anew(music, tmp_path):
    path = tmp_path / "song.wav"
    audio.save(path, clicks([0.5], 2), SR)
    dream = made(path)
    np.testing.assert_allclose(hits(swing(dream)), [0.5], atol=0.05)
    audio.save(path, clicks([1.0], 1.9), SR)
    np.testing.assert_allclose(hits(swing(dream)), [1.0], atol=0.05)


def test_flash_at_full_strength_is_bright_and_not_black(music):
    frames = painted(made(music.song), flash_strength=1)
    means = frames.mean(axis=(1, 2, 3))
    usual = painted(made(music.song)).mean(axis=(1, 2, 3))
    assert (means >= usual).all() and (means - usual).max() > 80 and means.min() > 20
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for amplitude in (0, 0.5, 1):
        assert effects.flash_effect(picture, 1, amplitude).sum() >= picture.sum()
    np.testing.assert_array_equal(effects.flash_effect(picture, 0, 1), picture)


def test_the_published_effects_are_kept():
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    flashed = effects.flash_effect(picture, 0.6, 0.5)
    wanted = np.clip(picture / (255 - 0.3 * 255), 0, 1) * 255
    np.testing.assert_allclose(flashed, wanted, atol=1)
    contrasted = effects.contrast_effect(picture, 0.6, 0.5).astype(float)
    grey = round(np.asarray(Image.fromarray(picture).convert("L")).mean())
    np.testing.assert_allclose(
        contrasted, np.clip(grey + 1.3 * (picture - float(grey)), 0, 255), atol=1
    )


def test_an_effect_can_be_called_by_hand(music):
    effect = EffectsGenerator(effects.flash_effect, music.drums, strength=1)
    effect.render_audio(start=0.25, duration=1, n_mels=64, hop_length=512)
    picture = np.full((4, 4, 3), 60, np.uint8)
    fps = SR / 512
    bright = np.array([effect.apply_effect(picture, i).mean() for i in range(round(fps))])
    np.testing.assert_allclose(hits(bright - 60, fps), [0.25], atol=0.05)


# Reaction


def test_the_picture_changes_when_the_music_does(tmp_path):
    struck = 0.3 + 0.5 * np.arange(8)
    audio.save(tmp_path / "clicks.wav", clicks(struck, 4.5), SR)
    dream = made(tmp_path / "clicks.wav")
    frames = painted(dream).astype(float)
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    driven = dream.latent_path().timeline.pulse[1:]
    alike = {lag: np.corrcoef(driven[5:-5], change[5 + lag : len(change) - 5 + lag])[0, 1]
             for lag in range(-4, 5)}  # fmt: skip
    best = max(alike, key=alike.get)
    assert abs(best) <= 1 and alike[best] >= 0.8
    still = painted(dream, pulse_react=0, motion_react=0, class_pitch_react=0).astype(float)
    change = np.abs(np.diff(still, axis=0)).mean(axis=(1, 2, 3))
    assert abs(np.corrcoef(driven, change)[0, 1]) < 0.1


# Same seed, same video


def test_same_seed_same_frames_and_same_file(music, tmp_path):
    written = []
    for name in "ab":
        dream = made(music.song, flash_audio=music.drums)
        frames = digests(dream.frames(seed=7, class_shuffle_seconds=0.7))
        path = dream.hallucinate(tmp_path / name, seed=7, class_shuffle_seconds=0.7)
        written.append((frames, path.read_bytes()))
    assert written[0] == written[1]


@pytest.mark.parametrize("style", ["cppn", "aurora", "kaleidoscope"])
def test_the_batch_size_does_not_change_a_painted_frame(music, style):
    dream = LucidSonicDream(music.song, style=style)
    size = {"width": 32, "height": 32, "duration": 0.4}
    one = digests(dream.frames(**size))
    assert len(one) == 17 and one == digests(dream.frames(batch_size=6, **size))


# The file


@pytest.mark.parametrize("fps", [1, 24, 29.97, 43, 60, 120])
@pytest.mark.parametrize("part", [{}, {"start": 0.3, "duration": 1.111}])
def test_picture_and_sound_are_as_long_as_the_music(music, tmp_path, fps, part):
    seconds = part.get("duration", 2)
    info = video.probe(made(music.song).hallucinate(tmp_path / "a", fps=fps, batch_size=7, **part))
    assert info.frames == max(1, round(seconds * fps))
    assert info.fps == pytest.approx(fps, rel=1e-3)
    assert abs(info.seconds - seconds) <= 0.5 / fps + 1e-6
    # AAC comes in blocks of 1024 samples.
    assert abs(info.audio_seconds - info.seconds) <= max(1 / fps, 1024 / info.sr)


@pytest.mark.parametrize("sr, channels", [(8000, 1), (44_100, 2), (48_000, 2)])
def test_the_sound_keeps_its_rate_and_channels(tmp_path, sr, channels):
    y = np.stack([tone(440, 1, 0.3, sr), tone(660, 1, 0.3, sr)][:channels])
    audio.save(tmp_path / "song.wav", y, sr)
    path = made(tmp_path / "song.wav").hallucinate(tmp_path / "a")
    info = video.probe(path)
    assert (info.sr, info.channels) == (sr, channels)
    heard, _ = audio.load(path, None, mono=False)
    for row, frequency in zip(heard, (440, 660), strict=False):
        assert np.abs(np.fft.rfft(row)).argmax() * sr / row.size == pytest.approx(frequency, abs=5)


def test_sound_and_picture_stay_together(music, tmp_path):
    path = made(music.song).hallucinate(tmp_path / "a", speed_fpm=0, motion_react=0, pulse_react=2,
                                        quality=100)  # fmt: skip
    y, sr = audio.load(path, None)
    noise = noise_of(list(video.read_frames(path)))
    seen = hits(np.abs(noise - noise[0]).mean(axis=1))
    for time, frame in zip(HITS[:2], seen, strict=False):
        first = round((time - 0.1) * sr)
        heard = (first + np.abs(y[first : first + sr // 5]).argmax()) / sr
        assert abs(heard - frame) < 2 / FPS


@pytest.mark.parametrize("size", [(33, 35), (17, 16)])
def test_odd_sizes_are_possible(music, tmp_path, size):
    width, height = size
    path = made(music.song).hallucinate(tmp_path / "a", width=width, height=height, duration=0.1)
    info = video.probe(path)
    assert (info.width - width, info.height - height) == (width % 2, height % 2)
    odd = made(
        music.song, lambda noise_batch, class_batch: np.zeros((len(noise_batch), 5, 7, 3), "u1")
    )
    assert video.probe(odd.hallucinate(tmp_path / "b", duration=0.1)).frames == 4


def test_a_preview_plays_in_the_notebook(music):
    clip = made(music.song).preview("A test pattern", duration=0.3, fps=20)
    assert clip.seconds == pytest.approx(0.3) and "A test pattern" in repr(clip)
    assert "<video" in clip._repr_html_()


# Stems that end early, and songs without tones


@pytest.mark.parametrize(
    "stem", ["pulse_audio", "motion_audio", "class_audio", "contrast_audio", "flash_audio"]
)
@pytest.mark.parametrize("compat", [None, "0.4"])
def test_a_short_stem_is_followed_by_silence(music, stem, compat):
    dream = made(music.song, **{stem: music.short})
    assert len(painted(dream, compat=compat)) == len(painted(made(music.song), compat=compat))
    if compat is None and stem == "pulse_audio":
        pulses = dream.latent_path().timeline.pulse
        assert pulses[9:13].max() > 0.9 and pulses[:26].min() > 0 and not pulses[27:].any()
    if compat is None and stem == "flash_audio":
        np.testing.assert_array_equal(painted(dream)[40:], painted(made(music.song))[40:])


@pytest.mark.parametrize("compat", [None, "0.4"])
def test_a_stem_that_ends_before_the_start_is_named(music, compat):
    with pytest.raises(InputError, match="pulse_audio: .*short.wav has nothing left after start"):
        made(music.song, pulse_audio=music.short).frames(start=1, compat=compat)


def test_one_frame_is_enough(music, tmp_path):
    path = made(music.song).hallucinate(tmp_path / "a", duration=0.02)
    assert video.probe(path).frames == 1


# Wrong input: an error that names the parameter, and nothing left behind

NAN, INF = float("nan"), float("inf")
NUMBER = ["a", None, NAN, INF, [1], True]
SWITCH = [1, 0, "yes", None]
WRONG = {
    "output_audio": ["none.wav", 5, "text.wav", "", "."],
    "fps": [0, -1, 0.5, 121, *NUMBER],
    "resolution": [0, 15, -64, 5000, 64.5, "64", True, NAN],
    "start": [-1, 99, 2, *NUMBER],
    "duration": [0, -1, "1", NAN, INF, True, [1]],
    "save_frames": SWITCH,
    "batch_size": [0, -1, 1.5, 2000, *NUMBER],
    "speed_fpm": [-1, 60 * FPS + 1, *NUMBER],
    "pulse_percussive": SWITCH,
    "pulse_harmonic": SWITCH,
    "pulse_react": [-0.1, 11, *NUMBER],
    "motion_percussive": SWITCH,
    "motion_harmonic": SWITCH,
    "motion_react": [-0.1, 11, *NUMBER],
    "motion_randomness": [-0.1, 1.1, *NUMBER],
    "truncation": [-0.1, 1.1, *NUMBER],
    "classes": [[], [0] * 13, [12], [-1], ["a"], [0.5], [None], [True], "abc", 5, {1, 2}],
    "dominant_classes_first": SWITCH,
    "class_pitch_react": [-0.1, 11, *NUMBER],
    "class_smooth_seconds": [-1, 61, *NUMBER],
    "class_complexity": [-0.1, 1.1, *NUMBER],
    "class_shuffle_seconds": [0, -1, "2", [-1], ["a"], [NAN], [[1]], NAN, INF, True, {"a": 1},
                              {1, 2}, (time for time in (1, 2)), np.array(2), [1, [2]]],
    "class_shuffle_strength": [-0.1, 1.1, *NUMBER],
    "contrast_strength": [-0.1, 1.1, "a", NAN, True],
    "contrast_percussive": [1, "yes"],
    "flash_strength": [-0.1, 1.1, "a", NAN, True],
    "flash_percussive": [1, "yes"],
    "custom_effects": [5, "abc", [1], [chart], EffectsGenerator(effects.flash_effect)],
    "seed": [-1, 2**32, 1.5, *NUMBER],
    "width": [0, 15, 5000, 64.5, "64", True],
    "height": [0, 15, 5000, 64.5, "64", True],
    "codec": ["h265", 5, ""],
    "quality": [-1, 101, *NUMBER],
    "compat": ["0.3", 0.4, True, ""],
}  # fmt: skip


def test_every_parameter_has_wrong_values():
    named = {name.removeprefix("hallucinate.") for name in EVERY if name.startswith("halluc")}
    assert set(WRONG) == named - {"file_name"}


@pytest.mark.parametrize("compat", [None, "0.4"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_by_name(music, tmp_path, monkeypatch, name, compat):
    monkeypatch.chdir(music.folder)
    dream = made(music.song)
    for value in WRONG[name]:
        parameters = {"compat": compat} | {name: value}
        with pytest.raises(InputError, match=name):
            dream.hallucinate(tmp_path / "a.mp4", **parameters)
            print(f"{name}={value!r} was taken.")
    assert not list(tmp_path.iterdir())


def test_a_size_is_given_once(music):
    with pytest.raises(InputError, match="resolution"):
        made(music.song).frames(resolution=64, width=64)


def test_misspelt_knobs_are_told_with_the_nearest_name(music):
    check_knobs(inspect.signature(LucidSonicDream.hallucinate).parameters.keys() - {*HELD})
    song = made(music.song)
    for ask in (song.frames, song.latent_path, lambda **knobs: song.preview("A song", **knobs)):
        for name, near in (("pulse_reakt", "pulse_react"), ("sped_fpm", "speed_fpm")):
            with pytest.raises(InputError, match=f"There is no knob '{name}'; .* mean '{near}'"):
                ask(**{name: 1})
        with pytest.raises(InputError, match="no knob 'xyz'; there are batch_size, class_complex"):
            ask(xyz=3)
    for name in HELD:
        with pytest.raises(InputError, match=f"There is no knob '{name}'"):
            check_knobs(["fps", name])


def test_limits_are_printed_whole(music):
    for parameters, said in (
        ({"seed": -1}, "from 0 to 4294967295 "),
        ({"start": -1}, "from 0 to 1000000 "),
        ({"speed_fpm": 1798.3, "fps": 29.97}, r"speed_fpm is 1798\.3: give 0 to 1798\.2,"),
        ({"classes": [3, 99]}, r"classes\[1\] is 99: give a whole number from 0 to 11 "),
    ):
        with pytest.raises(InputError, match=said):
            made(music.song).frames(**parameters)


def test_unknown_parameters_are_named(music):
    for parameters in ({"sped_fpm": 3}, {"file_name": "a"}, {"quality": 3}):
        with pytest.raises(InputError, match=next(iter(parameters))):
            made(music.song).frames(**parameters)
        with pytest.raises(InputError, match=next(iter(parameters))):
            made(music.song).latent_path(**parameters)


@pytest.mark.parametrize("stem", ["song", "pulse_audio", "motion_audio", "class_audio",
                                  "contrast_audio", "flash_audio"])  # fmt: skip
def test_recordings_are_looked_at_at_once(music, stem):
    for value in (music.folder / "none.wav", music.folder / "text.wav", music.folder, 5, "", [1]):
        with pytest.raises(InputError, match=f"^{stem}"):
            LucidSonicDream(**({"song": music.song, "style": "aurora"} | {stem: value}))
    with pytest.raises(InputError, match=f"^{stem}: .* is an address. Download the file first"):
        address = "https://example.org/a.mp3"
        LucidSonicDream(**({"song": music.song, "style": "aurora"} | {stem: address}))
    with pytest.raises(InputError, match="^song"):
        LucidSonicDream(None)


def test_a_song_that_goes_away_is_named(music, tmp_path):
    path = tmp_path / "song.wav"
    audio.save(path, tone(), SR)
    dream = made(path, pulse_audio=music.drums)
    path.unlink()
    for compat in (None, "0.4"):
        with pytest.raises(InputError, match=r"song\.wav"):
            dream.frames(compat=compat)


@pytest.mark.parametrize("compat", [None, "0.4"])
def test_silence_and_songs_shorter_than_a_frame_are_refused(music, tmp_path, compat):
    for song, message in (
        (music.hush, "song is silent: from 0 s on its largest sample is 0"),
        (music.brief, "song lasts"),
    ):
        with pytest.raises(InputError, match=message):
            made(song).hallucinate(tmp_path / "a", compat=compat)
    with pytest.raises(InputError, match="song|duration"):
        made(music.song).hallucinate(tmp_path / "a", duration=0.005, compat=compat)
    assert not list(tmp_path.iterdir())


def test_silence_with_a_stem_is_possible(music):
    assert len(painted(made(music.hush, pulse_audio=music.drums))) == 43


def test_a_song_cut_short_is_refused(music, tmp_path):
    audio.save(tmp_path / "song.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 99_999), SR)
    whole = (tmp_path / "song.flac").read_bytes()
    (tmp_path / "song.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="song"):
        made(tmp_path / "song.flac").hallucinate(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["song.flac"]


def test_styles_that_do_not_fit_are_refused(music):
    two = {"input_shape": 64, "num_possible_classes": 12}
    for style, sizes, name in (
        (lambda noise: noise, two, "class_batch"),
        (lambda class_batch: class_batch, two, "noise_batch"),
        (lambda: 0, two, "style"),
        (chart, {"num_possible_classes": 12}, "input_shape"),
        (chart, {"input_shape": 64}, "num_possible_classes"),
        (chart, two | {"input_shape": 0}, "input_shape"),
        (chart, two | {"input_shape": -3}, "input_shape"),
        (chart, two | {"input_shape": 1.5}, "input_shape"),
        (chart, two | {"input_shape": "64"}, "input_shape"),
        (chart, two | {"input_shape": True}, "input_shape"),
        (chart, two | {"num_possible_classes": -1}, "num_possible_classes"),
        (chart, two | {"num_possible_classes": 2.5}, "num_possible_classes"),
    ):
        with pytest.raises(InputError, match=name):
            LucidSonicDream(music.song, style=style, **sizes)
    for style in ("no such style", "none.pkl", "", 5, None):
        with pytest.raises(InputError, match="^style"):
            LucidSonicDream(music.song, style=style)
    for style in ("aurora", "drawings"):
        for name, size in (("input_shape", 65), ("num_possible_classes", 3)):
            with pytest.raises(InputError, match=f"{name} is {size}"):
                LucidSonicDream(music.song, style=style, **{name: size})


def test_built_in_names_may_have_capitals_and_spaces(music):
    for name in ("Aurora", "aurora ", " AURORA"):
        dream = LucidSonicDream(music.song, style=name)
        assert next(dream.frames(width=32, height=16)).shape == (16, 32, 3)
        assert styles.is_painted(name) and styles.open_style(name).input_shape == 64
    with pytest.raises(InputError, match="input_shape is 65"):
        LucidSonicDream(music.song, style="Drawings", input_shape=65)


@pytest.mark.parametrize(
    ("name", "near"),
    [("drawing", "drawings"), ("Kaleidoscop", "kaleidoscope"), ("aurorra ", "aurora"),
     ("FFQH", "ffhq"), ("wikiartt", None)],
)  # fmt: skip
def test_misspelt_styles_are_told_with_the_nearest_that_can_be_had(music, name, near):
    with pytest.raises(InputError) as caught:
        LucidSonicDream(music.song, style=name)
    said = str(caught.value)
    assert (f"Did you mean {near}?" in said) if near else ("Did you mean" not in said)
    assert said.index("Built-in styles are drawings, cppn") < said.index("ffhq, ")


def test_only_pkl_files_are_read_as_styles(music, tmp_path):
    for style, said in (
        (music.song, "only such files are read"),
        (tmp_path, "is a folder. Give the path of a .pkl file"),
        (tmp_path / "none.pkl", "there is no file .*none.pkl. Check the name"),
        (tmp_path / "none.mp3", "there is no file .*none.mp3, and only .pkl files"),
        ("https://example.org/a.pkl", "is an address. Download the file"),
    ):
        with pytest.raises(InputError, match=f"^style: .*{said}"):
            LucidSonicDream(music.song, style=style)


def test_how_a_function_has_to_look_is_said(music):
    for style, said in (
        (lambda noise, classes: noise, "have to be named noise_batch and class_batch"),
        (chart, r"give it as an argument, or .* style\.input_shape = 64"),
    ):
        with pytest.raises(InputError, match=said):
            LucidSonicDream(music.song, style=style)
    with pytest.raises(InputError, match="func is 'swirl': give a function of array, strength"):
        EffectsGenerator("swirl")
    with pytest.raises(InputError, match="have to be named array, strength and amplitude"):
        EffectsGenerator(lambda picture, strength, amplitude: picture)


def test_public_names_are_listed():
    assert set(visuals.__all__) <= set(dir(visuals))
    assert len(dir(visuals)) == len(set(dir(visuals)))


def test_the_published_default_and_its_like_are_refused_with_what_there_is(music):
    for given in ({}, {"style": "abstract photos"}, {"style": "aurorra"}):
        with pytest.raises(InputError, match="^style: .*drawings, cppn, aurora, kaleidoscope"):
            LucidSonicDream(music.song, **given)


def test_styles_are_checked_without_loading_them(music, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "0")
    (tmp_path / "own.pkl").write_text("This is no network.")
    dream = LucidSonicDream(music.song, style=tmp_path / "own.pkl")
    with pytest.raises(InputError, match=r"own\.pkl is no pickle"):
        dream.frames()
    LucidSonicDream(music.song, style="cifar10")
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    with pytest.raises(InputError, match="^style: .*AUDIOSTYLE_OFFLINE"):
        LucidSonicDream(music.song, style="cifar10")


def test_the_sizes_of_built_in_styles_are_what_is_checked(music):
    for name in styles.BUILT_IN:
        opened = styles.open_style(name)
        sizes = opened.input_shape, opened.num_possible_classes
        styles.check_style(name, *sizes)
        styles.open_style(name, *sizes)
    for size in (0, 15, 5000, 64.5, True, "64"):
        for name in ("width", "height"):
            with pytest.raises(InputError, match=f"{name} is"):
                styles.open_style("aurora", **{name: size})


def test_a_network_is_loaded_once_whatever_the_size(music):
    drawn = LucidSonicDream(music.song, style="drawings")
    for size in ({}, {"resolution": 32}, {"width": 48}):
        drawn.latent_path(duration=0.1, **size)
        drawn.first = getattr(drawn, "first", drawn._style(None, None))
        assert drawn._style(7, 9) is drawn.first
    small = LucidSonicDream(music.song, style="aurora")
    assert small._style(32, 32) is small._style(32, 32)
    assert painted(small, duration=0.03, width=40).shape[1:3] == (40, 40)
    assert painted(small, duration=0.03, width=20, height=30).shape[1:3] == (30, 20)


def test_few_measurements_are_kept_and_the_newest_of_them(music):
    dream = made(music.song)
    for part in range(12):
        dream.latent_path(start=part / 10, duration=0.2)
        dream.latent_path(duration=0.3)
    kept = list(dream._loudness)
    assert len(kept) == 8 and kept[-1][-2:] == (0, 0.3)
    assert [start for *_, start, _ in kept[:-1]] == [part / 10 for part in range(5, 12)]


def untouched(noise_batch, class_batch):
    raise AssertionError("The style was asked.")


def test_what_is_known_beforehand_is_refused_beforehand(music, tmp_path):
    dream = made(music.song, untouched)
    (tmp_path / "b_frames").mkdir()
    (tmp_path / "b_frames" / "notes.txt").write_text("mine")
    for name, parameters, said in (
        (tmp_path / "none" / "a.mp4", {}, "There is no folder"),
        (tmp_path / "a.webm", {"codec": "h264"}, "codec is 'h264'"),
        (tmp_path / "a.mp4", {"codec": "av1"}, "codec is 'av1'"),
        (tmp_path / "a.mp4", {"quality": 101}, "quality is 101"),
        (tmp_path / "a.mp4", {"output_audio": "none.wav"}, "^output_audio"),
        (tmp_path / "a.mp4", {"output_audio": music.short, "start": 1}, "^output_audio"),
        (tmp_path / "b.mp4", {"save_frames": True}, "save_frames: .*notes.txt"),
    ):
        with pytest.raises(InputError, match=said):
            dream.hallucinate(name, **parameters)
    assert not dream._loudness and not dream._styles
    assert (tmp_path / "b_frames" / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["b_frames"]


@pytest.mark.parametrize("name", ["contrast", "flash"])
def test_a_recording_of_a_built_in_effect_is_named(music, tmp_path, name):
    path = tmp_path / "stem.wav"
    audio.save(path, tone(440, 0.3), SR)
    dream = made(music.song, **{f"{name}_audio": path})
    with pytest.raises(InputError, match=f"^{name}_audio: .*nothing left after start"):
        dream.frames(start=1)
    path.unlink()
    with pytest.raises(InputError, match=f"^{name}_audio: there is no file"):
        dream.frames()


def test_published_rates_go_up_to_114(music):
    for fps in (115, 118, 120):
        with pytest.raises(InputError, match=f"fps is {fps}: with compat '0.4'.* at most 114"):
            made(music.song).frames(fps=fps, compat="0.4")
    path = made(music.song).latent_path(fps=114, compat="0.4")
    assert 114 <= path.timeline.fps <= 120


@pytest.mark.parametrize("channels", [5, 7, 10])
def test_sound_of_any_number_of_channels_is_heard(music, tmp_path, channels):
    y = np.stack([tone(200 * (k + 1), 1, 0.5, SR) for k in range(channels)])
    audio.save(tmp_path / "wide.wav", y, SR)
    path = made(music.song).hallucinate(tmp_path / "a", output_audio=tmp_path / "wide.wav")
    heard, sr = audio.load(path, None, mono=False)
    spectrum = np.abs(np.fft.rfft(heard[:, :sr]))
    assert len(heard) == 2 and np.abs(heard).max() < 1
    for row, own, other in ((0, 200, 400), (1, 400, 200)):
        assert spectrum[row].argmax() == own
        assert spectrum[row, 600] > 5 * spectrum[row, other] > 0


def test_labels_are_ignored_by_a_style_without_classes(music):
    def style(noise_batch, class_batch):
        assert class_batch.shape[1] == 0
        return np.zeros((len(noise_batch), 16, 16, 3), np.uint8)

    dream = made(music.song, style, num_possible_classes=0)
    for compat in (None, "0.4"):
        for classes in ([1, 5], (3,), range(40), np.array([1, 5]), np.arange(40)):
            assert len(painted(dream, classes=classes, duration=0.1, compat=compat)) in (4, 5)
        for classes in ("abc", 5, {1, 2}, np.array(3)):
            with pytest.raises(InputError, match="classes"):
                dream.frames(classes=classes, compat=compat)
    with_classes = made(music.song)
    np.testing.assert_array_equal(
        painted(with_classes, classes=np.array([3, 5]), duration=0.1),
        painted(with_classes, classes=[3, 5], duration=0.1),
    )


def raising(noise_batch, class_batch):
    raise KeyError("no weights")


def growing(noise_batch, class_batch, seen=[]):  # noqa: B006
    seen.append(1)
    return np.zeros((len(noise_batch), 16 + len(seen), 16, 3), np.uint8)


FAULTY_STYLES = {
    "raises": raising,
    "nothing": lambda noise_batch, class_batch: None,
    "a number": lambda noise_batch, class_batch: 5,
    "an empty list": lambda noise_batch, class_batch: [],
    "one too many": lambda noise_batch, class_batch: np.zeros(
        (len(noise_batch) + 1, 8, 8, 3), "u1"
    ),
    "floats": lambda noise_batch, class_batch: np.zeros((len(noise_batch), 8, 8, 3)),
    "grey": lambda noise_batch, class_batch: np.zeros((len(noise_batch), 8, 8), "u1"),
    "four channels": lambda noise_batch, class_batch: np.zeros((len(noise_batch), 8, 8, 4), "u1"),
    "no pixels": lambda noise_batch, class_batch: np.zeros((len(noise_batch), 0, 8, 3), "u1"),
    "two sizes": lambda noise_batch, class_batch: [
        np.zeros((8 + i, 8, 3), "u1") for i in range(len(noise_batch))
    ],
    "text": lambda noise_batch, class_batch: ["a"] * len(noise_batch),
    "growing": growing,
}


@pytest.mark.parametrize("fault", FAULTY_STYLES)
def test_what_a_style_does_wrong_is_said(music, tmp_path, fault):
    dream = made(music.song, FAULTY_STYLES[fault])
    with pytest.raises(InputError, match="style|Frame 1 has shape") as caught:
        dream.hallucinate(tmp_path / "a", duration=0.2, batch_size=1 if fault == "growing" else 2)
    if fault == "raises":
        assert "KeyError" in str(caught.value) and isinstance(caught.value.__cause__, KeyError)
    assert not list(tmp_path.iterdir())


def test_pictures_of_pillow_in_any_mode_are_taken(music):
    for mode in ("RGB", "L", "RGBA", "P"):

        def style(noise_batch, class_batch, mode=mode):
            return [Image.new(mode, (16, 8), 100 if mode in "LP" else (100,) * len(mode))
                    for _ in noise_batch]  # fmt: skip

        assert painted(made(music.song, style), duration=0.1).shape == (4, 8, 16, 3)


def test_a_run_that_is_interrupted_leaves_nothing(music, tmp_path):
    painted_so_far = []

    def style(noise_batch, class_batch):
        painted_so_far.append(1)
        if len(painted_so_far) == 20:
            raise KeyboardInterrupt
        return chart(noise_batch, class_batch)

    before = tmp_path / "a.mp4"
    before.write_bytes(b"an older video")
    with pytest.raises(KeyboardInterrupt):
        made(music.song, style).hallucinate(before)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert before.read_bytes() == b"an older video"


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_no_half_filled_folder_of_frames_is_left(music, tmp_path, older, error):
    painted_so_far = []

    def style(noise_batch, class_batch):
        painted_so_far.append(1)
        if len(painted_so_far) == 20:
            raise error
        return chart(noise_batch, class_batch)

    if older:
        made(music.song).hallucinate(tmp_path / "a", duration=0.1, save_frames=True)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises((KeyboardInterrupt, InputError)):
        made(music.song, style).hallucinate(tmp_path / "a", save_frames=True)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before and len(before) == (5 if older else 0)
    assert len(list(tmp_path.iterdir())) == (2 if older else 0)


@pytest.mark.parametrize("changed", [None, 5, np.zeros((32, 32, 3)), np.zeros((16, 32, 3), "u1"),
                                     np.zeros((32, 32), "u1"), ZeroDivisionError])  # fmt: skip
def test_what_an_effect_does_wrong_is_said(music, tmp_path, changed):
    def wave(array, strength, amplitude):
        if changed is ZeroDivisionError:
            return 1 // 0
        return changed

    with pytest.raises(InputError, match=r"custom_effects: EffectsGenerator\(wave"):
        made(music.song).hallucinate(tmp_path / "a", custom_effects=[EffectsGenerator(wave)])
    assert not list(tmp_path.iterdir())


def test_effects_that_do_not_fit_are_refused(music, tmp_path):
    def good(array, strength, amplitude):
        return array

    for func, name in (
        (5, "func"),
        (None, "func"),
        (lambda array: array, "strength"),
        (lambda array, strength: array, "amplitude"),
        (lambda picture, strength, amplitude: picture, "array"),
    ):
        with pytest.raises(InputError, match=name):
            EffectsGenerator(func)
    for strength in (-1, NAN, INF, "a", None, True):
        with pytest.raises(InputError, match="strength"):
            EffectsGenerator(good, strength=strength)
    for percussive in (1, "yes", None):
        with pytest.raises(InputError, match="percussive"):
            EffectsGenerator(good, percussive=percussive)
    with pytest.raises(InputError, match="audio"):
        EffectsGenerator(good, audio=5)
    assert EffectsGenerator(good, strength=np.float32(0.25)).strength == 0.25
    for name in ("none.wav", "text.wav"):
        effect = EffectsGenerator(good, audio=music.folder / name)
        with pytest.raises(InputError, match=f"custom_effects.*{name}"):
            made(music.song).hallucinate(tmp_path / "a", custom_effects=[effect])
    assert not list(tmp_path.iterdir())


def test_an_effect_that_is_called_by_hand_too_soon_says_so(music):
    picture = np.zeros((4, 4, 3), np.uint8)
    effect = EffectsGenerator(effects.flash_effect, music.short)
    with pytest.raises(InputError, match="render_audio"):
        effect.apply_effect(picture, 0)
    effect.render_audio()
    with pytest.raises(InputError, match="index"):
        effect.apply_effect(picture, 9999)
    with pytest.raises(InputError, match="hop_length"):
        effect.render_audio(hop_length=0)
    with pytest.raises(InputError, match="audio"):
        EffectsGenerator(effects.flash_effect).render_audio()


def test_an_effect_may_change_the_picture_in_place(music):
    def dot(array, strength, amplitude):
        array[0, 0] = 255
        return array

    def style(noise_batch, class_batch):
        return [Image.new("RGB", (16, 16))] * len(noise_batch)

    chosen = [
        EffectsGenerator(dot),
        EffectsGenerator(effects.contrast_effect),
        EffectsGenerator(dot),
    ]
    frames = painted(made(music.song, style), custom_effects=chosen, batch_size=3)
    assert (frames[:, 0, 0] == 255).all()


def test_an_effect_cannot_change_what_the_style_keeps(music):
    still = np.full((1, 16, 16, 3), 9, np.uint8)

    def brighten(array, strength, amplitude):
        array += 1
        return array

    def style(noise_batch, class_batch):
        return still

    frames = painted(made(music.song, style), custom_effects=[EffectsGenerator(brighten)])
    assert (frames == 10).all() and (still == 9).all()


def test_names_that_cannot_be_written_are_refused(music, tmp_path):
    dream = made(music.song)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    for name, said in (
        (tmp_path / "none" / "a.mp4", "none"),
        (tmp_path / "file" / "a.mp4", "file"),
        (tmp_path / "folder.mp4", "folder.mp4 is a folder: give a name that ends"),
        (tmp_path, r"is a folder: give a name that ends in \.mp4, \.webm or \.mkv"),
        (tmp_path / "a.avi", r"a\.avi.*: give a name that ends in \.mp4, \.webm or \.mkv"),
        (tmp_path / "a.mp3", r"a\.mp3.*: give a name that ends in \.mp4, \.webm or \.mkv"),
        (tmp_path / "a.GIF", r"a\.GIF.*: give a name that ends in \.mp4"),
        ("", "file_name"),
        ("  ", "file_name"),
        (None, "file_name"),
        (5, "file_name"),
        ("a\0b", "file_name"),
    ):
        for save_frames in (False, True):
            with pytest.raises(InputError, match=said):
                dream.hallucinate(name, duration=0.1, save_frames=save_frames)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.mp4"]


def test_frames_that_cannot_be_kept_are_refused(music, tmp_path):
    (tmp_path / "a_frames").write_text("not a folder")
    with pytest.raises(InputError, match="save_frames"):
        made(music.song).hallucinate(tmp_path / "a", duration=0.1, save_frames=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a_frames"]


def test_sound_that_ends_before_the_start_is_named(music, tmp_path):
    with pytest.raises(InputError, match="output_audio"):
        made(music.song).hallucinate(tmp_path / "a", output_audio=music.short, start=1)
    assert not list(tmp_path.iterdir())


def test_a_published_rate_beyond_what_videos_have_is_refused(music, tmp_path):
    with pytest.raises(InputError, match="fps"):  # 118 becomes 172
        made(music.song).hallucinate(tmp_path / "a", fps=118, compat="0.4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("save_frames", [False, True])
def test_a_full_disk_is_said(music, tmp_path, save_frames):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        with pytest.raises(InputError, match="a.mp4 cannot be written|save_frames"):
            made(music.song).hallucinate(tmp_path / "a", resolution=256, save_frames=save_frames)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.glob("*.mp4")) and not list(tmp_path.glob(".*"))


# Styles and effects alone


def test_a_function_may_tell_its_own_sizes(music):
    class Lamp:
        input_shape, num_possible_classes = 5, 3

        def __call__(self, noise_batch, class_batch):
            assert (noise_batch.shape[1], class_batch.shape[1]) == (5, 3)
            return np.zeros((len(noise_batch), 8, 8, 3), np.uint8)

    style = styles.open_style(Lamp())
    assert (style.input_shape, style.num_possible_classes) == (5, 3)
    assert len(painted(LucidSonicDream(music.song, style=Lamp()))) == 86


def test_built_in_styles_paint_at_the_size_that_is_asked_for():
    for name in set(styles.BUILT_IN) - {"drawings"}:
        style = styles.open_style(name, width=48, height=32)
        noise = np.zeros((2, style.input_shape), np.float32)
        weights = np.eye(style.num_possible_classes, dtype=np.float32)[:2]
        assert style.paint(noise, weights, 1.0).shape == (2, 32, 48, 3)
        assert styles.open_style(name).paint(noise, weights, 1.0).shape == (2, 256, 256, 3)


def test_keywords_are_found_in_any_callable():
    class Painter:
        def __call__(self, noise_batch):
            return noise_batch

    for func, found in (
        (lambda noise_batch: 0, True),
        (lambda *, noise_batch=None: 0, True),
        (lambda **parameters: 0, True),
        (Painter(), True),
        (lambda noise_batch, /: 0, False),
        (lambda *noise_batch: 0, False),
        (lambda noise: 0, False),
        (5, False),
    ):
        assert effects.takes(func, "noise_batch") is found


# The source's examples, as printed but for the names of files


def test_the_example_of_a_function_of_a_thousand_classes(music, tmp_path):
    directions = np.random.default_rng(0).normal(size=(128, 12)).astype("f4")

    def biggan(noise_batch, class_batch):
        assert noise_batch.shape[1] == 128 and class_batch.shape[1] == 1000
        tints = np.tanh(noise_batch @ directions).reshape(-1, 2, 2, 3)
        return [Image.fromarray(np.uint8(127 + 127 * tint)).resize((32, 32)) for tint in tints]

    L = LucidSonicDream(
        song=str(music.song), style=biggan, input_shape=128, num_possible_classes=1000
    )
    L.hallucinate(file_name=str(tmp_path / "song.mp4"), speed_fpm=3, classes=[1, 5, 9, 16, 23, 50,
                  68, 71, 89, 97, 999, 0], class_shuffle_seconds=10, class_shuffle_strength=0.1,
                  class_complexity=0.5, class_smooth_seconds=4, motion_react=0.35,
                  flash_strength=1, contrast_strength=1)  # fmt: skip
    assert video.probe(tmp_path / "song.mp4").frames == 86


def test_the_example_of_three_stems(music, tmp_path):
    L = LucidSonicDream(
        song=str(music.song),
        pulse_audio=str(music.drums),
        motion_audio=str(music.low),
        class_audio=str(music.notes),
        style="kaleidoscope",
    )
    L.hallucinate(file_name=str(tmp_path / "song.mp4"), pulse_react=1.2, motion_react=0.7,
                  contrast_strength=0.5, flash_strength=0.5, resolution=64,
                  classes=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
                  class_shuffle_seconds=8, class_smooth_seconds=4)  # fmt: skip
    info = video.probe(tmp_path / "song.mp4")
    assert (info.frames, info.width, info.height) == (86, 64, 64)


def test_the_example_of_one_picture_that_only_reacts(music, tmp_path):
    L = made(str(music.song))
    L.hallucinate(file_name=str(tmp_path / "song.mp4"), speed_fpm=0, motion_react=0.8,
                  contrast_strength=0.5, flash_strength=0.7)  # fmt: skip
    assert video.probe(tmp_path / "song.mp4").frames == 86


def test_the_example_of_a_swirl(music, tmp_path):
    from scipy.ndimage import map_coordinates

    def swirl_func(array, strength, amplitude):
        y, x = np.mgrid[:32, :32] - 15.5
        angle = np.arctan2(y, x) + strength * amplitude * np.exp(-np.hypot(x, y) / 8)
        places = 15.5 + np.hypot(x, y) * np.stack([np.sin(angle), np.cos(angle)])
        planes = [map_coordinates(array[..., k], places, order=1, mode="nearest") for k in range(3)]
        return np.stack(planes, axis=-1)

    swirl_effect = EffectsGenerator(swirl_func, audio=str(music.song), strength=5, percussive=False)
    L = made(str(music.song))
    moved = grown(L, lambda frame: frame[12:20, 12:20, 0].astype(float).std(),
                  custom_effects=[swirl_effect])  # fmt: skip
    assert np.abs(moved[10:13]).max() > 1
    L.hallucinate(file_name=str(tmp_path / "song.mp4"), custom_effects=[swirl_effect])
    assert video.probe(tmp_path / "song.mp4").frames == 86


def test_the_example_of_a_published_style_asks_for_the_network_only_to_render(
    music, tmp_path, monkeypatch
):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path))
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "0")
    assert LucidSonicDream(song=str(music.song), style="metfaces").style == "metfaces"
    assert not list(tmp_path.iterdir())


def test_a_scale_changes_the_classes_of_the_picture(tmp_path):
    audio.save(tmp_path / "scale.wav", scale(0.5), SR)
    shown = weights(made(tmp_path / "scale.wav"), class_smooth_seconds=0.4).argmax(axis=1)
    middles = ((np.arange(12) + 0.5) * 0.5 * FPS).astype(int)
    assert (shown[middles] == np.arange(12)).mean() >= 0.9
