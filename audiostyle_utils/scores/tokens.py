"""Music as a sequence of tokens, one a note, and back without loss."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from audiostyle_utils.errors import InputError

from ._layout import Chord, Voice, by_part
from .pieces import (
    DRUMS,
    METERS,
    STEPS,
    TEMPOS,
    Meter,
    Note,
    Piece,
    Tempo,
    make_piece,
    quarters,
)

# Lengths that a note has on paper without a tie, in steps. Others are one of these and a tie.
LENGTHS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 72, 96)
# Real scores stay far below. Beyond, tokens would be millions, and a `Reader` would need minutes.
_MOST_VOICES, _MOST_BARS = 1000, 500_000
_NAMES = "C C# D D# E F F# G G# A A# B".split()


class _Says(NamedTuple):
    """What a token says; None stands for what it does not say."""

    token: str
    kind: str  # a key of Reader's handlers
    pitch: int | None = None
    length: int | None = None  # in steps
    meter: tuple[int, int] | None = None  # count and unit
    bpm: int | None = None
    program: int | None = None


def pitch_name(pitch: int) -> str:
    """Write a MIDI pitch as a note name, with sharps: 60 is "C4", 61 is "C#4".

    Parameters
    ----------
    pitch : int
        0 to 127.

    Returns
    -------
    str
        The name with the octave; middle C is C4.

    Chapter
    -------
    03_lstm_music
    """
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


@lru_cache(maxsize=1)
def vocabulary() -> tuple[str, ...]:
    """List all tokens there are.

    The list is made by rule and does not depend on any music, so that a token's place in it is
    the same for every network, and no piece holds an unknown token.

    Returns
    -------
    tuple of str
        ``"end"``; ``"meter:3/4"`` and ``"tempo:120"``, which hold from the next bar on;
        ``"part:40"`` (with a General MIDI program, or ``"part:drums"``) and ``"voice"``, which
        open a part and another voice of the part; then for each of 16 lengths, in quarter notes,
        ``"rest:1/2"``, ``"hold:1/2"`` (the note before goes on: a tie) and ``"C4:1/2"``; and for
        each pitch ``"+C4"``, which joins the note before to a chord.

    Chapter
    -------
    03_lstm_music
    """
    names = [pitch_name(pitch) for pitch in range(128)]
    lengths = [quarters(length) for length in LENGTHS]
    return (
        "end",
        *(f"meter:{count}/{unit}" for count, unit in sorted(METERS)),
        *(f"tempo:{bpm}" for bpm in TEMPOS),
        *(f"part:{program}" for program in range(128)),
        "part:drums",
        "voice",
        *(f"{name}:{length}" for name in ("rest", "hold", *names) for length in lengths),
        *(f"+{name}" for name in names),
    )


@lru_cache(maxsize=1)
def _ids() -> dict[str, int]:
    return {token: number for number, token in enumerate(vocabulary())}


def encode(tokens: Sequence[str]) -> np.ndarray:
    """Give each token its number in the vocabulary.

    Parameters
    ----------
    tokens : sequence of str
        Tokens.

    Returns
    -------
    np.ndarray, int32, shape (len(tokens),)
        From 0 to ``len(vocabulary()) - 1``.

    Raises
    ------
    InputError
        A token is not in the vocabulary.

    Chapter
    -------
    03_lstm_music
    """
    ids = _ids()
    unknown = [token for token in tokens if token not in ids]
    if unknown:
        raise InputError(
            f"{unknown[0]!r} is not a token. Tokens look like 'C4:1/2', '+E4', 'rest:1' or "
            "'meter:3/4'; scores.vocabulary() lists them all."
        )
    return np.array([ids[token] for token in tokens], np.int32)


def decode(ids: Iterable[int]) -> list[str]:
    """Give each number its token; the inverse of `encode`.

    Parameters
    ----------
    ids : iterable of int
        Numbers of tokens.

    Returns
    -------
    list of str
        The tokens.

    Raises
    ------
    InputError
        A number lies outside the vocabulary.

    Chapter
    -------
    03_lstm_music
    """
    known, ids = vocabulary(), [int(number) for number in ids]
    wrong = [number for number in ids if not 0 <= number < len(known)]
    if wrong:
        raise InputError(f"{wrong[0]} is no token's number; they go from 0 to {len(known) - 1}.")
    return [known[number] for number in ids]


class Factors(NamedTuple):
    """What `factors` returns: three whole numbers for each token of the vocabulary.

    Attributes
    ----------
    what : np.ndarray, int32, shape (len(vocabulary()),)
        What the token says: one number for each pitch, one for ``rest``, one for ``hold``, one for
        each pitch that joins, and one for each other token.
    length : np.ndarray, int32, shape (len(vocabulary()),)
        How long: a place in `LENGTHS`, or ``len(LENGTHS)`` where the token has none of its own.
    pitch : np.ndarray, int32, shape (len(vocabulary()),)
        MIDI pitch, or -1 where the token has none.

    Chapter
    -------
    03_lstm_music
    """

    what: np.ndarray
    length: np.ndarray
    pitch: np.ndarray


@lru_cache(maxsize=1)
def factors() -> Factors:
    """Take each token of the vocabulary apart into what sounds and how long.

    Returns
    -------
    Factors
        For each token; the arrays cannot be written to.

    Chapter
    -------
    03_lstm_music
    """
    names: dict[str, int] = {}
    rows = []
    for token in vocabulary():
        says = _parsed(token)
        name, length = token, len(LENGTHS)
        if says.length is not None:
            name, length = token.partition(":")[0], LENGTHS.index(says.length)
        pitch = -1 if says.pitch is None else says.pitch
        rows.append((names.setdefault(name, len(names)), length, pitch))
    columns = np.array(rows, np.int32).T.copy()
    columns.setflags(write=False)
    return Factors(*columns)


@lru_cache(maxsize=1)
def _token_table() -> np.ndarray:
    """Give the number of the token for each pair of what and length, or -1."""
    what, length, _ = factors()
    table = np.full((what.max() + 1, len(LENGTHS) + 1), -1, np.int32)
    table[what, length] = np.arange(len(what))
    return table


def token_ids(what: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Put tokens together again from what `factors` takes apart.

    Parameters
    ----------
    what, length : np.ndarray of int, of one shape
        As in `Factors`.

    Returns
    -------
    np.ndarray, int32
        Numbers of the tokens.

    Raises
    ------
    InputError
        A pair belongs to no token, such as a rest without a length.

    Chapter
    -------
    03_lstm_music
    """
    table = _token_table()
    what, length = np.asarray(what), np.asarray(length)
    inside = (0 <= what) & (what < table.shape[0]) & (0 <= length) & (length < table.shape[1])
    ids = table[np.where(inside, what, 0), np.where(inside, length, 0)]
    if not np.all(inside & (ids >= 0)):
        raise InputError("Some pairs of what and length belong to no token; see scores.factors().")
    return ids


