"""The tools behind make, tried on small books of their own."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from audiostyle_utils import pretrained, results
from book._tools import (
    bench,
    build,
    chapter,
    check,
    colab,
    common,
    environment,
    execute,
    keep,
    links,
    weigh,
)
from book._tools.common import ROOT, Book, BuildError

TOC = """
format: jb-book
root: book/index
parts:
  - caption: Chapters
    chapters:
      - file: chapters/01_tiny
"""
CONFIG = """
title: A tiny book
only_build_toc_files: true
execute: {execute_notebooks: force, timeout: 60}
"""


pytestmark = pytest.mark.usefixtures("environment_is_restored")


@pytest.fixture
def book(tmp_path):
    root = tmp_path / "a book"
    for folder in ("book", "chapters", "results", "benchmarks", "audiostyle_utils"):
        (root / folder).mkdir(parents=True)
    (root / "_toc.yml").write_text(TOC, encoding="utf-8")
    (root / "_config.yml").write_text(CONFIG, encoding="utf-8")
    (root / "constraints.txt").write_text("numpy==2.0\n", encoding="utf-8")
    (root / "book" / "index.md").write_text("# Welcome\n\nHello.\n", encoding="utf-8")
    write(root, "print(6 * 7)")
    common.prepare(Book(root), "quick", "make test")
    return Book(root)


def write(root, *cells, tags=()):
    code = [new_code_cell(text, metadata={"tags": list(tags)}) for text in cells]
    notebook = new_notebook(
        cells=[new_markdown_cell("# Tiny"), *code],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    path = root / "chapters" / "01_tiny.ipynb"
    nbformat.write(notebook, path)
    return path


def run(book, seconds=60):
    return execute.execute(book, book.chapters()[0], "quick", seconds)


def printed(path):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [out.text for cell in cells for out in cell.outputs if out.output_type == "stream"]


# The table of contents


def test_chapters_are_those_of_the_table_of_contents(book):
    shutil.copy(book.root / "chapters" / "01_tiny.ipynb", book.root / "chapters" / "02_draft.ipynb")
    assert [path.name for path in book.chapters()] == ["01_tiny.ipynb"]


def test_a_listed_chapter_that_is_missing_is_named(book):
    (book.root / "chapters" / "01_tiny.ipynb").unlink()
    with pytest.raises(BuildError, match="chapters/01_tiny"):
        book.chapters()


@pytest.mark.parametrize("number", ["01", "1", "01_tiny"])
def test_a_chapter_has_a_number_and_a_name(book, number):
    assert book.chapter(number).name == "01_tiny.ipynb"


@pytest.mark.parametrize("number", ["", "0", "02", "tiny"])
def test_an_unknown_number_lists_the_chapters(book, number):
    with pytest.raises(BuildError, match="CH=01  01_tiny"):
        book.chapter(number)


# Executing


def test_a_chapter_runs_in_its_folder_with_this_python_and_keeps_its_source(book):
    code = (
        "import os, sys\n"
        "print(os.getcwd(), sys.executable, os.environ['AUDIOSTYLE_PROFILE'], sep='|')"
    )
    source = write(book.root, code)
    before = source.read_bytes()
    folder, python, profile = printed(run(book))[0].strip().split("|")
    assert (folder, profile) == (str(book.root / "chapters"), "quick")
    assert os.path.samefile(python, sys.executable)
    assert source.read_bytes() == before


def test_an_unchanged_chapter_does_not_run_again(book):
    write(book.root, "import time\nprint(time.perf_counter_ns())")
    first = printed(run(book))
    assert printed(run(book)) == first
    notebook = nbformat.read(book.chapters()[0], as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="stale")]
    notebook.cells[1].execution_count = 9
    nbformat.write(notebook, book.chapters()[0])
    assert printed(run(book)) == first
    (book.root / "audiostyle_utils" / "audio.py").write_text("RATE = 1\n", encoding="utf-8")
    assert printed(run(book)) != first


def test_the_key_follows_all_that_a_chapter_depends_on(book, monkeypatch):
    def key(profile="quick"):
        return execute.content_key(book, book.chapters()[0], profile)

    seen = [key(), key("full")]
    (book.root / "constraints.txt").write_text("numpy==2.1\n", encoding="utf-8")
    seen.append(key())
    monkeypatch.setenv("AUDIOSTYLE_DATA", "/somewhere")
    seen.append(key())
    write(book.root, "print(6 * 8)")
    seen.append(key())
    write(book.root, "print(6 * 8)", tags=["bounded"])
    seen.append(key())
    assert len(set(seen)) == len(seen)
    assert key() == seen[-1]


def test_a_cell_that_hangs_is_stopped_and_named(book):
    # The lock is held in compiled code, which an interrupt does not reach.
    hang = "import ctypes\n# wait\nctypes.PyDLL(None).sleep(600)\nprint('after')"
    write(book.root, "x = 1", hang)
    with pytest.raises(BuildError) as caught:
        run(book, seconds=2)
    message = str(caught.value)
    assert "01_tiny, cell [2] was stopped: it ran longer than 2 s" in message
    assert "    import ctypes\n    # wait\n    ctypes" in message
    assert "print('after')" not in message
    assert not book.executed(book.chapters()[0], "quick").exists()


def test_a_cell_that_fails_is_named_and_what_ran_is_kept(book):
    write(book.root, "print('before')", "1 / 0")
    with pytest.raises(BuildError, match=r"cell \[2\] failed with ZeroDivisionError: division"):
        run(book)
    assert printed(book.build / "executed" / "quick" / "01_tiny.failed.ipynb") == ["before\n"]
    write(book.root, "print('before')")
    run(book)
    left = sorted(path.name for path in (book.build / "executed" / "quick").iterdir())
    assert left == ["01_tiny.ipynb", "01_tiny.log"]


def test_a_kernel_that_dies_is_named(book):
    write(book.root, "import os\nos.write(2, b'out of memory')\nos._exit(1)")
    with pytest.raises(BuildError, match=r"cell \[1\] ended its kernel"):
        run(book)
    log = book.executed(book.chapters()[0], "quick").with_suffix(".log")
    assert "out of memory" in log.read_text(encoding="utf-8")


def test_what_compiled_code_says_goes_to_the_log_and_warnings_do_not(book):
    write(book.root, "import os, warnings\nos.write(2, b'no GPU')\nwarnings.warn('old name')")
    target = run(book)
    assert target.with_suffix(".log").read_bytes() == b"no GPU"
    assert "old name" in printed(target)[0] and "no GPU" not in printed(target)[0]


# Under nbval


def bounded(book, code, prints):
    """A chapter with a cell that must print what its metadata say."""
    path = write(book.root, "x = 6", code, "x + 1", tags=["bounded"])
    notebook = nbformat.read(path, as_version=4)
    first, middle, last = notebook.cells[1:]
    first.metadata, last.metadata = {}, {}
    middle.metadata["prints"] = prints
    nbformat.write(notebook, path)
    return path


def test_a_bounded_cell_must_print_what_its_metadata_say(book, capfd):
    bounded(book, "print('even:', x % 2 == 0)", "even: True\n")
    assert check.notebooks(book)
    assert check.notebooks(book)
    assert "01_tiny: unchanged" in capfd.readouterr().out
    bounded(book, "print('even:', x % 3 == 1)", "even: True\n")
    assert not check.notebooks(book)
    assert "even: False" in capfd.readouterr().err
    assert not check.notebooks(book)


def test_the_run_of_nbval_is_the_one_that_the_book_shows(book):
    bounded(book, "print('even:', x % 2 == 0)", "even: True\n")
    (chapter_file,) = book.chapters()
    execute.check(book, chapter_file, "quick", 60)
    kept = book.executed(chapter_file, "quick")
    before = kept.read_bytes()
    assert run(book) == kept and kept.read_bytes() == before
    assert printed(kept) == ["even: True\n"]
    cells = nbformat.read(kept, as_version=4).cells
    assert [cell.execution_count for cell in cells[1:]] == [1, 2, 3]
    assert cells[3].outputs[0].data == {"text/plain": "7"}
    # What nbclient gives is the same.
    kept.unlink()
    again = nbformat.read(run(book), as_version=4).cells
    assert [cell.get("outputs") for cell in again] == [cell.get("outputs") for cell in cells]


def test_nbval_runs_a_chapter_in_its_folder(book):
    write(book.root, "import os\nprint(os.getcwd())")
    assert check.notebooks(book)
    (folder,) = printed(book.executed(book.chapters()[0], "quick"))
    assert folder.strip() == str(book.root / "chapters")


def test_a_copy_that_is_up_to_date_is_not_replaced_by_the_tests(book):
    bounded(book, "import time\nprint(time.perf_counter_ns() > 0)", "True\n")
    before = run(book).read_bytes()
    assert check.notebooks(book)
    assert run(book).read_bytes() == before


def test_a_cell_that_fails_under_nbval_is_shown(book, capfd):
    write(book.root, "print('before')", "1 / 0", "print('after')")
    assert not check.notebooks(book)
    said = capfd.readouterr().err
    assert "ZeroDivisionError" in said and "01_tiny" in said
    assert not book.executed(book.chapters()[0], "quick").exists()
    ran = book.build / "tested" / "quick" / "01_tiny.ipynb"
    assert printed(ran) == ["before\n"]


@pytest.mark.parametrize(("cores", "jobs", "threads"), [(1, 1, 1), (2, 2, 1), (8, 2, 4)])
def test_what_runs_at_once_shares_the_cores(cores, jobs, threads, monkeypatch):
    monkeypatch.setattr(check, "cores", lambda: cores)
    for name in ("JOBS", "OMP_NUM_THREADS", "AUDIOSTYLE_AT_ONCE"):
        monkeypatch.delenv(name, raising=False)
    check.share_cores()
    assert (check.jobs(), os.environ["OMP_NUM_THREADS"]) == (jobs, str(threads))
    assert os.environ.get("AUDIOSTYLE_AT_ONCE", "1") == str(jobs)


def test_jobs_are_a_whole_number(monkeypatch):
    monkeypatch.setenv("JOBS", "4")
    assert check.jobs() == 4
    monkeypatch.setenv("JOBS", "many")
    with pytest.raises(BuildError, match="JOBS is 'many'"):
        check.jobs()


def test_times_that_were_measured_beside_other_work_are_not_kept(book, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_AT_ONCE", "2")
    metric = {"metric": "loss", "value": 1.0, "unit": ""}
    given = {"data": "tones", "settings": {}, "seconds": 1.0, "folder": book.results}
    results.record("01_tiny", [metric], **given)
    with pytest.raises(BuildError, match="run make chapter CH=01 first"):
        keep.keep(book, "01")
    monkeypatch.delenv("AUDIOSTYLE_AT_ONCE")
    results.record("01_tiny", [metric], **given)
    assert [path.name for path in keep.keep(book, "01")] == ["01_tiny-quick.json"]


# The pages


def test_a_warning_stops_the_build_until_it_is_mended(book, capfd):
    index = book.root / "book" / "index.md"
    good = index.read_text(encoding="utf-8")
    index.write_text(good + "\n[nowhere](nowhere.md)\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(BuildError, match="mend the warnings"):
            build.build(book, "quick")
        assert not book.html.exists()
    index.write_text(good, encoding="utf-8")
    assert build.build(book, "quick") == book.html
    assert "Welcome" in (book.html.parent / "book" / "index.html").read_text(encoding="utf-8")
    page = (book.html.parent / "chapters" / "01_tiny.html").read_text(encoding="utf-8")
    assert ">42\n" in page
    capfd.readouterr()
    assert build.build(book, "quick") == book.html
    assert "unchanged since they were built" in capfd.readouterr().out


def test_only_what_the_pages_need_is_gathered(book):
    (book.root / "book" / "_tools").mkdir()
    (book.root / "book" / "_tools" / "tool.py").write_text("", encoding="utf-8")
    shutil.copy(book.root / "chapters" / "01_tiny.ipynb", book.root / "chapters" / "02_draft.ipynb")
    (book.root / "results" / "01_tiny-quick.json").write_text("{}", encoding="utf-8")
    site = build.stage(book, [run(book)])
    assert sorted(str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()) == [
        "_config.yml",
        "_toc.yml",
        "book/index.md",
        "chapters/01_tiny.ipynb",
        "results/01_tiny-quick.json",
    ]
    assert "execute_notebooks: 'off'" in (site / "_config.yml").read_text(encoding="utf-8")


# One chapter, its results, its benchmark


def test_papermill_runs_a_chapter_with_other_settings(book):
    write(book.root, "seed = 1", tags=["parameters"])
    notebook = nbformat.read(book.chapters()[0], as_version=4)
    notebook.cells.append(new_code_cell("import os\nprint(seed, os.environ['AUDIOSTYLE_PROFILE'])"))
    nbformat.write(notebook, book.chapters()[0])
    common.prepare(book, "full", "make chapter CH=01 PROFILE=full")
    target = chapter.papermill(book, book.chapters()[0], "full", ["-p", "seed", "7"])
    assert target == book.build / "runs" / "01_tiny-full.ipynb"
    assert printed(target) == ["7 full\n"]


def test_a_setting_that_a_chapter_does_not_have_is_refused(book):
    notebook = nbformat.read(book.chapter("01"), as_version=4)
    settings = new_code_cell("seed = 0\nseconds = None", metadata={"tags": ["parameters"]})
    notebook.cells.insert(0, settings)
    nbformat.write(notebook, book.chapter("01"))
    chapter.check_names(book.chapter("01"), ["-p", "seconds", "3", "-p", "seed", "7"])
    with pytest.raises(BuildError, match="no setting 'sed': use seed, seconds"):
        chapter.check_names(book.chapter("01"), ["-p", "sed", "7"])


def test_a_data_folder_that_is_not_there_is_named_at_once(book, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_DATA", "no/such/folder")
    with pytest.raises(BuildError, match="no/such/folder"):
        common.prepare(book, "quick", "make book")


def test_relative_folders_are_made_absolute(book, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_DATA", "../data")
    monkeypatch.chdir(book.root)
    (book.root.parent / "data").mkdir()
    common.prepare(book, "quick", "make book")
    assert os.environ["AUDIOSTYLE_DATA"] == str(book.root.parent / "data")
    assert os.environ["AUDIOSTYLE_COMMAND"] == "AUDIOSTYLE_DATA=../data make book"


def test_results_are_kept_whole_or_not_at_all(book):
    with pytest.raises(BuildError, match="has recorded nothing"):
        keep.keep(book, "01")
    metric = {"metric": "loss", "value": 1.0, "unit": ""}
    arguments = {"data": "a clip", "settings": {}, "seconds": 1.0, "folder": book.results}
    made = results.record("01_tiny", [metric], profile="quick", **arguments)
    results.record("02_other", [metric], profile="quick", **arguments)
    (copy,) = keep.keep(book, "01")
    assert copy == book.root / "results" / "01_tiny-quick.json"
    assert copy.read_bytes() == made.read_bytes()
    made.write_text("{", encoding="utf-8")
    with pytest.raises(results.InputError):
        keep.keep(book, "01")
    assert json.loads(copy.read_text(encoding="utf-8"))["chapter"] == "01_tiny"


CARD = {
    "what": "A line through the origin.",
    "data": "two points",
    "command": "make chapter CH=01 PROFILE=full",
    "settings": {},
    "measures": [{"metric": "error", "value": 0.5, "low": 0.0, "high": 1.0, "data": "a point"}],
    "licence": "CC0",
    "classes": [],
}


def trained(book, name, slope):
    """Leave weights and their card where a long run of a chapter does."""
    book.weights.mkdir(parents=True, exist_ok=True)
    return pretrained.save(
        book.weights / f"{name}.safetensors", {"slope": np.ones(3) * slope}, CARD
    )


def test_weights_are_kept_with_their_cards(book, monkeypatch, capfd):
    trained(book, "01_tiny", 1.0)
    trained(book, "01_tiny-large", 2.0)
    trained(book, "02_other", 3.0)
    monkeypatch.setenv("CH", "01")
    keep.main(book)
    shipped = book.root / "audiostyle_utils" / "pretrained"
    names = [
        f"01_tiny{end}" for end in ("-large.json", "-large.safetensors", ".json", ".safetensors")
    ]
    assert sorted(path.name for path in shipped.iterdir()) == names
    assert set(capfd.readouterr().out.splitlines()) == {
        f"kept {Path('audiostyle_utils', 'pretrained', name)}" for name in names
    }
    assert (
        pretrained.load(shipped / "01_tiny-large.safetensors").arrays["slope"].tolist() == [2] * 3
    )
    trained(book, "01_tiny", 4.0)
    keep.keep(book, "01")
    assert pretrained.load(shipped / "01_tiny.safetensors").arrays["slope"].tolist() == [4] * 3


def test_weights_that_are_not_whole_keep_nothing(book):
    metric = {"metric": "loss", "value": 1.0, "unit": ""}
    arguments = {"data": "a clip", "settings": {}, "seconds": 1.0, "folder": book.results}
    results.record("01_tiny", [metric], profile="full", **arguments)
    path = trained(book, "01_tiny", 1.0)
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    with pytest.raises(results.InputError, match="damaged"):
        keep.keep(book, "01")
    path.write_bytes(good)
    path.with_suffix(".json").unlink()
    with pytest.raises(results.InputError, match="card"):
        keep.keep(book, "01")
    trained(book, "01_tiny", 1.0)
    trained(book, "01_tiny-Large", 1.0)
    with pytest.raises(BuildError, match="small letters"):
        keep.keep(book, "01")
    assert not list((book.root / "results").iterdir())
    assert not (book.root / "audiostyle_utils" / "pretrained").exists()
    (book.weights / "01_tiny-Large.safetensors").unlink()
    assert [copy.name for copy in keep.keep(book, "01")] == [
        "01_tiny-full.json",
        "01_tiny.safetensors",
        "01_tiny.json",
    ]


# Colab


def test_colabs_versions_are_exact_and_can_be_replaced_one_by_one():
    listed = [Requirement(line) for line in colab.pins([])]
    assert all(re.fullmatch(r"==[\w.]+", str(item.specifier)) for item in listed)
    assert len({item.name for item in listed}) == len(listed) > 100
    changed = colab.pins(["torch==2.13.0", "Ipython_Genutils==1.0"])
    assert [line for line in changed if line.startswith("torch==")] == ["torch==2.13.0"]
    gone = set(colab.pins([])) - set(changed)
    assert gone == {str(item) for item in listed if item.name == "torch"}
    assert "Ipython_Genutils==1.0" in changed


def test_what_the_chapters_need_at_least_is_not_more_than_colab_has():
    """The floors in pyproject.toml are there so that Colab's own versions stay."""
    floors = {requirement.name: requirement.specifier for requirement in declared()}
    for item in map(Requirement, colab.pins([])):
        version = str(item.specifier).removeprefix("==")
        assert item.name not in floors or version in floors[item.name], str(item)


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *extras["torch"], *extras["tensorflow"]]
    return [Requirement(item) for item in listed]


