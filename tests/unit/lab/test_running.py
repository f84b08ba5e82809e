"""Experiments as they are run: real processes, real trainings on the digits, real signals."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sklearn.datasets import load_digits

from al_lab import results
from al_lab.results import Run

ROOT = Path(__file__).resolve().parents[3]
# In every interpreter, those of the processes that run things included: there is no Django, no
# database, and no package that only the product asks for.
HIDDEN = """
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec

def found(name, path=None, target=None):
    hidden = name.partition(".")[0] in {
        "django", "psycopg", "sklearn", "scipy", "safetensors", "annotator_site",
    }
    return None if hidden else find_spec(name, path, target)

# Some call it on an instance.
PathFinder.find_spec = staticmethod(found)
"""
EXPERIMENT = """
title = "The digits"
about = "A run for tests."
report = ["curves"]
seeds = 2

[data]
name = "digits.npz"
image_size = 8
train = 400
test = 200

[labels]
initial = 20
budget = 30
evaluate_every = 10

[people]
count = 2

[clock]
training = 5
scoring = 1

[arrangement]
workers = 2
batch_size = 8

[[arms]]
name = "random"
arrangement.strategies = ["random"]

[[arms]]
name = "AAL"
arrangement.servers = 2
arrangement.strategies = ["entropy", "least_confidence", "margin"]
"""
# Differs from one time to the next.
OF_THE_MACHINE = {"cpu_seconds", "wall_seconds", "at_wall", "processes"}

KINDS = ["started", "version", "evaluated", "bound", "asked", "finished"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the experiment, what is unpacked, and what hides Django."""
    made = tmp_path_factory.mktemp("experiment")
    pictures, truth = load_digits(return_X_y=True)
    pixels = (pictures.reshape(-1, 8, 8) * 15).astype(np.uint8)
    np.savez(
        made / "digits.npz",
        x_train=pixels[:1_400],
        y_train=truth[:1_400],
        x_test=pixels[1_400:],
        y_test=truth[1_400:],
        classes=[str(each) for each in range(10)],
    )
    (made / "x.toml").write_text(EXPERIMENT, encoding="utf-8")
    (made / "hidden").mkdir()
    (made / "hidden" / "sitecustomize.py").write_text(HIDDEN, encoding="utf-8")
    return made


def command(folder: Path, output: str, *options: str) -> list[str]:
    fixed = {"output": folder / output, "data": folder, "cache": folder / "cache", "threads": 1}
    words = [f"--{name}={value}" for name, value in fixed.items()]
    return [sys.executable, "-m", "al_lab", str(folder / "x.toml"), *words, *options]


