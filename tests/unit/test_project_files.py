"""The files of the repository's root that programs read, but none of ours."""

import re
import tomllib
from typing import Any, Final

import locks
import pytest
import yaml
from documents import ROOT, page, source

PROJECT: Final = tomllib.loads(source("pyproject.toml"))
PYTHON: Final = "Programming Language :: Python :: "
WORKFLOW: Final = ".github/workflows/test.yml"
HOOKS: Final = ".pre-commit-config.yaml"
FORMS: Final = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
MAKEFILE: Final = source("Makefile")


def read(path: str) -> Any:
    return yaml.safe_load(source(path))


def prerequisites(target: str) -> list[str]:
    (line,) = re.findall(rf"^{target}: (.+)", MAKEFILE, re.MULTILINE)
    return str(line).split()


def pythons() -> list[str]:
    classifiers = PROJECT["project"]["classifiers"]
    return [each.removeprefix(PYTHON) for each in classifiers if each.startswith(PYTHON)]


def test_every_file_names_the_same_pythons() -> None:
    oldest, newest = pythons()[0], pythons()[-1]
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert oldest == locks.OLDEST_PYTHON
    assert f"They hold for Python {oldest} to {newest}" in page("operators.md")
    assert f"needs Python {oldest} or newer" in MAKEFILE
    assert f"sys.version_info >= ({oldest.replace('.', ', ')})" in MAKEFILE
    for name in ("README.md", "docs/operators.md"):
        assert f"Python {oldest} or newer" in source(name)
    assert f"Python {oldest} to {newest}" in source("SECURITY.md")
    assert read(WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]["python"] == pythons()


def test_dependencies_are_said_once() -> None:
    assert "dependencies" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["dependencies"]["file"] == ["requirements.txt"]
    assert f"Framework :: Django :: {version_of('django')}" in PROJECT["project"]["classifiers"]


def version_of(name: str) -> str:
    (locked,) = (each for each in locks.parsed(locks.RUN.read_text()) if each.name == name)
    assert locked.version is not None
    return ".".join(locked.version.split(".")[:2])


def test_the_hosted_tests_run_make_test_and_may_do_nothing_else() -> None:
    workflow = read(WORKFLOW)
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    assert "make test" in [step.get("run") for step in job["steps"]]
    for step in job["steps"]:
        if used := step.get("uses"):
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", used), used
    (checkout,) = (step for step in job["steps"] if "checkout" in step.get("uses", ""))
    assert checkout["with"]["persist-credentials"] is False
    (python,) = (step for step in job["steps"] if "setup-python" in step.get("uses", ""))
    assert list(ROOT.glob(python["with"]["cache-dependency-path"])), "what the cache is kept for"


def test_a_commit_is_checked_by_what_make_lint_runs() -> None:
    (repository,) = read(HOOKS)["repos"]
    assert repository["repo"] == "local", "other versions than the locks name would be run"
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert entries == [f"make {target}" for target in prerequisites("lint")]
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    recipe = (ROOT / "Makefile").read_text().partition("\ntest:")[2].partition("\n\n")[0]
    assert re.search(r"\n\t@\$\(MAKE\) [^#]*\blint\b", recipe)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_is_one_that_can_be_filled_in(path: Any) -> None:
    form = read(str(path.relative_to(ROOT)))
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert form["name"]
    assert form["description"]
    kinds = [part["type"] for part in form["body"]]
    assert set(kinds) <= {"markdown", "textarea", "input"}
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields) > 0
    assert all(part["attributes"]["label"] for part in fields)
