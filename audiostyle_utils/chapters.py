"""Run the definitions of a chapter by name, so that tests and scripts can use them."""

import ast
import json
import linecache
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

from audiostyle_utils.errors import InputError

_MAGIC = re.compile(r"^\s*(?:[%!?]|.*\?\s*$)", re.MULTILINE)


def load_chapter(name: str | os.PathLike) -> ModuleType:
    """Run the definition cells of a chapter and return them as a module.

    Only the code cells tagged ``definitions`` run, in their order, in a fresh module that is
    registered in ``sys.modules`` as ``chapter_<name>``. Tracebacks name the notebook and the cell,
    and `inspect.getsource` works on what the cells define.

    Parameters
    ----------
    name : str or path-like
        A chapter's name (``"01_style_transfer"``), its number (``"01"`` or ``"1"``), or the path
        of a notebook.

    Returns
    -------
    types.ModuleType
        The module that holds the chapter's functions, classes and constants.

    Raises
    ------
    InputError
        If there is no such chapter, or its file is not a notebook, or none of its cells is tagged
        ``definitions``, or such a cell is not plain Python (IPython's ``%`` and ``!`` commands
        do not belong there).

    Chapter
    -------
    01_style_transfer
    """
    path = _find(name)
    cells = _definitions(path)
    if not cells:
        raise InputError(f"{path} has no code cell tagged 'definitions': tag at least one.")
    return _run(path, cells)


def chapters_folder() -> Path:
    """Return the folder that holds the chapters' notebooks.

    It is looked for beside the package, then in the environment variable ``AUDIOSTYLE_CHAPTERS``,
    then as ``chapters`` in the current folder and in the folders above it.

    Returns
    -------
    pathlib.Path
        An existing folder.

    Raises
    ------
    InputError
        If no such folder exists.

    Chapter
    -------
    01_style_transfer
    """
    for folder in _candidates():
        if folder.is_dir():
            return folder.resolve()
    raise InputError(
        "No folder with chapters was found: work inside a clone of the book, or set "
        "AUDIOSTYLE_CHAPTERS to the folder that holds the notebooks."
    )


def _candidates() -> Iterator[Path]:
    yield Path(__file__).resolve().parents[1] / "chapters"
    if chosen := os.environ.get("AUDIOSTYLE_CHAPTERS"):
        yield Path(chosen).expanduser()
    here = Path.cwd()
    for folder in (here, *here.parents):
        yield folder / "chapters"


def _find(name: str | os.PathLike) -> Path:
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"{name!r} is no chapter: give a name such as '01_style_transfer'.")
    text = os.fspath(name)
    if text.endswith(".ipynb"):
        if not Path(text).is_file():
            raise InputError(f"There is no notebook {text}: check the path.")
        return Path(text).resolve()
    folder = chapters_folder()
    known = {path.stem: path for path in sorted(folder.glob("[0-9]*_*.ipynb"))}
    matches = [stem for stem in known if text in _names(stem)]
    if len(matches) != 1:
        problem = "No chapter is" if not matches else "More than one chapter is"
        raise InputError(
            f"{problem} called {text!r}. Chapters in {folder}: {', '.join(known) or 'none'}."
        )
    return known[matches[0]]


def _names(stem: str) -> tuple[str, str, str]:
    """Return the names of a chapter: 01_style_transfer, 01 and 1."""
    number = stem.split("_")[0]
    return stem, number, number.lstrip("0")


def _definitions(path: Path) -> list[tuple[int, str]]:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        return [
            (number, "".join(cell["source"]))
            for number, cell in enumerate(code, 1)
            if "definitions" in cell["metadata"].get("tags", ())
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not a notebook that can be read (format 4 is needed): save it again with "
            f"Jupyter. ({type(error).__name__}: {error})"
        ) from error


def _run(path: Path, cells: list[tuple[int, str]]) -> ModuleType:
    module = ModuleType("chapter_" + re.sub(r"\W", "_", path.stem), f"Definitions of {path.name}.")
    module.__file__ = str(path)
    codes = _compile(path, cells)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        for code in codes:
            exec(code, module.__dict__)
    except BaseException:
        _restore(module.__name__, before)
        raise
    return module


def _compile(path: Path, cells: list[tuple[int, str]]) -> list[CodeType]:
    # inspect finds a class through the module's file and a function through its own: with one
    # text under every name, and line numbers counted through it, both find their source.
    whole = ("\n\n".join(text for _, text in cells) + "\n").splitlines(keepends=True)
    filenames = [_cell_name(path, number) for number, _ in cells]
    codes, first_line = [], 0
    for filename, (_, text) in zip(filenames, cells, strict=True):
        tree = ast.increment_lineno(_parse(filename, text), first_line)
        codes.append(compile(tree, filename, "exec", dont_inherit=True))
        first_line += text.count("\n") + 2
    for filename in (str(path), *filenames):
        linecache.cache[filename] = (sum(map(len, whole)), None, whole, filename)
    return codes


def _cell_name(path: Path, number: int) -> str:
    return f"{path}, cell [{number}]"


def _parse(filename: str, text: str) -> ast.Module:
    try:
        return ast.parse(text, filename=filename)
    except SyntaxError as error:
        where = f"{filename}, line {error.lineno}"
        if _MAGIC.search(text):
            raise InputError(
                f"{where} is an IPython command; cells tagged 'definitions' hold plain Python "
                "only: move the command to another cell."
            ) from error
        raise InputError(f"{where} is not valid Python: {error.msg}.") from error


def _restore(name: str, module: ModuleType | None) -> None:
    if module is None:
        del sys.modules[name]
    else:
        sys.modules[name] = module
