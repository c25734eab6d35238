"""Recorded results, as tables and figures: every number is read from a file of ``results/``.

Directives
----------
``{results}``       every file of ``results/`` as a section with its circumstances and its numbers
``{results} 01``    the tables of one chapter, to be shown inside another page; with
                    ``:variant: none`` those of the chapter itself, without its benchmarks
``{results-overview}``  the headlines of all chapters in one table, and the machines
``{results-chapter} 01_style_transfer``  a chapter's figures, then its files as sections

Roles
-----
``{quicktime}`01` ``  how long the quick run of a chapter took; of several, as in `01 05`, in all

Which measures are headlines and figures is said in ``book/results_headlines.yml``.
"""

import html
import json
from pathlib import Path

import audiostyle_headlines
from audiostyle_figures import draw_headlines, draw_sources
from audiostyle_nodes import (
    chapter_link,
    described,
    facts,
    folded,
    literal,
    number,
    table,
)
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective, SphinxRole

from audiostyle_utils.results import duration

NOTHING_YET = (
    "Nothing has been measured yet. Run a chapter with “make chapter”, keep its numbers with "
    "“make keep”, and build the book again."
)
# What marks a figure that somebody else stated.
STATED = "\u2020"
# Letters in the names of all groups together, beyond which columns leave a page.
_WIDE = 60


class Results(SphinxDirective):
    """Show recorded results: all of them as sections, or those of one chapter as tables."""

    optional_arguments = 1
    option_spec = {"profile": directives.unchanged, "variant": directives.unchanged}

    def run(self):
        found = [entry for entry in load(self.env) if self._wanted(entry)]
        if not found:
            return [nodes.paragraph("", NOTHING_YET)]
        if self.arguments:
            return [node for entry in found for node in self._inside(entry)]
        return [run_section(self, entry, run_title(entry)) for entry in found]

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


class Overview(SphinxDirective):
    """Show the headlines of all chapters: what was published, and ours, with its circumstances."""

    def run(self):
        kept = {Path(entry["file"]).stem: entry for entry in load(self.env)}
        chapters = read_headlines(self.env)
        machines = machine_letters(chapters, kept)
        rows = []
        for chapter, entry in chapters.items():
            rows.append([chapter_row(chapter, self.env)])
            rows += [headline_row(one, kept, machines) for one in entry["headlines"]]
            rows += [[self._stated(one)] for one in entry.get("stated", [])]
        shown = table(("Measure", "Published", "Ours"), rows, numeric={"Published", "Ours"})
        shown["classes"].append("audiostyle-overview")
        return [shown, machine_list(machines)]

    def _stated(self, one):
        """Show a figure that somebody published, which nothing here has measured again."""
        value = f"{one['value']} {one.get('unit', '')}".strip()
        who = "The source" if one["role"] == "source" else one["by"]
        text = f"{STATED} {who}: {value}. {one['measure']}; {one['data']} "
        cite, _ = self.state.inline_text(f"{{cite:p}}`{one['cite']}`", self.lineno)
        return [nodes.inline("", "", nodes.Text(text), *cite, classes=["audiostyle-stated"])]


class ChapterResults(SphinxDirective):
    """Show the figures of a chapter, then each of its recorded runs as a section."""

    required_arguments = 1

    def run(self):
        entries = load(self.env)
        kept = {Path(entry["file"]).stem: entry for entry in entries}
        chapter = self.arguments[0]
        found = [entry for entry in entries if entry["chapter"] == chapter]
        if not found:
            raise self.error(f"results/ has no file of {chapter}: measure it, and run make keep")
        spec = read_headlines(self.env).get(chapter, {"headlines": []})
        panels = audiostyle_headlines.panels(spec["headlines"], kept)
        figures = [draw_headlines(panels)] if panels else []
        figures += [
            draw_sources(audiostyle_headlines.sources(one, kept)) for one in spec.get("sources", [])
        ]
        shown = nodes.container("", *map(figure_of, figures), ids=[place_of(chapter)])
        return [shown, *(node for one in found for node in folded_run(one, self.env))]


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
        return [nodes.Text(duration(sum(run["seconds"] for run in runs)))], []


def load(env):
    """Read every file of ``results/``; the page is read again when one of them changes."""
    names = []
    entries = []
    for path in result_files(env.srcdir):
        names.append(path.name)
        env.note_dependency(str(path))
        entries.append({**json.loads(path.read_text(encoding="utf-8")), "file": path.name})
    env.metadata[env.docname]["audiostyle_results"] = " ".join(names)
    return sorted(entries, key=reading_order)


def read_headlines(env):
    """Read which measures are headlines."""
    path = Path(env.srcdir, audiostyle_headlines.FILE)
    env.note_dependency(str(path))
    return audiostyle_headlines.read(path)


