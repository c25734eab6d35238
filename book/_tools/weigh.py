"""Measure the built pages as a phone meets them, and write the numbers to results/pages-quick.json.

Run it after make book, on a machine that does nothing else: .venv/bin/python -m book._tools.weigh

The pages come from a small server on this machine. Chromium is slowed down as Lighthouse does it
for phones: a network of 1.6 megabits a second that answers after 150 ms, and a processor that is
four times slower than this one.
"""

import functools
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from audiostyle_utils import results
from book._tools.common import Book, BuildError, run

PHONE = {"width": 390, "height": 844}
NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 2e5, "uploadThroughput": 1e5}
SLOWER = 4  # times
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MEDIA = (".mp3", ".mp4", ".webm")
# What has happened since the page was asked for, as the browser's own clock has it.
SEEN = """() => new Promise((done) => {
  const seen = { largest: 0, moved: 0 };
  const watch = (type, note) => new PerformanceObserver(
    (list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
  watch("largest-contentful-paint", (entry) => { seen.largest = entry.startTime; });
  watch("layout-shift", (entry) => { if (!entry.hadRecentInput) seen.moved += entry.value; });
  setTimeout(() => done({
    ...seen,
    first: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    fetched: [...performance.getEntriesByType("navigation"),
      ...performance.getEntriesByType("resource")].map((one) => [one.name, one.encodedBodySize]),
  }), 500);
})"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine, and give its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def find_browser() -> str | None:
    """Return the Chromium or Chrome of this machine, if it has one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def listed(book: Book) -> list[str]:
    """Return the pages of the table of contents that are files of the book."""
    toc = yaml.safe_load((book.root / "_toc.yml").read_text(encoding="utf-8"))
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [toc["root"], *(file for file in files if "/" in file)]


def weigh(browser, address: str) -> dict[str, tuple[float, str]]:
    """Open one page on a slow phone with an empty cache.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
    address : str

    Returns
    -------
    dict
        Seconds until something, and until the largest part, was shown; how far the page moved;
        kilobytes without sounds and videos, and of those; and requests.
    """
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Network.emulateNetworkConditions", NETWORK)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(address, wait_until="networkidle", timeout=120_000)
    seen = page.evaluate(SEEN)
    context.close()
    media = sum(size for name, size in seen["fetched"] if name.endswith(MEDIA))
    total = sum(size for _, size in seen["fetched"])
    return {
        "first text or picture": (seen["first"] / 1000, "s"),
        "largest part": (seen["largest"] / 1000, "s"),
        "layout shift": (seen["moved"], ""),
        "without sounds and videos": ((total - media) / 1000, "kB"),
        "sounds and videos": (media / 1000, "kB"),
        "requests": (len(seen["fetched"]), ""),
    }


def measure(book: Book) -> list[dict[str, object]]:
    """Open every page, and return what `audiostyle_utils.results.record` keeps.

    Raises
    ------
    BuildError
        There is no built book, or no Chromium.
    """
    program = find_browser()
    if program is None:
        raise BuildError("There is no Chromium and no Chrome here: install one.")
    if not book.html.is_file():
        raise BuildError(f"There is no book in {book.html.parent}: run make book first.")
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with served(book.html.parent) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        found = {name: weigh(browser, f"{address}/{name}.html") for name in listed(book)}
        browser.close()
    shared = {"better": "lower"}
    return [
        {"metric": metric, "value": value, "unit": unit, "group": Path(name).name, **shared}
        for name, values in found.items()
        for metric, (value, unit) in values.items()
    ]


def main(book: Book) -> None:
    """Measure, and keep."""
    start = time.monotonic()
    os.environ.setdefault("AUDIOSTYLE_PROFILE", "quick")
    path = results.record(
        "pages",
        measure(book),
        data="the built book, opened as a slow phone does it, with an empty cache",
        settings={"slower": SLOWER, **PHONE, **NETWORK},
        seconds=time.monotonic() - start,
        command=".venv/bin/python -m book._tools.weigh",
        folder=book.root / "results",
    )
    print(f"kept {path.relative_to(book.root)}")


if __name__ == "__main__":
    run(main)
