"""From a score to a `Piece`: MIDI through symusic, everything else through music21.

ABC too is read by music21, for symusic's own reader of ABC misreads the book's 1,059 fiddle tunes,
with thousands of errors in lines that have none.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

from audiostyle_utils.errors import InputError

from . import _sources as sources
from .pieces import DRUMS, METERS, STEPS, Meter, Note, Piece, Tempo, make_piece


class _Sound(NamedTuple):
    """A note before it is put on the grid: its begin and end, in steps."""

    start: float
    end: float
    pitch: int
    part: int


def read(score: Any, *, drums: bool = False, snap: str | float | None = None) -> Piece:
    """Read a score: what is played when, on a grid of 24 steps a quarter note.

    Kept are pitches, onsets and lengths, rests, chords, all parts with their instruments, meters
    and tempi. Tied notes are one note. Grace notes, chord symbols, dynamics and lyrics go, and
    repeats are not written out. An upbeat gets the rests before it that fill its bar, and a bar
    that is cut short in the middle gets a meter of its own.

    Parameters
    ----------
    score : str, path, music21 stream, bytes or Piece
        The path of a MIDI, MusicXML, ABC or Humdrum file, the name of a work in music21's corpus
        ("bach/bwv66.6"), a music21 stream, or the content of a MIDI file. A book of several tunes
        is refused; give one of music21's ``converter.parse(path).scores``. A `Piece` is returned
        as it is, with its drums.
    drums : bool
        Whether drum parts are kept. Their pitches are General MIDI's drum keys.
    snap : str or float, optional
        For performed music, which is never quite in time: a length in quarter notes ("1/4" is a
        sixteenth, "1/3" an eighth of a triplet) to whose multiples onsets and ends are moved, the
        nearest ones. No note becomes shorter than one such length. None keeps the 24 steps. It is
        not for a `Piece`, which is on its grid already.

    Returns
    -------
    Piece
        The music.

    Raises
    ------
    InputError
        If the work is unknown, the file missing, too large (4 MB for MIDI, 20 MB for others) or
        unreadable, `snap` not a whole number of steps or given for a `Piece`, or the score has no
        notes or more than 5,000 bars.

    Chapter
    -------
    03_lstm_music
    """
    unit = _unit(snap)
    if isinstance(score, Piece):
        if snap is not None:
            raise InputError("snap is given for a Piece; give it when you read the score's file.")
        return score
    opened = sources.opened(score)
    try:
        made = _of_stream if sources.is_stream(opened) else _of_midi
        sounds, programs, meters, tempos = made(opened, drums)
        return make_piece((_note(sound, unit) for sound in sounds), programs, meters, tempos)
    except InputError as error:
        raise InputError(f"{sources.name_of(score)} cannot be used: {error}") from error


def _unit(snap: str | float | None) -> int:
    """Return how many steps a snap is long."""
    if snap is None:
        return 1
    try:
        steps = Fraction(snap) * STEPS
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        steps = Fraction(0)
    if steps.denominator != 1 or not 1 <= steps <= 4 * STEPS:
        raise InputError(
            f"snap is {snap!r}; give a length in quarter notes that is a whole number of 24ths and "
            'at most 4, like "1/4" for a sixteenth.'
        )
    return int(steps)


def _note(sound: _Sound, unit: int) -> Note:
    onset = max(0, _step(sound.start, unit))
    return Note(onset, max(unit, _step(sound.end, unit) - onset), sound.pitch, sound.part)


def _step(time: float, unit: int = 1) -> int:
    """Round to a multiple of the unit, halves up: Python's own rounding goes both ways."""
    return floor(time / unit + 0.5) * unit


def _of_midi(score: Any, drums: bool) -> tuple[list, list, list, list]:
    """Read a symusic score: notes, programs, meters, tempi."""
    tracks = [track for track in score.tracks if drums or not track.is_drum]
    if not tracks and len(score.tracks):
        raise InputError(
            "it has only drums, which are left out; give a score with other instruments, or "
            "read it with scores.read(..., drums=True)."
        )
    ticks = score.ticks_per_quarter
    sounds = [
        _Sound(note.time * STEPS / ticks, note.end * STEPS / ticks, note.pitch, part)
        for part, track in enumerate(tracks)
        for note in track.notes
    ]
    return (
        sounds,
        [DRUMS if track.is_drum else track.program for track in tracks],
        [
            Meter(_step(sign.time * STEPS / ticks), sign.numerator, sign.denominator)
            for sign in score.time_signatures
        ],
        [Tempo(tempo.time * STEPS / ticks, tempo.qpm) for tempo in score.tempos],
    )


def _of_stream(stream: Any, drums: bool) -> tuple[list, list, list, list]:
    """Read a music21 stream: notes, programs, meters, tempi."""
    parts = list(getattr(stream, "parts", ())) or [stream]
    upbeat, meters = _bars(parts[0])
    sounds: list[_Sound] = []
    programs: list[int] = []
    for part in parts:
        program = _program(part)
        if program != DRUMS or drums:
            sounds += _sounds(part, len(programs), upbeat, program == DRUMS)
            programs.append(program)
    if not programs:
        raise InputError(
            "it has only drums, which are left out; give a score with other instruments, or "
            "read it with scores.read(..., drums=True)."
        )
    return sounds, programs, meters, _tempos(stream, upbeat)


