import librosa
import numpy as np
import pytest

from audiostyle_utils import InputError, metrics, spectra

SR = 22050


def notes(pitches, seconds=0.5, harmonics=4):
    """Play MIDI pitches one after another, each struck and dying away."""
    t = np.arange(round(SR * seconds)) / SR
    tones = [
        sum(np.sin(2 * np.pi * k * 440 * 2 ** ((p - 69) / 12) * t) / k for k in range(1, harmonics))
        for p in pitches
    ]
    return np.concatenate([0.3 * np.exp(-4 * t) * tone for tone in tones]).astype(np.float32)


MELODY = [60, 64, 67, 65, 62, 71, 72, 69]


def noise(samples, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def test_spectral_convergence_is_its_formula():
    y, z = notes(MELODY), noise(8 * SR // 2)
    S, found = np.abs(spectra.stft(y)), np.abs(spectra.stft(z))
    error = np.sqrt(((S - found) ** 2).sum() / (S**2).sum())
    assert metrics.spectral_convergence(S, z) == pytest.approx(20 * np.log10(error), abs=1e-3)


def test_spectral_convergence_has_known_values():
    y = notes(MELODY)
    S = np.abs(spectra.stft(y))
    assert metrics.spectral_convergence(S, y) == -200
    assert metrics.spectral_convergence(S, 0 * y) == pytest.approx(0, abs=1e-5)
    assert metrics.spectral_convergence(S, 0.9 * y) == pytest.approx(-20, abs=1e-3)


def test_spectral_convergence_counts_what_is_missing_and_drops_what_is_over():
    y = notes(MELODY)
    S = np.abs(spectra.stft(y))
    assert metrics.spectral_convergence(S, y[: y.size // 2]) > -10
    assert metrics.spectral_convergence(S, np.pad(y, (0, 5000))) < -100


@pytest.mark.parametrize("measure", [metrics.chroma_correlation, metrics.onset_correlation])
class TestCorrelations:
    def test_a_signal_with_itself_is_one(self, measure):
        y = notes(MELODY)
        assert measure(y, y, SR) == pytest.approx(1)

    def test_the_level_does_not_matter(self, measure):
        y = notes(MELODY)
        assert measure(0.01 * y, y, SR) == pytest.approx(1, abs=0.02)

    def test_silence_is_zero(self, measure):
        y = notes(MELODY)
        assert measure(0 * y, y, SR) == measure(y, 0 * y, SR) == measure(0 * y, 0 * y, SR) == 0

    def test_noise_is_near_zero(self, measure):
        y = notes(MELODY)
        assert abs(measure(noise(y.size), y, SR)) < 0.25

    def test_the_longer_one_is_cut(self, measure):
        y = notes(MELODY)
        assert measure(np.concatenate([y, noise(9999)]), y, SR) == pytest.approx(1)
        assert measure(y, np.concatenate([y, noise(9999)]), SR) == pytest.approx(1)

    def test_it_is_a_plain_float_in_range(self, measure):
        value = measure(notes(MELODY[::-1]), notes(MELODY), SR)
        assert type(value) is float and -1 <= value <= 1

    @pytest.mark.parametrize(
        ("y", "sr", "words"),
        [
            (np.zeros(0), SR, "y has shape"),
            (np.full(9999, np.nan), SR, "y holds NaN"),
            (np.zeros((2, 9999)), SR, "y has 2 channels"),
            (np.zeros(9999), 0, "sr is 0"),
            (np.zeros(9999), "fast", "sr is 'fast'"),
        ],
    )
    def test_bad_input_is_named(self, measure, y, sr, words):
        with pytest.raises(InputError, match=words):
            measure(y, notes(MELODY), sr)

    def test_the_reference_is_called_by_its_name(self, measure):
        with pytest.raises(InputError, match="reference holds NaN"):
            measure(notes(MELODY), np.full(9999, np.nan), SR)


def test_chroma_tells_a_semitone():
    y = notes(MELODY)
    assert metrics.chroma_correlation(notes([p + 1 for p in MELODY]), y, SR) < 0.3


def test_chroma_hears_through_octave_and_timbre():
    y = notes(MELODY)
    assert metrics.chroma_correlation(notes([p + 12 for p in MELODY]), y, SR) > 0.8
    assert metrics.chroma_correlation(notes(MELODY, harmonics=2), y, SR) > 0.8


def test_chroma_wants_the_notes_at_their_time():
    assert metrics.chroma_correlation(notes(MELODY[::-1]), notes(MELODY), SR) < 0.4


def test_a_silent_end_of_the_reference_does_not_count():
    y = notes(MELODY)
    longer = np.concatenate([y, np.zeros_like(y)])
    assert metrics.chroma_correlation(longer, longer, SR) == pytest.approx(1)
    half = np.concatenate([y[: y.size // 2], np.zeros(y.size // 2, np.float32)])
    assert metrics.chroma_correlation(half, y, SR) == pytest.approx(0.5, abs=0.1)


def test_onsets_follow_rhythm_and_not_pitch():
    y = notes(MELODY)
    assert metrics.onset_correlation(notes([p + 5 for p in MELODY]), y, SR) > 0.8
    late = np.concatenate([np.zeros(SR // 4, np.float32), y])
    assert metrics.onset_correlation(late, y, SR) < 0.3


def test_onsets_need_a_few_frames():
    with pytest.raises(InputError, match="at least 2560"):
        metrics.onset_correlation(noise(100), noise(9999), SR)


@pytest.mark.parametrize(("ripples", "decibels"), [(3, 8.0), (10, 4.0)])
def test_cepstral_distortion_is_the_mean_square_of_smooth_decibels(ripples, decibels):
    y = noise(2 * SR)
    places = librosa.hz_to_mel(np.fft.rfftfreq(y.size, 1 / SR)) / librosa.hz_to_mel(SR / 2)
    gain = 10 ** (decibels * np.cos(np.pi * ripples * places) / 20)
    coloured = np.fft.irfft(gain * np.fft.rfft(y), y.size)
    found = metrics.mel_cepstral_distortion(coloured, y, SR)
    assert found == pytest.approx(decibels / np.sqrt(2), rel=0.06)


def test_cepstral_distortion_knows_neither_level_nor_tempo_nor_silence_around():
    y = notes(MELODY)
    gap = np.zeros(SR // 2, np.float32)
    held = np.concatenate([notes([p], 0.5 + 0.1 * (p % 3)) for p in MELODY])
    for other in (0.1 * y, np.concatenate([gap, y, gap])):
        assert metrics.mel_cepstral_distortion(other, y, SR) < 0.5
    high = notes([p + 12 for p in MELODY])
    ours, theirs = (metrics.mel_cepstral_distortion(z, y, SR) for z in (held, high))
    assert ours < 0.3 * theirs


def test_cepstral_distortion_needs_sound():
    with pytest.raises(InputError, match="reference is silent"):
        metrics.mel_cepstral_distortion(notes(MELODY), np.zeros(SR), SR)


def glide(low, high, seconds=3):
    """Slide from one frequency to another, by equal intervals in equal times."""
    f = low * (high / low) ** np.linspace(0, 1, round(SR * seconds))
    return (0.3 * np.sin(2 * np.pi * np.cumsum(f) / SR)).astype(np.float32)


INVERTED = [130 - p for p in MELODY]


def held(seconds):
    """Play the melody, each note for its own time."""
    return np.concatenate([notes([p], s) for p, s in zip(MELODY, seconds, strict=True)])


@pytest.mark.parametrize("align", [False, True])
class TestPitchCorrelation:
    def test_a_signal_with_itself_is_one(self, align):
        y = notes(MELODY)
        value = metrics.pitch_correlation(y, y, SR, align=align)
        assert type(value) is float and value == pytest.approx(1)

    @pytest.mark.parametrize("semitones", [-5, 7, 12])
    def test_the_key_does_not_matter(self, align, semitones):
        y = notes(MELODY)
        moved = notes([p + semitones for p in MELODY])
        assert metrics.pitch_correlation(moved, y, SR, align=align) == pytest.approx(1, abs=0.01)

    def test_a_glide_is_the_same_in_any_key_and_at_any_level(self, align):
        y = glide(220, 440)
        moved = 0.01 * glide(330, 660)
        assert metrics.pitch_correlation(moved, y, SR, align=align) == pytest.approx(1, abs=0.01)

    def test_timbre_hardly_matters(self, align):
        y, dull = notes(MELODY), notes(MELODY, harmonics=2)
        assert metrics.pitch_correlation(dull, y, SR, align=align) > 0.95

    def test_noise_is_near_zero(self, align):
        y = notes(MELODY)
        assert abs(metrics.pitch_correlation(noise(y.size), y, SR, align=align)) < 0.2
        assert abs(metrics.pitch_correlation(y, noise(y.size), SR, align=align)) < 0.2

    def test_a_steady_pitch_is_zero_even_with_itself(self, align):
        y = notes([60] * 8)
        assert metrics.pitch_correlation(y, y, SR, align=align) == 0
        assert metrics.pitch_correlation(notes(MELODY), y, SR, align=align) == 0

    @pytest.mark.parametrize(
        ("y", "sr", "words"),
        [
            (np.zeros(SR), SR, "y is silent"),
            (noise(7055), SR, "y has 7055 samples and needs at least 7056"),
            (noise(5119), 16000, "at least 5120"),
            (np.full(9999, np.nan), SR, "y holds NaN"),
            (np.zeros((2, 9999)), SR, "y has 2 channels"),
            (noise(9999), 0, "sr is 0"),
        ],
    )
    def test_bad_input_is_named(self, align, y, sr, words):
        with pytest.raises(InputError, match=words):
            metrics.pitch_correlation(y, notes(MELODY), sr, align=align)
        with pytest.raises(InputError, match="reference is silent"):
            metrics.pitch_correlation(notes(MELODY), np.zeros(SR), SR, align=align)


def test_a_melody_that_falls_where_the_other_rises_is_minus_one():
    y = notes(MELODY)
    assert metrics.pitch_correlation(notes(INVERTED), y, SR) == pytest.approx(-1, abs=0.01)
    assert metrics.pitch_correlation(glide(440, 220), glide(220, 440), SR) < -0.99
    assert metrics.pitch_correlation(notes(INVERTED), y, SR, align=True) < 0.5


@pytest.mark.parametrize(
    "late",
    [
        np.concatenate([np.zeros(3 * SR // 4, np.float32), notes(MELODY)]),
        held([0.8] * 4 + [0.2] * 4),
        held([0.75] * 8),
    ],
    ids=["delayed", "slow and then quick", "slow"],
)
def test_a_melody_at_other_times_needs_to_be_aligned(late):
    plain, aligned = (
        metrics.pitch_correlation(late, notes(MELODY), SR, align=align) for align in (False, True)
    )
    assert plain < 0.8 and aligned > 0.98 and aligned > plain + 0.2


def test_aligning_does_not_make_another_melody_the_same():
    y = notes(MELODY)
    assert metrics.pitch_correlation(notes(MELODY[::-1]), y, SR, align=True) < 0.6


def test_an_octave_that_is_jumped_for_some_notes_counts():
    jumping = notes([p + 12 * (place % 2) for place, p in enumerate(MELODY)])
    assert 0.3 < metrics.pitch_correlation(jumping, notes(MELODY), SR) < 0.9


def test_the_pitch_is_judged_where_both_have_one():
    y = notes(MELODY)
    half = np.concatenate([y[: y.size // 2], noise(y.size // 2)])
    assert metrics.pitch_correlation(half, y, SR) > 0.9


def test_pitches_are_found_to_a_quarter_of_a_semitone_at_any_rate():
    y = notes([57, 60, 64])
    for sr in (16000, SR, 44100):
        track = metrics._pitches(at_rate(y, sr), sr)
        expected = 12 * np.log2(440 * 2 ** ((np.array([57, 60, 64]) - 69) / 12))
        assert track[[7, 23, 39]] == pytest.approx(expected, abs=0.25)


def at_rate(y, sr):
    return librosa.resample(y, orig_sr=SR, target_sr=sr)


def test_log_spectral_distance_does_not_know_the_level():
    y = notes(MELODY)
    assert metrics.log_spectral_distance(y, y, SR) == 0
    for gain in (2.0, 0.01, -1.0):  # 2 is 6 dB
        value = metrics.log_spectral_distance(gain * y, y, SR)
        assert type(value) is float and value == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("ripples", "decibels"), [(3, 8.0), (10, 4.0)])
def test_log_spectral_distance_is_the_mean_square_of_a_filter(ripples, decibels):
    y = noise(2 * SR)
    places = librosa.hz_to_mel(np.fft.rfftfreq(y.size, 1 / SR)) / librosa.hz_to_mel(SR / 2)
    curve = decibels * np.cos(np.pi * ripples * places)
    coloured = np.fft.irfft(10 ** (curve / 20) * np.fft.rfft(y), y.size)
    offset = 20 * np.log10(np.linalg.norm(y) / np.linalg.norm(coloured))
    expected = np.sqrt(decibels**2 / 2 + offset**2)
    assert metrics.log_spectral_distance(coloured, y, SR) == pytest.approx(expected, rel=0.05)


def test_log_spectral_distance_stops_at_the_floor():
    y = notes(MELODY)
    hum = y + 1e-6 * noise(y.size)
    assert metrics.log_spectral_distance(hum, y, SR) < 0.01
    assert metrics.log_spectral_distance(hum, noise(y.size), SR) < 60


def test_log_spectral_distance_wants_the_sounds_at_their_time():
    y = notes(MELODY)
    near = metrics.log_spectral_distance(notes(MELODY, harmonics=6), y, SR)
    far = metrics.log_spectral_distance(notes(MELODY[::-1]), y, SR)
    assert near < far
    assert metrics.log_spectral_distance(noise(SR, 1), noise(SR, 2), SR) == pytest.approx(2.6, 0.1)


@pytest.mark.parametrize(
    ("y", "reference", "words"),
    [
        (np.zeros(SR), noise(SR), "y is silent"),
        (noise(SR), np.zeros(SR), "reference is silent"),
        (np.zeros(0), noise(SR), "y has shape"),
        (noise(SR), np.full(SR, np.nan), "reference holds NaN"),
    ],
)
def test_log_spectral_distance_names_bad_input(y, reference, words):
    with pytest.raises(InputError, match=words):
        metrics.log_spectral_distance(y, reference, SR)


def test_seams_are_the_change_at_the_borders_against_that_elsewhere():
    levels = np.cumsum(np.ones((4, 13)), axis=1)
    assert metrics.seam_ratio(levels, [4, 8]) == pytest.approx(1)
    levels[:, 8:] += 3  # a step of 4 in place of 1
    assert metrics.seam_ratio(levels, [4, 8]) == pytest.approx(2.5)
    assert metrics.seam_ratio(-levels, [8]) == pytest.approx(4)


@pytest.mark.parametrize("borders", [[], [0], [13], [1.5], range(1, 13)])
def test_seams_need_borders_within_and_other_places(borders):
    with pytest.raises(InputError, match="borders"):
        metrics.seam_ratio(np.random.default_rng(0).normal(size=(4, 13)), borders)


@pytest.mark.parametrize(
    ("S", "y", "words"),
    [
        (np.zeros((9, 4)), noise(99), "S is silent"),
        (-np.ones((9, 4)), noise(99), "negative"),
        (np.full((9, 4), np.nan), noise(99), "NaN"),
        (np.ones(9), noise(99), "bins first"),
        (np.ones((1, 4)), noise(99), "bins first"),
        (np.ones((9, 4)) * 1j, noise(99), "type complex"),
        (np.ones((9, 4)), np.zeros(0), "y has shape"),
        (np.ones((9, 4)), noise(99).reshape(3, 33), "y has 3 channels"),
    ],
)
def test_spectral_convergence_names_bad_input(S, y, words):
    with pytest.raises(InputError, match=words):
        metrics.spectral_convergence(S, y)


# Classifiers


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def classified(tracks=400, classes=5, seed=0):
    """Logits, and labels drawn from their softmax: calibrated as they are."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.standard_normal((tracks, classes))
    labels = (softmax(z).cumsum(axis=1) < rng.random((tracks, 1))).sum(axis=1)
    return z, np.minimum(labels, classes - 1)


@pytest.mark.parametrize(("right", "tracks"), [(60, 100), (290, 400)])
def test_bootstrap_interval_is_near_that_of_the_binomial(right, tracks):
    correct = np.arange(tracks) < right
    p = right / tracks
    half = 1.96 * np.sqrt(p * (1 - p) / tracks)
    assert metrics.bootstrap_interval(correct) == pytest.approx((p - half, p + half), abs=0.02)


def test_bootstrap_interval_covers_the_true_rate_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    ends = [
        metrics.bootstrap_interval(rng.random(100) < 0.7, confidence=0.8, resamples=200, seed=i)
        for i in range(150)
    ]
    covered = np.mean([low <= 0.7 <= high for low, high in ends])
    assert 0.68 < covered < 0.92


def test_bootstrap_interval_is_the_same_each_time_and_narrows():
    correct = np.arange(50) % 3 > 0
    assert metrics.bootstrap_interval(correct) == metrics.bootstrap_interval(correct.astype(float))
    assert metrics.bootstrap_interval(correct) != metrics.bootstrap_interval(correct, seed=1)
    wide, narrow = (
        np.diff(metrics.bootstrap_interval(x))[0] for x in (correct, np.tile(correct, 16))
    )
    assert narrow == pytest.approx(wide / 4, rel=0.2)
    low, high = metrics.bootstrap_interval(correct, confidence=0.5)
    assert metrics.bootstrap_interval(correct)[0] < low < correct.mean() < high


def test_bootstrap_interval_has_no_width_where_all_agree():
    assert metrics.bootstrap_interval(np.ones(7, bool)) == (1, 1)
    assert metrics.bootstrap_interval([0.25]) == (0.25, 0.25)


def test_paired_bootstrap_cancels_what_both_share():
    a = np.random.default_rng(2).random(200) < 0.6
    b = a.copy()
    b[np.flatnonzero(a)[:20]] = False
    difference, low, high = metrics.paired_bootstrap(a, b)
    assert difference == pytest.approx(0.1)
    half = 1.96 * np.sqrt(0.1 * 0.9 / 200)
    assert (low, high) == pytest.approx((0.1 - half, 0.1 + half), abs=0.015)
    assert metrics.paired_bootstrap(b, a)[0] == pytest.approx(-0.1)
    assert metrics.paired_bootstrap(a, a) == (0, 0, 0)


def test_calibration_error_has_a_known_value():
    # Bins of 0.5: (0.4, 0.4, 0.45 sure: one of three right), (0.9, 0.7 sure: one of two right).
    p = np.array(
        [[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.45, 0.3, 0.25], [0.9, 0.1, 0], [0.7, 0.3, 0]]
    )
    labels = np.array([0, 0, 1, 0, 1])
    low, high = abs(1 / 3 - 1.25 / 3), abs(1 / 2 - 0.8)
    assert metrics.calibration_error(p, labels, bins=2) == pytest.approx((3 * low + 2 * high) / 5)


def test_a_bin_holds_its_upper_edge():
    p, labels = np.array([[0.5, 0.5], [1, 0], [0.75, 0.25]]), np.array([0, 0, 1])
    confidence, accuracy, count = metrics.reliability_curve(p, labels, bins=2)
    assert confidence.tolist() == [0.5, 0.875]
    assert accuracy.tolist() == [1, 0.5]
    assert count.tolist() == [1, 2]


def test_calibration_error_is_its_formula():
    z, labels = classified()
    p = softmax(3 * z)
    expected, sure, right = 0, p.max(axis=1), p.argmax(axis=1) == labels
    for m in range(1, 16):
        inside = (sure > (m - 1) / 15) & (sure <= m / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert metrics.calibration_error(p, labels, bins=15) == pytest.approx(expected)
    assert expected > 0.1


def test_calibration_error_tells_calibrated_from_overconfident():
    z, labels = classified(tracks=5000)
    assert metrics.calibration_error(softmax(z), labels) < 0.03
    assert metrics.calibration_error(softmax(4 * z), labels) > 0.1
    certain = np.eye(4)[[0, 1, 2, 3]]
    assert metrics.calibration_error(certain, np.arange(4)) == 0
    assert metrics.calibration_error(certain, (np.arange(4) + 1) % 4) == 1


def test_coverage_curve_keeps_the_most_confident_first():
    p = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    coverage, accuracy = metrics.coverage_curve(p, np.array([1, 1, 0, 0]))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert accuracy == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4])


def test_coverage_curve_does_not_depend_on_the_order_of_the_tracks():
    z, labels = classified(tracks=60)
    p = np.round(softmax(z) * 4) + 0.01  # many tracks share a confidence
    p /= p.sum(axis=1, keepdims=True)
    coverage, accuracy = metrics.coverage_curve(p, labels)
    order = np.argsort(labels)
    assert metrics.coverage_curve(p[order], labels[order])[1] == pytest.approx(accuracy)
    assert accuracy[-1] == pytest.approx((p.argmax(axis=1) == labels).mean())
    even = np.full((4, 2), 0.5)
    assert metrics.coverage_curve(even, [0, 0, 0, 1])[1].tolist() == [0.75] * 4


@pytest.mark.parametrize("T", [0.5, 1, 2.5])
def test_temperature_finds_the_one_that_was_put_on(T):
    z, labels = classified(tracks=5000)
    assert metrics.temperature(T * z, labels) == pytest.approx(T, rel=0.05)


def test_temperature_is_the_least_negative_log_likelihood():
    z, labels = classified(tracks=80, seed=3)
    found = metrics.temperature(4 * z, labels)

    def loss(T):
        return -np.log(softmax(4 * z / T)[np.arange(80), labels]).mean()

    assert all(loss(found) <= loss(T) + 1e-9 for T in np.geomspace(0.05, 20, 400))
    assert metrics.temperature(np.log(softmax(4 * z)), labels) == pytest.approx(found, rel=1e-3)


def test_temperature_goes_to_an_end_where_nothing_holds_it():
    assert metrics.temperature(np.eye(3), np.arange(3)) == pytest.approx(0.05, rel=0.01)
    assert metrics.temperature(np.eye(3), np.array([1, 2, 0])) == pytest.approx(20, rel=0.01)


def test_applied_temperature_is_the_softmax_of_the_divided_logits():
    z, labels = classified()
    T = metrics.temperature(4 * z, labels)
    p = metrics.apply_temperature(softmax(4 * z), T)
    assert np.allclose(p, softmax(4 * z / T))
    assert metrics.calibration_error(p, labels) < metrics.calibration_error(softmax(4 * z), labels)


def test_applied_temperature_keeps_order_and_zeros():
    p = np.array([[0.7, 0.3, 0.0], [1e-9, 1 - 2e-9, 1e-9]])
    assert np.allclose(metrics.apply_temperature(p, 1), p)
    cold, hot = metrics.apply_temperature(p, 0.05), metrics.apply_temperature(p, 1e6)
    assert cold.sum(axis=1) == pytest.approx(1) and cold[0, 0] > 0.999
    assert hot[0] == pytest.approx([0.5, 0.5, 0], abs=1e-5)
    # Half precision, as a network gives it, sums to 1 only nearly.
    half = softmax(np.random.default_rng(4).standard_normal((50, 10))).astype(np.float16)
    assert metrics.apply_temperature(half, 2).sum(axis=1) == pytest.approx(1)


P = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.bootstrap_interval([]), "at least one track"),
        (lambda: metrics.bootstrap_interval(["yes"]), "one number a track"),
        (lambda: metrics.bootstrap_interval([1, np.nan]), "NaN"),
        (lambda: metrics.bootstrap_interval([1], confidence=95), "confidence is 95"),
        (lambda: metrics.bootstrap_interval([1], resamples=0), "resamples is 0"),
        (lambda: metrics.bootstrap_interval([1], seed=-1), "seed is -1"),
        (lambda: metrics.paired_bootstrap([1, 0], [1]), "has 2 tracks and correct_b 1"),
        (lambda: metrics.paired_bootstrap([1], [np.inf]), "correct_b holds NaN"),
        (lambda: metrics.calibration_error(P, [0, 1]), "each of the 3 tracks"),
        (lambda: metrics.calibration_error(P, [0, 1, 2]), "from 0 to 1"),
        (lambda: metrics.calibration_error(P, [0.0, 1.0, 0.0]), "whole number"),
        (lambda: metrics.calibration_error(P, [0, 1, 0], bins=0), "bins is 0"),
        (lambda: metrics.calibration_error(3 * P, [0, 1, 0]), "row 0 sums to 3"),
        (lambda: metrics.calibration_error([[1.5, -0.5]], [0]), "least value is -0.5"),
        (lambda: metrics.coverage_curve(P[0], [0]), "shape"),
        (lambda: metrics.coverage_curve(P[:, :1], [0, 0, 0]), "two classes"),
        (lambda: metrics.temperature([[0, -np.inf]], [0]), "logits holds NaN or inf"),
        (lambda: metrics.temperature(P, [0, 1]), "each of the 3"),
        (lambda: metrics.apply_temperature(P, 0), "T is 0"),
        (lambda: metrics.apply_temperature(P, "warm"), "T is 'warm'"),
    ],
)
def test_measures_of_classifiers_name_bad_input(call, words):
    with pytest.raises(InputError, match=words):
        call()
