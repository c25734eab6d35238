"""The index: entries for the ideas of the chapters, and a place in the table of contents.

``book/index_entries.yml`` says which sections of a chapter an entry leads to. It stands there and
not in the chapters, where such markup would be noise to who reads them as notebooks.
"""

from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

FILE = "book/index_entries.yml"
# The part of the table of contents that the index closes.
PART = "Look things up"
logger = logging.getLogger(__name__)


def read(srcdir):
    """Read the entries: for each chapter, for each heading, the words to be looked up."""
    path = Path(srcdir, FILE)
    if not path.is_file():
        raise ExtensionError(f"{FILE} is missing: it names the entries of the index")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


class AddEntries(SphinxTransform):
    """Put the entries of a chapter before its sections; a heading that is gone is a warning."""

    # Before the domains collect what is to be in the index.
    default_priority = 800

    def apply(self):
        chapter = Path(self.env.docname).name
        if not self.env.docname.startswith("chapters/"):
            return
        self.env.note_dependency(str(Path(self.env.srcdir, FILE)))
        sections = {
            section.next_node(nodes.title).astext(): section
            for section in self.document.findall(nodes.section)
        }
        for heading, words in read(self.env.srcdir).get(chapter, {}).items():
            if heading not in sections:
                logger.warning(f"{FILE}: {chapter} has no heading {heading!r}")
                continue
            self._add(sections[heading], words)

    def _add(self, section, words):
        entries = [("single", word, section["ids"][0], "", None) for word in words]
        section.insert(1, addnodes.index(entries=entries))


def list_index(app, doctree):
    """Close the table of contents with the index, which no file of the book holds."""
    for toctree in doctree.findall(addnodes.toctree):
        if toctree.get("caption") == PART:
            toctree["entries"].append((None, "genindex"))


def setup(app):
    app.add_transform(AddEntries)
    # After the table of contents has come into the first page, before Sphinx reads it there.
    app.connect("doctree-read", list_index, priority=200)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
