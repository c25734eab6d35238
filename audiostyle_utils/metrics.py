"""Measures of how near one sound is to another, one function each.

All of them return a plain float. Where two signals differ in length, both are cut to the shorter.
"""

import numpy as np

from audiostyle_utils.audio import check_rate, check_signal
from audiostyle_utils.errors import InputError
from audiostyle_utils.spectra import mel_spectrogram, stft

# Long enough to tell neighbouring notes apart from about 120 Hz up at 22050 Hz.
_CHROMA_N_FFT = 4096
_HOP_LENGTH = 512
# Frames fainter than this against the loudest, in power (-60 dB), carry no pitch worth comparing.
_FAINT = 1e-6
# Frames at the start whose rise in power owes to the zeros in front of the signal.
_EDGE = 3
_SHORTEST = (_EDGE + 2) * _HOP_LENGTH
# Below this, an error is rounding: -200 dB.
_EXACT = 1e-10


def spectral_convergence(S: np.ndarray, y: np.ndarray, hop_length: int = 512) -> float:
    """Return how far the spectrogram of a signal is from the magnitudes it was made for.

    The value is 20 log10(||S - |STFT(y)|| / ||S||), with the norm over all bins and frames. Half
    the error is 6 dB less.

    Parameters
    ----------
    S : np.ndarray, shape (1 + n_fft // 2, frames)
        Magnitudes that were asked for, with an even n_fft.
    y : np.ndarray, shape (samples,)
        Signal that was found. Frames that S has and y has not count as silent; more are left out.
    hop_length : int
        Samples from one frame to the next.

    Returns
    -------
    float
        Decibels, at least -200. Lower is better; 0 is as bad as silence.

    Raises
    ------
    InputError
        S is silent, negative or not a matrix of two bins or more, or the signal is not usable.

    Chapter
    -------
    01_style_transfer

    References
    ----------
    N. Sturmel, L. Daudet (2011). Signal reconstruction from STFT magnitude: a state of the art.
    DAFx.
    """
    S, y = _target(S), _one_channel(y, "y")
    found = np.abs(stft(y, 2 * (S.shape[0] - 1), hop_length))[:, : S.shape[1]]
    found = np.pad(found, ((0, 0), (0, S.shape[1] - found.shape[1])))
    error = np.linalg.norm(S - found) / np.linalg.norm(S)
    return float(20 * np.log10(max(error, _EXACT)))


def chroma_correlation(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Return how well the pitches of a signal follow those of another, moment by moment.

    Each frame is summed up as chroma: the power in each of the twelve pitch classes. The measure
    is the Pearson correlation of the two chroma vectors, averaged over the frames in which the
    reference sounds. It is taken frame by frame, so that a loud chord counts no more than a soft
    one, and a piece that only shares the key of the reference, note for note elsewhere, gets
    little for it. Both signals are held to the same tuning of A at 440 Hz.

    Parameters
    ----------
    y, reference : np.ndarray, shape (samples,)
        Signals at the same rate.
    sr : int
        Sample rate in hertz.

    Returns
    -------
    float
        From -1 to 1. 1: the same harmony; about 0: unrelated, or one of them is silent.

    Raises
    ------
    InputError
        A signal is not usable, or `sr` is not a whole number above zero.

    Chapter
    -------
    01_style_transfer

    References
    ----------
    M. Müller (2015). Fundamentals of Music Processing, chapter 3. Springer.
    """
    y, reference = _same_length(y, reference)
    (ours, _), (theirs, power) = _chroma(y, sr), _chroma(reference, sr)
    sounding = power > _FAINT * power.max(initial=0.0)
    if not sounding.any():
        return 0.0
    return float(_correlations(ours[:, sounding], theirs[:, sounding]).mean())


def onset_correlation(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Return how well the attacks of a signal fall together with those of another.

    The measure is the Pearson correlation of the two onset envelopes. An onset envelope is high
    where the power in many mel bands rises at once.

    Parameters
    ----------
    y, reference : np.ndarray, shape (samples,)
        Signals at the same rate.
    sr : int
        Sample rate in hertz.

    Returns
    -------
    float
        From -1 to 1. 1: the same rhythm; about 0: unrelated, or one of them is steady or silent.

    Raises
    ------
    InputError
        A signal is not usable or shorter than 2560 samples, or `sr` is not a whole number above
        zero.

    Chapter
    -------
    01_style_transfer

    References
    ----------
    S. Böck, G. Widmer (2013). Maximum filter vibrato suppression for onset detection. DAFx.
    """
    y, reference = _same_length(y, reference, min_samples=_SHORTEST)
    envelopes = [_onsets(signal, check_rate(sr))[:, np.newaxis] for signal in (y, reference)]
    return float(_correlations(*envelopes)[0])


def _target(S: np.ndarray) -> np.ndarray:
    """Return magnitudes of shape (bins, frames) that are not silent."""
    S = np.asarray(S)
    if S.ndim != 2 or S.shape[0] < 2 or S.size == 0 or S.dtype.kind not in "fiu":
        raise InputError(f"S has shape {S.shape} and type {S.dtype}. Give magnitudes, bins first.")
    if not np.isfinite(S).all() or S.min() < 0:
        raise InputError("S holds NaN, infinite or negative values. Give magnitudes: np.abs(D).")
    if not S.any():
        raise InputError("S is silent, so no error can be set against it. Give one with sound.")
    return S


def _one_channel(y: np.ndarray, name: str, min_samples: int = 1) -> np.ndarray:
    """Return a signal of one channel as float32."""
    y = check_signal(y, name, min_samples=min_samples)
    if y.ndim != 1:
        raise InputError(f"{name} has {y.shape[0]} channels. Compare one: {name}.mean(axis=0).")
    return y


def _same_length(
    y: np.ndarray, reference: np.ndarray, min_samples: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return two signals of one channel, cut to the shorter."""
    y = _one_channel(y, "y", min_samples)
    reference = _one_channel(reference, "reference", min_samples)
    length = min(y.size, reference.size)
    return y[:length], reference[:length]


def _chroma(y: np.ndarray, sr: int) -> tuple[np.ndarray, np.ndarray]:
    """Return chroma of shape (12, frames), and the power of each frame."""
    import librosa

    power = np.abs(stft(y, _CHROMA_N_FFT, _HOP_LENGTH)) ** 2
    chroma = librosa.feature.chroma_stft(S=power, sr=check_rate(sr), norm=None, tuning=0.0)
    return chroma, power.sum(axis=0)


def _onsets(y: np.ndarray, sr: int) -> np.ndarray:
    """Return the onset envelope of a signal, without the edge where it begins."""
    import librosa

    decibels = librosa.power_to_db(mel_spectrogram(y, sr, hop_length=_HOP_LENGTH))
    # Any recording that starts in full sound looks like one large attack there. Two signals would
    # seem alike just for having a beginning.
    return librosa.onset.onset_strength(S=decibels, sr=sr, center=False)[_EDGE:]


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Pearson correlation of each pair of columns; 0 where one is constant."""
    a, b = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64) for x in (a, b))
    size = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    product = (a * b).sum(axis=0)
    return np.divide(product, size, out=np.zeros_like(product), where=size > 0)
