"""How to cite the book: made from ``CITATION.cff``, which is the one place that says it.

Directives
----------
``{cite-book}``      the reference as text and as BibTeX
``{cite-chapters}``  the same for each chapter, with its title as it stands in the notebook
"""

import json
import re
from pathlib import Path

import yaml
from audiostyle_nodes import chapter_link, linked
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

FILE = "CITATION.cff"
_NEEDED = ("title", "authors", "version", "date-released", "repository-code")


def read(srcdir):
    """Read what the citation file says, and refuse one that lacks a part."""
    path = Path(srcdir, FILE)
    if not path.is_file():
        raise ExtensionError(f"{FILE} is missing: the page on citing is made from it")
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    if lacking := [key for key in _NEEDED if not known.get(key)]:
        raise ExtensionError(f"{FILE} lacks {', '.join(lacking)}")
    return known


def authors(known):
    """Name the authors, in their order."""
    return [
        one.get("name") or f"{one.get('given-names', '')} {one['family-names']}".strip()
        for one in known["authors"]
    ]


def text(known, chapter=None):
    """Return the reference as a sentence."""
    year = str(known["date-released"])[:4]
    version = f"Version {known['version']}, {known['date-released']}"
    what = f"{known['title']}. {version}"
    if chapter:
        what = f"{chapter}. In: {what}"
    return f"{', '.join(authors(known))} ({year}). {what}. {known['repository-code']}"


def bibtex(known, chapter=None, key=""):
    """Return the reference for BibTeX."""
    # Braces keep a group's name in one piece, and the capitals of a title.
    by = " and ".join(f"{{{name}}}" for name in authors(known))
    year = str(known["date-released"])[:4]
    fields = {"author": by, "title": f"{{{chapter or known['title']}}}"}
    if chapter:
        fields["booktitle"] = f"{{{known['title']}}}"
    fields |= {
        "year": year,
        "version": str(known["version"]),
        "date": str(known["date-released"]),
        "url": known["repository-code"],
    }
    kind = "incollection" if chapter else "book"
    lines = [f"  {name:<9} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{audiostyle{year}{key},", *lines, "}"])


def chapters(srcdir):
    """Yield the name and the title of each chapter."""
    for path in sorted(Path(srcdir, "chapters").glob("[0-9]*_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        title = re.search(r"^# (.+)$", "\n".join(prose), re.MULTILINE)
        if title is None:
            raise ExtensionError(f"chapters/{path.name} has no title: begin it with '# ...'")
        yield path.stem, title[1].strip()


def block(content):
    return nodes.literal_block(content, content, language="bibtex")


class CiteBook(SphinxDirective):
    """Show how to cite the book."""

    def run(self):
        self.env.note_dependency(str(Path(self.env.srcdir, FILE)))
        known = read(self.env.srcdir)
        return [nodes.paragraph("", "", *linked(text(known))), block(bibtex(known))]


class CiteChapters(SphinxDirective):
    """Show how to cite each chapter."""

    def run(self):
        self.env.note_dependency(str(Path(self.env.srcdir, FILE)))
        known = read(self.env.srcdir)
        shown = []
        for name, title in chapters(self.env.srcdir):
            self.env.note_dependency(str(Path(self.env.srcdir, "chapters", f"{name}.ipynb")))
            shown.append(nodes.paragraph("", "", chapter_link(name, self.env)))
            shown.append(block(bibtex(known, title, name.partition("_")[2].replace("_", ""))))
        return shown


def setup(app):
    app.add_directive("cite-book", CiteBook)
    app.add_directive("cite-chapters", CiteChapters)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
