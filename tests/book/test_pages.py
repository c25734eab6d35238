"""The built book as files: complete, described, self-contained and light."""

import json
import re
import tomllib
from urllib.parse import unquote, urlsplit

import av
import pytest
import soundfile as sf
import yaml
from PIL import Image

from .conftest import CHAPTERS, PAGES, ROOT

MEGABYTE = 10**6
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]


def is_external(address):
    return urlsplit(address).scheme in ("http", "https", "ftp") or address.startswith("//")


def resources(soup):
    """The addresses that a browser asks for by itself when it opens the page."""
    loaded = {"script": "src", "img": "src", "audio": "src", "video": "src", "source": "src"}
    loaded |= {"iframe": "src", "embed": "src", "object": "data", "track": "src"}
    for tag, attribute in loaded.items():
        yield from (element[attribute] for element in soup.find_all(tag, attrs={attribute: True}))
    for link in soup.find_all("link", href=True):
        if set(link.get("rel", [])) & {"stylesheet", "icon", "preload", "modulepreload", "import"}:
            yield link["href"]


def beside(page, address):
    """The file that a page names by its place."""
    return page.path.parent / unquote(urlsplit(address).path)


@pytest.mark.parametrize("name", PAGES)
def test_every_listed_page_is_there_with_a_title_and_text(name, read):
    page = read(name)
    assert page.article.h1.get_text(strip=True)
    assert len(page.article.get_text(strip=True)) > 200


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order(name, read):
    levels = [int(heading.name[1]) for heading in read(name).article.find_all(HEADINGS)]
    assert levels[0] == 1 and levels.count(1) == 1
    for above, below in zip(levels, levels[1:], strict=False):
        assert below <= above + 1, f"a heading of level {below} follows one of level {above}"


@pytest.mark.parametrize("name", PAGES)
def test_every_image_has_a_description(name, read):
    bare = [
        str(image)[:120]
        for image in read(name).soup.find_all("img")
        if not image.get("alt", "").strip()
    ]
    assert not bare


def test_chapters_have_figures_and_players(read):
    for name in CHAPTERS:
        article = read(name).article
        assert article.select("figure.audiostyle-figure img"), f"{name} shows no figure"
        assert article.select("figure.audiostyle-player audio"), f"{name} plays no sound"


@pytest.mark.parametrize("name", PAGES)
def test_every_player_is_described_and_holds_an_mp3(name, read):
    for audio in read(name).soup.find_all("audio"):
        player = audio.find_parent("figure", class_="audiostyle-player")
        assert player is not None, "sound is shown with audiostyle_utils.audio.play"
        assert player.figcaption.get_text(strip=True)
        assert (audio.get("aria-label") or player.get("aria-label", "")).strip()
        assert audio.has_attr("controls")
        assert audio["preload"] == "none"
        assert sf.info(beside(read(name), audio["src"])).format == "MP3"


@pytest.mark.parametrize("name", PAGES)
def test_every_video_is_described_and_waits_for_the_reader(name, read):
    soup = read(name).soup
    videos = soup.find_all("video")
    assert len(videos) == len(soup.select("figure.audiostyle-video"))
    for video in videos:
        figure = video.find_parent("figure", class_="audiostyle-video")
        assert figure is not None, "videos are shown with audiostyle_utils.visuals.show_video"
        assert figure.figcaption.get_text(strip=True)
        assert (video.get("aria-label") or "").strip()
        assert video.has_attr("controls") and not video.has_attr("autoplay")
        assert not video.has_attr("loop")


@pytest.mark.parametrize("name", PAGES)
def test_every_video_holds_picture_sound_and_a_still(name, read):
    page = read(name)
    for video in page.soup.find_all("video"):
        assert video["preload"] == "none"
        with av.open(beside(page, video["src"])) as file:
            picture, (sound,) = file.streams.video[0], file.streams.audio
            assert picture.codec_context.name in ("h264", "vp9")
            assert [str(picture.width), str(picture.height)] == [video["width"], video["height"]]
            assert sound.codec_context.name in ("aac", "opus")
        with Image.open(beside(page, video["poster"])) as still:
            assert still.size == (int(video["width"]), int(video["height"]))


def test_the_chapter_of_pictures_has_videos(read):
    article = read("chapters/06_lucid_sonic_visuals").article
    assert len(article.select("figure.audiostyle-video video")) >= 3


@pytest.mark.parametrize("name", PAGES)
def test_no_page_shows_an_error_or_a_warning_of_a_cell(name, read):
    article = read(name).article
    assert not article.select(".output.stderr, .output.traceback")
    shown = "\n".join(output.get_text() for output in article.select(".cell_output"))
    assert "Traceback (most recent call last)" not in shown
    assert not re.search(r"\b\w*Warning\b", shown)


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_run_of_a_chapter_gave_no_warning(name):
    path = ROOT / "_build" / "executed" / "quick" / f"{name.removeprefix('chapters/')}.ipynb"
    assert path.is_file(), f"{path} is missing: run make book"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert outputs
    assert not [output for output in outputs if output["output_type"] == "error"]
    logged = [o["text"] for o in outputs if o.get("name") == "stderr"]
    logged = "".join(line for text in logged for line in text)
    assert not re.search(r"Warning\b|Traceback", logged), logged


