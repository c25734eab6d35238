"""Find and open a score, whatever it is: a file, a work of music21's corpus, a stream."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

from audiostyle_utils.errors import InputError

MIDI_SUFFIXES = frozenset((".mid", ".midi"))
SUFFIXES = MIDI_SUFFIXES | {".xml", ".musicxml", ".mxl", ".krn", ".abc"}
_META, _SYSEX = 0xFF, (0xF0, 0xF7)  # events of a MIDI file that hold their own length
# Bytes of a file. music21 takes minutes and gigabytes for more.
_LARGEST_MIDI, _LARGEST_TEXT = 4_000_000, 20_000_000


def opened(score: Any) -> Any:
    """Give any score as a symusic score if it is a MIDI file, else as a music21 stream."""
    if isinstance(score, bytes):
        return symusic_score(score, name_of(score))
    if is_stream(score):
        return _one(score, name_of(score))
    path = path_of(score)
    if path is None:
        return corpus_stream(score)
    if path.suffix.lower() in MIDI_SUFFIXES:
        return symusic_score(midi_bytes(path), str(path))
    return parsed(path)


def midi_of(score: Any) -> bytes:
    """Give any score as the bytes of a MIDI file."""
    if isinstance(score, bytes):
        return score
    if is_stream(score):
        return _midi_of_stream(_one(score, name_of(score)), name_of(score))
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
            "path of a MIDI, MusicXML or ABC file, the content of a MIDI file as bytes, a music21 "
            "stream or a Piece."
        )
    if not str(score).strip():
        raise InputError("The path of the score is empty; give a MIDI, MusicXML or ABC file.")
    if "://" in str(score):
        raise InputError(f"{score[:80]!r} is an address; download the file, and give its path.")
    try:
        path = Path(score).expanduser()
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, RuntimeError) as error:
        raise InputError(f"{str(score)[:80]!r} is no path that can be opened: {error}.") from error
    named = isinstance(score, Path) or path.suffix.lower() in MIDI_SUFFIXES
    if not (is_file or is_folder or named):
        return None
    if not is_file:
        what = "is a folder" if is_folder else "does not exist"
        raise InputError(f"{path} {what}; give the path of a MIDI, MusicXML or ABC file.")
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
        _check_size(path, path.stat().st_size, _LARGEST_MIDI)
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _check_size(path: Path, size: int, largest: int) -> None:
    if not size:
        raise InputError(f"{path} is empty; give a file with music in it.")
    if size > largest:
        raise InputError(
            f"{path} has {size / 1e6:.1f} MB; the largest file of its kind that is read has "
            f"{largest / 1e6:g} MB. Split it into movements, or leave parts out."
        )


def symusic_score(midi: bytes, name: str) -> Any:
    """Read the bytes of a MIDI file with symusic."""
    from symusic import Score

    try:
        check_midi(midi)
        score = Score.from_midi(midi)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{name} is not a readable MIDI file: {error}") from error
    # A length of zero is no tempo, and symusic would divide by it.
    score.tempos = [tempo for tempo in score.tempos if tempo.mspq > 0]
    return score


def parsed(path: Path) -> Any:
    """Read a file with music21."""
    from music21 import converter

    _check_size(path, _unpacked(path), _LARGEST_TEXT)
    try:
        if path.suffix.lower() == ".abc":
            stream = converter.parseData(_text(path), format="abc")
        else:
            stream = converter.parse(path, forceSource=True)
    except Exception as error:  # each of music21's readers raises its own classes
        raise InputError(
            f"{path} is not a readable score: check that it is complete, and of the kind that its "
            f"name says. (music21: {error})"
        ) from error
    return _one(stream, str(path))


def _unpacked(path: Path) -> int:
    """Return how many bytes there are to read: .mxl is a .zip file."""
    try:
        if path.suffix.lower() == ".mxl" and is_zipfile(path):
            with ZipFile(path) as packed:
                return sum(member.file_size for member in packed.infolist())
        return path.stat().st_size
    except (OSError, BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _text(path: Path) -> str:
    """Read a text in UTF-8, or in Latin-1, as the older tune books are."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def corpus_stream(name: str) -> Any:
    """Read a work of music21's corpus."""
    from music21 import corpus

    root = Path(corpus.__file__).parent
    works = {path.relative_to(root).as_posix(): path for path in corpus.getCorePaths()}
    wanted = f"/{name.casefold()}"
    found = [
        path
        for work, path in works.items()
        if f"/{work.casefold()}".endswith((wanted, f"{wanted}{path.suffix}"))
    ]
    if len({path.with_suffix("") for path in found}) != 1:
        known = [work.removesuffix(path.suffix) for work, path in works.items()]
        raise InputError(
            f"There is no file and no work in music21's corpus called {name[:80]!r}."
            f"{close(name[:80], known)}"
        )
    return parsed(found[0])