def machine_letters(chapters, kept):
    """Name each machine that a headline was measured on by a letter, in order of appearance."""
    used = [
        machine(audiostyle_headlines.file_of(one, kept)["machine"])
        for entry in chapters.values()
        for one in entry["headlines"]
    ]
    return {name: chr(ord("A") + place) for place, name in enumerate(dict.fromkeys(used))}


def machine_list(machines):
    return facts(*((f"Machine {letter}", name) for name, letter in machines.items()))


def place_of(chapter):
    """Return the address of a chapter's figures on the page of results."""
    return nodes.make_id(f"results-{chapter}")


def chapter_row(chapter, env):
    """Give a row of the overview that leads to the chapter, and to its figures further down."""
    below = nodes.reference("", "figures and tables", refid=place_of(chapter), internal=True)
    link = nodes.inline("", "", below, classes=["audiostyle-stated"])
    return [chapter_link(chapter, env), nodes.Text(" \u00b7 "), link]


def headline_row(one, kept, machines):
    """Give a row of the overview: what was measured, by whom, on what, when."""
    panel = audiostyle_headlines.panel(one, kept)
    entry = audiostyle_headlines.file_of(one, kept)
    values = dict(panel.values)
    best = best_of([values[name] for name in ("published", "ours") if name in values], panel.better)
    cells = [_valued(values.get(name), best) for name in ("published", "ours")]
    others = [f"{name} {v.short}" for name, v in panel.values if name not in ("published", "ours")]
    notes = [_note(one["note"])] if "note" in one else []
    notes += [_note(f"Others: {'; '.join(others)}")] if others else []
    notes.append(_circumstances_note(one, entry, machines))
    unit = f" ({panel.unit_of_title})" if panel.unit_of_title else ""
    return ([nodes.Text(panel.title + unit), *notes], *cells)


def _circumstances_note(one, entry, machines):
    letter = machines[machine(entry["machine"])]
    data = one.get("data") or described(entry["data"])
    when = nodes.inline("", entry["date"][:10], classes=["audiostyle-short"])
    return nodes.inline("", f"{data}. Machine {letter}, ", when, classes=["audiostyle-note"])


def _note(text):
    return nodes.inline("", text, classes=["audiostyle-note"])


def best_of(values, better):
    """Return the better of two values, or None where neither is."""
    best = {"lower": min, "higher": max}.get(better)
    if best is None or len({value.value for value in values}) < 2:
        return None
    return best(values, key=lambda value: value.value)


def _valued(value, best):
    """Show a value, in bold letters if it is the better one, with its interval below."""
    if value is None:
        return "–"
    shown = [nodes.strong("", value.short) if value is best else nodes.Text(value.short)]
    if value.low is not None:
        shown.append(_note(f"{number(value.low)} to {number(value.high)}"))
    return shown


def figure_of(picture):
    return nodes.raw("", picture._repr_html_(), format="html")


def run_section(directive, entry, title):
    """Make the section of one run."""
    name = nodes.fully_normalize_name(run_title(entry))
    section = nodes.section("", nodes.title("", title), names=[name])
    directive.state.document.note_implicit_target(section, section)
    section += of_run(entry, directive.env)
    return section


def folded_run(entry, env):
    """Show one run when a reader asks for it; a link to it unfolds it."""
    title = html.escape(short_title(entry))
    facts_of_run = html.escape(f"{described(entry['data'])}; {entry['date'][:10]}")
    opened = f"<summary><b>{title}</b>: {facts_of_run}</summary>"
    return [
        nodes.raw("", f'<details class="audiostyle-run">{opened}', format="html"),
        nodes.container("", *of_run(entry, env), ids=[nodes.make_id(run_title(entry))]),
        nodes.raw("", "</details>", format="html"),
    ]


def of_run(entry, env):
    """Return what a page says of one run."""
    return [circumstances(entry, env), metrics_table(entry["metrics"]), *details(entry)]


def short_title(entry):
    """Name a run within the part of its chapter."""
    variant = f", {entry['variant'].replace('_', ' ')}" if entry.get("variant") else ""
    return f"{entry['profile'].capitalize()} profile{variant}"


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


def pages_whose_results_changed(app, env, added, changed, removed):
    """Read a page again when a result has come or gone; a changed one is a noted dependency."""
    now = " ".join(path.name for path in result_files(env.srcdir))
    return [
        page for page, data in env.metadata.items() if data.get("audiostyle_results", now) != now
    ]


def setup(app):
    app.add_role("quicktime", QuickTime())
    app.add_directive("results", Results)
    app.add_directive("results-overview", Overview)
    app.add_directive("results-chapter", ChapterResults)
    app.connect("env-get-outdated", pages_whose_results_changed)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
