"""The built book as a reader meets it: in a browser, wide and narrow, light and dark."""

import re

import pytest
from playwright.sync_api import Error

from book._tools import weigh

from .conftest import CHAPTERS, PAGES

pytestmark = pytest.mark.browser

PHONE, DESK = (390, 844), (1280, 900)
LONG_ENOUGH = 15_000  # milliseconds until a condition counts as never met


def listen(page, complaints):
    """Note whatever goes wrong on a page, and whatever it asks of another machine."""

    def on_console(message):
        if message.type == "error":
            complaints.append(message.text)

    def on_request(request):
        if re.match("https?:|wss?:", request.url):
            complaints.append(f"asks for {request.url}")

    def on_failure(request):
        # What was still on its way when the tab moved on is no failure of the page.
        if request.failure != "net::ERR_ABORTED":
            complaints.append(f"lacks {request.url[:99]}: {request.failure}")

    page.on("console", on_console)
    page.on("request", on_request)
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on("requestfailed", on_failure)


@pytest.fixture(scope="module")
def tab(browser):
    """One tab for all tests, which keeps style sheets and fonts, and its list of complaints."""
    page = browser.new_page()
    page.set_default_timeout(LONG_ENOUGH)
    complaints = []
    listen(page, complaints)
    yield page, complaints
    page.close()


@pytest.fixture
def visit(tab, html):
    """Open a page of the book; afterwards, nothing may have gone wrong on it."""
    page, complaints = tab
    complaints.clear()

    def of(name, size=DESK, scheme="light", query=""):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{(html / name).as_uri()}.html{query}", wait_until="load")
        return page

    yield of
    assert not complaints


def load_images(page):
    """Load the images that wait until they are scrolled to; name those that do not show."""
    return page.evaluate(
        """async () => {
          const images = [...document.images];
          for (const image of images) image.loading = "eager";
          await Promise.all(images.map((image) => image.decode().catch(() => null)));
          return images.filter((image) => !image.naturalWidth).map((image) => image.alt);
        }"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("name", [*PAGES, "genindex"])
def test_a_page_fits_its_window(name, size, scheme, visit):
    page = visit(name, size, scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert load_images(page) == []
    wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window, f"the page is {wide} pixels wide in a window of {window}"


@pytest.mark.parametrize("name", PAGES)
def test_every_formula_is_set(name, visit):
    page = visit(name, PHONE)
    page.wait_for_function(
        """() => [...document.querySelectorAll('.math')]
          .every((element) => element.querySelector('.katex, .katex-error'))"""
    )
    # KaTeX marks a broken formula with a class, and a command that it does not know with a colour.
    broken, unknown = ".katex-error", '.katex-html [style*="rgb(204, 0, 0)"]'
    wrong = page.locator(f"{broken}, {unknown}").all_text_contents()
    assert wrong == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_before_the_reader_scrolls(name, browser, html):
    with weigh.served(html) as address:
        page = browser.new_page(viewport={"width": PHONE[0], "height": PHONE[1]})
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        fetched = page.evaluate(weigh.SEEN)["fetched"]
        page.close()
    assert sum(size for name, size in fetched if not name.endswith(weigh.MEDIA)) < 3_000_000


@pytest.mark.parametrize("name", CHAPTERS)
def test_sounds_wait_until_the_reader_is_near(name, visit):
    page = visit(name, PHONE)
    page.wait_for_load_state("networkidle")
    players = page.locator("audio:visible, video:visible")
    waiting = players.evaluate_all("(players) => players.map((player) => player.preload)")
    assert waiting.count("none") > len(waiting) / 2
    players.last.scroll_into_view_if_needed()
    page.wait_for_function("(player) => player.duration > 0", arg=players.last.element_handle())


@pytest.mark.parametrize("name", [PAGES[0], *CHAPTERS])
def test_every_player_plays(name, visit):
    page = visit(name, PHONE)
    # Those in folded solutions, too.
    page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    players = page.locator("audio")
    assert players.count() > 0
    for player in players.all():
        player.scroll_into_view_if_needed()
        sound = player.element_handle()
        page.wait_for_function("(a) => a.readyState >= 1 && a.duration > 0", arg=sound)
        player.focus()
        page.keyboard.press("Space")
        try:
            page.wait_for_function("(a) => !a.paused && a.currentTime > 0.05", arg=sound)
        except Error:
            pytest.fail(f"does not play: {player.get_attribute('aria-label')}")
        player.evaluate("(a) => a.pause()")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_every_video_plays_within_the_page(name, size, visit, read):
    page = visit(name, size)
    videos = page.locator("figure.audiostyle-video video")
    assert videos.count() == len(read(name).soup.select("figure.audiostyle-video"))
    for video in videos.all():
        video.scroll_into_view_if_needed()
        film = video.element_handle()
        page.wait_for_function("(v) => v.readyState >= 1 && v.videoWidth > 0", arg=film)
        assert video.evaluate("(v) => v.paused && v.currentTime === 0"), "it started by itself"
        video.focus()
        page.keyboard.press("Space")
        try:
            page.wait_for_function("(v) => !v.paused && v.currentTime > 0.1", arg=film)
        except Error:
            pytest.fail(f"does not play: {video.get_attribute('aria-label')}")
        # Chromium counts what it has shown; a film of which only the sound plays has none.
        page.wait_for_function("(v) => v.getVideoPlaybackQuality().totalVideoFrames > 1", arg=film)
        video.evaluate("(v) => v.pause()")
        assert video.evaluate("(v) => v.error") is None
        assert video.evaluate("(v) => v.videoWidth / v.videoHeight") == pytest.approx(
            video.evaluate("(v) => v.clientWidth / v.clientHeight"), rel=0.02
        )
        box = video.locator("xpath=..").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
    wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window


@pytest.mark.parametrize("name", CHAPTERS)
def test_figures_read_on_a_phone(name, visit):
    page = visit(name, PHONE)
    load_images(page)
    widths = page.locator(".audiostyle-figure img").evaluate_all(
        "(images) => images.map((image) => image.getBoundingClientRect().width)"
    )
    assert widths and min(widths) > 0.8 * PHONE[0]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_search_finds_a_term_of_the_glossary(size, visit):
    page = visit("search", size, query="?q=spectrogram")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    assert any("glossary" in (link.get_attribute("href") or "") for link in results.all())


def test_a_piece_of_the_first_page_opens_its_chapter(visit):
    page = visit(PAGES[0], PHONE)
    page.get_by_role("link", name="Open the chapter").first.click()
    page.wait_for_url(f"**/{CHAPTERS[0]}.html")


def test_a_wide_table_scrolls_within_itself(visit):
    page = visit("book/setup", PHONE)
    page.locator("table").first.evaluate(
        "(table) => { for (const cell of table.querySelectorAll('td')) "
        "{ cell.style.whiteSpace = 'nowrap'; } }"
    )
    wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window
