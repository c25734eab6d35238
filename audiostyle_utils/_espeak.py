"""The process that speaks for `speech`: one request in, one answer out.

It is run as a script and needs nothing but Python itself, and little of that: to import a module
can take longer than to speak a sentence. The request on standard input and the answer on standard
output are one line of JSON each; 16-bit samples follow the answer.
"""

import ctypes
import json
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
    request = json.loads(sys.stdin.buffer.read())
    try:
        answer, samples = _answer(request)
    except OSError as error:
        answer, samples = {"error": str(error)}, b""
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + samples)


def _answer(request: dict) -> tuple[dict, bytes]:
    if len(os.fsencode(request["data"])) <= _LONGEST_PATH:
        return _answer_with(request, request["data"])
    import tempfile

    with tempfile.TemporaryDirectory(prefix="audiostyle-") as folder:
        link = os.path.join(folder, "espeak-ng-data")
        os.symlink(request["data"], link, target_is_directory=True)
        return _answer_with(request, link)


def _answer_with(request: dict, data: str) -> tuple[dict, bytes]:
    """Answer from a folder whose path the library has room for."""
    library = ctypes.CDLL(request["library"])
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), _DO_NOT_EXIT)
    if rate <= 0:
        return {"error": f"it found no voices in {request['data']}"}, b""
    if "text" not in request:
        return {"voices": _voices(library, data), "variants": _variants(data)}, b""
    failed, samples = _speak(library, request)
    if failed:
        return {"error": f"it gave code {failed}"}, b""
    return {"rate": rate}, samples


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


def _speak(library: ctypes.CDLL, request: dict) -> tuple[int, bytes]:
    parts = []

    def collect(samples, n, events):
        if samples and n > 0:
            parts.append(ctypes.string_at(samples, 2 * n))
        return 0

    callback = _CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    text = request["text"].encode("utf-8", "replace") + b"\0"
    failed = (
        library.espeak_SetVoiceByName(request["voice"].encode())
        or library.espeak_SetParameter(_RATE, request["rate"], 0)
        or library.espeak_SetParameter(_PITCH, request["pitch"], 0)
        or library.espeak_Synth(
            text, ctypes.c_size_t(len(text)), 0, _BY_CHARACTER, 0, _UTF8, None, None
        )
    )
    return failed, b"".join(parts)


if __name__ == "__main__":
    main()
