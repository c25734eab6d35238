"""What chapter 1 defines: published formulas restated in NumPy, identities, and bad input."""

import numpy as np
import pytest

from audiostyle_utils import InputError, audio, load_chapter, metrics, spectra

SR = 22050


@pytest.fixture(scope="module")
def chapter():
    return load_chapter("01_style_transfer")


@pytest.fixture(scope="module")
def tf(chapter):
    return chapter.tf


@pytest.fixture(scope="module")
def clips():
    """Two seconds each: plucked notes, and a steady buzz with noise."""
    t = np.arange(2 * SR) / SR
    plucks = sum(
        np.where(t >= s, np.exp(-6 * (t - s)) * np.sin(2 * np.pi * f * (t - s)), 0)
        for s, f in ((0.0, 440), (0.5, 554), (1.0, 659), (1.5, 880))
    )
    noise = np.random.default_rng(1).standard_normal(t.size)
    buzz = np.sign(np.sin(2 * np.pi * 110 * t)) + 0.3 * noise
    return (0.3 * plucks).astype(np.float32), (0.1 * buzz).astype(np.float32)


@pytest.fixture(scope="module")
def frames(chapter, clips):
    return tuple(chapter.log_frames(y) for y in clips)


def random_frames(shape, seed):
    return np.random.default_rng(seed).gamma(0.5, 1.0, shape).astype(np.float32)


def patches(X, width=11):
    return np.stack([X[i : i + width].ravel() for i in range(len(X) - width + 1)])


def test_published_losses_are_the_published_formulas(chapter):
    """Restated with explicit patches at the source's 430 frames: relu(P W), F'F / 430."""
    X, content, style = (random_frames((430, 7), seed) for seed in range(3))
    filters = chapter.draw_filters(0, 32, bins=7)
    W = filters.numpy().reshape(-1, 32).astype(np.float64)
    F, F_content, F_style = (
        np.maximum(patches(Z.astype(np.float64)) @ W, 0) for Z in (X, content, style)
    )
    expected = (
        np.sum((F - F_content) ** 2),
        np.sum((F.T @ F / 430 - F_style.T @ F_style / 430) ** 2),
    )
    found = chapter.published_losses(content, style, filters)(X)
    np.testing.assert_allclose([float(loss) for loss in found], expected, rtol=1e-4)


def test_filters_have_the_published_spread_and_come_from_the_seed(chapter):
    filters = chapter.draw_filters(3, 64).numpy()
    assert filters.shape == (11, 1025, 64)
    assert filters.std() == pytest.approx(np.sqrt(2) * np.sqrt(2 / ((1025 + 64) * 11)), rel=0.01)
    np.testing.assert_array_equal(filters, chapter.draw_filters(3, 64).numpy())
    assert not np.array_equal(filters, chapter.draw_filters(4, 64).numpy())


@pytest.mark.parametrize("rows", [(30, 30), (30, 17)])
def test_three_terms_give_the_style_loss_and_its_gradient(chapter, tf, rows):
    F, H = (
        tf.constant(np.random.default_rng(n).gamma(0.5, 1.0, (n, 50))) for n in rows
    )  # double precision
    if rows[0] == rows[1]:
        H = H + 0.1
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(F)
        direct = tf.reduce_sum((chapter.gram(F) - chapter.gram(H)) ** 2)
        exact = chapter.exact_style_loss(F, H)
    assert float(exact) == pytest.approx(float(direct), rel=1e-6)
    scale = np.abs(tape.gradient(direct, F)).max()
    np.testing.assert_allclose(
        tape.gradient(exact, F), tape.gradient(direct, F), rtol=0, atol=1e-6 * scale
    )


def test_diagonal_sums_turn_frame_products_into_patch_products(chapter, tf):
    X, Y = random_frames((25, 6), 0), random_frames((18, 6), 1)
    found = chapter.diagonal_sums(tf.constant(X @ Y.T))
    np.testing.assert_allclose(found, patches(X) @ patches(Y).T, rtol=1e-5)


