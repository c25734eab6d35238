"""Spelling: no misspelt word anywhere, and British forms in all prose."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROSE = [
    *(ROOT / name for name in ("README.md", "CITATION.cff")),
    *sorted((ROOT / "book").glob("*.md")),
    *sorted((ROOT / "chapters").glob("*.ipynb")),
]
AMERICAN = re.compile(
    r"\b(colors?|colored|coloring|centers?|centered|behaviors?|gray"
    r"|(analy|normali|quanti|optimi|synthesi|visuali|recogni|summari|generali|memori|equali)z\w+"
    r"|labeled|labeling|modeled|modeling|traveled|canceled|catalogs?|dialogs?|fulfill)\b",
    re.IGNORECASE,
)


def prose(path):
    """What a file says outside code, formulas, links, titles of works and addresses."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text = re.sub(r"(?ms)^```.*?^```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|<[^>]*>", " ", text)
    # A title is spelt as it was printed.
    return re.sub(r"\]\([^)]*\)|\*[^*\n]+\*|https?://\S+|^\(\S+\)=$", " ", text, flags=re.M)


def test_no_word_is_misspelt():
    folders = ["README.md", "book", "chapters", "audiostyle_utils", "benchmarks", "tests"]
    command = [sys.executable, "-m", "codespell_lib", *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_a_misspelt_word_is_found(tmp_path):
    # In two pieces, so that this file passes too.
    word = "rec" + "ieved"
    (tmp_path / "page.md").write_text(f"A sound is {word}.\n", encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", str(tmp_path / "page.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode and word in done.stdout


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_prose_is_in_british_english(path):
    assert sorted({found[0] for found in AMERICAN.finditer(prose(path))}) == []
