"""From what music does to the latent vectors that a style turns into pictures.

Three movements are added up: a base that strolls through latent space whatever is played, a pulse
that pushes away and comes back, and a motion that carries on and never comes back by itself.
Every vector can be worked out from the number of its frame and some thirty numbers that are kept
for each frame. So a long song takes little memory, and frames may be asked for in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .._checks import is_whole
from ..errors import InputError
from .timeline import Timeline

REACH = 2.0  # base and motion together stay within so many standard deviations
PACE = 20  # a second, at full loudness and a reaction of 1: how far motion and classes go
SETTLE = 0.03  # seconds in which loudness falls to 1/e for the classes, so that short notes count
CONTRAST = 6  # of class weights: what is at 0.8 of the largest counts a quarter of it
RELEASE = 0.2  # seconds in which a pulse falls to 1/e; 0.081 in the published code
RANDOM_SECONDS = 4.0  # how long one choice of slower coordinates lasts
_LONGEST = 65_536  # of a noise or a class vector
_BASE, _PULSE, _SIGNS, _FACTORS, _LABELS = range(5)  # one stream of random numbers each


def follow(curve: np.ndarray, fps: float, release: float = RELEASE) -> np.ndarray:
    """Let a curve rise at once and fall slowly, as the needle of a level meter does.

    Parameters
    ----------
    curve : np.ndarray, shape (frames,)
        Values, 0 or more.
    fps : float
        Frames a second.
    release : float
        Seconds in which it falls to 1/e.

    Returns
    -------
    np.ndarray, float32, shape (frames,)
        The larger of the curve and of what is left of the frames before.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    followed, kept = np.array(curve, np.float32), np.exp(-1 / (fps * release))
    for i in range(1, len(followed)):
        followed[i] = max(followed[i], kept * followed[i - 1])
    return followed


def fold(x: np.ndarray, reach: float) -> np.ndarray:
    """Reflect values at both ends of a range, as a ball between two walls.

    Parameters
    ----------
    x : np.ndarray
        How far a ball would have come without walls.
    reach : float
        The walls stand at -reach and reach; 0 leaves no room at all.

    Returns
    -------
    np.ndarray, shape of x
        Where it is: between -reach and reach, and x itself before the first wall.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    if reach == 0:
        return np.zeros_like(x)
    return reach - np.abs((x + reach) % (4 * reach) - 2 * reach)


def slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Go from one vector to another on an arc, at a steady angular speed.

    The straight line between two random vectors of many dimensions passes the middle at 0.7 of
    their length, where a generator has seen little. The arc keeps the length.

    Parameters
    ----------
    a, b : np.ndarray, shape (..., size)
        Where the arc begins and ends.
    share : np.ndarray, shape (...)
        How much of the arc is done, 0 to 1.

    Returns
    -------
    np.ndarray, shape (..., size)
        Points on the arc; their lengths go from that of `a` to that of `b`.

    Chapter
    -------
    06_lucid_sonic_visuals

    References
    ----------
    Shoemake, "Animating rotation with quaternion curves", 1985.
    """
    lengths = [np.linalg.norm(v, axis=-1, keepdims=True) for v in (a, b)]
    unit_a, unit_b = (v / np.maximum(n, 1e-12) for v, n in zip((a, b), lengths, strict=True))
    angle = np.arccos(np.clip((unit_a * unit_b).sum(axis=-1, keepdims=True), -1, 1))
    angle = np.clip(angle, 1e-6, np.pi - 1e-6)
    share = np.asarray(share)[..., None]
    arc = (np.sin((1 - share) * angle) * unit_a + np.sin(share * angle) * unit_b) / np.sin(angle)
    return arc * ((1 - share) * lengths[0] + share * lengths[1])


