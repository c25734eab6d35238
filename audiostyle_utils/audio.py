"""Sound in and out: load, save, cut, scale, check and play.

A signal is an array of float32 samples between -1 and 1, of shape (samples,) for one channel or
(channels, samples) for several, beside its sample rate `sr` in hertz.
"""

import base64
import html
import io
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from numbers import Real
from pathlib import Path
from uuid import uuid4

import numpy as np

from audiostyle_utils.errors import InputError

FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

_MAX_RATE = 768_000
_MAX_CHANNELS = {".wav": 32, ".flac": 8, ".ogg": 8, ".mp3": 2}
_REMEDY = "Convert it to WAV, FLAC, OGG or MP3, and check that it plays elsewhere."
# One long write overflows the stack of the Vorbis encoder, so every format is written in blocks.
_BLOCK = 65_536
# Sound that is streamed to a file carries a size near the largest number as "not known".
_UNKNOWN_SIZE = 0x7FFF0000
# FFmpeg's readers of what phones and browsers record. Others are left out: some of its formats are
# lists of further files and addresses, which a recording has no business to open.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,amr,amrnb,amrwb,caf,asf"
_MAGIC = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"FORM")
_CUT_CHUNK = re.compile(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_CUT_STREAM = ("lacks an end-of-stream bit", "Junk after the last page", "Calculated frame count")
# A frame of MP3 may lean on many before it, which a decoder that jumps in has not seen. Without
# a run-up the first fifth of a second can be silent. Frames have up to 1152 samples.
_MP3_RUN_UP = 32 * 1152


def load(
    path: str | os.PathLike,
    sr: float | None = 22050,
    *,
    mono: bool = True,
    offset: float = 0.0,
    duration: float | None = None,
) -> tuple[np.ndarray, int]:
    """Read a recording, or a part of it, at the rate that you ask for.

    WAV, FLAC, OGG and MP3 are read, and whatever else libsndfile knows. FFmpeg reads what phones
    record: M4A, 3GP, and the sound of MP4 and WebM videos. Only the part that is asked for is
    decoded (of OGG, and by FFmpeg, also what comes before it), so a short part of a long file is
    quick.

    Parameters
    ----------
    path : str or path
        File to read.
    sr : int or None
        Sample rate of the result in hertz; None keeps the file's own.
    mono : bool
        True: the mean of the channels. False: all channels.
    offset : float
        Where to start, in seconds.
    duration : float or None
        How much to read, in seconds; None reads to the end. A file that ends sooner gives less.

    Returns
    -------
    y : np.ndarray, float32, shape (samples,), or (channels, samples) if mono is False
        Signal, between -1 and 1 for all but some floating-point files.
    sr : int
        Sample rate in hertz.

    Raises
    ------
    InputError
        The file is missing, empty, cut short, no sound, or holds samples that are no numbers; or
        `sr`, `offset` or `duration` is out of range.

    Chapter
    -------
    01_style_transfer
    """
    if sr is not None:
        sr = check_rate(sr)
    _check_time(offset, "offset", zero=True)
    if duration is not None:
        _check_time(duration, "duration")
    y, native = _decode(_readable(path), offset, duration)
    if mono:
        y = y.mean(axis=0)
    if sr is None:
        return y, native
    return _resample(y, native, sr), sr


def stream(
    path: str | os.PathLike, sr: float, *, seconds: float = 10.0, mono: bool = True
) -> Iterator[np.ndarray]:
    """Read a recording of any length block by block, so that it never lies in memory as a whole.

    Parameters
    ----------
    path : str or path
        File to read, of any format that `load` reads.
    sr : int
        Sample rate of the blocks in hertz; `native_rate` tells the file's own.
    seconds : float
        Length of a block. Blocks may be a little longer or shorter, and the last one as it comes.
    mono : bool
        True: the mean of the channels. False: all channels.

    Yields
    ------
    np.ndarray, float32, shape (samples,), or (channels, samples) if mono is False
        Joined, the blocks are what `load` gives, but for rounding and for a sample at the end.

    Raises
    ------
    InputError
        As `load` does; of a file that is damaged further on, when that place is reached.

    Chapter
    -------
    05_melgan_vc
    """
    sr, path = check_rate(sr), _readable(path)
    _check_time(seconds, "seconds")
    blocks = _stream(path, sr, seconds, mono)
    return (block[0] for block in blocks) if mono else blocks


def native_rate(path: str | os.PathLike) -> int:
    """Tell the sample rate that a recording was stored with.

    Parameters
    ----------
    path : str or path
        File to look at, of any format that `load` reads.

    Returns
    -------
    int
        Samples a second.

    Raises
    ------
    InputError
        The file is missing, empty, damaged at its beginning, or no sound.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    import soundfile as sf

    path = _readable(path)
    try:
        return int(sf.info(path).samplerate)
    except (sf.LibsndfileError, TypeError):
        return _container_rate(path)


def save(path: str | os.PathLike, y: np.ndarray, sr: float, *, comment: str = "") -> None:
    """Write a signal to a file whose format follows from its suffix.

    The file appears whole or not at all: it is written beside its place, then moved there.
    WAV is written with 16 bits, which every player reads, so a sample comes back within 5e-5.
    FLAC has 24 bits and comes back within 1e-6. OGG and MP3 drop what is hard to hear; all keep
    the number of samples.

    Parameters
    ----------
    path : str or path
        Target, ending in .wav, .flac, .ogg or .mp3. Its folder must exist.
    y : np.ndarray, shape (samples,) or (channels, samples)
        Signal between -1 and 1.
    sr : int
        Sample rate in hertz. MP3 knows only the rates of `MP3_RATES`.
    comment : str
        A line about the sound that is kept in the file's metadata, for whoever gets the file.
        ASCII only: MP3 files written here know no other letters.

    Raises
    ------
    InputError
        The target cannot be written, the suffix is not known, the format does not allow the
        rate or the channels, or the signal is empty, not finite or beyond -1 to 1.

    Chapter
    -------
    01_style_transfer
    """
    y = check_signal(y)
    peak = float(np.abs(y).max())
    if peak > 1 + 1e-6:
        raise InputError(f"y peaks at {peak:.4g}, and a file holds -1 to 1: call normalise first.")
    if not comment.isascii():
        raise InputError(f"comment is {comment!r}. Give ASCII letters only.")
    target, sr = _target(path), check_rate(sr)
    _check_format(target, y, sr)
    with _replacing(target) as temporary:
        _encode(temporary, np.clip(y, -1, 1), sr, target.suffix.lower(), comment)


def excerpt(y: np.ndarray, sr: float, start: float, duration: float) -> np.ndarray:
    """Cut a part out of a signal.

    Parameters
    ----------
    y : np.ndarray, shape (samples,) or (channels, samples)
        Signal.
    sr : int
        Sample rate in hertz.
    start : float
        Where the part begins, in seconds.
    duration : float
        How long it is, in seconds. A signal that ends sooner gives less.

    Returns
    -------
    np.ndarray, float32, same number of dimensions
        Copy of the part.

    Raises
    ------
    InputError
        The part begins past the end, is shorter than a sample, or the signal is not usable.

    Chapter
    -------
    01_style_transfer
    """
    y, sr = check_signal(y), check_rate(sr)
    _check_time(start, "start", zero=True)
    _check_time(duration, "duration")
    first, count = _span(y.shape[-1], sr, start, duration, "The signal", "start")
    return y[..., first : first + count].copy()


def resample(y: np.ndarray, sr: float, target_sr: float) -> np.ndarray:
    """Bring a signal from one sample rate to another.

    Parameters
    ----------
    y : np.ndarray, shape (samples,) or (channels, samples)
        Signal.
    sr : int
        Its sample rate in hertz.
    target_sr : int
        The wanted sample rate in hertz.

    Returns
    -------
    np.ndarray, float32, same number of dimensions
        The signal at the new rate, of the same duration to within a sample.

    Raises
    ------
    InputError
        The signal is not usable, or a rate is no whole number from 1 to 768000.

    Chapter
    -------
    01_style_transfer
    """
    return _resample(check_signal(y), check_rate(sr), check_rate(target_sr))


def normalise(y: np.ndarray, peak: float = 0.9) -> np.ndarray:
    """Scale a signal so that its largest sample has the given size.

    Parameters
    ----------
    y : np.ndarray, shape (samples,) or (channels, samples)
        Signal.
    peak : float
        Size of the largest sample of the result, above 0 and at most 1.

    Returns
    -------
    np.ndarray, float32, same shape
        Scaled signal. Silence stays silence.

    Raises
    ------
    InputError
        The signal is empty or not finite, or `peak` is out of range.

    Chapter
    -------
    01_style_transfer
    """
    y = check_signal(y)
    if not (_is_number(peak) and 0 < peak <= 1):
        raise InputError(f"peak is {peak!r}. Give a number above 0 and at most 1, such as 0.9.")
    largest = np.abs(y).max()
    # Dividing first keeps even the faintest signal from overflowing.
    return y / largest * np.float32(peak) if largest > 0 else y.copy()


def check_signal(
    y: np.ndarray, name: str = "y", *, allow_silence: bool = True, min_samples: int = 1
) -> np.ndarray:
    """Return a signal as float32, or say what is wrong with it.

    Parameters
    ----------
    y : array of floats, shape (samples,) or (channels, samples)
        Signal to check.
    name : str
        What to call it in the message, such as ``"content"``.
    allow_silence : bool
        False refuses a signal whose every sample is zero.
    min_samples : int
        Fewest samples that will do.

    Returns
    -------
    np.ndarray, float32
        The same signal; no copy is made if it is float32 already.

    Raises
    ------
    InputError
        The signal is not an array of finite floats in one or two dimensions, is too short, or is
        silent where that is not allowed.

    Chapter
    -------
    01_style_transfer
    """
    y = _as_float32(y, name)
    if y.shape[-1] < min_samples:
        raise InputError(
            f"{name} has {y.shape[-1]} samples and needs at least {min_samples}. Give a longer one."
        )
    if not np.isfinite(y).all():
        raise InputError(f"{name} holds NaN or infinite samples. Find the step that made them.")
    if not allow_silence and not y.any():
        raise InputError(f"{name} is silent: every sample is zero. Give a part with sound in it.")
    return y


def check_rate(sr: float) -> int:
    """Return a sample rate as an int, or say what is wrong with it.

    Parameters
    ----------
    sr : int, or a float without a fraction
        Sample rate in hertz.

    Returns
    -------
    int
        The same rate.

    Raises
    ------
    InputError
        The rate is no whole number from 1 to 768000.

    Chapter
    -------
    01_style_transfer
    """
    if not (_is_number(sr) and 1 <= sr <= _MAX_RATE and sr == int(sr)):
        raise InputError(f"sr is {sr!r}. Give a whole number of samples a second, such as 22050.")
    return int(sr)


class Player:
    """A sound that shows in a notebook as a waveform above a native player.

    Make one with `play`. It holds its sound as a compact MP3 inside the page, so that it plays
    without any other file.

    Attributes
    ----------
    description : str
        What is heard, in words.
    seconds : float
        Length of the sound.

    Chapter
    -------
    01_style_transfer
    """

    def __init__(self, description: str, seconds: float, markup: str) -> None:
        self.description = description
        self.seconds = seconds
        self._markup = markup

    def __repr__(self) -> str:
        """Return the description, for places without HTML."""
        return f"Sound: {self.description} ({self.seconds:.1f} s)"

    def _repr_html_(self) -> str:
        return self._markup

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self._markup, "text/plain": repr(self)}


def play(y: np.ndarray, sr: float, description: str) -> Player:
    """Show a player for a signal, with its waveform and a description in words.

    The sound is embedded as MP3 with one channel, about 10 kB a second at most. A signal that
    goes beyond -1 to 1 is scaled down for listening.

    Parameters
    ----------
    y : np.ndarray, shape (samples,) or (channels, samples)
        Signal.
    sr : int
        Sample rate in hertz. A rate that MP3 does not know is resampled.
    description : str
        What is heard. It is the caption, and what a screen reader says.

    Returns
    -------
    Player
        Object that a notebook renders as HTML.

    Raises
    ------
    InputError
        The signal is not usable, or the description is missing or blank.

    Chapter
    -------
    01_style_transfer
    """
    y, sr = check_signal(y), check_rate(sr)
    if not (isinstance(description, str) and description.strip()):
        raise InputError("description is missing. Say in words what is heard, for those who can't.")
    if y.ndim == 2:
        y = y.mean(axis=0)
    if np.abs(y).max() > 1:
        y = normalise(y, 1.0)
    seconds = y.size / sr
    return Player(description, seconds, _figure(description.strip(), _waveform(y), _mp3(y, sr)))


def _is_number(value: object) -> bool:
    """Tell whether a value is a finite real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _check_time(seconds: float, name: str, zero: bool = False) -> None:
    """Refuse a time that is no number, negative, or zero where that makes no sense."""
    if not (_is_number(seconds) and (seconds > 0 or (zero and seconds == 0))):
        bound = "zero or more" if zero else "more than zero"
        raise InputError(f"{name} is {seconds!r}. Give seconds: a number, {bound}.")


def _as_float32(y: np.ndarray, name: str) -> np.ndarray:
    """Return an array of floats in one or two dimensions as float32."""
    y = np.asarray(y)
    if y.dtype.kind in "iu":
        raise InputError(
            f"{name} holds whole numbers. Scale them to -1 to 1, such as y / 32768 for 16 bits."
        )
    if y.dtype.kind != "f":
        raise InputError(f"{name} is not an array of real numbers. Give samples between -1 and 1.")
    if y.ndim not in (1, 2) or y.size == 0:
        raise InputError(
            f"{name} has shape {y.shape}. Give (samples,) or (channels, samples), none of them 0."
        )
    if y.ndim == 2 and y.shape[0] > max(32, y.shape[1]):
        raise InputError(f"{name} has {y.shape[0]} channels. Turn it round: pass {name}.T.")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused as such
        return y.astype(np.float32, copy=False)


def _as_path(path: str | os.PathLike) -> Path:
    """Return what a person gave as a path, with ``~`` standing for the home folder."""
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise InputError(f"{path!r} is not a path. Give the name of a sound file.")
    if len(os.path.basename(text).encode()) > 255:
        raise InputError(f"The name {os.path.basename(text)[:40]}... is too long for a file.")
    if "://" in text:
        raise InputError(f"{text} is an address. Download the file first, and give its path.")
    return Path(os.path.expanduser(text))


def _readable(path: str | os.PathLike) -> Path:
    """Return the path of a file that exists and holds something."""
    path = _as_path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder. Give the name of a sound file in it.")
    if not path.is_file():
        raise InputError(f"There is no file {path}. Check its name and folder (now: {Path.cwd()}).")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read. Change its permissions.")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes). Copy or download it again.")
    return path


