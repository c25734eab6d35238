"""The first page's pieces, and media as files, in a small book of its own."""

import base64
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import audiostyle_media  # noqa: E402

CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_nb", "audiostyle_gallery", "audiostyle_media"]
nb_execution_mode = "off"
html_theme = "sphinx_book_theme"
html_theme_options = {{"repository_url": "https://github.com/owner/name"}}
html_static_path = [{str(ROOT / "book" / "_static")!r}]
"""
SOUND = base64.b64encode(b"a sound " * 400).decode()
SMALL = base64.b64encode(b"dot").decode()
PLAYER = (
    '<figure class="audiostyle-player"><audio controls preload="metadata" aria-label="as recorded" '
    f'src="data:audio/mpeg;base64,{SOUND}"></audio><figcaption>as recorded</figcaption></figure>'
)
PICTURE = f'<figure><img alt="a dot" src="data:image/png;base64,{SMALL}"></figure>'
PIECE = {
    "chapter": "01_tones",
    "title": "Tones",
    "promise": "It plays *tones*.",
    "give": "a number",
    "get": "a tone",
    "gpu": "not needed",
    "source": "Somebody",
    "still": "pictures/1",
    "before": "players",
    "before_is": "Before: a man's voice",
    "said": "words",
    "said_is": "After",
}


def cell(name, *markups, printed=""):
    shown = [new_output("display_data", data={"text/html": markup}) for markup in markups]
    said = [new_output("stream", text=printed)] if printed else []
    return new_code_cell("pass", id=name, outputs=[*shown, *said], execution_count=1)


def make(folder, piece=PIECE, ran=True):
    """Write a book of one chapter, and return what Sphinx says and its first page."""
    site = folder / "site"
    for name in ("book", "chapters", "results"):
        (site / name).mkdir(parents=True, exist_ok=True)
    cells = [
        nbformat.v4.new_markdown_cell("# Tones"),
        cell("pictures", PICTURE.replace("a dot", "first"), PICTURE),
        cell("players", PLAYER),
        cell("words", printed="two nine\n"),
    ]
    if not ran:
        for one in cells[1:]:
            one.outputs, one.execution_count = [], None
    known = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    known["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    nbformat.write(new_notebook(cells=cells, metadata=known), site / "chapters" / "01_tones.ipynb")
    (site / "book" / "gallery.yml").write_text(yaml.safe_dump([piece]), encoding="utf-8")
    times = {"01_tones-quick": 57.4, "other": 150.0}
    for name, seconds in times.items():
        path = site / "results" / f"{name}.json"
        path.write_text(json.dumps({"seconds": seconds}), encoding="utf-8")
    (site / "conf.py").write_text(CONF, encoding="utf-8")
    (site / "index.md").write_text(
        "# Book\n\n```{toctree}\nchapters/01_tones\n```\n\n## Hear\n\n```{gallery}\n```\n\n"
        "## Choose\n\n```{choosing}\n```\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", site, folder / "html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, folder / "html"


def page(html, name="index"):
    return BeautifulSoup((html / f"{name}.html").read_text(encoding="utf-8"), "html5lib")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    done, html = make(tmp_path_factory.mktemp("gallery"))
    assert done.returncode == 0, done.stderr
    yield html
    shutil.rmtree(html)


def test_a_piece_shows_what_its_cells_gave(built):
    (piece,) = page(built).select("section.audiostyle-piece")
    assert piece.find(["h2", "h3"]).get_text().startswith("1. Tones")
    assert piece.img["alt"] == "a dot"
    assert piece.audio["aria-label"] == "Before: a man's voice"
    assert piece.figcaption is not None and "Before: a man's voice" in piece.get_text()
    assert "as recorded" not in str(piece)
    assert piece.blockquote.get_text(strip=True) == "two nine"
    assert "You give a number. You get a tone." in piece.get_text()
    links = {link.get_text(): link["href"] for link in piece.select(".audiostyle-doors a")}
    assert links["Open the chapter"] == "chapters/01_tones.html"
    assert links["Run it in Colab"] == (
        "https://colab.research.google.com/github/owner/name/blob/main/chapters/01_tones.ipynb"
    )


def test_the_table_has_the_recorded_times(built):
    row = [cell.get_text(strip=True) for cell in page(built).select("table tbody td")]
    assert row == ["Tones", "a number; a tone", "57 s", "not needed", "Somebody"]


def test_another_run_may_stand_for_a_profile(tmp_path):
    piece = PIECE | {"runs": {"full": "other", "quick": None}}
    done, html = make(tmp_path, piece)
    assert done.returncode == 0, done.stderr
    row = [cell.get_text(strip=True) for cell in page(html).select("table tbody td")]
    assert row[2:4] == ["2 min 30 s", "not needed"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"still": "nothing"}, "no code cell has the id 'nothing'"),
        ({"still": "pictures/2"}, "cell 'pictures' shows 2 of img"),
        ({"before": "pictures"}, "cell 'pictures' shows 0 of audio"),
    ],
)
def test_a_cell_that_shows_nothing_of_the_kind_is_named(change, said, tmp_path):
    done, _ = make(tmp_path, PIECE | change)
    assert done.returncode
    assert said in done.stderr and "book/gallery.yml, 01_tones" in done.stderr


def test_without_a_run_the_page_says_so(tmp_path):
    done, html = make(tmp_path, ran=False)
    assert done.returncode == 0, done.stderr
    assert "once the chapters have been run" in page(html).get_text()


def test_what_is_large_becomes_a_file_that_waits(built):
    for name, back in (("index", ""), ("chapters/01_tones", "../")):
        audio = page(built, name).audio
        assert audio["preload"] == "none"
        assert audio["src"].startswith(f"{back}_media/") and audio["src"].endswith(".mp3")
        path = built / name
        assert (path.parent / audio["src"]).read_bytes() == b"a sound " * 400
    assert len(list((built / "_media").iterdir())) == 1


def test_a_picture_loses_nothing_when_it_gets_lighter():
    points = np.random.default_rng(0).integers(0, 4, (60, 80, 3), dtype=np.uint8) * 60
    stream = io.BytesIO()
    Image.fromarray(points).save(stream, "PNG")
    content, ending = audiostyle_media.smallest(stream.getvalue(), "png")
    assert ending == "webp" and len(content) < stream.tell()
    with Image.open(io.BytesIO(content)) as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), points)
    assert audiostyle_media.smallest(b"a sound", "mp3") == (b"a sound", "mp3")


def test_what_is_small_stays_in_the_page(built):
    assert page(built).img["src"] == f"data:image/png;base64,{SMALL}"


def test_icons_need_no_script(built):
    assert not list(built.rglob("fontawesome.js"))
    assert "fontawesome.js" not in (built / "index.html").read_text(encoding="utf-8")
    sheet = (built / "_static" / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    assert ".fa-magnifying-glass" in sheet and "fa-solid-900.woff2" in sheet


def test_the_pieces_of_the_book_are_its_chapters():
    pieces = yaml.safe_load((ROOT / "book" / "gallery.yml").read_text(encoding="utf-8"))
    chapters = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
    assert [piece["chapter"] for piece in pieces] == chapters
    for piece in pieces:
        notebook = nbformat.read(ROOT / "chapters" / f"{piece['chapter']}.ipynb", as_version=4)
        ids = {cell.id for cell in notebook.cells if cell.cell_type == "code"}
        named = {str(piece[key]).split("/")[0] for key in KEYS & set(piece)}
        assert named <= ids and {"before"} <= set(piece)
        assert {"still", "film"} & set(piece)
        title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
        assert piece["title"] == title
        for run in filter(None, piece.get("runs", {}).values()):
            assert (ROOT / "results" / f"{run}.json").is_file()


KEYS = {"still", "film", "before", "also", "after", "said"}
