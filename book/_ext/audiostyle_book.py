"""What the book's pages make at build time: the catalogue, players, links to chapters.

Directives
----------
``{catalogue}``     every data set that the package knows of
``{sound} set name``  a player for one file of a data set; its content says what is heard

The tables and figures of results are made in ``audiostyle_results``.
"""

from importlib import import_module
from pathlib import Path

from audiostyle_nodes import chapter_link, facts, folded, linked, literal, table
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


class Catalogue(SphinxDirective):
    """Show every data set: an overview, then what is needed to obtain, use and cite each."""

    def run(self):
        datasets = import_module("audiostyle_utils.datasets")
        for path in Path(datasets.__file__).parent.glob("*.py"):
            self.env.note_dependency(str(path))
        entries = sorted(datasets.catalogue().values(), key=lambda entry: (entry.kind, entry.name))
        rows = [(literal(e.name), e.title, KINDS.get(e.kind, e.kind), e.size) for e in entries]
        overview = table(("Name", "What it holds", "How to get it", "Size"), rows)
        return [overview, *(self._section(entry) for entry in entries)]

    def _section(self, entry):
        section = nodes.section(
            "", nodes.title("", entry.title), names=[nodes.fully_normalize_name(entry.name)]
        )
        self.state.document.note_implicit_target(section, section)
        call = f'audiostyle_utils.load_dataset("{entry.name}")'
        section += nodes.literal_block(call, call, language="python")
        section += facts(
            ("How to get it", HOW.get(entry.kind, entry.kind)),
            ("Size", entry.size),
            ("Licence", entry.licence),
            ("Source", linked(entry.source)),
            ("Cite as", linked(entry.citation)),
            ("Used in", [chapter_link(c, self.env) for c in entry.chapters]),
        )
        if entry.checksums:
            lines = [f"{total}  {name}" for name, total in entry.checksums.items()]
            section += folded("Checksums (SHA-256, or MD5 where it is named)", lines)
        return section


class Sound(SphinxDirective):
    """Play a file of a data set, as a chapter does."""

    required_arguments = 2
    has_content = True

    def run(self):
        audio = import_module("audiostyle_utils.audio")
        dataset, name = self.arguments
        path = import_module("audiostyle_utils.datasets").load_dataset(dataset).files[name]
        player = audio.play(*audio.load(path), " ".join(self.content))
        return [nodes.raw("", player._repr_html_(), format="html")]


KINDS = {"built-in": "built in", "download": "fetched once", "own copy": "your own copy"}
HOW = {
    "built-in": "Nothing to do: it comes with the package, or is made on your machine, offline.",
    "download": (
        "Fetched when first asked for, checked against its hash and kept in the cache; or put "
        "your own copy into the folder that AUDIOSTYLE_DATA names."
    ),
    "own copy": "Put your own copy into the folder that AUDIOSTYLE_DATA names.",
}


def keep_badges_local(app, doctree):
    """Show the Colab badge, which GitHub readers fetch from Colab, from a drawing in the book."""
    for image in doctree.findall(nodes.image):
        if image["uri"] == BADGE:
            image["uri"] = "/book/_static/colab.svg"
            image["classes"].append("audiostyle-badge")


def escape_bars(app, what, name, obj, options, lines):
    """Keep |D| in a docstring a magnitude, where markup would take it for a name to fill in."""
    for i, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[i] = "`".join(parts)


def link_chapters(app, what, name, obj, options, lines):
    """Turn the name under a docstring's “Chapter” heading into a link to that chapter."""
    for i in range(len(lines) - 2):
        if lines[i].strip() != "Chapter" or set(lines[i + 1].strip()) != {"-"}:
            continue
        chapter = lines[i + 2].strip()
        if f"chapters/{chapter}" in app.env.found_docs:
            lines[i + 2] = lines[i + 2].replace(chapter, f":doc:`/chapters/{chapter}`")


def mend_roles(app, pagename, templatename, context, doctree):
    """A list's entries are entries: screen readers pass over a role that is no longer in use."""
    if body := context.get("body"):
        context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app):
    app.add_directive("catalogue", Catalogue)
    app.add_directive("sound", Sound)
    app.connect("html-page-context", mend_roles)
    # Before Sphinx collects the images of a page.
    app.connect("doctree-read", keep_badges_local, priority=100)
    # Before napoleon, which turns the headings of a docstring into markup.
    app.connect("autodoc-process-docstring", escape_bars, priority=400)
    app.connect("autodoc-process-docstring", link_chapters, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
