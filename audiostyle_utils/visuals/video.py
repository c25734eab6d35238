"""Video files: pictures go straight to the encoder, with their sound in the same pass.

A frame is an array of uint8 of shape (height, width, 3), red, green and blue. Nothing touches the
disk but the video itself, so an hour of it takes no more memory than a second.
"""

import math
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import chain
from numbers import Real
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import numpy as np

from ..audio import check_rate
from ..errors import InputError

CODECS = {
    ".mp4": (("h264", "vp9"), ("aac", "opus")),
    ".webm": (("vp9",), ("opus",)),
    ".mkv": (("h264", "vp9"), ("opus", "aac")),
}
"""What each container takes: codecs of the picture and of the sound, the usual one first."""
CHANNELS = (1, 2, 3, 4, 6, 8)
"""How many channels a sound may have. Of five and of seven, FFmpeg's Opus changes the order."""

_ENCODERS = {"h264": "libx264", "vp9": "libvpx-vp9", "aac": "aac", "opus": "libopus"}
_FORMATS = {".mp4": "mp4", ".webm": "webm", ".mkv": "matroska"}
_LAYOUTS = dict(zip(CHANNELS, ("mono", "stereo", "3.0", "quad", "5.1", "7.1"), strict=True))
_MAX_SIDE = 8192
# 1001 is the denominator of television's rates, such as 30000/1001.
_MAX_DENOMINATOR = 1001
_KEYFRAME_SECONDS = 4
# Bits a second for each channel: enough that few people hear a difference.
_SOUND_BIT_RATE = 96_000
# Sound is encoded when this much of it is due. Smaller portions only cost time.
_PORTION = 4096
_BT709 = 1  # the number of the colour standard of high definition, in H.264 and elsewhere
_LIMITED_RANGE = 1


class VideoInfo(NamedTuple):
    """What is in a video file, as `probe` finds it.

    Attributes
    ----------
    fps : float
        Mean number of frames a second.
    frames : int
        Number of frames, counted.
    seconds : float
        How long the picture lasts.
    width, height : int
        Size in pixels.
    codec : str
        Codec of the picture, such as "h264".
    audio_codec : str or None
        Codec of the sound; None without sound, as are the next three.
    sr : int or None
        Sample rate of the sound in hertz.
    channels : int or None
        Number of channels.
    audio_seconds : float or None
        How long the sound lasts. In an MP4 the file says where it ends. A decoder that does not
        look there adds what is left of the last block: up to 1023 samples of silence.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    fps: float
    frames: int
    seconds: float
    width: int
    height: int
    codec: str
    audio_codec: str | None
    sr: int | None
    channels: int | None
    audio_seconds: float | None


def write_video(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    fps: float,
    *,
    sound: Iterable[np.ndarray] | None = None,
    sr: float | None = None,
    codec: str | None = None,
    quality: float = 75,
    audio_codec: str | None = None,
) -> Path:
    """Encode frames, and sound if there is any, into a video that plays in a browser.

    Frames and sound are taken as they are needed, and neither is kept. The picture says how long
    the video is: sound beyond it is cut, and sound that ends sooner is followed by silence. An
    MP4 and a WebM say where their sound ends to the sample; AAC in an MKV may run on by 1023. The
    file appears under its name when it is whole. Until then it has another name beside it, and is
    removed if anything stops the run. The same frames, sound and settings give the same file.

    Parameters
    ----------
    path : str or path
        Target, ending in .mp4, .webm or .mkv. Its folder must exist.
    frames : iterable of np.ndarray, uint8, shape (height, width, 3)
        The frames, one by one, all of one size up to 8192 pixels a side. Video stores colour for
        squares of 2 x 2 pixels, so an odd width or height gains a copy of its last column or row.
    fps : float
        Frames a second, from 1 to 120. It is kept as the nearest fraction with a denominator of at
        most 1001, which is exact for 29.97 as well as for 30000/1001.
    sound : iterable of np.ndarray, float32, shape (channels, samples) or (samples,), optional
        The sound in blocks of any length, between -1 and 1, with 1, 2, 3, 4, 6
        (5.1) or 8 (7.1) channels in the order of a WAV file.
    sr : int, optional
        Sample rate of the sound in hertz; needed with `sound`. The file keeps it if the codec has
        it: Opus always works at 48000 Hz, and AAC knows thirteen rates up to 96000 Hz.
    codec : str, optional
        "h264" or "vp9". By default H.264, and VP9 for .webm.
    quality : float
        From 0 (coarse, small) to 100 (fine, large), much as for a JPEG.
    audio_codec : str, optional
        "aac" or "opus". By default AAC, and Opus for .webm.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        A parameter is out of range, the container does not take the codec, a frame or a block of
        sound is not usable, or the file cannot be written. What `frames` and `sound` raise
        themselves comes through as it is.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    target, rate = check_target(path, codec, quality), frame_rate(fps)
    codec, audio_codec = _codecs(target.suffix.lower(), codec, audio_codec)
    crf = _constant_rate_factor(codec, quality)
    sound, channels, sr = _opened_sound(sound, sr)
    frames = _checked_frames(frames)
    first = next(frames)
    with _replacing(target) as temporary, _Muxer(temporary, target) as muxer:
        muxer.add_picture(codec, first.shape, rate, crf)
        if sound is not None:
            muxer.add_sound(audio_codec, sound, channels, sr)
        for index, frame in enumerate(chain([first], frames)):
            muxer.write_frame(frame, index)
        muxer.finish()
    return Path(path)


