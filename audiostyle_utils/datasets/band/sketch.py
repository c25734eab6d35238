"""A song while it is being written: what the rules of all genres write with."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from math import pi, sin
from random import Random

from .songs import DRUMS, KITS, SECONDS, Note, Part, program
from .theory import SCALES, Chord, altered, chord_at, chord_of, fitted, nearest, voicing

# Programs whose pitch no player can bend: keyboards, bars, harps, drums, banjo.
_STIFF = {*range(22), 23, *range(45, 48), 105}
_STRENGTH = {"X": 114, "x": 94, "o": 62}
_LEVELS = {
    "drums": 0.0,
    "bass": -1.0,
    "lead": -2.0,
    "keyboard": -4.0,
    "chords": -6.0,
    "pad": -10.0,
}  # dB
# Places up or down a scale from one note of a melody to the next.
_STEPS = (-2, -1, -1, 1, 1, 2)


@dataclass
class Line:
    """A part while it is being written.

    Attributes
    ----------
    role, instrument : str
        As in `Part`.
    level : float
        Place in the mix, in dB.
    notes : list of songs.Note
        In any order.

    Chapter
    -------
    02_genre_cnn
    """

    role: str
    instrument: str
    level: float
    notes: list[Note] = field(default_factory=list)

    def add(
        self, beat: float, beats: float, key: int, velocity: float = 90, bend: str = ""
    ) -> None:
        """Write one note; times in quarter notes."""
        strength = min(max(round(velocity), 1), 127)
        self.notes.append(Note(round(beat, 4), round(beats, 4), key, strength, bend))

    def chord(self, beat: float, beats: float, keys: list[int], velocity: float = 80) -> None:
        """Write several keys at once."""
        for key in keys:
            self.add(beat, beats, key, velocity)

    def finished(self, end: float) -> Part:
        """Give the part, with nothing after the end."""
        notes = sorted(
            (note for note in self.notes if note.beat < end),
            key=lambda note: (note.beat, note.key),
        )
        drums = self.instrument in KITS
        number = program(self.instrument)
        return Part(self.role, self.instrument, number, drums, self.level, tuple(notes))


class Sketch:
    """A song while it is being written.

    Parameters
    ----------
    rng : random.Random
        All choices are drawn from it.
    tempo : float
        Beats a minute.
    palette : dict
        Names of the instruments that the artist likes, for each role.

    Attributes
    ----------
    tonic : int
        Pitch class of the key.
    minor : bool
        Whether the key is a minor one.
    meter : int
        Beats in a bar: 4, until `set_meter` is called.
    bars : int
        As many as the recording needs, and one for the start in the middle of a bar.
    chords : list of theory.Chord
        The harmony, once `harmony` has been called.
    lines : list of Line
        The parts so far.
    pace : list of float
        Tempo against `tempo`, for each half beat; empty where it stands still.

    Chapter
    -------
    02_genre_cnn
    """

    def __init__(self, rng: Random, tempo: float, palette: dict[str, tuple[str, ...]]):
        self.rng, self.tempo, self.palette = rng, tempo, palette
        self.tonic, self.minor = rng.randrange(12), False
        self.chords: list[Chord] = []
        self.lines: list[Line] = []
        self.pace: list[float] = []
        self.set_meter(4)

    def set_meter(self, meter: int) -> None:
        """Choose the beats in a bar."""
        self.meter = meter
        self.bars = int(SECONDS * self.tempo * 1.04 / 60 / meter) + 2

    @property
    def end(self) -> float:
        """The last beat."""
        return float(self.bars * self.meter)

    def harmony(self, text: str, first: int = 0) -> None:
        """Repeat a progression to the end: one bar for "IV7", two beats for "IV7:2".

        `first` is the chord to begin with.
        """
        tokens = text.split()
        beat, place = 0.0, first
        while beat < self.end:
            numeral, _, beats = tokens[place % len(tokens)].partition(":")
            length = float(beats or self.meter)
            self.chords.append(chord_of(numeral, self.tonic, beat, length))
            beat, place = beat + length, place + 1

    def chord(self, beat: float) -> Chord:
        """Give the chord that sounds at a beat."""
        return chord_at(self.chords, beat)

    def line(self, role: str, level: float = 0.0, instrument: str | None = None) -> Line:
        """Begin a part on one of the artist's instruments for the role."""
        chosen = instrument or self.rng.choice(self.palette[role.split()[0]])
        base = _LEVELS[role.split()[0]]
        line = Line(role, chosen, base + level + self.rng.uniform(-2, 2))
        self.lines.append(line)
        return line

    def drums(self, line: Line, bar: int, swing: float = 0.5, **strokes: str) -> None:
        """Write one bar of strokes: X strong, x normal, o soft, any other character none.

        A text spreads evenly over the bar. `swing` is where, between two strong steps, the weak
        one falls: 0.5 in the middle, 2/3 as in triplets.
        """
        for drum, text in strokes.items():
            for step, mark in enumerate(text):
                if mark in _STRENGTH:
                    beat = bar * self.meter + swung(step, len(text), self.meter, swing)
                    line.add(beat, 0.25, DRUMS[drum.replace("_", " ")], _STRENGTH[mark])

    def fill(self, line: Line, bar: int, beats: int = 1) -> None:
        """Write a run over the toms before the next bar line."""
        start = (bar + 1) * self.meter - beats
        toms = sorted(self.rng.sample(("snare", "high tom", "tom", "floor"), 3))
        order = [DRUMS[name] for name in ("snare", "high tom", "tom", "floor") if name in toms]
        for step in range(4 * beats):
            if self.rng.random() < 0.85:
                key = order[step * len(order) // (4 * beats)]
                line.add(start + step / 4, 0.25, key, 80 + 6 * (step % 4 == 0) + 5 * step / beats)

    def scale(self, name: str, low: int, high: int, tonic: int | None = None) -> list[int]:
        """List the keys of a scale from low to high."""
        tonic = self.tonic if tonic is None else tonic
        steps = SCALES[name]
        return [key for key in range(low, high + 1) if (key - tonic) % 12 in steps]

    def melody(
        self, line: Line, keys: list[int], form: str, rhythms: tuple[str, ...] | dict, **options
    ) -> None:
        """Write a melody: a letter of the form is a bar, the same letter the same rhythm and shape.

        `rhythms` holds what may be drawn, for all letters or for each one.
        In a rhythm x begins a note, - holds it, and any other character is silence. Notes on strong
        beats belong to the chord; the others go by steps through `keys`. Options: `swing`,
        `velocity`, `bends` (gestures for long notes), `hold` (share of its length that a note is
        held), `parallel` (another line that follows some keys of the scale below), `first` (bar).
        """
        pools = rhythms if isinstance(rhythms, dict) else dict.fromkeys(form, rhythms)
        shapes = {
            letter: (self.rng.choice(pools[letter]), [self.rng.choice(_STEPS) for _ in range(32)])
            for letter in dict.fromkeys(form)
        }
        place = len(keys) // 2
        for bar in range(options.get("first", 0), self.bars):
            rhythm, steps = shapes[form[bar % len(form)]]
            for index, (beat, beats) in enumerate(self.onsets(rhythm, options.get("swing", 0.5))):
                place = _next_place(
                    keys, place, steps[index], beat % 2 == 0 or beats >= 1.5, self, bar, beat
                )
                self._note(line, keys, place, bar * self.meter + beat, beats, options)

    def mode(self) -> str:
        """Name the scale that holds most of the harmony."""
        names = ("minor", "dorian") if self.minor else ("major", "mixolydian")

        def inside(name: str) -> float:
            steps = SCALES[name]
            return sum(
                chord.beats * sum((tone - self.tonic) % 12 in steps for tone in chord.classes)
                for chord in self.chords
            )

        return max(names, key=inside)

    def onsets(self, rhythm: str, swing: float = 0.5) -> Iterator[tuple[float, float]]:
        """Yield begin and length, in beats, of each note of a bar's rhythm."""
        for match in re.finditer("[xX]-*", rhythm):
            start, stop = (swung(i, len(rhythm), self.meter, swing) for i in match.span())
            yield start, stop - start

    def comp(self, line: Line, rhythms: tuple[str, ...], center: int = 62, **options) -> None:
        """Play the chords, in a rhythm that is drawn for each bar.

        Options: `size` (voices), `swing`, `velocity`, `hold` (share of its length), `first` (bar).
        """
        keys: list[int] = []
        for bar in range(options.get("first", 0), self.bars):
            rhythm = self.rng.choice(rhythms)
            for beat, beats in self.onsets(rhythm, options.get("swing", 0.5)):
                chord = self.chord(bar * self.meter + beat)
                keys = voicing(chord, keys, center, options.get("size", 4))
                strength = options.get("velocity", 78) + self.rng.uniform(-6, 6)
                held = beats * options.get("hold", 0.9)
                line.chord(bar * self.meter + beat, held, keys, strength)

    def riff(
        self, line: Line, rhythm: str, steps: tuple[int, ...], center: int = 38, **options
    ) -> None:
        """Repeat a figure over the roots of the chords; steps in semitones above the root.

        A third or seventh follows the chord. The figure may last several bars ("bars"); further
        options: `swing`, `velocity`, `hold` (share of its length), `first` (bar).
        """
        bars = options.get("bars", 1)
        for bar in range(options.get("first", 0), self.bars):
            part = rhythm[bar % bars * len(rhythm) // bars :][: len(rhythm) // bars]
            before = len(re.findall("[xX]-*", rhythm[: bar % bars * len(rhythm) // bars]))
            for index, (beat, beats) in enumerate(self.onsets(part, options.get("swing", 0.5))):
                start = bar * self.meter + beat
                chord = self.chord(start)
                step = fitted(steps[(before + index) % len(steps)], chord)
                strength = options.get("velocity", 92) + 8 * (beat % 2 == 0)
                held = beats * options.get("hold", 0.9)
                line.add(start, held, nearest(chord.root, center) + step, strength)

    def phrasing(self, phrase: float, time: float, loudness: float) -> None:
        """Make each phrase of so many beats faster and louder towards its middle.

        `time` and `loudness` are shares of the tempo and of the velocity.
        """
        count = int(self.end * 2)
        arcs = [sin(pi * (step / 2 % phrase) / phrase) - 0.64 for step in range(count + 1)]
        self.pace = [1 + time * arc for arc in arcs]
        for line in self.lines:
            for index, note in enumerate(line.notes):
                arc = arcs[min(round(note.beat * 2), count)]
                strength = min(max(round(note.velocity * (1 + loudness * arc)), 1), 127)
                line.notes[index] = replace(note, velocity=strength)

    def clock(self) -> tuple[tuple[float, float], ...]:
        """Give beats and seconds that belong together."""
        if not self.pace:
            return ((0.0, 0.0), (self.end, self.end * 60 / self.tempo))
        steps = [30 / self.tempo / pace for pace in self.pace]
        return tuple((i / 2, t) for i, t in enumerate(accumulate(steps[:-1], initial=0.0)))

    def _note(
        self, line: Line, keys: list[int], place: int, beat: float, beats: float, options: dict
    ) -> None:
        bends = options.get("bends", ())
        bend = self.rng.choice(bends) if bends and beats >= 0.75 else ""
        bend = "" if program(line.instrument) in _STIFF else bend
        strength = options.get("velocity", 92) + 8 * (beat % 2 == 0) + self.rng.uniform(-6, 6)
        held = beats * options.get("hold", 0.9)
        chord = self.chord(beat)
        line.add(beat, held, altered(keys[place], keys, chord), strength, bend)
        if "parallel" in options:
            other, below = options["parallel"]
            key = altered(keys[max(place - below, 0)], keys, chord)
            other.add(beat, held, key, strength - 8, bend)


def _next_place(
    keys: list[int], place: int, step: int, strong: bool, sketch: Sketch, bar: int, beat: float
) -> int:
    """Choose the next note of a melody, as a place in the list of keys."""
    # A melody that has gone far turns back.
    if not 0.15 * len(keys) <= place + step < 0.85 * len(keys):
        step = 1 if place < len(keys) / 2 else -1
    place = min(max(place + step, 0), len(keys) - 1)
    if not strong:
        return place
    classes = sketch.chord(bar * sketch.meter + beat).classes
    tones = [i for i, key in enumerate(keys) if key % 12 in classes]
    return min(tones, key=lambda i: abs(i - place)) if tones else place


def swung(step: int, steps: int, meter: int, swing: float = 0.5) -> float:
    """Give the beat of a step of a pattern.

    Parameters
    ----------
    step : int
        Which step, from 0.
    steps : int
        Steps in a bar.
    meter : int
        Beats in a bar.
    swing : float
        Where a weak step falls between its neighbours, 0 to 1; 0.5 is even.

    Returns
    -------
    float
        Beats from the bar line.

    Chapter
    -------
    02_genre_cnn
    """
    width = meter / steps
    return step * width + (2 * swing - 1) * width * (step % 2)


def choose(rng: Random, *options):
    """Choose one of the arguments.

    Parameters
    ----------
    rng : random.Random
        Where the choice is drawn from.
    *options : any
        At least one.

    Returns
    -------
    any
        One of them.

    Chapter
    -------
    02_genre_cnn
    """
    return rng.choice(options)
