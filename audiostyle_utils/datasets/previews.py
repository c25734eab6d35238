"""What each chapter will have made by its end, to be heard at its beginning."""

from pathlib import Path

from ..errors import InputError
from .catalogue import Dataset, Entry

ROOT = Path(__file__).parent / "previews"

ENTRY = Entry(
    name="previews",
    title="What each chapter makes, to hear before one begins",
    licence="CC BY 4.0, as the book's prose and figures; the sentence of CMU ARCTIC is copyright "
    "2003 Carnegie Mellon University, free for any use with this notice",
    source="Chapter 1's transfer_style with alpha 0.1; a tape of four songs of the band for "
    "chapter 2; a fiddle tune continued by chapter 3; three test sentences of the set spoken, not "
    "changed, for chapter 4; a sentence of CMU ARCTIC, ten seconds of the band and chapter 5's "
    "translate_audio for chapter 5; the built-in quartet and chapter 7's "
    "translations of it; all by book/_tools/previews.py, but for three sounds of "
    "benchmarks/05_melgan_vc.py",
    size="One MP3 for each of chapters 1 to 4 and 7, six for chapter 5, 16 to 120 kB each",
    citation="The audio-style book",
    chapters=(
        "01_style_transfer",
        "02_genre_cnn",
        "03_lstm_music",
        "04_ctc_transcription",
        "05_melgan_vc",
        "07_music_translation",
    ),
    kind="built-in",
)


def find() -> Dataset | None:
    """Find the previews beside this module.

    Returns
    -------
    Dataset or None
        The files by name, which begins with the chapter's; None where the package was installed
        without.

    Chapter
    -------
    01_style_transfer
    """
    files = {path.stem: path for path in sorted(ROOT.glob("*.mp3"))}
    return Dataset(ENTRY.name, ENTRY, ROOT, files) if files else None


def load() -> Dataset:
    """Give the previews.

    Returns
    -------
    Dataset
        As `find`.

    Raises
    ------
    InputError
        The package was installed without them.

    Chapter
    -------
    01_style_transfer
    """
    found = find()
    if found is None:
        raise InputError(f"{ROOT} holds no MP3 files: install the package again.")
    return found