def check_target(path: str | os.PathLike, codec: str | None = None, quality: float = 75) -> Path:
    """Check where a video is to go, and how, before any of it is made.

    Parameters
    ----------
    path, codec, quality :
        As for `write_video`.

    Returns
    -------
    Path
        The file that is going to be written: where `path` is a link, what it points to.

    Raises
    ------
    InputError
        The name, its suffix or its folder is not usable, the container does not take the codec, or
        `quality` is out of range.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    target = _target(path)
    codec, _ = _codecs(target.suffix.lower(), codec, None)
    _constant_rate_factor(codec, quality)
    return target


def read_frames(path: str | os.PathLike) -> Iterator[np.ndarray]:
    """Decode the frames of a video one by one.

    Parameters
    ----------
    path : str or path
        Video file.

    Yields
    ------
    np.ndarray, uint8, shape (height, width, 3)
        The next frame.

    Raises
    ------
    InputError
        The file is missing or holds no picture that can be read.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    from av.video.reformatter import ColorRange, VideoReformatter

    with _reading(path) as (container, picture):
        convert = VideoReformatter().reformat
        for frame in container.decode(picture):
            # A file that does not name its colours has those of standard definition.
            source = frame.colorspace if frame.colorspace != 2 else None
            yield convert(
                frame, format="rgb24", src_colorspace=source, dst_color_range=ColorRange.JPEG
            ).to_ndarray()


def probe(path: str | os.PathLike) -> VideoInfo:
    """Measure a video file: count its frames, and the samples of its sound.

    Parameters
    ----------
    path : str or path
        Video file.

    Returns
    -------
    VideoInfo
        What is in the file.

    Raises
    ------
    InputError
        The file is missing or holds no picture that can be read.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    with _reading(path) as (container, picture):
        sound = next(iter(container.streams.audio), None)
        count, samples, begin, end = 0, 0, math.inf, -math.inf
        for packet in container.demux(picture, *([sound] if sound else [])):
            if packet.stream is sound:
                samples += sum(frame.samples for frame in packet.decode())
            elif packet.pts is not None:
                count += 1
                begin = min(begin, packet.pts * packet.time_base)
                end = max(end, (packet.pts + packet.duration) * packet.time_base)
        if not count:
            raise InputError(f"{path} holds no frames. Give another video.")
        return VideoInfo(
            float(picture.average_rate or count / (end - begin)), count, float(end - begin),
            picture.width, picture.height, picture.codec_context.codec.canonical_name,
            sound and sound.codec_context.codec.canonical_name, sound and sound.rate,
            sound and sound.channels, sound and _sound_seconds(sound, samples),
        )  # fmt: skip


def frame_rate(fps: float) -> Fraction:
    """Return a frame rate as the fraction that video files keep.

    Parameters
    ----------
    fps : float
        Frames a second, from 1 to 120.

    Returns
    -------
    Fraction
        The nearest fraction with a denominator of at most 1001.

    Raises
    ------
    InputError
        The rate is no number from 1 to 120.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    number = isinstance(fps, Real) and not isinstance(fps, bool)
    if not (number and math.isfinite(fps) and 1 <= fps <= 120):
        raise InputError(f"fps is {fps!r}: give a number of frames a second from 1 to 120.")
    fps = fps if isinstance(fps, Fraction) else float(fps)
    return Fraction(fps).limit_denominator(_MAX_DENOMINATOR)


