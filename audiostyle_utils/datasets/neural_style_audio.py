"""The clips that came with the first program for audio style transfer."""

from ..errors import InputError
from ..settings import data_dir
from .catalogue import Dataset, Entry, own_copy

_FOLDER = "music/neural_style_audio"
_NEEDED = {"imperial": "imperial.mp3", "usa": "usa.mp3"}

ENTRY = Entry(
    name="neural_style_audio",
    title="Content and style clips of the original audio style transfer program",
    licence="Excerpts of commercial recordings: for comparison on your own computer only",
    source="The inputs folder of the repository DmitryUlyanov/neural-style-audio-tf",
    size="Up to 10 s a clip, MP3; under 1 MB",
    citation="D. Ulyanov and V. Lebedev (2016). Audio texture synthesis and style transfer.",
    chapters=("01_style_transfer",),
    kind="own copy",
)


def find() -> Dataset | None:
    """Find the reader's copy.

    Returns
    -------
    Dataset or None
        Files "imperial", "usa" and those of the others that are there; None without a copy.

    Raises
    ------
    InputError
        The copy lacks one of the two.

    Chapter
    -------
    01_style_transfer
    """
    own = own_copy(ENTRY, _FOLDER, _NEEDED)
    if own is None:
        return None
    files = {path.stem: path for path in sorted(own.root.glob("*.mp3"))}
    return Dataset(own.name, own.entry, own.root, files)


def load() -> Dataset:
    """Find the reader's copy, or say where to put one: it is never downloaded.

    Returns
    -------
    Dataset
        As `find`.

    Raises
    ------
    InputError
        There is no copy, or it is incomplete.

    Chapter
    -------
    01_style_transfer
    """
    found = find()
    if found is not None:
        return found
    data = data_dir()
    place = f"{data / _FOLDER}" if data else f"a folder {_FOLDER} and set AUDIOSTYLE_DATA above it"
    raise InputError(
        f"{ENTRY.name} holds commercial excerpts, so it is never downloaded. To use it, put "
        f"{' and '.join(_NEEDED.values())} into {place}. They come from: {ENTRY.source}."
    )