def test_the_kernel_is_cho_and_sauls_formula(chapter, tf):
    X, Y = random_frames((25, 6), 0), random_frames((18, 6), 1)
    P, Q = (patches(Z.astype(np.float64)) for Z in (X, Y))
    lengths = np.linalg.norm(P, axis=1)[:, None] * np.linalg.norm(Q, axis=1)[None]
    theta = np.arccos(P @ Q.T / lengths)
    spread = np.sqrt(2) * np.sqrt(2 / ((6 + 4096) * 11))
    J = np.sin(theta) + (np.pi - theta) * np.cos(theta)
    expected = 4096 * spread**2 / (2 * np.pi) * lengths * J
    np.testing.assert_allclose(chapter.kernel(tf.constant(X), tf.constant(Y)), expected, rtol=1e-4)


def test_the_kernel_is_the_mean_over_random_filters(chapter, tf):
    X = random_frames((16, 40), 2)
    F = chapter.features(tf.constant(X), chapter.draw_filters(5, 4096, bins=40)).numpy()
    K = chapter.kernel(tf.constant(X), tf.constant(X)).numpy()
    assert np.linalg.norm(F @ F.T - K) < 0.05 * np.linalg.norm(K)


def test_the_gradient_is_finite_where_patches_coincide_and_where_it_is_silent(chapter, tf):
    X = random_frames((30, 8), 0)
    X[10:25] = 0
    loss = chapter.with_gradient(chapter.weighted(chapter.closed_form_losses(X, X + 1)))
    value, gradient = loss(tf.constant(X))
    assert np.isfinite(float(value)) and np.isfinite(gradient.numpy()).all()


