"""Formulas set by KaTeX from a copy that lies in the book, so that they need no network."""

import re

from docutils import nodes
from sphinx.util.math import get_node_equation_number


def visit_math(writer, node):
    writer.body.append(writer.starttag(node, "span", "", CLASS="math"))
    writer.body.append(f"{writer.encode(node.astext())}</span>")
    raise nodes.SkipNode


def visit_displaymath(writer, node):
    writer.body.append(writer.starttag(node, "div", CLASS="math-block"))
    formula = writer.encode(_display(node))
    # A formula that is wider than a phone scrolls, so it must be reachable with the keyboard.
    writer.body.append(f'<div class="math" tabindex="0">{formula}</div>')
    if node.get("number"):
        number = get_node_equation_number(writer, node)
        writer.body.append(f'<span class="eqno">({number})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def _display(node):
    """Stack lines that are broken, and leave all numbering to Sphinx."""
    text = re.sub(r"(\\(?:begin|end)\{(?:align|alignat|equation|gather))\}", r"\1*}", node.astext())
    if r"\\" not in text or r"\begin" in text:
        return text
    environment = "aligned" if "&" in text else "gathered"
    return rf"\begin{{{environment}}}{text}\end{{{environment}}}"


def add_katex(app, pagename, templatename, context, doctree):
    """Only pages that hold a formula pay for KaTeX."""
    if doctree is None or not app.env.get_domain("math").has_equations(pagename):
        return
    app.add_css_file("katex/katex.min.css")
    app.add_js_file("katex/katex.min.js", loading_method="defer")
    app.add_js_file("formulas.js", loading_method="defer")


def setup(app):
    app.add_html_math_renderer("katex", (visit_math, None), (visit_displaymath, None))
    app.connect("html-page-context", add_katex)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
