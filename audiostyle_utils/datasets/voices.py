"""Two synthetic voices that read different sentences, and a few the same: no download.

For the training neither voice says what the other says, so that nothing can be learned by lining
up two readings. The sentences for testing are read by both, so that a translation can be compared
with the other voice's own reading.
"""

from random import Random

from .._checks import whole
from ._sentences import RULES, sentence
from .catalogue import Dataset, Entry
from .spoken import Line, collection, folder_of

SPEAKERS = {"low": ("en-us", 28), "high": ("en-us+f3", 62)}  # the synthesiser's voice, its pitch
CLIPS, TESTS = 150, 20
_MOST_CLIPS = 10_000
_RATES = (150, 175)  # words a minute
_PAUSE, _NOISE, _LEVEL = (0.1, 0.2), -50.0, -24.0
_VERSION = 1

ENTRY = Entry(
    name="voices",
    title="Two voices that read different sentences, made by a speech synthesiser",
    licence="CC0: the sentences are drawn by rule, and spoken on your computer",
    source="The grammar of `spoken`, spoken by espeak-ng",
    size="150 clips a voice to learn from and 20 to test, 19 minutes, 16 kHz, mono, 24 MB",
    citation="The audio-style book",
    chapters=("05_melgan_vc",),
    kind="built-in",
)


def find() -> Dataset | None:
    """Find the clips on this computer.

    Returns
    -------
    Dataset or None
        As many as `load` makes without being asked for more; None where some are missing.

    Chapter
    -------
    05_melgan_vc
    """
    root, lines = _folder(), _lines(CLIPS)
    return load() if all((root / f"{line.name}.flac").is_file() for line in lines) else None


def load(clips: int = CLIPS) -> Dataset:
    """Find the clips, or make them, once.

    Parameters
    ----------
    clips : int
        How many a voice are there to learn from, 1 to 10000. Another 20 a voice are for testing.

    Returns
    -------
    Dataset
        Files "low-00000", "high-00000" and so on. ``labels`` has for each ``"text"`` (lower-case
        letters, apostrophes, spaces), ``"speaker"`` ("low" or "high"), ``"part"``: "training",
        in which no sentence is said twice, or "test", in which both say the same ones, and
        ``"sentence"``: what follows the speaker in the name. Test sentence number 3 is in
        "low-test-003" and "high-test-003".

    Raises
    ------
    InputError
        The number is out of its range, or the cache cannot be written.

    Chapter
    -------
    05_melgan_vc
    """
    whole(clips, "clips", 1, _MOST_CLIPS)
    lines = _lines(clips)
    made = collection(ENTRY, _folder(), lines)
    labels = {
        line.name: dict(zip(("speaker", "sentence"), line.name.split("-", 1), strict=True))
        | {"text": line.text, "part": line.part}
        for line in lines
    }
    return Dataset(made.name, made.entry, made.root, made.files, labels)


def _folder():
    return folder_of(ENTRY, [_VERSION, RULES, SPEAKERS, TESTS, _RATES, _PAUSE, _NOISE, _LEVEL])


def _lines(clips: int) -> list[Line]:
    """Draw all lines; no sentence of the test is among those to learn from."""
    rng = Random("voices")
    tests = [sentence(rng) for _ in range(TESTS)]
    used, lines = set(tests), []
    for k in range(clips):
        for speaker in SPEAKERS:
            text = next(text for text in iter(lambda: sentence(rng), None) if text not in used)
            used.add(text)
            lines.append(_line(speaker, f"{k:05}", "training", text))
    for k, text in enumerate(tests):
        lines += [_line(speaker, f"test-{k:03}", "test", text) for speaker in SPEAKERS]
    return lines


def _line(speaker: str, number: str, part: str, text: str) -> Line:
    name = f"{speaker}-{number}"
    rng, (voice, pitch) = Random(name), SPEAKERS[speaker]
    return Line(
        name=name,
        part=part,
        text=text,
        speaker=voice,
        rate=rng.randint(*_RATES),
        pitch=pitch,
        pauses=(rng.uniform(*_PAUSE), rng.uniform(*_PAUSE)),
        room=0.0,
        wet=0.0,
        noise=_NOISE,
        level=_LEVEL,
    )
