"""Speech from text, with the espeak-ng synthesiser that pip installs.

The synthesiser's library keeps some of its state for as long as a process lives, and draws random
numbers from it: the same call twice gives two different sounds. Each call here therefore has a
process of its own, a few hundredths of a second long. The same text and settings give the same
samples, nothing that one call sets is heard in the next, and threads may call it at the same time.
"""

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from .errors import InputError

_RATES, _PITCHES, _SAMPLE_RATES = (80, 450), (0, 99), (4000, 192000)
_SILENT = 1e-3


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
        One of `voices()`, such as "en-us", "en-gb" or "de".
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
    if voice in _voices():
        return
    from difflib import get_close_matches

    close = get_close_matches(str(voice).lower(), _voices(), n=3, cutoff=0.4)
    advice = f" Did you mean {', '.join(close)}?" if close else ""
    raise InputError(f"There is no voice {voice!r}.{advice} speech.voices() lists them all.")


@lru_cache(maxsize=1)
def _voices() -> dict[str, str]:
    return _ask({})[0]["voices"]


def _synthesise(text: str, voice: str, rate: int, pitch: int) -> tuple[np.ndarray, int]:
    answer, samples = _ask(
        {
            "text": text.replace("\0", " "),
            "voice": _voices()[voice],
            "rate": int(rate),
            "pitch": int(pitch),
        }
    )
    return np.frombuffer(samples, np.int16).astype(np.float32) / 32768, answer["rate"]


def _ask(request: dict) -> tuple[dict, bytes]:
    """Put a request to a new process of the synthesiser."""
    import espeakng_loader

    paths = {
        "library": espeakng_loader.get_library_path(),
        "data": espeakng_loader.get_data_path(),
    }
    # -I and -S: nothing of the reader's settings and packages is needed, and it starts sooner.
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("_espeak.py"))]
    question = json.dumps(request | paths).encode()
    try:
        done = subprocess.run(command, input=question, capture_output=True, check=False)
    except OSError as error:
        raise InputError(f"Python cannot be started to speak: {error}.") from error
    line, _, samples = done.stdout.partition(b"\n")
    answer = json.loads(line) if line else {"error": f"its process ended with {done.returncode}"}
    if "error" in answer:
        raise InputError(
            f"The speech synthesiser failed: {answer['error']}. "
            "If other texts fail too, install espeakng-loader again."
        )
    return answer, samples
