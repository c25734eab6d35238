"""Four short clips of very different sound, made on this computer: no download, no licence fee."""

import hashlib
import json
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from .. import audio, scores, speech
from ..errors import InputError
from ..settings import cache_dir
from .catalogue import Dataset, Entry, own_copy

SR = 22050
SECONDS = 10.0
LEVEL = 0.1  # root mean square: -20 dBFS, so that no clip is louder than another
_FADE = 0.05  # seconds: a sound that stops at once ends in a click
_VERSION = 2  # of the rules below; the cache is made anew when it changes
_MADE_WITH = ("music21", "pretty_midi", "espeakng-loader")

_SCORES = {
    # From D minor to F minor, the relative key of the rag's A flat major: both share their notes.
    "chorale": {
        "score": "bach/bwv244.54",
        "instrument": "Church Organ",
        "tempo": 72,
        "transpose": 3,
    },
    "rag": {"score": "joplin/maple_leaf_rag", "instrument": "Acoustic Grand Piano", "tempo": 90},
    "harp": {
        "score": "mozart/k545/movement1_exposition",
        "instrument": "Orchestral Harp",
        "tempo": 120,
    },
}
_SPEECH = {
    "speech": {
        "text": "Four score and seven years ago our fathers brought forth on this continent, "
        "a new nation, conceived in Liberty, and dedicated to the proposition that all men are "
        "created equal.",
        "voice": "en-us",
        "rate": 170,
    }
}
_FILES = {name: f"{name}.flac" for name in [*_SCORES, *_SPEECH]}

ENTRY = Entry(
    name="style_clips",
    title="Organ chorale, piano rag, harp sonata, spoken sentence",
    licence="Compositions and text in the public domain; the recordings are made on your computer",
    source="Rendered from scores of music21's corpus, and spoken by espeak-ng",
    size="4 clips of 10 s, 22.05 kHz, mono; about 3 MB",
    citation="J. S. Bach, BWV 244 no. 54 (in F minor); S. Joplin, Maple Leaf Rag (1899); "
    "W. A. Mozart, K. 545; "
    "A. Lincoln, Gettysburg Address (1863)",
    chapters=("01_style_transfer",),
    kind="built-in",
)


def find() -> Dataset | None:
    """Find the clips on this computer.

    Returns
    -------
    Dataset or None
        None where they have not been made yet.

    Raises
    ------
    InputError
        Your own copy lacks some of the files.

    Chapter
    -------
    01_style_transfer
    """
    own = own_copy(ENTRY, ENTRY.name, _FILES)
    if own is not None:
        return own
    dataset = _cached(_folder())
    return dataset if all(path.is_file() for path in dataset.files.values()) else None


def load() -> Dataset:
    """Find the clips, or make them: a few seconds, once.

    Returns
    -------
    Dataset
        Files "chorale", "rag", "harp" and "speech".

    Raises
    ------
    InputError
        Your own copy lacks some of the files, or the cache cannot be written.

    Chapter
    -------
    01_style_transfer
    """
    found = find()
    if found is not None:
        return found
    dataset = _cached(_folder())
    try:
        dataset.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The cache {dataset.root} cannot be made: {error.strerror}. "
            "Set AUDIOSTYLE_CACHE to a folder that you may write to."
        ) from error
    for name, path in dataset.files.items():
        if not path.is_file():
            # Two processes may do this at once: each file is the same and appears whole.
            audio.save(path, _clip(name), SR)
    return dataset


def _folder() -> Path:
    """Name a folder by what the clips depend on, so that none is ever out of date."""
    packages = {package: version(package) for package in _MADE_WITH}
    made_from = [_VERSION, SR, SECONDS, LEVEL, _SCORES, _SPEECH, packages]
    key = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir() / f"{ENTRY.name}-{key}"


def _cached(root: Path) -> Dataset:
    files = {name: root / file for name, file in _FILES.items()}
    return Dataset(ENTRY.name, ENTRY, root, files)


def _clip(name: str) -> np.ndarray:
    """Make one clip of exact length and level."""
    from scipy.signal import butter, sosfilt

    n, fade = round(SECONDS * SR), round(_FADE * SR)
    if name in _SCORES:
        make = partial(scores.render, duration=SECONDS, sr=SR, **_SCORES[name])
    else:
        make = partial(speech.speak, sr=SR, **_SPEECH[name])
    y, _ = make()
    y = np.pad(y[:n], (0, max(0, n - y.size)))
    # Some recordings of the SoundFont are not centred on zero: keep what can be heard.
    y = sosfilt(butter(2, 20, "highpass", fs=SR, output="sos"), y).astype(np.float32)
    y[-fade:] *= np.linspace(1, 0, fade, dtype=y.dtype)
    return y * (LEVEL / np.sqrt(np.mean(y**2)))