class _Muxer:
    """An output file with a picture and perhaps a sound, written side by side in time."""

    def __init__(self, path: Path, target: Path) -> None:
        """Open `path`, which is to become `target`; messages name the latter."""
        import av

        self._target, self._sound = target, None
        # While this thread encodes a picture, others convert the next one and encode the sound.
        # What they have made is taken over at fixed places, so that the file does not depend on
        # who was quicker.
        self._helpers, self._converted = ThreadPoolExecutor(2), None
        self._portion, self._planned = None, 0
        # Without bitexact, Matroska numbers its files at random. With faststart an MP4 begins with
        # its table of contents, so that a browser plays it before it is loaded.
        options = {"fflags": "+bitexact"}
        if target.suffix.lower() == ".mp4":
            options["movflags"] = "+faststart"
        with _writing(target):
            self._container = av.open(
                str(path), "w", format=_FORMATS[target.suffix.lower()], options=options
            )

    def __enter__(self) -> "_Muxer":
        return self

    def __exit__(self, kind, error, trace) -> None:
        """Close the file: with its table of contents if all went well, anyhow if not."""
        try:
            self._helpers.shutdown(cancel_futures=True)
        finally:  # a second interruption may come while the helpers end
            self._close(kind is None)

    def _close(self, complete: bool) -> None:
        import av

        if complete:
            with _writing(self._target):
                self._container.close()
        else:
            # The file is thrown away, and only the first error is of use.
            with suppress(OSError, ValueError, av.FFmpegError):
                self._container.close()

    def add_picture(self, codec: str, shape: tuple, rate: Fraction, crf: int) -> None:
        self._picture = _PictureTrack(self._container, codec, shape, rate, crf)

    def add_sound(self, codec: str, blocks: Iterator, channels: int, sr: int) -> None:
        self._sound = _SoundTrack(self._container, codec, blocks, channels, sr)

    def write_frame(self, frame: np.ndarray, index: int) -> None:
        """Encode frame number `index`, and the sound before its end that is due."""
        converted = self._helpers.submit(self._picture.convert, frame, index)
        with _writing(self._target):
            self._encode_converted()
            self._converted = converted.result()  # from here on the frame may be overwritten
        self._write_sound(self._picture.seconds)

    def finish(self) -> None:
        """Bring the sound to the picture's length, and empty the encoders."""
        self._write_sound(self._picture.seconds, least=1)
        self._take_over()
        with _writing(self._target):
            self._encode_converted()
            self._container.mux(self._picture.flush())
            if self._sound is not None:
                self._container.mux(self._sound.flush())

    def _encode_converted(self) -> None:
        if self._converted is not None:
            self._container.mux(self._picture.encode(self._converted))

    def _write_sound(self, until: Fraction, least: int = _PORTION) -> None:
        """Have the sound encoded up to a time, if at least so many samples are due."""
        if self._sound is None:
            return
        samples = self._sound.samples(until) - self._planned
        if samples >= least:
            self._take_over()
            self._planned += samples
            self._portion = self._helpers.submit(self._sound_packets, samples)

    def _sound_packets(self, samples: int) -> list:
        y = self._sound.take(samples)  # errors of the reader's own generator come out here
        with _writing(self._target):
            return self._sound.encode(y)

    def _take_over(self) -> None:
        """Write the sound that was being encoded, as soon as it is ready."""
        if self._portion is not None:
            packets, self._portion = self._portion.result(), None
            with _writing(self._target):
                self._container.mux(packets)


class _PictureTrack:
    """The picture of a video, from arrays to packets."""

    def __init__(self, container, codec: str, shape: tuple, rate: Fraction, crf: int) -> None:
        from av.video.reformatter import VideoReformatter

        height, width = shape[:2]
        self.seconds, self._rate = Fraction(0), rate
        self._pad = ((0, height % 2), (0, width % 2), (0, 0))
        self._stream = stream = container.add_stream(_ENCODERS[codec], rate=rate)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"  # the one that every browser plays
        stream.options = _encoder_options(codec, crf)
        context = stream.codec_context
        context.time_base = 1 / rate
        context.bit_rate = 0  # the constant rate factor rules
        context.gop_size = math.ceil(_KEYFRAME_SECONDS * rate)
        # One frame a thread, not one slice: the same speed at a better picture.
        context.thread_type = "FRAME" if codec == "h264" else "AUTO"
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE
        self._convert = VideoReformatter().reformat

    def convert(self, frame: np.ndarray, index: int):
        """Return frame number `index` as the encoder wants it."""
        import av

        if any(side[1] for side in self._pad):
            frame = np.pad(frame, self._pad, mode="edge")
        # No copy is made: the conversion has read the array before this function ends.
        picture = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(frame), format="rgb24")
        picture = self._convert(
            picture, format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE
        )
        picture.pts, picture.time_base = index, 1 / self._rate
        self.seconds = (index + 1) / self._rate
        return picture

    def encode(self, picture) -> list:
        """Return the packets that a picture completes, which are often those of earlier ones."""
        return self._packets(picture)

    def flush(self) -> list:
        return self._packets(None)

    def _packets(self, picture) -> list:
        packets = self._stream.encode(picture)
        for packet in packets:
            packet.duration = 1  # or the last frame would last no time in some containers
        return packets


