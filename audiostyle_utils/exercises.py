"""Tell a learner whether an answer is right, and give a hint if it is not.

The questions lie in ``exercises.json``. It holds short hashes of the answers and not the answers,
so that nobody reads one by accident. That is no lock: the solutions stand in the book.

Authors write questions as plain text in ``book/questions.yml``, and
``python -m book._tools.questions`` makes the file from it. The docstring of that tool says how.
"""

import difflib
import functools
import hashlib
import html
import json
import math
import unicodedata
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from audiostyle_utils._checks import is_whole, whole
from audiostyle_utils.errors import InputError

# A tolerance is cut into so many steps, and every step within it has a hash of its own.
STEPS = 8
_MARKS = {"right": ("✓", "Right."), "wrong": ("✗", "Not yet."), "open": ("…", "No answer yet")}


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `check` found. It is true if the answer is right.

    Parameters
    ----------
    state : str
        ``"right"``, ``"wrong"`` or ``"open"`` (no answer was given yet).
    text : str
        What the learner is told besides: why it is right, or a hint.

    Chapter
    -------
    01_style_transfer
    """

    state: str
    text: str

    def __bool__(self) -> bool:
        """Tell whether the answer is right."""
        return self.state == "right"

    def __repr__(self) -> str:
        """Return the verdict as one line of text."""
        # Only an open answer goes on in the same sentence.
        join = "" if self.state == "open" else " "
        return f"{_MARKS[self.state][1]}{join}{self.text}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        # A mark and words tell the states apart, so that nobody has to see colours.
        mark, words = _MARKS[self.state]
        rest = str(self).removeprefix(words)
        return (
            '<div class="audiostyle-verdict" role="status" '
            'style="border-left: 0.25em solid currentColor; padding: 0.25em 0.75em">'
            f'<span aria-hidden="true">{mark}</span> <strong>{words}</strong>{html.escape(rest)}'
            "</div>"
        )


def check(question: str, answer: Any, *, hint: int | None = None) -> Verdict:
    """Tell whether the answer to a question of a chapter is right.

    Parameters
    ----------
    question : str
        The question's name, as it stands in the chapter, such as ``"01-positions"``.
    answer : int, float, str or Ellipsis
        A number (one of NumPy, PyTorch or TensorFlow will do), a word, or one of the choices that
        the question names. ``...`` means that there is no answer yet.
    hint : int, optional
        The number of the hint to show, 1 for the first. By default a wrong answer gets the hint
        that was written for it, or else the first.

    Returns
    -------
    Verdict
        It is shown as text, and is true if the answer is right.

    Raises
    ------
    InputError
        If there is no such question or hint, or the answer is of the wrong kind.

    Chapter
    -------
    01_style_transfer
    """
    entry = _entry(question)
    hints = entry["hints"]
    number = None if hint is None else whole(hint, f"{question}: hint", 1, len(hints))
    if answer is ...:
        return _open(entry, number)
    key = fingerprint(question, entry, answer)
    if key in entry["right"]:
        return Verdict("right", entry["why"])
    if number is None and key in entry["mistakes"]:
        return Verdict("wrong", f"{entry['mistakes'][key]} (For a hint, add hint=1.)")
    number = number or 1
    more = f" (For another hint, add hint={number + 1}.)" if number < len(hints) else ""
    return Verdict("wrong", hints[number - 1] + more)


def fingerprint(question: str, entry: dict[str, Any], answer: Any) -> str:
    """Return the hash under which an answer is kept.

    Parameters
    ----------
    question : str
        The question's name. Equal answers to two questions have different hashes.
    entry : dict
        What the file says of the question: its ``kind``, and its ``step`` or ``choices``.
    answer : int, float or str

    Raises
    ------
    InputError
        If the answer is of another kind than the question asks for.

    Chapter
    -------
    01_style_transfer
    """
    if entry["kind"] in ("whole", "number"):
        value = _number(question, answer)
        plain = _count(value) if entry["kind"] == "whole" else str(round(value / entry["step"]))
    else:
        plain = _word(question, answer)
        _check_choice(question, entry, plain)
    return _hash(question, plain)


def accepted(question: str, entry: dict[str, Any], answer: Any) -> list[str]:
    """Return the hashes of an answer and of all that lies within its tolerance.

    Parameters
    ----------
    question : str
    entry : dict
        As for `fingerprint`. The tolerance of a ``"number"`` is `STEPS` times its ``step``.
    answer : int, float or str

    Chapter
    -------
    01_style_transfer
    """
    middle = fingerprint(question, entry, answer)
    if entry["kind"] != "number":
        return [middle]
    place = answer / entry["step"]
    cells = range(round(place - STEPS), round(place + STEPS) + 1)
    return [_hash(question, str(cell)) for cell in cells]


def _entry(question: str) -> dict[str, Any]:
    known = _questions()
    if isinstance(question, str) and question in known:
        return known[question]
    near = sorted(known, key=lambda name: -_likeness(name, str(question)))
    raise InputError(f"There is no question {question!r}. The nearest are {', '.join(near[:4])}.")


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


@functools.cache
def _questions() -> dict[str, dict[str, Any]]:
    path = Path(__file__).with_name("exercises.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: install the package again.") from error


def _open(entry: dict[str, Any], number: int | None) -> Verdict:
    if number is not None:
        return Verdict("open", f". Hint: {entry['hints'][number - 1]}")
    listed = f" Choose from: {', '.join(entry['choices'])}." if "choices" in entry else ""
    return Verdict("open", f": put yours in place of the dots.{listed}")


def _number(question: str, answer: Any) -> float:
    """Return a number of Python, whichever library it came from."""
    value = answer
    try:
        # A TensorFlow scalar has no item(), but its NumPy copy has.
        value = value.numpy() if not hasattr(value, "item") and hasattr(value, "numpy") else value
        value = value.item() if hasattr(value, "item") else value
    except (TypeError, ValueError, RuntimeError, OverflowError):
        value = None  # more than one number
    if isinstance(value, bool) or not isinstance(value, Real) or not _is_finite(value):
        plain = " Write it without quotes and units, such as 130 or 3 / 7, with a point."
        raise InputError(
            f"{question} asks for one number, and the answer is {answer!r}."
            + (plain if isinstance(answer, str) else "")
        )
    return int(value) if is_whole(value) else float(value)


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False  # a whole number beyond what can be compared


def _count(value: float) -> str:
    # A fraction is a wrong answer to a question for a count, and no fault of the call.
    return str(int(value)) if value == int(value) else repr(value)


def _word(question: str, answer: Any) -> str:
    """Return a word without what does not matter: capitals, spaces, dashes, marks."""
    if not isinstance(answer, str):
        raise InputError(f"{question} asks for a word in quotes, and the answer is {answer!r}.")
    folded = unicodedata.normalize("NFKC", answer).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def _check_choice(question: str, entry: dict[str, Any], plain: str) -> None:
    choices = entry.get("choices")
    if choices and plain not in [_word(question, choice) for choice in choices]:
        near = sorted(choices, key=lambda choice: -_likeness(_word(question, choice), plain))
        raise InputError(f"{question} has these answers: {', '.join(map(repr, near))}.")


def _hash(question: str, plain: str) -> str:
    return hashlib.sha256(f"{question}\0{plain}".encode()).hexdigest()[:16]
