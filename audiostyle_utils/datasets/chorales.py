"""Four-part chorales by J. S. Bach, which music21 brings along."""

from . import _corpus
from .catalogue import Dataset, Entry

ENTRY = Entry(
    name="chorales",
    title="Four-part chorales by J. S. Bach",
    licence="Compositions in the public domain; the encodings are distributed with music21 by "
    "permission of those who made them",
    source="music21's corpus, folder bach; no download",
    size="365 chorales of soprano, alto, tenor and bass, MusicXML",
    citation="J. S. Bach; M. S. Cuthbert, C. Ariza (2010). music21: a toolkit for computer-aided "
    "musicology and symbolic music data. ISMIR",
    chapters=("03_lstm_music",),
    kind="built-in",
)


def find() -> Dataset:
    """Find the chorales, as `load` does.

    Returns
    -------
    Dataset
        As `load` gives it.

    Raises
    ------
    InputError
        music21 is installed without its corpus.

    Chapter
    -------
    03_lstm_music
    """
    return load()


def load() -> Dataset:
    """Find the chorales where music21 is installed.

    They are those of music21's files by Bach that have exactly four parts, each chorale in one
    format. Bach set many hymns several times: give all of a family to the same part of a split.

    Returns
    -------
    Dataset
        Files "bwv1.6" and so on, by number in the Bach-Werke-Verzeichnis. ``labels`` has for each
        ``"bwv"``, that number; ``"title"``, the first words of the hymn (None: music21's list of
        chorales does not say); ``"key"``, such as "A minor": the last note of the bass, minor or
        major by which third above it sounds longer in all; and ``"family"``, the first of the
        chorales on the same hymn tune, as `scores.families` finds them with these titles.

    Raises
    ------
    InputError
        music21 is installed without its corpus.

    Chapter
    -------
    03_lstm_music
    """
    root = _corpus.folder("bach")
    known = _corpus.labels(ENTRY.name)
    places = {name: root / facts["file"] for name, facts in known.items()}
    # Versions of music21 differ in a few files.
    files = {name: path for name, path in places.items() if path.is_file()}
    labels = {
        name: {
            "bwv": name.removeprefix("bwv"),
            **{what: known[name][what] for what in ("title", "key", "family")},
        }
        for name in files
    }
    return Dataset(ENTRY.name, ENTRY, root, files, labels)
