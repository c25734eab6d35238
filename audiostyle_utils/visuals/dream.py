"""A song becomes a video: the class and the parameters of Lucid Sonic Dreams."""

import inspect
import math
import numbers
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np

from .. import audio
from ..errors import InputError
from ..training import progress
from . import effects, video
from .clips import Clip, show_video
from .effects import EffectsGenerator
from .latents import LatentPath, PathSettings
from .published import PublishedPath, hop_at, published_timeline
from .styles import Style, check_style, is_painted, open_style
from .timeline import (
    PARTS,
    SILENT,
    SR,
    Loudness,
    Timeline,
    at_frames,
    envelope,
    excerpt_blocks,
    make_timeline,
    measure_loudness,
)

_AHEAD = 256  # so many frames' vectors are worked out at once
_MEASUREMENTS = 8  # are kept: more than one video needs, and little memory
_KEPT_FRAME = "{:06d}.png"
_A_KEPT_FRAME = re.compile(r"[0-9]{6,}\.png")
_VIDEOS = (".mp4", ".webm", ".mkv")
_OTHER_FORMATS = {".avi", ".mov", ".wmv", ".flv", ".mpg", ".mpeg", ".m4v", ".ogv", ".3gp"}
_OTHER_FORMATS |= {".mp3", ".wav", ".ogg", ".flac", ".m4a", ".opus", ".aac", ".txt"}
_OTHER_FORMATS |= {".gif", ".png", ".apng", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
_NUMBERS = {  # lowest, highest, and what it is
    "fps": (1, 120, "frames a second"),
    "start": (0, 1e6, "seconds"),
    "duration": (1e-3, 1e6, "seconds"),
    "speed_fpm": (0, 7200, "key vectors a minute"),
    "pulse_react": (0, 10, "usually 0 to 2"),
    "motion_react": (0, 10, "usually 0 to 2"),
    "motion_randomness": (0, 1, "a share"),
    "truncation": (0, 1, "a share"),
    "class_pitch_react": (0, 10, "usually 0 to 2"),
    "class_smooth_seconds": (0, 60, "seconds"),
    "class_complexity": (0, 1, "a share"),
    "class_shuffle_strength": (0, 1, "a share"),
    "contrast_strength": (0, 1, "a share"),
    "flash_strength": (0, 1, "a share"),
    "quality": (0, 100, "higher is better and larger"),
}
_WHOLE = {
    "resolution": (16, 4096, "pixels"),
    "width": (16, 4096, "pixels"),
    "height": (16, 4096, "pixels"),
    "batch_size": (1, 1024, "vectors a call"),
    "seed": (0, 2**32 - 1, "any number"),
}
_SWITCHES = ("save_frames", "pulse_percussive", "pulse_harmonic", "motion_percussive")
_SWITCHES += ("motion_harmonic", "dominant_classes_first", "contrast_percussive")
_SWITCHES += ("flash_percussive",)
_OPTIONAL = {"duration", "contrast_strength", "flash_strength", "resolution", "width", "height"}
_OPTIONAL |= {"contrast_percussive", "flash_percussive"}
_OF_THE_PATH = [field.name for field in fields(PathSettings)]
_OF_THE_FILE = ("file_name", "output_audio", "save_frames", "codec", "quality")


class LucidSonicDream:
    """A song, and the style in which it is to be seen.

    Parameters
    ----------
    song : str or path
        Recording that is followed and heard, of any format, rate, length and number of channels.
    pulse_audio, motion_audio, class_audio : str, path or None
        Recordings that are followed in place of the song: by the pulse, the motion and the
        classes. Such a recording is followed as it is, without a division into beat and tones.
    contrast_audio, flash_audio : str, path or None
        Recordings that these effects follow; to give one switches the effect on.
    style : str, path or callable
        What paints: see `styles.open_style`, and `show_styles` for the names. The default is that
        of the published package, a TensorFlow file that cannot be had any more: a style has to be
        given, such as ``"drawings"``, ``"cppn"``, ``"aurora"`` or ``"kaleidoscope"``.
    input_shape, num_possible_classes : int or None
        Lengths of a noise and of a class vector, for a function as style.

    Raises
    ------
    InputError
        A recording cannot be read, or the style is unknown, cannot be had (as the default) or does
        not fit. A network is loaded, and downloaded, when it is first needed.

    Chapter
    -------
    06_lucid_sonic_visuals

    References
    ----------
    Alafriz, "Lucid Sonic Dreams", 2021: the parameters and their meaning.
    """

    def __init__(
        self,
        song: str | os.PathLike,
        pulse_audio: str | os.PathLike | None = None,
        motion_audio: str | os.PathLike | None = None,
        class_audio: str | os.PathLike | None = None,
        contrast_audio: str | os.PathLike | None = None,
        flash_audio: str | os.PathLike | None = None,
        style: str | os.PathLike | Callable = "wikiart",
        input_shape: int | None = None,
        num_possible_classes: int | None = None,
    ) -> None:
        recordings = {"song": song, "pulse_audio": pulse_audio, "motion_audio": motion_audio}
        recordings |= {"class_audio": class_audio, "contrast_audio": contrast_audio}
        recordings |= {"flash_audio": flash_audio}
        for name, path in recordings.items():
            if path is not None or name == "song":
                _named(name, audio.native_rate, path)
        check_style(style, input_shape, num_possible_classes)
        self.recordings = {name: path for name, path in recordings.items() if path is not None}
        self.style, self.input_shape = style, input_shape
        self.num_possible_classes = num_possible_classes
        self._loudness: dict[tuple, Loudness] = {}
        self._styles: dict[tuple | None, Style] = {}

    def hallucinate(
        self,
        file_name: str | os.PathLike,
        output_audio: str | os.PathLike | None = None,
        fps: float = 43,
        resolution: int | None = None,
        start: float = 0,
        duration: float | None = None,
        save_frames: bool = False,
        batch_size: int = 1,
        speed_fpm: float = 12,
        pulse_percussive: bool = True,
        pulse_harmonic: bool = False,
        pulse_react: float = 0.5,
        motion_percussive: bool = False,
        motion_harmonic: bool = True,
        motion_react: float = 0.5,
        motion_randomness: float = 0.5,
        truncation: float = 1,
        classes: Sequence[int] | None = None,
        dominant_classes_first: bool = False,
        class_pitch_react: float = 0.5,
        class_smooth_seconds: float = 1,
        class_complexity: float = 1,
        class_shuffle_seconds: float | Sequence[float] | None = None,
        class_shuffle_strength: float = 0.5,
        contrast_strength: float | None = None,
        contrast_percussive: bool | None = None,
        flash_strength: float | None = None,
        flash_percussive: bool | None = None,
        custom_effects: Sequence[EffectsGenerator] | None = None,
        *,
        seed: int = 0,
        width: int | None = None,
        height: int | None = None,
        codec: str | None = None,
        quality: float = 75,
        compat: str | None = None,
    ) -> Path:
        """Render the video, with its sound.

        Parameters
        ----------
        file_name : str or path
            Where it goes: ``.mp4`` (added if there is no suffix), ``.webm`` or ``.mkv``. The file
            appears when it is complete.
        output_audio : str, path or None
            Recording that is heard in place of the song. Sound of 5, 7 or more than 8 channels is
            mixed down to two.
        fps : float
            Frames a second, 1 to 120, kept to exactly; up to 114 with `compat`, which rounds it up.
        resolution : int or None
            Width and height in pixels, 16 to 4096; None means as the style paints. Other styles
            than the painted ones are enlarged, and what does not fit is cut off.
        start, duration : float
            Which part of the song, in seconds; None means to the end. The pictures of a part are
            not those of the whole video: its path begins with it.
        save_frames : bool
            Whether to keep each frame as a PNG beside the video, in a folder ``..._frames``. The
            folder appears when all are there, in place of that of an earlier run.
        batch_size : int
            Vectors that the style gets at once.
        speed_fpm : float
            Key vectors a minute between which the base strolls, up to 60 * fps; 0 stands still.
        pulse_percussive, pulse_harmonic, motion_percussive, motion_harmonic : bool
            Whether the beat, or the tones, drive the pulse and the motion. Where both are equal
            the whole sound does.
        pulse_react : float
            How far the loudest hit pushes, usually 0 to 2: a hit of full loudness adds this much
            to, or takes it from, each coordinate on the average. Between two keys its direction
            turns, and coordinates that change their sign are pushed less.
        motion_react : float
            How fast music carries on, usually 0 to 2: full loudness moves each coordinate by 20
            times this a second.
        motion_randomness : float
            0 to 1: by how much a random half of the coordinates is slower, drawn anew every four
            seconds.
        truncation : float
            0 to 1: how far noise goes from the middle. Less is less varied. A StyleGAN gets it
            as its truncation psi.
        classes : sequence of int or None
            Up to twelve labels for the notes from C on. None draws them.
        dominant_classes_first : bool
            Whether the first label goes to the note that is heard most, and so on.
        class_pitch_react : float
            How fast labels follow the notes, usually 0 to 2: at full loudness the distance falls
            to 1/e in ``1 / (20 * class_pitch_react)`` seconds. The quieter it is, compared with
            the seconds around, the slower, and in a rest not at all: scenes change on the beat.
            How loud it is follows from `class_audio`, if that is given.
        class_smooth_seconds : float
            Over how many seconds the notes are smoothed before that, 0 to 60.
        class_complexity : float
            0 to 1: the largest weight of a class vector. Less is simpler.
        class_shuffle_seconds : float, sequence of float or None
            Each so many seconds, or at these times of the song, notes and labels are dealt anew.
        class_shuffle_strength : float
            0 to 1: the labels move on by this share of the twelve places, so that 1 is a full turn
            and changes nothing.
        contrast_strength, flash_strength : float or None
            0 to 1: how strong these effects are; 0.5 if the effect is on and this is None.
        contrast_percussive, flash_percussive : bool or None
            Whether they follow only the beat; None means True. To give a strength, or this, or
            the recording to follow, switches an effect on.
        custom_effects : sequence of EffectsGenerator or None
            Effects of your own, which come first.
        seed : int
            Same seed, same video.
        width, height : int or None
            Size in pixels, in place of `resolution`.
        codec : str or None
            ``"h264"`` or ``"vp9"``; None means what fits the suffix.
        quality : float
            0 to 100.
        compat : str or None
            ``"0.4"``: move as that version of Lucid Sonic Dreams does, faults included.

        Returns
        -------
        pathlib.Path
            The video.

        Raises
        ------
        InputError
            A parameter is out of range, a recording cannot be read or is silent, a style or an
            effect fails, or the file cannot be written. Nothing is left half written.
        """
        given = {name: value for name, value in locals().items() if name != "self"}
        settings = _checked(given)
        path = _video_path(file_name)
        folder = path.with_name(f"{path.stem}_frames") if save_frames else None
        video.check_target(path, codec, quality)
        _check_folder(folder)
        sound, sr = self._sound(output_audio, start)
        picture = self._prepare(settings)
        frames = progress(picture.frames(), "frames", total=len(picture.path))
        with _keeping(frames, folder) as frames:
            return video.write_video(
                path, frames, picture.fps, sound=sound, sr=sr, codec=codec, quality=quality
            )

    def frames(self, **parameters: Any) -> Iterator[np.ndarray]:
        """Paint the frames of a video without writing one.

        Parameters
        ----------
        **parameters
            As for `hallucinate`, but for those of the file and its sound.

        Yields
        ------
        np.ndarray, uint8, shape (height, width, 3)
            One frame after the other.

        Raises
        ------
        InputError
            As `hallucinate` does.
        """
        return self._prepare(_merged(parameters)).frames()

    def latent_path(self, **parameters: Any) -> LatentPath:
        """Work out what moves the pictures, without painting any.

        Parameters
        ----------
        **parameters
            As for `hallucinate`, but for those of the file and its sound.

        Returns
        -------
        LatentPath
            Its `timeline` says what the music does; with ``compat="0.4"`` a `PublishedPath`.

        Raises
        ------
        InputError
            As `hallucinate` does.
        """
        return self._prepare(_merged(parameters)).path

    def preview(self, description: str, duration: float = 6.0, **parameters: Any) -> Clip:
        """Render a few seconds, and show them in the notebook.

        Parameters
        ----------
        description : str
            What is seen and heard, in words.
        duration : float
            Seconds.
        **parameters
            As for `hallucinate`.

        Returns
        -------
        Clip
            Object that a notebook renders as a player.

        Raises
        ------
        InputError
            As `hallucinate` does.
        """
        check_knobs(parameters)
        with TemporaryDirectory() as folder:
            path = self.hallucinate(Path(folder) / "preview", duration=duration, **parameters)
            return show_video(path, description)

    def _sound(
        self, output_audio: str | os.PathLike | None, start: float
    ) -> tuple[Iterator[np.ndarray], int]:
        """Open what is heard, from start on: its blocks, and its sample rate."""
        name = "song" if output_audio is None else "output_audio"
        heard = self.recordings["song"] if output_audio is None else output_audio
        sr = _named(name, audio.native_rate, heard)
        return _mixed(_some(name, excerpt_blocks(heard, sr, start, None, mono=False))), sr

    def _prepare(self, settings: dict[str, Any]) -> "_Picture":
        """Load what is needed, and check what only then can be checked."""
        style = self._style(settings["width"], settings["height"])
        _check_classes(settings["classes"], style.num_possible_classes)
        fps = video.frame_rate(settings["fps"])
        timeline = self._timeline(settings, float(fps))  # says what is wrong with a recording
        if settings["compat"]:
            path = self._published_path(settings, style)
            fps = Fraction(path.timeline.fps).limit_denominator(1001)
        else:
            # A network truncates by itself. Shorter noise would make pulse and motion larger.
            chosen = _chosen(settings) | ({"truncation": 1.0} if style.truncates else {})
            path = LatentPath(timeline, *_sizes(style), **chosen)
        return _Picture(style, path, fps, settings, self._effects(settings, path.timeline))

    def _style(self, width: int | None, height: int | None) -> Style:
        key = (width, height) if is_painted(self.style) else None
        if key not in self._styles:
            given = self.style, self.input_shape, self.num_possible_classes
            self._styles = {key: open_style(*given, width=width, height=height)}
        return self._styles[key]

    def _timeline(self, settings: Mapping[str, Any], fps: float) -> Timeline:
        """Measure all that drives the video."""
        measured = {
            name: self._measured(name, settings)
            for name in ("song", "pulse_audio", "motion_audio", "class_audio")
            if name in self.recordings
        }
        song = measured["song"]
        if song.seconds * fps < 0.5:
            raise InputError(
                f"song lasts {song.seconds:.4f} s from start on, less than a frame at fps {fps:g}."
            )
        if max(loudness.peak for loudness in measured.values()) < SILENT:
            raise InputError(
                f"song is silent: from {settings['start']:g} s on its largest sample is "
                f"{song.peak:.1g}. Give another part, or a song that is louder than {SILENT:g}."
            )
        curves = [
            measured[f"{name}_audio"].parts["all"]
            if f"{name}_audio" in measured
            else song.parts[_part(settings, name)]
            for name in ("pulse", "motion")
        ]
        return make_timeline(*curves, measured.get("class_audio", song), fps, song.seconds)

    def _measured(self, name: str, settings: Mapping[str, Any], path=None) -> Loudness:
        """Measure a recording once, however many parameters and calls ask for it."""
        path = Path(self.recordings[name] if path is None else path).expanduser()
        start, duration = settings["start"], settings["duration"]
        if not path.is_file():
            raise InputError(f"{name}: there is no file {path} (any more). Check the name.")
        stat = path.stat()
        key = (path, stat.st_mtime_ns, stat.st_size, start, duration)
        measured = self._loudness.pop(key, None)
        if measured is None:
            measured = _named(name, measure_loudness, path, start, duration)
        self._loudness[key] = measured  # as the newest one
        for old in list(self._loudness)[:-_MEASUREMENTS]:
            del self._loudness[old]
        return measured

    def _published_path(self, settings: Mapping[str, Any], style: Style):
        """Move as the published code does."""
        stems = {name: self.recordings.get(name) for name in ("pulse_audio", "motion_audio")}
        timeline = published_timeline(
            self.recordings["song"],
            settings["fps"],
            style.input_shape,
            class_audio=self.recordings.get("class_audio"),
            start=settings["start"],
            duration=settings["duration"],
            parts=[_part(settings, name) for name in ("pulse", "motion")],
            **stems,
        )
        return PublishedPath(timeline, *_sizes(style), fps=settings["fps"], **_chosen(settings))

    def _effects(
        self, settings: Mapping[str, Any], timeline: Timeline
    ) -> list[tuple[EffectsGenerator, np.ndarray]]:
        """Return each effect with how loud it is at each frame. The caller's stay as they are."""
        chosen = [("custom_effects", effect) for effect in settings["custom_effects"] or ()]
        for name, func in (
            ("contrast", effects.contrast_effect),
            ("flash", effects.flash_effect),
        ):
            path = self.recordings.get(f"{name}_audio")
            strength, percussive = settings[f"{name}_strength"], settings[f"{name}_percussive"]
            if (path, strength, percussive) != (None, None, None):
                strength = 0.5 if strength is None else strength
                effect = EffectsGenerator(func, path, strength, percussive in (None, True))
                chosen.append((f"{name}_audio", effect))
        found = []
        for name, effect in chosen:
            path = effect.audio or self.recordings["song"]
            measured = self._measured(name if effect.audio else "song", settings, path)
            curve = measured.parts["percussive" if effect.percussive else "all"]
            found.append((effect, at_frames(envelope(curve), timeline.fps, len(timeline)) ** 2))
        return found


def check_knobs(names: Iterable[str]) -> None:
    """Refuse names that no parameter of `LucidSonicDream.hallucinate` has.

    Parameters
    ----------
    names : iterable of str
        Such as the keywords of a call. All parameters but ``file_name``, which is no knob, are
        taken; their values are not looked at.

    Raises
    ------
    InputError
        A name is unknown. The message says which one is nearest to it.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    known = set(inspect.signature(LucidSonicDream.hallucinate).parameters) - {"self", "file_name"}
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), sorted(known), n=1)
            advice = (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}."
            )
            raise InputError(f"There is no knob {name!r}; {advice}")


class _Picture:
    """All that is needed to paint the frames of one video."""

    def __init__(self, style: Style, path, fps: Fraction, settings: dict, changes: list) -> None:
        self.style, self.path, self.fps, self.changes = style, path, fps, changes
        published = settings["compat"] is not None
        self.truncation = settings["truncation"] if style.truncates and not published else 1.0
        self.settings = settings
        self.seconds = float(len(path) / fps)
        self.size = settings["width"], settings["height"]

    def frames(self) -> Iterator[np.ndarray]:
        """Paint one frame after the other."""
        for index, array in enumerate(self._painted()):
            for effect, amplitudes in self.changes:
                array = effects.apply(effect, array, float(amplitudes[index]))
            yield self._sized(array)

    def _painted(self) -> Iterator[np.ndarray]:
        step = self.settings["batch_size"]
        ahead = -(-_AHEAD // step) * step  # whole batches
        for first in range(0, len(self.path), ahead):
            last = min(first + ahead, len(self.path))
            noise, classes = self.path.noise(first, last), self.path.class_vectors(first, last)
            for k in range(0, last - first, step):
                yield from self.style.paint(
                    noise[k : k + step], classes[k : k + step], self.truncation
                )

    def _sized(self, array: np.ndarray) -> np.ndarray:
        """Bring a frame to the size that was asked for."""
        width, height = self.size
        if width is None and height is None:
            return array
        size = (width or height, height or width)
        if array.shape[1::-1] == size:
            return array
        from PIL import Image, ImageOps

        # What does not fit is cut off: stretched, a circle would become an ellipse.
        return np.asarray(ImageOps.fit(Image.fromarray(array), size, Image.Resampling.BICUBIC))


def _part(settings: Mapping[str, Any], name: str) -> str:
    """Return which part of the song drives pulse or motion."""
    percussive, harmonic = settings[f"{name}_percussive"], settings[f"{name}_harmonic"]
    return PARTS[0] if percussive == harmonic else PARTS[1] if percussive else PARTS[2]


def _sizes(style: Style) -> tuple[int, int]:
    return style.input_shape, style.num_possible_classes


def _chosen(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in _OF_THE_PATH}


def _merged(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fill up parameters with the defaults of `hallucinate`, and check them."""
    signature = inspect.signature(LucidSonicDream.hallucinate).parameters
    of_the_file = [name for name in _OF_THE_FILE if name in parameters]
    if of_the_file:
        raise InputError(f"{of_the_file[0]} is of no use here, where no file is written: omit it.")
    check_knobs(parameters)
    defaults = {name: entry.default for name, entry in signature.items() if name != "self"}
    return _checked(defaults | dict(parameters))


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Check what can be checked before anything is loaded, and settle the size."""
    for limits, whole in ((_NUMBERS, False), (_WHOLE, True)):
        for name, limit in limits.items():
            if settings[name] is not None or name not in _OPTIONAL:
                _check_number(name, settings[name], limit, whole)
    for name in _SWITCHES:
        if not isinstance(settings[name], bool | np.bool_) and not (
            settings[name] is None and name in _OPTIONAL
        ):
            raise InputError(f"{name} is {settings[name]!r}: give True or False.")
    if settings["speed_fpm"] > 60 * settings["fps"]:
        raise InputError(
            f"speed_fpm is {settings['speed_fpm']:.12g}: give 0 to {60 * settings['fps']:.12g}, "
            "60 * fps."
        )
    if settings["compat"] not in (None, "0.4"):
        raise InputError(f"compat is {settings['compat']!r}: give None or '0.4'.")
    if settings["compat"] and SR / hop_at(settings["fps"]) > 120:
        raise InputError(
            f"fps is {settings['fps']:g}: with compat '0.4', which rounds it up, give at most 114."
        )
    _check_shuffle(settings["class_shuffle_seconds"])
    _check_effects(settings["custom_effects"])
    if settings["resolution"] is not None:
        if settings["width"] or settings["height"]:
            raise InputError("resolution is given together with width or height: give one of them.")
        settings = settings | {key: settings["resolution"] for key in ("width", "height")}
    return settings


def _check_number(
    name: str, value: object, limit: tuple[float, float, str], whole: bool = False
) -> None:
    low, high, what = limit
    kind = numbers.Integral if whole else numbers.Real
    good = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not low <= value <= high:
        article = "a whole number" if whole else "a number"
        raise InputError(
            f"{name} is {value!r}: give {article} from {low:.12g} to {high:.12g} ({what})."
        )


def _check_shuffle(seconds: object) -> None:
    times = [seconds] if isinstance(seconds, numbers.Real) else seconds
    if times is None:
        return
    if not isinstance(times, list | tuple | np.ndarray) or getattr(times, "ndim", 1) != 1:
        raise InputError(f"class_shuffle_seconds is {seconds!r}: give seconds, or a list of times.")
    least = 0.0 if times is seconds else 1e-3
    for value in times:
        _check_number("class_shuffle_seconds", value, (least, 1e6, "seconds"))


def _check_effects(chosen: object) -> None:
    good = chosen is None or isinstance(chosen, Sequence)
    for effect in (chosen or ()) if good else ():
        good = good and isinstance(effect, EffectsGenerator)
    if not good:
        raise InputError("custom_effects: give a list of EffectsGenerator objects.")


def _check_classes(classes: object, count: int) -> None:
    """Refuse labels that a style does not have. One without classes heeds none."""
    if classes is None:
        return
    listed = isinstance(classes, Sequence | np.ndarray) and not isinstance(classes, str)
    if not listed or getattr(classes, "ndim", 1) != 1:
        raise InputError(f"classes is {classes!r}: give a list of labels.")
    if count == 0:
        return
    if not 1 <= len(classes) <= 12:
        raise InputError(f"classes has {len(classes)} labels: give 1 to 12, one for each note.")
    for k, label in enumerate(classes):
        _check_number(f"classes[{k}]", label, (0, count - 1, "labels of the style"), whole=True)


def _named(name: str, function: Callable, *arguments: Any) -> Any:
    """Call a function, and put the name of a parameter before what it complains of."""
    try:
        return function(*arguments)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _some(name: str, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Return the blocks of a recording, or say that there are none."""
    first = next(blocks, None)
    if first is None:
        raise InputError(f"{name} has nothing left after start: give a smaller start.")
    return chain([first], blocks)


def _mixed(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Mix sound of a number of channels that videos do not have down to two."""
    for block in blocks:
        if len(block) not in video.CHANNELS:  # left and right, and the others on both sides
            block = (block[:2] + block[2:].mean(axis=0)) / 2
        yield block


def _video_path(file_name: str | os.PathLike) -> Path:
    """Return where the video goes, with a suffix."""
    text = os.fspath(file_name) if isinstance(file_name, str | os.PathLike) else ""
    if not text.strip() or "\0" in text:
        raise InputError(f"file_name is {file_name!r}: give the name of a video, such as song.mp4.")
    path = Path(text).expanduser()
    wanted = f"give a name that ends in {', '.join(_VIDEOS[:-1])} or {_VIDEOS[-1]}."
    if os.path.isdir(path):
        raise InputError(f"file_name: {path} is a folder: {wanted}")
    if path.suffix.lower() in _OTHER_FORMATS:
        raise InputError(f"file_name is {text!r}: {wanted}")
    return path if path.suffix.lower() in _VIDEOS else path.with_name(path.name + ".mp4")


def _check_folder(folder: Path | None) -> None:
    """Look whether frames may be kept in a folder: it is replaced as a whole."""
    if folder is None or not (folder.exists() or folder.is_symlink()):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise InputError(f"save_frames: {folder} is there and is no folder. Move it away.")
    for entry in folder.iterdir():
        if not _A_KEPT_FRAME.fullmatch(entry.name):
            raise InputError(
                f"save_frames: {folder} would be replaced, and holds {entry.name}. Move it away."
            )


@contextmanager
def _keeping(frames: Iterator[np.ndarray], folder: Path | None) -> Iterator[Iterator[np.ndarray]]:
    """Pass frames on and keep them in a folder, which gets its name when all are there."""
    if folder is None:
        yield frames
        return
    new, old = (folder.with_name(f".{uuid4().hex}") for _ in range(2))
    try:
        yield _kept_frames(frames, new, folder)
        with _writing(folder):
            _replace_folder(new, folder, old)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _replace_folder(new: Path, folder: Path, old: Path) -> None:
    """Give the folder `new` its name; what has had it is lost only if that succeeds."""
    try:
        if folder.is_dir():
            folder.rename(old)
        new.rename(folder)
    except BaseException:
        if old.is_dir() and not folder.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _kept_frames(frames: Iterator[np.ndarray], new: Path, folder: Path) -> Iterator[np.ndarray]:
    """Keep each frame as a PNG on its way to the video."""
    from PIL import Image

    with _writing(folder):
        new.mkdir()
    for index, array in enumerate(frames):
        with _writing(folder):
            Image.fromarray(array).save(new / _KEPT_FRAME.format(index))
        yield array


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what goes wrong while writing into an error that names the folder."""
    try:
        yield
    except OSError as error:
        raise InputError(f"save_frames: {folder} cannot be written ({error.strerror}).") from error
