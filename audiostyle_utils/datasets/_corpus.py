"""The scores that music21 brings along."""

import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ..errors import InputError


def folder(name: str) -> Path:
    """Return a folder of music21's corpus, without importing music21."""
    spec = find_spec("music21")
    root = Path(spec.origin).parent / "corpus" / name if spec and spec.origin else None
    if root is None or not root.is_dir():
        raise InputError(
            f"music21's corpus has no folder {name} here: music21 is missing, or was installed "
            "without its corpus. Install it again."
        )
    return root


@lru_cache
def labels(name: str) -> dict:
    """Return what book/_tools/score_labels.py has found out about a collection."""
    return json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))