def check_sizes(input_shape: int | None, num_possible_classes: int | None) -> None:
    """Check the lengths of a noise and of a class vector.

    Parameters
    ----------
    input_shape : int or None
        Right from 1 to 65,536; None means that it is not known yet.
    num_possible_classes : int or None
        Right from 0 to 65,536.

    Raises
    ------
    InputError
        One of them is something else.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    for name, size, least in (
        ("input_shape", input_shape, 1),
        ("num_possible_classes", num_possible_classes, 0),
    ):
        if size is not None and not (is_whole(size) and least <= size <= _LONGEST):
            raise InputError(
                f"{name} is {size!r}: give a whole number from {least} to {_LONGEST} (a length)."
            )


@dataclass(frozen=True, kw_only=True)
class PathSettings:
    """What shapes a latent path; all of it is explained at `LucidSonicDream.hallucinate`.

    Attributes
    ----------
    seed : int
        Same seed, same path.
    speed_fpm, pulse_react, motion_react, motion_randomness, truncation : float
        Of the noise vectors.
    classes, dominant_classes_first, class_pitch_react, class_smooth_seconds, class_complexity :
        Of the class vectors.
    class_shuffle_seconds, class_shuffle_strength, start :
        When notes and labels are dealt anew. Times to shuffle at are times of the song, so that
        `start` is taken from them.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    seed: int = 0
    speed_fpm: float = 12
    pulse_react: float = 0.5
    motion_react: float = 0.5
    motion_randomness: float = 0.5
    truncation: float = 1.0
    classes: Sequence[int] | None = None
    dominant_classes_first: bool = False
    class_pitch_react: float = 0.5
    class_smooth_seconds: float = 1.0
    class_complexity: float = 1.0
    class_shuffle_seconds: float | Sequence[float] | None = None
    class_shuffle_strength: float = 0.5
    start: float = 0.0


