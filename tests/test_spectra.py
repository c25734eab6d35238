import itertools

import librosa
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audiostyle_utils import InputError, spectra

SR = 22050


def tone(frequency=440.0, seconds=1.0):
    return np.sin(2 * np.pi * frequency * np.arange(round(SR * seconds)) / SR).astype(np.float32)


def music(seconds=4.0, seed=0):
    """Return tones that change each quarter of a second, over a little noise."""
    rng = np.random.default_rng(seed)
    notes = rng.choice([220.0, 277.2, 329.6, 440.0, 554.4, 659.3], int(seconds * 4))
    y = np.concatenate([sum(tone(k * f, 0.25) / k for k in (1, 2, 3)) for f in notes])
    fade = np.tile(np.exp(-np.arange(SR // 4 + 1) / SR * 8), notes.size)[: y.size]
    return (0.2 * y * fade + 1e-3 * rng.standard_normal(y.size)).astype(np.float32)


def relative_error(S, y, hop_length=512, n_fft=2048):
    found = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length))[:, : S.shape[1]]
    return np.linalg.norm(S - found) / np.linalg.norm(S)


def plain_griffin_lim(S, n_iter, phase, hop_length=512, momentum=0.0):
    """Restate the published rounds with librosa's transforms, in double precision."""
    length = hop_length * (S.shape[1] - 1)
    c, last = S * phase, 0.0
    for _ in range(n_iter):
        t = librosa.stft(
            librosa.istft(c, hop_length=hop_length, length=length),
            n_fft=2 * (S.shape[0] - 1),
            hop_length=hop_length,
        )
        step = t + momentum * (t - last) if np.any(last) else t
        c, last = S * np.exp(1j * np.angle(step)), t
    return librosa.istft(c, hop_length=hop_length, length=length)


# Transforms -------------------------------------------------------------------------------------


@given(
    samples=st.integers(1, 9000),
    n_fft=st.sampled_from([16, 512, 1000, 2048]),
    divisor=st.sampled_from([2, 3, 4, 7]),
)
@settings(max_examples=40, deadline=None)
def test_istft_undoes_stft(samples, n_fft, divisor):
    y = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    hop_length = n_fft // divisor
    D = spectra.stft(y, n_fft, hop_length)
    assert D.dtype == np.complex64
    assert D.shape == (1 + n_fft // 2, 1 + samples // hop_length)
    # The last few samples lie where the last window has all but ended.
    z = spectra.istft(D, hop_length, length=samples)
    whole = hop_length * (D.shape[1] - 1)
    np.testing.assert_allclose(z[:whole], y[:whole], atol=1e-5)
    assert z.shape == y.shape and z.dtype == np.float32


def test_channels_are_transformed_one_by_one():
    y = np.stack([tone(440), tone(880)])
    D = spectra.stft(y)
    np.testing.assert_array_equal(D[1], spectra.stft(y[1]))
    assert spectra.istft(D, length=SR).shape == (2, SR)


@pytest.mark.parametrize("frequency", [110, 440, 3000])
def test_a_tone_peaks_in_its_bin(frequency):
    D = spectra.stft(tone(frequency))
    assert np.abs(D[:, 20]).argmax() == round(frequency * 2048 / SR)


def test_energy_is_kept():
    # Parseval: hop 512 and Hann 2048 overlap so that squared windows sum to 1.5 everywhere.
    y = np.random.default_rng(0).standard_normal(SR).astype(np.float32)
    power = np.abs(spectra.stft(np.pad(y, 4096))) ** 2
    both_sides = 2 * power.sum() - power[0].sum() - power[-1].sum()
    assert both_sides / 2048 / 1.5 == pytest.approx((y**2).sum(), rel=1e-4)


def test_log_magnitude_is_its_formula():
    D = spectra.stft(music(1))
    np.testing.assert_allclose(spectra.log_magnitude(D), np.log(1 + np.abs(D)), atol=1e-6)


@given(hnp.arrays(np.float32, (3, 5), elements=st.floats(0, 1e6, width=32)))
def test_magnitudes_come_back_from_their_logs(S):
    np.testing.assert_allclose(
        spectra.magnitude_from_log(spectra.log_magnitude(S)), S, rtol=1e-5, atol=1e-6
    )


def test_logs_below_zero_are_silence():
    np.testing.assert_array_equal(spectra.magnitude_from_log([-5.0, -1e-3, 0.0]), 0)


def test_mel_bands_hold_the_power_of_their_filters():
    y = music(1)
    S = spectra.mel_spectrogram(y, SR, 1024, 256, 40, 50.0, 8000.0)
    bank = librosa.filters.mel(sr=SR, n_fft=1024, n_mels=40, fmin=50.0, fmax=8000.0)
    np.testing.assert_allclose(S, bank @ np.abs(spectra.stft(y, 1024, 256)) ** 2, rtol=1e-3)
    assert S.shape == (40, 1 + y.size // 256)


def test_mel_bands_of_a_frame_with_an_odd_number_of_samples():
    y = music(1)
    S = spectra.mel_spectrogram(y, SR, 1023, 256, 40)
    bank = librosa.filters.mel(sr=SR, n_fft=1023, n_mels=40)
    np.testing.assert_allclose(S, bank @ np.abs(spectra.stft(y, 1023, 256)) ** 2, rtol=1e-3)


def test_magnitudes_of_mel_bands_have_their_power():
    S = np.abs(spectra.stft(music(), 1024, 256))
    M = spectra.mel_spectrogram(music(), SR, 1024, 256, 96)
    found = spectra.magnitude_from_mel(M, SR, 1024, n_iter=60)
    assert found.shape == S.shape and found.dtype == np.float32
    bank = librosa.filters.mel(sr=SR, n_fft=1024, n_mels=96)
    error = np.linalg.norm(bank @ found**2 - M) / np.linalg.norm(M)
    # librosa solves the same problem with a general method, in a hundred times the time.
    slow = librosa.feature.inverse.mel_to_stft(M[:, :40], sr=SR, n_fft=1024)
    theirs = np.linalg.norm(bank @ slow**2 - M[:, :40]) / np.linalg.norm(M[:, :40])
    assert error < max(0.03, 2 * theirs)


def test_each_round_of_the_mel_inverse_comes_nearer():
    M, errors = spectra.mel_spectrogram(music(), SR, 1024, 256, 96), []
    bank = librosa.filters.mel(sr=SR, n_fft=1024, n_mels=96)
    for n_iter in (0, 1, 2, 5, 20, 80):
        power = spectra.magnitude_from_mel(M, SR, 1024, n_iter) ** 2
        errors.append(np.linalg.norm(bank @ power - M))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1 * errors[0]


def test_the_mel_inverse_scales_with_the_level_and_knows_silence():
    M = spectra.mel_spectrogram(music(1.0), SR, 1024, 256, 64)
    loud, soft = (spectra.magnitude_from_mel(g * M, SR, 1024) for g in (1.0, 1e-6))
    np.testing.assert_allclose(soft, 1e-3 * loud, rtol=1e-3, atol=1e-9)
    assert not spectra.magnitude_from_mel(np.zeros((64, 5)), SR, 1024).any()


def faint_tone():
    return (0.1 * tone(seconds=0.3)).astype(np.float32)


def descend(n_iter, seed=0, **knobs):
    """Return what descent makes of the mel power of a faint tone, and how far off it is."""
    M = spectra.mel_spectrogram(faint_tone(), SR, 512, 128, 40)
    y = spectra.waveform_by_descent(M, SR, 512, 128, n_iter=n_iter, seed=seed, **knobs)
    found = spectra.mel_spectrogram(y, SR, 512, 128, 40)
    # Beyond their ends the signals go on differently: librosa adds zeros, and PyTorch a mirror.
    return y, np.linalg.norm((found - M)[:, 4:-4]) / np.linalg.norm(M[:, 4:-4])


def test_descent_finds_a_signal_with_the_mel_power():
    (start, at_first), (y, later) = descend(0), descend(300)
    assert at_first > 0.9 and later < 0.2
    assert y.shape == start.shape == (51 * 128,) and y.dtype == np.float32
    assert np.abs(spectra.stft(y, 512, 128)[:, 25]).argmax() == round(440 * 512 / SR)


def test_descent_ends_one_hop_after_each_frame_but_the_last():
    for frames, hop_length in ((9, 100), (10, 128), (30, 64)):
        M = np.ones((20, frames))
        assert spectra.waveform_by_descent(M, SR, 512, hop_length, 1).size == (
            (frames - 1) * hop_length
        )


def test_the_seed_decides_where_descent_begins():
    first, again, other = (descend(20, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)


def test_a_step_of_descent_moves_no_sample_further_than_the_rate():
    # Adam's first step is the rate, whatever the gradient.
    moved = np.abs(descend(1, learning_rate=0.01)[0] - descend(0)[0])
    assert moved.max() == pytest.approx(0.01, rel=1e-3) and np.median(moved) > 0.009


def test_descent_leaves_the_random_numbers_of_pytorch_alone():
    import torch

    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    descend(1)
    assert torch.equal(torch.rand(4), wanted)


def test_decibels_are_their_formula():
    np.testing.assert_allclose(spectra.to_db([1.0, 0.1, 2.0], ref=1.0), [0, -20, 6.0206], atol=1e-4)
    np.testing.assert_allclose(spectra.to_db([5.0, 0.5]), [0, -20], atol=1e-5)
    np.testing.assert_allclose(spectra.to_db([1.0, 0.0]), [0, -80], atol=1e-5)
    np.testing.assert_allclose(spectra.to_db([1.0, 0.0], top_db=None), [0, -200], atol=1e-4)


@given(hnp.arrays(np.float32, (4,), elements=st.floats(2**-20, 2**20, width=32)))
def test_magnitudes_come_back_from_decibels(S):
    db = spectra.to_db(S, ref=1.0, top_db=None)
    np.testing.assert_allclose(spectra.from_db(db), S, rtol=1e-4)


def test_silence_in_decibels_is_finite():
    assert np.isfinite(spectra.to_db(np.zeros((3, 2)))).all()


# Griffin-Lim ------------------------------------------------------------------------------------


@given(
    bins=st.integers(2, 40),
    frames=st.integers(1, 12),
    hop_length=st.integers(1, 90),
    odd=st.booleans(),
    length=st.none() | st.integers(0, 2000),
    momentum=st.sampled_from([0, 0.5, 0.99]),
    scale=st.sampled_from([0, 1e-30, 1, 1e30]),
)
@settings(max_examples=150, deadline=None)
def test_any_shape_gives_a_finite_signal_of_the_right_length(
    bins, frames, hop_length, odd, length, momentum, scale
):
    rng = np.random.default_rng(bins)
    S = (rng.uniform(0, 1, (bins, frames)) * scale).astype(np.float32)
    n_fft = 2 * (bins - 1) + odd
    y = spectra.griffin_lim(S, 4, momentum, hop_length, length=length, n_fft=n_fft)
    assert y.shape == (hop_length * (frames - 1) if length is None else length,)
    assert y.dtype == np.float32 and np.isfinite(y).all()
    assert scale or not y.any()


@given(
    n_fft=st.integers(8, 64), divisor=st.sampled_from([2, 3, 4, 5]), samples=st.integers(64, 600)
)
@settings(max_examples=60, deadline=None)
def test_the_true_phase_gives_the_signal_back(n_fft, divisor, samples):
    hop_length = max(1, n_fft // divisor)
    y = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    D = librosa.stft(y, n_fft=n_fft, hop_length=hop_length)
    z = spectra.griffin_lim(
        np.abs(D), 3, hop_length=hop_length, start=D, length=samples, n_fft=n_fft
    )
    # The last samples lie at the end of the last window, where hardly anything is left of them,
    # and each round carries some of that error into the frame before.
    sure = min(samples, hop_length * (D.shape[1] - 1)) - n_fft
    assume(sure > 0)
    np.testing.assert_allclose(z[:sure], y[:sure], atol=1e-3)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.99])
def test_rounds_are_as_published(momentum):
    S = np.abs(spectra.stft(music(1), 256, 64)).astype(np.float64)
    angle = np.random.default_rng(3).uniform(-np.pi, np.pi, S.shape)
    ours = spectra.griffin_lim(S, 6, momentum, 64, start=angle)
    theirs = plain_griffin_lim(S, 6, np.exp(1j * angle), 64, momentum)
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_a_phase_may_be_given_as_angle_or_as_complex_numbers():
    D = spectra.stft(music(1))
    S = np.abs(D)
    a = spectra.griffin_lim(S, 3, start=7 * D)
    b = spectra.griffin_lim(S, 3, start=np.angle(D))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_it_gets_as_near_as_librosa_does():
    S = np.abs(spectra.stft(music()))
    ours = relative_error(S, spectra.griffin_lim(S, 30))
    theirs = relative_error(S, librosa.griffinlim(S, n_iter=30, random_state=0))
    assert ours < 1.15 * theirs


def test_momentum_saves_nine_rounds_of_ten_here():
    S = np.abs(spectra.stft(music(2)))
    quick = relative_error(S, spectra.griffin_lim(S, 30, 0.99))
    slow = relative_error(S, spectra.griffin_lim(S, 300, 0))
    assert quick <= slow


def test_more_rounds_come_nearer():
    S = np.abs(spectra.stft(music(2)))
    errors = [relative_error(S, spectra.griffin_lim(S, n, 0)) for n in (0, 1, 5, 20, 60)]
    assert all(b < a for a, b in itertools.pairwise(errors))


def test_the_contents_phase_is_a_better_start_than_noise():
    D = spectra.stft(music(2))
    S = np.abs(D) * np.linspace(0.5, 1.5, D.shape[0])[:, np.newaxis]
    kept = relative_error(S, spectra.griffin_lim(S, 5, start=D))
    assert kept < 0.5 * relative_error(S, spectra.griffin_lim(S, 5))


def test_the_level_of_the_magnitudes_does_not_matter():
    S = np.abs(spectra.stft(music(1)))
    np.testing.assert_allclose(
        spectra.griffin_lim(S * 2.0**-40, 10) * 2.0**40, spectra.griffin_lim(S, 10), atol=1e-5
    )


def test_the_seed_decides():
    S = np.abs(spectra.stft(music(1)))
    np.testing.assert_array_equal(
        spectra.griffin_lim(S, 2, seed=4), spectra.griffin_lim(S, 2, seed=4)
    )
    assert not np.allclose(spectra.griffin_lim(S, 2, seed=4), spectra.griffin_lim(S, 2, seed=5))


def test_the_magnitudes_are_left_as_they_were():
    S, D = np.abs(spectra.stft(music(1))), spectra.stft(music(1))
    before, phase = S.copy(), D.copy()
    spectra.griffin_lim(S, 3, start=D)
    np.testing.assert_array_equal(S, before)
    np.testing.assert_array_equal(D, phase)


# Mu-law -----------------------------------------------------------------------------------------


@given(
    hnp.arrays(np.float64, st.integers(0, 50), elements=st.floats(-1, 1)),
    st.sampled_from([255, 127, 15]),
)
def test_mu_law_comes_back_within_half_a_step(y, mu):
    codes = spectra.mu_law_encode(y, mu)
    assert codes.dtype.kind == "i" and ((codes >= 0) & (codes <= mu)).all()
    z = spectra.mu_law_decode(codes, mu)
    # A step of 2 / mu in the companded value is this much at |y|: the slope of F's inverse.
    slope = np.log1p(mu) * (1 + mu * np.maximum(np.abs(y), np.abs(z))) / mu
    assert (np.abs(z - y) <= slope / mu + 1e-6).all()


@pytest.mark.parametrize("mu", [1, 15, 255, 65535])
def test_every_code_comes_back(mu):
    codes = np.arange(mu + 1)
    y = spectra.mu_law_decode(codes, mu)
    np.testing.assert_array_equal(spectra.mu_law_encode(y, mu), codes)
    assert (np.diff(y) > 0).all() and y[0] == -1 and y[-1] == 1


def test_mu_law_is_the_published_formula():
    y = np.linspace(-1, 1, 1001)
    F = np.sign(y) * np.log(1 + 255 * np.abs(y)) / np.log(256)
    np.testing.assert_array_equal(spectra.mu_law_encode(y), np.floor((F + 1) / 2 * 255 + 0.5))


def test_known_codes():
    np.testing.assert_array_equal(spectra.mu_law_encode(np.array([-1.0, 0.0, 1.0])), [0, 128, 255])


def test_faint_samples_get_finer_steps_than_loud_ones():
    steps = np.diff(spectra.mu_law_decode(np.arange(256)))
    assert steps[128] < 1e-3 < 1e-2 < steps[-1]


# Bad input --------------------------------------------------------------------------------------

GOOD = np.ones((9, 4), np.float32)
NAN = np.where(np.eye(9, 4), np.nan, 1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spectra.stft(np.zeros(0)), "shape"),
        (lambda: spectra.stft(np.array([np.nan])), "NaN"),
        (lambda: spectra.stft(tone(), 1), "n_fft is 1"),
        (lambda: spectra.stft(tone(), 2048.0), "n_fft is 2048.0"),
        (lambda: spectra.stft(tone(), hop_length=0), "hop_length is 0"),
        (lambda: spectra.istft(GOOD[:1]), "two frequency bins"),
        (lambda: spectra.istft(GOOD[0]), "shape"),
        (lambda: spectra.istft(NAN), "NaN"),
        (lambda: spectra.istft(GOOD, 4, length=-1), "length is -1"),
        (lambda: spectra.log_magnitude(NAN), "NaN"),
        (lambda: spectra.log_magnitude(["loud"]), "real or complex"),
        (lambda: spectra.magnitude_from_log(NAN), "NaN"),
        (lambda: spectra.magnitude_from_log([100.0]), "below 88"),
        (lambda: spectra.magnitude_from_log(GOOD * 1j), "type complex"),
        (lambda: spectra.mel_spectrogram(tone(), 0), "sr is 0"),
        (lambda: spectra.mel_spectrogram(tone(), SR, n_mels=0), "n_mels is 0"),
        (lambda: spectra.mel_spectrogram(tone(), SR, fmin=-1), "0 <= fmin"),
        (lambda: spectra.mel_spectrogram(tone(), SR, fmax=12000), "11025"),
        (lambda: spectra.mel_spectrogram(tone(), SR, fmin=np.nan), "0 <= fmin"),
        (lambda: spectra.magnitude_from_mel(-GOOD, SR), "M goes down to -1"),
        (lambda: spectra.magnitude_from_mel(GOOD[0], SR), "M has shape"),
        (lambda: spectra.magnitude_from_mel(GOOD, SR, 1023), "Give an even"),
        (lambda: spectra.magnitude_from_mel(GOOD, SR, fmax=12000), "11025"),
        (lambda: spectra.magnitude_from_mel(GOOD, SR, n_iter=-1), "n_iter is -1"),
        (lambda: spectra.waveform_by_descent(-GOOD, SR), "M goes down to -1"),
        (lambda: spectra.waveform_by_descent(GOOD[0], SR), "M has shape"),
        (lambda: spectra.waveform_by_descent(GOOD, SR, 2048, 256), "enough for 1024 samples"),
        (lambda: spectra.waveform_by_descent(GOOD[:, :1], SR, 16, 8), "M has 1 frames"),
        (lambda: spectra.waveform_by_descent(GOOD, SR, 16, 8, -1), "n_iter is -1"),
        (lambda: spectra.waveform_by_descent(GOOD, SR, 16, 8, learning_rate=0), "learning_rate is"),
        (lambda: spectra.to_db(-GOOD), "np.abs"),
        (lambda: spectra.to_db(GOOD, ref=0), "ref is 0"),
        (lambda: spectra.to_db(GOOD, top_db=-1), "top_db is -1"),
        (lambda: spectra.from_db([1000.0]), "beyond what float32 holds"),
        (lambda: spectra.from_db([760.0], ref=10.0), "beyond what float32 holds"),
        (lambda: spectra.from_db([1.0], ref=np.nan), "ref is nan"),
        (lambda: spectra.griffin_lim(-GOOD), "S goes down to -1"),
        (lambda: spectra.griffin_lim(NAN), "NaN"),
        (lambda: spectra.griffin_lim(GOOD.astype(np.float64) * 1e300), "NaN or infinite"),
        (lambda: spectra.griffin_lim(GOOD * 1j), "type complex"),
        (lambda: spectra.griffin_lim(GOOD[:1]), "two"),
        (lambda: spectra.griffin_lim(GOOD[:, :0]), "shape"),
        (lambda: spectra.griffin_lim(GOOD[np.newaxis]), "one channel at a time"),
        (lambda: spectra.griffin_lim(GOOD, -1), "n_iter is -1"),
        (lambda: spectra.griffin_lim(GOOD, momentum=-0.1), "momentum is -0.1"),
        (lambda: spectra.griffin_lim(GOOD, momentum=np.nan), "momentum is nan"),
        (lambda: spectra.griffin_lim(GOOD, hop_length=0), "hop_length is 0"),
        (lambda: spectra.griffin_lim(GOOD, length=-1), "length is -1"),
        (lambda: spectra.griffin_lim(GOOD, seed=-1), "seed is -1"),
        (lambda: spectra.griffin_lim(GOOD, n_fft=20), "come from 16 or 17"),
        (lambda: spectra.griffin_lim(GOOD, start=GOOD.T), "start has shape"),
        (lambda: spectra.griffin_lim(GOOD, start=NAN), "start holds NaN"),
        (lambda: spectra.mu_law_encode([1.5]), "peaks at 1.5"),
        (lambda: spectra.mu_law_encode([np.nan]), "NaN"),
        (lambda: spectra.mu_law_encode(np.array([1])), "type int"),
        (lambda: spectra.mu_law_encode([0.5], mu=0), "mu is 0"),
        (lambda: spectra.mu_law_decode([256]), "Give 0 to 255"),
        (lambda: spectra.mu_law_decode([-1]), "Give 0 to 255"),
        (lambda: spectra.mu_law_decode([0.5]), "not whole numbers"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        call()
