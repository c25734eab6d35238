"""The definitions of a chapter, run as a module."""

import dataclasses
import inspect
import sys
import traceback
import typing

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from audiostyle_utils import InputError, chapters, load_chapter

FUNCTION = '''import math

RATE = 22050


def seconds(samples):
    """Turn samples into seconds."""
    return samples / RATE'''
CLASS = '''from dataclasses import dataclass


@dataclass(frozen=True)
class Clip:
    """A stretch of sound."""

    start: float
    end: "float" = 1.0

    def length(self):
        return self.end - self.start


def fail():
    return 1 / 0'''


def write(path, *cells):
    notebook = new_notebook()
    for cell in cells:
        source, tags = cell if isinstance(cell, tuple) else (cell, ())
        notebook.cells.append(new_code_cell(source, metadata={"tags": list(tags)}))
    notebook.cells.insert(0, new_markdown_cell("# A title"))
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def notebook(tmp_path):
    return write(
        tmp_path / "09_throwaway.ipynb",
        ("raise RuntimeError('a cell that is not tagged ran')", ()),
        (FUNCTION, ("definitions",)),
        ("SIDE_EFFECT = 1", ("parameters",)),
        (CLASS, ("definitions", "hide-input")),
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make the package look as if it were installed away from the book."""
    monkeypatch.setattr(chapters, "__file__", str(tmp_path / "site" / "package" / "chapters.py"))
    monkeypatch.delenv("AUDIOSTYLE_CHAPTERS", raising=False)
    made = tmp_path / "elsewhere" / "chapters"
    made.mkdir(parents=True)
    write(made / "08_first.ipynb", ("ANSWER = 8", ("definitions",)))
    write(made / "09_second.ipynb", ("ANSWER = 9", ("definitions",)))
    return made


def test_only_the_tagged_cells_run(notebook):
    module = load_chapter(notebook)
    assert module.seconds(44100) == 2.0
    assert module.Clip(0.25).length() == 0.75
    assert not hasattr(module, "SIDE_EFFECT")


def test_what_it_defines_can_be_found_by_name(notebook):
    module = load_chapter(notebook)
    assert sys.modules[module.Clip.__module__].Clip is module.Clip
    assert sys.modules[module.seconds.__module__] is module
    assert dataclasses.replace(module.Clip(0.0), end=3.0) == module.Clip(0.0, 3.0)
    assert typing.get_type_hints(module.Clip)["end"] is float


def test_source_can_be_read_back(notebook):
    module = load_chapter(notebook)
    assert inspect.getsource(module.seconds).strip() == FUNCTION[FUNCTION.index("def") :]
    assert inspect.getsource(module.fail).strip() == CLASS[CLASS.index("def fail") :]
    assert (
        inspect.getsource(module.Clip).strip()
        == CLASS[CLASS.index("@dataclass") : CLASS.index("def fail")].strip()
    )


def test_a_traceback_names_the_notebook_and_the_cell(notebook):
    module = load_chapter(notebook)
    with pytest.raises(ZeroDivisionError) as caught:
        module.fail()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.filename == f"{notebook}, cell [4]"
    assert last.line == "return 1 / 0"


def test_each_load_is_fresh(notebook):
    first = load_chapter(notebook)
    first.RATE = 1
    second = load_chapter(notebook)
    assert (first.seconds(22050), second.seconds(22050)) == (22050, 1.0)


def test_a_failing_cell_leaves_no_module_behind(tmp_path):
    path = write(tmp_path / "09_failing.ipynb", ("x = 1\nx / 0", ("definitions",)))
    with pytest.raises(ZeroDivisionError):
        load_chapter(path)
    assert "chapter_09_failing" not in sys.modules


def test_future_imports_of_the_package_do_not_leak_in(tmp_path):
    text = "def f(x: int): ...\n\nANNOTATION = f.__annotations__['x']"
    path = write(tmp_path / "09_annotations.ipynb", (text, ("definitions",)))
    assert load_chapter(path).ANNOTATION is int


@pytest.mark.parametrize("command", ["%matplotlib inline", "!ls", "x = 1\n%time x", "len?"])
def test_ipython_commands_are_refused(tmp_path, command):
    path = write(tmp_path / "09_magic.ipynb", "1 + 1", (command, ("definitions",)))
    with pytest.raises(InputError, match=r"cell \[2\], line .*IPython command"):
        load_chapter(path)


def test_a_remainder_is_not_a_command(tmp_path):
    path = write(tmp_path / "09_remainder.ipynb", ("x = (7\n% 4)", ("definitions",)))
    assert load_chapter(path).x == 3


def test_a_syntax_error_names_the_cell(tmp_path):
    path = write(tmp_path / "09_syntax.ipynb", ("x = 1\ndef f(:\n    pass", ("definitions",)))
    with pytest.raises(InputError, match=r"cell \[1\], line 2 is not valid Python"):
        load_chapter(path)


def test_a_notebook_without_definitions_is_refused(tmp_path):
    with pytest.raises(InputError, match="tag at least one"):
        load_chapter(write(tmp_path / "09_empty.ipynb", "1 + 1"))


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"worksheets": []}', '{"cells": [1]}', "\xff"])
def test_a_file_that_is_no_notebook_is_refused(tmp_path, text):
    path = tmp_path / "09_broken.ipynb"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="save it again"):
        load_chapter(path)


def test_a_missing_notebook_is_refused(tmp_path):
    with pytest.raises(InputError, match="There is no notebook"):
        load_chapter(tmp_path / "09_missing.ipynb")


@pytest.mark.parametrize("name", ["09", "09_second"])
def test_names_and_numbers_find_a_chapter_from_below(folder, monkeypatch, name):
    below = folder.parent / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_chapter(name).ANSWER == 9


def test_the_variable_names_the_folder(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIOSTYLE_CHAPTERS", str(folder))
    assert load_chapter("08").ANSWER == 8


def test_an_unknown_name_lists_the_chapters(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    with pytest.raises(InputError, match="'10'.*08_first, 09_second"):
        load_chapter("10")


def test_no_folder_at_all(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="AUDIOSTYLE_CHAPTERS"):
        load_chapter("08")


def test_the_books_own_folder_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert chapters.chapters_folder().name == "chapters"
    assert (chapters.chapters_folder().parent / "pyproject.toml").is_file()
