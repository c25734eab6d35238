"""Make tracks in a process of its own: the folders are the arguments, the names are read."""

import sys
from pathlib import Path

from audiostyle_utils.datasets.band import render

if __name__ == "__main__":
    root, *place = map(Path, sys.argv[1:])
    render(root, sys.stdin.read().split(), *place)
