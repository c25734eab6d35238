"""Speech from text by the espeak-ng synthesiser that pip installs; text as spoken; pauses.

The synthesiser's library keeps some of its state for as long as a process lives, and draws random
numbers from it: the same call twice gives two different sounds. Each call here therefore has a
process of its own, a few hundredths of a second long. The same text and settings give the same
samples, nothing that one call sets is heard in the next, and threads may call it at the same time.
"""

import math
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from numbers import Real
from pathlib import Path

import numpy as np

from . import audio
from .errors import InputError

_RATES, _PITCHES, _SAMPLE_RATES = (80, 450), (0, 99), (4000, 192000)
_SILENT = 1e-3

_SMALL = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen".split()
)
_TENS = tuple("twenty thirty forty fifty sixty seventy eighty ninety".split())
_LONGEST_NUMBER = 6  # digits; a longer one is read digit by digit
# Letters that no accent makes: taking accents away leaves them as they are.
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})
_GAPS = re.compile(r"[-_/\u2044\u2212\u2010-\u2015]|\.{2,}")  # hyphens, dashes, slashes, ellipses
_NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+")

# Pauses, in seconds.
_STEP = 0.01  # from one level to the next; a level is that of three steps
_PAUSE = 0.3  # a shorter gap is within a word, or between two
_SHORT_PAUSE = 0.8  # so much silence may stay inside a piece
_MARGIN = 0.2  # silence that stays around speech, so that no soft sound at its ends is lost
_QUIET_PLACE = 0.08  # a cut without a pause needs quiet for so long on either side
_SHORTEST_LIMIT = 1.0
_LOWEST_RATE = 1000
_FAINT = 1e-4  # a recording with a smaller peak (-80 dB) is silent
_STEPS_AT_ONCE = 4096


def voices() -> list[str]:
    """List the voices.

    Returns
    -------
    list of str
        The names that `speak` takes, sorted: codes of languages, such as "de" or "en-gb".

    Raises
    ------
    InputError
        If the speech library is not installed properly.

    Chapter
    -------
    01_style_transfer
    """
    return sorted(_voices())


def variants() -> list[str]:
    """List the speakers that a voice can be given to.

    Returns
    -------
    list of str
        The names that `speak` takes behind a plus sign, sorted: "f3" for ``voice="en-us+f3"``.

    Raises
    ------
    InputError
        If the speech library is not installed properly.

    Chapter
    -------
    04_ctc_transcription
    """
    return list(_lists()["variants"])


def speak(
    text: str,
    *,
    voice: str = "en-us",
    rate: int = 175,
    pitch: int = 50,
    sr: int | None = None,
) -> tuple[np.ndarray, int]:
    """Say a text.

    Parameters
    ----------
    text : str
        What to say, in any alphabet that the voice's language uses.
    voice : str
        One of `voices()`, such as "en-us", "en-gb" or "de". Behind a plus sign it may have one of
        `variants()`, another speaker of the same accent: "en-us+f3".
    rate : int
        Words a minute, 80 to 450.
    pitch : int
        Height of the voice, 0 to 99; 50 is its own.
    sr : int, optional
        Sample rate of the result in hertz, 4000 to 192000; None gives the synthesiser's own, 22050.

    Returns
    -------
    y : np.ndarray, float32, shape (samples,)
        Signal, between -1 and 1.
    sr : int
        Sample rate in hertz.

    Raises
    ------
    InputError
        If there is nothing to say, the voice is unknown or a parameter is out of its range.

    Chapter
    -------
    01_style_transfer
    """
    _check(text, rate, pitch, sr)
    _check_voice(voice)
    y, native = _synthesise(text, voice, rate, pitch)
    if np.abs(y).max(initial=0) < _SILENT:
        raise InputError(f"There is nothing to say in the text {text[:40]!r}; give it some words.")
    if sr is None or sr == native:
        return y, native
    import librosa

    return np.clip(librosa.resample(y, orig_sr=native, target_sr=sr), -1, 1), sr


