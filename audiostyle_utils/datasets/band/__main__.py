"""Make tracks in a process of its own: the folder is the argument, the names are read."""

import sys
from pathlib import Path

from audiostyle_utils.datasets.band import render

if __name__ == "__main__":
    render(Path(sys.argv[1]), sys.stdin.read().split())