def transpose_ids(ids: np.ndarray, semitones: int) -> np.ndarray:
    """Move the notes of tokens to another key, given as numbers of the vocabulary.

    It does not know of drums: leave them out when you read the score, as `read` does unless asked.

    Parameters
    ----------
    ids : np.ndarray of int
        As from `encode`.
    semitones : int
        How far up, or down if negative.

    Returns
    -------
    np.ndarray, int32, of the same shape
        Numbers of the moved tokens; those without a pitch stay.

    Raises
    ------
    InputError
        A note would leave MIDI's pitches, 0 to 127.

    Chapter
    -------
    03_lstm_music
    """
    what, length, pitch = (column[ids] for column in factors())
    moved = pitch + semitones
    if np.any((pitch >= 0) & ((moved < 0) | (moved > 127))):
        raise InputError(f"{semitones} semitones move notes out of MIDI's pitches 0 to 127.")
    return token_ids(np.where(pitch >= 0, what + semitones, what), length)


def tokenise(piece: Piece) -> list[str]:
    """Write a piece as tokens.

    Each part is laid out in voices that play one note or chord at a time. A voice is never silent
    without a rest, and no token crosses a barline: a longer note goes on as ``hold``. So every
    voice has a clock, and it is always the voice whose clock is behind that comes next (the first
    of them, if several are). No token needs to say whose turn it is, nor at what time.

    Parameters
    ----------
    piece : Piece
        As `read` returns it.

    Returns
    -------
    list of str
        Meter, tempo and parts, one token for each note, rest or hold, and ``"end"``.

    Raises
    ------
    InputError
        The piece has more than 1,000 voices, or voices times bars are more than 500,000.

    Chapter
    -------
    03_lstm_music
    """
    lines = piece.barlines
    parts = by_part(piece)
    voices = [voice for own in parts for voice in own]
    _check_size(len(voices), len(lines) - 1)
    written = sorted(
        (start, number, text)
        for number, voice in enumerate(voices)
        for chord in _tiled(voice, lines[-1])
        for start, text in _texts(chord, lines)
    )
    changes = _changes(piece)
    tokens = [*changes.pop(0), *_header(parts, piece.parts)]
    for start, _, text in written:
        tokens += changes.pop(start, ())
        tokens += text
    return [*tokens, "end"]


