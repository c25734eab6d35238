"""From a written score to sound: any MIDI file or music21 work, on any General MIDI instrument."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from audiostyle_utils import soundfont as sf
from audiostyle_utils._checks import whole
from audiostyle_utils.errors import InputError

from . import _sources as sources
from .general_midi import general_midi_font, instruments
from .pieces import Piece
from .writing import to_midi

_SHORTEST, _LONGEST = 1e-3, 3600.0  # seconds
_RATES = (4000, 192000)  # Hz
_BEND_RANGE = 2 / 8192  # semitones for one step of a MIDI pitch wheel
_PEAK = 0.9


@dataclass(frozen=True)
class _Note:
    """A note in seconds, with the instrument that plays it."""

    program: int
    drums: bool
    key: int
    velocity: int
    start: float
    seconds: float
    gain: float = 1.0
    bend: np.ndarray | None = None


def render(
    score: Any,
    sr: int = 22050,
    *,
    instrument: str | int | None = None,
    tempo: float | None = None,
    transpose: int = 0,
    offset: float = 0.0,
    duration: float | None = None,
    soundfont: str | Path | None = None,
) -> tuple[np.ndarray, int]:
    """Play a score with the recorded instruments of a SoundFont.

    Time zero is the score's beginning: silence before the first note is kept, so that a beat has
    the same place in the sound as in the score. At the end the last notes are left to die away.

    Parameters
    ----------
    score : str, path, bytes, music21 stream or Piece
        The name of a work in music21's corpus ("bach/bwv66.6", "joplin/maple_leaf_rag"), the path
        of a MIDI, MusicXML, ABC or Humdrum file, the content of a MIDI file, a music21 stream, or
        a `Piece`.
    sr : int
        Sample rate of the result in hertz, 4000 to 192000.
    instrument : str or int, optional
        A General MIDI name ("Church Organ", upper or lower case) or program number, 0 to 127, for
        all parts but drums; None plays each part on the instrument that the score asks for.
    tempo : float, optional
        Quarter notes a minute, throughout; None keeps the score's own tempi.
    transpose : int
        Semitones up (or down, if negative) for all notes but drums, -48 to 48.
    offset : float
        Where to start, in seconds of the rendered score.
    duration : float, optional
        How many seconds to return; None goes on to the end. The result is shorter where the score
        ends earlier.
    soundfont : str or path, optional
        An .sf2 file; None takes the General MIDI font that pretty_midi carries.

    Returns
    -------
    y : np.ndarray, float32, shape (samples,)
        Signal of one channel, with its peak at 0.9.
    sr : int
        Sample rate in hertz, as asked for.

    Raises
    ------
    InputError
        If the work is unknown, the file missing or unreadable, the score without notes or over an
        hour long, a parameter out of its range, or nothing sounds in the part asked for.

    Chapter
    -------
    01_style_transfer
    """
    program = None if instrument is None else _program(instrument)
    _check(sr, tempo, offset, duration)
    _check_transpose(transpose)
    font = sf.open_soundfont(Path(soundfont) if soundfont else general_midi_font())
    notes = _transposed(_notes(_midi(score), program, tempo, sources.name_of(score)), transpose)
    y = _resample(_mix(font, notes, offset, duration), sr)
    peak = np.abs(y).max(initial=0.0)
    if peak < 1e-6:
        end = max(note.start + note.seconds for note in notes)
        raise InputError(
            f"Nothing sounds in {sources.name_of(score)} from {offset:g} s on: its last note ends "
            f"at {end:.1f} s. Choose a smaller offset or a longer duration."
        )
    return y * np.float32(_PEAK / peak), sr


def _midi(score: Any) -> bytes:
    return to_midi(score) if isinstance(score, Piece) else sources.midi_of(score)


def _check(sr: int, tempo: float | None, offset: float, duration: float | None) -> None:
    whole(sr, "sr", *_RATES)
    for name, value, smallest, largest in (
        ("tempo", tempo, 1, 1000),
        ("offset", offset, 0, _LONGEST),
        ("duration", duration, 1e-3, _LONGEST),
    ):
        if value is None and name != "offset":
            continue
        if not isinstance(value, int | float | np.number) or not smallest <= value <= largest:
            unit = "quarter notes a minute" if name == "tempo" else "seconds"
            raise InputError(f"{name} is {value!r}; give {smallest:g} to {largest:g} {unit}.")


def _check_transpose(transpose: int) -> None:
    whole = isinstance(transpose, int | np.integer) and not isinstance(transpose, bool)
    if not whole or not -48 <= transpose <= 48:
        raise InputError(
            f"transpose is {transpose!r}; give a whole number of semitones, -48 to 48."
        )


def _transposed(notes: list[_Note], semitones: int) -> list[_Note]:
    moved = [note if note.drums else replace(note, key=note.key + semitones) for note in notes]
    if any(not 0 <= note.key <= 127 for note in moved):
        raise InputError(
            f"transpose={semitones} moves notes out of MIDI's keys 0 to 127; choose a smaller step."
        )
    return moved


def _program(instrument: str | int) -> int:
    if isinstance(instrument, int | np.integer) and not isinstance(instrument, bool):
        if 0 <= instrument <= 127:
            return int(instrument)
        raise InputError(f"instrument is {instrument}; General MIDI programs go from 0 to 127.")
    by_name = {name.casefold(): program for name, program in instruments().items()}
    wanted = str(instrument).strip().casefold()
    if wanted in by_name:
        return by_name[wanted]
    close = sources.close(str(instrument), instruments())
    raise InputError(
        f"There is no General MIDI instrument {instrument!r}.{close} "
        "scores.instruments() lists all 128."
    )


def _notes(midi: bytes, program: int | None, tempo: float | None, name: str) -> list[_Note]:
    """Read the notes of a MIDI file, in seconds."""
    from symusic import Tempo

    score = sources.symusic_score(midi, name)
    if tempo is not None:
        score.tempos = [Tempo(0, float(tempo))]
    score = score.to("second")
    notes = [note for track in score.tracks for note in _track_notes(track, program)]
    if not notes:
        raise InputError(f"{name} has no notes.")
    end = max(note.start + note.seconds for note in notes)
    if end > _LONGEST:
        raise InputError(f"{name} lasts {end / 3600:.1f} hours; the longest that is played is one.")
    return notes


def _track_notes(track: Any, program: int | None) -> list[_Note]:
    own = track.program if program is None or track.is_drum else program
    pedals = [(pedal.time, pedal.time + pedal.duration) for pedal in track.pedals]
    loudness = {number: _steps(track.controls, number) for number in (7, 11)}
    notes = []
    for note in track.notes:
        end = note.time + note.duration
        end = max([end, *(up for down, up in pedals if down <= end < up)])
        gain = np.prod([_at(steps, note.time) for steps in loudness.values()])
        notes.append(
            _Note(
                program=own,
                drums=track.is_drum,
                key=note.pitch,
                velocity=note.velocity,
                start=max(0.0, note.time),
                seconds=max(_SHORTEST, end - note.time),
                gain=float(gain),
                bend=_bend(track.pitch_bends, note.time, end),
            )
        )
    return notes


def _steps(controls: Iterable[Any], number: int) -> list[tuple[float, float]]:
    """Gains of a volume controller and when they begin; a controller of 127 leaves all as is."""
    return [(c.time, (c.value / 127) ** 2) for c in controls if c.number == number]


def _at(steps: list[tuple[float, float]], time: float) -> float:
    return next((gain for begin, gain in reversed(steps) if begin <= time + 1e-6), 1.0)


def _bend(bends: Iterable[Any], start: float, end: float) -> np.ndarray | None:
    """Pitch wheel during a note, in semitones, one value a sample; None where it is at rest."""
    times = [bend.time for bend in bends]
    values = [bend.value * _BEND_RANGE for bend in bends]
    first = int(np.searchsorted(times, start, "right"))
    last = int(np.searchsorted(times, end))
    steps = [*values[max(0, first - 1) : first], *values[first:last]]
    if not any(steps):
        return None
    n = round((end - start) * sf.RATE)
    places = np.searchsorted(times[first:last], start + np.arange(n) / sf.RATE, "right")
    return np.array([values[first - 1] if first else 0.0, *values[first:last]])[places]


def _mix(
    font: sf.SoundFont, notes: list[_Note], offset: float, duration: float | None
) -> np.ndarray:
    """Add up the sounds of the notes between two times, at the SoundFont's rate."""
    start = round(offset * sf.RATE)
    silence = max(note.start + note.seconds for note in notes) + sf.LONGEST_RELEASE
    end = round(silence * sf.RATE) + 1 if duration is None else start + round(duration * sf.RATE)
    heard = [note for note in notes if _overlaps(note, start, end)]
    y, last = np.zeros(max(0, end - start), np.float32), start
    # Music repeats itself: notes that are the same are made once, and put in every place.
    for (*what, drums, _), same in groupby(sorted(heard, key=_kind), key=_kind):
        copies = list(same)
        sound = font.note(*what, drums=drums, bend=copies[0].bend)
        for note in copies:
            first = round(note.start * sf.RATE)
            last = max(last, first + sound.size)
            place = slice(max(0, first - start), max(0, first + sound.size - start))
            skip = max(0, start - first)
            y[place] += note.gain * sound[skip : skip + y[place].size]
    return y[: last - start]


def _overlaps(note: _Note, start: int, end: int) -> bool:
    silent_from = (note.start + note.seconds + sf.LONGEST_RELEASE) * sf.RATE
    return round(note.start * sf.RATE) < end and silent_from > start


def _kind(note: _Note) -> tuple:
    """Give what makes two notes sound the same, in a form that can be sorted."""
    bend = b"" if note.bend is None else note.bend.tobytes()
    return note.program, note.key, note.velocity, round(note.seconds, 3), note.drums, bend


def _resample(y: np.ndarray, sr: int) -> np.ndarray:
    if sr == sf.RATE or y.size == 0:
        return y
    import librosa

    return librosa.resample(y, orig_sr=sf.RATE, target_sr=sr)
