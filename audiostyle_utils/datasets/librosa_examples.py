"""Freely licensed recordings that librosa's documentation is illustrated with."""

from ..settings import cache_dir
from .catalogue import Dataset, Entry, own_copy
from .fetch import download

_ADDRESS = "https://librosa.org/data/audio/"
_FOLDER = "librosa"

_FILES = {
    "trumpet": "sorohanro_-_solo-trumpet-06.ogg",
    "brahms": "Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor_(string_orchestra).ogg",
    "nutcracker": "Kevin_MacLeod_-_P_I_Tchaikovsky_Dance_of_the_Sugar_Plum_Fairy.ogg",
    "vibeace": "Kevin_MacLeod_-_Vibe_Ace.ogg",
    "choice": "admiralbob77_-_Choice_-_Drum-bass.ogg",
    "libri1": "5703-47212-0000.ogg",
}
# The sums that librosa publishes in its own registry.
_SUMS = {
    "trumpet": "8374466fd3951d24509da6e799b132a0db0bdeda69d99c69d989a6888d3d727d",
    "brahms": "919b48aa4cc66a0357d2cd5728664c5ab8f15c4b3469460df4b59470d35d3e49",
    "nutcracker": "b5c1a3e26310e6618d3c124f458654cd235650fcb9db7d711302644566600484",
    "vibeace": "6c23aed3dd5aa57f2b1652ecab68d15d9b82ad257f54e639eb2880ca09bc118a",
    "choice": "ac644f9645e7c15174e4a4f8561e4d1448d7f6e59ff6b0556b310ebbced879bc",
    "libri1": "a284612b46af0535f7e1873758c4387bb8369f6dbbe192ffdec1f171108f98dd",
}

ENTRY = Entry(
    name="librosa_examples",
    title="Trumpet loop, string orchestra, celesta, vibraphone, drums and bass, read English",
    licence="CC BY 3.0 (trumpet, nutcracker, vibeace); CC BY 4.0 (libri1); public domain (brahms); "
    "CC BY-NC (choice: its notice names versions 3.0 and 4.0)",
    source=_ADDRESS,
    size="6 recordings, 22.05 kHz, mono, Ogg Vorbis; 1.5 MB",
    citation="Mihai Sorohan, Jazz Trumpet Loops Pack (trumpet); US Army Strings, Hungarian Dance "
    "no. 5 by J. Brahms (brahms); Kevin MacLeod, Dance of the Sugar Plum Fairy by P. Tchaikovsky "
    "(nutcracker) and Vibe Ace (vibeace); Admiral Bob featuring Snowflake, Choice, drum and bass "
    "tracks (choice); Garth Comira for LibriSpeech, Ashiel Mystery (libri1)",
    chapters=("01_style_transfer",),
    kind="download",
    checksums={_FILES[name]: _SUMS[name] for name in _FILES},
)


def find() -> Dataset | None:
    """Find the recordings on this computer.

    Returns
    -------
    Dataset or None
        None where some are neither in the reader's copy nor in the cache.

    Raises
    ------
    InputError
        The reader's own copy is incomplete.

    Chapter
    -------
    01_style_transfer
    """
    own = own_copy(ENTRY, _FOLDER, _FILES)
    if own is not None:
        return own
    root = cache_dir() / ENTRY.name
    files = {name: root / file for name, file in _FILES.items()}
    if not all(path.is_file() for path in files.values()):
        return None
    return Dataset(ENTRY.name, ENTRY, root, files)


def load() -> Dataset:
    """Find the recordings, or download those that the cache lacks.

    Returns
    -------
    Dataset
        Files "trumpet", "brahms", "nutcracker", "vibeace", "choice" and "libri1".

    Raises
    ------
    InputError
        The reader's own copy is incomplete, or the download is not possible or not allowed.

    Chapter
    -------
    01_style_transfer
    """
    own = own_copy(ENTRY, _FOLDER, _FILES)
    if own is not None:
        return own
    root = cache_dir() / ENTRY.name
    files = {
        name: download(_ADDRESS + file, _SUMS[name], root / file) for name, file in _FILES.items()
    }
    return Dataset(ENTRY.name, ENTRY, root, files)
