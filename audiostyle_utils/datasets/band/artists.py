"""Eight producers a genre: what every recording of one of them has in common."""

import re
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from ...errors import InputError

ARTISTS = 8
GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)
# A transform of this length is quick, and so is one of each length in _lengths(); a sound that
# goes from one to the other has its pitch moved by their ratio.
FRAMES = 288000
_LOWEST, _HIGHEST = 428.0, 452.0  # Hz


@dataclass(frozen=True)
class Artist:
    """A producer's fingerprint.

    Attributes
    ----------
    name : str
        "blues-3".
    frames : int
        Samples that become `FRAMES` when the sound is tuned.
    equaliser : tuple of (float, float, float)
        Centre in hertz, width in octaves and gain in dB of each bell.
    tilt : float
        Gain from one octave to the next, in dB.
    room : float
        Seconds in which the reverberation falls by 60 dB.
    damping : float
        Hertz above which the room swallows sound.
    wet : float
        Level of the reverberation against the dry sound, in dB.
    level : float
        Usual root mean square of a recording, in dBFS.
    noise : str
        "hiss", "hum" or "vinyl".
    noise_level : float
        In dB against the music.
    timing : float
        Standard deviation of the players' timing, in seconds.

    Chapter
    -------
    02_genre_cnn
    """

    name: str
    frames: int
    equaliser: tuple[tuple[float, float, float], ...]
    tilt: float
    room: float
    damping: float
    wet: float
    level: float
    noise: str
    noise_level: float
    timing: float

    @property
    def tuning(self) -> float:
        """The A above middle C, in hertz."""
        return 440.0 * self.frames / FRAMES


@lru_cache(maxsize=128)
def artist(name: str) -> Artist:
    """Look up a producer.

    Parameters
    ----------
    name : str
        Genre and number from 0 to 7: "blues-3".

    Returns
    -------
    Artist
        The fingerprint; always the same for a name.

    Raises
    ------
    InputError
        There is no such producer.

    Chapter
    -------
    02_genre_cnn
    """
    match = re.fullmatch(r"(\w+)-(\d+)", str(name))
    if not match or match[1] not in GENRES or int(match[2]) >= ARTISTS:
        raise InputError(
            f"There is no artist {name!r}; give a genre and a number from 0 to {ARTISTS - 1}, "
            "such as blues-3."
        )
    genre, number = match[1], int(match[2])
    rng = Random(f"band/artist/{name}")
    tuning = _spread(genre, "tuning", number, _LOWEST, _HIGHEST)
    return Artist(
        name=name,
        frames=min(_lengths(), key=lambda n: abs(n / FRAMES - tuning / 440)),
        equaliser=tuple(
            (rng.uniform(0.8, 1.25) * hertz, rng.uniform(0.5, 1.2), _signed(rng, 4, 10))
            for hertz in (150, 600, 2000, 4800)
        ),
        tilt=rng.uniform(-1.5, 1.5),
        room=_spread(genre, "room", number, 0.25, 2.2),
        damping=rng.uniform(1200, 6500),
        wet=_spread(genre, "wet", number, -22, -9),
        level=_spread(genre, "level", number, -23.5, -18.5),
        noise=rng.choice(("hiss", "hum", "vinyl")),
        noise_level=_spread(genre, "noise", number, -56, -34),
        timing=rng.uniform(0.002, 0.009),
    )


def _spread(genre: str, what: str, number: int, low: float, high: float) -> float:
    """Draw values for the artists of a genre that cover a range evenly."""
    rng = Random(f"band/artist/{genre}/{what}")
    order = rng.sample(range(ARTISTS), ARTISTS)
    places = [rng.random() for _ in range(ARTISTS)]
    return low + (high - low) * (order[number] + places[number]) / ARTISTS


def _signed(rng: Random, least: float, most: float) -> float:
    return rng.choice((-1, 1)) * rng.uniform(least, most)


@lru_cache(maxsize=1)
def _lengths() -> tuple[int, ...]:
    """List even lengths near FRAMES that have no prime factor above 7."""
    low, high = (round(FRAMES * hertz / 440) for hertz in (_LOWEST, _HIGHEST))
    found = {1}
    for prime in (2, 3, 5, 7):
        found = {n * prime**k for n in found for k in range(20) if n * prime**k <= high}
    return tuple(sorted(n for n in found if n >= low and n % 2 == 0))
