"""Make the package's file of questions from the plain text that authors write.

To add a question, write it into ``book/questions.yml`` and run ``python -m book._tools.questions``.
Then ask it in a chapter: its text in prose, a cell with ``check("01-frames", ...)``, and the same
with the computed answer at the end of a solution. The tests see to it that all of this agrees.
An entry looks like this::

    01-frames:
      kind: number        # or whole, word, choice
      tolerance: 0.05     # only a number has one
      answer: 2.5         # or a list of answers that are all right
      why: One sentence that a right answer gets. It explains, and does not repeat the answer.
      hints:              # one or more; a wrong answer gets the first
        - What to think of first.
      mistakes:           # may be left out: wrong answers that have a hint of their own
        - answer: 5.0
          hint: You took the whole and not the half.

A choice lists its ``choices``. Capitals, spaces and dashes do not matter in words and choices.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from audiostyle_utils.errors import InputError
from audiostyle_utils.exercises import STEPS, accepted
from book._tools.common import Book, BuildError, run, write

NEEDED = {"kind", "answer", "why", "hints"}
# What each kind has besides, and must have.
KINDS = {"whole": set(), "number": {"tolerance"}, "word": set(), "choice": {"choices"}}


def made_from(source: Path) -> str:
    """Return the text of the package's file for the questions in a plain one.

    Raises
    ------
    BuildError
        The file cannot be read, or a question in it is not complete; the message names it.
    """
    try:
        plain = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BuildError(f"{source} cannot be read: {error}") from error
    if not isinstance(plain, dict):
        raise BuildError(f"{source} holds no questions: give each a name.")
    made = {name: hashed(name, plain[name]) for name in sorted(plain)}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def hashed(name: str, question: dict[str, Any]) -> dict[str, Any]:
    """Return a question with its answers replaced by their hashes."""
    check_complete(name, question)
    entry = {key: question[key] for key in ("kind", "choices") if key in question}
    if "tolerance" in question:
        entry["step"] = question["tolerance"] / STEPS
    try:
        right = [
            key for answer in _listed(question["answer"]) for key in accepted(name, entry, answer)
        ]
        mistakes = {
            key: mistake["hint"]
            for mistake in question.get("mistakes", [])
            for key in accepted(name, entry, mistake["answer"])
        }
    except InputError as error:
        raise BuildError(f"questions.yml: {error}") from error
    if set(right) & set(mistakes):
        raise BuildError(f"{name}: an answer is right and a mistake as well. Part them further.")
    texts = {"why": question["why"], "hints": question["hints"]}
    return {**entry, "right": right, "mistakes": mistakes, **texts}


def check_complete(name: str, question: dict[str, Any]) -> None:
    """Refuse a question that lacks something, or has too much."""
    kind = question.get("kind") if isinstance(question, dict) else None
    if kind not in KINDS:
        raise BuildError(f"{name}: kind is {kind!r}: choose one of {', '.join(KINDS)}.")
    needed = NEEDED | KINDS[kind]
    if missing := needed - set(question):
        raise BuildError(f"{name} lacks {', '.join(sorted(missing))}.")
    if unknown := set(question) - needed - {"mistakes"}:
        raise BuildError(f"{name} has {', '.join(sorted(unknown))}: a {kind} has no such thing.")
    if not isinstance(question["hints"], list) or not question["hints"]:
        raise BuildError(f"{name}: hints must be a list of one hint or more.")


def _listed(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [answer]


def main(book: Book) -> None:
    """Make the file anew, and say how many questions it has."""
    target = book.root / "audiostyle_utils" / "exercises.json"
    text = made_from(book.root / "book" / "questions.yml")
    write(target, text)
    print(f"{len(json.loads(text))} questions in {target.relative_to(book.root)}")


if __name__ == "__main__":
    run(main)
