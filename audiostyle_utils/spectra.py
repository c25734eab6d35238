"""Spectrograms, their way back to sound, and mu-law codes.

Arrays lie as in librosa: one row for each frequency bin, one column for each frame, so a
spectrogram has shape (1 + n_fft // 2, frames). librosa does the standard transforms. Phase
reconstruction is written out here, because a starting phase can be given and it is faster.
"""

import warnings
from numbers import Real

import numpy as np

from audiostyle_utils._checks import whole
from audiostyle_utils.audio import check_rate, check_signal
from audiostyle_utils.errors import InputError

# Relative to the largest magnitude, this is 200 dB down. What is fainter is inaudible, and its
# products would be denormal numbers, which many processors handle in slow motion.
_NEGLIGIBLE = 1e-10
_LOUDEST_DB = 770.0  # float32 ends at 3.4e38
# A bin as faint as this has no phase to keep, and must not be divided by.
_FLOOR = 1e-12
# Where the windows' sum falls below this share of its largest value, the sound fades out
# instead of being blown up.
_THIN = 1e-3


def stft(y: np.ndarray, n_fft: int = 2048, hop_length: int = 512) -> np.ndarray:
    """Return the short-time Fourier transform of a signal.

    Frames are centred on their time, weighted with a Hann window of n_fft samples, and padded
    with zeros at both ends of the signal.

    Parameters
    ----------
    y : np.ndarray, shape (samples,) or (channels, samples)
        Signal.
    n_fft : int
        Samples in a frame, at least 2.
    hop_length : int
        Samples from one frame to the next.

    Returns
    -------
    np.ndarray, complex64, shape (..., 1 + n_fft // 2, 1 + samples // hop_length)
        Complex spectrogram. With even n_fft the samples are counted as they are; an odd n_fft
        gives one frame less where samples is a multiple of hop_length.

    Raises
    ------
    InputError
        The signal is empty or not finite, or a parameter is out of range.

    Chapter
    -------
    01_style_transfer
    """
    import librosa

    y = check_signal(y)
    n_fft, hop_length = whole(n_fft, "n_fft", 2), whole(hop_length, "hop_length", 1)
    with warnings.catch_warnings():
        # A clip shorter than a frame is padded, as every clip is at its ends.
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")
        return librosa.stft(y, n_fft=n_fft, hop_length=hop_length)


def istft(D: np.ndarray, hop_length: int = 512, length: int | None = None) -> np.ndarray:
    """Return the signal of a complex spectrogram: the inverse of `stft` with even n_fft.

    Parameters
    ----------
    D : np.ndarray, complex, shape (..., 1 + n_fft // 2, frames)
        Complex spectrogram.
    hop_length : int
        Samples from one frame to the next, as given to `stft`.
    length : int or None
        Samples of the result; None gives ``hop_length * (frames - 1)``, which may lack the last
        few samples of the original.

    Returns
    -------
    np.ndarray, float32, shape (..., samples)
        Signal.

    Raises
    ------
    InputError
        The spectrogram is empty, not finite or has a single bin, or a parameter is out of range.

    Chapter
    -------
    01_style_transfer
    """
    import librosa

    D = _matrix(D, "D", "fc")
    if D.shape[-2] < 2:
        raise InputError(f"D has shape {D.shape}. Give at least two frequency bins.")
    hop_length, n_fft = whole(hop_length, "hop_length", 1), 2 * (D.shape[-2] - 1)
    natural = hop_length * (D.shape[-1] - 1)
    length = natural if length is None else whole(length, "length", 0)
    if length == 0:
        return np.zeros((*D.shape[:-2], 0), np.float32)
    return librosa.istft(
        D.astype(np.complex64, copy=False), hop_length=hop_length, n_fft=n_fft, length=length
    )


def log_magnitude(D: np.ndarray) -> np.ndarray:
    """Return log(1 + |D|), the scale on which chapter 1 compares sounds.

    The logarithm brings loud and soft closer together, as hearing does. The 1 keeps silence at
    0, where a plain logarithm would fall to minus infinity.

    Parameters
    ----------
    D : np.ndarray, real or complex, any shape
        Spectrogram.

    Returns
    -------
    np.ndarray, float32, same shape
        Log magnitudes, 0 or more.

    Raises
    ------
    InputError
        D is not numeric, or holds NaN or infinite values.

    Chapter
    -------
    01_style_transfer

    References
    ----------
    D. Ulyanov, V. Lebedev (2016). Audio texture synthesis and style transfer.
    """
    return np.log1p(np.abs(_finite(D, "D", "fciu"))).astype(np.float32)


