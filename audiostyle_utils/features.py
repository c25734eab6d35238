"""Log-mel spectrograms of many recordings: on all cores at once, and each recording only once."""

import hashlib
import io
import json
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np

from audiostyle_utils import _kept, audio
from audiostyle_utils._checks import whole
from audiostyle_utils.errors import InputError
from audiostyle_utils.settings import cores
from audiostyle_utils.training import progress

# A recording whose largest sample is below this (-80 dB) holds nothing to learn from.
SILENT = 1e-4

_QUIETEST = np.float32(1e-10)  # in power
_FLOOR = -100  # the same in dB
_LOUDEST = 1e12  # the square of a spectrum of larger samples may not fit into float32
_VERSION = 1  # of the computation below; the cache is made anew when it changes
_MADE_WITH = ("librosa", "numpy", "scipy", "soundfile", "soxr")
# Few enough frames for a block to stay in the processor's cache, enough to make the calls cheap.
_FRAMES = 64
_BANDS = 16
# So many recordings wait for each worker: all stay busy while one works on a long recording, and
# what waits does not grow with the number of recordings.
_AHEAD = 32


@dataclass(frozen=True)
class Features:
    """What `extract` found in many recordings.

    Attributes
    ----------
    arrays : mapping
        Log-mel spectrogram of each recording, float16 of shape (frames, n_mels), in dB, by name.
        16 bits hold these values to within 0.04 dB. A dict; with ``in_memory=False`` a mapping
        that cannot be written to, and reads a spectrogram each time that it is asked for.
    skipped : dict
        Why a recording could not be used, by name.
    settings : dict
        ``sr``, ``n_fft``, ``hop_length`` and ``n_mels``, as they were given.
    frames : dict
        Number of frames of each recording in `arrays`, by name.

    Chapter
    -------
    02_genre_cnn
    """

    arrays: Mapping[str, np.ndarray]
    skipped: dict[str, str]
    settings: dict[str, int]
    frames: dict[str, int]


def log_mel(
    y: np.ndarray, sr: int, n_fft: int = 2048, hop_length: int = 512, n_mels: int = 128
) -> np.ndarray:
    """Return the power of a signal in mel bands, in decibels.

    The value is 10 log10(max(P, 1e-10)), where P is what `spectra.mel_spectrogram` returns.

    Parameters
    ----------
    y : np.ndarray, shape (samples,)
        Signal.
    sr : int
        Sample rate in hertz.
    n_fft, hop_length : int
        Samples in a frame, and from one frame to the next.
    n_mels : int
        Number of bands, from 0 Hz to sr / 2.

    Returns
    -------
    np.ndarray, float32, shape (n_mels, 1 + samples // hop_length)
        Decibels against a power of 1, at least -100. An odd n_fft gives one frame less where
        samples is a multiple of hop_length.

    Raises
    ------
    InputError
        The signal is not usable or has several channels, or a parameter is out of range.

    Chapter
    -------
    02_genre_cnn
    """
    y = audio.check_signal(y)
    if y.ndim != 1:
        raise InputError(f"y has {y.shape[0]} channels. Give one, such as y.mean(axis=0).")
    settings = _settings(sr, n_fft, hop_length, n_mels)
    return np.ascontiguousarray(_decibels(y, **settings).T)


