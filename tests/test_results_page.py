"""The page of results, built with the real files: its numbers, its figures, its errors."""

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
EXTENSIONS = str(ROOT / "book" / "_ext")
LIST = ROOT / "book" / "results_headlines.yml"
CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("[0-9]*_*.ipynb"))
KEPT = {
    path.stem: {**json.loads(path.read_text(encoding="utf-8")), "file": path.name}
    for path in sorted((ROOT / "results").glob("*.json"))
}
MEGABYTE = 10**6
CONF = f"""
import sys
sys.path.insert(0, {EXTENSIONS!r})
extensions = ["myst_parser", "sphinxcontrib.bibtex", "audiostyle_results"]
bibtex_bibfiles = ["book/references.bib"]
bibtex_reference_style = "author_year"
html_theme = "basic"
exclude_patterns = ["out"]
"""


@pytest.fixture(scope="module", autouse=True)
def extensions():
    sys.path.insert(0, EXTENSIONS)
    yield
    sys.path.remove(EXTENSIONS)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A book of the results page, with a stub for each chapter."""
    book = tmp_path_factory.mktemp("site")
    (book / "chapters").mkdir()
    shutil.copytree(ROOT / "results", book / "results")
    (book / "book").mkdir()
    for name in ("results.md", "references.bib", "results_headlines.yml"):
        shutil.copy(ROOT / "book" / name, book / "book" / name)
    (book / "conf.py").write_text(CONF, encoding="utf-8")
    for name in CHAPTERS:
        (book / "chapters" / f"{name}.md").write_text(f"# Title of {name}\n", encoding="utf-8")
    pages = "\n".join(["book/results", *(f"chapters/{name}" for name in CHAPTERS)])
    works = "## Works\n\n```{bibliography}\n:all:\n```\n"
    index = f"# Book\n\n```{{toctree}}\n{pages}\n```\n\n{works}"
    (book / "index.md").write_text(index, encoding="utf-8")
    return book


def sphinx(book):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", book, book / "out"]
    return subprocess.run(command, capture_output=True, text=True, cwd=book)


@pytest.fixture(scope="module")
def source(site):
    done = sphinx(site)
    assert done.returncode == 0, done.stderr
    return (site / "out" / "book" / "results.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source):
    return BeautifulSoup(source, "html.parser")


@pytest.fixture(scope="module")
def listed():
    return yaml.safe_load(LIST.read_text(encoding="utf-8"))


def recorded(one, name):
    """Read a headline's value with nothing of the book's code."""
    given = one[name] if isinstance(one[name], dict) else {"group": one[name]}
    spec = {**one, **given}
    (found,) = [
        metric["value"]
        for metric in KEPT[spec["file"]]["metrics"]
        if (metric["metric"], metric.get("group", "")) == (spec["metric"], spec["group"])
    ]
    return found


def as_number(text):
    return float(re.match(r"-?[\d,.]+(e-?\d+)?", text)[0].replace(",", ""))


def overview(page):
    """Give the cells of the rows that hold measured values."""
    rows = page.select_one(".audiostyle-overview").select("tbody tr")
    return [row.find_all("td") for row in rows if len(row.find_all("td")) == 3]


def test_the_list_names_every_chapter_in_its_order(listed):
    assert list(listed) == CHAPTERS
    for entry in listed.values():
        assert entry["headlines"] and entry["sources"]


def test_the_numbers_of_the_overview_are_those_of_the_files(page, listed):
    headlines = [one for entry in listed.values() for one in entry["headlines"]]
    rows = overview(page)
    assert len(rows) == len(headlines)
    for cells, one in zip(rows, headlines, strict=True):
        words = cells[0].get_text().replace("’", "'")
        assert one["measure"] in words and one.get("note", "") in words
        for cell, name in zip(cells[1:], ("published", "ours"), strict=True):
            if name not in one:
                assert cell.get_text(strip=True) == "–"
                continue
            shown = as_number(cell.get_text(" ", strip=True))
            assert shown == pytest.approx(recorded(one, name), rel=6e-4)


def test_each_row_names_its_machine_and_its_date(page, listed):
    headlines = [one for entry in listed.values() for one in entry["headlines"]]
    machines = page.select_one("dl.audiostyle-facts").get_text(" ", strip=True)
    for cells, one in zip(overview(page), headlines, strict=True):
        entry = KEPT[one["file"]]
        text = cells[0].get_text(" ", strip=True)
        letter, date = re.search(r"Machine ([A-Z]), (\d{4}-\d\d-\d\d)$", text).groups()
        assert date == entry["date"][:10]
        described = machines.split(f"Machine {letter}")[1].split("Machine ")[0]
        assert entry["machine"]["processor"] in described


def test_the_better_of_two_is_in_bold_letters(page, listed):
    headlines = [one for entry in listed.values() for one in entry["headlines"]]
    for cells, one in zip(overview(page), headlines, strict=True):
        if "published" not in one:
            continue
        values = [recorded(one, name) for name in ("published", "ours")]
        (metric, *_) = [
            m for m in KEPT[one["file"]]["metrics"] if m["metric"] == one.get("metric", "ours")
        ]
        better = one.get("better", metric.get("better"))
        best = {"lower": min, "higher": max}[better](values)
        bold = [cell.find("strong") is not None for cell in cells[1:]]
        assert bold == [value == best for value in values], one["measure"]


def test_what_others_state_is_marked_and_cited(page, listed):
    stated = [one for entry in listed.values() for one in entry.get("stated", [])]
    lines = [line for line in page.select("td .audiostyle-stated") if "†" in line.get_text()]
    assert len(lines) == len(stated) > 5
    for line, one in zip(lines, stated, strict=True):
        text = line.get_text()
        assert text.startswith("† ") and str(one["value"]) in text and one["data"] in text
        assert line.select_one("a")["href"].startswith("../index.html#")


def test_every_run_is_on_the_page_with_all_its_numbers(page):
    from audiostyle_nodes import number

    runs = page.select("details.audiostyle-run")
    assert len(runs) == len(KEPT)
    by_file = {}
    for run in runs:
        (name,) = re.findall(r"results/(\S+)\.json", run.get_text())
        by_file[name] = run
    assert set(by_file) == set(KEPT)
    for name, entry in KEPT.items():
        shown = [cell.get_text(strip=True) for cell in by_file[name].select("td")]
        for metric in entry["metrics"]:
            assert number(metric["value"]) in shown, f"{name}: {metric}"
        assert entry["command"] in by_file[name].get_text()


def test_every_chapter_has_figures_with_their_numbers_in_words(page, listed):
    from audiostyle_nodes import number

    for chapter, entry in listed.items():
        place = page.find(id=f"results-{chapter.replace('_', '-')}")
        images = place.select("figure.audiostyle-figure img")
        assert len(images) == 1 + len(entry["sources"])
        for image in images:
            assert image["src"].startswith("data:image/svg+xml;base64,")
        first = images[0]["alt"]
        for one in entry["headlines"]:
            assert one["measure"] in first
            assert number(recorded(one, "ours")) in first
        for image, figure in zip(images[1:], entry["sources"], strict=True):
            assert image["alt"].startswith(figure["title"])
            assert re.search(r"\d", image["alt"].removeprefix(figure["title"]))


def test_links_of_the_overview_lead_to_the_chapter_and_to_its_figures(page):
    rows = page.select("td.audiostyle-across")
    links = [[a["href"] for a in row.select("a")] for row in rows if "·" in row.get_text()]
    assert len(links) == len(CHAPTERS)
    for (chapter, below), name in zip(links, CHAPTERS, strict=True):
        assert chapter == f"../chapters/{name}.html"
        assert page.find(id=below.removeprefix("#")).select("img")


def test_the_page_is_light(source):
    text = re.sub(r"data:image/[^\"]*", "", source)
    assert len(text.encode()) < 0.8 * MEGABYTE
    assert len(source.encode()) < 3 * MEGABYTE


def test_a_file_that_is_gone_stops_the_build_and_is_named(site, source):
    name = "04_ctc_transcription-full-folds-fsdd.json"
    away = site / "results" / name
    away.rename(site / name)
    done = sphinx(site)
    (site / name).rename(away)
    assert done.returncode
    assert f"names results/{name}, and there is no such file" in done.stderr


@pytest.fixture
def headline():
    return {
        "measure": "time",
        "file": "run",
        "metric": "seconds",
        "published": "published",
        "ours": "ours",
    }


@pytest.fixture
def kept():
    metrics = [
        {"metric": "seconds", "group": group, "value": value, "unit": "s", "better": "lower"}
        for group, value in {"published": 8.0, "ours": 2.0, "from": 1.5, "to": 2.5}.items()
    ]
    return {"run": {"metrics": [*metrics, {"metric": "alone", "value": 3, "unit": ""}]}}


def test_an_interval_is_read_from_other_groups(headline, kept):
    from audiostyle_headlines import panel

    headline["ours"] = {"group": "ours", "low": "from", "high": "to"}
    found = panel(headline, kept)
    assert [(name, value.text) for name, value in found.values] == [
        ("published", "8 s"),
        ("ours", "2 s (1.5 to 2.5)"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "walk"}, r"results/walk\.json, and there is no such file"),
        ({"metric": "minutes"}, r"no metric 'minutes'; it has \['alone', 'seconds'\]"),
        ({"ours": "theirs"}, r"'theirs'; the groups are \['published', 'ours', 'from', 'to'\]"),
        ({"published": {"group": "published", "low": "from"}}, "give low and high"),
        ({"ours": None}, "'time' does not say which group is ours"),
    ],
)
def test_what_is_named_and_not_there_is_an_error_with_its_name(headline, kept, change, message):
    from audiostyle_headlines import HeadlineError, panel

    with pytest.raises(HeadlineError, match=message):
        panel({**headline, **change}, kept)


def test_a_star_stands_for_a_row_each(kept):
    from audiostyle_headlines import HeadlineError, sources

    metrics = kept["run"]["metrics"]
    for song in ("waltz", "reel"):
        metrics += [{"metric": f"{song}: speed", "group": "ours", "value": 4, "unit": ""}]
    row = {"file": "run", "metric": "*: speed", "values": {"ours": "ours"}, "names": {"reel": "R"}}
    found = sources({"title": "Speed", "rows": [row]}, kept)
    assert [label for label, _ in found.rows] == ["waltz", "R"]
    with pytest.raises(HeadlineError, match="no metric like"):
        sources({"title": "Speed", "rows": [{**row, "metric": "*: height"}]}, kept)


@pytest.mark.parametrize("key", ["cite", "data", "role"])
def test_a_stated_figure_without_its_source_is_refused(tmp_path, listed, key):
    from audiostyle_headlines import HeadlineError, read

    broken = copy.deepcopy(listed)
    del broken["02_genre_cnn"]["stated"][0][key]
    (tmp_path / "list.yml").write_text(yaml.safe_dump(broken), encoding="utf-8")
    with pytest.raises(HeadlineError, match=f"02_genre_cnn.*give {key}"):
        read(tmp_path / "list.yml")


@pytest.mark.parametrize("text", ["a: [", "chapter: {}"])
def test_a_list_of_another_shape_is_refused(tmp_path, text):
    from audiostyle_headlines import HeadlineError, read

    (tmp_path / "list.yml").write_text(text, encoding="utf-8")
    with pytest.raises(HeadlineError, match="results_headlines.yml"):
        read(tmp_path / "list.yml")
    with pytest.raises(HeadlineError, match="is missing"):
        read(tmp_path / "none.yml")
