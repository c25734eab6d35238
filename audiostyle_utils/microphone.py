"""Record the reader's voice with the browser's microphone, in a Colab notebook.

In Colab, Python runs on another machine than the microphone. So the browser records, by a piece of
JavaScript, and sends the samples as text: the sample rate, the number of samples, and the samples
themselves in 16 bits, as base64.
"""

import base64
import os
from collections.abc import Callable
from numbers import Real
from pathlib import Path

import numpy as np

from audiostyle_utils import audio
from audiostyle_utils.errors import InputError

SHORTEST, LONGEST = 0.5, 120.0  # seconds

# A voice peaks far above this, and a microphone that is switched off stays below.
_SILENCE = 1e-3
# What Colab carries in one message is limited, and its own upload of files goes in pieces too.
_PIECE = 500_000
# Seconds for the reader to answer the browser's question, and for a piece to arrive.
_PATIENCE = 120.0

# Every browser has the ScriptProcessorNode, though it is deprecated. Its successor, AudioWorklet,
# has to load a module of its own, which the rules of a page can forbid. With blocks this large,
# nothing is lost while the page is busy for up to a third of a second.
_JAVASCRIPT = """
async (seconds) => {
  const line = document.createElement("p");
  line.setAttribute("role", "status");

  const say = (text) => {
    if (line.textContent === text) return;
    line.textContent = text;
    // The output of a cell that shows nothing else may have no height in Colab.
    const height = document.documentElement.scrollHeight;
    globalThis.google?.colab?.output?.setIframeHeight?.(height, true);
  };

  const within = (ms, promise) => Promise.race([promise, new Promise((go) => setTimeout(go, ms))]);

  // Some browsers let sound begin only after a click into the page.
  const start = async (context) => {
    await within(2000, context.resume());
    if (context.state === "running") return;
    const button = document.createElement("button");
    button.textContent = "Start recording";
    line.replaceChildren(button);
    await within(60000, new Promise((go) => { button.onclick = go; }));
    await within(2000, context.resume());
  };

  const samples = (source, node) => new Promise((done, failed) => {
    const rate = node.context.sampleRate;
    const pcm = new Int16Array(Math.round(seconds * rate));
    let count = 0;
    const late = () => failed(new DOMException("no sound arrived", "TimeoutError"));
    const limit = setTimeout(late, 1000 * seconds + 10000);
    node.onaudioprocess = ({ inputBuffer }) => {
      for (const x of inputBuffer.getChannelData(0).subarray(0, pcm.length - count)) {
        pcm[count++] = Math.max(-32768, Math.min(32767, Math.round(32768 * x)));
      }
      say(`Recording ... speak now (${Math.ceil((pcm.length - count) / rate)} s)`);
      if (count < pcm.length) return;
      node.onaudioprocess = null;
      clearTimeout(limit);
      done(pcm);
    };
    say(`Recording ... speak now (${Math.ceil(seconds)} s)`);
    source.connect(node);
    // Safari calls only what leads to the loudspeaker. Nothing is written there, so it is silent.
    node.connect(node.context.destination);
  });

  const base64 = (pcm) => new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.readAsDataURL(new Blob([pcm]));
  });

  let stream, context, answer;
  try {
    document.body.append(line);
    say("Allow the microphone when the browser asks for it.");
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    // Not before, since Chromium lets a page that listens begin with sound without a click.
    context = new AudioContext();
    await start(context);
    const source = context.createMediaStreamSource(stream);
    const pcm = await samples(source, context.createScriptProcessor(16384, 1, 1));
    answer = `${context.sampleRate} ${pcm.length} ${await base64(pcm)}`;
  } catch (error) {
    answer = `error ${error.name} ${error.message}`;
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
    await context?.close();
    line.remove();
  }
  globalThis.audiostyleAnswer = answer;
  return answer.length;
}
"""

_ELSEWHERE = (
    "record with any other program (your phone, Audacity) and give the path of its file to the "
    "chapter's function."
)
_AGAIN = "Run the cell again, and allow the microphone when the browser asks for it."
_REFUSALS = {
    "NotAllowedError": (
        "The browser did not allow the microphone. Allow it in the bar of the browser, beside the "
        "address, and in the settings of the system, and run the cell again."
    ),
    "NotFoundError": (
        "The browser found no microphone. Connect one, choose it in the settings of the system, "
        "and run the cell again."
    ),
    "NotReadableError": (
        "The browser could not open the microphone. Close other programs that use it, such as a "
        "video call, and run the cell again."
    ),
    "TimeoutError": (
        "The microphone sent no sound. Check that it is connected and switched on, reload the "
        "page, and run the cell again."
    ),
}