@pytest.mark.parametrize("name", [*PAGES, "genindex", "search"])
def test_nothing_is_fetched_from_another_host(name, read):
    soup = read(name).soup
    assert not [address for address in resources(soup) if is_external(address)]
    styles = [tag.get_text() for tag in soup.find_all("style")]
    styles += [tag["style"] for tag in soup.find_all(style=True)]
    assert not [style for style in styles if re.search(r"url\(\s*['\"]?(https?:)?//", style)]


def test_no_style_sheet_fetches_from_another_host(html):
    sheets = list(html.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(@import|url\()\s*['\"(]*\s*(https?:)?//", text), sheet.name


@pytest.mark.parametrize("name", [*PAGES, "genindex", "search"])
def test_what_a_page_loads_is_there(name, read):
    page = read(name)
    missing = [
        address
        for address in resources(page.soup)
        if not address.startswith("data:")
        and not beside(page, address).is_file()
    ]
    assert not missing


@pytest.mark.parametrize("name", [*PAGES, "genindex"])
def test_internal_links_lead_somewhere(name, read, html):
    page = read(name)
    broken = []
    for link in page.soup.find_all("a", href=True):
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc or link["href"] == "#":
            continue
        target = page.path.parent / unquote(parts.path) if parts.path else page.path
        target = target.resolve()
        if not target.is_file():
            broken.append(link["href"])
        elif parts.fragment and target.suffix == ".html":
            there = read(target.relative_to(html.resolve()).with_suffix("").as_posix()).soup
            if there.find(id=unquote(parts.fragment)) is None:
                broken.append(link["href"])
    assert not broken


def test_the_first_page_leads_to_the_book(html):
    start = (html / "index.html").read_text(encoding="utf-8")
    assert f"{PAGES[0]}.html" in start


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_colab_button_opens_the_chapter(name, read):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    owner_and_name = urlsplit(config["repository"]["url"]).path.strip("/")
    branch = config["repository"]["branch"]
    wanted = f"https://colab.research.google.com/github/{owner_and_name}/blob/{branch}/{name}.ipynb"
    assert wanted in [link["href"] for link in read(name).soup.find_all("a", href=True)]
    assert (ROOT / f"{name}.ipynb").is_file()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_without_its_sounds_and_videos(name, read):
    # The text with its figures, and the scripts and styles that are fetched once for all pages.
    page = read(name)
    media = (".mp3", ".mp4", ".webm")
    files = {urlsplit(address).path for address in resources(page.soup)}
    own = [beside(page, file) for file in files if file and not file.endswith(media)]
    weight = page.path.stat().st_size + sum(path.stat().st_size for path in own)
    assert weight < 3 * MEGABYTE, f"{weight / MEGABYTE:.1f} MB"
    assert page.path.stat().st_size < 0.8 * MEGABYTE
    assert not re.search(r"(src|poster)=.data:(audio|video)/", str(page.soup))


def test_the_whole_book_is_light(html):
    weight = sum(path.stat().st_size for path in html.rglob("*") if path.is_file())
    assert weight < 80 * MEGABYTE


def test_every_work_listed_is_cited_with_its_authors_and_year(read):
    listed = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),", listed, re.MULTILINE)
    article = read("book/references").article
    entries = article.select(".citation")
    assert len(entries) == len(keys)
    for entry in entries:
        assert re.search(r"\b(19|20)\d\d\b", entry.get_text())


def test_no_registry_or_cdn_is_named_in_what_the_book_adds_of_its_own():
    # Some are written in pieces, so that no file of the repository names them.
    names = ["unpkg", "jsdelivr", "cdnjs", "npm" + "js", "py" + "pi", "googleapis"]
    hosts = re.compile("|".join(rf"{name}\b" for name in names), re.IGNORECASE)
    for path in (ROOT / "book").rglob("*"):
        if path.suffix in {".js", ".css", ".md", ".py", ".svg", ".bib"}:
            assert not hosts.search(path.read_text(encoding="utf-8")), path.name


def test_the_commands_of_the_set_up_page_exist():
    text = (ROOT / "book" / "setup.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"book", "test", "chapter"} <= named <= targets

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(re.search(r'"\.\[([a-z,]+)\]"', text)[1].split(","))
    assert extras <= set(project["optional-dependencies"])

    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert f"conda activate {environment['name']}\n" in text

    settings = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "audiostyle_utils").glob("*.py")
    )
    for variable in set(re.findall(r"AUDIOSTYLE_[A-Z]+", text)):
        assert f'"{variable}"' in settings


@pytest.mark.parametrize("name", CHAPTERS)
def test_questions_are_open_and_their_solutions_right(name, read):
    verdicts = [shown.strong.text for shown in read(name).article.select("div[role=status]")]
    assert verdicts.count("Right.") == verdicts.count("No answer yet") >= 4
    assert set(verdicts) == {"Right.", "No answer yet"}
