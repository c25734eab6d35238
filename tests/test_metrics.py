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
