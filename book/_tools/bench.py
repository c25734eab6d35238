"""Run the benchmarks of one chapter, with options of theirs in P."""

import os
import shlex
import subprocess
import sys

from book._tools.common import Book, BuildError, prepare, profile, run


def main(book: Book) -> None:
    """Do what `make bench` promises."""
    number = book.chapter(os.environ.get("CH", "")).stem.split("_")[0]
    options = os.environ.get("P", "")
    scripts = sorted((book.root / "benchmarks").glob(f"{number}_*.py"))
    if not scripts:
        raise BuildError(f"There is no benchmark benchmarks/{number}_*.py for this chapter.")
    said = f"make bench CH={number}"
    if profile() != "quick":
        said += f" PROFILE={profile()}"
    prepare(book, profile(), f"{said} P={shlex.quote(options)}" if options else said)
    for script in scripts:
        print(f"{script.name}: running ...", flush=True)
        command = [sys.executable, script, *shlex.split(options)]
        if subprocess.run(command, cwd=book.root).returncode:
            raise BuildError(f"{script.name} failed: it says why above.")


if __name__ == "__main__":
    run(main)
