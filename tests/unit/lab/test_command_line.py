"""What the command line refuses, and in which words."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from al_lab import command_line
from al_lab.results import FILE

ROOT = Path(__file__).resolve().parents[3]
# Runs the program where one package is not installed.
WITHOUT = """
import runpy, sys

sys.modules[sys.argv.pop(1)] = None
runpy.run_module("al_lab", run_name="__main__")
"""
TEXT = """
title = "Two arms"
report = ["curves"]
[data]
name = "sklearn:digits"
image_size = 8
[labels]
initial = 20
budget = 60
evaluate_every = 20
[[arms]]
name = "random"
arrangement.strategies = ["random"]
[[arms]]
name = "margin"
arrangement.strategies = ["margin"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x.toml").write_text(TEXT, encoding="utf-8")
    return tmp_path


def said(folder: Path, capsys: pytest.CaptureFixture[str], *words: str, status: int = 1) -> str:
    """What is said to people, who are not to run anything with it."""
    parser = argparse.ArgumentParser()
    command_line.add_arguments(parser)
    fixed = [str(folder / "x.toml"), "--output", str(folder / "out"), "--cache", str(folder)]
    options = vars(parser.parse_args([*fixed, *words]))
    assert command_line.run(options) == status
    return capsys.readouterr().err.strip()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "margn"], '--only: there is no arm "margn"; did you mean "margin"?'),
        (["--seeds", "0"], "--seeds is 1 or more."),
        (["--processes", "0"], "--processes is 1 or more."),
        (["--threads", "-1"], "--threads is 1 or more."),
        (["--device", "cpu,gpu"], "There is no device named 'gpu'"),
        (["--preset", "small"], 'it has no preset "small"; there are none'),
        (["--report-only"], "results.jsonl to report on."),
    ],
)
def test_arguments_that_mean_nothing_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert told in said(folder, capsys, *words)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("curves", "curve", 'report: there is no section "curve"; did you mean "curves"?'),
        ("sklearn:digits", "none.npz", 'data.name is "none.npz": say with --data in which folder'),
        ("image_size = 8", "image_size = 8\ntest = 5000", "data.test asks for 5,000 images"),
        ("[[arms]]", "[[arm]]", 'arm: there is no such entry; did you mean "arms"?'),
    ],
)
def test_what_is_missing_is_told_before_anything_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    (folder / "x.toml").write_text(TEXT.replace(old, new), encoding="utf-8")
    assert told in said(folder, capsys)
    assert not (folder / "out").exists()


def test_results_that_are_there_are_not_written_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").mkdir()
    (folder / "out" / FILE).write_text("{}\n")
    assert "results.jsonl is there: --resume does what is missing" in said(folder, capsys)
    assert (folder / "out" / FILE).read_text() == "{}\n"


def test_what_is_measured_is_not_measured_beside_others_without_a_word(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.toml").write_text(TEXT.replace("= 8", "= 8\ntest = 5000"), encoding="utf-8")
    warned = "This experiment measures how long trainings and passes take"
    assert warned in said(folder, capsys, "--processes", "2")
    assert warned not in said(folder, capsys)


@pytest.mark.parametrize(
    ("package", "remedy"), [("matplotlib", "make lab"), ("torch", "make setup")]
)
def test_what_is_not_installed_is_told_in_a_line(package: str, remedy: str) -> None:
    command = [sys.executable, "-c", WITHOUT, package, "x.toml", "--output", "out"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"al_lab needs {package}, which is not installed: run `{remedy}`.\n"
    assert done.stdout == ""


def test_every_option_is_in_the_documents() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    command_line.add_arguments(parser)
    document = (ROOT / "docs" / "research.md").read_text(encoding="utf-8")
    for action in parser._actions:
        for option in action.option_strings:
            assert f"`{option}" in document
