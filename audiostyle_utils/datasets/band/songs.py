"""What a song is: notes, parts for players, chords, and the time that they take."""

from dataclasses import dataclass
from functools import lru_cache

from ...scores import instruments
from .theory import Chord, chord_at

SECONDS = 15.0
KITS = {
    "Standard Kit": 0,
    "Room Kit": 8,
    "Power Kit": 16,
    "Electronic Kit": 24,
    "TR-808 Kit": 25,
    "Jazz Kit": 32,
    "Brush Kit": 40,
    "Orchestra Kit": 48,
}
DRUMS = {
    "kick": 36, "rim": 37, "snare": 38, "clap": 39, "hat": 42, "pedal": 44, "open": 46,
    "floor": 43, "tom": 47, "high tom": 50, "crash": 49, "ride": 51, "china": 52, "bell": 53,
    "tambourine": 54, "cowbell": 56, "bongo": 60, "conga": 63, "low conga": 64, "shaker": 70,
    "claves": 75, "triangle": 81, "timbale": 65,
}  # fmt: skip


@dataclass(frozen=True)
class Note:
    """One note, or one stroke of a drum.

    Attributes
    ----------
    beat : float
        When it begins, in quarter notes from the first bar line.
    beats : float
        How long it is held, in quarter notes.
    key : int
        MIDI key number, 0 to 127.
    velocity : int
        How hard it is struck, 1 to 127.
    bend : str
        Name of a gesture in `studio.BENDS`; empty where the pitch stands still.

    Chapter
    -------
    02_genre_cnn
    """

    beat: float
    beats: float
    key: int
    velocity: int
    bend: str = ""


@dataclass(frozen=True)
class Part:
    """What one player has to play.

    Attributes
    ----------
    role : str
        "drums", "bass", "lead", "chords", "pad", or one of these with a number.
    instrument : str
        General MIDI name, or the name of a drum kit.
    program : int
        The instrument's program number, 0 to 127.
    drums : bool
        Whether the keys are strokes of a drum kit.
    level : float
        Place in the mix, in dB.
    notes : tuple of Note
        In order of time.

    Chapter
    -------
    02_genre_cnn
    """

    role: str
    instrument: str
    program: int
    drums: bool
    level: float
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Song:
    """A composed piece of music that has not been played yet.

    Attributes
    ----------
    name : str
        "blues.00007": genre and number.
    genre, variant, artist : str
        Such as "blues", "shuffle" and "blues-7".
    tempo : float
        Beats (quarter notes) a minute.
    key : str
        Tonic, with an m behind it where the mode is minor: "Eb", "Am".
    meter : int
        Beats in a bar.
    chords : tuple of Chord
        The harmony; it covers the whole piece.
    parts : tuple of Part
        One for each player.
    start : float
        The beat at which the recording begins.
    clock : tuple of (float, float)
        Beats and seconds that belong together, both rising; between them the tempo stands still.

    Chapter
    -------
    02_genre_cnn
    """

    name: str
    genre: str
    variant: str
    artist: str
    tempo: float
    key: str
    meter: int
    chords: tuple[Chord, ...]
    parts: tuple[Part, ...]
    start: float
    clock: tuple[tuple[float, float], ...]

    def part(self, role: str) -> Part:
        """Give the part with a role; KeyError where nobody has it."""
        return {part.role: part for part in self.parts}[role]

    def chord(self, beat: float) -> Chord:
        """Give the chord that sounds at a beat."""
        return chord_at(self.chords, beat)


@lru_cache(maxsize=256)
def program(instrument: str) -> int:
    """Look up an instrument or a drum kit.

    Parameters
    ----------
    instrument : str
        General MIDI name, or a key of `KITS`.

    Returns
    -------
    int
        Program number, 0 to 127.

    Chapter
    -------
    02_genre_cnn
    """
    return KITS[instrument] if instrument in KITS else instruments()[instrument]
