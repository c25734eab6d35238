"""The pages of the package: every public function stands there, and leads to its chapter."""

import ast
import json
import re
from importlib import import_module
from pathlib import Path

import pytest

import audiostyle_utils

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "audiostyle_utils"
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9]*_*.ipynb"))
PAGES = sorted((ROOT / "book").glob("api*.md"))


def modules():
    """Yield the name and the file of each module that is public in all its parts."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        if not any(part.startswith("_") for part in parts):
            yield ".".join(parts), path


def definitions(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def options(block):
    found = {}
    for name, text in re.findall(r"^ +:([\w-]+):((?:.*)(?:\n {10,}\S.*)*)", block, re.MULTILINE):
        found[name] = {word.strip() for word in text.split(",") if word.strip()}
    return found


def directives():
    """Yield each module that a page documents, with the names that it chooses; None is all."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.split(r"^\.\. ", text, flags=re.MULTILINE)[1:]:
            kind, _, name = block.partition(":: ")
            name = name.split()[0]
            if kind in ("autoclass", "autofunction"):
                yield name.rpartition(".")[0], {name.rpartition(".")[2]}
            elif kind == "automodule":
                given = options(block.split("```")[0])
                yield name, (given["members"] or None) if "members" in given else set()


def documented():
    """Return the objects on the pages, by their full names where they are defined."""
    found = set()
    for module, names in directives():
        # Where a function hides a module of its name, as `catalogue` does, the module counts.
        loaded = import_module(module)
        if names is None:
            path = Path(loaded.__file__)
            names = set(getattr(loaded, "__all__", ()) or definitions(path))
        for name in names:
            thing = getattr(loaded, name)
            if isinstance(thing, type) or callable(thing):
                found.add(f"{thing.__module__}.{thing.__qualname__}")
    return found


def test_every_public_function_and_class_is_on_a_page():
    wanted = {f"{module}.{name}" for module, path in modules() for name in definitions(path)}
    assert len(wanted) > 250
    assert sorted(wanted - documented()) == []


def test_what_is_listed_exists():
    for module, names in directives():
        loaded = import_module(module)
        assert [name for name in names or () if not hasattr(loaded, name)] == [], module


def test_every_name_that_the_package_offers_is_on_a_page():
    for name in audiostyle_utils.__all__:
        thing = getattr(audiostyle_utils, name)
        if callable(thing):
            assert f"{thing.__module__}.{thing.__qualname__}" in documented(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_are_in_the_table_of_contents(page):
    assert f"file: book/{page.stem}\n" in (ROOT / "_toc.yml").read_text(encoding="utf-8")


CODE = """
%matplotlib inline
import numpy as np
import audiostyle_utils as au
from audiostyle_utils import scores, spectra as sp
from audiostyle_utils.datasets import load_domain
from audiostyle_utils.errors import InputError

D = sp.stft(y)
clips = au.load_dataset("style_clips").files
piece = scores.Piece.made_up(scores.read)
np.log1p(D)
domain = load_domain
"""


@pytest.fixture
def links_of_chapters(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    return import_module("audiostyle_api")


def test_what_code_uses_of_the_package_is_found(links_of_chapters, tmp_path):
    path = tmp_path / "chapter.ipynb"
    cells = [{"cell_type": "code", "source": CODE}, {"cell_type": "markdown", "source": "au.x"}]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    found = links_of_chapters.used(links_of_chapters.code_of(path))
    assert set(found) == {
        "audiostyle_utils.spectra.stft",
        "audiostyle_utils.load_dataset",
        "audiostyle_utils.scores.Piece",
        "audiostyle_utils.scores.read",
        "audiostyle_utils.datasets.load_domain",
    }


def test_a_function_is_found_as_it_is_called_or_where_it_is_defined(links_of_chapters):
    address = links_of_chapters.address
    read = audiostyle_utils.scores.read
    assert address({"audiostyle_utils.scores.read"}, "audiostyle_utils.scores.read", read)
    load = audiostyle_utils.load_dataset
    there = "audiostyle_utils.datasets.load_dataset"
    assert address({there}, "audiostyle_utils.load_dataset", load) == there
    assert address({"audiostyle_utils.audio.load"}, "audiostyle_utils.load_dataset", load) is None


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_what_a_chapter_uses_is_on_a_page(links_of_chapters, path):
    found = links_of_chapters.used(links_of_chapters.code_of(path))
    there = documented()
    lacking = [n for n, t in found.items() if f"{t.__module__}.{t.__qualname__}" not in there]
    assert len(found) > 5 and lacking == []
