"""A plugin for pytest: what nbval's run of a chapter gave is kept as an executed notebook.

So that the tests need not run a chapter once for themselves and once more for the book.
"""

from pathlib import Path

import nbformat
import pytest

from book._tools.common import write


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the notebook to write."""
    parser.addoption("--keep-run", metavar="PATH", help="where the executed notebook goes")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the outputs of all cells that ran; nbval has them in its items."""
    target = session.config.getoption("--keep-run")
    if target is None or not session.items:
        return
    # Only now: nbval compares with the outputs that the cells had before.
    for count, item in enumerate(session.items, start=1):
        ran = item.test_outputs is not None
        item.cell.outputs = item.test_outputs if ran else []
        item.cell.execution_count = count if ran else None
        for output in item.cell.outputs:
            # nbval has the kernel count nothing.
            if output.output_type == "execute_result":
                output.execution_count = count
    write(Path(target), nbformat.writes(session.items[0].parent.nb))