@contextmanager
def started(folder: Path, output: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """An experiment that runs, with its words for people in `stderr`."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "hidden")}
    with subprocess.Popen(
        command(folder, output, *options),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(folder: Path, output: str, *options: str) -> tuple[int, str]:
    """The exit status, and what was said to people."""
    with started(folder, output, *options) as process:
        _, said = process.communicate(timeout=300)
        return process.returncode, said


def read(folder: Path, output: str) -> list[Run]:
    return results.read(folder / output / results.FILE)


def events(folder: Path, output: str) -> dict[str, list[dict[str, Any]]]:
    """All that was written, by run, without what is of the machine and the time."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (folder / output / results.FILE).read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        kept = {key: value for key, value in event.items() if key not in OF_THE_MACHINE}
        found.setdefault(event["run"], []).append(kept)
    return found


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """An experiment that was run from beginning to end, where there is no Django."""
    status, said = run(folder, "whole", "--processes", "2")
    assert status == 0, said
    assert "4 of 4 runs done" in said
    return events(folder, "whole")


def test_it_runs_without_django_and_writes_all_it_promises(
    folder: Path, whole: dict[str, list[dict[str, Any]]]
) -> None:
    hidden = subprocess.run(
        [sys.executable, "-c", "import django"],
        env={**os.environ, "PYTHONPATH": str(folder / "hidden")},
        capture_output=True,
        check=False,
    )
    assert b"No module named 'django'" in hidden.stderr
    assert len(whole) == 4
    for written in whole.values():
        first, last = written[0], written[-1]
        assert (first["event"], last["event"]) == ("started", "finished")
        assert set(first["versions"]) >= {"nowait", "torch", "numpy", "python"}
        assert first["device"] == "CPU, 1 thread"
        assert first["setting"]["labels"]["budget"] == last["labels"] == 30
    runs = read(folder, "whole")
    assert {(each.setting.arm, each.seed) for each in runs} == {
        (arm, seed) for arm in ("random", "AAL") for seed in (0, 1)
    }
    assert [at["labels"] for at in runs[0].evaluated] == [20, 30]
    report = (folder / "whole" / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# The digits")
    assert {each.suffix for each in (folder / "whole").iterdir()} >= {".md", ".webp"}


def test_one_process_gives_the_same_as_several(
    folder: Path, whole: dict[str, list[dict[str, Any]]]
) -> None:
    status, said = run(folder, "one", "--processes", "1")
    assert status == 0, said
    assert events(folder, "one") == whole
    report = (folder / "one" / "report.md").read_text(encoding="utf-8")
    assert "The digits" in report


def test_runs_of_another_output_are_taken_from_there(
    folder: Path, whole: dict[str, list[dict[str, Any]]]
) -> None:
    status, said = run(folder, "reused", "--reuse", str(folder / "whole"), "--seeds", "1")
    assert status == 0, said
    assert f"2 runs are taken from {folder / 'whole' / results.FILE}." in said
    assert events(folder, "reused") == {
        each: sorted(written, key=lambda event: KINDS.index(event["event"]))
        for each, written in whole.items()
        if written[0]["seed"] == 0
    }


def first_finished(process: subprocess.Popen[str]) -> None:
    """Wait until a run is in the results."""
    assert process.stderr is not None
    assert any("1 of 4 runs done" in line for line in process.stderr), "it ended before"


def test_what_was_killed_goes_on_where_it_was(
    folder: Path, whole: dict[str, list[dict[str, Any]]]
) -> None:
    with started(folder, "killed", "--processes", "2") as process:
        first_finished(process)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive, "a process outlived the one that started it"
    file = folder / "killed" / results.FILE
    there = events(folder, "killed")
    assert 1 <= len(there) < 4
    with file.open("ab") as out:
        out.write(b'{"run": "0123", "event": "star')
    status, said = run(folder, "killed")
    assert status == 1
    assert f"{file} is there: --resume does what is missing in it" in said
    status, said = run(folder, "killed", "--processes", "2", "--resume")
    assert status == 0, said
    assert f"{len(there)} of 4 runs are there." in said
    assert events(folder, "killed") == whole
    started_events = [
        line for line in file.read_text(encoding="utf-8").splitlines() if '"started"' in line
    ]
    assert len(started_events) == 4, "a finished run was done again"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_it_is_told_how_to_go_on(
    folder: Path, number: signal.Signals, status: int
) -> None:
    output = f"stopped-{status}"
    with started(folder, output, "--processes", "1", "--seeds", "2") as process:
        first_finished(process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == status
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive
    there = len(read(folder, output))
    assert f"Stopped: {there} of 4 runs are in {folder / output / results.FILE}." in said
    assert said.splitlines()[-1].strip() == (
        f"python -m al_lab {folder / 'x.toml'} --output {folder / output} "
        f"--data {folder} --processes 1 --threads 1 --seeds 2 --cache {folder / 'cache'} --resume"
    )
    assert not (folder / output / "report.md").exists()


def test_a_run_that_fails_or_is_killed_harms_no_other(
    folder: Path, whole: dict[str, list[dict[str, Any]]]
) -> None:
    bad = '[[arms]]\nname = "too many"\ndata.train = 0\nlabels.budget = 5000\n'
    (folder / "x.toml").write_text(EXPERIMENT + bad, encoding="utf-8")
    try:
        with started(folder, "failed", "--processes", "1") as process:
            assert process.stderr is not None
            said = process.stderr.readline()
            while "1 of 6 runs done" not in said:
                said += process.stderr.readline()
            for child in psutil.Process(process.pid).children():
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
            _, rest = process.communicate(timeout=300)
            assert process.returncode == 1
    finally:
        (folder / "x.toml").write_text(EXPERIMENT, encoding="utf-8")
    killed = re.findall(r"Failed: \w+, seed \d: its process was ended by (\w+), as", rest)
    assert killed == ["SIGKILL"]
    assert "Failed: too many, seed 0: ValueError: " in rest
    assert "Failed: too many, seed 1: ValueError: " in rest
    assert "3 of 6 runs failed" in rest
    assert "ValueError" in (folder / "failed" / "errors.log").read_text(encoding="utf-8")
    there = events(folder, "failed")
    assert len(there) == 3
    assert all(written == whole[each] for each, written in there.items())
    assert (folder / "failed" / "report.md").exists()
