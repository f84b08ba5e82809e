"""The file of results: whole runs, and what a writer that was killed leaves of one."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from al_lab import results
from al_lab.config.settings import Arrangement, Clock, Data, Labels, Setting
from al_lab.results import Unusable, Writer, identity, lines_of, read

ROOT = Path(__file__).resolve().parents[3]
SETTING = Setting(
    arm="margin",
    data=Data("sklearn:digits", 8),
    labels=Labels(initial=20, budget=60, evaluate_every=20),
    clock=Clock(training=3.0),
    arrangement=Arrangement(strategies=("margin", "entropy")),
)


def run_lines(seed: int, *, versions: int = 2, ended: bool = True) -> bytes:
    run = identity(SETTING, seed)
    started = {"event": "started", "seed": seed, "setting": SETTING.as_dict(), "device": "CPU"}
    events = [started, *({"event": "version", "version": v} for v in range(versions))]
    events += [{"event": "evaluated", "labels": 20}, {"event": "bound"}, {"event": "asked"}]
    return lines_of(events + [{"event": "finished", "labels": 60}] * ended, run)


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / results.FILE
    path.write_bytes(run_lines(3))
    (run,) = read(path)
    assert run.setting == SETTING
    assert run.seed == 3
    assert [each["version"] for each in run.versions] == [0, 1]
    assert run.started["device"] == "CPU"
    assert run.finished["labels"] == 60
    assert len(run.evaluated) == len(run.bounds) == len(run.asked) == 1


def test_an_id_is_that_of_the_setting_and_the_seed() -> None:
    others = [replace(SETTING, arm="other"), replace(SETTING, clock=Clock(training=4.0))]
    ids = {identity(SETTING, 0), identity(SETTING, 1), *(identity(each, 0) for each in others)}
    assert len(ids) == 4
    assert identity(replace(SETTING), 0) == identity(SETTING, 0)


def test_a_last_line_without_its_end_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / results.FILE
    torn = run_lines(1)
    for size in range(len(torn)):
        path.write_bytes(run_lines(0) + torn[:size])
        assert [run.seed for run in read(path)] == [0]
    path.write_bytes(run_lines(0) + torn)
    assert [run.seed for run in read(path)] == [0, 1]


def test_what_is_appended_after_a_torn_line_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / results.FILE
    path.write_bytes(run_lines(0) + run_lines(1)[:-5])
    with Writer(path) as writer:
        writer.append(run_lines(1, versions=5))
    assert [(run.seed, len(run.versions)) for run in read(path)] == [(0, 2), (1, 5)]


def test_a_run_that_is_done_again_counts_once(tmp_path: Path) -> None:
    path = tmp_path / results.FILE
    path.write_bytes(run_lines(0, ended=False) + run_lines(1) + run_lines(0, versions=3))
    assert [(run.seed, len(run.versions)) for run in read(path)] == [(1, 2), (0, 3)]
    path.write_bytes(run_lines(0) + run_lines(0, ended=False))
    assert read(path) == []


def test_a_damaged_line_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / results.FILE
    path.write_bytes(run_lines(0) + b"nonsense\n" + run_lines(1))
    with pytest.raises(Unusable, match=rf"{results.FILE}, line 8, is no event"):
        read(path)


def test_results_of_another_version_are_told(tmp_path: Path) -> None:
    path = tmp_path / results.FILE
    first, _, rest = run_lines(0).partition(b"\n")
    started = json.loads(first)
    started["setting"]["arrangement"]["wrokers"] = 3
    path.write_bytes(json.dumps(started).encode() + b"\n" + rest)
    with pytest.raises(Unusable, match=r'wrokers: .* did you mean "workers"\?'):
        read(path)


def test_what_json_has_no_word_for_is_refused_before_it_is_written() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        lines_of([{"event": "evaluated", "accuracy": float("nan")}], "0")


def test_a_copy_is_the_same_run_under_the_name_of_another_arm(tmp_path: Path) -> None:
    path = tmp_path / results.FILE
    path.write_bytes(run_lines(0))
    other = replace(SETTING, arm="AAL")
    path.write_bytes(run_lines(0) + results.copied(read(path)[0], other))
    first, second = read(path)
    assert (first.setting, second.setting) == (SETTING, other)
    assert second.finished["run"] == identity(other, 0)
    for run in (first, second):
        run.finished.pop("run")
    assert first.finished == second.finished
    assert len(second.asked) == len(first.asked)


def test_only_one_process_writes_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / results.FILE
    program = (
        "import sys; from pathlib import Path; from al_lab.results import Writer\n"
        "with Writer(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(Unusable, match="Another process is writing"), Writer(path):
            pass
        other.kill()
    with Writer(path) as writer:
        writer.append(run_lines(0))
    assert len(read(path)) == 1


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a file, no folder")
    path = tmp_path / "there" / results.FILE
    with pytest.raises(Unusable, match=r"results\.jsonl cannot be written: "), Writer(path):
        pass