def extract(
    files: Mapping[str, str | os.PathLike],
    *,
    sr: int = 16000,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    workers: int | None = None,
    cache: bool = True,
    in_memory: bool = True,
) -> Features:
    """Return the log-mel spectrograms of many recordings, of any length and format.

    A recording's spectrogram is kept in the cache under the content of its file and the settings,
    so that it is computed once, whatever the file is called; a changed file is computed anew.

    With ``in_memory=False`` the spectrograms stay in the cache, and `Features.arrays` reads one
    each time that it is asked for. The memory needed is then that of a few recordings, however
    many hours there are. A spectrogram that was removed from the cache meanwhile, or damaged, is
    computed again; asking for it is an `InputError` if its recording has been removed or changed.

    Parameters
    ----------
    files : mapping
        Path of each recording, by name. Several channels are averaged.
    sr : int
        Sample rate in hertz that the recordings are brought to first.
    n_fft, hop_length, n_mels : int
        As in `log_mel`.
    workers : int or None
        How many recordings are worked on at once; None takes one for each core.
    cache : bool
        False neither reads the cache nor writes it.
    in_memory : bool
        False leaves the spectrograms on the disk, and needs the cache.

    Returns
    -------
    Features
        Spectrograms in the order of `files`, and the recordings that had to be left out: those
        that cannot be read, and those whose largest sample is below `SILENT`.

    Raises
    ------
    InputError
        `files` is empty, no recording is usable, a parameter is out of range, the cache cannot be
        written, or ``in_memory=False`` comes with ``cache=False``.

    Chapter
    -------
    02_genre_cnn
    """
    files = _named(files)
    settings = _settings(sr, n_fft, hop_length, n_mels)
    workers = cores() if workers is None else whole(workers, "workers", 1)
    if not (in_memory or cache):
        raise InputError("in_memory=False reads from the cache. Pass cache=True with it.")
    _bank(settings["sr"], settings["n_fft"], settings["n_mels"])  # imports librosa, before threads
    one = partial(_one if in_memory else _on_disk, settings=settings)
    found = _of_all(partial(one, folder=_folder() if cache else None), files, workers)
    skipped = {name: reason for name, reason in found.items() if isinstance(reason, str)}
    if len(skipped) == len(files):
        name, reason = next(iter(skipped.items()))
        raise InputError(f"None of the {len(files)} recordings is usable. {name}: {reason}")
    used = {name: result for name, result in found.items() if name not in skipped}
    if in_memory:
        frames = {name: len(array) for name, array in used.items()}
        return Features(used, skipped, settings, frames)
    places = {name: (files[name], place) for name, (_, place) in used.items()}
    frames = {name: count for name, (count, _) in used.items()}
    return Features(_OnDisk(places, settings), skipped, settings, frames)


class _OnDisk(Mapping):
    """Spectrograms by name, each read from the cache when it is asked for."""

    def __init__(
        self,
        places: dict[str, tuple[str | os.PathLike, Path | None]],
        settings: dict[str, int],
    ) -> None:
        self._places = places  # the recording, and its spectrogram in the cache
        self._settings = settings

    def __getitem__(self, name: str) -> np.ndarray:
        path, kept = self._places[name]
        found = _read(kept)
        return self._again(path, kept) if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in self._places  # what the base class has would read the spectrogram

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _again(self, path: str | os.PathLike, kept: Path | None) -> np.ndarray:
        """Compute a spectrogram that the cache no longer has, unless it would be another one."""
        place = _place(path, self._settings, _folder())
        if place is not None and kept is not None and place.name != kept.name:
            raise InputError(
                f"{path} has changed since extract read it, and its spectrogram is no longer in "
                "the cache. Call extract again."
            )
        found = _features(path, self._settings, place)
        if isinstance(found, str):
            raise InputError(found)
        return found


def _of_all(one: Callable, files: Mapping[str, str | os.PathLike], workers: int) -> dict:
    """Return what a function gives for each file, by name."""
    from threadpoolctl import threadpool_limits

    # Each thread has a recording of its own: threads inside matrix products would only disturb.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        try:
            results = _in_turn(pool, one, files.values(), workers * _AHEAD)
            return dict(zip(files, progress(results, "Features", len(files)), strict=True))
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C, the files in the queue stay there


def _in_turn(pool: ThreadPoolExecutor, function: Callable, items: Iterable, ahead: int) -> Iterator:
    """Yield a function's results in order, with no more than `ahead` items in the pool."""
    items = iter(items)
    waiting = deque(pool.submit(function, item) for item in islice(items, ahead))
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(function, item) for item in islice(items, 1))
        yield result


def _named(files: Mapping[str, str | os.PathLike]) -> dict[str, str | os.PathLike]:
    if not isinstance(files, Mapping):
        raise InputError(f"files is a {type(files).__name__}. Give a dict: a path for each name.")
    if not files:
        raise InputError("files is empty. Give the path of at least one recording.")
    return dict(files)


def _settings(sr: int, n_fft: int, hop_length: int, n_mels: int) -> dict[str, int]:
    """Return the settings as plain numbers, or say which one is out of range."""
    return {
        "sr": audio.check_rate(sr),
        "n_fft": whole(n_fft, "n_fft", 2),
        "hop_length": whole(hop_length, "hop_length", 1),
        "n_mels": whole(n_mels, "n_mels", 1),
    }


def _one(
    path: str | os.PathLike, settings: dict[str, int], folder: Path | None
) -> np.ndarray | str:
    """Return a recording's features, or why it has none."""
    return _features(path, settings, _place(path, settings, folder))


