"""Everyday sentences in many voices, spoken on this computer: no download, no licence fee.

What makes clips differ is stated here: who speaks, how fast and how high; a small room around one
half of them; noise in all; and how loud they are. No test voice and no test sentence is ever in
training, whatever the number of clips and the seed.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from random import Random
from zlib import crc32

import numpy as np

from .. import audio, speech
from .._checks import whole
from ..settings import cache_dir
from . import _made
from ._sentences import RULES, sentence
from .catalogue import Dataset, Entry

SR = 16000
CLIPS, _MOST_CLIPS, _MOST_SEED = 600, 100_000, 999_999
PARTS = ("training", "validation", "test")
# An accent, and one of the synthesiser's speakers; each of these speakers is in one part only.
VOICES = {
    "training": tuple(
        "en-us en-gb en-us+f1 en-gb+f2 en-us+f4 en-gb-x-rp+m1 en-us-nyc+m2 en-gb+m3 en-us+m4 "
        "en-gb-scotland+m5 en-us+m6 en-029+m8 en-gb+Annie en-us+adam en-gb-x-gbclan+shelby "
        "en-us-nyc+aunty en-gb-x-rp+robert en-gb-x-gbcwmd+steph en-us+max en-gb+Andrea "
        "en-us+david en-gb-x-rp+grandma en-us-nyc+grandpa en-gb+Alex en-us+Andy "
        "en-gb-scotland+Denis en-us+Diogo en-029+Gene en-gb+Henrique en-us+Hugo "
        "en-gb-x-gbclan+Jacky en-us-nyc+Lee en-gb-x-rp+Marco en-gb-x-gbcwmd+Mario "
        "en-us+Michael en-gb+Nguyen en-us+Reed en-gb-x-rp+antonio en-us-nyc+belinda "
        "en-gb+benjamin en-us+boris en-gb-scotland+caleb en-us+ed en-029+edward en-gb+gustave "
        "en-us+ian en-gb-x-gbclan+iven en-us-nyc+john en-gb-x-rp+linda en-gb-x-gbcwmd+marcelo "
        "en-us+michel en-gb+miguel en-us+norbert en-gb-x-rp+pablo en-us-nyc+paul en-gb+pedro "
        "en-us+rob en-gb-scotland+sandro en-us+travis en-029+zac".split()
    ),
    "validation": ("en-us+quincy", "en-gb+f5", "en-us-nyc+Mike", "en-gb-x-rp+Alicia"),
    "test": ("en-us+f3", "en-gb+m7", "en-us-nyc+anika", "en-gb-scotland+victor"),
}
# Of ten clips, eight train; and of ten possible sentences, eight may be said in training.
_TURNS = ("training",) * 8 + ("validation", "test")
_RATES, _PITCHES = (130, 200), (30, 70)  # words a minute; 50 is a voice's own height
_PAUSE = (0.1, 0.4)  # seconds of no speech before the sentence, and after it
_ROOM = (0.15, 0.4)  # seconds in which its sound falls by 60 dB
_WET = (-20.0, -8.0)  # level of the room's sound against the voice, in dB
_NOISE = (-40.0, -15.0)  # level of the noise against the voice, in dB
_LEVEL = (-28.0, -20.0)  # root mean square of a clip, in dBFS
_PEAK = 0.95  # a clip that would go beyond is made softer
_VERSION = 1  # of the rules that are not in _folder(); the cache is made anew when it changes
_MADE_WITH = ("numpy", "scipy", "librosa", "soxr", "espeakng-loader")

ENTRY = Entry(
    name="spoken",
    title="Everyday sentences in many voices, made by a speech synthesiser",
    licence="CC0: the sentences are drawn by rule, and spoken on your computer",
    source="A grammar in the package, spoken by espeak-ng",
    size="600 clips in 68 voices, 33 minutes, 16 kHz, mono, 41 MB; as many as clips= says",
    citation="The audio-style book",
    chapters=("04_ctc_transcription",),
    kind="built-in",
)


@dataclass(frozen=True)
class Line:
    """What a clip says, and how.

    Attributes
    ----------
    name : str
        "0-00017": the seed and the number.
    part : str
        One of `PARTS`.
    text : str
        The words: lower-case letters, apostrophes and spaces.
    speaker : str
        One of the part's `VOICES`.
    rate, pitch : int
        As `speech.speak` takes them.
    pauses : tuple of (float, float)
        Seconds before the words and after them.
    room, wet : float
        Seconds in which the sound of the room falls by 60 dB (0: there is none), and its level
        against the voice in dB.
    noise, level : float
        Level of the noise against the voice in dB, and of the clip in dBFS.

    Chapter
    -------
    04_ctc_transcription
    """

    name: str
    part: str
    text: str
    speaker: str
    rate: int
    pitch: int
    pauses: tuple[float, float]
    room: float
    wet: float
    noise: float
    level: float


def line(index: int, seed: int = 0) -> Line:
    """Draw what a clip says, and how.

    Parameters
    ----------
    index : int
        Number of the clip, 0 to 99999. Numbers that end in 8 are for validation, in 9 for testing.
    seed : int
        Another seed, 0 to 999999, gives other clips.

    Returns
    -------
    Line
        The same for the same numbers.

    Raises
    ------
    InputError
        A number is out of its range.

    Chapter
    -------
    04_ctc_transcription
    """
    whole(index, "index", 0, _MOST_CLIPS - 1)
    whole(seed, "seed", 0, _MOST_SEED)
    name, part = f"{seed}-{index:05}", _TURNS[index % len(_TURNS)]
    rng = Random(f"spoken/{name}")
    return Line(
        name=name,
        part=part,
        text=_sentence(part, rng),
        speaker=rng.choice(VOICES[part]),
        rate=rng.randint(*_RATES),
        pitch=rng.randint(*_PITCHES),
        pauses=(rng.uniform(*_PAUSE), rng.uniform(*_PAUSE)),
        room=rng.choice((0.0, rng.uniform(*_ROOM))),
        wet=rng.uniform(*_WET),
        noise=rng.uniform(*_NOISE),
        level=rng.uniform(*_LEVEL),
    )


def perform(line: Line) -> tuple[np.ndarray, int]:
    """Speak a line in its room, with its noise.

    Parameters
    ----------
    line : Line
        As `line` draws it.

    Returns
    -------
    y : np.ndarray, float32, shape (samples,)
        Signal, between -0.95 and 0.95.
    sr : int
        16000.

    Raises
    ------
    InputError
        The speech synthesiser is not installed properly.

    Chapter
    -------
    04_ctc_transcription
    """
    y, native = speech.speak(line.text, voice=line.speaker, rate=line.rate, pitch=line.pitch)
    y = _trimmed(audio.resample(y, native, SR))
    y = y / _rms(y)
    rng = np.random.default_rng(crc32(line.name.encode()))
    y = np.pad(y, [round(pause * SR) for pause in line.pauses])
    if line.room:
        y = y + _room(y, line, rng)
    y = y + _gain(line.noise) * _noise(y.size, rng)
    y = y * (_gain(line.level) / _rms(y))
    return (y * min(1, _PEAK / np.abs(y).max())).astype(np.float32), SR


def find() -> Dataset | None:
    """Find the clips on this computer.

    Returns
    -------
    Dataset or None
        600 clips; None where they have not all been made yet.

    Chapter
    -------
    04_ctc_transcription
    """
    dataset = _dataset(_folder(), [line(index) for index in range(CLIPS)])
    return None if _made.missing(dataset) else dataset


def load(clips: int = CLIPS, seed: int = 0) -> Dataset:
    """Find the clips, or make them, once: 600 take a quarter of a minute on two cores.

    One that was stopped goes on where it was. The first clips are the same whatever the number.

    Parameters
    ----------
    clips : int
        How many, 1 to 100000. Of ten, eight are for training, one for validation, one for testing.
    seed : int
        Another seed, 0 to 999999, gives other clips.

    Returns
    -------
    Dataset
        Files "0-00000" and so on: the seed and the number. ``labels`` has for each ``"text"``
        (lower-case letters, apostrophes, spaces), ``"speaker"``, ``"rate"`` (words a minute),
        ``"pitch"`` (0 to 99) and ``"part"``, one of `PARTS`. Neither a sentence nor a speaker is
        in two parts.

    Raises
    ------
    InputError
        A number is out of its range, or the cache cannot be written.

    Chapter
    -------
    04_ctc_transcription
    """
    whole(clips, "clips", 1, _MOST_CLIPS)
    whole(seed, "seed", 0, _MOST_SEED)
    return collection(ENTRY, _folder(), [line(index, seed) for index in range(clips)])


def collection(entry: Entry, root: Path, lines: list[Line]) -> Dataset:
    """Give the clips of some lines in a folder of the cache, and make those that are missing.

    Parameters
    ----------
    entry : Entry
        The data set that they belong to.
    root : pathlib.Path
        Where they are kept; made if need be.
    lines : list of Line
        What is said, and how. Their names are those of the files.

    Returns
    -------
    Dataset
        With the labels that `load` names.

    Raises
    ------
    InputError
        The cache cannot be written.

    Chapter
    -------
    05_melgan_vc
    """
    dataset = _dataset(root, lines, entry)
    missing = set(_made.missing(dataset))
    if missing:  # the voices are processes of their own
        wanted = [line for line in lines if line.name in missing]
        _made.make_all(partial(_save, dataset.root), wanted, dataset.root, "Clips")
    return dataset


def _sentence(part: str, rng: Random) -> str:
    """Draw a sentence of a part. Its own letters say which one that is, so it is in no other."""
    while True:
        text = sentence(rng)
        if _TURNS[crc32(text.encode()) % len(_TURNS)] == part:
            return text


def _folder() -> Path:
    numbers = [SR, _RATES, _PITCHES, _PAUSE, _ROOM, _WET, _NOISE, _LEVEL, _PEAK]
    return folder_of(ENTRY, [_VERSION, RULES, VOICES, _TURNS, numbers])


def folder_of(entry: Entry, rules: list[object]) -> Path:
    """Name a folder of the cache by what the clips depend on, so that none is ever out of date.

    Parameters
    ----------
    entry : Entry
        The data set that they belong to.
    rules : list
        What they are made by, as JSON can hold it. The versions of the packages are added.

    Returns
    -------
    pathlib.Path
        The folder, which need not exist.

    Chapter
    -------
    05_melgan_vc
    """
    packages = {package: version(package) for package in _MADE_WITH}
    made_from = json.dumps([*rules, packages])
    return cache_dir() / f"{entry.name}-{hashlib.sha256(made_from.encode()).hexdigest()[:16]}"


def _dataset(root: Path, lines: list[Line], entry: Entry = ENTRY) -> Dataset:
    keys = ("text", "speaker", "rate", "pitch", "part")
    files = {line.name: root / f"{line.name}.flac" for line in lines}
    labels = {line.name: {key: getattr(line, key) for key in keys} for line in lines}
    return Dataset(entry.name, entry, root, files, labels)


def _save(root: Path, line: Line) -> None:
    y, sr = perform(line)
    tags = {"title": line.text, "artist": line.speaker}
    _made.write_flac(root / f"{line.name}.flac", y, sr, tags, root)


def _trimmed(y: np.ndarray) -> np.ndarray:
    """Leave out the silence around the words: softer by 60 dB than their loudest sample."""
    loud = np.flatnonzero(np.abs(y) > np.abs(y).max() / 1000)
    return y[loud[0] : loud[-1] + 1]


def _room(y: np.ndarray, line: Line, rng: np.random.Generator) -> np.ndarray:
    """Return what the walls send back: noise that falls by 60 dB in the time of the room."""
    from scipy.signal import fftconvolve

    times = np.arange(1, round(line.room * SR)) / SR
    walls = rng.standard_normal(times.size) * 10 ** (-3 * times / line.room)
    back = fftconvolve(y, walls)[: y.size]
    return back * (_gain(line.wet) * _rms(y) / _rms(back))


def _noise(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise of level 1 between white and dark, as of fans and streets."""
    from scipy.signal import lfilter

    dark = rng.uniform(0, 0.95)
    y = lfilter([1], [1, -dark], rng.standard_normal(size))
    return y / _rms(y)


def _rms(y: np.ndarray) -> float:
    return float(np.sqrt(np.mean(y**2)))


def _gain(decibels: float) -> float:
    return 10 ** (decibels / 20)
