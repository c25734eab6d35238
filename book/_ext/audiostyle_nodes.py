"""What pages are made of: tables, lists of facts, folded lines, links to chapters."""

import math

from docutils import nodes
from sphinx import addnodes

# Cells of up to so many letters are kept on one line.
SHORT = 18


def number(value):
    """Four significant digits, thousands apart; whole numbers as they are."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value and abs(value) < 1e-3:
        return f"{value:.2e}"
    digits = 3 - math.floor(math.log10(abs(value))) if value else 1
    return f"{value:.{max(digits, 0)}f}".rstrip("0").rstrip(".") or "0"


def described(data):
    if isinstance(data, dict):
        return ", ".join(f"{key} {value}" for key, value in data.items())
    return str(data)


def literal(text):
    return nodes.literal("", text)


def linked(text):
    """A text whose web addresses can be followed."""
    parts = []
    for i, word in enumerate(str(text).split(" ")):
        space = " " if i else ""
        address = word.strip("<>().,;")
        if not address.startswith(("http://", "https://")):
            parts.append(nodes.Text(space + word))
            continue
        before, after = word.split(address, 1)
        link = nodes.reference("", address, refuri=address)
        parts += [nodes.Text(space + before), link, nodes.Text(after)]
    return parts


def chapter_link(name, env, words=None):
    """A link with the chapter's title, or other words; only its name where it is not built."""
    docname = f"chapters/{name}"
    if docname not in env.found_docs:
        return nodes.literal("", name)
    return addnodes.pending_xref(
        "",
        nodes.inline("", words or name),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{docname}",
        refdoc=env.docname,
        refexplicit=words is not None,
        refwarn=True,
    )


def cell_content(content):
    if isinstance(content, list):
        spaced = [part for item in content for part in (nodes.Text(" "), item)][1:]
        return spaced if any(isinstance(i, addnodes.pending_xref) for i in content) else content
    return [content if isinstance(content, nodes.Node) else nodes.Text(str(content))]


def facts(*pairs):
    """A list of names and what holds for them, without the empty ones."""
    body = nodes.field_list(classes=["audiostyle-facts"])
    for name, content in pairs:
        if content in ("", [], None):
            continue
        paragraph = nodes.paragraph("", "", *cell_content(content))
        body += nodes.field("", nodes.field_name("", name), nodes.field_body("", paragraph))
    return body


def table(heads, rows, numeric=()):
    """A table that scrolls within itself where the screen is narrower.

    A row of one cell goes across the whole table.
    """
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    classes = [["audiostyle-number"] if head in numeric else [] for head in heads]
    group += nodes.thead("", _row(heads, classes))
    group += nodes.tbody("", *(_row(row, classes) for row in rows))
    return nodes.container(
        "", nodes.table("", group, classes=["audiostyle-table"]), classes=["audiostyle-scroll"]
    )


def _row(cells, classes):
    row = nodes.row()
    if len(cells) == 1 < len(classes):
        paragraph = nodes.paragraph("", "", *cell_content(cells[0]))
        row += nodes.entry("", paragraph, morecols=len(classes) - 1, classes=["audiostyle-across"])
        return row
    for cell, names in zip(cells, classes, strict=True):
        paragraph = nodes.paragraph("", "", *cell_content(cell))
        short = ["audiostyle-short"] if len(paragraph.astext()) <= SHORT else []
        row += nodes.entry("", paragraph, classes=names + short)
    return row


def folded(summary, lines):
    """Lines that are shown when a reader asks for them."""
    return [
        nodes.raw("", f"<details><summary>{summary}</summary>", format="html"),
        nodes.literal_block("", "\n".join(lines).strip(), language="none"),
        nodes.raw("", "</details>", format="html"),
    ]