def path_settings(given: Mapping[str, Any]) -> PathSettings:
    """Make settings of keywords.

    Parameters
    ----------
    given : mapping
        Values by the names of the attributes of `PathSettings`.

    Returns
    -------
    PathSettings
        With defaults for what is not given.

    Raises
    ------
    InputError
        There is no such setting.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    known = [field.name for field in fields(PathSettings)]
    for name in given:
        if name not in known:
            raise InputError(f"There is no setting {name!r}: there are {', '.join(known)}.")
    return PathSettings(**given)


class LatentPath:
    """The latent vectors of a whole video, worked out when they are asked for.

    Parameters
    ----------
    timeline : Timeline
        What drives it.
    input_shape : int
        Length of a noise vector.
    num_possible_classes : int
        Length of a class vector; 0 if the style has no classes.
    **settings
        As the attributes of `PathSettings`.

    Raises
    ------
    InputError
        `input_shape` is no whole number from 1 on, `num_possible_classes` none from 0 on, or
        there is no such setting.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    def __init__(
        self,
        timeline: Timeline,
        input_shape: int = 512,
        num_possible_classes: int = 0,
        **settings: Any,
    ) -> None:
        check_sizes(input_shape, num_possible_classes)
        self.settings = chosen = path_settings(settings)
        self.timeline = timeline
        self.input_shape, self.num_possible_classes = input_shape, num_possible_classes
        self.labels = class_labels(
            chosen.classes,
            num_possible_classes,
            self._random(_LABELS),
            timeline.chroma if chosen.dominant_classes_first else None,
        )
        self.pulse = chosen.pulse_react * follow(timeline.pulse, timeline.fps)
        self._set_keys()
        self._set_motion()
        self._set_weights()

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.timeline)

    def noise(self, first: int, last: int) -> np.ndarray:
        """Give noise vectors: base, pulse and motion together.

        Base and motion are folded at twice the truncation, beyond which a generator knows little;
        the pulse is added to that.

        Parameters
        ----------
        first, last : int
            From this frame on, and up to but without that one.

        Returns
        -------
        np.ndarray, float32, shape (last - first, input_shape)
            Noise vectors.
        """
        frames = np.arange(first, min(last, len(self)))
        place = fold(self.base(frames) + self.motion(frames), REACH * self.settings.truncation)
        return (place + self.pulses(frames)).astype(np.float32)

    def class_vectors(self, first: int, last: int) -> np.ndarray:
        """Give class vectors.

        Parameters
        ----------
        first, last : int
            From this frame on, and up to but without that one.

        Returns
        -------
        np.ndarray, float32, shape (last - first, num_possible_classes)
            Weights from 0 to `class_complexity`, the largest of a frame being that. Where several
            notes share a label, the strongest of them counts.
        """
        weights = self.weights[:, first : min(last, len(self))]
        vectors = np.zeros((weights.shape[1], self.num_possible_classes), np.float32)
        if self.num_possible_classes:
            for label, row in zip(self.labels, weights, strict=True):
                vectors[:, label] = np.maximum(vectors[:, label], row)
            largest = vectors.max(axis=1, keepdims=True)
            vectors *= self.settings.class_complexity / np.maximum(largest, 1e-6)
        return vectors

    def base(self, frames: np.ndarray) -> np.ndarray:
        """Give the stroll from key to key, shape (frames, input_shape)."""
        before, share = self._key_place(frames)
        return slerp(self._keys[before], self._keys[before + 1], share)

    def pulses(self, frames: np.ndarray) -> np.ndarray:
        """Give the push of the beat, shape (frames, input_shape).

        Its direction turns from key to key, so that not every hit looks the same.
        """
        before, share = self._key_place(frames)
        direction = slerp(self._directions[before], self._directions[before + 1], share)
        return self.pulse[frames, None] * direction

    def motion(self, frames: np.ndarray) -> np.ndarray:
        """Give the way of the motion, without walls, shape (frames, input_shape)."""
        part = frames // self._part
        way = self._way[frames] - self._way[part * self._part]
        travelled = self._travelled[part] + self._factors[part] * way[:, None]
        return self._signs * travelled

    def _random(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, stream])

    def _key_place(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the key before each frame, and the share of the way to the next one."""
        place = frames / self.timeline.fps * self.settings.speed_fpm / 60
        before = place.astype(int)
        return before, place - before

    def _set_keys(self) -> None:
        """Draw where the base passes, and the directions of the pulse."""
        from scipy.stats import truncnorm

        keys = int(len(self) / self.timeline.fps * self.settings.speed_fpm / 60) + 2
        shape = (keys, self.input_shape)
        drawn = truncnorm.rvs(-REACH, REACH, size=shape, random_state=self._random(_BASE))
        self._keys = (self.settings.truncation * drawn).astype(np.float32)
        self._directions = self._random(_PULSE).choice([-1.0, 1.0], shape)

    def _set_motion(self) -> None:
        """Add up how far the motion comes, once for all coordinates.

        Coordinates differ in sign and, for some seconds at a time, in a factor. So the way from
        the beginning of such a part is the same for all of them, times the factor.
        """
        fps = self.timeline.fps
        step = PACE * self.settings.motion_react / fps * self.timeline.motion
        self._way = np.concatenate([np.cumsum(step, dtype=np.float64), [0]])
        self._part = max(1, round(fps * RANDOM_SECONDS))
        starts = np.arange(0, len(self), self._part)
        size, slower = (len(starts), self.input_shape), 1 - self.settings.motion_randomness
        self._factors = self._random(_FACTORS).choice([1.0, slower], size)
        self._signs = self._random(_SIGNS).choice([-1.0, 1.0], self.input_shape)
        whole = np.diff(self._way[starts], append=0)[:, None] * self._factors
        self._travelled = np.concatenate([np.zeros((1, self.input_shape)), np.cumsum(whole, 0)])

    def _set_weights(self) -> None:
        """Work out how strongly each of the twelve labels is called for, frame after frame."""
        chosen, timeline = self.settings, self.timeline
        turns = shuffle_turns(
            timeline, chosen.class_shuffle_seconds, chosen.class_shuffle_strength, chosen.start
        )
        rotated = (np.arange(12)[:, None] - turns) % 12  # which note a label listens to
        called = np.take_along_axis(note_weights(timeline), rotated, 0)
        called = stand_out(smooth(called, timeline, chosen.class_smooth_seconds))
        self.weights = follow_loud(called, timeline, chosen.class_pitch_react)


def class_labels(
    classes: Sequence[int] | None,
    num_possible_classes: int,
    random: np.random.Generator,
    chroma: np.ndarray | None = None,
) -> list[int]:
    """Choose the label that each of the twelve notes calls for.

    Parameters
    ----------
    classes : sequence of int or None
        Labels for the notes from C on, dealt out again where there are fewer than twelve; None
        draws them.
    num_possible_classes : int
        How many labels a style has; 0 for a style without.
    random : np.random.Generator
        Draws the labels if there are none.
    chroma : np.ndarray, shape (12, frames), optional
        If given, the first label goes to the note that is heard most, and so on.

    Returns
    -------
    list of int
        Twelve labels, or none at all for a style without classes.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    if num_possible_classes == 0:
        return []
    if classes is None:
        classes = random.permutation(num_possible_classes)[:12]
    dealt = [int(classes[note % len(classes)]) for note in range(12)]
    if chroma is None:
        return dealt
    place = np.argsort(np.argsort(-chroma.sum(axis=1), kind="stable"), kind="stable")
    return [dealt[rank] for rank in place]


def note_weights(timeline: Timeline) -> np.ndarray:
    """Weigh the twelve notes by the square of their strength.

    Parameters
    ----------
    timeline : Timeline
        Its chroma says how strong they are.

    Returns
    -------
    np.ndarray, shape (12, frames)
        From 0 to 1; all equal where no note is heard in the whole timeline.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    return timeline.chroma**2 if timeline.chroma.any() else np.ones_like(timeline.chroma)


def stand_out(weights: np.ndarray) -> np.ndarray:
    """Let the largest of twelve weights stand out, so that few classes are called for at a time.

    Parameters
    ----------
    weights : np.ndarray, shape (12, frames)
        0 or more.

    Returns
    -------
    np.ndarray, shape (12, frames)
        The share of the largest one, to the power of `CONTRAST`; all 0 where all are 0.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    return (weights / np.maximum(weights.max(axis=0), 1e-9)) ** CONTRAST


def follow_loud(weights: np.ndarray, timeline: Timeline, react: float) -> np.ndarray:
    """Follow weights, the faster the louder it is: so scenes change on the beat.

    Parameters
    ----------
    weights : np.ndarray, shape (12, frames)
        Where to go. Frames where all are 0 say nothing.
    timeline : Timeline
        Its loudness says how fast, its frame rate how many frames that are.
    react : float
        Pace: at full loudness the distance falls to 1/e in ``1 / (20 * react)`` seconds. 0 stays.

    Returns
    -------
    np.ndarray, float32, shape (12, frames)
        From the first weights that say something; in silence it stands still.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    heard = weights.any(axis=0)
    loud = follow(timeline.loudness, timeline.fps, SETTLE)
    shares = np.where(heard, -np.expm1(-PACE * react / timeline.fps * loud), 0)
    followed = np.empty(weights.shape, np.float32)
    place = weights[:, heard.argmax()]
    for i, share in enumerate(shares):
        place = place + share * (weights[:, i] - place)
        followed[:, i] = place
    return followed


def shuffle_turns(
    timeline: Timeline, seconds: float | Sequence[float] | None, strength: float, start: float = 0
) -> np.ndarray:
    """Count by how many places the labels are turned at each frame.

    Parameters
    ----------
    timeline : Timeline
        Gives the number of frames and their rate.
    seconds : float, sequence of float or None
        A period, or the times of the song at which to turn, or None for never.
    strength : float
        Share of the twelve places, 0 to 1, that one turn goes on; 1 is all the way round.
    start : float
        Where in the song the video begins, in seconds.

    Returns
    -------
    np.ndarray of int, shape (frames,)
        Places, from 0 to 11.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    times = np.arange(len(timeline)) / timeline.fps + 1e-9
    if seconds is None:
        count = np.zeros(len(timeline), int)
    elif np.ndim(seconds):
        moments = np.sort(np.asarray(seconds, float)) - start
        count = np.searchsorted(moments[moments >= 0], times, side="right")
    else:
        count = (times / seconds).astype(int)
    return count * round(12 * strength) % 12


def smooth(weights: np.ndarray, timeline: Timeline, seconds: float) -> np.ndarray:
    """Take the mean of weights over a window that lies evenly around each frame.

    Parameters
    ----------
    weights : np.ndarray, shape (12, frames)
        What is smoothed.
    timeline : Timeline
        Gives the frame rate.
    seconds : float
        Length of the window; 0 changes nothing.

    Returns
    -------
    np.ndarray, shape (12, frames)
        Neither ahead of the music nor behind it.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    from scipy.ndimage import uniform_filter1d

    frames = 2 * round(seconds * timeline.fps / 2) + 1
    return uniform_filter1d(weights, frames, axis=1, mode="nearest")
