"""The references: every work that a chapter names is listed, has an address, and is cited."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from pybtex.database import parse_file

ROOT = Path(__file__).resolve().parents[1]
WORKS = parse_file(str(ROOT / "book" / "references.bib"), bib_format="bibtex").entries
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9]*_*.ipynb"))
# No address is known for these.
WITHOUT_ADDRESS = {
    "cho2009kernel",
    "cuthbert2010music21",
    "erro2010inca",
    "fitzgerald2010harmonic",
    "flexer2010effects",
    "jaitly2013vocal",
    "ko2015audio",
    "kominek2004cmu",
    "lee2001algorithms",
    "ryan1883mammoth",
}
# What the chapters follow: texts and programs.
SOURCES = {
    "01_style_transfer": {"ulyanov2016audio"},
    "02_genre_cnn": {"ayyadevara2019neural"},
    "03_lstm_music": {"ayyadevara2019neural", "skuli2017how"},
    "04_ctc_transcription": {"ayyadevara2019neural"},
    "05_melgan_vc": {"pasini2019voice", "pasini2019melganvc"},
    "06_lucid_sonic_visuals": {"alafriz2021introducing"},
    "07_music_translation": {"mor2019universal"},
}


def letters(text):
    """Keep what two ways of writing a title have in common."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]", "", plain)


def prose(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def bullets(path):
    """Give the works that a chapter lists at its end, a line each."""
    listed = prose(path).split("**References**")[1]
    return [line for line in listed.splitlines() if line.startswith("- ")]


def named(bullet):
    """Return the key of the work that a line names, by its title."""
    title = letters(re.search(r"\*(.+?)\*", bullet)[1])
    return [
        key for key, work in WORKS.items() if letters(work.fields["title"]).startswith(title[:28])
    ]


def cited_in(text):
    found = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
    return {key.strip() for keys in found for key in keys.split(",")}


def pages():
    return [path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md")]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_work_that_a_chapter_lists_is_among_the_references(path):
    works = bullets(path)
    assert len(works) > 4
    for bullet in works:
        (key,) = named(bullet) or [None]
        assert key, f"{path.stem}: references.bib lacks {bullet}"
        year = re.search(r"\((\d{4})\)", bullet)
        # The translator of chapter 7 is dated by its preprint and by its conference.
        if year and key != "mor2019universal":
            assert year[1] == WORKS[key].fields["year"], bullet


def test_nothing_is_cited_that_is_not_listed_and_nothing_is_listed_without_being_cited():
    headlines = (ROOT / "book" / "results_headlines.yml").read_text(encoding="utf-8")
    cited = set(re.findall(r"^ +cite: (\S+)$", headlines, re.MULTILINE))
    cited |= cited_in("\n".join([*pages(), *map(prose, CHAPTERS)]))
    assert cited == set(WORKS)


def test_each_work_has_an_address_where_one_is_known():
    without = {key for key, work in WORKS.items() if not {"url", "doi"} & set(work.fields)}
    assert without == WITHOUT_ADDRESS
    for key, work in WORKS.items():
        url = work.fields.get("url", "https://")
        assert re.match(r"https?://", url), key
        arxiv = re.search(r"arXiv:(\d{4}\.\d{4,5})", work.fields.get("note", ""))
        if arxiv:
            assert url == f"https://arxiv.org/abs/{arxiv[1]}", key
        doi = work.fields.get("doi", "10.1/x")
        assert re.match(r"10\.\d+/\S+$", doi), key


def test_works_have_authors_titles_and_years():
    for key, work in WORKS.items():
        assert work.persons["author"] and work.fields["title"], key
        assert re.fullmatch(r"1[89]\d\d|20\d\d", work.fields["year"]), key
        assert key.endswith(work.fields["year"]) or work.fields["year"] in key, key


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_source_of_a_chapter_is_in_the_table_with_its_code(path):
    table = (ROOT / "book" / "references.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    (row,) = [line for line in rows if line.startswith(f"| {int(path.stem[:2])},")]
    assert cited_in(row) == SOURCES[path.stem]
    assert re.search(r"\]\(https://github\.com/[\w-]+/[\w.-]+\)", row)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_what_a_chapter_lists_is_cited_in_its_part_of_the_page(path):
    text = (ROOT / "book" / "references.md").read_text(encoding="utf-8")
    works = {key for bullet in bullets(path) for key in named(bullet)}
    (row,) = re.findall(rf"^\| {int(path.stem[:2])},.*$", text, re.MULTILINE)
    part = re.search(rf"\*\*Chapter {int(path.stem[:2])}\.\*\*.*?(?=\n\n)", text, re.DOTALL)
    assert works - cited_in(row + part[0]) == set()