def magnitude_from_log(L: np.ndarray) -> np.ndarray:
    """Return the magnitudes behind log magnitudes: the inverse of `log_magnitude`.

    Parameters
    ----------
    L : np.ndarray, any shape
        Log magnitudes. Values below 0 stand for no sound and give 0, since a magnitude is never
        negative.

    Returns
    -------
    np.ndarray, float32, same shape
        Magnitudes, 0 or more.

    Raises
    ------
    InputError
        L is not real, holds NaN or infinite values, or values over 88, beyond float32.

    Chapter
    -------
    01_style_transfer
    """
    L = _finite(L, "L", "fiu")
    if L.size and L.max() > 88:
        raise InputError(f"L reaches {L.max():.3g}. Give log magnitudes, which stay below 88.")
    return np.expm1(np.maximum(L, 0)).astype(np.float32)


def mel_spectrogram(
    y: np.ndarray,
    sr: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> np.ndarray:
    """Return the power in bands that are spaced as the ear hears pitch.

    Parameters
    ----------
    y : np.ndarray, shape (samples,) or (channels, samples)
        Signal.
    sr : int
        Sample rate in hertz.
    n_fft, hop_length : int
        Samples in a frame, and from one frame to the next.
    n_mels : int
        Number of bands.
    fmin, fmax : float
        Lowest and highest frequency in hertz; `fmax` None means sr / 2.

    Returns
    -------
    np.ndarray, float32, shape (..., n_mels, frames)
        Power in each band, 0 or more.

    Raises
    ------
    InputError
        The signal is not usable, or a parameter is out of range.

    Chapter
    -------
    01_style_transfer
    """
    import librosa

    n_mels, sr = whole(n_mels, "n_mels", 1), check_rate(sr)
    top = _top(sr, fmin, fmax)
    power = np.abs(stft(y, n_fft, hop_length)) ** 2
    # From power alone librosa would take n_fft for even.
    bands = {"n_mels": n_mels, "fmin": fmin, "fmax": top}
    return librosa.feature.melspectrogram(S=power, sr=sr, n_fft=n_fft, **bands)


def magnitude_from_mel(
    M: np.ndarray,
    sr: int,
    n_fft: int = 2048,
    n_iter: int = 30,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> np.ndarray:
    """Find magnitudes whose mel bands have the given power, the inverse of `mel_spectrogram`.

    There are fewer bands than bins, so that many spectra fit. The power of a bin starts as what
    its bands hold, shared out by their filters. Then each round multiplies it by how much its
    bands lack, as in non-negative matrix factorisation, which lowers the squared error and never
    leaves the range of power.

    Parameters
    ----------
    M : np.ndarray, shape (n_mels, frames)
        Power in each band, 0 or more.
    sr : int
        Sample rate in hertz.
    n_fft : int
        Samples in a frame, even.
    n_iter : int
        Number of rounds.
    fmin, fmax : float
        As for `mel_spectrogram`.

    Returns
    -------
    np.ndarray, float32, shape (1 + n_fft // 2, frames)
        Magnitudes, 0 or more; 0 in bins that belong to no band.

    Raises
    ------
    InputError
        M is negative, not finite or no matrix, or a parameter is out of range.

    Chapter
    -------
    05_melgan_vc

    References
    ----------
    D. Lee, H. S. Seung (2001). Algorithms for non-negative matrix factorization. NeurIPS.
    """
    import librosa

    M, sr, n_iter = _single_matrix(M, "M"), check_rate(sr), whole(n_iter, "n_iter", 0)
    n_fft, top = whole(n_fft, "n_fft", 2), _top(sr, fmin, fmax)
    if n_fft % 2:
        raise InputError(f"n_fft is {n_fft}. Give an even number.")
    bank = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=len(M), fmin=fmin, fmax=top)
    loudest = float(M.max())
    if loudest == 0:
        return np.zeros((bank.shape[1], M.shape[1]), np.float32)
    wanted, overlap = bank.T @ (M / np.float32(loudest)), bank.T @ bank
    power = wanted / np.maximum(overlap.sum(axis=1, keepdims=True), _FLOOR)
    for _ in range(n_iter):
        power *= wanted / np.maximum(overlap @ power, _FLOOR)
    return np.sqrt(power * np.float32(loudest))


def waveform_by_descent(
    M: np.ndarray,
    sr: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_iter: int = 2000,
    learning_rate: float = 0.003,
    seed: int = 0,
) -> np.ndarray:
    """Find a signal with a mel spectrogram by gradient descent on its samples.

    It begins with faint noise. Each step of Adam lowers the mean absolute difference in mel
    power; the rate falls by a ten-thousandth a step. It is there to be compared with: the phases
    of `magnitude_from_mel` and `griffin_lim` are found far sooner. It needs PyTorch.

    Parameters
    ----------
    M : np.ndarray, shape (n_mels, frames)
        Power in each band, 0 or more; two frames or more.
    sr : int
        Sample rate in hertz.
    n_fft, hop_length : int
        Samples in a frame, and from one frame to the next.
    n_iter : int
        Number of steps.
    learning_rate : float
        Rate of the first step.
    seed : int
        Of the noise.

    Returns
    -------
    np.ndarray, float32, shape ((frames - 1) * hop_length,)
        Signal.

    Raises
    ------
    InputError
        M is negative, not finite, no matrix or too short, or a parameter is out of range.

    Chapter
    -------
    05_melgan_vc

    References
    ----------
    R. Decorsière, P. Søndergaard, E. MacDonald, T. Dau (2015). Inversion of auditory
    spectrograms, traditional spectrograms, and other envelope representations. IEEE/ACM TASLP
    23(1).
    """
    import librosa
    import torch

    M, sr, n_iter = _single_matrix(M, "M"), check_rate(sr), whole(n_iter, "n_iter", 0)
    n_fft, hop_length = whole(n_fft, "n_fft", 2), whole(hop_length, "hop_length", 1)
    rate, samples = _positive(learning_rate, "learning_rate"), (M.shape[1] - 1) * hop_length
    if samples <= n_fft // 2:
        raise InputError(f"M has {M.shape[1]} frames. Give enough for {n_fft // 2} samples.")
    bank = torch.from_numpy(librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=len(M)))
    wanted, window = torch.from_numpy(M.astype(np.float32)), torch.hann_window(n_fft)
    noise = np.random.default_rng(seed).normal(0, 0.01, samples).astype(np.float32)
    y = torch.from_numpy(noise).requires_grad_()
    adam = torch.optim.Adam([y], lr=rate)
    slower = torch.optim.lr_scheduler.ExponentialLR(adam, 0.9999)
    for _ in range(n_iter):
        power = torch.stft(y, n_fft, hop_length, window=window, return_complex=True).abs() ** 2
        adam.zero_grad()
        (bank @ power - wanted).abs().mean().backward()
        adam.step()
        slower.step()
    return y.detach().numpy()


