"""The questions of the chapters: right answers, mistakes, hints, and where they are asked."""

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
import yaml
from bs4 import BeautifulSoup

from audiostyle_utils import InputError, check, exercises, load_chapter
from book._tools.common import Book, BuildError
from book._tools.questions import made_from, main

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "book" / "questions.yml"
QUESTIONS = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PLAIN = """
09-count:
  kind: whole
  answer: 216
  why: One for each post.
  hints: [Think of a fence., Count the posts.]
  mistakes:
    - {answer: 215, hint: You counted the gaps.}
09-share:
  kind: number
  tolerance: 0.05
  answer: -2.5
  why: A half of it.
  hints: [Take the half.]
  mistakes:
    - {answer: -5, hint: That is the whole.}
09-word:
  kind: word
  answer: [cross-entropy, log loss]
  why: It has two names.
  hints: [The loss of a classifier.]
09-choice:
  kind: choice
  choices: [Mel bands, bins, both]
  answer: bins
  why: They are of one width.
  hints: [Think of equal widths.]
"""


@pytest.fixture
def made(tmp_path):
    """The questions above, as the tool makes them."""
    source = tmp_path / "questions.yml"
    source.write_text(PLAIN, encoding="utf-8")
    return json.loads(made_from(source))


@pytest.fixture
def asked(made, monkeypatch):
    """Let `check` know the questions above and no others."""
    monkeypatch.setattr(exercises, "_questions", lambda: made)
    return made


# What check says


@pytest.mark.parametrize(
    "answer",
    [
        216,
        216.0,
        np.int64(216),
        np.float32(216),
        np.array([216]),
        torch.tensor(216),
        torch.tensor([216.0], requires_grad=True),
    ],
    ids=repr,
)
def test_a_count_is_right_whichever_library_it_comes_from(asked, answer):
    verdict = check("09-count", answer)
    assert bool(verdict) is True
    assert str(verdict) == repr(verdict) == "Right. One for each post."


def test_a_tensorflow_number_will_do(asked):
    tensorflow = pytest.importorskip("tensorflow")
    assert check("09-count", tensorflow.constant(216))


def test_a_known_mistake_has_its_own_hint_and_others_the_first(asked):
    assert "You counted the gaps." in str(check("09-count", 215))
    assert "Think of a fence." in str(check("09-count", 217))
    assert "Think of a fence." in str(check("09-count", 215, hint=1))
    assert "Count the posts." in str(check("09-count", 215, hint=2))
    assert not check("09-count", 215)


def test_a_fraction_is_a_wrong_count(asked):
    assert not check("09-count", 216.4)


def test_another_hint_is_offered_while_there_is_one(asked):
    assert "hint=1" in str(check("09-count", 215))
    assert "hint=2" in str(check("09-count", 3))
    assert "hint=" not in str(check("09-count", 3, hint=2))


def test_dots_are_no_answer_yet(asked):
    verdict = check("09-count", ...)
    assert str(verdict) == "No answer yet: put yours in place of the dots."
    assert not verdict
    assert str(check("09-count", ..., hint=2)) == "No answer yet. Hint: Count the posts."
    assert "Choose from: Mel bands, bins, both." in str(check("09-choice", ...))


@pytest.mark.parametrize("answer", np.linspace(-2.55, -2.45, 41))
def test_a_number_within_its_tolerance_is_right(asked, answer):
    assert check("09-share", answer)


@pytest.mark.parametrize("answer", [-2.57, -2.43, 2.5, 0, -25, 1e300])
def test_a_number_beyond_its_tolerance_is_wrong(asked, answer):
    assert not check("09-share", answer)


def test_a_mistaken_number_has_the_same_tolerance(asked):
    assert "That is the whole." in str(check("09-share", -4.96))
    assert "Take the half." in str(check("09-share", -4.9))


@pytest.mark.parametrize(
    "answer", ["cross-entropy", "Cross entropy", " crossentropy ", "CROSS–ENTROPY", "log-loss"]
)
def test_capitals_spaces_and_dashes_do_not_matter(asked, answer):
    assert check("09-word", answer)


def test_another_word_is_wrong(asked):
    assert not check("09-word", "entropy")


@pytest.mark.parametrize(
    ("answer", "right"), [("bins", True), ("Bins", True), ("mel-bands", False)]
)
def test_a_choice_is_taken_by_its_name(asked, answer, right):
    assert bool(check("09-choice", answer)) is right


@pytest.mark.parametrize(
    ("question", "answer", "words"),
    [
        ("09-count", "216", "09-count asks for one number, and the answer is '216'"),
        ("09-count", True, "one number"),
        ("09-count", np.True_, "one number"),
        ("09-count", None, "one number"),
        ("09-count", [1, 2], "one number"),
        ("09-count", np.arange(3), "one number"),
        ("09-count", torch.arange(3), "one number"),
        ("09-share", float("nan"), "one number"),
        ("09-share", float("inf"), "one number"),
        ("09-word", 3, "a word in quotes"),
        ("09-choice", "bin", "these answers: 'bins'"),
        ("09-cuont", 3, "no question '09-cuont'. The nearest are 09-count,"),
        (9, 3, "no question 9"),
    ],
)
def test_what_cannot_be_an_answer_is_refused(asked, question, answer, words):
    with pytest.raises(InputError, match=words):
        check(question, answer)


