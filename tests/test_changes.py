"""The versions of the book: one, everywhere, and the newest of the list of changes."""

import datetime
import re
from pathlib import Path

import yaml

import audiostyle_utils

ROOT = Path(__file__).resolve().parents[1]


def versions():
    text = (ROOT / "book" / "changes.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    found = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+), (\d{4}-\d\d-\d\d)", line) for line in headings]
    assert all(found), headings
    numbers = [tuple(map(int, match.groups()[:3])) for match in found]
    return numbers, [datetime.date.fromisoformat(match[4]) for match in found]


def test_the_newest_version_of_the_list_is_that_of_the_package():
    numbers, dates = versions()
    assert ".".join(map(str, numbers[0])) == audiostyle_utils.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == audiostyle_utils.__version__
    assert citation["date-released"] == dates[0]


def test_versions_and_dates_fall():
    numbers, dates = versions()
    assert numbers == sorted(set(numbers), reverse=True)
    assert dates == sorted(dates, reverse=True)


def test_each_version_says_what_it_brought():
    text = (ROOT / "book" / "changes.md").read_text(encoding="utf-8")
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"^\*\*(Added|Changed|Mended|Removed)\*\*\n\n- ", part, re.MULTILINE)
