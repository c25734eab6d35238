"""What the book's pages make at build time: tables of results, the catalogue, links to chapters.

Directives
----------
``{results}``       every file of ``results/`` as a section with its circumstances and its numbers
``{results} 01``    the tables of one chapter, to be shown inside another page; with
                    ``:variant: none`` those of the chapter itself, without its benchmarks
``{catalogue}``     every data set that the package knows of
``{sound} set name``  a player for one file of a data set; its content says what is heard

Roles
-----
``{quicktime}`01` ``  how long the quick run of a chapter took; of several, as in `01 05`, in all
"""

import json
import math
from importlib import import_module
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

NOTHING_YET = (
    "Nothing has been measured yet. Run a chapter with “make chapter”, keep its numbers with "
    "“make keep”, and build the book again."
)

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"

# Cells of up to so many letters are kept on one line.
SHORT = 18
# Letters in the names of all groups together, beyond which columns leave a page.
_WIDE = 60


class Results(SphinxDirective):
    """Show recorded results: all of them as sections, or those of one chapter as tables."""

    optional_arguments = 1
    option_spec = {"profile": directives.unchanged, "variant": directives.unchanged}

    def run(self):
        found = [entry for entry in self._load() if self._wanted(entry)]
        if not found:
            return [nodes.paragraph("", NOTHING_YET)]
        if self.arguments:
            return [node for entry in found for node in self._inside(entry)]
        return [self._section(entry) for entry in found]

    def _load(self):
        names = []
        entries = []
        for path in result_files(self.env.srcdir):
            names.append(path.name)
            self.env.note_dependency(str(path))
            entries.append({**json.loads(path.read_text(encoding="utf-8")), "file": path.name})
        shown = self.env.metadata[self.env.docname]
        shown["audiostyle_results"] = " ".join(names)
        return sorted(entries, key=reading_order)

    def _wanted(self, entry):
        prefix = self.arguments[0] if self.arguments else ""
        return entry["chapter"].startswith(prefix) and all(
            (entry.get(key) or "none") == wanted for key, wanted in self.options.items()
        )

    def _inside(self, entry):
        where = nodes.paragraph(
            "",
            f"Measured on {described(entry['data'])}; {machine(entry['machine'])}; "
            f"{entry['date'][:10]}.",
            classes=["audiostyle-circumstances"],
        )
        return [metrics_table(entry["metrics"]), where]

    def _section(self, entry):
        title = run_title(entry)
        section = nodes.section(
            "", nodes.title("", title), names=[nodes.fully_normalize_name(title)]
        )
        self.state.document.note_implicit_target(section, section)
        section += circumstances(entry, self.env)
        section += metrics_table(entry["metrics"])
        section += details(entry)
        return section


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


class QuickTime(SphinxRole):
    """Say how long the quick runs of some chapters took, as their results have it."""

    def run(self):
        files = result_files(self.env.srcdir)
        self.env.metadata[self.env.docname]["audiostyle_results"] = " ".join(p.name for p in files)
        quick = {path.name[:2]: path for path in files if path.stem.endswith("-quick")}
        found = [quick.get(number) for number in self.text.split()]
        if None in found:
            return [nodes.Text("not measured yet")], []
        for path in found:
            self.env.note_dependency(str(path))
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in found]
        return [nodes.Text(minutes_and_seconds(sum(run["seconds"] for run in runs)))], []


KINDS = {"built-in": "built in", "download": "fetched once", "own copy": "your own copy"}
HOW = {
    "built-in": "Nothing to do: it comes with the package, or is made on your machine, offline.",
    "download": (
        "Fetched when first asked for, checked against its hash and kept in the cache; or put "
        "your own copy into the folder that AUDIOSTYLE_DATA names."
    ),
    "own copy": "Put your own copy into the folder that AUDIOSTYLE_DATA names.",
}


def reading_order(entry):
    """Chapters in their order, small profiles first, variants after the run that they vary."""
    profiles = ("quick", "colab", "full")
    return entry["chapter"], profiles.index(entry["profile"]), entry.get("variant") or ""


def result_files(srcdir):
    return sorted(Path(srcdir, "results").glob("*.json"))


def run_title(entry):
    first, _, words = entry["chapter"].partition("_")
    name = f"Chapter {int(first)}, {words.replace('_', ' ')}" if first.isdigit() else first
    variant = f", {entry['variant'].replace('_', ' ')}" if entry.get("variant") else ""
    return f"{name}: {entry['profile']} profile{variant}"


def circumstances(entry, env):
    return facts(
        ("Chapter", [chapter_link(entry["chapter"], env)]),
        ("Data", described(entry["data"])),
        ("Machine", machine(entry["machine"])),
        ("Date", entry["date"][:10]),
        ("Command", literal(entry["command"])),
        ("Time taken", f"{number(entry['seconds'])} s"),
        ("File", literal(f"results/{entry['file']}")),
    )


def machine(facts_of_machine):
    known = facts_of_machine
    parts = [known.get("processor"), known.get("cores") and f"{known['cores']} cores"]
    parts += [known.get("memory_gb") and f"{number(known['memory_gb'])} GB of memory"]
    parts += [known.get("gpu") or "no GPU", known.get("system")]
    return ", ".join(str(part) for part in parts if part)


def details(entry):
    lines = [f"{key} = {value}" for key, value in entry["settings"].items()]
    lines += ["", *(f"{key} {value}" for key, value in entry.get("versions", {}).items())]
    return folded("Settings and versions", lines)


def folded(summary, lines):
    """Lines that are shown when a reader asks for them."""
    return [
        nodes.raw("", f"<details><summary>{summary}</summary>", format="html"),
        nodes.literal_block("", "\n".join(lines).strip(), language="none"),
        nodes.raw("", "</details>", format="html"),
    ]