def normalise_text(text: str) -> str:
    """Bring a text to what a speech recogniser writes: the letters a to z, apostrophes and spaces.

    Letters become small and lose their accents; letters of other alphabets vanish. Numbers become
    words: whole ones up to 999,999 with or without commas, then what follows a decimal point digit
    by digit. A longer number, and one that begins with zero, is read digit by digit. Ordinals and
    abbreviations are not known: "1st" becomes "one st". Hyphens, dashes, slashes and ellipses
    become spaces. Every other sign vanishes, and so does an apostrophe that does not stand between
    two letters, where it cannot be told from a quotation mark.

    Parameters
    ----------
    text : str
        Any text, such as the transcript of a recording.

    Returns
    -------
    str
        The same words. To normalise it again changes nothing.

    Raises
    ------
    InputError
        `text` is no string, or nothing of it is left.

    Chapter
    -------
    04_ctc_transcription
    """
    if not isinstance(text, str):
        raise InputError(f"text is a {type(text).__name__}; give a string.")
    plain = unicodedata.normalize("NFKD", text.casefold()).casefold().translate(_LETTERS)
    plain = re.sub("[\u2018\u2019\u02bc]", "'", plain)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = re.sub(r"([0-9])\.([0-9]+)", _decimals, plain)
    plain = _GAPS.sub(" ", _NUMBER.sub(_number, plain))
    plain = re.sub(r"[^a-z' ]", "", re.sub(r"\s", " ", plain))
    plain = " ".join(re.sub(r"(?<![a-z])'+|'+(?![a-z])", "", plain).split())
    if not plain:
        raise InputError(f"There are no letters a to z and no digits in the text {text[:40]!r}.")
    return plain


@lru_cache(maxsize=1)
def english_words() -> dict[str, float]:
    """Give some 83,000 English words and how frequent each of them is.

    They are the list of symspellpy: words of the spelling dictionary SCOWL that Google counted in
    books. Contractions are among them.

    Returns
    -------
    dict
        The share of each word in the counted text, by the word in the letters that
        `normalise_text` gives; the shares sum to 1. Do not change it: each call gives the same.

    Raises
    ------
    InputError
        The package symspellpy is installed without its list.

    Chapter
    -------
    04_ctc_transcription
    """
    path = files("symspellpy") / "frequency_dictionary_en_82_765.txt"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: install symspellpy again.") from error
    counts = {word: int(count) for word, count in (line.split() for line in lines)}
    plain = {word: count for word, count in counts.items() if re.fullmatch("[a-z']+", word)}
    total = sum(plain.values())
    return {word: count / total for word, count in plain.items()}


def cut_at_pauses(y: np.ndarray, sr: int, longest: float = 15.0) -> list[tuple[int, int]]:
    """Find where to cut a long recording of speech into pieces that a recogniser can take.

    Cuts lie in pauses: 0.3 s or more without a sound that stands out from the background. Pieces
    with a pause of up to about 0.8 s between them are joined as long as they stay within
    `longest`. Longer stretches without speech, also at the beginning and at the end, belong to no
    piece but for 0.2 s around speech. Where somebody speaks for longer than `longest` without a
    pause, the cut lies at the quietest place.

    The background is what the quietest twentieth of the recording has at most, the speech what
    holds most of its energy. A pause has to lie in the lower third between the two, in decibels,
    and at least 15 dB below the speech. Noise that is nearly as loud as the speech has no pauses,
    and sound of any other kind counts as speech.

    Parameters
    ----------
    y : np.ndarray, shape (samples,)
        Signal, of any length.
    sr : int
        Sample rate in hertz, at least 1000.
    longest : float
        Length of the longest piece in seconds, at least 1.

    Returns
    -------
    list of (int, int)
        First sample of each piece, and the sample after its last, in order and without overlap:
        ``y[first:last]`` is a piece. The list is empty where the recording is silent, which is
        where no sample is further than 1e-4 from its mean.

    Raises
    ------
    InputError
        The signal is not usable or has several channels, or a parameter is out of range.

    Chapter
    -------
    04_ctc_transcription
    """
    y, sr = _check_recording(y, sr, longest)
    hop = round(_STEP * sr)
    levels = _levels(y, hop)
    if levels is None:
        return []
    stretches = _stretches(levels > _threshold(levels), sr / hop)
    most = int(longest * sr) // hop
    short = round((_SHORT_PAUSE - 2 * _MARGIN) * sr / hop)
    joined = _joined(_shortened(stretches, levels, most), most, short)
    return [(first * hop, min(last * hop, y.size)) for first, last in joined]


