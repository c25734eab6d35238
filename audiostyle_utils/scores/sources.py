"""Find and open a score, whatever it is: a file, a work of music21's corpus, a stream."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from audiostyle_utils.errors import InputError

MIDI_SUFFIXES = {".mid", ".midi"}
SUFFIXES = MIDI_SUFFIXES | {".xml", ".musicxml", ".mxl", ".krn", ".abc"}


def midi_of(score: Any) -> bytes:
    """Give any score as the bytes of a MIDI file."""
    if is_stream(score):
        return _midi_of_stream(score, "the score")
    path = path_of(score)
    if path is None:
        return _midi_of_corpus(score)
    if path.suffix.lower() in MIDI_SUFFIXES:
        return midi_bytes(path)
    return _midi_of_stream(parsed(path), str(path))


def is_stream(score: Any) -> bool:
    """Tell whether it is a music21 stream, without importing music21."""
    return hasattr(score, "recurse")


def path_of(score: Any) -> Path | None:
    """Give the file that is meant; None where it is the name of a work in music21's corpus."""
    if not isinstance(score, str | Path):
        raise InputError(
            f"score is a {type(score).__name__}; give the name of a work in music21's corpus, the "
            "path of a MIDI or MusicXML file, or a music21 stream."
        )
    path = Path(score).expanduser()
    if not (path.is_file() or isinstance(score, Path) or path.suffix.lower() in MIDI_SUFFIXES):
        return None
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"{path} {what}; give the path of a MIDI or MusicXML file.")
    if path.suffix.lower() not in SUFFIXES:
        known = " ".join(sorted(SUFFIXES))
        raise InputError(f"{path} is not a score that can be read; the formats are {known}.")
    return path


def name_of(score: Any) -> str:
    """Call a score by its name or path in messages."""
    return str(score) if isinstance(score, str | Path) else "the score"


def midi_bytes(path: Path) -> bytes:
    """Read a MIDI file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def symusic_score(midi: bytes, name: str) -> Any:
    """Read the bytes of a MIDI file with symusic."""
    from symusic import Score

    try:
        return Score.from_midi(midi)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{name} is not a readable MIDI file: {error}") from error


def parsed(path: Path) -> Any:
    """Read a file with music21."""
    from music21 import converter

    try:
        return converter.parse(path, forceSource=True)
    except Exception as error:  # each of music21's readers raises its own classes
        raise InputError(f"{path} is not a readable score: {error}") from error


def corpus_stream(name: str) -> Any:
    """Read a work of music21's corpus."""
    from music21 import corpus

    try:
        # From the source, for music21's own cache is a pickle in a shared folder.
        return corpus.parse(name, forceSource=True)
    except corpus.CorpusException as error:
        root = Path(corpus.__file__).parent
        works = [
            path.relative_to(root).with_suffix("").as_posix() for path in corpus.getCorePaths()
        ]
        raise InputError(
            f"There is no file and no work in music21's corpus called {name!r}.{close(name, works)}"
        ) from error


def close(wanted: str, names: Iterable[str]) -> str:
    """Say which names are near a wrong one, or nothing."""
    from difflib import get_close_matches

    spelling = {name.casefold(): name for name in names}
    near = get_close_matches(wanted.casefold(), spelling, n=3, cutoff=0.5)
    near = near or [name for name in spelling if wanted.casefold() in name][:3]
    return f" Did you mean {', '.join(spelling[name] for name in near)}?" if near else ""


@lru_cache(maxsize=16)
def _midi_of_corpus(name: str) -> bytes:
    return _midi_of_stream(corpus_stream(name), name)


def _midi_of_stream(stream: Any, name: str) -> bytes:
    from music21 import midi
    from music21.exceptions21 import Music21Exception

    try:
        return midi.translate.streamToMidiFile(stream).writestr()
    except Music21Exception as error:
        raise InputError(f"{name} cannot be turned into MIDI: {error}") from error
