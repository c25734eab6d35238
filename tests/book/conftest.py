"""The built book: where it is, which pages it has, and a browser to open them in."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from book._tools.weigh import find_browser

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
# Nothing but the page itself: no updates, no first-run questions, no sound card needed.
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--mute-audio",
)


def listed_pages():
    """The pages of the table of contents, in its order, such as book/index."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [toc["root"], *chapters]


PAGES = listed_pages()
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]


@dataclass(frozen=True)
class Page:
    """One page of the built book."""

    name: str
    path: Path
    soup: BeautifulSoup

    @property
    def article(self):
        """What is written on the page, without the bars around it."""
        return self.soup.select_one("article.bd-article")


@pytest.fixture(scope="session")
def html():
    """The folder of the built book."""
    if not (HTML / "index.html").is_file():
        pytest.fail(f"There is no book in {HTML}: run make book first.", pytrace=False)
    return HTML


@pytest.fixture(scope="session")
def read(html):
    """Give a page of the book by its name, read once."""
    known = {}

    def of(name):
        if name not in known:
            path = html / f"{name}.html"
            assert path.is_file(), f"{name} is in _toc.yml and has no page: run make book"
            soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html5lib")
            known[name] = Page(name, path, soup)
        return known[name]

    return of


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, as it is installed on this machine."""
    program = find_browser()
    if program is None:
        pytest.skip("neither Chromium nor Chrome is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=program, args=list(BROWSER_OPTIONS), headless=True
        )
        yield running
        running.close()
