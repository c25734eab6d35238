"""The repository agrees with itself: versions, commands, notebooks, licences, layers."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import audiostyle_utils

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "audiostyle_utils"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
MODULES = sorted(PACKAGE.rglob("*.py"))
TOP_LEVEL = set(
    """book chapters audiostyle_utils tests benchmarks results _config.yml _toc.yml environment.yml
    pyproject.toml constraints.txt Makefile README.md LICENSE LICENSE-TEXT CITATION.cff .ci .github
    .gitignore .pre-commit-config.yaml""".split()
)
# Read from the bottom up: a module may import from rows before its own, or from the same row.
LAYERS = [
    {"errors"},
    {"_checks"},
    {"settings", "training", "pretrained", "pictures", "_kept", "_downloads"}
    | {"exercises"},
    {"audio", "spectra", "soundfont"},
    {"features", "metrics", "microphone", "ngrams", "scores", "speech", "_espeak", "visuals"}
    | {"wavenet"},
    {"datasets"},
    {"plots", "chapters", "results"},
]
# It makes hostile files, and shows with Python's own pickle that they would do harm. The package
# reads pickles without that module: audiostyle_utils/visuals/pickles.py follows a file's
# instructions itself, and runs nothing.
MAKES_PICKLES = "tests/test_visuals_pickles.py"
HEAVY = set(
    """tensorflow keras torch librosa matplotlib music21 IPython scipy sklearn pandas
    plotnine""".split()
)


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(text("pyproject.toml"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]


def direct_dependencies():
    extras = PROJECT["optional-dependencies"].values()
    listed = [*PROJECT["dependencies"], *(item for extra in extras for item in extra)]
    found = [Requirement(item) for item in listed]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


def pins():
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    return [line.partition("==")[::2] for line in lines]


@pytest.fixture(scope="module")
def tracked():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("this is not a git checkout")
    return [path for name in listing.stdout.split("\0") if (path := ROOT / name).is_file()]


# Versions


def test_constraints_are_exact_sorted_and_without_doubles():
    names = [name for name, _ in pins()]
    assert [name for name, version in pins() if not re.fullmatch(r"[0-9][\w.]*", version)] == []
    assert names == sorted(names, key=str.lower)
    assert len({canonicalize_name(name) for name in names}) == len(names)


def test_every_dependency_has_a_pin_that_its_range_allows():
    pinned = {canonicalize_name(name): version for name, version in pins()}
    wrong = {
        str(requirement): pinned.get(canonicalize_name(requirement.name))
        for requirement in direct_dependencies()
        if pinned.get(canonicalize_name(requirement.name)) not in requirement.specifier
    }
    assert wrong == {}


def test_all_that_gets_installed_is_pinned():
    pinned = {canonicalize_name(name) for name, _ in pins()}
    # What a GPU build of PyTorch brings depends on the machine.
    needed = {
        name
        for name in closure(PROJECT["name"], {"all"}, {})
        if not name.startswith(("nvidia-", "cuda-", "triton"))
    }
    assert needed - pinned - {PROJECT["name"]} == set()


def closure(name, extras, seen):
    """Return what a distribution needs, directly or not, where these tests run."""
    for item in metadata.requires(name) or []:
        requirement = Requirement(item)
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        ):
            continue
        other = canonicalize_name(requirement.name)
        if other not in seen or requirement.extras - seen[other]:
            seen[other] = seen.get(other, set()) | requirement.extras
            closure(requirement.name, seen[other], seen)
    return seen


def test_each_dependency_has_a_floor_and_no_exact_version():
    for requirement in direct_dependencies():
        operators = {part.operator for part in requirement.specifier}
        assert ">=" in operators and "==" not in operators, str(requirement)


def test_the_package_and_the_chapters_import_only_what_is_declared():
    declared = {canonicalize_name(requirement.name) for requirement in direct_dependencies()}
    distributions = metadata.packages_distributions()
    undeclared = {
        (str(path.relative_to(ROOT)), name)
        for path in [*MODULES, *CHAPTERS]
        for name in imported(path)
        if name not in sys.stdlib_module_names | {"audiostyle_utils", "google"}
        and not declared & {canonicalize_name(dist) for dist in distributions.get(name, [name])}
    }
    assert undeclared == set()


def imported(path):
    """Return the top-level names that a file imports, anywhere in it."""
    names = set()
    for node in (node for tree in trees(path) for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def test_environment_yml_installs_the_package_and_repeats_no_pin():
    listed = yaml.safe_load(text("environment.yml"))["dependencies"]
    (pip,) = [item["pip"] for item in listed if isinstance(item, dict)]
    (python,) = [item for item in listed if str(item).startswith("python=")]
    assert pip == ["-e .[all]"]
    assert f"{python.partition('=')[2]}.0" in SpecifierSet(PROJECT["requires-python"])
    assert {item for item in listed if isinstance(item, str)} == {python, "pip"}


def test_one_version_and_one_address_everywhere():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert audiostyle_utils.__version__ == PROJECT["version"] == citation["version"]
    assert citation["repository-code"] == REPOSITORY
    assert yaml.safe_load(text("_config.yml"))["repository"]["url"] == REPOSITORY


# Commands


def targets():
    return set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))


def test_readme_and_makefile_name_the_same_commands():
    named = set(re.findall(r"\bmake ([a-z-]+)\b(?= CH=| REPO=|`|\n| P=|$)", text("README.md")))
    assert named - targets() == set()
    assert targets() - {"env"} - named == set()
    assert targets() == set(re.search(r"^\.PHONY: (.+)$", text("Makefile"), re.M)[1].split())


def test_readme_and_makefile_name_the_supported_pythons():
    supported = SpecifierSet(PROJECT["requires-python"])
    versions = [f"3.{minor}" for minor in range(9, 20) if f"3.{minor}.0" in supported]
    assert f"Python {', '.join(versions[:-1])} or {versions[-1]}" in text("README.md")
    assert f"Python of {versions[0]} to {versions[-1]}" in text("Makefile")
    assert all(f"python{version}" in text("Makefile") for version in versions)


def test_ci_runs_what_the_readme_says():
    workflow = yaml.safe_load(text(".github/workflows/ci.yml"))
    job = workflow["jobs"]["test"]
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    assert workflow["permissions"] == {"contents": "read"}
    supported = SpecifierSet(PROJECT["requires-python"])
    assert all(f"{version}.0" in supported for version in job["strategy"]["matrix"]["python"])
    assert {"make test", "make book"} <= set(text(".ci/run").splitlines())


def test_the_hooks_are_local():
    repos = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert {hook["id"] for hook in repos[0]["hooks"]} == {"nbstripout", "ruff"}


def test_readme_lists_each_chapter_with_its_colab_link():
    prefix = REPOSITORY.replace("https://", "https://colab.research.google.com/").replace(
        "github.com", "github"
    )
    for chapter in CHAPTERS:
        assert f"(chapters/{chapter.name})" in text("README.md"), chapter.name
        assert f"{prefix}/blob/main/chapters/{chapter.name}" in text("README.md"), chapter.name


def test_links_in_readme_exist():
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", text("README.md"))
    assert [link for link in links if not (ROOT / link).exists()] == []


# Files


def test_the_top_level_is_the_house(tracked):
    assert {path.relative_to(ROOT).parts[0] for path in tracked} == TOP_LEVEL


def test_no_file_is_large_or_data(tracked):
    data = {".wav", ".mp3", ".flac", ".ogg", ".mid", ".midi", ".npz", ".npy", ".h5", ".zip", ".sf2"}
    others = [path for path in tracked if path.parent != PACKAGE / "pretrained"]
    assert [path.name for path in others if path.stat().st_size > 10_000_000] == []
    assert [path.name for path in others if path.suffix == ".safetensors"] == []
    found = [path for path in tracked if path.suffix.lower() in data]
    assert [path.name for path in found if path.parent != PACKAGE / "datasets/previews"] == []


def test_shipped_weights_stay_small(tracked):
    sizes = {
        path.name: path.stat().st_size for path in tracked if path.parent == PACKAGE / "pretrained"
    }
    assert [name for name, size in sizes.items() if size > 16_000_000] == []
    assert sum(sizes.values()) < 60_000_000


def test_all_that_the_package_needs_is_installed_with_it(tracked):
    settings = tomllib.loads(text("pyproject.toml"))["tool"]["setuptools"]
    patterns = settings["package-data"]["audiostyle_utils"]
    shipped = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    others = {path for path in tracked if path.is_relative_to(PACKAGE) and path.suffix != ".py"}
    assert others - shipped == set()


def test_no_package_registry_is_named(tracked):
    # Written in pieces, so that this file passes too.
    parts = [("py", "pi"), ("python", "hosted"), ("npm", "js"), ("pytorch", ".org/whl")]
    hosts = ["".join(pair).encode() for pair in parts]
    found = [path.name for path in tracked if any(host in path.read_bytes() for host in hosts)]
    assert found == []


def test_no_code_runs_a_shell_or_loads_pickles(tracked):
    found = [
        (str(path.relative_to(ROOT)), line)
        for path in tracked
        if path.suffix in (".py", ".ipynb")
        for tree in trees(path)
        for line in risky(tree)
    ]
    assert {(name, line) for name, line in found if not allowed(name, line)} == set()


def allowed(name, line):
    return name == MAKES_PICKLES and line.partition(": ")[2] == "pickle"


def test_pickles_are_loaded_in_the_test_of_hostile_files_alone(tracked):
    calls = {
        (str(path.relative_to(ROOT)), call)
        for path in tracked
        if path.suffix in (".py", ".ipynb")
        for tree in trees(path)
        for call in unpickling(tree)
    }
    assert {name for name, _ in calls} <= {MAKES_PICKLES}
    assert {call for _, call in calls} <= {"pickle.loads"}


def unpickling(tree):
    """Yield what in a syntax tree would run a pickle; PyTorch's files hold one, too."""
    runs = {f"pickle.{name}" for name in ("load", "loads", "Unpickler")}
    runs |= {"torch.load", "joblib.load", "pd.read_pickle", "pandas.read_pickle"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in runs:
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and re.fullmatch(
            r"(\w+\.)?(import_module|__import__)\(['\"]_?pickle['\"].*\)", ast.unparse(node)
        ):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("pickle.load(file)", 1),
        ("pickle.loads(data)", 1),
        ("read = pickle.loads", 1),
        ("pickle.Unpickler(file).load()", 1),
        ("class Reader(pickle.Unpickler): pass", 1),
        ("torch.load(path)", 1),
        ("pd.read_pickle(path)", 1),
        ("import_module('pickle')", 1),
        ("pickle.dumps(data)", 0),
        ("json.load(file), pretrained.load(name), audio.load(path)", 0),
    ],
)
def test_unpickling_is_seen(code, count):
    assert len(list(unpickling(ast.parse(code)))) == count