def _check_recording(y: np.ndarray, sr: int, longest: float) -> tuple[np.ndarray, int]:
    y, sr = audio.check_signal(y), audio.check_rate(sr)
    if y.ndim != 1:
        raise InputError(f"y has {y.shape[0]} channels. Give one, such as y.mean(axis=0).")
    if sr < _LOWEST_RATE:
        raise InputError(f"sr is {sr}. Speech needs {_LOWEST_RATE} samples a second or more.")
    number = isinstance(longest, Real) and not isinstance(longest, bool) and math.isfinite(longest)
    if not (number and longest >= _SHORTEST_LIMIT):
        raise InputError(
            f"longest is {longest!r}. Give seconds: a number, {_SHORTEST_LIMIT:g} or more."
        )
    return y, sr


def _levels(y: np.ndarray, hop: int) -> np.ndarray | None:
    """Return the level in dB of each `hop` samples and their neighbours; None if all is silent.

    A constant offset, which poor sound cards add, is no sound.
    """
    offset = y.mean(dtype=np.float64)
    if max(y.max() - offset, offset - y.min()) < _FAINT:
        return None
    power = np.empty(-(-y.size // hop))
    for first in range(0, power.size, _STEPS_AT_ONCE):
        part = y[first * hop : (first + _STEPS_AT_ONCE) * hop] - offset  # float64, as the offset
        starts = np.arange(0, part.size, hop)
        sums = np.add.reduceat(np.square(part, out=part), starts)
        power[first : first + _STEPS_AT_ONCE] = sums / np.diff(starts, append=part.size)
    power = np.pad(power, 1, mode="edge")
    power = (power[:-2] + power[1:-1] + power[2:]) / 3
    return 10 * np.log10(np.maximum(power, 1e-20))


def _threshold(levels: np.ndarray) -> float:
    """Return the level in dB that divides speech from pauses.

    Speech is where half of the energy lies above: that holds for any share of pauses, and a click
    does not count for much.
    """
    ordered = np.sort(levels)
    energy = np.cumsum(10 ** (ordered / 10))
    loud = ordered[np.searchsorted(energy, energy[-1] / 2)]
    noise = max(np.percentile(ordered, 5), loud - 60)  # digital silence would be endlessly low
    return min(noise + (loud - noise) / 3, loud - 15)


def _stretches(loud: np.ndarray, rate: float) -> list[tuple[int, int]]:
    """Return from where to where there is speech, with its margins; `rate` is steps a second."""
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    # Sound reaches one step further than it is, and a pause begins and ends within a step.
    pause = starts[1:] - ends[:-1] >= round(_PAUSE * rate) - 3
    starts, ends = starts[np.r_[True, pause]], ends[np.r_[pause, True]]
    middles = (ends[:-1] + starts[1:]) // 2
    margin = round(_MARGIN * rate)
    firsts = np.maximum(starts - margin, np.r_[0, middles])
    lasts = np.minimum(ends + margin, np.r_[middles, loud.size])
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _shortened(
    stretches: Iterable[tuple[int, int]], levels: np.ndarray, most: int
) -> Iterator[tuple[int, int]]:
    """Yield stretches, those of more than `most` steps cut at quiet places."""
    reach = round(_QUIET_PLACE / _STEP)
    for first, last in stretches:
        while last - first > most:
            # From half of the limit on, so that the parts are not small; nor is what remains.
            low, high = first + most // 2, min(first + most, last - most // 4)
            near = np.convolve(levels[low - reach : high + reach], np.ones(2 * reach), "valid")
            cut = low + int(near.argmin())
            yield first, cut
            first = cut
        yield first, last


def _joined(stretches: Iterable[tuple[int, int]], most: int, short: int) -> list[tuple[int, int]]:
    """Join neighbours with no more than `short` steps between them, up to `most` steps."""
    joined: list[tuple[int, int]] = []
    for first, last in stretches:
        if joined and first - joined[-1][1] <= short and last - joined[-1][0] <= most:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


def _decimals(match: re.Match) -> str:
    return f"{match[1]} point {_digits(match[2])} "


def _number(match: re.Match) -> str:
    digits = match[0].replace(",", "")
    if len(digits) > _LONGEST_NUMBER or (digits[0] == "0" and digits != "0"):
        return f" {_digits(digits)} "
    return f" {_in_words(int(digits))} "


def _digits(digits: str) -> str:
    return " ".join(_SMALL[int(digit)] for digit in digits)


def _in_words(number: int) -> str:
    """Write a whole number from 0 to 999,999 in words."""
    if number < len(_SMALL):
        return _SMALL[number]
    if number < 100:
        rest, words = number % 10, _TENS[number // 10 - 2]
    else:
        unit, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
        rest, words = number % unit, f"{_in_words(number // unit)} {name}"
    return f"{words} {_in_words(rest)}" if rest else words


def _check(text: str, rate: int, pitch: int, sr: int | None) -> None:
    if not isinstance(text, str):
        raise InputError(f"text is a {type(text).__name__}; give a string.")
    if not text.strip():
        raise InputError("text is empty; give some words to say.")
    limits = {"rate": (rate, _RATES), "pitch": (pitch, _PITCHES)}
    if sr is not None:
        limits["sr"] = (sr, _SAMPLE_RATES)
    for name, (value, (low, high)) in limits.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            raise InputError(f"{name} is {value!r}; give a whole number from {low} to {high}.")


def _check_voice(voice: str) -> None:
    from difflib import get_close_matches

    code, plus, variant = str(voice).partition("+")
    if code not in _voices():
        kind, name, known = "voice", voice, sorted(_voices())
    elif plus and variant not in variants():
        kind, name, known = "variant", variant, variants()
    else:
        return
    close = get_close_matches(str(name).lower(), known, n=3, cutoff=0.4)
    advice = f" Did you mean {', '.join(close)}?" if close else ""
    raise InputError(f"There is no {kind} {name!r}.{advice} speech.{kind}s() lists them all.")


def _voices() -> dict[str, str]:
    return _lists()["voices"]


@lru_cache(maxsize=1)
def _lists() -> dict:
    _, lines = _ask()
    found: dict = {"voices": {}, "variants": []}
    for line in lines.decode().splitlines():
        kind, _, name = line.partition(" ")
        if kind == "voice":
            code, _, file = name.partition(" ")
            found["voices"][code] = file
        else:
            found["variants"].append(name)
    return found


def _synthesise(text: str, voice: str, rate: int, pitch: int) -> tuple[np.ndarray, int]:
    code, plus, variant = voice.partition("+")
    spoken = text.replace("\0", " ").encode("utf-8", "replace")
    file = (_voices()[code] + plus + variant).encode()
    native, samples = _ask(file, b"%d" % int(rate), b"%d" % int(pitch), spoken)
    return np.frombuffer(samples, np.int16).astype(np.float32) / 32768, int(native)


def _ask(*request: bytes) -> tuple[str, bytes]:
    """Put a request to a new process of the synthesiser; the module _espeak has the format."""
    import espeakng_loader

    paths = (espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    # -I and -S: nothing of the reader's settings and packages is needed, and it starts sooner.
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("_espeak.py"))]
    question = b"\0".join([*map(os.fsencode, paths), *request])
    try:
        done = subprocess.run(command, input=question, capture_output=True, check=False)
    except OSError as error:
        raise InputError(f"Python cannot be started to speak: {error}.") from error
    head, _, body = done.stdout.partition(b"\n")
    kind, _, detail = head.decode().partition(" ")
    if kind not in ("lists", "sound"):
        reason = os.fsdecode(body) or f"its process ended with {done.returncode}"
        raise InputError(
            f"The speech synthesiser failed: {reason}. "
            "If other texts fail too, install espeakng-loader again."
        )
    return detail, body
