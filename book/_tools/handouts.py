"""Notebooks to hand out: for students without the solutions, for teachers with notes."""

import ast
import builtins
import re
import symtable
from collections.abc import Collection, Iterable, Iterator
from copy import deepcopy

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from audiostyle_utils.results import duration
from book._tools.common import BuildError

# Tags of cells that only teachers get.
TEACHER, SOLUTION, DISCUSSION = "teacher", "hide-cell", "solution-text"

_BADGE = re.compile(r"^\[!\[Open in Colab\].*\n+", re.MULTILINE)
_DIRECTIVE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ ]*(?P<title>.*)\n"
    r"(?P<options>(?::[\w-]+:.*\n)*)(?P<body>(?:.*\n)*?)(?P=fence)[ ]*$",
    re.MULTILINE,
)
_CITATION = re.compile(r"[ ]?\{cite(?::\w+)?\}`[^`]*`")
_TERM = re.compile(r"^(?P<term>\S.*)\n:[ ]+(?P<text>.*(?:\n[ ]{2,}\S.*)*)", re.MULTILINE)
_PAGE = re.compile(r"\]\(\.\./book/(\w+)\.md(#[^)]*)?\)")
_CHAPTER = re.compile(r"\]\((\d\d_\w+)\.ipynb(#[^)]*)?\)")
_EXERCISE = re.compile(r"^\*\*(\d+)\. ", re.MULTILINE)
_COMMAND = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
# What a notebook has without defining it.
_GIVEN = {*dir(builtins), "display", "get_ipython", "__name__"}


def student(notebook: NotebookNode, handed_out: Collection[str]) -> NotebookNode:
    """Return a chapter without what gives answers away.

    Parameters
    ----------
    notebook : NotebookNode
        A chapter. It is left as it is.
    handed_out : collection of str
        The names of the chapters that lie in the same folder. Links to others lead to the book.

    Returns
    -------
    NotebookNode
        A valid notebook without outputs. Where a solution stood there is a cell for an answer.

    Raises
    ------
    BuildError
        A cell that stays needs a name that only a removed cell defines.
    """
    made = _copy(notebook, _student_cells(notebook.cells), handed_out)
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    if lacking := unknown_names(made.cells):
        named = ", ".join(f"{name!r} (cell {identity})" for identity, name in lacking)
        raise BuildError(
            f"Without the solutions, the chapter no longer knows {named}. Define it in a cell that "
            f"students keep, or tag the cell that needs it {SOLUTION!r} or {TEACHER!r}."
        )
    return made


def teacher(notebook: NotebookNode, notes: str, handed_out: Collection[str]) -> NotebookNode:
    """Return a whole chapter with the notes for its teacher in front."""
    first = new_markdown_cell(notes, id="notes-for-the-teacher")
    return _copy(notebook, [first, *notebook.cells], handed_out)


def teachers_notes(guide: str, number: int, seconds: float | None) -> str:
    """Return what the teaching guide says of a chapter, for the first cell of a notebook.

    Parameters
    ----------
    guide : str
        The text of ``book/teaching.md``.
    number : int
        The chapter's number.
    seconds : float or None
        How long its quick run took where it was measured.

    Raises
    ------
    BuildError
        The guide has no section on this chapter.
    """
    heading = rf"^## Chapter {number} in half a day$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", guide, re.MULTILINE | re.DOTALL)
    if not found:
        raise BuildError(
            f"book/teaching.md has no section “## Chapter {number} in half a day”: write one."
        )
    lines = [f"# For the teacher: chapter {number} in half a day", measured(seconds)]
    text = _TERM.sub(r"- **\g<term>** \g<text>", found[1].strip())
    # The section's own headings, one level up.
    return "\n\n".join([*lines, text.replace("\n### ", "\n## ")])