class _SoundTrack:
    """The sound of a video, from blocks of any length to packets."""

    def __init__(self, container, codec: str, blocks: Iterator, channels: int, sr: int) -> None:
        self._layout, self._rate = _LAYOUTS[channels], _sound_rate(codec, sr)
        self._blocks = _resampled(blocks, channels, sr, self._rate)
        self._waiting = np.zeros((channels, 0), np.float32)
        self._written = 0
        self._stream = container.add_stream(_ENCODERS[codec], rate=self._rate)
        self._stream.layout = self._layout
        # AAC holds at most 6 bits a sample.
        self._stream.bit_rate = channels * min(_SOUND_BIT_RATE, 5 * self._rate)
        if codec == "aac":  # as close to the sound as the usual search, in half its time
            self._stream.options = {"aac_coder": "fast"}

    def samples(self, until: Fraction) -> int:
        """Return how many samples there are up to a time in seconds."""
        return round(until * self._rate)

    def take(self, samples: int) -> np.ndarray:
        """Return the next samples, with silence after the end of the sound."""
        parts, found = [self._waiting], self._waiting.shape[1]
        while found < samples:
            block = next(self._blocks, None)
            if block is None:
                block = np.zeros((len(self._waiting), samples - found), np.float32)
            parts.append(block)
            found += block.shape[1]
        joined = np.concatenate(parts, axis=1)
        self._waiting = joined[:, samples:].copy()
        return joined[:, :samples]

    def encode(self, y: np.ndarray) -> list:
        import av

        # Channel after channel, PyAV takes no more than seven.
        interleaved = np.ascontiguousarray(y.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=self._layout)
        frame.rate, frame.pts, frame.time_base = self._rate, self._written, Fraction(1, self._rate)
        self._written += y.shape[1]
        return self._stream.encode(frame)

    def flush(self) -> list:
        return self._stream.encode(None)


def _encoder_options(codec: str, crf: int) -> dict[str, str]:
    """Return the encoder's settings for speed, which no player needs to know."""
    if codec == "h264":
        return {"preset": "veryfast", "crf": str(crf)}
    return {"crf": str(crf), "deadline": "realtime", "cpu-used": "7", "row-mt": "1"}


def _constant_rate_factor(codec: str, quality: float) -> int:
    """Return what encoders count coarseness in: from 10 to 50 for H.264, and more for VP9."""
    number = isinstance(quality, Real) and not isinstance(quality, bool)
    if not (number and 0 <= quality <= 100):
        raise InputError(f"quality is {quality!r}: give a number from 0 (small) to 100 (fine).")
    return round((50 if codec == "h264" else 60) - 0.4 * quality)


def _codecs(suffix: str, codec: str | None, audio_codec: str | None) -> tuple[str, str]:
    """Return the codecs of picture and sound, or say which ones the container takes."""
    chosen = []
    for name, value, allowed in zip(
        ("codec", "audio_codec"), (codec, audio_codec), CODECS[suffix], strict=True
    ):
        value = allowed[0] if value is None else value
        if value not in allowed:
            choices = " or ".join(map(repr, allowed))
            raise InputError(f"{name} is {value!r}: {suffix} takes {choices}.")
        chosen.append(value)
    return chosen[0], chosen[1]