def _decode(path: Path, offset: float, duration: float | None) -> tuple[np.ndarray, int]:
    """Read part of a file: samples of shape (channels, samples), and the file's own rate."""
    import soundfile as sf

    try:
        with path.open("rb") as stream, sf.SoundFile(stream) as file:
            _refuse_cut(file, path)
            native = file.samplerate
            first, count = _span(file.frames, native, offset, duration, str(path))
            y = _read_part(file, first, count)
            _refuse_short(y.shape[-1], count, file, path)
            if file.format == "MP3" and first + count == file.frames:
                _refuse_guess(stream.tell(), path)
    except (sf.LibsndfileError, TypeError):  # TypeError: a .raw file has no header
        y, native = _decode_container(path, offset, duration)
    return np.ascontiguousarray(_finite_block(y, path)), native


def _decode_container(path: Path, offset: float, duration: float | None) -> tuple[np.ndarray, int]:
    """Read part of the first sound track of a file that libsndfile does not know."""
    import av

    try:
        with path.open("rb") as stream:
            with av.open(stream, options={"format_whitelist": _CONTAINERS}) as container:
                tracks = container.streams.audio
                native = tracks[0].rate if tracks else 0
                resampler, blocks = av.AudioResampler(format="flt"), []
                for frame in container.decode(tracks[0]) if tracks else ():
                    blocks += [_samples(block) for block in resampler.resample(frame)]
    except av.FFmpegError as error:
        raise InputError(_why_unreadable(path)) from error
    if not blocks:
        raise InputError(f"{path} has no sound track, or is cut short. Check that it plays.")
    y = np.concatenate(blocks, axis=1)
    first, count = _span(y.shape[1], native, offset, duration, str(path))
    return y[:, first : first + count], native


