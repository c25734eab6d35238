"""The drawings: the same each time, at any size, and each kind unlike the others."""

import numpy as np
import pytest

from audiostyle_utils.errors import InputError
from audiostyle_utils.visuals.drawings import (
    DRAWINGS,
    LATENTS,
    draw,
    draw_latent,
    draw_many,
    latents,
)

SIZE = 32
MANY, LABELS = draw_many(12 * 20, SIZE, seed=3)


def test_there_is_one_kind_for_each_pitch_class():
    assert len(DRAWINGS) == len(set(DRAWINGS)) == 12


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_drawing_follows_from_its_generator(kind):
    one, again = (draw(kind, SIZE, np.random.default_rng(5)) for _ in range(2))
    other = draw(kind, SIZE, np.random.default_rng(6))
    assert one.shape == (SIZE, SIZE, 3) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, again)
    assert np.abs(one.astype(float) - other).mean() > 3  # of 255


def test_a_kind_may_be_given_by_name_or_place():
    for place, name in enumerate(DRAWINGS):
        by_name = draw(name, 8, np.random.default_rng(1))
        np.testing.assert_array_equal(by_name, draw(place, 8, np.random.default_rng(1)))
        np.testing.assert_array_equal(by_name, draw(np.int64(place), 8, np.random.default_rng(1)))


@pytest.mark.parametrize("kind", DRAWINGS)
def test_the_size_changes_the_sharpness_and_not_the_drawing(kind):
    large = draw(kind, 128, np.random.default_rng(2)).astype(float)
    small = draw(kind, 32, np.random.default_rng(2))
    shrunk = large.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    other = draw(kind, 32, np.random.default_rng(3))
    error = np.abs(shrunk - small).mean()
    assert error < 10
    assert error < 0.4 * np.abs(shrunk - other).mean()


def test_many_are_drawn_in_turn_and_a_longer_row_begins_like_a_shorter_one():
    np.testing.assert_array_equal(LABELS, np.arange(240) % 12)
    assert LABELS.dtype == np.int64
    images, labels = draw_many(15, SIZE, seed=3)
    np.testing.assert_array_equal(images, MANY[:15])
    np.testing.assert_array_equal(labels, LABELS[:15])
    assert (draw_many(15, SIZE, seed=4)[0] != images).any(axis=(1, 2, 3)).all()


def test_each_of_many_belongs_to_its_latent_vector():
    vectors = latents(30, seed=3)
    assert vectors.shape == (30, LATENTS)
    np.testing.assert_array_equal(vectors[:7], latents(7, seed=3))
    for i in range(30):
        np.testing.assert_array_equal(draw_latent(i % 12, SIZE, vectors[i]), MANY[i])
    assert abs(vectors.mean()) < 0.1 and abs(vectors.std() - 1) < 0.1


@pytest.mark.parametrize("kind", DRAWINGS)
def test_only_the_direction_of_a_latent_vector_matters_and_near_ones_draw_alike(kind):
    z, other = np.random.default_rng(8).standard_normal((2, LATENTS))
    image = draw_latent(kind, 64, z).astype(float)
    np.testing.assert_array_equal(draw_latent(kind, 64, 3 * z), image)
    near = np.abs(draw_latent(kind, 64, z + 0.003 * other) - image).mean()
    far = np.abs(draw_latent(kind, 64, other) - image).mean()
    assert 0 < near < 0.1 * far


@pytest.mark.parametrize(
    "z", [np.zeros(LATENTS - 1), np.zeros((1, LATENTS)), np.full(LATENTS, np.nan)]
)
def test_a_latent_vector_of_another_kind_is_refused(z):
    with pytest.raises(InputError, match="z has shape"):
        draw_latent(0, SIZE, z)


@pytest.mark.parametrize("place", range(12))
def test_drawings_are_vivid_and_have_dark_parts(place):
    images = MANY[place == LABELS].astype(float)
    saturation = (images.max(-1) - images.min(-1)).mean()
    assert saturation > 40
    assert np.percentile(images.max(-1), 2) < 80
    assert np.percentile(images.max(-1), 98) > 170


def test_kinds_are_told_apart_by_colour_and_by_shape():
    # The nearest mean of the class, from one half of the drawings, recognises the other half.
    assert _share_recognised(_colours(MANY)) > 0.8
    grey = MANY.mean(-1).reshape(len(MANY), -1)
    spectra = np.log1p(np.abs(np.fft.fft2(grey.reshape(-1, SIZE, SIZE)))).reshape(len(MANY), -1)
    assert _share_recognised(spectra) > 0.6


def _colours(images: np.ndarray) -> np.ndarray:
    """Return the share of pixels in each of 4 x 4 x 4 boxes of colour."""
    boxes = (images // 64).reshape(len(images), -1, 3) @ np.array([16, 4, 1])
    return np.stack([np.bincount(row, minlength=64) for row in boxes]) ** 0.5


def _share_recognised(features: np.ndarray) -> float:
    half = len(features) // 2
    means = np.stack([features[:half][LABELS[:half] == k].mean(0) for k in range(12)])
    distances = ((features[half:, None] - means) ** 2).sum(-1)
    return (distances.argmin(1) == LABELS[half:]).mean()


@pytest.mark.parametrize("kind", ["cats", 12, -1, True, 1.0, None])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(InputError, match="kind is"):
        draw(kind, SIZE, np.random.default_rng(0))


@pytest.mark.parametrize("size", [3, 2049, 16.0, "16", True])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(InputError, match="size is"):
        draw(0, size, np.random.default_rng(0))
    with pytest.raises(InputError, match="size is"):
        draw_many(2, size, 0)


def test_other_wrong_input_is_refused():
    with pytest.raises(InputError, match="rng is 7"):
        draw(0, SIZE, 7)
    with pytest.raises(InputError, match="n is 0"):
        draw_many(0, SIZE, 0)
    with pytest.raises(InputError, match="seed is -1"):
        draw_many(2, SIZE, -1)