@pytest.fixture
def pythons(monkeypatch, tmp_path):
    """A function that puts stand-ins for Python on the path, and nothing else."""

    def install(**versions):
        for name, version in versions.items():
            program = tmp_path / name.replace("_", ".")
            program.write_text(f"#!/bin/sh\necho {version}\n")
            program.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(colab.sys, "executable", str(tmp_path / "none"))
    monkeypatch.delenv("PYTHON", raising=False)
    return install


def test_colabs_python_is_taken_where_it_is_or_else_the_next_one(pythons, tmp_path, capsys):
    pythons(python3="3.11", python2="2.7")
    assert colab.choose_python() == (str(tmp_path / "python3"), "3.11")
    said = capsys.readouterr().out
    assert f"Colab has Python {colab.python_version()}, which is not here: Python 3.11" in said
    pythons(python3_12="3.12")
    assert colab.find_python() == (str(tmp_path / "python3.12"), "3.12")
    pythons(python3=colab.python_version())
    assert colab.choose_python() == (str(tmp_path / "python3"), colab.python_version())
    assert "takes its place" not in capsys.readouterr().out


def test_a_python_that_is_named_is_taken_or_refused(pythons, monkeypatch, tmp_path):
    pythons(python3=colab.python_version(), mine="3.11", old="3.10")
    monkeypatch.setenv("PYTHON", "mine")
    assert colab.find_python() == (str(tmp_path / "mine"), "3.11")
    for name in ("old", "absent"):
        monkeypatch.setenv("PYTHON", name)
        with pytest.raises(BuildError, match=f"and {name} is none of 3.13, 3.12, 3.11.*PYTHON="):
            colab.find_python()