def test_the_slope_of_the_arc_cosine_kernel_is_its_derivative(chapter, tf):
    c = tf.constant([-0.9, -0.2, 0.0, 0.5, 0.999, 1.0], tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(c)
        J = tf.reduce_sum(chapter.arc_cosine(c))
    np.testing.assert_allclose(tape.gradient(J, c), np.pi - np.arccos(c.numpy()), rtol=1e-12)
    step = 1e-6
    rise = chapter.arc_cosine(c[:4] + step) - chapter.arc_cosine(c[:4] - step)
    np.testing.assert_allclose(rise / (2 * step), tape.gradient(J, c)[:4], rtol=1e-6)


def test_the_closed_form_stands_for_the_published_losses(chapter, frames):
    content, style = frames
    halfway = (content + style) / 2
    closed = np.array([float(x) for x in chapter.closed_form_losses(content, style)(halfway)])
    drawn = [
        [float(x) for x in chapter.published_losses(content, style, filters)(halfway)]
        for filters in (chapter.draw_filters(seed) for seed in range(6))
    ]
    np.testing.assert_allclose(np.mean(drawn, axis=0), closed, rtol=0.1)


def test_the_closed_form_is_zero_at_its_targets(chapter, tf, frames):
    content, style = frames
    losses = chapter.closed_form_losses(content, style)
    content_loss, style_loss = losses(tf.constant(content))
    assert abs(float(content_loss)) < 1e-4 * float(losses(tf.constant(style))[0])
    assert abs(float(losses(tf.constant(style))[1])) < 1e-6 * float(style_loss)


def test_style_forgets_the_order_of_events(chapter, tf, clips):
    """Two halves exchanged differ only in the patches at the seams."""
    _, style = clips
    y = np.concatenate([style, 0.2 * style])
    swapped = np.concatenate([0.2 * style, style])
    X, Z = chapter.log_frames(y), chapter.log_frames(swapped)
    losses = chapter.closed_form_losses(X, X)
    content_loss, style_loss = losses(tf.constant(Z))
    silent_content, silent_style = losses(tf.constant(np.zeros_like(Z)))
    assert float(style_loss) < 0.03 * float(silent_style)
    assert float(content_loss) > 0.2 * float(silent_content)


def test_differentiable_spectra_are_those_of_the_package(chapter, tf, clips):
    for y in clips:
        np.testing.assert_allclose(
            chapter.log_frames_tensor(tf.constant(y)), chapter.log_frames(y), atol=1e-3
        )


def test_minimise_finds_a_known_minimum(chapter, tf):
    target = random_frames((4, 5), 0)
    best, history = chapter.minimise(
        lambda x: tf.reduce_sum((x - target) ** 4 + (x - target) ** 2), np.zeros((4, 5)), 50
    )
    np.testing.assert_allclose(best, target, atol=1e-3)
    assert history[-1, 1] < 1e-5 and (np.diff(history[:, 0]) >= 0).all()


def test_a_transfer_moves_to_the_style_and_keeps_the_events(chapter, tf, clips, frames):
    content, style = clips
    y, sr = chapter.transfer_style((content, SR), (style, SR))
    assert sr == SR and y.shape == content.shape and np.isfinite(y).all()
    judge = chapter.published_losses(*frames, chapter.draw_filters(99))
    _, before = judge(frames[0])
    _, after = judge(chapter.log_frames(y))
    assert float(after) < 0.05 * float(before)
    kept, _ = chapter.transfer_style((content, SR), (style, SR), alpha=10.0)
    assert metrics.chroma_correlation(kept, content, SR) > 0.9


def test_more_alpha_keeps_more_content(chapter, clips, frames):
    content, style = clips
    judge = chapter.published_losses(*frames, chapter.draw_filters(99))
    low, high = (
        judge(chapter.log_frames(chapter.transfer_style((content, SR), (style, SR), alpha=a)[0]))
        for a in (0.01, 1.0)
    )
    assert float(high[0]) < float(low[0]) and float(high[1]) > float(low[1])


def test_a_transfer_repeats_itself(chapter, clips):
    content, style = ((y[: SR // 2], SR) for y in clips)
    first, _ = chapter.transfer_style(content, style, iterations=5)
    second, _ = chapter.transfer_style(content, style, iterations=5)
    np.testing.assert_array_equal(first, second)


def test_files_of_other_rates_lengths_and_channels_work(chapter, clips, tmp_path):
    content, style = clips
    audio.save(tmp_path / "content.wav", np.stack([content, 0.5 * content])[:, :SR], SR)
    audio.save(tmp_path / "style.ogg", style[: int(1.4 * SR)], 44100)
    y, sr = chapter.transfer_style(
        tmp_path / "content.wav", str(tmp_path / "style.ogg"), iterations=3
    )
    assert (len(y), sr) == (SR, SR)
    y, _ = chapter.transfer_style((content[::2], SR // 2), (style, SR), seconds=0.8, iterations=2)
    assert len(y) == pytest.approx(0.8 * SR, abs=2)


def test_digital_silence_within_the_content_can_be_filled(chapter, clips):
    content, style = clips[0].copy(), clips[1]
    content[SR // 2 : 3 * SR // 2] = 0
    y, _ = chapter.transfer_style((content, SR), (style, SR), alpha=1e-4)
    assert np.sqrt(np.mean(y[3 * SR // 4 : 5 * SR // 4] ** 2)) > 1e-3


def test_loud_results_stay_within_what_a_file_holds(chapter, clips):
    content, style = clips
    y, _ = chapter.transfer_style((content, SR), (style * 9, SR), iterations=5)
    assert np.abs(y).max() <= 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda ok: ("no_such_file.wav", ok), "no_such_file.wav"),
        (lambda ok: ((np.zeros(SR, np.float32), SR), ok), "content is silent"),
        (lambda ok: (ok, (np.zeros(SR, np.float32), SR)), "style is silent"),
        (lambda ok: ((np.full(SR, 0.3, np.float32), SR), ok), "content is silent"),
        (lambda ok: ((np.stack([ok[0], -ok[0]]), SR), ok), "channels cancel"),
        (lambda ok: (ok, (ok[0][:3000], SR)), "style lasts 0.14 s"),
        (lambda ok: ((np.full(SR, np.nan, np.float32), SR), ok), "content holds NaN"),
        (lambda ok: (ok[0], ok), "content"),
        (lambda ok: ((ok[0], -1), ok), "-1"),
        (lambda ok: ((ok[0],), ok), "content"),
    ],
)
def test_bad_clips_are_named_with_what_to_do(chapter, clips, make, says):
    with pytest.raises(InputError, match=says):
        chapter.transfer_style(*make((clips[0], SR)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": -1},
        {"alpha": float("nan")},
        {"alpha": "0.1"},
        {"alpha": True},
        {"iterations": 0},
        {"iterations": True},
        {"rounds": 1.5},
        {"tolerance": -1},
    ],
)
def test_bad_settings_are_named(chapter, clips, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        chapter.transfer_style((clips[0], SR), (clips[1], SR), **wrong)


def test_phases_of_the_content_beat_noise(clips):
    """The reason for `start=`: the content's own magnitudes come back at once."""
    S, D = np.abs(spectra.stft(clips[0])), spectra.stft(clips[0])
    own = spectra.griffin_lim(S, 2, start=D, length=len(clips[0]))
    noise = spectra.griffin_lim(S, 2, length=len(clips[0]))
    assert metrics.spectral_convergence(S, own) < metrics.spectral_convergence(S, noise) - 20


def test_the_equaliser_gives_each_bin_the_mean_of_the_style(chapter, frames):
    content, style = frames
    S, S_style = (np.expm1(X) for X in (chapter.equalised(content, style), style))
    gain = chapter.equaliser(content, style)
    free = gain < 0.99 * gain.max()
    assert gain.max() <= 10 ** (30 / 20) + 1e-6 and free.sum() > 100
    np.testing.assert_allclose(
        S.mean(axis=0)[free] + 0.01 * gain[free], S_style.mean(axis=0)[free] + 0.01, rtol=1e-3
    )
    ratio = S[:, free] / np.maximum(np.expm1(content[:, free]), 1e-6)
    heard = content[:, free] > 0.1
    np.testing.assert_allclose(ratio[heard], np.broadcast_to(gain[free], ratio.shape)[heard], 1e-3)


def test_nothing_is_louder_than_the_clips(chapter, frames):
    content, style = frames
    wild = content.copy()
    wild[3, 7], wild[5] = 16.0, content.max()
    S = chapter.limited(wild, content, style)
    clips = np.expm1(np.concatenate([content, style]))
    assert S.shape == content.T.shape
    assert S.max() <= clips.max() * 1.001
    loudest = np.linalg.norm(clips, axis=1).max()
    assert np.linalg.norm(S, axis=0).max() <= loudest * 1.001
    np.testing.assert_allclose(S[:, 20], np.expm1(content[20]), rtol=1e-4)


def test_a_search_goes_on_while_it_gains_and_ends_when_it_does_not(chapter):
    class Point:
        def __init__(self, fun):
            self.fun = fun

    stop = chapter.until_slow(share=0.1, steps=3)
    for fun in (100, 99, 98, 80, 70, 65):
        stop(Point(fun))
    with pytest.raises(StopIteration):
        for fun in (64, 63.9, 63.8):
            stop(Point(fun))


def test_settings_of_numpy_are_numbers_too(chapter, clips):
    content, style = ((y[: SR // 2], SR) for y in clips)
    y, _ = chapter.transfer_style(
        content, style, iterations=np.int64(2), alpha=np.float32(0.1), rounds=np.int32(1)
    )
    assert len(y) == SR // 2


def test_integers_that_were_only_cast_are_refused(chapter, clips):
    with pytest.raises(InputError, match="content: samples lie from -1 to 1"):
        chapter.transfer_style((clips[0] * 32768, SR), (clips[1], SR))


@pytest.mark.parametrize(("content_seconds", "style_seconds"), [(2.0, 0.3), (0.3, 2.0), (1, 1)])
def test_clips_of_very_different_length_keep_their_level(
    chapter, clips, content_seconds, style_seconds
):
    """Both are at about the same level, and so is the result, in its middle and at its ends."""
    tones = sum(np.sin(2 * np.pi * f * np.arange(2 * SR) / SR) for f in (220, 330, 500))
    content = (0.08 * tones).astype(np.float32)[: int(content_seconds * SR)]
    style = clips[1][: int(style_seconds * SR)]
    y, _ = chapter.transfer_style((content, SR), (style, SR))

    def level(part):
        return 20 * np.log10(np.sqrt(np.mean(part**2)))

    third, end = len(y) // 3, min(len(y) // 4, SR // 5)
    assert abs(level(y[third : 2 * third]) - level(style)) < 6
    for part in (y[:end], y[-end:]):
        assert abs(level(part) - level(y[third : 2 * third])) < 8


def test_a_result_begins_and_ends_without_a_click(chapter, clips):
    content, style = clips
    offset = (content + np.float32(0.3), SR)
    y, _ = chapter.transfer_style(offset, (style, SR), iterations=10)
    rms = np.sqrt(np.mean(y**2))
    assert np.abs(y[[0, -1]]).max() < 1e-6
    assert np.abs(y[:110]).max() < 6 * rms and np.abs(y[-110:]).max() < 6 * rms
    assert abs(y.mean()) < 0.01