def measured(seconds: float | None) -> str:
    """Say how long a chapter's quick run took."""
    if seconds is None:
        return "The quick run of this chapter has not been measured: see `make keep` in the README."
    return (
        f"Its quick run took **{duration(seconds)}** when it was measured, on the machine that the "
        "[results page](../book/results.md) names. Try it on the slowest laptop of the room."
    )


def plain(text: str, handed_out: Collection[str] = ()) -> str:
    """Turn the markup of the book into Markdown that Jupyter shows, with links to the built book.

    Parameters
    ----------
    text : str
        Markdown with MyST's directives.
    handed_out : collection of str
        Chapters that a link may open as notebooks.

    Returns
    -------
    str
        The text for a notebook in a folder beside ``book/``, the built book.
    """

    def chapter(link: re.Match) -> str:
        if link[1] in handed_out:
            return link[0]
        return f"](../book/chapters/{link[1]}.html{link[2] or ''})"

    text = _CITATION.sub("", _DIRECTIVE.sub(_directive, _BADGE.sub("", text)))
    text = _PAGE.sub(lambda m: f"](../book/book/{m[1]}.html{m[2] or ''})", text)
    return _CHAPTER.sub(chapter, text)


def unknown_names(cells: Iterable[NotebookNode]) -> list[tuple[str, str]]:
    """Return which names cells need that no cell before them defines, with the cells' ids.

    What a function needs may be defined anywhere: it is looked up when the function is called.
    """
    known, later, found = set(_GIVEN), [], []
    for cell in (cell for cell in cells if cell.cell_type == "code"):
        for statement in ast.parse(_COMMAND.sub(r"\1pass", cell.source)).body:
            now, afterwards, defined = _names(statement)
            found += [(cell.id, name) for name in sorted(now - known)]
            later += [(cell.id, name) for name in sorted(afterwards)]
            known |= defined
    return found + [(identity, name) for identity, name in later if name not in known]


def _names(statement: ast.stmt) -> tuple[set[str], set[str], set[str]]:
    """Return the names that a statement reads at once, those its functions read, and its own."""
    table = symtable.symtable(ast.unparse(statement), "<cell>", "exec")
    symbols = table.get_symbols()
    defined = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    now = {s.get_name() for s in symbols if s.is_referenced()}
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        now.add(statement.target.id)
    elif not isinstance(statement, ast.Assign):
        # The name of a loop is set before it is read.
        now -= defined
    return now, set(_read_inside(table)), defined


def _read_inside(table: symtable.SymbolTable) -> Iterator[str]:
    for child in table.get_children():
        for symbol in child.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                yield symbol.get_name()
        yield from _read_inside(child)


def _copy(
    notebook: NotebookNode, cells: Iterable[NotebookNode], handed_out: Collection[str]
) -> NotebookNode:
    made = deepcopy(notebook)
    made.metadata.pop("audiostyle", None)
    made.cells = [deepcopy(cell) for cell in cells]
    for cell in made.cells:
        cell.metadata.pop("slideshow", None)
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, handed_out)
    return made


def _student_cells(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    # The exercise whose text came last and for which no cell to write in has come.
    waiting = None
    for cell in cells:
        tags = set(cell.metadata.get("tags", ()))
        if numbers := cell.cell_type == "markdown" and _EXERCISE.findall(cell.source):
            waiting = numbers[-1]
        if tags & {TEACHER, DISCUSSION}:
            continue
        if SOLUTION not in tags:
            if cell.cell_type == "code":
                waiting = None
            yield cell
        elif waiting:
            yield new_code_cell(f"# Your answer to exercise {waiting}\n", id=f"answer-{waiting}")
            waiting = None


def _directive(found: re.Match) -> str:
    if found["name"] == "admonition":
        lines = [f"**{found['title']}**", "", *found["body"].strip().splitlines()]
        return "\n".join(f"> {line}".rstrip() for line in lines)
    if found["name"] == "results":
        return "The measured numbers are on the [results page](../book/results.md)."
    return found[0]