def test_a_machine_without_a_python_that_fits_is_told(pythons):
    pythons(python3="3.9")
    with pytest.raises(BuildError, match="what is here is none of.*install one"):
        colab.find_python()


def test_the_pythons_that_colab_may_be_tried_with_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    supported = SpecifierSet(project["requires-python"])
    every = [f"3.{minor}" for minor in range(9, 20) if f"3.{minor}.0" in supported]
    assert sorted(colab.SUPPORTED) == every and colab.python_version() in every


def test_colabs_image_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("P", "--installed")
    assert colab._options().installed
    monkeypatch.setenv("P", "--installed torch==2.13.0")
    with pytest.raises(SystemExit):
        colab._options()
    monkeypatch.setenv("P", "torch==2.13.0")
    assert colab._options().changed == ["torch==2.13.0"]


def test_in_colab_a_chapter_lies_alone_in_its_folder(book, capfd):
    # Colab has it; what make installs need not.
    pytest.importorskip("nbconvert")
    write(book.root, "import os\nprint(os.listdir(), os.environ.get('PYTHONPATH'))")
    ran = colab.run_chapter(book, sys.executable, "01")
    assert ran.is_relative_to(book.build / "colab")
    assert printed(ran) == ["['01_tiny.ipynb'] None\n"]
    write(book.root, "1 / 0")
    with pytest.raises(BuildError, match="01_tiny fails with Colab's versions"):
        colab.run_chapter(book, sys.executable, "01")
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_colabs_versions_are_tried_by_a_python_that_has_nothing_installed():
    """`make test-colab` needs no .venv: what it imports comes with Python or the repository."""
    code = "import sys, book._tools.colab; print(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-S", "-c", code]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    foreign = set(told.stdout.split()) - set(sys.stdlib_module_names) - {"__main__"}
    assert foreign == {"audiostyle_utils", "book"}


