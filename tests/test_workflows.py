"""The workflows are valid, ask for little, and call what is there."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from book._tools import colab

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SUPPORTED = SpecifierSet(PROJECT["requires-python"])
# What a job may do beyond reading the repository.
RIGHTS = {
    ("ci", "publish"): {"pages": "write", "id-token": "write"},
    ("weekly", "report"): {"issues": "write"},
}


def load(name):
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    # YAML reads the key `on` as a truth value; the tests look at other keys.
    return yaml.safe_load(text)


def jobs():
    return [
        (path.stem, name, job) for path in FILES for name, job in load(path.stem)["jobs"].items()
    ]


def steps():
    return [(file, step) for file, _, job in jobs() for step in job["steps"]]


def validate(*paths):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    command += ["vendor.github-workflows", *paths]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_workflows_are_those_that_readme_and_set_up_page_name():
    assert [path.name for path in FILES] == ["ci.yml", "gpu.yml", "weekly.yml"]


def test_the_workflows_follow_githubs_schema(tmp_path):
    told = validate(*FILES)
    assert told.returncode == 0, told.stdout
    (tmp_path / "wrong.yml").write_text("on: push\njobs: {one: {steps: [{run: ls}]}}\n")
    assert validate(tmp_path / "wrong.yml").returncode != 0


def test_nothing_may_write_but_the_jobs_that_have_to():
    for path in FILES:
        assert load(path.stem)["permissions"] == {"contents": "read"}, path.name
    given = {(file, name): job["permissions"] for file, name, job in jobs() if "permissions" in job}
    assert given == RIGHTS


def test_a_checkout_leaves_no_token_behind():
    found = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(found) == 4
    assert all(step["with"]["persist-credentials"] is False for step in found)


def test_actions_are_githubs_own_and_of_one_major_version():
    used = [step["uses"] for _, step in steps() if "uses" in step]
    assert [name for name in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", name)] == []
    assert len({name.partition("@")[0] for name in used}) == len(set(used))


def test_a_script_holds_no_expression():
    """What GitHub puts into a script is run; in an environment variable it is text."""
    assert [step["run"] for _, step in steps() if "${{" in step.get("run", "")] == []


def test_make_knows_what_the_workflows_ask_for():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    called = {
        name for _, step in steps() for name in re.findall(r"^make (\S+)", step.get("run", ""))
    }
    assert called == {"test-gpu", "test-colab"} and called <= targets


def test_ci_tries_every_python_and_publishes_what_it_tested():
    test, publish = (load("ci")["jobs"][name] for name in ("test", "publish"))
    every = [f"3.{minor}" for minor in range(9, 20) if f"3.{minor}.0" in SUPPORTED]
    assert test["strategy"]["matrix"]["python"] == every
    kept = next(step for step in test["steps"] if "upload-artifact" in step.get("uses", ""))
    assert kept["if"].split("'")[1] in every
    assert kept["with"]["path"] == "_build/html"
    given = next(step for step in publish["steps"] if "download-artifact" in step["uses"])
    assert given["with"]["name"] == kept["with"]["name"]
    assert publish["needs"] == "test"
    assert "'push'" in publish["if"] and "refs/heads/main" in publish["if"]


def test_a_python_that_is_asked_for_is_supported():
    found = [step["with"]["python-version"] for _, step in steps() if "setup-python" in str(step)]
    literal = [version for version in found if "${{" not in version]
    assert len(literal) == 2 and all(f"{version}.0" in SUPPORTED for version in literal)


def test_only_the_repository_itself_publishes():
    owner_and_name = PROJECT["urls"]["Repository"].partition("github.com/")[2]
    assert f"github.repository == '{owner_and_name}'" in load("ci")["jobs"]["publish"]["if"]


def test_the_label_of_the_gpu_runner_is_in_one_place():
    job = load("gpu")["jobs"]["notebooks"]
    assert job["runs-on"] == "${{ vars.GPU_RUNNER }}"
    assert job["if"] == "vars.GPU_RUNNER != ''"
    others = {job["runs-on"] for file, _, job in jobs() if file != "gpu"}
    assert others == {"ubuntu-latest", "${{ vars.COLAB_RUNNER || 'ubuntu-latest' }}"}


def test_the_weekly_run_takes_the_image_or_the_listed_versions():
    image, listed, report = (load("weekly")["jobs"][name] for name in ("image", "listed", "report"))
    assert image["if"].replace("!=", "==") == listed["if"]
    assert image["container"] == "${{ vars.COLAB_IMAGE }}" and "container" not in listed
    python = next(step for step in listed["steps"] if "setup-python" in step.get("uses", ""))
    assert python["with"]["python-version"] == colab.python_version()
    assert set(report["needs"]) == {"image", "listed"}


def test_no_job_runs_for_ever():
    assert [name for _, name, job in jobs() if not 0 < job.get("timeout-minutes", 0) <= 360] == []


@pytest.mark.parametrize("failure", ["failure", "cancelled"])
def test_an_issue_is_opened_for_what_failed_or_ran_out_of_time(failure):
    assert f"contains(needs.*.result, '{failure}')" in load("weekly")["jobs"]["report"]["if"]


def opened(tmp_path, found):
    """Run the script with a stand-in for `gh` that finds so many open issues."""
    script = load("weekly")["jobs"]["report"]["steps"][0]["run"]
    program = tmp_path / "gh"
    log = tmp_path / "log"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" "" >> {log}\n[ "$2" = create ] || echo {found}\n'
    )
    program.chmod(0o755)
    surroundings = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "TITLE": "The chapters fail on Colab",
        "RUN": "https://x/1",
    }
    subprocess.run(["bash", "-e", "-c", script], env=surroundings, check=True)
    return [block.split("\n") for block in log.read_text().strip().split("\n\n")]


def test_one_issue_is_open_at_a_time(tmp_path):
    asked, *more = opened(tmp_path, 1)
    assert asked[:2] == ["issue", "list"] and more == []
    assert 'in:title "The chapters fail on Colab"' in asked
    (tmp_path / "log").unlink()
    _, created = opened(tmp_path, 0)
    assert created[:4] == ["issue", "create", "--title", "The chapters fail on Colab"]
    assert created[-1].endswith("https://x/1")