def _stream(path: Path, sr: int, seconds: float, mono: bool) -> Iterator[np.ndarray]:
    """Yield the blocks of `stream`, of shape (channels, samples) with one channel if `mono`."""
    import soundfile as sf

    try:
        with sf.SoundFile(path) as file:
            _refuse_cut(file, path)
            file.seek(0)
            count, done = round(seconds * file.samplerate), 0
            blocks = (_channels(block, mono) for block in _native_blocks(file, count))
            for y in _resampled(blocks, file.samplerate, sr):
                done += y.shape[-1]
                yield _finite_block(y, path)
            _refuse_short(round(done * file.samplerate / sr) + 2, file.frames, file, path)
    except (sf.LibsndfileError, TypeError):
        yield from _stream_container(path, sr, round(seconds * sr), mono)


def _channels(block: np.ndarray, mono: bool) -> np.ndarray:
    return block.mean(axis=0, keepdims=True) if mono else block


def _native_blocks(file, count: int) -> Iterator[np.ndarray]:
    """Yield all channels, so many samples at a time."""
    if file.format != "MP3":
        for block in file.blocks(count, dtype="float32", always_2d=True):
            yield block.T
        return
    # soundfile jumps to where it is after each read, and an MP3 needs a run-up to each jump.
    for first in range(0, file.frames, count):
        yield _read_part(file, first, min(count, file.frames - first))


