"""The first page: what each chapter makes, to see and to hear, and which chapter is for whom.

Directives
----------
``{gallery}``    one piece for each chapter of ``book/gallery.yml``: a still, a sound before and
                 after, what one gives and what one gets
``{choosing}``   a table of the same chapters, with the times that were measured

The stills and the sounds are outputs of the chapters' own cells, so that nothing is shown here that
a chapter has not made. Each is named as ``cell`` or ``cell/number`` where a cell has several.
"""

import html
import json
import re
from pathlib import Path

import nbformat
import yaml
from audiostyle_nodes import chapter_link, table
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from audiostyle_utils.results import duration

FILE = "book/gallery.yml"
# What is taken of a cell: the first markup with such an element, or else what it printed.
KINDS = {"still": "<img ", "film": "<video "}
SOUNDS = {"before": "<audio ", "after": "<audio ", "also": "<audio ", "said": ""}
NOT_RUN = "To be seen and heard here once the chapters have been run: make book does it."
PROFILES = ("quick", "colab", "full")


class Gallery(SphinxDirective):
    """One piece for each chapter, in the order of the file."""

    def run(self):
        return [self._piece(number, entry) for number, entry in enumerate(pieces(self.env), 1)]

    def _piece(self, number, entry):
        title = f"{number}. {entry['title']}"
        section = nodes.section(
            "", nodes.title("", title), names=[nodes.fully_normalize_name(title)]
        )
        section["classes"].append("audiostyle-piece")
        self.state.document.note_implicit_target(section, section)
        notebook = read_notebook(self.env, entry["chapter"])
        picture = nodes.container(classes=["audiostyle-still"])
        picture += self._outputs(notebook, entry, KINDS)
        words = nodes.container(classes=["audiostyle-words"])
        words += self._parsed(entry["promise"])
        words += self._parsed(f"**You give** {entry['give']}. **You get** {entry['get']}.")
        words += nodes.paragraph("", "", *doors(entry, self.env), classes=["audiostyle-doors"])
        sounds = nodes.container(classes=["audiostyle-sounds"])
        sounds += self._outputs(notebook, entry, SOUNDS)
        section += [picture, words, sounds]
        return section

    def _outputs(self, notebook, entry, kinds):
        # In the order of the file.
        return [self._output(notebook, entry, name, kinds[name]) for name in entry if name in kinds]

    def _output(self, notebook, entry, name, kind):
        try:
            markup = output(notebook, entry[name], kind)
        except LookupError as error:
            raise self.error(f"{FILE}, {entry['chapter']}, {name}: {error}") from error
        if markup is None:
            return nodes.paragraph("", NOT_RUN)
        if name == "said":
            quoted = nodes.block_quote("", nodes.paragraph("", markup.strip()))
            return nodes.container("", nodes.paragraph("", entry["said_is"]), quoted)
        return nodes.raw("", described(markup, entry.get(f"{name}_is")), format="html")

    def _parsed(self, text):
        parsed = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines()), 0, parsed)
        return parsed.children


class Choosing(Gallery):
    """One row for each chapter: what it needs and how long it takes."""

    def run(self):
        heads = ("Chapter", "You give, you get", *PROFILES, "GPU", "Follows")
        rows = [self._row(entry) for entry in pieces(self.env)]
        # A profile that nobody has measured yet needs no column.
        columns = enumerate(zip(*rows, strict=True))
        said = [i for i, column in columns if any(cell != "–" for cell in column)]
        heads, rows = [heads[i] for i in said], [[row[i] for i in said] for row in rows]
        shown = table(heads, rows, numeric=set(PROFILES))
        shown["classes"].append("audiostyle-choosing")
        return [shown]

    def _row(self, entry):
        runs = {profile: f"{entry['chapter']}-{profile}" for profile in PROFILES}
        runs |= entry.get("runs", {})
        source = [node for part in self._parsed(entry["source"]) for node in part.children]
        return (
            [chapter_link(entry["chapter"], self.env)],
            f"{entry['give']}; {entry['get']}",
            *(taken(self.env, runs[profile]) for profile in PROFILES),
            entry["gpu"],
            nodes.inline("", "", *source),
        )


def pieces(env):
    """Read the file of pieces; the page is made anew when it changes."""
    path = Path(env.srcdir, FILE)
    env.note_dependency(str(path))
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_notebook(env, chapter):
    path = Path(env.srcdir, "chapters", f"{chapter}.ipynb")
    env.note_dependency(str(path))
    return nbformat.read(path, as_version=4)


def output(notebook, name, kind):
    """Return the markup that a cell gave, or None where the chapter has not been run.

    Raises
    ------
    LookupError
        There is no such cell, or it gave nothing of this kind.
    """
    cell_id, _, number = str(name).partition("/")
    cells = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    if cell_id not in cells:
        raise LookupError(f"no code cell has the id {cell_id!r}")
    if not any(cell.execution_count for cell in cells.values()):
        return None
    outputs = cells[cell_id].outputs
    if not kind:
        return "".join(out.text for out in outputs if out.get("name") == "stdout")
    shown = [out.data.get("text/html", "") for out in outputs if "data" in out]
    found = [markup for markup in shown if kind in markup]
    if int(number or 0) >= len(found):
        raise LookupError(f"cell {cell_id!r} shows {len(found)} of {kind.strip('< ')}")
    return found[int(number or 0)]


def described(markup, words):
    """Give a player or a picture other words than it has in its chapter."""
    if words is None:
        return markup
    words = html.escape(words, quote=True)
    markup = re.sub(r'(aria-label|alt)="[^"]*"', lambda old: f'{old[1]}="{words}"', markup)
    caption = r"(<figcaption[^>]*>).*?(</figcaption>)"
    return re.sub(caption, lambda old: f"{old[1]}{words}{old[2]}", markup, flags=re.S)


def taken(env, run):
    """Say how long a recorded run took, such as that of 01_style_transfer-quick."""
    if run is None:
        return "–"
    path = Path(env.srcdir, "results", f"{run}.json")
    env.note_dependency(str(path))
    if not path.is_file():
        return "–"
    return duration(json.loads(path.read_text(encoding="utf-8"))["seconds"])


def doors(entry, env):
    """Link to the chapter, and to the same chapter in Colab."""
    address = env.config.html_theme_options["repository_url"].partition("github.com/")[2]
    branch = env.config.html_theme_options.get("repository_branch", "main")
    there = f"github/{address.strip('/')}/blob/{branch}/chapters/{entry['chapter']}.ipynb"
    colab = nodes.reference("", "", refuri=f"https://colab.research.google.com/{there}")
    colab += nodes.Text("Run it in Colab")
    chapter = chapter_link(entry["chapter"], env, "Open the chapter")
    return [chapter, nodes.Text(" "), colab]


def setup(app):
    app.add_directive("gallery", Gallery)
    app.add_directive("choosing", Choosing)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