def detokenise(tokens: Sequence[str]) -> Piece:
    """Read tokens as a piece; the inverse of `tokenise`.

    Parameters
    ----------
    tokens : sequence of str
        Tokens; an ``"end"`` may be missing.

    Returns
    -------
    Piece
        The music.

    Raises
    ------
    InputError
        A token is unknown or cannot stand where it stands, or there are no notes.

    Chapter
    -------
    03_lstm_music
    """
    reader = Reader()
    for number, token in enumerate(tokens):
        try:
            reader.push(token)
        except InputError as error:
            raise InputError(f"Token {number}: {error}") from error
    return reader.piece()


class Reader:
    """Follows tokens one by one, and knows at each moment whose turn it is.

    Attributes
    ----------
    voice : int
        The voice that the next note, rest or hold belongs to, counted from 0.
    bars : int
        How many bars are complete, in all voices.

    Chapter
    -------
    03_lstm_music
    """

    def __init__(self) -> None:
        self._notes: list[list[int]] = []  # onset, length, pitch, voice
        self._parts: list[int] = []
        self._part_of: list[int] = []  # the part of each voice
        self._meters: list[Meter] = []
        self._tempos: list[Tempo] = []
        self._clocks: list[int] = []
        self._sounding: list[list[list[int]]] = []  # of each voice, the notes of its last event
        self._last: list[list[int]] = []  # the last note token's notes, which others may join
        self._lines = [0, 4 * STEPS]
        self._started = self._ended = False
        self.voice = self.bars = 0

    @property
    def position(self) -> int:
        """Steps from the last barline to where that voice stands."""
        return (self._clocks[self.voice] if self._clocks else 0) - self._lines[-2]

    @property
    def left(self) -> int:
        """Steps from there to the next barline: no token may be longer."""
        return self._lines[-1] - self._lines[-2] - self.position

    @property
    def can_hold(self) -> bool:
        """Whether that voice sounds, so that a hold may follow."""
        return bool(self._clocks) and bool(self._sounding[self.voice])

    @property
    def held(self) -> int:
        """Steps for which the voice's note sounds already."""
        return max((note[1] for note in self._sounding[self.voice]), default=0)

    @property
    def can_join(self) -> int:
        """The lowest pitch that could join the last note to a chord; 128 where none can."""
        return self._last[-1][2] + 1 if self._last else 128

    def push(self, token: str) -> None:
        """Take the next token.

        Parameters
        ----------
        token : str
            The token.

        Raises
        ------
        InputError
            It is unknown, or cannot stand here; nothing has changed then.
        """
        says = _parsed(token)
        if self._ended:
            raise InputError(f"{token!r} follows 'end'.")
        self._handlers[says.kind](self, says)

    def piece(self) -> Piece:
        """Give the music so far.

        Returns
        -------
        Piece
            Complete bars and what has been pushed of the current one.

        Raises
        ------
        InputError
            There are no notes yet.
        """
        notes = [Note(*note[:3], self._part_of[note[3]]) for note in self._notes]
        return make_piece(notes, self._parts, self._meters, self._tempos)

    def _end(self, says: _Says) -> None:
        self._at_barline(says)
        self._ended = True

    def _change_meter(self, says: _Says) -> None:
        self._at_barline(says)
        self._meters.append(Meter(self._lines[-2], *says.meter))
        self._lines[-1] = self._lines[-2] + self._meters[-1].bar

    def _change_tempo(self, says: _Says) -> None:
        self._at_barline(says)
        self._tempos.append(Tempo(self._lines[-2], says.bpm))

    def _open_part(self, says: _Says) -> None:
        if self._started:
            raise InputError(f"{says.token!r} stands after the first note; parts come before it.")
        self._parts.append(says.program)
        self._add_voice()

    def _open_voice(self, says: _Says) -> None:
        if self._started or not self._parts:
            raise InputError(f"{says.token!r} stands after the first note or before a part.")
        self._add_voice()

    def _note(self, says: _Says) -> None:
        self._check_room(says)
        self._sound([[self._clocks[self.voice], says.length, says.pitch, self.voice]])
        self._advance(says.length)

    def _rest(self, says: _Says) -> None:
        self._check_room(says)
        self._sound([])
        self._advance(says.length)

    def _hold(self, says: _Says) -> None:
        self._check_room(says)
        if not self.can_hold:
            raise InputError(f"{says.token!r} follows no note that it could hold.")
        for note in self._sounding[self.voice]:
            note[1] += says.length
        self._last = []
        self._advance(says.length)

    def _join(self, says: _Says) -> None:
        if says.pitch < self.can_join:
            raise InputError(f"{says.token!r} follows no lower note that it could join.")
        joined = [*self._last[0][:2], says.pitch, self._last[0][3]]
        self._notes.append(joined)
        self._last.append(joined)  # the same list as the voice's, which a hold makes longer

    _handlers: ClassVar = {
        "end": _end,
        "meter": _change_meter,
        "tempo": _change_tempo,
        "part": _open_part,
        "voice": _open_voice,
        "note": _note,
        "rest": _rest,
        "hold": _hold,
        "join": _join,
    }

    def _add_voice(self) -> None:
        self._part_of.append(len(self._parts) - 1)
        self._clocks.append(0)
        self._sounding.append([])

    def _at_barline(self, says: _Says) -> None:
        if any(clock != self._lines[-2] for clock in self._clocks):
            raise InputError(f"{says.token!r} stands inside a bar.")

    def _check_room(self, says: _Says) -> None:
        if not self._clocks:
            raise InputError(
                f"{says.token!r} stands before any part; begin with one, like 'part:0'."
            )
        if says.length > self.left:
            left = quarters(self.left)
            raise InputError(f"{says.token!r} crosses a barline: {left} is left of it.")

    def _sound(self, notes: list[list[int]]) -> None:
        """Let the voice begin these notes, none for a rest."""
        self._last = self._sounding[self.voice] = notes
        self._notes += notes

    def _advance(self, length: int) -> None:
        self._started = True
        self._clocks[self.voice] += length
        if min(self._clocks) == self._lines[-1]:
            self.bars += 1
            self._lines.append(2 * self._lines[-1] - self._lines[-2])
        self.voice = self._clocks.index(min(self._clocks))