def to_db(S: np.ndarray, ref: float | None = None, top_db: float | None = 80.0) -> np.ndarray:
    """Return magnitudes in decibels: 20 log10(S / ref).

    Parameters
    ----------
    S : np.ndarray, any shape
        Magnitudes (not power), 0 or more.
    ref : float or None
        Magnitude that becomes 0 dB; None takes the largest of S.
    top_db : float or None
        Values further than this below the largest are raised to there; None keeps them.

    Returns
    -------
    np.ndarray, float32, same shape
        Decibels. A magnitude below 1e-10 counts as 1e-10.

    Raises
    ------
    InputError
        S is negative or not finite, or `ref` or `top_db` is not above zero.

    Chapter
    -------
    01_style_transfer
    """
    S = _magnitudes(S)
    ref = max(float(S.max(initial=0.0)), _NEGLIGIBLE) if ref is None else _positive(ref, "ref")
    db = 20 * (np.log10(np.maximum(S, _NEGLIGIBLE)) - np.log10(ref))
    if top_db is not None and db.size:
        db = np.maximum(db, db.max() - _positive(top_db, "top_db"))
    return db.astype(np.float32)


def from_db(db: np.ndarray, ref: float = 1.0) -> np.ndarray:
    """Return the magnitudes behind decibels: ref * 10 ** (db / 20), the inverse of `to_db`.

    Parameters
    ----------
    db : np.ndarray, any shape
        Decibels.
    ref : float
        Magnitude at 0 dB.

    Returns
    -------
    np.ndarray, float32, same shape
        Magnitudes, 0 or more.

    Raises
    ------
    InputError
        The values are not finite or too large for float32, or `ref` is not above zero.

    Chapter
    -------
    01_style_transfer
    """
    db, ref = _finite(db, "db", "fiu").astype(np.float64), _positive(ref, "ref")
    if db.size and db.max() > _LOUDEST_DB - 20 * np.log10(ref):
        raise InputError(f"db reaches {db.max():.3g}, beyond what float32 holds. Give decibels.")
    return (ref * 10.0 ** (db / 20)).astype(np.float32)


