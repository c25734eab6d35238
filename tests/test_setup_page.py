"""The commands of the set-up page, and the image for Docker: what they name is there."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from book._tools import common, environment, links
from book._tools.common import Book

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book" / "setup.md").read_text(encoding="utf-8")
DOCKER = ROOT / "book" / "_docker" / "Dockerfile"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
SUPPORTED = SpecifierSet(PROJECT["requires-python"])
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [line for _, block in BLOCKS for line in block.splitlines()]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def starting(*words):
    return [line for line in COMMANDS if line.split()[: len(words)] == list(words)]


def section(heading):
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]


# The page


def test_every_way_of_the_table_has_its_section():
    table = PAGE.partition("\n## ")[0]
    ways = re.findall(r"^\| \[`?(\w+)`?\]\(#([\w-]+)\)", table, re.MULTILINE)
    assert [name for name, _ in ways] == ["make", "pip", "conda", "Colab", "Binder", "Docker"]


def test_links_within_the_page_lead_to_a_heading():
    headings = re.findall(r"^#{1,3} (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
    named = set(re.findall(r"\]\(#([\w-]+)\)", PAGE))
    assert len(named) >= 7 and named <= anchors


def test_files_that_the_page_names_are_there():
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", PAGE)
    named = re.findall(r"`([\w./-]+/[\w.-]+\.\w+|[\w-]+\.(?:txt|yml))`", PAGE)
    missing = [name for name in linked if not (ROOT / "book" / name).is_file()]
    missing += [name for name in named if name[:7] != "_build/" and not (ROOT / name).is_file()]
    assert {"constraints.txt", "environment.yml", "results/bounds/colab.json"} <= set(named)
    assert missing == []


def test_targets_and_variables_of_make_are_there():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    calls = re.findall(
        r"(?:^|`|[A-Z]=\S+ )make ([a-z-]+)((?: [A-Z]+=[^`\s]*)*)", PAGE, re.MULTILINE
    )
    assert {"book", "test", "chapter", "test-gpu", "test-colab"} <= {name for name, _ in calls}
    assert {name for name, _ in calls} <= targets
    table = set(re.findall(r"^\| `make ([a-z-]+)", PAGE, re.MULTILINE))
    assert targets - {"env", "help"} == table
    exported = set(re.search(r"^export (.+)$", MAKEFILE, re.MULTILINE)[1].split()) | {"PYTHON"}
    assert {name for _, given in calls for name in re.findall(r"([A-Z]+)=", given)} <= exported
    for number in re.findall(r"CH=\"?([\d ]+)", PAGE):
        assert all(Book(ROOT).chapter(one) for one in number.split())


def test_a_command_is_one_of_the_programs_that_the_section_asks_for():
    allowed = set(
        """git cd make python3 py pip jupyter conda docker source export %env
        .venv\\Scripts\\Activate.ps1 .venv/bin/python KERAS_BACKEND=torch""".split()
    )
    assert {line.split()[0] for line in COMMANDS} <= allowed


def test_a_clone_is_entered_by_its_name():
    assert len(starting("git", "clone")) == 5
    for _, block in BLOCKS:
        lines = block.splitlines()
        if lines[0].startswith("git"):
            # The folder is named, so that `cd` is right in a fork with another name.
            folder = lines[0].split()[-1]
            assert lines[:2] == [f"git clone {REPOSITORY} {folder}", f"cd {folder}"]


def test_pip_installs_what_there_is():
    installs = starting("pip", "install")
    assert installs.count('pip install -e ".[all,lab]" -c constraints.txt') == 2
    # What environment.yml has installed already needs Jupyter only.
    assert installs.count('pip install -e ".[lab]" -c constraints.txt') == 1 and len(installs) == 3
    # As make does.
    said = (ROOT / "book" / "_tools" / "environment.py").read_text(encoding="utf-8")
    assert '"--constraint", "constraints.txt", "--editable", ".[all]"' in said
    assert {"all", "lab"} <= set(PROJECT["optional-dependencies"])
    assert environment.wanted(ROOT)["packages"]


def test_conda_makes_and_enters_the_same_environment():
    (made,), (entered,) = starting("conda", "env"), starting("conda", "activate")
    file = ROOT / made.split()[-1]
    assert entered.split()[-1] == yaml.safe_load(file.read_text(encoding="utf-8"))["name"]


def test_the_versions_of_python_are_the_supported_ones():
    every = [f"3.{minor}" for minor in range(9, 20) if f"3.{minor}.0" in SUPPORTED]
    assert f"Python {every[0]} to {every[-1]}" in PAGE
    named = set(re.findall(r"(?:-|[Pp]ython ?)(3\.\d+)", PAGE))
    assert named <= set(every) and f"py -{every[1]}" in PAGE
    newer = re.search(r"(3\.\d+) for instance", PAGE)[1]
    assert f"{newer}.0" not in SUPPORTED


def test_what_the_page_says_of_messages_is_what_they_are():
    quoted = [
        text for line in re.findall(r"^“.+$", PAGE, re.M) for text in re.findall("“(.+?)”", line)
    ]
    ours = MAKEFILE + (ROOT / "book" / "_tools" / "environment.py").read_text(encoding="utf-8")
    assert quoted[0] in ours
    assert (
        quoted[1].removesuffix(" .venv") == "could not make" and "could not make {folder}" in ours
    )


def test_variables_that_are_named_are_read():
    read = "".join(
        path.read_text(encoding="utf-8")
        for path in [
            *(ROOT / "audiostyle_utils").rglob("*.py"),
            *(ROOT / "book/_tools").glob("*.py"),
        ]
    )
    named = set(re.findall(r"\b(?:AUDIOSTYLE|KERAS)_[A-Z_]+\b", PAGE))
    assert len(named) == 5
    assert [name for name in named if f'"{name}"' not in read] == []


def test_a_profile_that_is_set_is_one():
    given = re.findall(r"AUDIOSTYLE_PROFILE *= *\"?(\w+)|PROFILE=(\w+)", PAGE)
    assert {one or other for one, other in given} <= set(common.PROFILES)
    rows = re.findall(r"^\| `(\w+)` \|", section("How much to compute: profiles"), re.MULTILINE)
    assert tuple(rows) == common.PROFILES


def test_the_quarter_of_an_hour_was_measured():
    seconds = [
        json.loads((ROOT / "results" / f"{path.stem}-quick.json").read_text("utf-8"))["seconds"]
        for path in Book(ROOT).chapters()
    ]
    assert 12 * 60 < sum(seconds) < 18 * 60
    assert 30 < min(seconds) and max(seconds) < 4.5 * 60


def test_colab_and_binder_open_a_chapter_of_this_repository():
    name = REPOSITORY.partition("github.com/")[2]
    colab = re.findall(r"https://colab\.research\.google\.com/github/(.+?)/blob/main/(.+?)\)", PAGE)
    binder = re.findall(r"https://mybinder\.org/v2/gh/(.+?)/main\?labpath=(.+?)\)", PAGE)
    assert len(colab) == len(binder) == 1
    for repository, path in colab + binder:
        assert repository == name and (ROOT / path).is_file()


def test_make_links_rewrites_every_address_of_the_page(tmp_path):
    book = Book(tmp_path)
    (tmp_path / "setup.md").write_text(PAGE, encoding="utf-8")
    text = f'[project]\nname = "x"\n[project.urls]\nRepository = "{REPOSITORY}"\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "setup.md", "pyproject.toml"], cwd=tmp_path, check=True)
    links.point_at(book, "someone/else")
    changed = (tmp_path / "setup.md").read_text(encoding="utf-8")
    assert REPOSITORY.partition("github.com/")[2] not in changed
    assert "/v2/gh/someone/else/main?labpath=" in changed
    assert changed.count("git clone https://github.com/someone/else audio-style-book\n") == 5


# Docker


def instructions():
    text = re.sub(r"^\s*#.*\n", "", DOCKER.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line]


def arguments(name):
    return [rest for kind, rest in instructions() if kind == name]


def test_the_dockerfile_holds_known_instructions_and_begins_with_its_base():
    known = {"ARG", "FROM", "USER", "RUN", "WORKDIR", "COPY", "ENV"}
    assert {kind for kind, _ in instructions()} <= known
    assert [kind for kind, _ in instructions()][:2] == ["ARG", "FROM"]
    assert arguments("FROM") == ["${BASE}"] and arguments("ARG")[0].startswith("BASE=")


def test_the_base_is_a_docker_stack_with_a_supported_python_and_no_host():
    base = arguments("ARG")[0].partition("=")[2]
    name, version = re.fullmatch(r"(jupyter/[a-z-]+-notebook):python-(3\.\d+)", base).groups()
    assert "." not in name and f"{version}.0" in SUPPORTED


def test_nothing_runs_as_the_administrator():
    assert arguments("USER") == ["${NB_UID}"]
    kinds = [kind for kind, _ in instructions()]
    assert kinds.index("USER") < kinds.index("RUN")
    assert all(rest.startswith("--chown=${NB_UID}:${NB_GID} ") for rest in arguments("COPY"))


def test_what_the_dockerfile_copies_is_there():
    copied = [shlex.split(rest)[1:-1] for rest in arguments("COPY")]
    assert all((ROOT / name).exists() for names in copied for name in names)
    # What the installation reads is copied before it runs; the rest comes last.
    first = {name for names in copied[:-1] for name in names}
    needed = {"pyproject.toml", "constraints.txt", "audiostyle_utils", PROJECT["readme"]}
    assert needed | set(PROJECT["license-files"]) <= first
    assert copied[-1] == ["."] and instructions()[-1][0] == "COPY"


def test_docker_and_pip_install_the_same():
    (installs,) = [rest for rest in arguments("RUN") if "pip install" in rest]
    # The image brings a Jupyter of its own.
    line = next(one for one in starting("pip", "install") if "[all,lab]" in one)
    said = line.removeprefix("pip install ").replace("[all,lab]", "[all]")
    assert f".venv/bin/pip install --no-cache-dir {said} &&" in installs


def test_jupyter_finds_the_kernel_that_the_chapters_name():
    (installs,) = [rest for rest in arguments("RUN") if "ipykernel install" in rest]
    prefix = re.search(r'--prefix "([^"]+)"', installs)[1]
    assert arguments("ENV") == [f'JUPYTER_PATH="{prefix}/share/jupyter"']
    assert "--name python3 " in installs


def test_a_run_of_the_dockerfile_is_valid_shell():
    for rest in arguments("RUN"):
        told = subprocess.run(["bash", "-n", "-c", rest], capture_output=True, text=True)
        assert told.returncode == 0, told.stderr


def test_the_image_is_built_and_run_by_one_name():
    (built,), runs = starting("docker", "build"), starting("docker", "run")
    words = shlex.split(built)
    assert (ROOT / words[words.index("-f") + 1]) == DOCKER and words[-1] == "."
    assert {line.split()[-1] for line in runs} == {words[words.index("-t") + 1]}
    for line in [built, runs[0]]:
        assert line in DOCKER.read_text(encoding="utf-8")
    named = set(re.findall(r"--build-arg ([A-Z_]+)=", PAGE))
    assert named == {rest.partition("=")[0] for rest in arguments("ARG")}


def test_what_git_ignores_stays_out_of_the_image():
    left_out = DOCKER.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    assert {".git", ".venv", "_build", "build", "**/__pycache__"} <= set(left_out)
    for name in (line for line in left_out if line and line[0] != "#" and line != ".git"):
        pattern = name.removeprefix("**/").replace("*", "x")
        told = subprocess.run(["git", "check-ignore", "-q", f"{pattern}/x"], cwd=ROOT)
        if told.returncode == 128:
            pytest.skip("this is not a git checkout")
        assert told.returncode == 0, name


def test_binder_takes_environment_yml():
    """A Dockerfile at the root, in binder or in .binder, would take its place."""
    assert not any((ROOT / place / "Dockerfile").exists() for place in (".", "binder", ".binder"))
