"""What the book makes at build time, in a small book of its own that is built with Sphinx."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from docutils import nodes

ROOT = Path(__file__).parents[1]

CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon",
              "audiostyle_book", "audiostyle_results", "audiostyle_cite", "audiostyle_index",
              "audiostyle_math"]
myst_enable_extensions = ["dollarmath", "amsmath"]
napoleon_custom_sections = ["Chapter"]
html_math_renderer = "katex"
html_theme = "basic"
html_static_path = [{str(ROOT / "book" / "_static")!r}]
"""

PAGES = {
    "index": (
        "# Book\n\n```{toctree}\n:caption: Look things up\nresults\ndata\napi\nformulas\nsounds\n"
        "cite\nchapters/01_style_transfer\n```\n"
    ),
    "cite": "# Cite\n\n```{cite-book}\n```\n\n## Chapters\n\n```{cite-chapters}\n```\n",
    "results": (
        "# Results\n\n```{results}\n```\n\n"
        "One: {quicktime}`01`. Both: {quicktime}`01 01`. None: {quicktime}`02`.\n"
    ),
    "data": "# Data\n\n```{catalogue}\n```\n",
    "api": "# API\n\n```{eval-rst}\n.. automodule:: example_of_a_docstring\n   :members:\n```\n",
    "sounds": (
        "# Sounds\n\n```{sound} previews 01_style_transfer\nA sentence,\nspoken\n```\n\n"
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://a.b)\n"
    ),
    "formulas": (
        "# Formulas\n\n$a^2$\n\n$$\na \\\\ b\n$$ (pair)\n\n\\begin{align}\nx &= y\n\\end{align}\n"
    ),
    "chapters/01_style_transfer": (
        "# Style\n\n## Numbers\n\n```{results} 01\n:variant: bench\n```\n\n"
        "## Others\n\n```{results} 02\n```\n\n## The run\n\n```{results} 01\n:variant: none\n```\n"
    ),
}

CITATION = """
title: "A book: of sounds"
authors: [{name: A group}, {given-names: Ada, family-names: Byron}]
version: 2.3.4
date-released: 2026-05-06
repository-code: https://a.b/c
"""

INDEX = "01_style_transfer:\n  Numbers: [loss; measured, fresh filters]\n"

MODULE = '''
def loudness(D):
    """Give |D| as a number, not `|D|`.

    Chapter
    -------
    01_style_transfer
    """


def later(D):
    """Belong to a chapter that is not in this book.

    Chapter
    -------
    09_later
    """
'''


def result(variant=None, metrics=(), **changes):
    return {
        "chapter": "01_style_transfer",
        "profile": "quick",
        "variant": variant,
        "metrics": list(metrics),
        "data": "a chorale and a rag",
        "settings": {"alpha": 0.25},
        "seconds": 61.25,
        "command": "make chapter CH=01",
        "date": "2026-01-02T03:04:05+00:00",
        "machine": {"processor": "Some CPU", "cores": 2, "memory_gb": 8.0, "gpu": None},
        "versions": {"python": "3.12.1"},
        **changes,
    }