@pytest.mark.parametrize("hint", [0, 3, True, 1.0])
def test_a_hint_that_is_not_there_is_refused(asked, hint):
    with pytest.raises(InputError, match="09-count: hint is .* from 1 to 2"):
        check("09-count", 3, hint=hint)


@pytest.mark.parametrize(
    ("answer", "mark", "words"),
    [(216, "✓", "Right."), (215, "✗", "Not yet."), (..., "…", "No answer yet")],
)
def test_a_page_shows_the_verdict_in_words_and_for_those_who_listen(asked, answer, mark, words):
    verdict = check("09-count", answer)
    shown = BeautifulSoup(verdict._repr_html_(), "html5lib").body
    assert shown.div["role"] == "status"
    assert shown.strong.text == words
    assert shown.find(attrs={"aria-hidden": "true"}).extract().text == mark
    assert shown.get_text().strip() == str(verdict)
    assert "color:" not in verdict._repr_html_().replace("currentColor", "")


def test_signs_of_html_are_shown_as_they_are():
    shown = exercises.Verdict("right", "a < b & <b>c</b>")._repr_html_()
    assert BeautifulSoup(shown, "html5lib").body.get_text().endswith("a < b & <b>c</b>")


# How questions are made


def test_no_answer_stands_in_what_the_tool_makes(made):
    for name, entry in made.items():
        text = json.dumps({**entry, "right": [], "mistakes": [], "choices": []})
        assert all(answer not in text for answer in ("216", "2.5", "cross", "bins")), name
        assert all(len(key) == 16 for key in [*entry["right"], *entry["mistakes"]])


def test_equal_answers_of_two_questions_have_different_hashes():
    entry = {"kind": "whole"}
    assert exercises.accepted("a", entry, 3) != exercises.accepted("b", entry, 3)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: whole", "kind: digit", "09-count: kind is 'digit': choose one of whole"),
        ("  answer: -2.5\n", "", "09-share lacks answer"),
        ("  tolerance: 0.05\n", "", "09-share lacks tolerance"),
        ("  kind: word", "  kind: word\n  tolerance: 1", "09-word has tolerance"),
        ("hints: [Take the half.]", "hints: Take the half.", "09-share: hints"),
        ("answer: -5,", "answer: -2.4,", "09-share: an answer is right and a mistake"),
        ("answer: bins", "answer: bands", "09-choice has these answers"),
        (PLAIN, "- 1", "holds no questions"),
        (PLAIN, "a: [", "cannot be read"),
    ],
)
def test_a_question_that_is_not_complete_is_refused_by_name(tmp_path, old, new, words):
    source = tmp_path / "questions.yml"
    assert old in PLAIN
    source.write_text(PLAIN.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BuildError, match=words):
        made_from(source)


def test_the_tool_writes_the_file_that_check_reads(tmp_path, monkeypatch, capsys):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "questions.yml").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "audiostyle_utils").mkdir()
    main(Book(tmp_path))
    assert capsys.readouterr().out == "4 questions in audiostyle_utils/exercises.json\n"
    written = (tmp_path / "audiostyle_utils" / "exercises.json").read_text(encoding="utf-8")
    monkeypatch.setattr(exercises, "_questions", lambda: json.loads(written))
    assert check("09-word", "log loss") and not check("09-count", 3)


# The questions of the chapters


def test_the_packages_file_is_made_from_the_plain_one():
    shipped = (ROOT / "audiostyle_utils" / "exercises.json").read_text(encoding="utf-8")
    assert shipped == made_from(SOURCE), "run python -m book._tools.questions"


@pytest.mark.parametrize("name", QUESTIONS)
def test_right_answers_and_mistakes_get_what_was_written_for_them(name):
    question = QUESTIONS[name]
    answers = question["answer"] if isinstance(question["answer"], list) else [question["answer"]]
    for answer in answers:
        assert str(check(name, answer)) == f"Right. {question['why']}"
    for mistake in question.get("mistakes", []):
        assert str(check(name, mistake["answer"])).startswith(f"Not yet. {mistake['hint']} (")


