"""Music theory: keys, scales, chords, voicings, and notes that fit a chord."""

import re
from dataclasses import dataclass

KEYS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
}
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "dim": (0, 3, 6),
    "sus": (0, 5, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "13": (0, 4, 10, 14, 21),
    "7b9": (0, 4, 7, 10, 13),
}
_DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_NUMERAL = re.compile(r"([b#]?)(VII|VI|V|IV|III|II|I)(.*)")


@dataclass(frozen=True)
class Chord:
    """A chord: where it begins, in beats, its root as a pitch class 0 to 11, and its quality.

    Attributes
    ----------
    beat, beats : float
        Begin and length in quarter notes.
    root : int
        Pitch class, 0 for C to 11 for B.
    quality : str
        A key of `QUALITIES`.

    Chapter
    -------
    02_genre_cnn
    """

    beat: float
    beats: float
    root: int
    quality: str

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes of its notes, the root first."""
        return tuple((self.root + step) % 12 for step in QUALITIES[self.quality])

    @property
    def name(self) -> str:
        """Such as "Bb7" or "Am"."""
        return KEYS[self.root] + self.quality


def chord_of(numeral: str, tonic: int, beat: float, beats: float) -> Chord:
    """Read a Roman numeral.

    Parameters
    ----------
    numeral : str
        Degree with the quality behind it: "IV7", "bVIIm".
    tonic : int
        Pitch class of the key.
    beat, beats : float
        Begin and length in quarter notes.

    Returns
    -------
    Chord
        The chord in that key.

    Chapter
    -------
    02_genre_cnn
    """
    sign, degree, quality = _NUMERAL.fullmatch(numeral).groups()
    root = tonic + _DEGREES[degree] + {"b": -1, "#": 1, "": 0}[sign]
    return Chord(beat, beats, root % 12, quality)


def chord_at(chords: tuple[Chord, ...] | list[Chord], beat: float) -> Chord:
    """Find the chord at a beat.

    Parameters
    ----------
    chords : sequence of Chord
        In order of time.
    beat : float
        Quarter notes from the first bar line; beyond the ends, the first or last chord counts.

    Returns
    -------
    Chord
        The last one that has begun.

    Chapter
    -------
    02_genre_cnn
    """
    return next((chord for chord in reversed(chords) if chord.beat <= beat + 1e-6), chords[0])


def nearest(pitch_class: int, key: float) -> int:
    """Find the key of a pitch class that is nearest to another key.

    Parameters
    ----------
    pitch_class : int
        0 for C to 11 for B.
    key : float
        MIDI key number.

    Returns
    -------
    int
        MIDI key number, at most 6 away; of two as near, the lower.

    Chapter
    -------
    02_genre_cnn
    """
    base = round(key) - 6
    return base + (pitch_class - base) % 12


def voicing(chord: Chord, before: list[int], center: int, size: int = 4) -> list[int]:
    """Set a chord for one hand, so that the voices move little from the chord before.

    Parameters
    ----------
    chord : Chord
        What to play.
    before : list of int
        The keys of the chord before; empty at the beginning.
    center : int
        MIDI key around which the hand lies.
    size : int
        At most so many voices. The root is left out first, and then the fifth.

    Returns
    -------
    list of int
        MIDI keys, rising.

    Chapter
    -------
    02_genre_cnn
    """
    classes = list(dict.fromkeys(chord.classes))
    if len(classes) > size:
        classes = classes[1:]
    if len(classes) > size:
        classes.remove((chord.root + 7) % 12)
    classes.sort()
    turns = []
    for turn in range(len(classes)):
        keys = [nearest(classes[turn], center - 5)]
        for pitch_class in classes[turn + 1 :] + classes[:turn]:
            keys.append(keys[-1] + 1 + (pitch_class - keys[-1] - 1) % 12)
        turns.append(keys)
    goal = sum(before) / len(before) if before else center

    def distance(keys: list[int]) -> tuple[float, float]:
        mean = sum(keys) / len(keys)
        return abs(mean - goal) + 0.5 * abs(mean - center), keys[0]

    return min(turns, key=distance)


def altered(key: int, keys: list[int], chord: Chord) -> int:
    """Raise or lower a note of a melody where the chord has left the scale.

    Over E7 in A minor a G becomes G sharp. In scales of five or six notes nothing changes, for
    there the friction is what one wants to hear.

    Parameters
    ----------
    key : int
        MIDI key number.
    keys : list of int
        The scale.
    chord : Chord
        What sounds with it.

    Returns
    -------
    int
        MIDI key number, at most 1 away.

    Chapter
    -------
    02_genre_cnn
    """
    scale = {other % 12 for other in keys}
    if len(scale) < 7 or key % 12 in chord.classes:
        return key
    foreign = set(chord.classes) - scale
    return next((key + step for step in (1, -1) if (key + step) % 12 in foreign), key)


def fitted(step: int, chord: Chord) -> int:
    """Move a third, fifth or seventh to the one that the chord has.

    Parameters
    ----------
    step : int
        Semitones above the root.
    chord : Chord
        What it is played with.

    Returns
    -------
    int
        Semitones above the root.

    Chapter
    -------
    02_genre_cnn
    """
    inside = {tone % 12 for tone in QUALITIES[chord.quality]}
    for wide, narrow in ((4, 3), (7, 6), (11, 10)):
        if step % 12 == wide and wide not in inside and narrow in inside:
            return step - 1
        if step % 12 == narrow and narrow not in inside and wide in inside:
            return step + 1
    return step