def _resampled(blocks: Iterator[np.ndarray], native: int, sr: int) -> Iterator[np.ndarray]:
    """Resample blocks so that their joins do not show."""
    import soxr

    resampler, block = None, np.zeros((1, 0), np.float32)
    for block in blocks:
        if resampler is None:
            resampler = soxr.ResampleStream(native, sr, len(block), dtype="float32")
        # soxr wants (samples, channels), one after the other in memory.
        y = resampler.resample_chunk(np.ascontiguousarray(block.T)).T
        if y.size:
            yield y
    if resampler is not None:
        y = resampler.resample_chunk(np.zeros((0, len(block)), np.float32), last=True).T
        if y.size:
            yield y


def _stream_container(path: Path, sr: int, samples: int, mono: bool) -> Iterator[np.ndarray]:
    """Yield the first sound track of a file that libsndfile does not know."""
    import av

    waiting: list[np.ndarray] = []
    try:
        with path.open("rb") as stream:
            with av.open(stream, options={"format_whitelist": _CONTAINERS}) as container:
                resampler = av.AudioResampler(format="flt", rate=sr)
                for frame in chain(container.decode(container.streams.audio[0]), [None]):
                    waiting += [
                        _channels(_samples(block), mono) for block in resampler.resample(frame)
                    ]
                    ready = sum(block.shape[-1] for block in waiting)
                    if waiting and (frame is None or ready >= samples):
                        yield _finite_block(np.concatenate(waiting, axis=1), path)
                        waiting = []
    except (av.FFmpegError, IndexError) as error:
        raise InputError(_why_unreadable(path)) from error