# Links


@pytest.fixture
def forked(book):
    """A git checkout whose files name the repository in several ways."""
    address = "https://github.com/first/the-book"
    texts = {
        "pyproject.toml": f'[project]\nname = "x"\n[project.urls]\nRepository = "{address}"\n',
        "README.md": f"{address} {address}.git {address}/issues first/the-book.\n",
        "near.md": "first/the-book-two first/the-book.js other-first/the-book first/the-books\n",
        "colab.md": "https://colab.research.google.com/github/first/the-book/blob/main/a.ipynb\n",
        "untracked.md": f"{address}\n",
    }
    for name, content in texts.items():
        (book.root / name).write_text(content, encoding="utf-8")
    (book.root / "sound.mp3").write_bytes(b"\xff\xfe first/the-book")
    (book.root / "run").write_text(f"#!/bin/sh\n# {address}\n")
    (book.root / "run").chmod(0o755)
    subprocess.run(["git", "init", "-q"], cwd=book.root, check=True)
    names = [name for name in [*texts, "sound.mp3", "run"] if name != "untracked.md"]
    subprocess.run(["git", "add", *names], cwd=book.root, check=True)
    return book


def test_links_of_a_fork_point_at_it_and_back(forked):
    before = {p.name: p.read_bytes() for p in forked.root.iterdir() if p.is_file()}
    changed = links.point_at(forked, "Second-One/my.book_2")
    assert sorted(changed) == ["README.md", "colab.md", "pyproject.toml", "run"]
    new = "https://github.com/Second-One/my.book_2"
    text = (forked.root / "README.md").read_text(encoding="utf-8")
    assert text == f"{new} {new}.git {new}/issues Second-One/my.book_2.\n"
    assert "/github/Second-One/my.book_2/blob/" in (forked.root / "colab.md").read_text()
    assert os.access(forked.root / "run", os.X_OK)
    links.point_at(forked, "first/the-book")
    assert {p.name: p.read_bytes() for p in forked.root.iterdir() if p.is_file()} == before
    assert links.point_at(forked, "first/the-book") == []


