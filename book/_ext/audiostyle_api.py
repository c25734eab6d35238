"""Links from the chapters to the package: each chapter ends in a list of what it uses of it.

The way back, from a function to its chapter, is the section “Chapter” of its docstring.
"""

import ast
import json
from importlib import import_module
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.nodes import make_refnode

PACKAGE = "audiostyle_utils"


def code_of(path):
    """Return the code of a notebook without the lines that only Jupyter understands."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return "\n".join(line for line in code.splitlines() if not line.lstrip().startswith(("%", "!")))


def imported(tree):
    """Return what the names of a notebook stand for, as far as they are of the package."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name: a.name for a in node.names if a.name == PACKAGE}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def dotted(node):
    """Return a name such as a.b.c, or nothing where it is more than a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def used(code):
    """Return the functions and classes of the package that some code names, with their names."""
    tree = ast.parse(code)
    names = imported(tree)
    found = {}
    for node in ast.walk(tree):
        first, *rest = dotted(node).split(".")
        if first in names:
            path, thing = resolved(".".join([names[first], *rest]))
            if callable(thing) and getattr(thing, "__module__", "").startswith(PACKAGE):
                found[path] = thing
    return found


def resolved(path):
    """Follow a dotted path as far as functions and classes go, not to what these hold."""
    thing, place = import_module(PACKAGE), PACKAGE
    for part in path.split(".")[1:]:
        if callable(thing):
            break
        try:
            thing = getattr(thing, part)
        except AttributeError:
            thing = import_module(f"{place}.{part}")
        place = f"{place}.{part}"
    return place, thing


def address(objects, path, thing):
    """Return the name under which an object is documented: as it is called, or where it is."""
    module = thing.__module__
    places = [path.rpartition(".")[0], module, module.rpartition(".")[0]]
    for name in (f"{place}.{thing.__qualname__}" for place in places):
        if name in objects:
            return name
    return None


def links(app, docname, things):
    """Yield a link to each function and class, in alphabetical order."""
    objects = app.env.get_domain("py").objects
    for path, thing in sorted(things.items()):
        name = address(objects, path, thing)
        if name is None:
            raise ExtensionError(f"{docname} uses {path}, which is on no page of the API: add it")
        short = name.removeprefix(f"{PACKAGE}.")
        there = objects[name]
        label = nodes.literal("", short)
        yield make_refnode(app.builder, docname, there.docname, there.node_id, label, short)


def list_used(app, doctree, docname):
    """Close a chapter with what it uses of the package."""
    path = Path(app.srcdir, f"{docname}.ipynb")
    if not docname.startswith("chapters/") or not path.is_file():
        return
    found = list(links(app, docname, used(code_of(path))))
    if not found:
        return
    parts = [part for link in found for part in (nodes.Text(", "), link)][1:]
    summary = f"From the package: the {len(found)} functions and classes that this chapter uses"
    section = doctree.next_node(nodes.section)
    section += nodes.raw("", f"<details><summary>{summary}</summary>", format="html")
    section += nodes.paragraph("", "", *parts, nodes.Text("."), classes=["audiostyle-used"])
    section += nodes.raw("", "</details>", format="html")


def setup(app):
    app.connect("doctree-resolved", list_used)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