def _samples(frame) -> np.ndarray:
    """Return what a frame of FFmpeg's holds, as (channels, samples).

    It has to be interleaved: PyAV reads planes of eight channels beyond their end.
    """
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T


def _container_rate(path: Path) -> int:
    """Return the rate of the first sound track of a file that libsndfile does not know."""
    import av

    try:
        with path.open("rb") as stream:
            with av.open(stream, options={"format_whitelist": _CONTAINERS}) as container:
                return int(container.streams.audio[0].rate)
    except (av.FFmpegError, IndexError) as error:
        raise InputError(_why_unreadable(path)) from error


def _finite_block(y: np.ndarray, path: Path) -> np.ndarray:
    if not np.isfinite(y).all():
        raise InputError(f"{path} holds NaN or infinite samples. Export it again from its source.")
    return y


def _read_part(file, first: int, count: int) -> np.ndarray:
    """Read up to `count` samples from `first` on, of shape (channels, samples)."""
    if file.format == "OGG":
        # The decoder lands up to some hundred samples beside the place that it is sent to
        # (libsndfile, issue 885), so what comes before is decoded and dropped.
        for done in range(0, first, _BLOCK):
            file.read(min(_BLOCK, first - done), dtype="float32")
        return file.read(count, dtype="float32", always_2d=True).T
    run_up = min(first, _MP3_RUN_UP) if file.format == "MP3" else 0
    file.seek(first - run_up)
    return file.read(run_up + count, dtype="float32", always_2d=True)[run_up:].T


