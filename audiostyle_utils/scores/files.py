"""Tokens of many scores: on all cores at once, and each score only once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryFile

from audiostyle_utils import _kept
from audiostyle_utils._checks import whole
from audiostyle_utils.errors import InputError
from audiostyle_utils.settings import cores
from audiostyle_utils.training import progress

from . import _sources as sources
from .pieces import STEPS
from .reading import read
from .tokens import tokenise

_VERSION = 1  # of reading and of tokens; the cache is made anew when it changes
_MADE_WITH = ("music21", "symusic")
# Fewer files than this are not worth a process of their own: it imports music21 first, which takes
# as long as reading them.
_SHARE = 8
_LAST_LINES = 5


@dataclass(frozen=True)
class Tokenised:
    """What `tokenise_files` found in many scores.

    Attributes
    ----------
    tokens : dict
        Tokens of each score, as `tokenise` returns them, by name.
    skipped : dict
        Why a score could not be used, by name.

    Chapter
    -------
    03_lstm_music
    """

    tokens: dict[str, list[str]]
    skipped: dict[str, str]


def tokenise_files(
    files: Mapping[str, str | os.PathLike],
    *,
    drums: bool = False,
    workers: int | None = None,
    cache: bool = True,
) -> Tokenised:
    """Read many scores as tokens.

    The tokens of a score are kept in the cache under the content of its file and the settings, so
    that it is read once, whatever the file is called; a changed file is read anew.

    Parameters
    ----------
    files : mapping
        Path of each score, by name: MIDI, MusicXML, ABC or Humdrum.
    drums : bool
        Whether drum parts are kept.
    workers : int or None
        How many processes read the files that are not MIDI; None takes one for each core. MIDI
        files are read fast enough without, and so are a few others.
    cache : bool
        False neither reads the cache nor writes it.

    Returns
    -------
    Tokenised
        Tokens in the order of `files`, and the scores that cannot be used, each with the reason.

    Raises
    ------
    InputError
        `files` is empty or no mapping of paths, no score is usable, `workers` is out of range, the
        cache cannot be written, or a process that reads scores stops by itself: ``workers=1`` does
        without such processes.

    Chapter
    -------
    03_lstm_music
    """
    paths = _named(files)
    workers = cores() if workers is None else whole(workers, "workers", 1)
    places = _places(paths, drums) if cache else {}
    found = {name: _cached(place) for name, place in places.items()}
    missing = {name: path for name, path in paths.items() if found.get(name) is None}
    with _answers(list(missing.values()), drums, workers) as answers:
        for name, answer in zip(missing, progress(answers, "Scores", len(missing)), strict=True):
            found[name] = answer
            if name in places and not isinstance(answer, str):
                _kept.write(places[name], " ".join(answer).encode())
    skipped = {name: found[name] for name in paths if isinstance(found[name], str)}
    if len(skipped) == len(paths):
        name, reason = next(iter(skipped.items()))
        raise InputError(f"None of the {len(paths)} scores is usable. {name}: {reason}")
    return Tokenised({name: found[name] for name in paths if name not in skipped}, skipped)


def serve() -> None:
    """Read scores for another process: a path a line comes in, an answer a line goes out.

    Raises
    ------
    ValueError
        What came in is not JSON.

    Chapter
    -------
    03_lstm_music
    """
    answers = sys.stdout
    with redirect_stdout(sys.stderr):  # whatever else is printed must not pass for an answer
        for line in sys.stdin:
            path, drums = json.loads(line)
            print(json.dumps(_answer(Path(path), drums)), file=answers, flush=True)


def _named(files: Mapping[str, str | os.PathLike]) -> dict[str, Path]:
    if not isinstance(files, Mapping):
        raise InputError(f"files is a {type(files).__name__}. Give a dict: a path for each name.")
    if not files:
        raise InputError("files is empty. Give the path of at least one score.")
    for name, path in files.items():
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"files has a {type(path).__name__} for {name!r}. Give a path.")
    return {name: Path(path).expanduser() for name, path in files.items()}


def _places(paths: dict[str, Path], drums: bool) -> dict[str, Path]:
    """Name the cached file of each score by all that its tokens depend on.

    Each score has a file of its own, so that a reading that is interrupted goes on where it
    stopped, and that one more score in a folder costs no more than itself.
    """
    folder = _kept.folder("tokens")
    packages = {package: version(package) for package in _MADE_WITH}
    settings = json.dumps([_VERSION, STEPS, bool(drums), packages])
    places = {}
    for name, path in paths.items():
        content = _kept.content_sum(path)
        if content is not None:  # else `read` will say what is wrong with it
            made_from = f"{content} {path.suffix.lower()} {settings}"
            places[name] = folder / sha256(made_from.encode()).hexdigest()
    return places


def _cached(place: Path) -> list[str] | None:
    text = _kept.read(place)
    # One string for each token there is, not for each time it occurs.
    return None if text is None else [sys.intern(token) for token in text.decode().split(" ")]


def _answer(path: Path, drums: bool) -> list[str] | str:
    """Return a score's tokens, or why it has none."""
    try:
        return _tokens(path, drums)
    except InputError as error:
        return str(error)
    except Exception as error:  # music21 raises anything; the other files must not suffer for it
        return f"{path} cannot be read: {type(error).__name__}: {error}"


