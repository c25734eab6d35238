import subprocess
import sys

import numpy as np
import pytest

from audiostyle_utils import InputError
from audiostyle_utils.visuals.procedural import make_aurora, make_cppn, make_kaleidoscope

MAKERS = [make_cppn, make_aurora, make_kaleidoscope]
SIDE = 96
on_every_style = pytest.mark.parametrize("style", [make(SIDE, SIDE) for make in MAKERS])


def latents(count, size=64, seed=0):
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


def weights(count, seed=0):
    return np.random.default_rng(seed).random((count, 12)).astype(np.float32)


def change(a, b):
    return np.abs(a.astype(float) - b).mean()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("width", "height"), [(16, 16), (17, 33), (63, 65), (101, 64), (16, 300), (256, 144)]
)
def test_pictures_have_the_size_that_was_asked_for(make, width, height):
    style = make(width, height)
    pictures = style(latents(2), weights(2))
    assert pictures.shape == (2, height, width, 3) and pictures.dtype == np.uint8
    assert (style.width, style.height) == (width, height)
    assert (style.input_shape, style.num_possible_classes) == (64, 12)
    assert pictures.std() > 20


@pytest.mark.parametrize("make", MAKERS)
def test_the_largest_picture_can_be_drawn(make):
    assert make(2048, 2048)(latents(1), weights(1)).shape == (1, 2048, 2048, 3)


@pytest.mark.parametrize("make", MAKERS)
def test_a_picture_is_the_same_at_any_resolution(make):
    z, w = latents(3), np.eye(12, dtype=np.float32)[:3]
    large = make(256, 256)(z, w).astype(float).reshape(3, 64, 4, 64, 4, 3).mean((2, 4))
    small = make(64, 64)(z, w)
    assert change(small, large) < 0.25 * change(small, np.roll(large, 1, axis=0))


@on_every_style
def test_the_same_input_gives_the_same_picture_in_any_batch(style):
    z, w = latents(5), weights(5)
    together = style(z, w)
    for index in range(5):
        assert (style(z[index : index + 1], w[index : index + 1])[0] == together[index]).all()
    backwards = style(z[::-1], w[::-1])
    assert (backwards[::-1] == together).all()


@pytest.mark.parametrize("make", MAKERS)
def test_the_seed_decides(make):
    z, w = latents(1), weights(1)
    first = make(64, 64, seed=3)(z, w)
    assert (make(64, 64, seed=3)(z, w) == first).all()
    assert change(make(64, 64, seed=4)(z, w), first) > 20


@on_every_style
def test_small_steps_change_the_picture_in_proportion(style):
    z, w = latents(24), weights(24)
    start = style(z, w)
    direction = latents(24, seed=1)
    steps = np.array([0.02, 0.05, 0.1, 0.2, 0.3])
    changes = np.array([change(style(z + np.float32(s) * direction, w), start) for s in steps])
    ratios = changes / steps
    assert ratios.max() < 1.5 * ratios.min()
    assert 10 < changes[-1] < 60


@on_every_style
def test_every_coordinate_matters(style):
    z, w = latents(1), weights(1)
    start = style(z, w)[0]
    moved = z + np.eye(64, dtype=np.float32)
    changes = [change(picture, start) for picture in style(moved, np.repeat(w, 64, axis=0))]
    assert min(changes) > 0.2 * np.median(changes) > 0.5


@on_every_style
def test_the_classes_look_different_and_blend_smoothly(style):
    eye = np.eye(12, dtype=np.float32)
    z = np.repeat(latents(1), 12, axis=0)
    pure = style(z, eye)
    pairs = [change(pure[a], pure[b]) for a in range(12) for b in range(a)]
    assert min(pairs) > 20
    way = np.linspace(0, 1, 41, dtype=np.float32)[:, None]
    blended = style(np.repeat(z[:1], 41, axis=0), (1 - way) * eye[2] + way * eye[7])
    steps = [change(a, b) for a, b in zip(blended, blended[1:], strict=False)]
    assert max(steps) < 0.25 * change(pure[2], pure[7])
    assert (blended[0] == pure[2]).all() and (blended[-1] == pure[7]).all()


