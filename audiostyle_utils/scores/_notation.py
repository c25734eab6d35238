"""From a `Piece` to notation: a music21 score with bars, ties, voices, clefs and a key."""

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from audiostyle_utils.errors import InputError

from ._layout import Chord, Voice, by_part
from .general_midi import instruments
from .pieces import DRUMS, STEPS, Meter, Piece

# Lengths that are one note on paper without a tie, in steps: plain and dotted, and of triplets.
_PLAIN = (96, 72, 48, 36, 24, 18, 12, 9, 6, 3)
_TRIPLET = (64, 32, 16, 8, 4, 2, 1)
_FIFTHS = "FCGDAEB"
_MIDDLE_C = 60
_GUITARS = range(24, 32)  # written an octave above their sound


_Tied = tuple[Chord, str | None]  # a chord, and how it is tied: "start", "continue", "stop"


class Staff(NamedTuple):
    """What stands on a staff: the General MIDI program, and the voices."""

    program: int
    voices: list[Voice]


def staves(piece: Piece) -> list[Staff]:
    """Give each part of a piece a staff."""
    return [Staff(*own) for own in zip(piece.parts, by_part(piece), strict=True)]


def written(
    piece: Piece,
    laid_out: Sequence[Staff],
    key: str | None = None,
    *,
    lines: Sequence[int] | None = None,
    first_bar: int = 1,
    final: bool = True,
) -> Any:
    """Write what stands on the staves as a music21 score, with the piece's meters and tempi.

    The barlines are the piece's own, or those given, which may go on where no note sounds.
    """
    from music21 import stream, tempo

    sharps = _sharps(piece, key)
    lines = piece.barlines if lines is None else lines
    score = stream.Score()
    for number, staff in enumerate(laid_out):
        part = stream.Part(id=f"part{number + 1}")
        part.insert(0, _instrument(staff.program))
        _add_bars(part, staff, lines, piece.meters, sharps, first_bar)
        if final:
            part.getElementsByClass("Measure").last().rightBarline = "final"
        score.insert(0, part)
    marks = {mark.onset: mark.bpm for mark in piece.tempos}
    for bar in score.parts.first().getElementsByClass("Measure"):
        if (onset := round(bar.offset * STEPS)) in marks:
            bar.insert(0, tempo.MetronomeMark(number=marks[onset]))
    return score


def _quarters(steps: int) -> Fraction:
    return Fraction(steps, STEPS)


def _sharps(piece: Piece, key: str | None) -> int:
    """Count the sharps of the key signature; flats are negative, and there are never over six."""
    from music21 import key as keys
    from music21.exceptions21 import Music21Exception

    if key is None:
        return _few(_sharps_that_fit(piece))
    try:
        return _few(keys.Key(key).sharps)
    except (Music21Exception, AttributeError, TypeError) as error:
        raise InputError(
            f"key is {key!r}; give one as music21 writes it: 'G', 'e' (minor), 'B-' (B flat)."
        ) from error


def _sharps_that_fit(piece: Piece) -> int:
    from music21 import note, stream

    # The analysis asks only how long each pitch class sounds in all.
    steps = Counter[int]()
    for played in piece.notes:
        if piece.parts[played.part] != DRUMS:
            steps[played.pitch % 12] += played.length
    held = [note.Note(60 + pitch, quarterLength=n / STEPS) for pitch, n in sorted(steps.items())]
    return stream.Stream(held).analyze("key").sharps if held else 0


def _few(sharps: int) -> int:
    return sharps - 12 if sharps > 6 else sharps + 12 if sharps < -6 else sharps


def _instrument(program: int) -> Any:
    from music21 import instrument

    if program == DRUMS:
        made = instrument.UnpitchedPercussion()
        made.midiChannel, made.partName = 9, "Drums"
        return made
    made = instrument.instrumentFromMidiProgram(program)
    made.midiProgram, made.partName = program, list(instruments())[program]
    return made


def _clef(staff: Staff) -> Any:
    from music21 import clef

    pitches = [pitch for voice in staff.voices for chord in voice for pitch in chord.pitches]
    if staff.program == DRUMS:
        return clef.PercussionClef()
    mean = sum(pitches) / len(pitches) if pitches else _MIDDLE_C
    if staff.program in _GUITARS:
        return clef.Treble8vbClef()
    return clef.TrebleClef() if mean >= _MIDDLE_C else clef.BassClef()


def _add_bars(
    part: Any,
    staff: Staff,
    lines: Sequence[int],
    meters: Sequence[Meter],
    sharps: int,
    first_bar: int,
) -> None:
    """Write a staff bar by bar, as measures of a music21 part."""
    from music21 import key, meter, stream

    cut = [_cut(voice, lines) for voice in staff.voices]
    signs = {sign.onset: sign for sign in meters}
    sign = meters[0]
    for number, (start, end) in enumerate(zip(lines, lines[1:], strict=False)):
        bar = stream.Measure(number=first_bar + number)
        if number == 0:
            bar.insert(0, _clef(staff))
            if staff.program != DRUMS:
                bar.insert(0, key.KeySignature(sharps))
        if start in signs:
            sign = signs[start]
            bar.insert(0, meter.TimeSignature(f"{sign.count}/{sign.unit}"))
        heard = [voice[number] for voice in cut if any(chord.pitches for chord, _ in voice[number])]
        _fill(bar, heard or [[(Chord(start, end, ()), None)]], sign._replace(onset=start), sharps)
        part.insert(_quarters(start), bar)