def trees(path):
    if path.suffix == ".py":
        return [ast.parse(path.read_text(encoding="utf-8"))]
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    # IPython's commands are not Python; what they call is not looked at.
    return [ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", cell.source)) for cell in cells]


def risky(tree):
    """Yield what is risky in a syntax tree."""
    modules = {"pickle", "_pickle", "cPickle", "dill", "shelve", "marshal"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            yield from (f"line {node.lineno}: {name}" for name in names & modules)
        if isinstance(node, ast.keyword) and node.arg in ("shell", "allow_pickle"):
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                yield f"line {node.value.lineno}: {node.arg}"
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.system", "os.popen"):
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("import pickle", 1),
        ("from pickle import loads", 1),
        ("subprocess.run('ls', shell=True)", 1),
        ("subprocess.run('ls', shell=flag)", 1),
        ("os.system('ls')", 1),
        ("np.load(path, allow_pickle=True)", 1),
        ("np.load(path, allow_pickle=False)", 0),
        ("subprocess.run(['ls'])", 0),
    ],
)
def test_risky_code_is_seen(code, count):
    assert len(list(risky(ast.parse(code)))) == count


# Notebooks


def code_cells(path):
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(path, tag):
    return [cell for cell in code_cells(path) if tag in cell.metadata.get("tags", ())]