@on_every_style
def test_ratios_of_the_weights_count_and_silence_has_a_look(style):
    z, w = latents(1), weights(1)
    assert change(style(z, w), style(z, 3 * w)) < 3
    silent = style(z, 0 * w)
    assert silent.std() > 20
    # The look without a class is where ever fainter classes lead to.
    assert change(style(z, 1e-6 * w), silent) < 1


@on_every_style
def test_pictures_are_colourful_for_every_mixture(style):
    z = latents(12)
    for w in (np.eye(12), np.ones((12, 12)), weights(12), np.zeros((12, 12))):
        pictures = style(z, w.astype(np.float32)).astype(float)
        colour = (pictures.max(-1) - pictures.min(-1)).mean((1, 2))
        assert colour.min() > 40
        assert (pictures.std((1, 2, 3)) > 30).all()


def test_neighbouring_pixels_differ_little():
    # Steps in the palette would show as bands.
    style = make_aurora(512, 512)
    picture = style(latents(1), np.eye(12, dtype=np.float32)[:1])[0].astype(int)
    assert np.percentile(np.abs(np.diff(picture, axis=1)), 90) < 20
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20_000


def test_the_kaleidoscope_has_mirrors():
    style = make_kaleidoscope(128, 128)
    for index in range(12):
        tone, relief = style._fields(latents(1)[0], np.eye(13, dtype=np.float32)[index])
        for field in (tone, relief):
            np.testing.assert_allclose(field, field[::-1], atol=0.02 * np.ptp(field))


@pytest.mark.parametrize("make", MAKERS)
def test_a_latent_may_have_another_size(make):
    style = make(32, 32, input_shape=512)
    assert style(latents(2, 512), weights(2)).shape == (2, 32, 32, 3)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": 15}, "width is 15: give a whole number from 16 to 2048"),
        ({"height": 2049}, "height is 2049"),
        ({"height": 64.0}, "height is 64.0"),
        ({"input_shape": 0}, "input_shape is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
    ],
)
def test_what_is_wrong_with_a_size_is_named(make, given, message):
    with pytest.raises(InputError, match=message):
        make(**{"width": 64, "height": 64, **given})


@on_every_style
@pytest.mark.parametrize(
    ("z", "w", "message"),
    [
        (np.zeros((1, 63)), np.zeros((1, 12)), r"noise_batch has shape \(1, 63\)"),
        (np.zeros(64), np.zeros((1, 12)), r"noise_batch has shape \(64,\)"),
        (np.zeros((1, 64)), np.zeros((1, 11)), r"class_batch has shape \(1, 11\)"),
        (np.zeros((2, 64)), np.zeros((1, 12)), "noise_batch has 2 rows and class_batch 1"),
        (np.full((1, 64), np.nan), np.zeros((1, 12)), "noise_batch holds NaN"),
        (np.zeros((1, 64)), np.full((1, 12), np.inf), "class_batch holds NaN or infinite"),
        (np.zeros((1, 64)), np.full((1, 12), -1), "class_batch has a negative weight"),
        ([["a"] * 64], np.zeros((1, 12)), "noise_batch is no array of numbers"),
    ],
)
def test_what_is_wrong_with_a_batch_is_named(style, z, w, message):
    with pytest.raises(InputError, match=message):
        style(z, w)


def test_the_styles_and_the_video_load_no_framework():
    heavy = {"torch", "tensorflow", "librosa", "matplotlib", "av", "PIL"}
    code = (
        "import sys; from audiostyle_utils.visuals import clips, procedural, video; "
        f"print(*sorted({heavy!r} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout.split() == [], result.stderr
