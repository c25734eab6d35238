"""From a `Piece` to a MIDI file."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from audiostyle_utils.errors import InputError

from ._sources import MIDI_SUFFIXES
from .pieces import DRUMS, STEPS, Piece
from .reading import read

_TICKS = 480  # a quarter note, as most programs have it; 20 a step
_VELOCITY = 90


def to_midi(piece: Piece) -> bytes:
    """Write a piece as a MIDI file.

    Parameters
    ----------
    piece : Piece
        The music.

    Returns
    -------
    bytes
        The content of a MIDI file of type 1 with 480 ticks a quarter note. `read` reads it as the
        same piece again. All notes are of one loudness.

    Chapter
    -------
    03_lstm_music
    """
    from symusic import Note, Score, Tempo, TimeSignature, Track

    tick = _TICKS // STEPS
    score = Score(_TICKS)
    for meter in piece.meters:
        score.time_signatures.append(TimeSignature(meter.onset * tick, meter.count, meter.unit))
    for tempo in piece.tempos:
        score.tempos.append(Tempo(tempo.onset * tick, tempo.bpm))
    tracks = [Track(f"Part {k + 1}", p % DRUMS, p == DRUMS) for k, p in enumerate(piece.parts)]
    for note in piece.notes:
        tracks[note.part].notes.append(
            Note(note.onset * tick, note.length * tick, note.pitch, _VELOCITY)
        )
    for track in tracks:
        score.tracks.append(track)
    return score.dumps_midi()


def save_midi(score: Any, path: str | os.PathLike) -> Path:
    """Save a score as a MIDI file, in one step.

    Parameters
    ----------
    score : Piece, or whatever `read` takes
        The music, such as a music21 stream. music21's own ``write`` is slow for long scores, and
        loses ties of chords where a part has several voices.
    path : str or path
        Where; it ends in .mid or .midi.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        The path has another ending or cannot be written, or the score cannot be read.

    Chapter
    -------
    03_lstm_music
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in MIDI_SUFFIXES:
        raise InputError(f"{target} does not end in .mid; name a MIDI file.")
    piece = score if isinstance(score, Piece) else read(score, drums=True)
    temporary = target.with_name(f".{uuid4().hex}")
    try:
        temporary.write_bytes(to_midi(piece))
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target