@pytest.mark.parametrize("name", QUESTIONS)
def test_neither_reason_nor_hint_says_the_answer(name):
    question = QUESTIONS[name]
    mistakes = [mistake["hint"] for mistake in question.get("mistakes", [])]
    said = " ".join([question["why"], *question["hints"], *mistakes]).replace(",", "")
    if question["kind"] != "choice":
        answers = question["answer"] if isinstance(question["answer"], list) else []
        answers = answers or [question["answer"]]
        words = [word.strip(".:;()") for word in said.casefold().split()]
        assert not {str(answer).casefold() for answer in answers} & set(words)
    if question["kind"] == "number":
        # Rounded, it would still be taken.
        numbers = [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?", said)]
        assert not [number for number in numbers if check(name, number)]


# The chapters


def cells(path):
    return nbformat.read(path, as_version=4).cells


def is_solution(cell):
    return "hide-cell" in cell.metadata.get("tags", ())


def calls(source):
    """Yield each check("...", <expression>) of a cell, as question and expression."""
    for node in ast.walk(ast.parse(without_commands(source))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "check":
            yield node.args[0].value, node.args[1]


def without_commands(source):
    return "\n".join("" if line.lstrip()[:1] in "%!" else line for line in source.splitlines())


def chapter_test(function):
    return pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)(function)


def in_chapter(path):
    """The questions that a chapter asks, and the cells in which it answers them."""
    code = [cell for cell in cells(path) if cell.cell_type == "code"]
    found = [(cell, name, answer) for cell in code for name, answer in calls(cell.source)]
    asked = [name for cell, name, _ in found if not is_solution(cell)]
    answered = {name: cell for cell, name, _ in found if is_solution(cell)}
    open_ones = [ast.unparse(answer) for cell, _, answer in found if not is_solution(cell)]
    return asked, answered, open_ones


@chapter_test
def test_each_question_is_asked_once_with_dots_and_answered_in_a_solution(path):
    asked, answered, open_ones = in_chapter(path)
    number = path.stem.split("_")[0]
    assert sorted(asked) == sorted(answered)
    assert sorted(asked) == [name for name in sorted(QUESTIONS) if name.startswith(f"{number}-")]
    assert len(asked) >= 4
    assert set(open_ones) == {"..."}


def test_every_question_belongs_to_a_chapter():
    numbers = {path.stem.split("_")[0] for path in CHAPTERS}
    assert {name.split("-")[0] for name in QUESTIONS} == numbers


@chapter_test
def test_a_question_stands_in_prose_above_its_cell_and_its_solution_below(path):
    found = cells(path)
    for number, cell in enumerate(found):
        if cell.cell_type == "code" and not is_solution(cell) and list(calls(cell.source)):
            text = found[number - 1].source
            assert found[number - 1].cell_type == "markdown" and "**Check yourself.**" in text
            (name, _) = next(calls(cell.source))
            assert list(map(first, calls(found[number + 1].source))) == [name]
            for choice in QUESTIONS[name].get("choices", []):
                assert f'`"{choice}"`' in text, f"{name} does not name its choice {choice}"


def first(pair):
    return pair[0]


@chapter_test
def test_computed_answers_are_right(path):
    _, answered, _ = in_chapter(path)
    known = vars(load_chapter(path))
    for name, cell in answered.items():
        *lines, last = ast.parse(cell.source).body
        names = dict(known)
        exec(compile(ast.Module(lines, []), name, "exec"), names)
        verdict = eval(compile(ast.Expression(last.value), name, "eval"), names)
        assert verdict, f"{name}: {verdict}"


@chapter_test
def test_no_cell_needs_what_only_a_solution_defines(path):
    kept, solved = set(), set()
    for cell in cells(path):
        if cell.cell_type == "code":
            nodes = list(ast.walk(ast.parse(without_commands(cell.source))))
            if is_solution(cell):
                solved |= set(defined(nodes))
            else:
                used = {node.id for node in nodes if isinstance(node, ast.Name)}
                kept |= set(defined(nodes))
                assert not used & solved - kept, f"{cell.id} needs {used & solved - kept}"


def defined(nodes):
    """Yield the names that some code gives a meaning."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)


@chapter_test
def test_what_discusses_a_solution_is_tagged(path):
    """Students do not get these cells, so no exercise may stand in one."""
    for above, cell in pairwise(cells(path)):
        if "solution-text" in cell.metadata.get("tags", ()):
            assert cell.cell_type == "markdown" and is_solution(above), cell.id
            assert not re.search(r"^\*\*\d\. |^#", cell.source, re.MULTILINE), cell.id


# Slides


def slide_type(cell):
    return cell.metadata.get("slideshow", {}).get("slide_type")


@chapter_test
def test_a_chapter_has_the_slides_of_a_lecture(path):
    kinds = [slide_type(cell) for cell in cells(path)]
    assert set(kinds) <= {None, "slide", "subslide", "fragment", "notes"}
    assert 12 <= kinds.count("slide") + kinds.count("subslide") <= 35
    assert kinds[0] == "slide"
    assert any("What to remember" in cell.source for cell in cells(path) if slide_type(cell))


@chapter_test
def test_what_is_on_a_slide_fits_on_it(path):
    for cell in cells(path):
        if slide_type(cell) not in (None, "notes"):
            prose = cell.cell_type == "markdown"
            assert not prose or len(cell.source.split()) <= 110, f"{cell.id} is too long"
            assert prose or len(cell.source.splitlines()) <= 12, f"{cell.id} is too long"
            assert not is_solution(cell), f"{cell.id} is a solution"


@chapter_test
def test_a_question_has_a_slide_of_its_own(path):
    shown = [cell for cell in cells(path) if slide_type(cell)]
    for cell, after in pairwise(shown):
        if cell.source.startswith("**Check yourself.**"):
            assert slide_type(cell) == "subslide", cell.id
            assert slide_type(after) in ("slide", "subslide"), f"{after.id} stands below a question"
