"""From a written score to sound: any MIDI file or music21 work, on any General MIDI instrument."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from audiostyle_utils import soundfont as sf
from audiostyle_utils.errors import InputError

from . import sources

_SHORTEST, _LONGEST = 1e-3, 3600.0  # seconds
_RATES = (4000, 192000)  # Hz
_BEND_RANGE = 2 / 8192  # semitones for one step of a MIDI pitch wheel
_PEAK = 0.9

# The 128 programs of General MIDI, level 1, sixteen families of eight.
_PROGRAMS = """
Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano,
Electric Piano 1, Electric Piano 2, Harpsichord, Clavinet,
Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone, Tubular Bells, Dulcimer,
Drawbar Organ, Percussive Organ, Rock Organ, Church Organ,
Reed Organ, Accordion, Harmonica, Tango Accordion,
Acoustic Guitar (nylon), Acoustic Guitar (steel), Electric Guitar (jazz), Electric Guitar (clean),
Electric Guitar (muted), Overdriven Guitar, Distortion Guitar, Guitar Harmonics,
Acoustic Bass, Electric Bass (finger), Electric Bass (pick), Fretless Bass,
Slap Bass 1, Slap Bass 2, Synth Bass 1, Synth Bass 2,
Violin, Viola, Cello, Contrabass,
Tremolo Strings, Pizzicato Strings, Orchestral Harp, Timpani,
String Ensemble 1, String Ensemble 2, Synth Strings 1, Synth Strings 2,
Choir Aahs, Voice Oohs, Synth Choir, Orchestra Hit,
Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section, Synth Brass 1, Synth Brass 2,
Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon, Clarinet,
Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle, Ocarina,
Lead 1 (square), Lead 2 (sawtooth), Lead 3 (calliope), Lead 4 (chiff),
Lead 5 (charang), Lead 6 (voice), Lead 7 (fifths), Lead 8 (bass + lead),
Pad 1 (new age), Pad 2 (warm), Pad 3 (polysynth), Pad 4 (choir),
Pad 5 (bowed), Pad 6 (metallic), Pad 7 (halo), Pad 8 (sweep),
FX 1 (rain), FX 2 (soundtrack), FX 3 (crystal), FX 4 (atmosphere),
FX 5 (brightness), FX 6 (goblins), FX 7 (echoes), FX 8 (sci-fi),
Sitar, Banjo, Shamisen, Koto, Kalimba, Bagpipe, Fiddle, Shanai,
Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom, Synth Drum, Reverse Cymbal,
Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet,
Telephone Ring, Helicopter, Applause, Gunshot
"""


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


def instruments() -> dict[str, int]:
    """List the General MIDI instruments.

    Returns
    -------
    dict
        128 names, each with its program number, 0 to 127.

    Chapter
    -------
    01_style_transfer
    """
    names = [name.strip() for name in _PROGRAMS.replace("\n", " ").split(",")]
    return {name: program for program, name in enumerate(names)}


def general_midi_font() -> Path:
    """Find the SoundFont with which scores are played unless another is named.

    Returns
    -------
    pathlib.Path
        The .sf2 file that the package pretty_midi carries; it holds the General MIDI instruments.

    Raises
    ------
    InputError
        pretty_midi is not installed, or holds no SoundFont.

    Chapter
    -------
    02_genre_cnn
    """
    # Found without importing pretty_midi, which would take longer than the rendering.
    spec = find_spec("pretty_midi")
    for folder in spec.submodule_search_locations if spec else ():
        for path in sorted(Path(folder).glob("*.sf2")):
            return path
    raise InputError(
        "The General MIDI SoundFont of the package pretty_midi is not installed. "
        "Install pretty_midi, or give soundfont= the path of an .sf2 file."
    )


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
    score : str, path or music21 stream
        The name of a work in music21's corpus ("bach/bwv66.6", "joplin/maple_leaf_rag"), the path
        of a MIDI, MusicXML, ABC or Humdrum file, or a music21 stream.
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
    notes = _transposed(
        _notes(sources.midi_of(score), program, tempo, sources.name_of(score)), transpose
    )
    y = _resample(_mix(font, notes, offset, duration), sr)
    peak = np.abs(y).max(initial=0.0)
    if peak < 1e-6:
        end = max(note.start + note.seconds for note in notes)
        raise InputError(
            f"Nothing sounds in {sources.name_of(score)} from {offset:g} s on: its last note ends at "
            f"{end:.1f} s. Choose a smaller offset or a longer duration."
        )
    return y * np.float32(_PEAK / peak), sr


def _check(sr: int, tempo: float | None, offset: float, duration: float | None) -> None:
    low, high = _RATES
    if isinstance(sr, bool) or not isinstance(sr, int | np.integer) or not low <= sr <= high:
        raise InputError(f"sr is {sr!r}; give a whole number of Hz from {low} to {high}.")
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
