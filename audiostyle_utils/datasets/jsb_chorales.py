"""JSB Chorales: Bach's chorales on a grid of sixteenths, with the split that papers report on."""

import json
import tempfile
from itertools import groupby
from pathlib import Path

from .. import _kept
from ..errors import InputError
from ..scores import STEPS, Note, make_piece, save_midi
from ..settings import cache_dir, data_dir
from .catalogue import Dataset, Entry
from .fetch import download

PARTS = ("train", "valid", "test")
_FILE = "Jsb16thSeparated.json"
_ADDRESS = (
    "https://raw.githubusercontent.com/czhuang/JSB-Chorales-dataset/"
    f"9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d/{_FILE}"
)
_SUM = "79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7"
_FRAME = STEPS // 4  # a sixteenth
_VOICES = 4
_VERSION = 1  # of the MIDI files; they are made anew when it changes

ENTRY = Entry(
    name="jsb_chorales",
    title="JSB Chorales: four-part chorales with the usual split",
    licence="Compositions in the public domain; the file names no licence",
    source="https://github.com/czhuang/JSB-Chorales-dataset",
    size="382 chorales: 229 to train, 76 to validate, 77 to test; 1.7 MB to download",
    citation="N. Boulanger-Lewandowski, Y. Bengio, P. Vincent (2012). Modeling temporal "
    "dependencies in high-dimensional sequences: application to polyphonic music generation and "
    "transcription. ICML. The four voices apart: C.-Z. A. Huang, T. Cooijmans, A. Roberts, "
    "A. Courville, D. Eck (2017). Counterpoint by convolution. ISMIR",
    chapters=("03_lstm_music",),
    kind="download",
    checksums={_FILE: _SUM},
)


def find() -> Dataset | None:
    """Find the chorales on this computer.

    Returns
    -------
    Dataset or None
        As `load`; None where they are neither in the reader's copy nor in the cache.

    Raises
    ------
    InputError
        The reader's own copy is damaged, or the cache cannot be written.

    Chapter
    -------
    03_lstm_music
    """
    data = data_dir()
    own = data / ENTRY.name / _FILE if data else None
    if own is not None and own.is_file():
        return _made(own)
    root = _root(_SUM)
    return _dataset(root) if root.is_dir() else None


def load() -> Dataset:
    """Find the chorales, or download them, and write each as a MIDI file.

    The source has four pitches for each sixteenth. It does not tell a note that is held from one
    that is struck again: here, the same pitch in neighbouring sixteenths is one note. It has no
    meters and no tempi either: here, all is in 4/4, from the first beat on. Your own copy of
    Jsb16thSeparated.json is found in the folder ``jsb_chorales`` below AUDIOSTYLE_DATA.

    Returns
    -------
    Dataset
        MIDI files "train.000" to "test.076", each of four parts, soprano to bass. ``labels`` has
        for each ``"part"``: "train", "valid" or "test".

    Raises
    ------
    InputError
        The reader's own copy is damaged, the cache cannot be written, or the download is not
        possible or not allowed.

    Chapter
    -------
    03_lstm_music
    """
    found = find()
    if found is not None:
        return found
    return _made(download(_ADDRESS, _SUM, cache_dir() / f"{ENTRY.name}-download" / _FILE))


def _root(content: str) -> Path:
    """Name the folder of MIDI files by what they depend on."""
    return cache_dir() / f"{ENTRY.name}-{_VERSION}-{content[:16]}"


def _made(source: Path) -> Dataset:
    """Give the chorales of a source; they are written if they have not been yet."""
    content = _kept.content_sum(source)
    if content is None:
        raise InputError(f"{source} cannot be read; check who may read it.")
    root = _root(content)
    if not root.is_dir():
        _write(source, root)
    return _dataset(root)


def _dataset(root: Path) -> Dataset:
    files = {path.stem: path for part in PARTS for path in sorted(root.glob(f"{part}.*.mid"))}
    labels = {name: {"part": name.partition(".")[0]} for name in files}
    return Dataset(ENTRY.name, ENTRY, root, files, labels)


def _write(source: Path, root: Path) -> None:
    """Write all chorales as MIDI files; the folder appears with all of them or not at all."""
    try:
        chorales = json.loads(source.read_text(encoding="utf-8"))
        pieces = {
            f"{part}.{number:03}": make_piece(_notes(frames), [0] * _VOICES)
            for part in PARTS
            for number, frames in enumerate(chorales[part])
        }
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"{source} is damaged ({error}); download it again.") from error
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=".making-") as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            for name, piece in pieces.items():
                save_midi(piece, made / f"{name}.mid")
            made.rename(root)
    except OSError as error:
        if not root.is_dir():  # else another process was quicker
            raise InputError(f"The cache {root} cannot be written: {error}.") from error


def _notes(frames: list[list[int]]) -> list[Note]:
    """Join the frames of one pitch to a note, in each voice; silence is -1."""
    notes = []
    for voice in range(_VOICES):
        start = 0
        for pitch, same in groupby(frame[voice] for frame in frames):
            length = _FRAME * len(list(same))
            if pitch >= 0:
                notes.append(Note(start, length, pitch, voice))
            start += length
    return notes
