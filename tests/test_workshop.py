"""What a room gets: notebooks without solutions, slides, and a kit that needs no network."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from packaging.requirements import Requirement

from audiostyle_utils.results import duration
from book._tools import handouts, kit, kit_install, slides, workshop
from book._tools.common import ROOT, Book, BuildError, prepare

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
NAMES = [path.stem for path in CHAPTERS]
GUIDE = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")


pytestmark = pytest.mark.usefixtures("environment_is_restored")


def text(source, *tags, slide=None):
    return new_markdown_cell(source, metadata=metadata(tags, slide))


def code(source, *tags, slide=None, outputs=()):
    return new_code_cell(source, metadata=metadata(tags, slide), outputs=list(outputs))


def metadata(tags, slide):
    shown = {"slideshow": {"slide_type": slide}} if slide else {}
    return {"tags": list(tags), **shown} if tags else shown


def html(source):
    return new_output("display_data", {"text/html": source})


def notebook(*cells):
    return new_notebook(cells=list(cells))


def sources(made):
    return [cell.source for cell in made.cells]


def chapter_test(function):
    return pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)(function)


# Students' notebooks


def test_a_solution_makes_room_for_an_answer():
    made = handouts.student(
        notebook(
            text("## Exercises\n\n**1. Easy (★).** What is 1 + 1?"),
            code("print(1 + 1)", "hide-cell"),
            text("It is two.\n", "solution-text"),
            text("**2. Hard (★★★).** And twice that?"),
            code("x = 4", "hide-cell"),
            text("Its logarithm:"),
            code("print(x)", "hide-cell"),
            code("print('the end')"),
        ),
        [],
    )
    assert sources(made) == [
        "## Exercises\n\n**1. Easy (★).** What is 1 + 1?",
        "# Your answer to exercise 1\n",
        "**2. Hard (★★★).** And twice that?",
        "# Your answer to exercise 2\n",
        "Its logarithm:",
        "print('the end')",
    ]
    nbformat.validate(made)


def test_an_exercise_with_a_cell_to_write_in_gets_no_second_one():
    asked, solution = 'print("your number: ...")', code("print(3)", "hide-cell")
    whole = notebook(text("**3. Count (★).** How many?"), code(asked), solution)
    made = handouts.student(whole, [])
    assert sources(made) == ["**3. Count (★).** How many?", asked]


def test_what_is_for_the_teacher_goes():
    cells = [text("Tell a joke.", "teacher"), code("joke()", "teacher"), text("Work.")]
    assert sources(handouts.student(notebook(*cells), [])) == ["Work."]


def test_outputs_and_slide_marks_go_and_the_chapter_stays_as_it_was():
    whole = notebook(code("print(1)", slide="slide", outputs=[html("<b>1</b>")]))
    before = nbformat.writes(whole)
    (cell,) = handouts.student(whole, []).cells
    assert (cell.outputs, cell.execution_count, cell.metadata) == ([], None, {})
    assert nbformat.writes(whole) == before


@pytest.mark.parametrize(
    "needs",
    ["print(total)", "total += 1", "def show():\n    return total", "[total for _ in 'ab']"],
)
def test_a_cell_that_needs_a_removed_name_is_named(needs):
    whole = notebook(code("total = 1", "hide-cell"), code(needs))
    with pytest.raises(BuildError, match=rf"'total' \(cell {whole.cells[1].id}\)"):
        handouts.student(whole, [])


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\nprint(x)",
        "for i in range(3):\n    print(i)",
        "def late():\n    return later\n\n\nlater = 1",
        "import numpy as np\nnp.zeros(3)",
        "with open('a') as file:\n    file.read()",
        "f = lambda x: x + 1\n[f(a) for a in (1, 2)]",
        "%pip install -q nothing\n!ls",
        "display(__name__)",
        "class A:\n    b = 1\n\n    def c(self):\n        return self.b",
        "try:\n    import heavy\nexcept ImportError:\n    heavy = None",
        "d, *e = 1, 2\nd += len(e)",
    ],
)
def test_a_cell_that_stands_alone_needs_nothing(source):
    assert handouts.unknown_names([code(source)]) == []


def test_names_are_needed_in_order():
    cells = [code("print(a)"), code("a = 1"), code("a = b + a")]
    assert handouts.unknown_names(cells) == [(cells[0].id, "a"), (cells[2].id, "b")]


@chapter_test
def test_a_chapter_without_its_solutions_still_knows_every_name(path):
    whole = nbformat.read(path, as_version=4)
    made = handouts.student(whole, NAMES)
    nbformat.validate(made)
    assert not any(
        {"hide-cell", "solution-text", "teacher"} & set(cell.metadata.get("tags", ()))
        for cell in made.cells
    )
    solutions = [cell for cell in whole.cells if "hide-cell" in cell.metadata.get("tags", ())]
    kept = sources(made)
    assert solutions and not [cell.id for cell in solutions if cell.source in kept]


@chapter_test
def test_every_exercise_of_a_chapter_has_a_cell_to_write_in(path):
    made = handouts.student(nbformat.read(path, as_version=4), NAMES)
    waiting, without = [], []
    for cell in made.cells:
        if cell.cell_type == "code":
            waiting = []
        elif found := re.findall(r"^\*\*(\d+)\. ", cell.source, re.MULTILINE):
            without += waiting
            waiting = found
    assert without + waiting == []


# Text


def test_links_lead_to_the_built_book_and_to_notebooks_that_are_there():
    made = handouts.plain(
        "[a](../book/glossary.md#frame) [b](02_genre_cnn.ipynb) [c](01_style_transfer.ipynb#look) "
        "[d](https://example.org/x.md)",
        ["02_genre_cnn"],
    )
    assert made == (
        "[a](../book/book/glossary.html#frame) [b](02_genre_cnn.ipynb) "
        "[c](../book/chapters/01_style_transfer.html#look) [d](https://example.org/x.md)"
    )


def test_directives_become_markdown():
    made = handouts.plain(
        "Before.\n\n```{admonition} Mind\n:class: note\n**One**\n\nTwo\n```\n\n"
        "```{results} 01\n:variant: none\n```\n\nAs said {cite:p}`mor2018`.\n\n"
        "```python\nx = 1\n```\n"
    )
    assert made == (
        "Before.\n\n> **Mind**\n>\n> **One**\n>\n> Two\n\n"
        "The measured numbers are on the [results page](../book/book/results.html).\n\n"
        "As said.\n\n```python\nx = 1\n```\n"
    )


@chapter_test
def test_no_markup_of_the_book_is_left_in_a_notebook(path):
    made = handouts.student(nbformat.read(path, as_version=4), NAMES)
    prose = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert not re.findall(r"^(?:`{3,}|:{3,})\{.*", prose, re.MULTILINE)
    assert "colab-badge" not in prose and "](../book/" in prose
    assert not re.findall(r"\]\(\.\./book/\w+\.md", prose)


# Teachers' notebooks


@chapter_test
def test_a_teacher_gets_everything_with_notes_in_front(path):
    whole, number = nbformat.read(path, as_version=4), int(path.name[:2])
    made = handouts.teacher(whole, handouts.teachers_notes(GUIDE, number, 131.3), NAMES)
    nbformat.validate(made)
    notes, *rest = made.cells
    assert [cell.id for cell in rest] == [cell.id for cell in whole.cells]
    assert notes.source.startswith(f"# For the teacher: chapter {number} ")
    for part in ("2 min 11 s", f"## Where people get stuck in chapter {number}", "Answers:"):
        assert part in notes.source
    assert f"chapter {number + 1} in half a day" not in notes.source
    assert "{cite" not in notes.source and "\n: " not in notes.source


def test_a_chapter_that_was_not_measured_says_so():
    assert "has not been measured" in handouts.teachers_notes(GUIDE, 1, None)


def test_a_chapter_that_the_guide_passes_over_is_named():
    with pytest.raises(BuildError, match="## Chapter 9 in half a day"):
        handouts.teachers_notes(GUIDE, 9, 60)


@pytest.mark.parametrize(
    ("seconds", "said"), [(57.2, "57 s"), (131.3, "2 min 11 s"), (60, "1 min 0 s")]
)
def test_a_time_is_given_in_minutes_and_seconds(seconds, said):
    assert duration(seconds) == said


# Slides

PICTURE = '<figure class="audiostyle-figure"><img alt="A" src="data:image/png;base64,AA"></figure>'


@pytest.fixture(scope="module")
def deck():
    cells = [
        text("# Tiny\n\nA promise.", slide="slide"),
        text("Nobody sees this."),
        text("## Formulas & co\n\n$a<b$ is\n\n$$\nE = mc^2\n$$", slide="slide"),
        text("Say it twice.", slide="notes"),
        code("a = 1\nb = 2\nshow(a, b)", slide="subslide", outputs=[html(PICTURE)]),
        code(
            "print(1)",
            slide="fragment",
            outputs=[
                new_output("stream", name="stderr", text="a warning"),
                new_output("stream", name="stdout", text="1\n"),
            ],
        ),
    ]
    return BeautifulSoup(slides.deck(notebook(*cells)), "html.parser")


def leaves(deck):
    return [section for section in deck.find_all("section") if not section.section]


def test_slides_are_the_cells_that_are_marked(deck):
    assert len(leaves(deck)) == 3
    assert deck.title.get_text() == "Tiny: slides"
    assert "Nobody sees this" not in deck.get_text()
    assert "Say it twice" in deck.find("aside", class_="notes").get_text()


def test_a_slide_without_a_heading_repeats_the_last_one(deck):
    assert leaves(deck)[2].find("p", class_="running").get_text() == "Formulas & co"
    assert not leaves(deck)[1].find("p", class_="running")


def test_formulas_are_left_to_katex(deck):
    assert [m.get_text().strip() for m in deck.select(".math")] == ["a<b", "E = mc^2"]
    assert [m.name for m in deck.select(".math")] == ["span", "div"]


def test_code_above_a_picture_is_folded_and_warnings_are_left_out(deck):
    shown = leaves(deck)[2]
    assert "show(a, b)" in "".join(shown.details.strings).replace("\xa0", " ")
    assert shown.img["alt"] == "A" and not shown.img.find_parent("details")
    fragment = shown.find(class_="fragment")
    assert not fragment.details and "1" in fragment.get_text()
    assert "a warning" not in deck.get_text()


def test_all_that_a_deck_loads_lies_beside_it(deck, tmp_path):
    slides.assets(tmp_path / "assets", ROOT / "book" / "_static" / "katex")
    loaded = [tag["src"] for tag in deck.find_all("script")]
    loaded += [tag["href"] for tag in deck.find_all("link")]
    assert {"assets/reveal.js", "assets/katex/katex.min.js", "assets/deck.css"} <= set(loaded)
    assert [name for name in loaded if not (tmp_path / name).is_file()] == []
    assert "MIT" in (tmp_path / "assets" / "reveal.js").read_text("utf-8")[:300]
    assert (tmp_path / "assets" / "reveal-LICENSE").is_file()
    styles = "".join(path.read_text("utf-8") for path in tmp_path.glob("assets/*.css"))
    assert "http" not in re.sub(r"/\*.*?\*/", "", styles, flags=re.DOTALL)


def test_a_chapter_without_slides_says_what_to_do():
    with pytest.raises(BuildError, match="slideshow.slide_type"):
        slides.deck(notebook(text("# Tiny")))


@pytest.mark.browser
def test_a_full_slide_is_made_small_enough_without_a_network(tmp_path):
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if not chromium:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    long = "## Long\n\n" + "\n".join(f"- point {i} with some words" for i in range(16))
    page = slides.deck(notebook(text("# Tiny\n\n$x^2$", slide="slide"), text(long, slide="slide")))
    (tmp_path / "deck.html").write_text(page, encoding="utf-8")
    slides.assets(tmp_path / "assets", ROOT / "book" / "_static" / "katex")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_context(offline=True, viewport={"width": 1280, "height": 720}).new_page()
        problems = []
        view.on("pageerror", lambda error: problems.append(str(error)))
        view.on("requestfailed", lambda request: problems.append(request.url))
        view.goto((tmp_path / "deck.html").as_uri())
        view.wait_for_function("Reveal.isReady()")
        assert view.locator(".katex").count() == 1
        view.evaluate("Reveal.slide(1)")
        heights = view.evaluate(
            "() => { const s = Reveal.getCurrentSlide(); return [s.scrollHeight, s.clientHeight] }"
        )
        browser.close()
    assert problems == [] and heights[0] <= heights[1] + 1


# make workshop


@pytest.fixture
def small_book(tmp_path):
    """A book of one chapter that has been executed and built."""
    root = tmp_path / "a book"
    for folder in ("chapters", "results", "book/_static", "_build/html/book"):
        (root / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "book" / "_static" / "katex", root / "book" / "_static" / "katex")
    shutil.copy(ROOT / "constraints.txt", root)
    (root / "audiostyle_utils").mkdir()
    (root / "book" / "teaching.md").write_text("## Chapter 1 in half a day\n\nListen.\n", "utf-8")
    (root / "results" / "01_tiny-quick.json").write_text('{"seconds": 61.2}', "utf-8")
    (root / "_build" / "html" / "index.html").write_text("<p>book</p>", "utf-8")
    cells = [
        text("# Tiny", slide="slide"),
        code("if False:\n    %pip install 'audiostyle-utils[torch] @ somewhere'"),
        text("**1. Try (★).** Do."),
        code("print('the secret')", "hide-cell"),
    ]
    made = notebook(*cells)
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "3", "language": "python"}
    book = Book(root)
    chapter = root / "chapters" / "01_tiny.ipynb"
    nbformat.write(made, chapter)
    executed = book.executed(chapter, "quick")
    executed.parent.mkdir(parents=True)
    nbformat.write(made, executed)
    return book


def hand_out(book):
    return workshop.make(book, sorted((book.root / "chapters").glob("*.ipynb")), book.html.parent)


def test_the_handouts_lie_side_by_side_and_replace_the_last_ones(small_book):
    old = small_book.build / "workshop" / "student" / "00_old.ipynb"
    old.parent.mkdir(parents=True)
    old.touch()
    folder = hand_out(small_book)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "student/01_tiny.ipynb", "teacher/01_tiny.ipynb", "slides/01_tiny.html",
        "slides/assets/deck.js", "book/index.html", "README.txt",
    } <= files  # fmt: skip
    assert "student/00_old.ipynb" not in files
    assert re.search(r"01_tiny +1 min 1 s", (folder / "README.txt").read_text("utf-8"))
    assert "the secret" not in (folder / "student" / "01_tiny.ipynb").read_text("utf-8")
    teacher = (folder / "teacher" / "01_tiny.ipynb").read_text("utf-8")
    assert "the secret" in teacher and "Listen." in teacher


def test_a_failure_names_the_chapter_and_leaves_the_last_handouts(small_book):
    folder = hand_out(small_book)
    (small_book.root / "book" / "teaching.md").write_text("Nothing.\n", "utf-8")
    with pytest.raises(BuildError, match="01_tiny: .*in half a day"):
        hand_out(small_book)
    assert (folder / "student" / "01_tiny.ipynb").is_file()


def test_options_are_read_as_make_gives_them():
    given = workshop.options_of("--kit --platform windows --platform macos --chapter 02")
    assert (given.kit, given.platform, given.chapter) == (True, ["windows", "macos"], ["02"])


@pytest.mark.parametrize("options", ["--platform windows", "--kit --platform amiga", "--kitt x"])
def test_wrong_options_are_refused(options, capsys):
    with pytest.raises(SystemExit):
        workshop.options_of(options)
    assert "make workshop" in capsys.readouterr().err


# The kit: what goes in


def wheel(folder, name, version="1.0", needs=(), python=">=3.8", modules=None):
    """Write a small wheel by hand."""
    stem = f"{name.replace('-', '_')}-{version}"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {python}", *(f"Requires-Dist: {need}" for need in needs)]
    extras = {match[1] for need in needs if (match := re.search(r"extra == ['\"](\w+)", need))}
    lines += [f"Provides-Extra: {extra}" for extra in sorted(extras)]
    files = {f"{module}.py": "VALUE = 1\n" for module in modules or [name.replace("-", "_")]}
    files[f"{stem}.dist-info/METADATA"] = "\n".join(lines) + "\n"
    said = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{stem}.dist-info/WHEEL"] = said
    record = f"{stem}.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    path = Path(folder) / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, content in files.items():
            archive.writestr(inside, content)
    return path


WINDOWS, MAC = kit.Target("windows", "3.12"), kit.Target("macos", "3.11")


@pytest.fixture
def shelf(tmp_path):
    """Wheels whose requirements differ by computer and by extra."""
    top = wheel(
        tmp_path, "top",
        needs=["both>=1", "colour; sys_platform == 'win32'", "nope; sys_platform == 'darwin'",
               "tool[fast]; extra == 'lab'", "old; python_version < '3.12'"],
    )  # fmt: skip
    wheel(tmp_path, "both", needs=["top", "deep"])
    wheel(tmp_path, "tool", needs=["deep[more]", "speed; extra == 'fast'", "slow; extra == 'x'"])
    wheel(tmp_path, "deep", needs=["rest; extra == 'more'"], python=">=3.11.5")
    for name in ("colour", "nope", "old", "speed", "slow", "rest"):
        wheel(tmp_path, name)
    return top


def gathered(shelf, root, target):
    asked = []

    def fetch(wanted):
        asked.extend(map(str, wanted))
        return {item.name: shelf.parent / f"{item.name}-1.0-py3-none-any.whl" for item in wanted}

    found = kit.closure(shelf, Requirement(root), target, {"both": "1.0"}, fetch)
    return {path.name.partition("-")[0] for path in found}, asked


def test_wheels_are_chosen_for_the_computer_that_they_are_for(shelf):
    found, asked = gathered(shelf, "top", WINDOWS)
    assert found == {"top", "both", "colour", "deep"}
    assert "both==1.0" in asked and "colour" in asked
    assert gathered(shelf, "top", MAC)[0] == {"top", "both", "nope", "old", "deep"}


def test_extras_are_followed_and_nothing_is_fetched_twice(shelf):
    found, asked = gathered(shelf, "top[lab]", WINDOWS)
    assert found == {"top", "both", "colour", "tool", "speed", "deep", "rest"}
    assert len(asked) == len(set(asked)) == 6


def test_the_oldest_python_is_the_one_that_every_wheel_takes(shelf, tmp_path):
    wheels = list(tmp_path.glob("*.whl"))
    assert kit.oldest_python(MAC, wheels) == "3.11.5"
    assert kit.oldest_python(WINDOWS, wheels) == "3.12.0"
    refused = wheel(tmp_path, "modern", python=">=3.13")
    with pytest.raises(BuildError, match="refuses every Python 3.12"):
        kit.oldest_python(WINDOWS, [refused])


def test_targets_are_each_platform_with_each_python():
    found = kit.targets_of(["windows", "macos"], ["3.11", "3.12"])
    assert len(found) == 4 and WINDOWS in found and MAC in found
    assert kit.targets_of([], []) == [kit.this_computer()]
    with pytest.raises(BuildError, match="'3.9'"):
        kit.targets_of(["windows"], ["3.9"])


def test_the_installer_knows_each_platform_by_the_same_name():
    assert set(kit_install.NAMES.values()) == set(kit.PLATFORMS)
    for target in (kit.Target(name, "3.12") for name in kit.PLATFORMS):
        facts = target.environment()
        pair = (facts["platform_system"], facts["platform_machine"])
        assert kit_install.NAMES[pair] == target.platform


@chapter_test
def test_a_chapter_says_which_packages_it_needs(path):
    extras = kit.extras_of([path])
    assert "lab" in extras and {"tensorflow", "torch"} & set(extras)


def test_the_packages_wheel_holds_its_weights_and_no_leftovers(tmp_path):
    root = tmp_path / "clone"
    package = root / "audiostyle_utils"
    (package / "pretrained").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    (package / "__init__.py").touch()
    (package / "pretrained" / "__init__.py").touch()
    (package / "pretrained" / "ear.safetensors").write_bytes(b"weights")
    left = root / "build" / "lib" / "audiostyle_utils"
    left.mkdir(parents=True)
    (left / "gone.py").touch()
    made = kit.wheel_of(root, tmp_path)
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
    assert "audiostyle_utils/pretrained/ear.safetensors" in names
    assert "audiostyle_utils/gone.py" not in names
    assert {item.name for item in kit.needs(made, ["lab"], WINDOWS)} >= {"numpy", "jupyterlab"}


def test_the_students_notebooks_run_offline_and_leave_their_data(small_book):
    chapter = small_book.root / "chapters" / "02_keeps.ipynb"
    cell = code(
        "import os\nfrom pathlib import Path\n"
        "assert os.environ['AUDIOSTYLE_OFFLINE'] == '1'\n"
        "file = Path(os.environ['AUDIOSTYLE_CACHE'], 'made.txt')\n"
        "file.write_text(file.read_text() + 'again' if file.exists() else 'once')"
    )
    made = notebook(cell)
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "3", "language": "python"}
    nbformat.write(made, chapter)
    prepare(small_book, "quick", "make workshop")
    before = os.environ.get("AUDIOSTYLE_CACHE")
    for _ in range(2):
        data = kit.data_of(small_book, [chapter])
        assert (data / "made.txt").read_text("utf-8") == "once"
    assert os.environ.get("AUDIOSTYLE_CACHE") == before and "AUDIOSTYLE_OFFLINE" not in os.environ


# The kit: installing


@pytest.fixture
def made_kit(small_book, tmp_path):
    """A kit for this computer whose packages are three small wheels."""
    here, shelf = kit.this_computer(), tmp_path / "shelf"
    shelf.mkdir()
    needs = ["helper>=1; extra == 'lab'"]
    package = wheel(shelf, "audiostyle-utils", needs=needs, modules=["audiostyle_utils"])
    wheels = {package, wheel(shelf, "helper", "1.5", modules=["jupyterlab"])}
    data = tmp_path / "data"
    (data / "songs").mkdir(parents=True)
    (data / "songs" / "a.npy").write_bytes(b"la")
    root = Requirement("audiostyle-utils[lab]")
    return kit.assemble(small_book, hand_out(small_book), data, {here: wheels}, root)


def install(folder, **variables):
    refusing = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, folder / "install.py"],
        env={**os.environ, **refusing, **variables},
        capture_output=True,
        text=True,
    )


def test_the_kit_installs_without_a_network_after_a_run_that_was_broken_off(made_kit, tmp_path):
    moved = tmp_path / "a room"
    made_kit.rename(moved)
    (moved / "environment" / "bin").mkdir(parents=True)
    (moved / "environment" / "bin" / "half").touch()
    # A setting of the computer's owner that would lead pip elsewhere.
    done = install(moved, PIP_FIND_LINKS="http://127.0.0.1:9/", PIP_REQUIRE_VIRTUALENV="1")
    assert done.returncode == 0, done.stderr
    assert not (moved / "environment" / "bin" / "half").exists()
    for name in ("audiostyle_utils-1.0", "helper-1.5"):
        assert list(moved.glob(f"environment/**/{name}.dist-info")), name
    assert (moved / "notebooks" / "01_tiny.ipynb").is_file()
    for name in ("start.sh", "start.bat"):
        start = (moved / name).read_text("utf-8")
        assert "AUDIOSTYLE_OFFLINE=1" in start and "AUDIOSTYLE_CACHE=" in start
    if os.name != "nt":
        subprocess.run(["sh", "-n", moved / "start.sh"], check=True)
    # A second run leaves what was made, and what the student wrote.
    (moved / "notebooks" / "01_tiny.ipynb").write_text("mine", "utf-8")
    (moved / "environment" / "kept").touch()
    again = install(moved)
    assert again.returncode == 0 and "already" in again.stdout
    assert (moved / "environment" / "kept").exists()
    assert (moved / "notebooks" / "01_tiny.ipynb").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    "name", ["wheels/helper-1.5-py3-none-any.whl", "data/songs/a.npy", "student/01_tiny.ipynb"]
)
def test_a_damaged_file_is_named_before_anything_is_made(made_kit, name):
    damaged = made_kit / name
    content = damaged.read_bytes()
    # The wheel may be the same file as the one on the shelf: write a new one.
    damaged.unlink()
    damaged.write_bytes(content[:-1] + b"?")
    done = install(made_kit)
    assert done.returncode == 1 and f"Damaged or missing: {name}" in done.stderr
    assert not (made_kit / "environment").exists()
    damaged.unlink()
    assert name in install(made_kit).stderr


def test_the_book_may_be_taken_out_as_a_whole(made_kit):
    files = json.loads((made_kit / "kit.json").read_text("utf-8"))["files"]
    shutil.rmtree(made_kit / "book")
    kit_install.check_files(made_kit, files)
    next((made_kit / "slides").glob("*.html")).unlink()
    with pytest.raises(kit_install.KitError, match="slides/01_tiny.html"):
        kit_install.check_files(made_kit, files)


def test_a_kit_without_its_list_says_so(made_kit):
    (made_kit / "kit.json").write_text("{", "utf-8")
    done = install(made_kit)
    assert done.returncode == 1 and "kit.json" in done.stderr and "Traceback" not in done.stderr


TARGETS = [
    {"platform": "windows", "python": "3.12.0"},
    {"platform": "macos", "python": "3.11.5"},
    {"platform": "macos", "python": "3.12.0"},
]


@pytest.mark.parametrize(
    ("system", "machine", "version", "said"),
    [
        ("Windows", "AMD64", (3, 9, 1), "This is Python 3.9.1, .*needs Python 3.12 .*py -3.12"),
        ("Darwin", "arm64", (3, 11, 2), "at least 3.11.5 or 3.12.0.*python3.12 install.py"),
        ("Darwin", "arm64", (3, 13, 0), "needs Python 3.11 or 3.12"),
        ("Linux", "x86_64", (3, 12, 1), "is Linux on x86_64, and the kit is for macos, windows"),
        ("Darwin", "x86_64", (3, 12, 1), "install one for Apple chips"),
    ],
)
def test_a_wrong_computer_or_python_is_named(system, machine, version, said):
    with pytest.raises(kit_install.KitError, match=said):
        kit_install.check_computer(TARGETS, system, machine, version)


@pytest.mark.parametrize(
    ("system", "machine", "version"),
    [("Windows", "AMD64", (3, 12, 0)), ("Darwin", "arm64", (3, 11, 9))],
)
def test_a_right_computer_is_taken(system, machine, version):
    kit_install.check_computer(TARGETS, system, machine, version)


def test_a_folder_too_deep_for_windows_is_named(made_kit):
    kit_install.check_paths(made_kit, 10_000)
    with pytest.raises(kit_install.KitError, match="Move the kit to a short place"):
        kit_install.check_paths(made_kit, len(str(made_kit)) + 40)


def test_the_kit_can_be_one_file(made_kit):
    with zipfile.ZipFile(kit.zipped(made_kit)) as archive:
        names = archive.namelist()
        assert archive.read("audio-style/data/songs/a.npy") == b"la"
    assert "audio-style/install.py" in names