def _cut(voice: Voice, lines: Sequence[int]) -> list[list[_Tied]]:
    """Cut a voice at barlines, and fill what it leaves empty with rests."""
    bars = []
    following = 0
    for start, end in zip(lines, lines[1:], strict=False):
        bar, clock = [], start
        while following < len(voice) and voice[following].start < end:
            chord = voice[following]
            first = max(chord.start, start)
            if first > clock:
                bar.append((Chord(clock, first, ()), None))
            clock = min(chord.end, end)
            bar.append((Chord(first, clock, chord.pitches), _tie(chord, first, clock)))
            if chord.end > end:
                break
            following += 1
        bars.append(bar if clock == end else [*bar, (Chord(clock, end, ()), None)])
    return bars


def _tie(chord: Chord, first: int, last: int, outer: str | None = None) -> str | None:
    """Tell how the stretch of a chord from `first` to `last` is tied to its neighbours."""
    before = chord.start < first or outer in ("stop", "continue")
    after = last < chord.end or outer in ("start", "continue")
    if not chord.pitches or not (before or after):
        return None
    return "continue" if before and after else "start" if after else "stop"


def _fill(bar: Any, heard: list[list[_Tied]], sign: Meter, sharps: int) -> None:
    """Put notes and rests into a measure; where there are several voices, each gets its own."""
    from music21 import stream

    for number, chords in enumerate(heard):
        target = bar if len(heard) == 1 else stream.Voice(id=str(number + 1))
        for chord, tie in chords:
            for part, own in _on_paper(chord, tie, sign):
                element = _element(part, own, sharps, whole_bar=part.end - part.start == sign.bar)
                # Only the first voice shows its rests, as is usual in print.
                element.style.hideObjectOnPrint = number > 0 and element.isRest
                if target is not bar and part.pitches:
                    element.stemDirection = "down" if number % 2 else "up"
                target.insert(_quarters(part.start - sign.onset), element)
        if target is not bar:
            bar.insert(0, target)


def _on_paper(chord: Chord, tie: str | None, sign: Meter) -> Iterator[_Tied]:
    """Cut a chord into lengths that there are on paper, tied to each other."""
    if not chord.pitches and chord.end - chord.start == sign.bar:
        yield chord, None  # the rest of a whole bar looks the same in every meter
        return
    start = chord.start
    while start < chord.end:
        length = _length(start - sign.onset, chord.end - start, sign, not chord.pitches)
        part = Chord(start, start + length, chord.pitches)
        yield part, _tie(chord, part.start, part.end, tie)
        start = part.end


def _length(position: int, left: int, sign: Meter, rest: bool) -> int:
    """Choose how long the first of tied notes is, so that the beats stay plain to see."""
    compound = sign.unit >= 8 and sign.count % 3 == 0
    beat = 4 * STEPS // sign.unit * (3 if compound else 1)
    if not compound and not rest and left in _PLAIN + _TRIPLET:
        return left
    if position % beat == 0 and left >= beat:
        return next((n for n in _PLAIN if n <= left and n % beat == 0), beat)
    room = min(left, beat - position % beat)
    known = _PLAIN if room % 3 == 0 else _TRIPLET if room % 2 == 0 else _PLAIN + _TRIPLET
    return max(length for length in known if length <= room)


def _element(chord: Chord, tie: str | None, sharps: int, whole_bar: bool) -> Any:
    """Make a music21 note, chord or rest."""
    from music21 import chord as chords
    from music21 import note
    from music21.tie import Tie

    length = _quarters(chord.end - chord.start)
    if not chord.pitches:
        return note.Rest(quarterLength=length, fullMeasure=whole_bar or "auto")
    notes = [note.Note(_pitch(pitch, sharps), quarterLength=length) for pitch in chord.pitches]
    for one in notes:
        one.tie = Tie(tie) if tie else None
    return notes[0] if len(notes) == 1 else chords.Chord(notes, quarterLength=length)


def _pitch(midi: int, sharps: int) -> Any:
    """Name a pitch as its key asks: from three fifths below the tonic of major to eight above."""
    from music21 import pitch

    fifths = (7 * midi - sharps + 3) % 12 + sharps - 3  # C is 0, G is 1
    accidental, letter = divmod(fifths + 1, 7)
    octave = (midi - accidental) // 12 - 1
    return pitch.Pitch(_FIFTHS[letter], octave=octave, accidental=accidental or None)
