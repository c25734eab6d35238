"""CMU ARCTIC: some 1,130 sentences, each read by every speaker in a quiet studio."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..settings import data_dir
from ._table import pair, unheard, visible
from .catalogue import Dataset, Entry

SPEAKERS = ("bdl", "slt")
_FOLDER, _TEXTS = "cmu_us_{}_arctic", "etc/txt.done.data"
_SUFFIXES = (".wav", ".flac")
_LINE = re.compile(r'\(\s*(\S+)\s+"((?:[^"\\]|\\.)*)"\s*\)')  # ( arctic_a0001 "The words." )

ENTRY = Entry(
    name="cmu_arctic",
    title="CMU ARCTIC: the same sentences by several speakers, in studio quality",
    licence="Free for any use, with the notice of Carnegie Mellon University kept",
    source="http://festvox.org/cmu_arctic/: one archive a speaker",
    size="About 1,130 sentences, 50 minutes, a speaker; 16 kHz, mono",
    citation="J. Kominek, A. W. Black (2004). The CMU Arctic speech databases. ISCA Workshop on "
    "Speech Synthesis",
    chapters=("04_ctc_transcription", "05_melgan_vc"),
    kind="own copy",
)


def find(speakers: Sequence[str] = SPEAKERS) -> Dataset | None:
    """Find the recordings below AUDIOSTYLE_DATA.

    Parameters
    ----------
    speakers : sequence of str
        As for `load`.

    Returns
    -------
    Dataset or None
        As `load` gives it; None where AUDIOSTYLE_DATA is not set or has no folder cmu_arctic.

    Raises
    ------
    InputError
        AUDIOSTYLE_DATA is no folder, or the copy lacks a speaker, transcripts or recordings.

    Chapter
    -------
    04_ctc_transcription
    """
    data = data_dir()
    root = data / ENTRY.name if data else None
    return _dataset(root, speakers) if root and root.is_dir() else None


def load(speakers: Sequence[str] = SPEAKERS) -> Dataset:
    """Find the recordings of some speakers, and what they read.

    Your own copy has the official archives side by side: ``cmu_us_bdl_arctic`` and others in the
    folder ``cmu_arctic`` below AUDIOSTYLE_DATA, each with its ``wav`` and ``etc/txt.done.data``.

    Parameters
    ----------
    speakers : sequence of str
        Whose recordings: "bdl", a man, "slt", a woman, both from the United States, or others that
        you have.

    Returns
    -------
    Dataset
        Files "bdl/arctic_a0001" and so on, .wav or .flac. ``labels`` has three entries for each:
        ``"text"``, as it is printed (`speech.normalise_text` brings it to plain letters),
        ``"speaker"``, and ``"sentence"``, such as "a0001". All read the same sentences: split by
        these. ``skipped`` names empty files, doubles, sounds without a text and texts without a
        sound.

    Raises
    ------
    InputError
        There is no copy, or it lacks a speaker, transcripts or recordings.

    Chapter
    -------
    04_ctc_transcription
    """
    found = find(_checked(speakers))
    if found is None:
        raise InputError(
            f"{ENTRY.name} is not here, and it is never downloaded. Unpack the archives of "
            f"{', '.join(speakers)} from http://festvox.org/cmu_arctic/ into a folder "
            f"{ENTRY.name}, and set AUDIOSTYLE_DATA to the folder around that."
        )
    return found


def transcripts(text: str) -> dict[str, str]:
    r"""Read lines such as ``( arctic_a0001 "Author of the danger trail." )``.

    Parameters
    ----------
    text : str
        What is in a file txt.done.data. Other lines count for nothing.

    Returns
    -------
    dict
        The words by the name of the recording. In them, a mark behind a backslash is itself.

    Chapter
    -------
    04_ctc_transcription
    """
    matches = filter(None, (_LINE.fullmatch(line.strip()) for line in text.splitlines()))
    words = {match[1]: re.sub(r"\\(.)", r"\1", match[2]).strip() for match in matches}
    return {name: said for name, said in words.items() if said}


def _checked(speakers: Sequence[str]) -> Sequence[str]:
    listed = isinstance(speakers, list | tuple) and speakers
    if not listed or not all(isinstance(s, str) and re.fullmatch(r"\w+", s) for s in speakers):
        raise InputError(f'speakers is {speakers!r}; give a list such as ["bdl", "slt"].')
    return speakers


def _dataset(root: Path, speakers: Sequence[str]) -> Dataset:
    files: dict[str, Path] = {}
    labels: dict[str, dict[str, object]] = {}
    skipped: dict[str, str] = {}
    for speaker in dict.fromkeys(speakers):
        texts, source = _read_texts(root, speaker)
        recordings = visible(source.parents[1] / "wav", *_SUFFIXES)
        found, faults = pair(recordings, texts, source, root, "has no transcript in")
        faults |= unheard(recordings, texts, source, root)
        if not found:
            raise InputError(
                f"{source.parents[1]} holds no recordings that can be used"
                f"{_first(faults)} Unpack the archive of {speaker} again."
            )
        for name, path in found.items():
            files[f"{speaker}/{name}"] = path
            sentence = name.removeprefix("arctic_")
            labels[f"{speaker}/{name}"] = {
                "text": texts[name],
                "speaker": speaker,
                "sentence": sentence,
            }
        skipped |= faults
    return Dataset(ENTRY.name, ENTRY, root, files, labels, skipped)


def _first(faults: dict[str, str]) -> str:
    return f": {next(iter(faults.values()))}" if faults else "."


def _read_texts(root: Path, speaker: str) -> tuple[dict[str, str], Path]:
    """Return the transcripts of a speaker, and their file."""
    folder = root / _FOLDER.format(speaker)
    source = folder / _TEXTS
    if not source.is_file() or not (folder / "wav").is_dir():
        others = sorted(path.name for path in root.glob(_FOLDER.format("*")) if path.is_dir())
        raise InputError(
            f"Your copy of {ENTRY.name} lacks {folder / 'wav'} or {source}; "
            f"{root} has {', '.join(others) or 'no such folders'}. Unpack the archive of {speaker} "
            "there, or name other speakers."
        )
    try:
        return transcripts(source.read_text(encoding="utf-8", errors="replace")), source
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror or error}.") from error
