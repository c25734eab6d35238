"""The index: its list of ideas fits the chapters, without a build."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9]*_*.ipynb"))
ENTRIES = yaml.safe_load((ROOT / "book" / "index_entries.yml").read_text(encoding="utf-8"))


def headings(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return re.findall(r"^#{2,4} (.+?)\s*$", "\n".join(prose), re.MULTILINE)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_entry_leads_to_a_heading_of_its_chapter(path):
    listed = ENTRIES[path.stem]
    assert set(listed) - set(headings(path)) == set()
    assert len(listed) >= 6


def test_only_chapters_have_entries():
    assert set(ENTRIES) == {path.stem for path in CHAPTERS}


def test_an_entry_is_a_word_or_a_part_of_one():
    for listed in ENTRIES.values():
        for heading, words in listed.items():
            assert words, heading
            assert len(set(words)) == len(words), heading
            for word in words:
                assert re.fullmatch(r"[^;]+(; [^;]+)?", word) and word == word.strip(), word