@pytest.mark.parametrize(
    "repo", ["", "owner", "a/b/c", "-a/b", "a--b/c", "a/b c", "a/b.git", "a/.."]
)
def test_what_is_no_repository_is_refused(forked, repo):
    with pytest.raises(BuildError, match="give owner/name"):
        links.point_at(forked, repo)


def test_links_outside_of_git_are_refused(book):
    (book.root / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[project.urls]\nRepository = "https://github.com/a/b"\n'
    )
    with pytest.raises(BuildError, match="is not a git checkout"):
        links.point_at(book, "c/d")


def test_a_benchmark_runs_and_its_failure_is_told(book, monkeypatch):
    monkeypatch.setenv("CH", "01")
    with pytest.raises(BuildError, match="no benchmark"):
        bench.main(book)
    script = book.root / "benchmarks" / "01_tiny.py"
    code = "import json, os, sys\njson.dump([os.environ['AUDIOSTYLE_COMMAND'], *sys.argv[1:]], "
    script.write_text(code + "open('out.json', 'w'))", encoding="utf-8")
    monkeypatch.setenv("P", "--only 'two words; ls'")
    monkeypatch.setenv("PROFILE", "full")
    bench.main(book)
    said, *options = json.loads((book.root / "out.json").read_text(encoding="utf-8"))
    assert options == ["--only", "two words; ls"]
    make, bench_target, *given = shlex.split(said)
    assert (make, bench_target) == ("make", "bench")
    assert given == ["CH=01", "PROFILE=full", "P=--only 'two words; ls'"]
    script.write_text("raise SystemExit(3)", encoding="utf-8")
    with pytest.raises(BuildError, match=r"01_tiny\.py failed"):
        bench.main(book)