def record(path: str | os.PathLike, seconds: float = 5.0) -> Path:
    """Record the reader's voice in a Colab notebook and write it to a WAV file.

    The browser asks whether it may use the microphone. Then a line below the cell says when to
    speak and counts the seconds down. The file has one channel, the browser's own sample rate
    (most often 44100 or 48000 Hz) and 16 bits. It appears whole or not at all.

    Parameters
    ----------
    path : str or path
        Target, ending in .wav. Its folder must exist. A file of that name is replaced.
    seconds : float
        How long to record, in seconds, from 0.5 to 120.

    Returns
    -------
    pathlib.Path
        The file. Read it with `audiostyle_utils.audio.load`.

    Raises
    ------
    InputError
        This is not Colab; the microphone is refused, missing or in use; what was recorded is
        silent or did not arrive whole; or `path` or `seconds` is not usable.

    Chapter
    -------
    04_ctc_transcription
    """
    seconds, target = _checked_seconds(seconds), _checked_target(path)
    try:
        from google.colab import output
    except ImportError as error:
        raise InputError(f"The microphone cell works in Colab. Here, {_ELSEWHERE}") from error
    y, sr = _decoded(_answer(output.eval_js, seconds))
    audio.save(target, y, sr)
    return target


def _checked_seconds(seconds: float) -> float:
    """Return how long to record, or say what is wrong with it."""
    number = isinstance(seconds, Real) and not isinstance(seconds, bool)
    if not (number and SHORTEST <= seconds <= LONGEST):
        raise InputError(f"seconds is {seconds!r}. Give a number from {SHORTEST:g} to {LONGEST:g}.")
    return float(seconds)


def _checked_target(path: str | os.PathLike) -> Path:
    """Refuse before anybody has spoken what could not be written afterwards."""
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text.lower().endswith(".wav"):
        raise InputError(f"{path!r} is no name of a WAV file. Give one such as 'voice.wav'.")
    target = Path(text).expanduser()
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent}. Make it first, or choose another.")
    return target


def _answer(eval_js: Callable, seconds: float) -> str | None:
    """Let the browser record, and fetch in pieces what it says; None if it says nothing."""
    length = eval_js(f"({_JAVASCRIPT})({seconds})", timeout_sec=seconds + _PATIENCE)
    if length is None:
        return None
    pieces = [
        eval_js(f"audiostyleAnswer.slice({first}, {first + _PIECE})", timeout_sec=_PATIENCE)
        for first in range(0, length, _PIECE)
    ]
    eval_js("delete globalThis.audiostyleAnswer", timeout_sec=_PATIENCE)
    return "".join(piece or "" for piece in pieces)


def _decoded(answer: str | None) -> tuple[np.ndarray, int]:
    """Turn the browser's answer into a signal of one channel and its rate, or say what is wrong."""
    if not answer:
        raise InputError(
            f"The browser sent nothing back. Open the notebook in Colab in a browser. {_AGAIN}"
        )
    if answer.startswith("error "):
        raise InputError(_refusal(*answer.split(maxsplit=2)[1:]))
    y, sr = _samples(answer)
    # The mean is left out, since a microphone may rest beside zero.
    if np.ptp(y) < 2 * _SILENCE:
        raise InputError(
            "The recording is silent. Check that the microphone is switched on, and that the "
            "browser and the system use the right one. Then run the cell again and speak up."
        )
    return y, sr


def _refusal(name: str = "", message: str = "") -> str:
    """Say what a person can do about an error that the browser names."""
    if name in _REFUSALS:
        return _REFUSALS[name]
    said = " ".join(filter(None, (name, message)))
    return f"The browser could not record ({said}). Reload the page and try again, or {_ELSEWHERE}"


def _samples(answer: str) -> tuple[np.ndarray, int]:
    """Read the sample rate and the samples, all of them, as float32 between -1 and 1."""
    try:
        rate, count, text = answer.split(" ")
        sr, count, pcm = int(rate), int(count), base64.b64decode(text, validate=True)
    except ValueError:
        sr, count, pcm = 0, 0, b""
    if count == 0 or len(pcm) != 2 * count:
        raise InputError("The recording did not arrive whole. Run the cell again.")
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768, audio.check_rate(sr)