def _on_disk(
    path: str | os.PathLike, settings: dict[str, int], folder: Path
) -> tuple[int, Path | None] | str:
    """Put a recording's features into the cache; return their number of frames and their place.

    Return the reason where it has none. There is no place where the recording could not be read at
    first and then could: such features are computed whenever they are asked for.
    """
    place = _place(path, settings, folder)
    found = _features(path, settings, place)
    return found if isinstance(found, str) else (len(found), place)


def _features(
    path: str | os.PathLike, settings: dict[str, int], place: Path | None
) -> np.ndarray | str:
    """Return features from their place in the cache, or compute them and put them there."""
    found = _read(place)
    if found is not None:
        return found
    try:
        y, _ = audio.load(path, settings["sr"])
        peak = float(np.abs(y).max())
        if peak < SILENT:
            return f"{path} is silent: its largest sample is {peak:.1g}, below {SILENT:g}."
        features = _decibels(y, **settings).astype(np.float16)
    except InputError as error:
        return str(error)
    if place is not None:
        _write(place, features)
    return features


def _decibels(y: np.ndarray, sr: int, n_fft: int, hop_length: int, n_mels: int) -> np.ndarray:
    """Return log-mel frames of shape (frames, n_mels).

    `spectra.stft` is not used: it holds the spectrogram of the whole recording in memory, and
    guards against warnings in a way that threads must not share.
    """
    from scipy.fft import rfft

    if np.abs(y).max() > _LOUDEST:
        raise InputError(f"y peaks at {np.abs(y).max():.3g}. Scale it to -1 to 1, as sound is.")
    window, parts = _bank(sr, n_fft, n_mels)
    padded = np.pad(y, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    mel = np.empty((len(frames), n_mels), np.float32)
    for first in range(0, len(frames), _FRAMES):
        D = rfft(frames[first : first + _FRAMES] * window, axis=1)
        power = np.square(D.real)
        power += np.square(D.imag)
        for bands, bins, weights in parts:
            mel[first : first + _FRAMES, bands] = power[:, bins] @ weights
    np.log10(np.maximum(mel, _QUIETEST), out=mel)
    return np.maximum(10 * mel, np.float32(_FLOOR))  # 1e-10 rounds to slightly below -100 dB


@lru_cache(maxsize=8)
def _bank(sr: int, n_fft: int, n_mels: int) -> tuple[np.ndarray, list]:
    """Return the window, and the mel bands in groups: bands, the bins they cover, weights.

    A band covers few bins, so that most of the full matrix is zeros. Groups of neighbours leave
    most of them out and are still products of dense matrices.
    """
    import librosa
    from scipy.signal.windows import hann

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters detected")
        matrix = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels)  # (n_mels, bins)
    if not matrix.any(axis=1).all():
        raise InputError(
            f"With n_fft {n_fft} at {sr} Hz, some of {n_mels} mel bands lie between two frequency "
            "bins and stay empty. Give fewer n_mels or a larger n_fft."
        )
    parts = []
    for first in range(0, n_mels, _BANDS):
        group = matrix[first : first + _BANDS]
        used = np.flatnonzero(group.any(axis=0))
        bins = slice(used[0], used[-1] + 1)
        weights = np.ascontiguousarray(group[:, bins].T)
        parts.append((slice(first, first + len(group)), bins, weights))
    return hann(n_fft, sym=False).astype(np.float32), parts


def _folder() -> Path:
    """Return the cache's folder for features, and make it where it is missing."""
    return _kept.folder("features")


def _place(path: str | os.PathLike, settings: dict[str, int], folder: Path | None) -> Path | None:
    """Name the cached file of a recording by all that its features depend on."""
    if folder is None:
        return None
    content = _kept.content_sum(path)
    if content is None:
        return None  # `audio.load` will say what is wrong with it
    made_from = [content, settings, _VERSION, _versions()]
    text = json.dumps(made_from, sort_keys=True)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()}.npy"


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return {package: version(package) for package in _MADE_WITH}


def _write(place: Path, features: np.ndarray) -> None:
    """Put features into the cache: an ordinary .npy file, with a checksum behind the end."""
    stream = io.BytesIO()
    np.save(stream, features, allow_pickle=False)
    _kept.write(place, stream.getvalue())


def _read(place: Path | None) -> np.ndarray | None:
    """Return features from the cache; None where there are none, or damaged ones."""
    content = _kept.read(place) if place is not None else None
    return None if content is None else np.load(io.BytesIO(content), allow_pickle=False)