def griffin_lim(
    S: np.ndarray,
    n_iter: int = 60,
    momentum: float = 0.99,
    hop_length: int = 512,
    start: np.ndarray | None = None,
    length: int | None = None,
    seed: int = 0,
    *,
    n_fft: int | None = None,
) -> np.ndarray:
    """Find a signal whose spectrogram has the given magnitudes.

    Magnitudes alone leave the phase open. Each round turns the spectrogram into sound and back,
    which makes the phases of neighbouring frames agree, and then restores the magnitudes. The
    momentum carries each step further in the direction of the last one, and so needs about a
    tenth of the rounds; 0 gives the method of 1984.

    Parameters
    ----------
    S : np.ndarray, shape (1 + n_fft // 2, frames)
        Magnitudes, 0 or more.
    n_iter : int
        Number of rounds. 0 inverts with the starting phase as it is.
    momentum : float
        From 0 to below 1.5. The paper calls it alpha and finds 0.99 best.
    hop_length : int
        Samples from one frame to the next.
    start : np.ndarray or None, shape of S
        Phase to begin with: angles in radians, or complex numbers whose angle is taken.
        None draws random phases.
    length : int or None
        Samples of the result; None gives ``hop_length * (frames - 1)``.
    seed : int
        Seed of the random phases.
    n_fft : int or None
        Samples in a frame. Only needed if it is odd; None means ``2 * (bins - 1)``.

    Returns
    -------
    np.ndarray, float32, shape (samples,)
        Signal.

    Raises
    ------
    InputError
        S is negative, not finite or not a matrix of two bins or more; `start` has another shape;
        or a parameter is out of range.

    Chapter
    -------
    01_style_transfer

    References
    ----------
    D. Griffin, J. Lim (1984). Signal estimation from modified short-time Fourier transform. IEEE
    Transactions on Acoustics, Speech, and Signal Processing 32(2).

    N. Perraudin, P. Balazs, P. L. Søndergaard (2013). A fast Griffin-Lim algorithm. WASPAA.
    """
    S = _single_matrix(S)
    n_iter, n_fft = whole(n_iter, "n_iter", 0), _frame_size(n_fft, S.shape[0])
    if not (_is_real(momentum) and 0 <= momentum < 1.5):
        raise InputError(f"momentum is {momentum!r}. Give a number from 0 to below 1.5, like 0.99.")
    phase = _start_phase(start, S.shape, seed)
    frames = _Frames(n_fft, whole(hop_length, "hop_length", 1), S.shape[1], length)
    largest = float(S.max())
    if largest == 0 or frames.length == 0:
        return np.zeros(frames.length, np.float32)
    target = np.ascontiguousarray(S.T) / np.float32(largest)  # (frames, bins)
    target[target < _NEGLIGIBLE] = 0
    rounded = _rounds(target, target * phase.T, frames, n_iter, np.float32(momentum))
    return frames.signal(rounded) * np.float32(largest)