def write_results(book, **files):
    for name, content in files.items():
        (book / "results" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def sphinx(book):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", book, book / "out"]
    return subprocess.run(command, capture_output=True, text=True, cwd=book)


def build(book):
    done = sphinx(book)
    assert done.returncode == 0, done.stderr
    return {
        name: BeautifulSoup((book / "out" / f"{name}.html").read_text("utf-8"), "html.parser")
        for name in [*PAGES, "genindex"]
    }


@pytest.fixture(scope="module")
def empty_book(tmp_path_factory):
    book = tmp_path_factory.mktemp("book")
    (book / "results").mkdir()
    (book / "chapters").mkdir()
    (book / "conf.py").write_text(
        f"{CONF}sys.path.insert(0, {str(book)!r})\nexclude_patterns = ['out']\n", "utf-8"
    )
    (book / "example_of_a_docstring.py").write_text(MODULE, "utf-8")
    (book / "CITATION.cff").write_text(CITATION, "utf-8")
    (book / "book" / "_static").mkdir(parents=True)
    (book / "book" / "index_entries.yml").write_text(INDEX, "utf-8")
    notebook = {"cells": [{"cell_type": "markdown", "source": ["# Style\n", "Text."]}]}
    (book / "chapters" / "01_style_transfer.ipynb").write_text(json.dumps(notebook), "utf-8")
    shutil.copy(ROOT / "book" / "_static" / "colab.svg", book / "book" / "_static")
    for name, text in PAGES.items():
        (book / f"{name}.md").write_text(text, "utf-8")
    return book


@pytest.fixture(scope="module")
def empty_pages(empty_book):
    return build(empty_book)


@pytest.fixture(scope="module")
def pages(empty_book, empty_pages):
    """The same book after two runs were kept; only what depends on them may be read again."""
    write_results(
        empty_book,
        **{
            "01_style_transfer-quick": result(
                metrics=[
                    {"metric": "content loss", "value": 12345.678, "unit": "", "better": "lower"},
                    {"metric": "convergence", "value": -25.914, "unit": "dB"},
                ]
            ),
            "01_style_transfer-quick-bench": result(
                "bench",
                [
                    {"metric": "correlation", "group": "yardstick", "value": 0.1, "unit": "",
                     "better": "higher"},
                    {"metric": "time", "group": "published", "value": 287.1, "unit": "s",
                     "better": "lower", "data": "10 s"},
                    {"metric": "time", "group": "ours", "value": 2.3, "unit": "s",
                     "better": "lower", "data": "10 s"},
                    {"metric": "correlation", "group": "published", "value": 0.8, "unit": "",
                     "better": "higher"},
                    {"metric": "memory", "group": "ours", "value": 7, "unit": "MB"},
                ],
            ),
        },
    )  # fmt: skip
    return build(empty_book)


def cells(table):
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in table.find_all("tr")
    ]


def test_without_results_the_page_says_so(empty_pages):
    assert "Nothing has been measured yet" in empty_pages["results"].get_text()


def test_each_run_is_a_section_with_its_circumstances(pages):
    sections = pages["results"].select("section section")
    titles = [section.h2.get_text().rstrip("¶") for section in sections]
    assert titles == [
        "Chapter 1, style transfer: quick profile",
        "Chapter 1, style transfer: quick profile, bench",
    ]
    text = sections[0].get_text(" ", strip=True)
    for fact in ("a chorale and a rag", "Some CPU, 2 cores", "no GPU", "2026-01-02", "61.25 s"):
        assert fact in text
    for fact in ("make chapter CH=01", "alpha = 0.25", "python 3.12.1"):
        assert fact in text
    assert "Nothing has been measured" not in text


def test_the_time_of_a_quick_run_is_that_of_its_file(empty_pages, pages):
    measured = "One: 1 min 1 s. Both: 2 min 2 s. None: not measured yet."
    assert measured in pages["results"].get_text()
    assert "One: not measured yet." in empty_pages["results"].get_text()


def test_a_run_links_to_its_chapter_by_title(pages):
    link = pages["results"].find("a", string="Style")
    assert link["href"].startswith("chapters/01_style_transfer.html")


def test_numbers_are_those_of_the_file(pages):
    table = pages["results"].find("table")
    assert cells(table) == [
        ["Measure", "Value", "Unit", "Better"],
        ["content loss", "12,346", "", "lower"],
        ["convergence", "-25.91", "dB", ""],
    ]


def test_groups_stand_side_by_side_and_the_better_is_strong(pages):
    table = pages["chapters/01_style_transfer"].find("table")
    assert cells(table) == [
        ["Measure", "On", "published", "ours", "yardstick", "Unit"],
        ["correlation", "", "0.8", "–", "0.1", ""],
        ["time", "10 s", "287.1", "2.3", "–", "s"],
        ["memory", "", "–", "7", "–", "MB"],
    ]
    assert [strong.get_text() for strong in table.find_all("strong")] == ["0.8", "2.3"]