def chapter_test(function):
    return pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)(function)


@chapter_test
def test_a_notebook_is_valid_and_stored_without_outputs(path):
    nbformat.validate(nbformat.read(path, as_version=nbformat.NO_CONVERT))
    left = [cell for cell in code_cells(path) if cell.outputs or cell.execution_count]
    assert not left, f"{path.name} holds outputs: run .venv/bin/nbstripout chapters/{path.name}"


@chapter_test
def test_a_notebook_names_the_kernel_that_every_machine_has(path):
    assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3"


@chapter_test
def test_a_chapter_has_one_settings_cell_and_definitions(path):
    assert len(tagged(path, "parameters")) == 1
    assert tagged(path, "definitions")


@chapter_test
def test_definition_cells_only_define(path):
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for cell in tagged(path, "definitions"):
        for node in ast.parse(cell.source).body:
            line = ast.unparse(node)
            # A variable that a library reads when it is imported has to be set before.
            assert isinstance(node, allowed) or line.startswith("os.environ.setdefault("), line


@chapter_test
def test_a_chapter_records_what_it_measured(path):
    last = code_cells(path)[-1].source
    assert "record(" in last and path.stem in last


@chapter_test
def test_what_a_chapter_shows_of_results_has_been_measured(path):
    kept = [
        json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "results").glob("*.json")
    ]
    cells = nbformat.read(path, as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    blocks = re.findall(r"^```{results} (\S+)\n((?::.*\n)*)```", prose, re.MULTILINE)
    for chapter, options in blocks:
        given = dict(re.findall(r"^:(\w+): (.+)$", options, re.MULTILINE))
        there = [one for one in kept if one["chapter"] == chapter]
        shown = [one for one in there if all((one.get(k) or "none") == v for k, v in given.items())]
        assert shown, f"{chapter}, {given}: measure it, and run make keep"


@chapter_test
def test_a_chapter_loads_by_its_number(path):
    loaded = audiostyle_utils.load_chapter(path.stem.split("_")[0])
    assert Path(loaded.__file__).name == path.name


@chapter_test
def test_colab_links_in_a_notebook_point_at_it(path):
    links = re.findall(r"https://colab\.research\.google\.com/github/[^\s\"')]+", text(path))
    expected = f"{REPOSITORY.partition('github.com/')[2]}/blob/main/chapters/{path.name}"
    assert {link.partition("/github/")[2].rstrip("\\") for link in links} == {expected}


# The package


def public(path):
    """Yield the public functions and classes at the top of a module that is itself public."""
    if path.name.startswith("_") and path.name != "__init__.py":
        return
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def test_every_public_docstring_names_a_chapter_that_exists():
    chapters = {path.stem for path in CHAPTERS}
    wrong = {}
    for path in MODULES:
        for node in public(path):
            section = re.search(
                r"^Chapter\n-------\n((?:\S+\n?)+)", ast.get_docstring(node) or "", re.MULTILINE
            )
            if not section or not set(section[1].replace(",", " ").split()) <= chapters:
                wrong[f"{path.name}: {node.name}"] = section and section[1]
    assert wrong == {}


def test_every_module_of_the_package_can_be_had_by_name():
    for name in audiostyle_utils.__all__:
        assert getattr(audiostyle_utils, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = audiostyle_utils.nothing


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, audiostyle_utils; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert HEAVY & set(result.stdout.split()) == set()


@pytest.mark.parametrize("name", audiostyle_utils._MODULES)
def test_a_module_loads_no_framework(name):
    code = f"import sys, audiostyle_utils.{name}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert {"tensorflow", "keras", "torch"} & set(result.stdout.split()) == set()


def test_no_import_runs_up_and_no_two_modules_import_each_other():
    rank = {name: row for row, names in enumerate(LAYERS) for name in names}
    graph = {}
    for path in MODULES:
        inner = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if inner != "__init__":
            graph.setdefault(inner, set()).update(inner_imports(path) - {inner})
    assert set(graph) == set(rank), "give a new module its place in LAYERS"
    up = {(one, other) for one in graph for other in graph[one] if rank[other] > rank[one]}
    mutual = {(one, other) for one in graph for other in graph[one] if one in graph[other]}
    assert (up, mutual) == (set(), set())


def inner_imports(path):
    """Return the modules of the package that one of its files imports, anywhere in it."""
    here = ["audiostyle_utils", *path.relative_to(PACKAGE).parts[:-1]]
    dotted = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            dotted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            dotted |= {f"{base}.{alias.name}" for alias in node.names}
    names = {name.split(".")[1] for name in dotted if name.startswith("audiostyle_utils.")}
    lazy = audiostyle_utils._LAZY
    return {lazy.get(name, name) for name in names}


def test_modules_can_be_imported_one_by_one():
    for name in audiostyle_utils._MODULES:
        assert import_module(f"audiostyle_utils.{name}").__doc__