def _refuse_cut(file, path: Path) -> None:
    """Refuse a file that has less sound in it than its own header says."""
    if file.frames == 0:
        raise InputError(f"{path} holds no samples. Copy it, or export it, again.")
    if file.frames >= 2**40:
        raise InputError(f"{path} does not say how long it is. {_REMEDY}")
    log = file.extra_info
    cut = any(words in log for words in _CUT_STREAM)
    for promised, found in _CUT_CHUNK.findall(log):
        # A few bytes are padding that some programs count and do not write.
        cut |= int(found) + 64 < int(promised) < _UNKNOWN_SIZE
    if file.format not in ("MP3", "OGG") and not cut:
        file.seek(file.frames - 1)
        cut = len(file.read(1)) == 0
    if cut:
        raise InputError(_cut_message(path))


def _refuse_short(found: int, asked: int, file, path: Path) -> None:
    """Refuse a file whose decoder stopped early.

    An MP3 states its length in a first frame that some encoders leave out. Without it the length
    is a guess, and is not held against the file.
    """
    slack = max(2 * 1152, asked // 50) if file.format == "MP3" else 0
    exact = file.format != "MP3" or _states_length(path)
    if found == 0 or (exact and found < asked - slack):
        raise InputError(_cut_message(path))


def _refuse_guess(read: int, path: Path) -> None:
    """Refuse an MP3 whose guessed length is so short that the end would be lost unnoticed."""
    size = path.stat().st_size
    if size - read > size // 5 and not _states_length(path):
        raise InputError(f"{path} does not say how long it is. Convert it to WAV, FLAC or OGG.")


def _states_length(path: Path) -> bool:
    """Tell whether an MP3 file begins with a frame that holds its length."""
    with path.open("rb") as file:
        tag = file.read(10)
        if tag[:3] == b"ID3":  # the size of the tag is written in four times seven bits
            size = sum(byte << shift for byte, shift in zip(tag[6:10], (21, 14, 7, 0), strict=True))
            file.seek(10 + size)
        else:
            file.seek(0)
        head = file.read(2048)
    return b"Xing" in head or b"Info" in head


def _why_unreadable(path: Path) -> str:
    """Tell a sound file that is broken from a file that is no sound."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_MAGIC) or head[4:] == b"ftyp":
        return f"{path} is cut short or damaged. Copy or download it again."
    return f"{path} holds no sound in a format that can be read. {_REMEDY}"


def _cut_message(path: Path) -> str:
    return f"{path} is cut short: it ends before its own header says. Copy or download it again."


def _span(
    frames: int, sr: int, offset: float, duration: float | None, what: str, name: str = "offset"
) -> tuple[int, int]:
    """Return the first sample and the number of samples of a part."""
    first = round(offset * sr)
    if first >= frames:
        raise InputError(
            f"{what} lasts {frames / sr:.2f} s, so nothing is left after {name} {offset:g} s. "
            f"Give a smaller {name}."
        )
    if duration is None:
        return first, frames - first
    count = round(duration * sr)
    if count == 0:
        raise InputError(f"duration {duration:g} s is shorter than one sample. Give a longer one.")
    return first, min(count, frames - first)


def _resample(y: np.ndarray, native: int, sr: int) -> np.ndarray:
    """Bring a signal from one sample rate to another."""
    if native == sr:
        return y
    import librosa

    # librosa counts in floating point, and so may give one sample more than there is time for.
    length = -(-y.shape[-1] * sr // native)
    y = librosa.resample(y, orig_sr=native, target_sr=sr, res_type="soxr_hq")
    return np.ascontiguousarray(y[..., :length])


def _target(path: str | os.PathLike) -> Path:
    """Return where to write, or say why that is not possible."""
    target = _as_path(path)
    if target.suffix.lower() not in FORMATS:
        raise InputError(f"{target} must end in one of {', '.join(FORMATS)}.")
    if target.is_dir():
        raise InputError(f"{target} is a folder. Give a name for a file in it.")
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent}. Make it first, or choose another.")
    if target.exists() and not os.access(target, os.W_OK):
        raise InputError(f"{target} is write-protected. Choose another name.")
    # Through a link, the file that it points to is replaced, and not the link.
    return target.resolve()


def _check_format(target: Path, y: np.ndarray, sr: int) -> None:
    """Refuse a rate or a number of channels that the format does not have."""
    suffix = target.suffix.lower()
    channels = 1 if y.ndim == 1 else y.shape[0]
    if channels > _MAX_CHANNELS[suffix]:
        raise InputError(
            f"{suffix} holds at most {_MAX_CHANNELS[suffix]} channels, and y has {channels}. "
            "Save fewer, or choose .wav."
        )
    if suffix == ".mp3" and sr not in MP3_RATES:
        rates = ", ".join(map(str, MP3_RATES))
        raise InputError(f"MP3 has no rate of {sr} Hz. Resample to one of {rates}, or save a .wav.")
    if (suffix == ".ogg" and sr > 192_000) or (suffix == ".flac" and sr > 65_535 and sr % 10):
        raise InputError(f"{suffix} has no rate of {sr} Hz. Resample to 48000, or save a .wav.")


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a temporary name beside `target`; move it there at the end, or remove it."""
    import soundfile as sf

    temporary = target.with_name(f".{uuid4().hex}{target.suffix.lower()}")
    try:
        yield temporary
        os.replace(temporary, target)
    except (OSError, sf.SoundFileError) as error:
        raise InputError(
            f"{target} cannot be written. Choose a folder that you may write to, with room on it."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _encode(target, y: np.ndarray, sr: int, suffix: str, comment: str = "") -> None:
    """Write samples to a path or to an open binary stream."""
    import soundfile as sf

    kind, subtype = FORMATS[suffix]
    samples = np.atleast_2d(y).T  # (samples, channels)
    with sf.SoundFile(target, "w", sr, samples.shape[1], subtype=subtype, format=kind) as file:
        if comment:
            file.comment = comment
        for first in range(0, len(samples), _BLOCK):
            file.write(samples[first : first + _BLOCK])


def _mp3(y: np.ndarray, sr: int) -> bytes:
    """Encode a signal of one channel, at the nearest rate that loses no high notes."""
    rate = next((rate for rate in MP3_RATES if rate >= sr), MP3_RATES[-1])
    stream = io.BytesIO()
    _encode(stream, np.clip(_resample(y, sr, rate), -1, 1), rate, ".mp3")
    return stream.getvalue()


def _waveform(y: np.ndarray, points: int = 300) -> str:
    """Return the outline of a signal as the path of an SVG, `points` wide and 2 high.

    It fills the height, since its shape is what helps a listener to find a place.
    """
    peak = np.abs(y).max()
    y = y / peak * 0.98 if peak > 0 else y
    edges = np.linspace(0, y.size, min(points, y.size) + 1).astype(int)[:-1]
    x = np.linspace(0, points, edges.size)
    # Never thinner than a hair line, so that silence shows too.
    top = np.maximum(np.maximum.reduceat(y, edges), 0.01)
    bottom = np.minimum(np.minimum.reduceat(y, edges), -0.01)
    outline = [f"{a:.0f} {1 - b:.2f}" for a, b in zip(x, top, strict=True)]
    outline += [f"{a:.0f} {1 - b:.2f}" for a, b in zip(x[::-1], bottom[::-1], strict=True)]
    return "M" + "L".join(outline) + "Z"


def _figure(description: str, path: str, mp3: bytes) -> str:
    """Put waveform, player and caption into a figure that needs no style sheet."""
    text = html.escape(description, quote=True)
    source = "data:audio/mpeg;base64," + base64.b64encode(mp3).decode("ascii")
    return (
        f'<figure class="audiostyle-player" aria-label="{text}" '
        'style="width:100%;max-width:640px;margin:1em 0">'
        '<svg class="audiostyle-waveform" aria-hidden="true" viewBox="0 0 300 2" '
        'preserveAspectRatio="none" style="display:block;width:100%;height:56px" '
        f'fill="currentColor" fill-opacity="0.45"><path d="{path}"/></svg>'
        f'<audio controls preload="metadata" aria-label="{text}" src="{source}" '
        'style="display:block;width:100%;margin:4px 0"></audio>'
        '<figcaption style="font-size:0.9em;line-height:1.4">'
        f"{text}</figcaption></figure>"
    )
