"""Measures, one function each: of two sounds, of a classifier, of music as tokens.

Those of sounds return a plain float. Where two signals differ in length, both are cut to the
shorter. Those of classifiers take one row of probabilities and one label for each track. Those of
music take sequences of anything that can be told apart: numbers, words, or tuples of them.
"""

import math
import numbers
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain

import numpy as np

from audiostyle_utils._checks import is_whole, whole
from audiostyle_utils.audio import check_rate, check_signal, resample
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
# What a sum of probabilities may miss 1 by: the rounding of float16.
_ROUNDING = 5e-3
# The temperatures that are tried. Beyond them, probabilities are as good as even or certain.
_COLDEST, _HOTTEST = 0.05, 20.0
_CEPSTRAL_BANDS = 80
# Pitches are looked for from C2 to C7, where one note at a time is usually played or sung.
_LOWEST, _HIGHEST = 65.4, 2093.0
# At this rate all of that range can be told, in half the time that it takes at 44100 Hz.
_PITCH_SR = 16000
# Fewer frames with a pitch, 0.32 s of them, say nothing of a melody; nor does a pitch that moves by
# less than this, in semitones.
_FEWEST_PITCHES, _STEADY = 10, 0.25


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


def mel_cepstral_distortion(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Return how far the timbre of a voice is from that of another that says the same words.

    Each frame is summed up by cepstral coefficients: the cosine transform of the natural
    logarithm of the magnitudes in 80 mel bands. They tell the shape of the spectrum; the first
    one, its level, is left out, and the next 24 are kept. They are scaled as the mel-cepstra of
    vocoders are, so that for two frames the measure is about the root mean square difference of
    their smoothed spectra in decibels. The two readings never take the same time, so dynamic time
    warping lays their frames side by side. The measure is the mean over these pairs of
    10 / ln 10 * sqrt(2 * sum of squared differences).

    Windows last 64 ms, one every 12 ms. Bands fainter by 60 dB than the loudest of their signal
    are raised to there, so that nothing is heard in silence; and silence at both ends is left out.
    Other recipes give other numbers: compare only what was measured by the same one.

    Parameters
    ----------
    y, reference : np.ndarray, shape (samples,)
        Signals at the same rate, of any lengths. They are not cut.
    sr : int
        Sample rate in hertz.

    Returns
    -------
    float
        Decibels, 0 or more. 0: the same spectra up to their level.

    Raises
    ------
    InputError
        A signal is not usable or silent, or `sr` is not a whole number above zero.

    Chapter
    -------
    05_melgan_vc

    References
    ----------
    R. Kubichek (1993). Mel-cepstral distance measure for objective speech quality assessment.
    IEEE Pacific Rim Conference on Communications, Computers and Signal Processing.
    """
    import librosa

    ours = _cepstra(_one_channel(y, "y"), check_rate(sr), "y")
    theirs = _cepstra(_one_channel(reference, "reference"), check_rate(sr), "reference")
    _, path = librosa.sequence.dtw(ours, theirs)
    apart = ours[:, path[:, 0]] - theirs[:, path[:, 1]]
    return float(10 / np.log(10) * np.sqrt(2 * (apart**2).sum(axis=0)).mean())


def pitch_correlation(
    y: np.ndarray, reference: np.ndarray, sr: int, *, align: bool = False
) -> float:
    """Return how well the melody of a signal follows that of another: rises with it, falls with it.

    The pitch of each frame of 32 ms is found by pYIN, from C2 to C7. The measure is the Pearson
    correlation of the two pitch tracks in semitones: their normalised cross-correlation at lag 0,
    each without its mean. In semitones, an interval counts alike high and low; without the means, a
    melody an octave higher is the same melody. An octave that is jumped for some of the notes only
    does count against the signal. Frames in which either signal has no pitch are left out, so that
    a signal with a pitch in few of them is judged by these few.

    With `align`, the tracks are first laid side by side by dynamic time warping, each without its
    mean and without its frames that have no pitch: what is left is whether the same pitches come in
    the same order. Warping finds something in common between any two melodies, so compare the value
    with that of an unrelated pair.

    pYIN looks for one pitch at a time. Of chords it follows one voice at best, and not the same on
    all instruments: compare the value with that of a pair that is known to play the same. YIN is
    quicker, but it gives a pitch to noise and silence, too. Ten seconds of sound take about a
    quarter of a second for each signal.

    Parameters
    ----------
    y, reference : np.ndarray, shape (samples,)
        Signals at the same rate, of 0.32 s or more. With `align`, they are not cut.
    sr : int
        Sample rate in hertz.
    align : bool
        Whether time may be stretched and shrunk.

    Returns
    -------
    float
        From -1 to 1. 1: the same melody in any key; -1: it falls where the reference rises. 0 also
        where one of them stays on one pitch, to within a quarter of a semitone, and where fewer
        than ten frames (with `align`: of either signal) have a pitch.

    Raises
    ------
    InputError
        A signal is not usable, too short or silent, or `sr` is not a whole number above zero.

    Chapter
    -------
    07_music_translation

    References
    ----------
    N. Mor, L. Wolf, A. Polyak, Y. Taigman (2019). A universal music translation network. ICLR.

    M. Mauch, S. Dixon (2014). pYIN: a fundamental frequency estimator using probabilistic threshold
    distributions. ICASSP.
    """
    shortest = math.ceil(_FEWEST_PITCHES * _HOP_LENGTH / _PITCH_SR * check_rate(sr))
    ours, theirs = _sounding(y, reference, shortest, cut=not align)
    ours, theirs = _pitches(ours, sr), _pitches(theirs, sr)
    ours, theirs = _warped(ours, theirs) if align else _voiced(ours, theirs)
    if ours.size < _FEWEST_PITCHES or min(ours.std(), theirs.std()) < _STEADY:
        return 0.0
    return float(_correlations(ours[:, np.newaxis], theirs[:, np.newaxis])[0])


def log_spectral_distance(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Return how far the spectrum of a signal is from that of another, moment by moment.

    The measure is the root mean square, over 80 mel bands and all frames, of the difference of
    their powers in decibels. The signal is first brought to the root mean square level of the
    reference, so that a gain of 6 dB, or of any other size, gives 0. Powers fainter by 60 dB than
    the loudest of the reference are raised to there in both, so that nothing is heard in silence.

    It asks for the same sound at the same time. Two takes of the same noise, which sound alike, are
    as far apart as chance makes them: white noise at 22050 Hz by about 2.6 dB.

    Parameters
    ----------
    y, reference : np.ndarray, shape (samples,)
        Signals at the same rate.
    sr : int
        Sample rate in hertz.

    Returns
    -------
    float
        Decibels, from 0 up. 0: the same spectra up to their level.

    Raises
    ------
    InputError
        A signal is not usable or silent, or `sr` is not a whole number above zero.

    Chapter
    -------
    07_music_translation

    References
    ----------
    A. H. Gray, J. D. Markel (1976). Distance measures for speech processing. IEEE Transactions on
    Acoustics, Speech, and Signal Processing 24(5).
    """
    ours, theirs = (signal.astype(np.float64) for signal in _sounding(y, reference))
    ours *= np.linalg.norm(theirs) / np.linalg.norm(ours)
    bands = {"hop_length": _HOP_LENGTH, "n_mels": _CEPSTRAL_BANDS}
    ours, theirs = (mel_spectrogram(signal, sr, **bands) for signal in (ours, theirs))
    floor = _FAINT * theirs.max()
    apart = np.log10(np.maximum(ours, floor)) - np.log10(np.maximum(theirs, floor))
    return float(10 * np.sqrt(np.mean(apart.astype(np.float64) ** 2)))


def seam_ratio(levels: np.ndarray, borders: Sequence[int]) -> float:
    """Return how much more a spectrogram changes where pieces were joined than elsewhere.

    The change from one frame to the next is the mean absolute difference of their levels.

    Parameters
    ----------
    levels : np.ndarray, shape (bands, frames)
        Decibels, or another scale on which equal steps are heard as equal.
    borders : sequence of int
        Frames with which a new piece begins, from 1 to frames - 1.

    Returns
    -------
    float
        Mean change at the borders, divided by the mean change at all other places. 1: the joins
        do not show. Few borders make it uncertain: take many, or the mean over many clips.

    Raises
    ------
    InputError
        There are no borders, or no other places, or a border is out of range.

    Chapter
    -------
    05_melgan_vc
    """
    levels = np.asarray(levels)
    if levels.ndim != 2 or levels.dtype.kind not in "fiu" or not np.isfinite(levels).all():
        raise InputError(f"levels has shape {levels.shape}. Give finite decibels, (bands, frames).")
    change = np.abs(np.diff(levels.astype(np.float64), axis=1)).mean(axis=0)
    joined = np.zeros(change.size, bool)
    for border in borders:
        if not is_whole(border) or not 1 <= border <= change.size:
            raise InputError(f"borders holds {border!r}. Give frames from 1 to {change.size}.")
        joined[border - 1] = True
    if not joined.any() or joined.all() or not change[~joined].any():
        raise InputError("levels has no borders, or nothing that changes elsewhere, to compare.")
    return float(change[joined].mean() / change[~joined].mean())


def bootstrap_interval(
    correct: np.ndarray, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return how far the mean over the tracks might lie from what was measured.

    This is the percentile bootstrap: as many tracks as there are, drawn with replacement, time and
    again. The interval holds the middle part of the means. It tells what other tracks of the same
    kind could have given, not what another training of the network would give. Where all tracks
    agree, it has no width: that says little for a handful of tracks.

    Parameters
    ----------
    correct : np.ndarray, shape (tracks,)
        True or 1 for each track that was right, else False or 0; or any other number a track.
    confidence : float
        The part of the means that the interval holds, between 0 and 1.
    resamples : int
        How often the tracks are drawn, at least 1.
    seed : int
        Of the draws, 0 or more. The same seed gives the same interval.

    Returns
    -------
    low, high : float
        The ends, in the unit of `correct`.

    Raises
    ------
    InputError
        `correct` is not a filled row of finite numbers, or another value is out of its range.

    Chapter
    -------
    02_genre_cnn

    References
    ----------
    B. Efron, R. J. Tibshirani (1993). An Introduction to the Bootstrap. Chapman & Hall.
    """
    values = _per_track(correct, "correct")
    _check_bootstrap(confidence, resamples, seed)
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(values.size, size=values.size)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def paired_bootstrap(
    correct_a: np.ndarray,
    correct_b: np.ndarray,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return how much better one system is than another on the same tracks, with its interval.

    Each draw takes the same tracks for both, so that tracks which are hard for both cancel out.
    An interval that leaves out 0 speaks for a true difference.

    Parameters
    ----------
    correct_a, correct_b : np.ndarray, shape (tracks,)
        What each system got on each track, in the same order: True or 1 where it was right.
    confidence, resamples, seed
        As for `bootstrap_interval`.

    Returns
    -------
    difference : float
        Mean of `correct_a` less mean of `correct_b`; above 0 where a is better.
    low, high : float
        The ends of the interval of the difference.

    Raises
    ------
    InputError
        The two differ in length, or as for `bootstrap_interval`.

    Chapter
    -------
    02_genre_cnn

    References
    ----------
    B. Efron, R. J. Tibshirani (1993). An Introduction to the Bootstrap. Chapman & Hall.
    """
    a, b = _per_track(correct_a, "correct_a"), _per_track(correct_b, "correct_b")
    if a.size != b.size:
        raise InputError(
            f"correct_a has {a.size} tracks and correct_b {b.size}. "
            "Give what both systems got on the same tracks, in the same order."
        )
    low, high = bootstrap_interval(a - b, confidence, resamples, seed)
    return float((a - b).mean()), low, high


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """Return how far the stated confidence is from the accuracy: expected calibration error.

    The confidence of a track is its largest probability. The tracks are put into equal bins by
    confidence, bin m holding those in ((m - 1) / bins, m / bins]. With n(m) of the n tracks in bin
    m,

    ECE = sum over m of n(m) / n * abs(accuracy(m) - mean confidence(m)).

    Parameters
    ----------
    probabilities : np.ndarray, shape (tracks, classes)
        Each row sums to 1.
    labels : np.ndarray of int, shape (tracks,)
        Number of the true class, from 0.
    bins : int
        Number of bins, at least 1.

    Returns
    -------
    float
        From 0 to 1. 0: of the tracks with confidence 0.7, 70 % are right, and so on.

    Raises
    ------
    InputError
        The probabilities or labels are not usable or do not agree in number.

    Chapter
    -------
    02_genre_cnn

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017). On calibration of modern neural networks.
    ICML.
    """
    confidence, accuracy, count = reliability_curve(probabilities, labels, bins)
    return float((count * np.abs(accuracy - confidence)).sum() / count.sum())


def reliability_curve(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return accuracy against confidence, bin by bin: the points of a reliability diagram.

    Parameters
    ----------
    probabilities, labels, bins
        As for `calibration_error`.

    Returns
    -------
    confidence : np.ndarray, shape (filled bins,)
        Mean of the largest probability of the tracks in each bin, rising. Empty bins are left out.
    accuracy : np.ndarray, shape (filled bins,)
        Part of these tracks that is right. Equal to the confidence where calibration is perfect.
    count : np.ndarray of int, shape (filled bins,)
        Number of tracks in each bin.

    Raises
    ------
    InputError
        The probabilities or labels are not usable or do not agree in number.

    Chapter
    -------
    02_genre_cnn
    """
    certain, right = _outcomes(probabilities, labels)
    whole(bins, "bins", 1)
    inner = np.arange(1, bins) / bins
    place = np.digitize(certain, inner, right=True)
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    means = [np.bincount(place, x, bins)[filled] / count[filled] for x in (certain, right)]
    return means[0], means[1], count[filled]


def coverage_curve(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the accuracy on the most confident tracks, for each number of tracks that are kept.

    The tracks that are not kept would go to a person. Where several tracks share a confidence, any
    of them may be kept first: the curve is the mean over these orders.

    Parameters
    ----------
    probabilities : np.ndarray, shape (tracks, classes)
        Each row sums to 1.
    labels : np.ndarray of int, shape (tracks,)
        Number of the true class, from 0.

    Returns
    -------
    coverage : np.ndarray, shape (tracks,)
        Part of the tracks that is kept: 1/n, 2/n, ..., 1.
    accuracy : np.ndarray, shape (tracks,)
        Part of the kept tracks that is right. The last value is the accuracy on all of them.

    Raises
    ------
    InputError
        The probabilities or labels are not usable or do not agree in number.

    Chapter
    -------
    02_genre_cnn

    References
    ----------
    Y. Geifman, R. El-Yaniv (2017). Selective classification for deep neural networks. NeurIPS.
    """
    certain, right = _outcomes(probabilities, labels)
    _, tie, size = np.unique(-certain, return_inverse=True, return_counts=True)
    shared = np.bincount(tie, right) / size
    kept = np.arange(1, certain.size + 1)
    return kept / certain.size, np.cumsum(np.repeat(shared, size)) / kept


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature T at which softmax(logits / T) fits the labels best.

    Best is the least mean negative log likelihood of the true classes. Above 1, the network was
    too sure of itself; below 1, not sure enough. The class that comes first stays the same. Fit it
    on tracks that the network was not trained on, and report on others still.

    Parameters
    ----------
    logits : np.ndarray, shape (tracks, classes)
        What goes into the softmax, or the logarithm of what comes out of it: both give the same T.
    labels : np.ndarray of int, shape (tracks,)
        Number of the true class, from 0.

    Returns
    -------
    float
        From 0.05 to 20. An end of this range means that the labels set no limit: where all tracks
        are right, the lowest is always the best, however few they are.

    Raises
    ------
    InputError
        The logits or labels are not usable or do not agree in number.

    Chapter
    -------
    02_genre_cnn

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017). On calibration of modern neural networks.
    ICML.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    z = _class_rows(logits, "logits")
    true = (np.arange(len(z)), _labels(labels, *z.shape))

    def loss(log_T: float) -> float:
        return -log_softmax(z / math.exp(log_T), axis=1)[true].mean()

    ends = math.log(_COLDEST), math.log(_HOTTEST)
    return math.exp(minimize_scalar(loss, bounds=ends, method="bounded").x)


def apply_temperature(probabilities: np.ndarray, T: float) -> np.ndarray:
    """Return probabilities as they are at another temperature: p ** (1 / T), made to sum to 1.

    For the output p of a softmax this is the softmax of its logits divided by T.

    Parameters
    ----------
    probabilities : np.ndarray, shape (tracks, classes)
        Each row sums to 1.
    T : float
        As found by `temperature`; above 0. 1 changes nothing, and more brings a row nearer to even.

    Returns
    -------
    np.ndarray, shape (tracks, classes)
        Each row sums to 1, in the order of classes that it had.

    Raises
    ------
    InputError
        The probabilities are not usable, or `T` is not above 0.

    Chapter
    -------
    02_genre_cnn
    """
    p = _probabilities(probabilities)
    if not isinstance(T, numbers.Real) or not 0 < T < math.inf:
        raise InputError(
            f"T is {T!r}. Give a finite number above 0, such as temperature() returns."
        )
    # The largest is 1 before the power, so that no row vanishes at a low temperature.
    p = (p / p.max(axis=1, keepdims=True)) ** (1 / float(T))
    return p / p.sum(axis=1, keepdims=True)


def histogram_overlap(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Return how much the histograms of two samples have in common.

    The value is the sum over all x of min(p(x), q(x)), where p and q are the parts of `a` and of
    `b` that equal x. It does not ask how near two different values are.

    Parameters
    ----------
    a, b : sequence
        Values of a kind, such as pitch classes or note lengths; the two may differ in number. At
        least one each.

    Returns
    -------
    float
        From 0, no value in common, to 1, the same shares of the same values.

    Raises
    ------
    InputError
        A sample is empty, or not a sequence of values that can be told apart.

    Chapter
    -------
    03_lstm_music

    References
    ----------
    M. J. Swain, D. H. Ballard (1991). Color indexing. International Journal of Computer Vision 7.
    """
    a, b = _values(a, "a"), _values(b, "b")
    p, q = Counter(a), Counter(b)
    # In whole numbers up to here, so that equal shares give 1 and not nearly 1.
    shared = sum(min(p[x] * len(b), q[x] * len(a)) for x in p.keys() & q.keys())
    return shared / (len(a) * len(b))


def repeated_share(sequence: Sequence[Hashable], n: int = 8) -> float:
    """Return which part of the passages of n tokens occurred before in the same sequence.

    A sequence of L tokens has L - n + 1 such passages, one from each token on; if d of them differ,
    the value is 1 - d / (L - n + 1). Music repeats itself: compare with real pieces of the same
    length, as a longer one has more to repeat.

    Parameters
    ----------
    sequence : sequence
        Tokens, at least `n`.
    n : int
        Length of a passage in tokens, at least 1.

    Returns
    -------
    float
        From 0, no passage comes twice, to nearly 1, a loop.

    Raises
    ------
    InputError
        The sequence is shorter than `n` or not one of values that can be told apart, or `n` is
        not a whole number of at least 1.

    Chapter
    -------
    03_lstm_music
    """
    whole(n, "n", 1)
    values = _values(sequence, "sequence")
    if len(values) < n:
        raise InputError(
            f"sequence has {len(values)} values, which is less than one passage of n = {n}. "
            "Give a longer sequence or a smaller n."
        )
    passages = list(zip(*(values[start:] for start in range(n)), strict=False))
    return 1 - len(set(passages)) / len(passages)


def loop_share(sequence: Sequence[Hashable]) -> float:
    """Return which part of a sequence its longest loop fills.

    A loop is a passage that follows upon itself at once, so that it stands there three times or
    more; the last time may be followed by a part of it, which counts too. With a passage of p
    tokens, these are p + r tokens, where r tokens in a row (2 p or more) equal the one p before.

    Parameters
    ----------
    sequence : sequence
        Tokens, at least one.

    Returns
    -------
    float
        Length of the longest loop by that of the sequence: 0 without a loop; near 1 where the
        music is stuck on one note or goes round in a circle. Real pieces may hold a loop, too.

    Raises
    ------
    InputError
        The sequence is empty, or not one of values that can be told apart.

    Chapter
    -------
    03_lstm_music
    """
    ids, _ = _numbered(_values(sequence, "sequence"))
    longest = 0
    for period in range(1, ids.size // 3 + 1):
        run = _longest_run(ids[period:] == ids[:-period])
        if run >= 2 * period:
            longest = max(longest, period + run)
    return longest / ids.size


def longest_copy(
    sequence: Sequence[Hashable], corpus: Sequence[Sequence[Hashable]]
) -> tuple[int, int | None, int | None]:
    """Find the longest passage of a sequence that stands unchanged in a corpus.

    To find a passage in any key, give the interval from the note before and the length of each
    note, as tuples, instead of the notes. What is common in real music too is no plagiarism:
    compare with the longest passage that a held-out piece shares with the corpus.

    Parameters
    ----------
    sequence : sequence
        Tokens, at least one.
    corpus : sequence of sequences
        Tokens of the pieces, at least one piece. No passage reaches from one into the next.

    Returns
    -------
    length : int
        Of the passage, in tokens; 0 where no token is in common.
    index, start : int or None
        The passage is ``corpus[index][start : start + length]``, the first if there are several.
        None where no token is in common.

    Raises
    ------
    InputError
        The sequence or the corpus is empty, or one of them is not made of values that can be told
        apart.

    Chapter
    -------
    03_lstm_music
    """
    ours, known = _numbered(_values(sequence, "sequence"))
    theirs, starts = _joined_corpus(corpus, known)
    length, place = _longest_shared(ours, theirs)
    if not length:
        return 0, None, None
    index = int(np.searchsorted(starts, place, side="right")) - 1
    return length, index, int(place - starts[index])


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


def _sounding(
    y: np.ndarray, reference: np.ndarray, min_samples: int = 1, cut: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return two signals of one channel that are not silent, cut to the shorter if asked for."""
    y = _one_channel(y, "y", min_samples)
    reference = _one_channel(reference, "reference", min_samples)
    if cut:
        y, reference = _same_length(y, reference)
    for signal, name in ((y, "y"), (reference, "reference")):
        if not signal.any():
            raise InputError(f"{name} is silent. Give a signal with sound.")
    return y, reference


def _pitches(y: np.ndarray, sr: int) -> np.ndarray:
    """Return the pitch of each frame in semitones, NaN where there is none."""
    import librosa

    y = resample(y, sr, _PITCH_SR)
    # Steps of a quarter of a semitone take a tenth of the time of the usual ones of a tenth.
    f0, _, _ = librosa.pyin(
        y, fmin=_LOWEST, fmax=_HIGHEST, sr=_PITCH_SR, hop_length=_HOP_LENGTH, resolution=0.25
    )
    return 12 * np.log2(f0)


def _voiced(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames of two pitch tracks in which both have a pitch."""
    both = np.isfinite(ours) & np.isfinite(theirs)
    return ours[both], theirs[both]


def _warped(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two pitch tracks side by side, without frames that have no pitch."""
    import librosa

    ours, theirs = (track[np.isfinite(track)] for track in (ours, theirs))
    if min(ours.size, theirs.size) < _FEWEST_PITCHES:
        return ours[:0], theirs[:0]
    _, path = librosa.sequence.dtw((ours - ours.mean())[None], (theirs - theirs.mean())[None])
    return ours[path[:, 0]], theirs[path[:, 1]]


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


def _cepstra(y: np.ndarray, sr: int, name: str) -> np.ndarray:
    """Return cepstral coefficients 1 to 24 of the sounding part of a signal, (24, frames)."""
    from scipy.fft import dct

    size, hop = 2 * round(0.032 * sr), round(0.012 * sr)
    power = mel_spectrogram(y, sr, size, hop, _CEPSTRAL_BANDS)
    floor = _FAINT * float(power.max())
    sounding = np.flatnonzero((power > floor).any(axis=0))
    if floor == 0 or not sounding.size:
        raise InputError(f"{name} is silent. Give a signal with sound.")
    levels = 0.5 * np.log(np.maximum(power[:, sounding[0] : sounding[-1] + 1], floor))
    return dct(levels.astype(np.float64), axis=0)[1:25] / _CEPSTRAL_BANDS


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Pearson correlation of each pair of columns; 0 where one is constant."""
    a, b = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64) for x in (a, b))
    size = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    product = (a * b).sum(axis=0)
    return np.divide(product, size, out=np.zeros_like(product), where=size > 0)


def _per_track(values: np.ndarray, name: str) -> np.ndarray:
    """Return one number a track, as float64."""
    values = np.asarray(values)
    if values.ndim != 1 or not values.size or values.dtype.kind not in "bfiu":
        raise InputError(
            f"{name} has shape {values.shape} and type {values.dtype}. "
            "Give one number a track, and at least one track."
        )
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds NaN or infinite values. Leave out tracks without a result.")
    return values.astype(np.float64)


def _check_bootstrap(confidence: float, resamples: int, seed: int) -> None:
    if not isinstance(confidence, numbers.Real) or not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence!r}. Give a number between 0 and 1: 0.95.")
    whole(resamples, "resamples", 1)
    whole(seed, "seed", 0)


def _class_rows(values: np.ndarray, name: str) -> np.ndarray:
    """Return an array of shape (tracks, classes) as float64."""
    values = np.asarray(values)
    if values.ndim != 2 or not len(values) or values.shape[1] < 2 or values.dtype.kind not in "fiu":
        raise InputError(
            f"{name} has shape {values.shape} and type {values.dtype}. "
            "Give numbers of shape (tracks, classes), with at least one track and two classes."
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{name} holds NaN or infinite values. "
            "Before a logarithm, raise zeros a little: np.log(np.maximum(p, 1e-12))."
        )
    return values.astype(np.float64)


def _probabilities(values: np.ndarray) -> np.ndarray:
    p = _class_rows(values, "probabilities")
    sums = p.sum(axis=1)
    if p.min() < 0 or np.abs(sums - 1).max() > _ROUNDING:
        row = int(np.abs(sums - 1).argmax()) if p.min() >= 0 else int(p.min(axis=1).argmin())
        raise InputError(
            f"probabilities: row {row} sums to {sums[row]:g}, its least value is "
            f"{p[row].min():g}. Each row must be 0 or more and sum to 1: apply softmax first."
        )
    return p


def _labels(labels: np.ndarray, tracks: int, classes: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (tracks,) or labels.dtype.kind not in "iu":
        raise InputError(
            f"labels has shape {labels.shape} and type {labels.dtype}. "
            f"Give one whole number for each of the {tracks} tracks."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(
            f"labels go from {labels.min()} to {labels.max()}, but there are {classes} classes. "
            f"Number the classes from 0 to {classes - 1}."
        )
    return labels.astype(np.int64)


def _outcomes(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each track, and whether its most likely class is the true one."""
    p = _probabilities(probabilities)
    return p.max(axis=1), p.argmax(axis=1) == _labels(labels, *p.shape)


def _is_listing(value: object) -> bool:
    """Tell a list, tuple, array or the like from a single value; text is one value."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _values(sequence: Sequence[Hashable], name: str, at_least: int = 1) -> list[Hashable]:
    """Return a sequence as a list of values that can be told apart."""
    if not _is_listing(sequence):
        raise InputError(f"{name} is {sequence!r:.50}. Give a list of values, one for each token.")
    # The values of an array are quicker to compare as Python's own.
    values = sequence.tolist() if isinstance(sequence, np.ndarray) else list(sequence)
    if len(values) < at_least:
        raise InputError(f"{name} is empty. Give at least one value.")
    try:
        different = set(values)
    except TypeError as error:
        raise InputError(
            f"{name} holds lists, arrays or the like ({error}). Give one number, word or tuple "
            "for each token."
        ) from error
    if any(value != value for value in different):
        raise InputError(f"{name} holds NaN, which equals nothing. Leave it out.")
    return values


def _numbered(values: list[Hashable]) -> tuple[np.ndarray, dict[Hashable, int]]:
    """Give each different value a number, in the order in which they come; return the key too."""
    known = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return np.array([known[value] for value in values], np.int64), known


def _longest_run(same: np.ndarray) -> int:
    """Return how many True stand in a row at most."""
    breaks = np.flatnonzero(~same)
    return int(np.diff(breaks, prepend=-1, append=same.size).max()) - 1


def _joined_corpus(
    corpus: Sequence[Sequence[Hashable]], known: dict[Hashable, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of all tokens, -1 for those not known and after each piece; its starts."""
    if not _is_listing(corpus):
        raise InputError(f"corpus is {corpus!r:.50}. Give a list of sequences, one for each piece.")
    pieces = [_values(piece, f"corpus[{i}]", at_least=0) for i, piece in enumerate(corpus)]
    if not pieces:
        raise InputError("corpus is empty. Give at least one sequence to look in.")
    numbers_of = ([*map(known.get, piece, [-1] * len(piece)), -1] for piece in pieces)
    joined = np.fromiter(chain.from_iterable(numbers_of), np.int64)
    return joined, np.cumsum([0, *(len(piece) + 1 for piece in pieces[:-1])])


def _longest_shared(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, int]:
    """Return the length of the longest passage of both, and where it first begins in `theirs`.

    All passages that both have grow by one token at a time, and those that cannot are left behind:
    after a few tokens hardly any are left. The -1 at the end of `theirs` stops the last of them.
    """
    size, length = int(ours.max()) + 1, 0
    here, places = np.arange(ours.size), np.arange(theirs.size)
    # Which of our passages of this length it is that begins at each place.
    id_here, id_there = np.zeros_like(here), np.zeros_like(places)
    while (fits := here + length < ours.size).any():
        here, following = here[fits], theirs[places + length]
        keys, id_here = np.unique(id_here[fits] * size + ours[here + length], return_inverse=True)
        wanted = id_there * size + following
        slots = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        found = (keys[slots] == wanted) & (following >= 0)
        if not found.any():
            break
        places, id_there = places[found], slots[found]
        length += 1
    return length, int(places[0])