def check_midi(midi: bytes) -> None:
    """Refuse what is no sound MIDI file.

    symusic reads and writes beyond its memory where lengths or data bytes are wrong, so that
    Python itself dies; it must not see such files.
    """
    if midi[:8] != b"MThd\0\0\0\6" or len(midi) < 14:
        raise InputError("it does not begin as MIDI files do.")
    kind, tracks, division = (int.from_bytes(midi[k : k + 2], "big") for k in (8, 10, 12))
    if kind > 1:
        raise InputError(f"it is of type {kind}; types 0 and 1 hold one piece of music.")
    if not 0 < division < 0x8000:
        raise InputError("it does not count time in parts of a quarter note; save it so.")
    place = 14
    while tracks:
        size = int.from_bytes(midi[place + 4 : place + 8], "big")
        if place + 8 + size > len(midi):
            raise InputError("it breaks off; get a complete copy of it.")
        if midi[place : place + 4] == b"MTrk":
            _check_track(midi[place + 8 : place + 8 + size])
            tracks -= 1
        place += 8 + size


def _check_track(track: bytes) -> None:
    """Walk through the events of a track, each a wait, a status unless it is the last, and data."""
    place = ticks = running = 0
    try:
        while place < len(track):
            wait, place = _number(track, place)
            ticks += wait
            status = track[place]
            if status < 128:
                status = running
            elif status != _META:
                running = 0 if status in _SYSEX else status
            place = _behind(track, place + (track[place] > 127), status)
    except IndexError:
        place = len(track) + 1
    if place > len(track) or ticks >= 1 << 31:
        raise InputError("one of its tracks is damaged; get a sound copy of it.")


def _behind(track: bytes, place: int, status: int) -> int:
    """Return the place behind an event's data; beyond the track's end if they are unsound."""
    if status in (_META, *_SYSEX):
        size, place = _number(track, place + (status == _META))
        return place + size
    size = 1 if status >> 5 == 0b110 else 2  # one for a change of program and for pressure
    sound = 127 < status < 0xF0 and max(track[place : place + size], default=0) < 128
    return place + size if sound else len(track) + 1


def _number(track: bytes, place: int) -> tuple[int, int]:
    """Read a number of one to four bytes: its value, and the place behind it."""
    value = 0
    for end in range(place + 1, place + 5):
        value = value << 7 | track[end - 1] & 127
        if track[end - 1] < 128:
            return value, end
    raise IndexError("a number of more than four bytes")


def close(wanted: str, names: Iterable[str]) -> str:
    """Say which names are near a wrong one, or nothing."""
    from difflib import get_close_matches

    spelling = {name.casefold(): name for name in names}
    near = get_close_matches(wanted.casefold(), spelling, n=3, cutoff=0.5)
    near = near or [name for name in spelling if wanted.casefold() in name][:3]
    return f" Did you mean {', '.join(spelling[name] for name in near)}?" if near else ""


def _one(stream: Any, name: str) -> Any:
    """Refuse a book of tunes: as one score, they would sound all at once."""
    tunes = list(stream.scores) if "Opus" in stream.classSet else []
    if len(tunes) > 1:
        raise InputError(
            f"{name} holds {len(tunes)} tunes; give one of them, "
            "music21.converter.parse(path).scores[0] for the first."
        )
    return tunes[0] if tunes else stream


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