def _checked_frames(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Pass frames on, and refuse what is no frame or has another size than the first one."""
    shape = None
    for index, frame in enumerate(_iterator(frames, "frames")):
        if not (isinstance(frame, np.ndarray) and frame.dtype == np.uint8):
            kind = getattr(frame, "dtype", type(frame).__name__)
            raise InputError(f"Frame {index} is {kind}: give an array of uint8, from 0 to 255.")
        if frame.ndim != 3 or frame.shape[2] != 3 or not 1 <= min(frame.shape):
            raise InputError(f"Frame {index} has shape {frame.shape}: give (height, width, 3).")
        if max(frame.shape) > _MAX_SIDE:
            raise InputError(
                f"Frame {index} has shape {frame.shape}: {_MAX_SIDE} pixels a side are the most."
            )
        if frame.shape != (shape or frame.shape):
            raise InputError(
                f"Frame {index} has shape {frame.shape}, and those before it {shape}: "
                "give frames of one size."
            )
        shape = frame.shape
        yield frame
    if shape is None:
        raise InputError("frames has no frame in it: give at least one.")


def _iterator(values: Iterable, name: str) -> Iterator:
    try:
        return iter(values)
    except TypeError as error:
        kind = type(values).__name__
        raise InputError(f"{name} is {kind}: give a list or a generator of arrays.") from error


def _opened_sound(
    sound: Iterable | None, sr: float | None
) -> tuple[Iterator[np.ndarray] | None, int, int]:
    """Return the blocks of a sound, its number of channels and its sample rate."""
    if sound is None:
        return None, 0, 0
    if sr is None:
        raise InputError("sr is missing: give the sample rate of the sound, such as 44100.")
    sr, blocks = check_rate(sr), _checked_blocks(_iterator(sound, "sound"))
    first = next(blocks)
    return chain([first], blocks), len(first), sr


def _checked_blocks(sound: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Pass blocks on as float32 of shape (channels, samples), and refuse what is no sound."""
    channels = None
    for index, block in enumerate(sound):
        if not (isinstance(block, np.ndarray) and block.dtype.kind == "f" and block.ndim in (1, 2)):
            raise InputError(
                f"Block {index} of sound is no array of floats of shape (channels, samples)."
            )
        block = np.atleast_2d(block).astype(np.float32, copy=False)
        channels = channels or len(block)
        if len(block) not in _LAYOUTS or len(block) != channels:
            raise InputError(
                f"Block {index} of sound has shape {block.shape}: give (channels, samples), "
                "with 1, 2, 3, 4, 6 or 8 channels, the same number in every block."
            )
        if not np.isfinite(block).all():
            raise InputError(f"Block {index} of sound holds NaN or infinite samples.")
        yield block
    if channels is None:
        raise InputError("sound has no block in it: give at least one, or sound=None.")


def _sound_rate(codec: str, sr: int) -> int:
    """Return the sample rate to encode at: the sound's own if the codec has it, or one above."""
    import av

    if codec == "opus":
        return 48_000
    rates = sorted(av.Codec(_ENCODERS[codec], "w").audio_rates)
    return next((rate for rate in rates if rate >= sr), rates[-1])


def _resampled(blocks: Iterator, channels: int, sr: int, rate: int) -> Iterator[np.ndarray]:
    """Bring blocks of shape (channels, samples) to another sample rate."""
    if sr == rate:
        yield from blocks
        return
    import soxr

    resampler = soxr.ResampleStream(sr, rate, channels, dtype="float32")
    for block in blocks:
        yield resampler.resample_chunk(np.ascontiguousarray(block.T)).T
    yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True).T


def _target(path: str | os.PathLike) -> Path:
    """Return where to write, or say why that is not possible."""
    try:
        target = Path(path)
    except TypeError as error:
        raise InputError(f"path is {path!r}: give the name of a file.") from error
    if target.suffix.lower() not in CODECS:
        raise InputError(f"{target} must end in one of {', '.join(CODECS)}.")
    if target.is_dir():
        raise InputError(f"{target} is a folder. Give a name for a file in it.")
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent}. Make it first, or choose another.")
    if target.exists() and not os.access(target, os.W_OK):
        raise InputError(f"{target} is write-protected. Choose another name.")
    # Through a link, the file that it points to is replaced, and not the link.
    return target.resolve()


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a temporary name beside `target`; move it there at the end, or remove it."""
    temporary = target.with_name(f".{uuid4().hex}{target.suffix.lower()}")
    try:
        yield temporary
        with _writing(target):
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn what goes wrong while writing into an error that names the file."""
    import av

    try:
        yield
    except (OSError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{target} cannot be written ({reason}). "
            "Choose a folder that you may write to, with room on it."
        ) from error


def _sound_seconds(sound, samples: int) -> float:
    """Return how long a sound lasts: what it decodes to, or less if the file says so."""
    decoded = samples / sound.rate
    return min(decoded, float(sound.duration * sound.time_base)) if sound.duration else decoded


@contextmanager
def _reading(path: str | os.PathLike) -> Iterator[tuple]:
    """Open a video and give it with its picture; say so if it has none or is damaged."""
    import av

    if not Path(path).is_file():
        raise InputError(f"There is no file {path}. Check the name.")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path} holds no picture. Give a video.")
            container.streams.video[0].thread_type = "AUTO"
            yield container, container.streams.video[0]
    except av.FFmpegError as error:
        raise InputError(f"{path} is no video that can be read, or is damaged.") from error
