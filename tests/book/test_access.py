"""Readers who do not see, use no mouse, or need contrast: what axe-core finds on each page."""

from pathlib import Path

import axe_playwright_python
import pytest

from .conftest import PAGES

pytestmark = pytest.mark.browser

AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js"))
GRAVE = {"serious", "critical"}
# Ten thousand letters of code in the same few colours take a minute and tell nothing new: of what
# is alike in class and surroundings, three stay.
THIN_OUT = """() => {
  const seen = new Map();
  const alike = ".highlight pre span, .katex, .katex-display, table tr, dl.py, figure, p, li";
  for (const element of document.querySelectorAll(alike)) {
    if (!element.isConnected) continue;
    const around = element.parentElement.closest("[class]").className;
    // A paragraph with a link in it, say, is not alike to one without.
    const inside = [...element.children].map((child) => child.tagName + child.className).sort();
    const own = [element.getAttribute("style"), element.getAttribute("role")];
    const key = [element.tagName, element.className, around, ...own, ...new Set(inside)].join(" ");
    seen.set(key, (seen.get(key) ?? 0) + 1);
    if (seen.get(key) > 3) element.remove();
  }
}"""
UNFOLD = "for (const folded of document.querySelectorAll('details')) folded.open = true"
RUN = """async (rules) => {
  const options = { resultTypes: ["violations"] };
  if (rules) options.runOnly = { type: "rule", values: rules };
  const { violations } = await axe.run(document, options);
  return violations.map(({ id, impact, nodes }) => ({
    id, impact, where: nodes.slice(0, 5).map((node) => node.html.slice(0, 200)),
  }));
}"""


@pytest.fixture
def grave(browser, html):
    """Open a page in one theme, and give what axe-core calls serious or worse."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")

    def of(name, scheme, rules=None):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{(html / name).as_uri()}.html", wait_until="load")
        # What is folded is read too.
        page.evaluate(UNFOLD)
        page.evaluate(THIN_OUT)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        return [found for found in page.evaluate(RUN, rules) if found["impact"] in GRAVE]

    yield of
    page.close()


@pytest.mark.parametrize("name", [*PAGES, "genindex", "search"])
def test_nothing_serious_stands_in_the_way_of_a_reader(name, grave):
    assert grave(name, "light") == []


@pytest.mark.parametrize("name", [*PAGES, "genindex", "search"])
def test_there_is_enough_contrast_in_the_dark(name, grave):
    assert grave(name, "dark", ["color-contrast", "link-in-text-block"]) == []


def test_a_fault_is_found(browser):
    page = browser.new_page()
    page.set_content('<main><p style="color:#ccc;background:#fff">pale</p><img src="x"></main>')
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert {"color-contrast", "image-alt"} <= {found["id"] for found in page.evaluate(RUN, None)}
    page.close()


def test_the_keyboard_reaches_what_can_be_pressed(browser, html):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{(html / PAGES[0]).as_uri()}.html", wait_until="load")
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => {
                  const at = document.activeElement, box = at.getBoundingClientRect();
                  return [at.tagName, at.textContent.trim().slice(0, 30), box.width > 0];
                }"""
            )
        )
    assert reached[0][1] == "Skip to main content"
    texts = {text for _, text, _ in reached}
    assert {"Hear what it makes", "Run it", "Teach with it", "Open the chapter"} <= texts
    assert {"AUDIO", "BUTTON", "A"} <= {tag for tag, _, _ in reached}
    assert not [one for one in reached if one[0] != "BODY" and not one[2]]
    page.close()