def _bars(part: Any) -> tuple[Fraction, list[Meter]]:
    """Return how many quarters an upbeat lacks of a whole bar, and the meters.

    Only whole bars count: they show where barlines are. What lies between two of them is a whole
    number of bars too, and where it is not, the rest gets a meter of its own.
    """
    measures = list(part.getElementsByClass("Measure"))
    if not measures:
        signs = part.recurse().getElementsByClass("TimeSignature")
        return Fraction(0), [_meter(sign.getOffsetInHierarchy(part), sign) for sign in signs]
    lacking = measures[0].barDuration.quarterLength - measures[0].duration.quarterLength
    upbeat = Fraction(max(0, lacking)) if len(measures) > 1 else Fraction(0)
    first = next(filter(None, map(_sign, measures)), None)
    meters = [_meter(0, first)] if first else []
    line = 0
    for bar in _whole(measures, upbeat):
        over = (bar.onset - line) % meters[-1].bar
        short = _meter_of(bar.onset - over, over)
        if short:
            meters.append(short)
        if meters[-1][1:] != bar[1:]:
            meters.append(bar)
        line = bar.onset
    return upbeat, meters


def _whole(measures: list[Any], upbeat: Fraction) -> Iterator[Meter]:
    """Go through the bars that are as long as their meter says."""
    for measure in measures:
        sign = _sign(measure)
        if sign and measure.duration.quarterLength == sign.barDuration.quarterLength:
            yield _meter(Fraction(measure.offset) + upbeat, sign)


def _sign(measure: Any) -> Any:
    """Return the time signature that holds in a bar; None without one that is known."""
    sign = measure.timeSignature or measure.getContextByClass("TimeSignature")
    return sign if sign and (sign.numerator, sign.denominator) in METERS else None


def _meter_of(onset: int, length: int) -> Meter | None:
    """Return the meter with the largest unit whose bar has this length."""
    for unit in (4, 8, 16):
        count, rest = divmod(length * unit, 4 * STEPS)
        if not rest and (count, unit) in METERS:
            return Meter(onset, count, unit)
    return None


def _meter(offset: float, sign: Any) -> Meter:
    return Meter(_step(Fraction(offset) * STEPS), sign.numerator, sign.denominator)


def _sounds(part: Any, number: int, upbeat: Fraction, drums: bool) -> list[_Sound]:
    """Read the notes of a part; ties become one note."""
    made: list[_Sound] = []
    tied: dict[int, int] = {}  # pitch: place in `made` of the note that goes on
    for start, end, pitch, tie in _written(part.flatten(), drums):
        place = tied.pop(pitch, None)
        last = float((end + upbeat) * STEPS)
        if tie in ("stop", "continue") and place is not None:
            made[place] = made[place]._replace(end=max(made[place].end, last))
        else:
            place = len(made)
            made.append(_Sound(float((start + upbeat) * STEPS), last, pitch, number))
        if tie in ("start", "continue"):
            tied[pitch] = place
    return made


def _written(part: Any, drums: bool) -> Iterator[tuple[Fraction, Fraction, int, str | None]]:
    """Go through what stands in a part: onset and end in quarters, pitch, kind of tie."""
    for element in part.notes:
        if element.duration.isGrace or "ChordSymbol" in element.classSet:
            continue
        start, length = Fraction(element.offset), Fraction(element.duration.quarterLength)
        for note in element.notes if hasattr(element, "notes") else (element,):
            pitch = _pitch(note, drums)
            if pitch is not None and length > 0:
                tie = note.tie or element.tie
                yield start, start + length, pitch, tie.type if tie else None


def _pitch(note: Any, drums: bool) -> int | None:
    """Return a note's MIDI pitch; None where it has none that can be played."""
    if hasattr(note, "pitch"):
        # Not pitch.midi, which moves what lies beyond MIDI's pitches by octaves.
        pitch = _step(note.pitch.ps)
        return pitch if 0 <= pitch <= 127 else None
    instrument = getattr(note, "storedInstrument", None)
    return getattr(instrument, "percMapPitch", None) if drums else None


def _program(part: Any) -> int:
    instrument = part.getInstrument(returnDefault=False)
    if instrument is None:
        return 0
    if instrument.midiChannel == 9 or "UnpitchedPercussion" in instrument.classSet:
        return DRUMS
    return instrument.midiProgram or 0


def _tempos(stream: Any, upbeat: Fraction) -> list[Tempo]:
    tempos = []
    for mark in stream.recurse().getElementsByClass("MetronomeMark"):
        bpm = mark.getQuarterBPM()
        if bpm:
            offset = Fraction(mark.getOffsetInHierarchy(stream))
            tempos.append(Tempo(float((offset + upbeat) * STEPS) if offset else 0.0, bpm))
    return tempos
