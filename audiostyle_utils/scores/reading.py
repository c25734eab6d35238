"""From a score to a `Piece`: MIDI through symusic, everything else through music21."""

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Any

from audiostyle_utils.errors import InputError

from . import sources
from .pieces import DRUMS, STEPS, Meter, Note, Piece, Tempo, make_piece


def read(score: Any, *, drums: bool = False) -> Piece:
    """Read a score: what is played when, on a grid of 24 steps a quarter note.

    Kept are pitches, onsets and lengths, rests, chords, all parts with their instruments, meters
    and tempi. Tied notes are one note. Grace notes, chord symbols, dynamics and lyrics go, and
    repeats are not written out. An upbeat gets the rests before it that fill its bar.

    Parameters
    ----------
    score : str, path or music21 stream
        The path of a MIDI, MusicXML, ABC or Humdrum file, the name of a work in music21's corpus
        ("bach/bwv66.6"), or a music21 stream.
    drums : bool
        Whether drum parts are kept. Their pitches are General MIDI's drum keys.

    Returns
    -------
    Piece
        The music.

    Raises
    ------
    InputError
        If the work is unknown, the file missing or unreadable, or the score has no notes or more
        than 5,000 bars.

    Chapter
    -------
    03_lstm_music
    """
    name = sources.name_of(score)
    try:
        if sources.is_stream(score):
            return _from_stream(score, drums)
        path = sources.path_of(score)
        if path is None:
            return _from_stream(sources.corpus_stream(score), drums)
        if path.suffix.lower() in sources.MIDI_SUFFIXES:
            return _from_midi(sources.midi_bytes(path), drums, name)
        return _from_stream(sources.parsed(path), drums)
    except InputError as error:
        known = str(error).startswith((name, "There is no file"))
        raise error if known else InputError(f"{name} cannot be used: {error}") from error


def _from_midi(midi: bytes, drums: bool, name: str) -> Piece:
    score = sources.symusic_score(midi, name)
    tracks = [track for track in score.tracks if drums or not track.is_drum]
    if not any(len(track.notes) for track in tracks):
        only = "only drums; give drums=True" if len(score.tracks) > len(tracks) else "no notes"
        raise InputError(f"{name} has {only}.")
    scale = STEPS / score.ticks_per_quarter
    notes = [
        _note(note.time * scale, note.end * scale, note.pitch, part)
        for part, track in enumerate(tracks)
        for note in track.notes
    ]
    return make_piece(
        notes,
        [DRUMS if track.is_drum else track.program for track in tracks],
        [Meter(_step(m.time * scale), m.numerator, m.denominator) for m in score.time_signatures],
        [Tempo(t.time * scale, t.qpm) for t in score.tempos],
    )


def _note(start: float, end: float, pitch: int, part: int) -> Note:
    onset = max(0, _step(start))
    return Note(onset, max(1, _step(end) - onset), pitch, part)


def _step(time: float) -> int:
    """Round to the nearest step, halves up: Python's own rounding of halves goes both ways."""
    return floor(time + 0.5)


def _from_stream(stream: Any, drums: bool) -> Piece:
    """Read a music21 stream."""
    parts = list(stream.parts) if hasattr(stream, "parts") else []
    parts = parts or [stream]
    upbeat, meters = _bars(parts[0])
    notes, programs = [], []
    for part in parts:
        program = _program(part)
        if program != DRUMS or drums:
            found = _notes(part, len(programs), upbeat, program == DRUMS)
            notes += found
            programs.append(program)
    if not notes:
        raise InputError(
            "it has only drums; give drums=True." if parts and not programs else "it has no notes."
        )
    return make_piece(notes, programs, meters, _tempos(stream, upbeat))


def _bars(part: Any) -> tuple[Fraction, list[Meter]]:
    """Return how many quarters an upbeat lacks of a whole bar, and the meters.

    Where bars in the middle are cut short and nothing makes up for it, they get a meter of their
    own, so that the barlines after them stay where they are written.
    """
    measures = list(part.getElementsByClass("Measure"))
    if not measures:
        signatures = part.recurse().getElementsByClass("TimeSignature")
        return Fraction(0), [_meter(sign.offset, sign) for sign in signatures]
    first = measures[0]
    lacking = Fraction(first.barDuration.quarterLength) - Fraction(first.duration.quarterLength)
    upbeat = max(Fraction(0), lacking) if len(measures) > 1 else Fraction(0)
    meters: list[Meter] = []
    line = 0
    for measure in measures:
        sign = measure.getContextByClass("TimeSignature")
        if sign is None or measure.duration.quarterLength != sign.barDuration.quarterLength:
            continue
        start = _step((Fraction(measure.offset) + upbeat) * STEPS)
        own = _meter(0, sign)._replace(onset=start)
        bar = meters[-1].bar if meters else own.bar
        short = (start - line) % bar
        if short and STEPS // 4 <= short and short % (STEPS // 4) == 0:
            meters.append(Meter(start - short, short // (STEPS // 4), 16))
        elif not meters:
            own = own._replace(onset=0)
        if not meters or meters[-1][1:] != own[1:]:
            meters.append(own)
        line = start
    return upbeat, meters


def _meter(offset: float, sign: Any) -> Meter:
    return Meter(_step(Fraction(offset) * STEPS), sign.numerator, sign.denominator)


def _notes(part: Any, number: int, upbeat: Fraction, drums: bool) -> list[Note]:
    """Read the notes of a part; ties become one note."""
    made: list[Note] = []
    tied: dict[int, int] = {}  # pitch: place in `made` of the note that goes on
    for start, end, pitch, tie in _written(part.flatten(), drums):
        first = (start + upbeat) * STEPS
        before = tied.pop(pitch, None)
        if tie in ("stop", "continue") and before is not None:
            note = made[before]
            last = _step((end + upbeat) * STEPS)
            made[before] = note._replace(length=max(note.length, last - note.onset))
        else:
            before = len(made)
            made.append(_note(first, (end + upbeat) * STEPS, pitch, number))
        if tie in ("start", "continue"):
            tied[pitch] = before
    return made


def _written(part: Any, drums: bool) -> Iterator[tuple[Fraction, Fraction, int, str | None]]:
    """Go through what stands in a part: onset and end in quarters, pitch, kind of tie."""
    for element in part.notes:
        if element.duration.isGrace or "ChordSymbol" in element.classSet:
            continue
        start, length = Fraction(element.offset), Fraction(element.duration.quarterLength)
        for note in element.notes if element.isChord else (element,):
            pitch = _pitch(note, drums)
            if pitch is not None and length > 0:
                tie = note.tie or element.tie
                yield start, start + length, pitch, tie.type if tie else None


def _pitch(note: Any, drums: bool) -> int | None:
    """Return a note's MIDI pitch; None where it has none that can be played."""
    if hasattr(note, "pitch"):
        return note.pitch.midi if 0 <= note.pitch.midi <= 127 else None
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
    marks = stream.recurse().getElementsByClass("MetronomeMark")
    tempos = []
    for mark in marks:
        bpm = mark.getQuarterBPM()
        if bpm:
            offset = Fraction(mark.getOffsetInHierarchy(stream))
            tempos.append(Tempo(float((offset + upbeat) * STEPS) if offset else 0.0, bpm))
    return tempos
