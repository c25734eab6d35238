"""Point every link of the book at another copy of its repository, in one step."""

import os
import re
import subprocess
import tomllib

from book._tools.common import Book, BuildError, run, write

# As GitHub allows them: an owner of letters, digits and single hyphens, a name with . and _ too.
REPO = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/[A-Za-z0-9._-]{1,100}")


def point_at(book: Book, repo: str) -> list[str]:
    """Replace the repository's owner and name wherever they stand; return the changed files.

    All files are read before the first one is written.

    Parameters
    ----------
    book : Book
    repo : str
        Such as "owner/name".

    Raises
    ------
    BuildError
        `repo` is not the name of a repository, or this is not a git checkout.
    """
    if not REPO.fullmatch(repo) or repo.endswith((".git", ".")):
        raise BuildError(f"REPO is {repo!r}: give owner/name, as in make links REPO=me/my-book.")
    # Not a part of a longer name: of owner/book the text owner/book-two is none.
    former = re.compile(rf"(?<![\w.-]){re.escape(former_of(book))}(?![\w-]|\.(?!git\b)\w)")
    changed = {}
    for name in tracked(book):
        text = read(book, name)
        if text is not None and (new := former.sub(repo, text)) != text:
            changed[name] = new
    for name, text in changed.items():
        mode = (book.root / name).stat().st_mode
        write(book.root / name, text)
        (book.root / name).chmod(mode)
    return list(changed)


def former_of(book: Book) -> str:
    """Return the owner and name that the project has now, as pyproject.toml says."""
    project = tomllib.loads((book.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project.get("urls", {}).get("Repository", "")
    former = address.partition("https://github.com/")[2].strip("/")
    if not REPO.fullmatch(former):
        raise BuildError(
            f"pyproject.toml, project.urls.Repository is {address!r}: write "
            "https://github.com/owner/name there first, as the links have it now."
        )
    return former


def tracked(book: Book) -> list[str]:
    """List the files that belong to the project."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=book.root, capture_output=True, text=True
    )
    if listing.returncode:
        raise BuildError(f"{book.root} is not a git checkout: {listing.stderr.strip()}")
    return [name for name in listing.stdout.split("\0") if name]


def read(book: Book, name: str) -> str | None:
    """Return a file's text; None where it is none, such as a sound."""
    try:
        return (book.root / name).read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return None


def main(book: Book) -> None:
    """Do what `make links` promises."""
    changed = point_at(book, os.environ.get("REPO", ""))
    for name in changed:
        print(f"changed {name}")
    print(
        f"{len(changed)} files name {os.environ['REPO']} now." if changed else "Nothing to change."
    )


if __name__ == "__main__":
    run(main)