@pytest.mark.parametrize("text", ["0", "-1", "ten", "1.5"])
def test_a_time_limit_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("AUDIOSTYLE_CELL_TIMEOUT", text)
    with pytest.raises(BuildError, match="whole seconds"):
        common.cell_seconds()


def test_an_unknown_profile_is_refused(monkeypatch):
    monkeypatch.setenv("PROFILE", "fast")
    with pytest.raises(BuildError, match="quick, colab, full"):
        common.profile()


# The environment


@pytest.fixture
def clone(tmp_path):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("one\n", encoding="utf-8")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return tmp_path


def test_a_finished_environment_is_left_alone(clone):
    want = environment.wanted(clone)
    environment.note(clone / ".venv", want, complete="yes")
    before = sorted(clone.rglob("*"))
    environment.main(clone)
    assert sorted(clone.rglob("*")) == before


def test_a_half_made_or_moved_environment_is_begun_anew(clone):
    folder, want = clone / ".venv", environment.wanted(clone)
    environment.note(folder, want, complete="no")
    assert environment.must_begin_anew(folder, want)
    environment.note(folder, want, complete="yes")
    assert not environment.must_begin_anew(folder, want)
    assert environment.must_begin_anew(folder, {**want, "place": "/elsewhere"})
    assert environment.must_begin_anew(folder, {**want, "python": "3.10"})
    (folder / "bin" / "python").unlink()
    assert environment.must_begin_anew(folder, want)