def contexts(tokens: Sequence[str]) -> np.ndarray:
    """Tell for each token whose turn it is, and where in the bar.

    Parameters
    ----------
    tokens : sequence of str
        Tokens.

    Returns
    -------
    np.ndarray, int32, shape (len(tokens) + 1, 3)
        Before each token, and after the last: number of the voice, steps since the barline, steps
        to the next one. It follows from the tokens before alone.

    Raises
    ------
    InputError
        A token is unknown or cannot stand where it stands.

    Chapter
    -------
    03_lstm_music
    """
    reader = Reader()
    rows = [(0, 0, reader.left)]
    for token in tokens:
        reader.push(token)
        rows.append((reader.voice, reader.position, reader.left))
    return np.array(rows, np.int32)


@cache
def _parsed(token: str) -> _Says:
    if token not in _ids():
        encode([token])
    if token.startswith("+"):
        return _Says(token, "join", pitch=_pitch(token[1:]))
    name, _, value = token.partition(":")
    if name in ("end", "voice"):
        return _Says(token, name)
    if name == "meter":
        count, _, unit = value.partition("/")
        return _Says(token, name, meter=(int(count), int(unit)))
    if name == "tempo":
        return _Says(token, name, bpm=int(value))
    if name == "part":
        return _Says(token, name, program=DRUMS if value == "drums" else int(value))
    top, _, bottom = value.partition("/")
    length = STEPS * int(top) // int(bottom or 1)
    if name in ("rest", "hold"):
        return _Says(token, name, length=length)
    return _Says(token, "note", pitch=_pitch(name), length=length)


