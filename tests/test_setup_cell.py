"""The first cell of a chapter, as IPython runs it: silent, or plain about what it does."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

CHAPTERS = sorted((Path(__file__).parents[1] / "chapters").glob("*.ipynb"))
# The package is hidden from the cell, as on a machine that does not have it.
HIDE = """
import sys
sys.path[:] = [folder for folder in sys.path if folder not in ("", {root!r})]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
"""
RUN = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell({source!r}).raise_error()
"""


def setup_cell(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return cells[0].source


def run(source, tmp_path, before=""):
    surroundings = {**os.environ, "IPYTHONDIR": str(tmp_path), "PIP_NO_INDEX": "1"}
    surroundings.pop("PYTHONPATH", None)
    code = before + RUN.format(source=source)
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_it_is_the_first_cell_and_the_same_in_all_chapters(path):
    source = setup_cell(path)
    extras = {"audiostyle-utils[torch]", "audiostyle-utils[tensorflow]"}
    (extra,) = [extra for extra in extras if extra in source]
    reference = setup_cell(CHAPTERS[0]).replace("audiostyle-utils[tensorflow]", extra)
    assert source == reference


def test_it_says_nothing_where_all_is_there(tmp_path):
    done = run(setup_cell(CHAPTERS[0]), tmp_path)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_it_says_what_it_does_and_stops_when_that_fails(tmp_path):
    source = setup_cell(CHAPTERS[0])
    address = source.partition('source = "')[2].partition('"')[0]
    source = source.replace(address, (tmp_path / "nowhere").as_uri())
    hide = HIDE.format(root=str(Path(__file__).parents[1]))
    done = run(source, tmp_path, hide)
    assert done.stdout.startswith("Installing audiostyle-utils")
    assert "nowhere" in done.stdout + done.stderr
    assert not [line for line in done.stdout.splitlines() if line.startswith("Installed")]
    assert done.returncode
    assert "The installation failed. pip says why above" in done.stdout + done.stderr