def _tokens(path: Path, drums: bool) -> list[str]:
    piece = read(path, drums=drums)
    try:
        return tokenise(piece)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error


@contextmanager
def _answers(paths: list[Path], drums: bool, workers: int) -> Iterator[Iterator[list[str] | str]]:
    """Give an iterator over what `_answer` says of each path, in their order."""
    slow = [path for path in paths if path.suffix.lower() not in sources.MIDI_SUFFIXES]
    count = min(workers, len(slow) // _SHARE)
    if count < 2:
        yield (_answer(path, drums) for path in paths)
        return
    with _helpers(count, drums) as ask:
        asked = {path: ask(path) for path in dict.fromkeys(slow)}
        # Meanwhile this process reads MIDI files.
        yield (asked[path].result() if path in asked else _answer(path, drums) for path in paths)


@contextmanager
def _helpers(count: int, drums: bool) -> Iterator[Callable[[Path], Future]]:
    """Give a function that has a path read by one of several processes."""
    helpers, idle = [_Helper(drums) for _ in range(count)], SimpleQueue()
    for helper in helpers:
        idle.put(helper)

    def ask(path: Path) -> list[str] | str:
        helper = idle.get()
        try:
            return helper.ask(path)
        finally:
            idle.put(helper)

    pool = ThreadPoolExecutor(count)
    try:
        yield partial(pool.submit, ask)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for helper in helpers:  # after Ctrl-C each still reads, and a thread waits for it
            helper.kill()
        pool.shutdown()
        for helper in helpers:
            helper.close()


class _Helper:
    """A process that reads scores, since music21 keeps Python's lock while it reads one.

    It is no part of `multiprocessing`, which would run the reader's own script once more.
    """

    def __init__(self, drums: bool) -> None:
        self._drums, self._process, self._log = drums, None, None

    def ask(self, path: Path) -> list[str] | str:
        """Have a path read; if that ends the process, the next path gets another one."""
        if self._process is None:
            self._start()
        try:
            self._process.stdin.write(json.dumps([str(path), self._drums]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:  # it ended before it could listen
            line = ""
        return json.loads(line) if line.endswith("\n") else self._failed(path)

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Let go of a process that has ended."""
        if self._process is not None:
            with suppress(BrokenPipeError), self._process, self._log:
                self._process = None

    def _start(self) -> None:
        package = Path(__file__).resolve().parents[2]
        paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._log = TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
            encoding="ascii",
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )

    def _failed(self, path: Path) -> str:
        code, log = self._process.wait(), self._log
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines()
        self.close()
        if code == 1:  # Python's own way out: not the file is at fault, but all files would fail
            advice = "A process that reads scores stopped. Give workers=1 to do without. It said:"
            raise InputError("\n".join([advice, *lines[-_LAST_LINES:]]))
        return f"{path} cannot be read: the process that read it ended with exit status {code}."