def _pitch(name: str) -> int:
    letter, octave = re.fullmatch(r"([A-G]#?)(-?\d)", name).groups()
    return _NAMES.index(letter) + 12 * (int(octave) + 1)


def _check_size(voices: int, bars: int) -> None:
    if voices > _MOST_VOICES or voices * bars > _MOST_BARS:
        raise InputError(
            f"{voices:,} voices of {bars:,} bars are too much to write as tokens. Give fewer parts "
            f"or fewer bars: at most {_MOST_VOICES:,} voices, and {_MOST_BARS:,} bars in all of "
            "them together."
        )


def _tiled(voice: Voice, end: int) -> list[Chord]:
    """Fill what a voice leaves empty with rests."""
    tiles, clock = [], 0
    for chord in voice:
        if chord.start > clock:
            tiles.append(Chord(clock, chord.start, ()))
        tiles.append(chord)
        clock = chord.end
    return [*tiles, Chord(clock, end, ())] if clock < end else tiles


def _texts(chord: Chord, lines: list[int]) -> list[tuple[int, tuple[str, ...]]]:
    """Write a chord, cut at barlines and into lengths that there are: start and tokens."""
    first = pitch_name(chord.pitches[0]) if chord.pitches else "rest"
    following = "hold" if chord.pitches else "rest"
    joined = tuple(f"+{pitch_name(pitch)}" for pitch in chord.pitches[1:])
    written, start = [], chord.start
    while start < chord.end:
        line = lines[bisect_right(lines, start)]
        length = LENGTHS[bisect_right(LENGTHS, min(chord.end, line) - start) - 1]
        name = following if written else first
        written.append((start, (f"{name}:{quarters(length)}", *(() if written else joined))))
        start += length
    return written


def _changes(piece: Piece) -> dict[int, list[str]]:
    """Write meters and tempi as tokens, by the barline where they stand."""
    changes: dict[int, list[str]] = {}
    for meter in piece.meters:
        changes.setdefault(meter.onset, []).append(f"meter:{meter.count}/{meter.unit}")
    for tempo in piece.tempos:
        changes.setdefault(tempo.onset, []).append(f"tempo:{tempo.bpm}")
    return changes


def _header(parts: Sequence[Sequence[Voice]], programs: Sequence[int]) -> list[str]:
    header = []
    for own, program in zip(parts, programs, strict=True):
        opened = f"part:{'drums' if program == DRUMS else program}"
        header += [opened if number == 0 else "voice" for number in range(len(own))]
    return header
