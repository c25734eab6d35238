"""The Free Spoken Digit Dataset: the digits 0 to 9, fifty times by each of six speakers."""

import re
from pathlib import Path

from ..errors import InputError
from ..settings import data_dir
from ._table import fault, visible
from .catalogue import Dataset, Entry

WORDS = tuple("zero one two three four five six seven eight nine".split())
_PLACES = ("fsdd/recordings", "free-spoken-digit-dataset/recordings")  # below AUDIOSTYLE_DATA
_NAME = re.compile(r"([0-9])_([^_]+)_([0-9]+)")  # digit, speaker, take

ENTRY = Entry(
    name="fsdd",
    title="Free Spoken Digit Dataset: single digits, by six speakers",
    licence="CC BY-SA 4.0",
    source="https://github.com/Jakobovski/free-spoken-digit-dataset",
    size="3,000 recordings, 500 a speaker, half a second each; 8 kHz, mono; 21 MB",
    citation="Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite (2018). Free Spoken "
    "Digit Dataset, version 1.0.8",
    chapters=("04_ctc_transcription", "05_melgan_vc"),
    kind="own copy",
)


def find() -> Dataset | None:
    """Find the recordings below AUDIOSTYLE_DATA.

    Returns
    -------
    Dataset or None
        As `load` gives it; None where AUDIOSTYLE_DATA is not set or has no such folder.

    Raises
    ------
    InputError
        AUDIOSTYLE_DATA is no folder, or the copy holds no recordings.

    Chapter
    -------
    04_ctc_transcription
    """
    data = data_dir()
    roots = [data / place for place in _PLACES if (data / place).is_dir()] if data else []
    return _dataset(roots[0]) if roots else None


def load() -> Dataset:
    """Find the recordings: in ``fsdd/recordings`` below AUDIOSTYLE_DATA.

    Returns
    -------
    Dataset
        Files "7_george_0" and so on: digit, speaker, take. ``labels`` has four entries for each:
        ``"text"`` ("seven"), ``"digit"`` (7), ``"speaker"`` ("george") and ``"take"`` (0).
        ``skipped`` names empty files, and those whose names say no digit, speaker and take.

    Raises
    ------
    InputError
        There is no copy, or it holds no recordings.

    Chapter
    -------
    04_ctc_transcription
    """
    found = find()
    if found is None:
        raise InputError(
            f"{ENTRY.name} is not here, and it is never downloaded. Get {ENTRY.source}, name its "
            f"folder {ENTRY.name}, and set AUDIOSTYLE_DATA to the folder around that."
        )
    return found


def _dataset(root: Path) -> Dataset:
    labels: dict[str, dict[str, object]] = {}
    skipped: dict[str, str] = {}
    recordings = {path.stem: path for path in visible(root, ".wav")}
    for name, path in recordings.items():
        match = _NAME.fullmatch(name)
        reason = fault(path)
        if match is None:
            reason = f"{path} is not named as 7_george_0.wav is: digit, speaker, take."
        if reason:
            skipped[path.name] = reason
        else:
            labels[name] = _label(match)
    if not labels:
        raise InputError(
            f"{root} holds no recordings named as 7_george_0.wav is. Copy them again, or move the "
            "folder away."
        )
    labels = dict(sorted(labels.items(), key=lambda item: tuple(item[1].values())[1:]))
    files = {name: recordings[name] for name in labels}
    return Dataset(ENTRY.name, ENTRY, root, files, labels, skipped)


def _label(match: re.Match) -> dict[str, object]:
    digit = int(match[1])
    return {"text": WORDS[digit], "digit": digit, "speaker": match[2], "take": int(match[3])}