def test_other_pins_are_installed_into_the_same_environment(clone):
    folder, want = clone / ".venv", environment.wanted(clone)
    environment.note(folder, want, complete="yes")
    (clone / "constraints.txt").write_text("two\n", encoding="utf-8")
    changed = environment.wanted(clone)
    assert changed != want
    assert not environment.must_begin_anew(folder, changed)


def test_an_environment_of_the_readers_own_is_not_removed(clone):
    want = environment.wanted(clone)
    assert not environment.must_begin_anew(clone / ".venv", want)
    with pytest.raises(SystemExit, match="move it away"):
        environment.must_begin_anew(clone / ".venv", {**want, "python": "3.10"})


@pytest.mark.parametrize("python", ["no-such-python", "/bin/false"])
def test_make_says_which_python_it_needs(tmp_path, python):
    shutil.copy(ROOT / "Makefile", tmp_path)
    result = subprocess.run(
        ["make", "env", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "No Python of 3.11 to 3.13" in result.stderr


def test_pages_are_weighed_once_there_is_a_book(book):
    with pytest.raises(BuildError, match="run make book first|There is no Chromium"):
        weigh.measure(book)
    assert weigh.listed(book) == ["book/index", "chapters/01_tiny"]
    with weigh.served(book.root / "book") as address:
        with urllib.request.urlopen(f"{address}/index.md") as answer:
            assert answer.read().startswith(b"# Welcome")
