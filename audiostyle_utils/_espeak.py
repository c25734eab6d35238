"""The process that speaks for `speech`: one request in, one answer out.

It is run as a script and needs nothing but Python itself, and little of that: to import a module
can take longer than to speak a sentence. So requests and answers are plain bytes. A request is
fields with a zero byte between: library, data, and to speak also voice, rate, pitch and text. An
answer is a line that begins with its kind, and what follows: "error" and a message, "lists" and a
line for each voice and variant, or "sound", its rate, and 16-bit samples.
"""

import ctypes
import os
import sys

_SYNCHRONOUS, _DO_NOT_EXIT, _BY_CHARACTER, _UTF8 = 2, 0x8000, 1, 1
_RATE, _PITCH = 1, 3
_LONGEST_PATH = 140  # bytes; the library cuts a longer one off without a word
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),  # a byte of priority, then the language's code
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


def main() -> None:
    """Answer one request."""
    library, data, *request = sys.stdin.buffer.read().split(b"\0")
    try:
        head, body = _answer(os.fsdecode(library), os.fsdecode(data), request)
    except OSError as error:
        head, body = "error", os.fsencode(str(error))
    sys.stdout.buffer.write(head.encode() + b"\n" + body)


def _answer(library: str, data: str, request: list[bytes]) -> tuple[str, bytes]:
    if len(os.fsencode(data)) <= _LONGEST_PATH:
        return _answer_with(library, data, request)
    import tempfile

    with tempfile.TemporaryDirectory(prefix="audiostyle-") as folder:
        link = os.path.join(folder, "espeak-ng-data")
        os.symlink(data, link, target_is_directory=True)
        return _answer_with(library, link, request)


def _answer_with(library: str, data: str, request: list[bytes]) -> tuple[str, bytes]:
    """Answer from a folder whose path the library has room for."""
    espeak = ctypes.CDLL(library)
    rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), _DO_NOT_EXIT)
    if rate <= 0:
        return "error", b"it found no voices in its data folder " + os.fsencode(data)
    # It would begin its random numbers, of which breath is made, with the time of day.
    if hasattr(espeak, "espeak_ng_SetRandSeed"):
        espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))
    if not request:
        lines = [f"voice {code} {file}" for code, file in _voices(espeak, data).items()]
        lines += [f"variant {name}" for name in _variants(data)]
        return "lists", "\n".join(lines).encode()
    voice, speed, pitch, text = request
    failed, samples = _speak(espeak, voice, int(speed), int(pitch), text)
    return ("error", b"it gave code %d" % failed) if failed else (f"sound {rate}", samples)


def _voices(library: ctypes.CDLL, data: str) -> dict[str, str]:
    """List the voices whose dictionary is there: the code of the language, and the file."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    listed, found, index = library.espeak_ListVoices(None), {}, 0
    while listed[index]:
        voice = listed[index].contents
        code, file = voice.languages[1:].decode(), voice.identifier.decode()
        words = _dictionary(os.path.join(data, "lang", file), code)
        if os.path.isfile(os.path.join(data, f"{words}_dict")):
            found.setdefault(code, file)
        index += 1
    return found


def _variants(data: str) -> list[str]:
    """List the files that turn a voice into another speaker; an unknown one would be ignored."""
    folder = os.path.join(data, "voices", "!v")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def _dictionary(path: str, code: str) -> str:
    if os.path.isfile(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.split()
                if words[:1] == ["dictionary"] and len(words) > 1:
                    return words[1]
    return code.split("-")[0]


def _speak(
    library: ctypes.CDLL, voice: bytes, speed: int, pitch: int, text: bytes
) -> tuple[int, bytes]:
    parts = []

    def collect(samples, n, events):
        if samples and n > 0:
            parts.append(ctypes.string_at(samples, 2 * n))
        return 0

    callback = _CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    text += b"\0"
    failed = (
        library.espeak_SetVoiceByName(voice)
        or library.espeak_SetParameter(_RATE, speed, 0)
        or library.espeak_SetParameter(_PITCH, pitch, 0)
        or library.espeak_Synth(
            text, ctypes.c_size_t(len(text)), 0, _BY_CHARACTER, 0, _UTF8, None, None
        )
    )
    return failed, b"".join(parts)


if __name__ == "__main__":
    main()