def metrics_table(metrics):
    """One row for each measure; one column for each group where groups are compared.

    Where there are many groups, or long names, and few measures it is the other way round: a page
    is narrow. Where most of such a table would be empty, measures that have other groups get a
    table of their own; and if even that does not help, each value has a row.
    """
    if any(metric.get("group") for metric in metrics):
        return comparison_table(metrics)
    with_data = any(metric.get("data") for metric in metrics)
    heads = ("Measure", *(["On"] if with_data else []), "Value", "Unit", "Better")
    rows = [
        (
            m["metric"],
            *([described(m.get("data", ""))] if with_data else []),
            number(m["value"]),
            m["unit"],
            m.get("better", ""),
        )
        for m in metrics
    ]
    return table(heads, rows, numeric={"Value"})


def comparison_table(metrics):
    groups = sorted(dict.fromkeys(metric.get("group", "") for metric in metrics), key=_place)
    cells = {}
    for m in metrics:
        row = (m["metric"], described(m.get("data", "")), m["unit"], m.get("better", ""))
        cells.setdefault(row, {})[m.get("group", "")] = m["value"]
    if 3 * sum(map(len, cells.values())) < len(groups) * len(cells):
        return split_tables(metrics, cells)
    letters = sum(map(len, groups))
    many = len(groups) >= 4 * len(cells) or letters > 3 * _WIDE
    if many or (len(cells) < 4 and letters > _WIDE):
        return turned_table(cells)
    with_data = any(row[1] for row in cells)
    heads = ("Measure", *(["On"] if with_data else []), *(g or "Value" for g in groups), "Unit")
    rows = [
        (
            name,
            *([data] if with_data else []),
            *(_compared(values, group, better) for group in groups),
            unit,
        )
        for (name, data, unit, better), values in cells.items()
    ]
    return table(heads, rows, numeric={g or "Value" for g in groups})


def split_tables(metrics, cells):
    """One table for all measures of the same groups, or one list if few of them share any."""
    blocks = {}
    for key, values in cells.items():
        blocks.setdefault(frozenset(values), set()).add(key[0])
    if not 1 < len(blocks) < min(5, len(cells)):
        return listed_table(cells)
    tables = [
        comparison_table([metric for metric in metrics if metric["metric"] in names])
        for names in blocks.values()
    ]
    return nodes.container("", *tables)


def turned_table(cells):
    """One row for each group, in the order in which they were measured; one column a measure."""
    groups = dict.fromkeys(group for values in cells.values() for group in values)
    heads = {
        key: ", ".join(filter(None, key[:2])) + (f" ({key[2]})" if key[2] else "") for key in cells
    }
    rows = [
        (group or "Value", *(_compared(cells[key], group, key[3]) for key in cells))
        for group in groups
    ]
    return table(("What", *heads.values()), rows, numeric=set(heads.values()))


def listed_table(cells):
    """One row for each value: few groups have the same measures, and a grid would be empty."""
    rows = [
        (
            ", ".join(filter(None, key[:2])),
            group or "Value",
            _compared(values, group, key[3]),
            key[2],
        )
        for key, values in cells.items()
        for group in sorted(values, key=_place)
    ]
    return table(("Measure", "What", "Value", "Unit"), rows, numeric={"Value"})


def _place(group):
    """Put the published method and ours first: a phone shows two columns without scrolling."""
    return not group.startswith("published"), group != "ours"


def _compared(values, group, better):
    if group not in values:
        return "–"
    text = number(values[group])
    best = {"lower": min, "higher": max}.get(better)
    if best and len(values) > 1 and values[group] == best(values.values()):
        return nodes.strong("", text)
    return text


def number(value):
    """Four significant digits, thousands apart; whole numbers as they are."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value and abs(value) < 1e-3:
        return f"{value:.2e}"
    digits = 3 - math.floor(math.log10(abs(value))) if value else 1
    return f"{value:.{max(digits, 0)}f}".rstrip("0").rstrip(".") or "0"


def minutes_and_seconds(seconds):
    """Write 131.3 as 2 min 11 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


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


def chapter_link(name, env):
    """A link that carries the chapter's title, or its name where the chapter is not built."""
    docname = f"chapters/{name}"
    if docname not in env.found_docs:
        return nodes.literal("", name)
    return addnodes.pending_xref(
        "",
        nodes.inline("", name),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{docname}",
        refdoc=env.docname,
        refexplicit=False,
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
    """A table that scrolls within itself where the screen is narrower."""
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
    for cell, names in zip(cells, classes, strict=True):
        paragraph = nodes.paragraph("", "", *cell_content(cell))
        short = ["audiostyle-short"] if len(paragraph.astext()) <= SHORT else []
        row += nodes.entry("", paragraph, classes=names + short)
    return row


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


def pages_whose_results_changed(app, env, added, changed, removed):
    """Read a page again when a result has come or gone; a changed one is a noted dependency."""
    now = " ".join(path.name for path in result_files(env.srcdir))
    return [
        page for page, data in env.metadata.items() if data.get("audiostyle_results", now) != now
    ]


def setup(app):
    app.add_directive("results", Results)
    app.add_directive("catalogue", Catalogue)
    app.add_directive("sound", Sound)
    app.add_role("quicktime", QuickTime())
    # Before Sphinx collects the images of a page.
    app.connect("doctree-read", keep_badges_local, priority=100)
    app.connect("env-get-outdated", pages_whose_results_changed)
    # Before napoleon, which turns the headings of a docstring into markup.
    app.connect("autodoc-process-docstring", escape_bars, priority=400)
    app.connect("autodoc-process-docstring", link_chapters, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
