"""Slides of a chapter: the cells that are marked for them, in a page that needs no network."""

import html
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from copy import deepcopy
from pathlib import Path

from nbconvert import SlidesExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from pygments.formatters import HtmlFormatter

from book._tools.common import BuildError, write
from book._tools.handouts import plain

HERE = Path(__file__).with_name("slides")
# A cell is on a slide, or in its notes, if its metadata says one of these.
_SHOWN = ("slide", "subslide", "fragment", "notes")
_LINES_ABOVE_A_PICTURE = 1
_PLACED = ("audiostyle-figure", "audiostyle-video", "audiostyle-player")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class _Renderer(IPythonRenderer):
    """Marks formulas as the book's pages do, for KaTeX to set."""

    def block_math(self, body: str) -> str:
        return f'<div class="math">{html.escape(body)}</div>'

    def inline_math(self, body: str) -> str:
        return f'<span class="math">{html.escape(body)}</span>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


class _Exporter(SlidesExporter):
    """Makes decks from the template beside this file."""

    def default_filters(self):
        yield from super().default_filters()
        yield "markdown2html", lambda text: MarkdownWithMath(renderer=_Renderer(False)).render(text)


def deck(executed: NotebookNode, handed_out: Collection[str] = ()) -> str:
    """Return the page with the slides of an executed chapter.

    Cells without a slide type are left out, so that a deck has what its author chose.

    Raises
    ------
    BuildError
        No cell is marked as a slide.
    """
    notebook = deepcopy(executed)
    notebook.cells = list(_with_headings(notebook.cells))
    if not any(slide_type(cell) == "slide" for cell in notebook.cells):
        raise BuildError(
            "No cell of the chapter is marked as a slide: set slideshow.slide_type in the metadata "
            f"of some cells to one of {', '.join(_SHOWN)}."
        )
    for cell in notebook.cells:
        _prepare(cell, handed_out)
    notebook.metadata["title"] = _title(notebook)
    exporter = _Exporter(
        template_name="deck",
        extra_template_basedirs=[str(HERE)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    return exporter.from_notebook_node(notebook)[0]


def slide_type(cell: NotebookNode) -> str:
    """Return what a cell is on the slides; an unmarked cell is skipped."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "skip")


def assets(folder: Path, katex: Path) -> None:
    """Lay what the decks load beside them: reveal.js, KaTeX and the styles."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "reveal", folder)
    (folder / "LICENSE").rename(folder / "reveal-LICENSE")
    shutil.copytree(katex, folder / "katex")
    for name in ("deck.css", "deck.js"):
        shutil.copy(HERE / name, folder / name)
    write(folder / "code.css", HtmlFormatter(style="default").get_style_defs(".highlight"))


def _prepare(cell: NotebookNode, handed_out: Collection[str]) -> None:
    if cell.cell_type == "markdown":
        cell.source = plain(cell.source, handed_out)
    else:
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        cell.metadata["folded"] = _draws(cell)


def _draws(cell: NotebookNode) -> bool:
    """Tell whether a cell's picture or player needs the place that its code would take."""
    shown = "".join(str(output.get("data", {}).get("text/html", "")) for output in cell.outputs)
    pictures = any(mark in shown for mark in _PLACED)
    pictures |= any("image/png" in output.get("data", {}) for output in cell.outputs)
    return pictures and len(cell.source.splitlines()) > _LINES_ABOVE_A_PICTURE


def _with_headings(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """Yield the cells to show; a slide without a heading repeats, small, the one before it."""
    heading = ""
    for cell in cells:
        own = cell.cell_type == "markdown" and _HEADING.findall(cell.source)
        if heading and not own and slide_type(cell) in ("slide", "subslide"):
            first = new_markdown_cell(f'<p class="running">{html.escape(heading)}</p>')
            first.metadata["slideshow"] = dict(cell.metadata["slideshow"])
            yield first
            # It goes on with the slide that has begun.
            cell.metadata["slideshow"]["slide_type"] = "-"
            yield cell
        elif slide_type(cell) in _SHOWN:
            yield cell
        heading = own[-1] if own else heading


def _title(notebook: NotebookNode) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := _HEADING.search(cell.source)):
            return found[1]
    return "Slides"