def test_many_groups_of_one_measure_stand_below_each_other(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    from audiostyle_results import metrics_table

    names = ["published", "with a mend", "with another", "ours"]
    metrics = [
        {"metric": "loss", "group": name, "value": 4.0 - k, "unit": "nats", "better": "lower"}
        for k, name in enumerate(names)
    ]
    turned = metrics_table(metrics)
    texts = [
        [entry.astext() for entry in row.findall(nodes.entry)] for row in turned.findall(nodes.row)
    ]
    assert texts == [
        ["What", "loss (nats)"],
        ["published", "4"],
        ["with a mend", "3"],
        ["with another", "2"],
        ["ours", "1"],
    ]
    assert [strong.astext() for strong in turned.findall(nodes.strong)] == ["1"]


def rows_of(table):
    return [[e.astext() for e in row.findall(nodes.entry)] for row in table.findall(nodes.row)]


def tables(found):
    return list(found.findall(nodes.table))


def measured(name, groups):
    return [{"metric": name, "group": g, "value": v, "unit": "s"} for g, v in groups.items()]


def test_a_table_that_would_be_nearly_empty_has_a_row_for_each_value(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    from audiostyle_results import metrics_table

    names = {f"epoch {k}": {f"way {k}{j}": 10 * k + j for j in range(2)} for k in range(4)}
    found = rows_of(metrics_table([m for name, of in names.items() for m in measured(name, of)]))
    assert found[0] == ["Measure", "What", "Value", "Unit"]
    assert found[1:] == [
        [f"epoch {k}", f"way {k}{j}", str(10 * k + j), "s"] for k in range(4) for j in range(2)
    ]


def test_measures_with_groups_of_their_own_get_a_table_of_their_own(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    from audiostyle_results import metrics_table

    names = {name: {f"way {k}": k for k in range(5)} for name in ("error", "distance")}
    names |= {
        "joins": {f"cut {k}": k for k in range(3)},
        "found": {f"kind {k}": k for k in range(3)},
    }
    names |= {"time": {"all": 1}}
    found = metrics_table([m for name, of in names.items() for m in measured(name, of)])
    heads = [rows_of(one)[0] for one in tables(found)]
    assert [head[1:-1] for head in heads] == [
        [f"way {k}" for k in range(5)],
        [f"cut {k}" for k in range(3)],
        [f"kind {k}" for k in range(3)],
        ["all"],
    ]
    assert [row[0] for row in rows_of(tables(found)[0])[1:]] == ["error", "distance"]


def test_groups_with_long_names_stand_below_each_other(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    from audiostyle_results import metrics_table

    long = {f"learned from one speaker, heard another {k}": k for k in range(2)}
    short = {f"heard {k}": k for k in range(2)}
    assert rows_of(metrics_table(measured("time", long)))[0] == ["What", "time (s)"]
    assert rows_of(metrics_table(measured("time", short)))[0] == ["Measure", *short, "Unit"]


def test_a_chapter_shows_the_runs_that_it_asks_for(pages):
    page = pages["chapters/01_style_transfer"]
    benchmark, run = page.find_all("table")
    assert "correlation" in benchmark.get_text() and "correlation" not in run.get_text()
    assert "content loss" in run.get_text()  # the run itself, which has no variant
    assert page.get_text().count("Nothing has been measured yet") == 1  # chapter 02 has no run


def test_tables_scroll_within_themselves(pages):
    for table in pages["results"].find_all("table"):
        assert table.find_parent(class_="audiostyle-scroll")


def test_the_catalogue_shows_every_data_set(pages):
    from audiostyle_utils.datasets import catalogue

    text = " ".join(pages["data"].get_text().replace("’", "'").split())
    for entry in catalogue().values():
        assert f'load_dataset("{entry.name}")' in text
        for fact in (entry.title, entry.licence, entry.size, *entry.checksums.values()):
            assert " ".join(fact.split()) in text


def test_docstrings_link_to_the_chapters_that_the_book_has(pages):
    links = [a for a in pages["api"].select("dd a") if "chapters/" in a.get("href", "")]
    assert [link.get_text() for link in links] == ["Style"]
    assert "09_later" in pages["api"].get_text()


def test_magnitude_bars_in_docstrings_stay(pages):
    assert "Give |D| as a number, not |D|." in pages["api"].get_text()


def test_a_sound_of_a_data_set_is_played_with_its_description(pages):
    player = pages["sounds"].select_one("figure.audiostyle-player")
    assert player.figcaption.get_text() == "A sentence, spoken"
    assert player.audio["src"].startswith("data:audio/mpeg;base64,")


def test_the_colab_badge_comes_from_the_book(pages):
    (badge,) = pages["sounds"].find_all("img")
    assert badge["src"] == "_images/colab.svg" and badge["alt"] == "Open in Colab"
    assert badge.find_parent("a")["href"] == "https://a.b"


def test_formulas_are_left_to_the_copy_of_katex_on_pages_that_have_them(pages):
    formulas = [element.get_text().split() for element in pages["formulas"].select(".math")]
    assert formulas[0] == ["a^2"]
    assert formulas[1] == r"\begin{gathered} a \\ b \end{gathered}".split()
    assert formulas[2] == r"\begin{align*} x &= y \end{align*}".split()
    assert pages["formulas"].select_one(".eqno").get_text().startswith("(1)")
    scripts = [script.get("src", "") for script in pages["formulas"].find_all("script")]
    assert any("katex" in source for source in scripts)
    assert not any("http" in source for source in scripts)
    assert "katex" not in str(pages["results"].head)


def test_a_changed_or_vanished_run_is_read_again(empty_book, pages):
    changed = result(metrics=[{"metric": "content loss", "value": 42, "unit": ""}])
    write_results(empty_book, **{"01_style_transfer-quick": changed})
    (empty_book / "results" / "01_style_transfer-quick-bench.json").unlink()
    rebuilt = build(empty_book)
    assert cells(rebuilt["results"].find("table"))[1][:2] == ["content loss", "42"]
    assert len(rebuilt["results"].find_all("table")) == 1
    assert len(rebuilt["chapters/01_style_transfer"].find_all("table")) == 1  # no benchmark


def test_the_citation_is_that_of_the_file(pages):
    text = " ".join(pages["cite"].get_text(" ", strip=True).split())
    assert "A group, Ada Byron (2026). A book: of sounds. Version 2.3.4, 2026-05-06. https:" in text
    bibtex, of_a_chapter = (block.get_text() for block in pages["cite"].select("pre"))
    assert bibtex.startswith("@book{audiostyle2026,")
    assert "author    = {{A group} and {Ada Byron}}," in bibtex
    assert of_a_chapter.startswith("@incollection{audiostyle2026styletransfer,")
    assert "title     = {{Style}}," in of_a_chapter
    assert "booktitle = {{A book: of sounds}}," in of_a_chapter


def test_the_index_leads_to_the_sections_that_are_named(pages):
    entries = {link.get_text(): link["href"] for link in pages["genindex"].select("td a")}
    assert entries["fresh filters"] == "chapters/01_style_transfer.html#numbers"
    assert entries["measured"] == "chapters/01_style_transfer.html#numbers"
    assert any(name.startswith("loudness()") for name in entries)


def test_the_index_is_in_the_table_of_contents(pages):
    assert pages["index"].select_one('.toctree-wrapper a[href="genindex.html"]')


def test_an_index_entry_for_a_heading_that_is_gone_stops_the_build(empty_book, pages):
    path = empty_book / "book" / "index_entries.yml"
    path.write_text(INDEX.replace("Numbers", "Figures"), "utf-8")
    done = sphinx(empty_book)
    path.write_text(INDEX, "utf-8")
    assert done.returncode
    assert "01_style_transfer has no heading 'Figures'" in done.stderr


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (7, "7"),
        (0.81234, "0.8123"),
        (-25.9149, "-25.91"),
        (287.04, "287"),
        (12345.6, "12,346"),
        (0.00012345, "1.23e-04"),
        (2.0, "2"),
        (100.0, "100"),
    ],
)
def test_numbers_are_shown_with_four_digits(value, shown, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    from audiostyle_nodes import number

    assert number(value) == shown