def mu_law_encode(y: np.ndarray, mu: int = 255) -> np.ndarray:
    """Turn samples into whole numbers, finer near zero where the ear hears more.

    The sample is companded, F(y) = sign(y) log(1 + mu |y|) / log(1 + mu), and F is rounded to
    one of mu + 1 equal steps.

    Parameters
    ----------
    y : np.ndarray, any shape
        Samples between -1 and 1.
    mu : int
        Largest code; 255 gives 8 bits.

    Returns
    -------
    np.ndarray, int32, same shape
        Codes from 0 to `mu`.

    Raises
    ------
    InputError
        A sample is beyond -1 to 1 or no number, or `mu` is not a whole number above 0.

    Chapter
    -------
    01_style_transfer

    References
    ----------
    ITU-T Recommendation G.711 (1988). Pulse code modulation (PCM) of voice frequencies.

    A. van den Oord et al. (2016). WaveNet: A generative model for raw audio. arXiv:1609.03499.
    """
    y, mu = _finite(y, "y", "f"), whole(mu, "mu", 1)
    if y.size and np.abs(y).max() > 1:
        raise InputError(f"y peaks at {np.abs(y).max():.4g}, and mu-law needs -1 to 1: normalise.")
    companded = np.sign(y) * np.log1p(mu * np.abs(y.astype(np.float64))) / np.log1p(mu)
    return np.floor((companded + 1) / 2 * mu + 0.5).astype(np.int32)


def mu_law_decode(codes: np.ndarray, mu: int = 255) -> np.ndarray:
    """Turn mu-law codes back into samples.

    Parameters
    ----------
    codes : np.ndarray of whole numbers, any shape
        Codes from 0 to `mu`.
    mu : int
        Largest code.

    Returns
    -------
    np.ndarray, float32, same shape
        Samples between -1 and 1.

    Raises
    ------
    InputError
        A code is no whole number from 0 to `mu`, or `mu` is not a whole number above 0.

    Chapter
    -------
    01_style_transfer

    References
    ----------
    ITU-T Recommendation G.711 (1988). Pulse code modulation (PCM) of voice frequencies.
    """
    codes, mu = np.asarray(codes), whole(mu, "mu", 1)
    if codes.dtype.kind not in "iu":
        raise InputError("codes are not whole numbers. Give what mu_law_encode returned.")
    if codes.size and (codes.min() < 0 or codes.max() > mu):
        raise InputError(f"codes reach from {codes.min()} to {codes.max()}. Give 0 to {mu}.")
    companded = 2 * codes.astype(np.float64) / mu - 1
    return (np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(mu)) / mu).astype(np.float32)


class _Frames:
    """Turns spectra into a signal and back, with all that stays the same made once.

    Spectra have one row for each frame here, so that every transform reads memory in order.
    """

    def __init__(self, n_fft: int, hop_length: int, count: int, length: int | None) -> None:
        from scipy.signal.windows import hann

        natural = hop_length * (count - 1)
        self.length = natural if length is None else whole(length, "length", 0)
        self.n_fft, self.hop_length, self.count = n_fft, hop_length, count
        self.window = hann(n_fft, sym=False).astype(np.float32)
        blocks = count + -(-n_fft // hop_length)
        self.blocks = np.zeros((blocks, hop_length), np.float32)
        self.weight = self._weights()

    def _weights(self) -> np.ndarray:
        """Return the inverse of the windows' sum, and 0 outside the signal."""
        total = self._overlap_add(np.broadcast_to(self.window**2, (self.count, self.n_fft))).copy()
        weight = 1 / np.maximum(total, _THIN * total.max())
        first = self.n_fft // 2
        weight[:first] = 0
        weight[first + self.length :] = 0
        return weight

    def _overlap_add(self, frames: np.ndarray) -> np.ndarray:
        """Sum frames at their places, one hop-sized slice of all frames at a time."""
        self.blocks.fill(0)
        for k, first in enumerate(range(0, self.n_fft, self.hop_length)):
            piece = frames[:, first : first + self.hop_length]
            self.blocks[k : k + self.count, : piece.shape[1]] += piece
        return self.blocks.reshape(-1)

    def padded(self, D: np.ndarray) -> np.ndarray:
        """Return the signal of spectra (count, bins), with half a frame of zeros in front."""
        from scipy.fft import irfft

        frames = irfft(D, self.n_fft, axis=1)
        frames *= self.window
        y = self._overlap_add(frames)
        y *= self.weight
        return y

    def spectra(self, y: np.ndarray) -> np.ndarray:
        """Return the spectra (count, bins) of a padded signal."""
        from scipy.fft import rfft

        views = np.lib.stride_tricks.sliding_window_view(y, self.n_fft)[:: self.hop_length]
        return rfft(views[: self.count] * self.window, axis=1)

    def signal(self, D: np.ndarray) -> np.ndarray:
        """Return the signal of spectra, cut or filled up to its length."""
        first = self.n_fft // 2
        y = self.padded(D)[first : first + self.length]
        return np.pad(y, (0, self.length - y.size))


def _rounds(
    target: np.ndarray, D: np.ndarray, frames: _Frames, n_iter: int, momentum: np.float32
) -> np.ndarray:
    """Run the rounds of `griffin_lim` on spectra of shape (frames, bins)."""
    last = None
    for _ in range(n_iter):
        rebuilt = frames.spectra(frames.padded(D))
        if momentum and last is not None:
            np.subtract(rebuilt, last, out=D)
            D *= momentum
            D += rebuilt
        else:
            D = rebuilt.copy()
        size = np.abs(D)
        np.maximum(size, _FLOOR, out=size)
        np.divide(target, size, out=size)
        D *= size
        last = rebuilt
    return D


def _start_phase(start: np.ndarray | None, shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return phases as complex numbers of size 1."""
    if start is None:
        rng = np.random.default_rng(whole(seed, "seed", 0))
        angle = rng.uniform(-np.pi, np.pi, shape).astype(np.float32)
    else:
        start = _finite(start, "start", "fc")
        if start.shape != shape:
            raise InputError(f"start has shape {start.shape} and S has {shape}. Give one of S's.")
        angle = np.angle(start) if start.dtype.kind == "c" else start
    return np.exp(1j * angle).astype(np.complex64)


def _frame_size(n_fft: int | None, bins: int) -> int:
    """Return n_fft, which the number of bins gives up to one."""
    if bins < 2:
        raise InputError(f"S has {bins} frequency bin. Give at least two.")
    even = 2 * (bins - 1)
    n_fft = even if n_fft is None else whole(n_fft, "n_fft", 2)
    if n_fft not in (even, even + 1):
        raise InputError(f"n_fft is {n_fft}, but {bins} bins come from {even} or {even + 1}.")
    return n_fft


def _top(sr: int, fmin: float, fmax: float | None) -> float:
    """Return the upper end of the mel bands in hertz."""
    top = sr / 2 if fmax is None else fmax
    if not (_is_real(fmin) and _is_real(top) and 0 <= fmin < top <= sr / 2):
        raise InputError(
            f"fmin {fmin!r} and fmax {fmax!r} must satisfy 0 <= fmin < fmax <= {sr / 2:g}."
        )
    return top


def _single_matrix(S: np.ndarray, name: str = "S") -> np.ndarray:
    """Return magnitudes, or power, of one channel."""
    S = _magnitudes(S, name)
    if S.ndim != 2 or S.size == 0:
        raise InputError(f"{name} has shape {S.shape}. Give (bins, frames), one channel at a time.")
    return S


def _matrix(D: np.ndarray, name: str, kinds: str) -> np.ndarray:
    """Return a spectrogram with at least one bin and one frame."""
    D = _finite(D, name, kinds)
    if D.ndim < 2 or D.size == 0:
        raise InputError(f"{name} has shape {D.shape}. Give (..., bins, frames), none of them 0.")
    return D


def _magnitudes(S: np.ndarray, name: str = "S") -> np.ndarray:
    """Return magnitudes as float32, or say why they are none."""
    S = _finite(S, name, "fiu")
    if S.size and S.min() < 0:
        raise InputError(
            f"{name} goes down to {S.min():.3g}. Give magnitudes, 0 or more: np.abs(D)."
        )
    with np.errstate(over="ignore"):
        return _finite(S.astype(np.float32, copy=False), name, "f")


def _finite(x: np.ndarray, name: str, kinds: str) -> np.ndarray:
    """Return an array of one of the kinds of numbers, all of them finite."""
    x = np.asarray(x)
    if x.dtype.kind not in kinds:
        or_complex = " or complex" if "c" in kinds else ""
        raise InputError(f"{name} has type {x.dtype}. Give an array of real{or_complex} numbers.")
    if not np.isfinite(x).all():
        raise InputError(f"{name} holds NaN or infinite values. Find the step that made them.")
    return x


def _is_real(value: object) -> bool:
    """Tell whether a value is a finite real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(value))


def _positive(value: float, name: str) -> float:
    """Return a number above zero as a float."""
    if not (_is_real(value) and value > 0):
        raise InputError(f"{name} is {value!r}. Give a number above zero.")
    return float(value)
