"""Children are kept alive, their deaths are explained, and nothing outlives the supervisor."""

import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from al_engine.supervision import child_output
from al_engine.supervision.child import Child
from al_engine.supervision.supervisor import Supervisor
from al_engine.supervision.watch import Watch

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0
WAIT_FOR_EVER = "import signal; print('here', flush=True); signal.pause()"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")


def until(happened: Callable[[], bool]) -> None:
    """Returns once it has happened; fails when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@contextmanager
def running(supervisor: Supervisor) -> Iterator[None]:
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def wait_for_end(pid: int) -> None:
    """Returns once a process of somebody else's has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], PATIENCE_S)[0], "it lives on"
    finally:
        os.close(descriptor)


def test_a_child_that_dies_is_started_again_after_growing_pauses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Child("broken", python("import sys; sys.exit('I am broken')"))
    with running(Supervisor([broken], log_dir=tmp_path)):
        until(lambda: len(lines(tmp_path / "broken.log")) >= 4)
    told = capsys.readouterr().err
    assert "broken | I am broken" in told
    for pause in ("0.2", "0.4", "0.8"):
        end = f"it is started again in {pause} s (its last line: I am broken)"
        assert f"broken ended with 1; {end}" in told


def test_a_killed_child_is_replaced_and_the_signal_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor = Supervisor([Child("web", python(WAIT_FOR_EVER))], log_dir=tmp_path)
    with running(supervisor):
        until(lambda: lines(tmp_path / "web.log") == ["here"])
        first = supervisor.pids()["web"]
        os.kill(first, signal.SIGKILL)
        until(lambda: lines(tmp_path / "web.log") == ["here", "here"])
        assert supervisor.pids()["web"] != first
    assert "web was killed by SIGKILL; it is started again in 0.2 s" in capsys.readouterr().err


def test_a_program_that_cannot_be_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []

    def was_told() -> bool:
        told.append(capsys.readouterr().err)
        return "/no/such/program cannot be run: No such file or directory" in "".join(told)

    with running(Supervisor([Child("lost", ["/no/such/program"])])):
        until(was_told)


def test_children_come_and_go_while_it_runs(tmp_path: Path) -> None:
    supervisor = Supervisor(log_dir=tmp_path)
    with running(supervisor):
        supervisor.add(Child("engine", python(WAIT_FOR_EVER)))
        until(lambda: lines(tmp_path / "engine.log") == ["here"])
        first = supervisor.pids()["engine"]
        supervisor.remove("engine")
        supervisor.add(Child("engine", python(WAIT_FOR_EVER)))
        until(lambda: lines(tmp_path / "engine.log") == ["here", "here"])
        assert supervisor.pids()["engine"] != first
        supervisor.remove("engine")
        supervisor.remove("nobody")
        until(lambda: not supervisor.pids())
    assert lines(tmp_path / "engine.log") == ["here", "here"]


def test_what_drains_finishes_first_and_the_others_are_stopped_then(tmp_path: Path) -> None:
    server = python(
        "import signal, sys; print('here', flush=True);"
        "signal.sigwait({signal.SIGUSR1, signal.SIGTERM}); print('done')"
    )
    web = python(
        "import signal, sys; print('here', flush=True);"
        "print(signal.sigwait({signal.SIGTERM, signal.SIGUSR1}).name)"
    )
    # Blocked, not to be lost before somebody waits for them.
    signals = {signal.SIGUSR1, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        supervisor = Supervisor(
            [Child("server", server, drains=True), Child("web", web)], log_dir=tmp_path
        )
        with running(supervisor):
            until(lambda: lines(tmp_path / "server.log") == lines(tmp_path / "web.log") == ["here"])
            supervisor.drain()
            supervisor.add(Child("another", python(WAIT_FOR_EVER), drains=True))
            assert supervisor.stopping.wait(PATIENCE_S)
            assert lines(tmp_path / "server.log") == ["here", "done"]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert lines(tmp_path / "web.log") == ["here", "SIGTERM"]
    assert not (tmp_path / "another.log").exists()


def test_a_child_that_does_not_stop_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAIT_FOR_EVER}"
    with running(Supervisor([Child("deaf", python(deaf), stop_timeout_s=0.1)], log_dir=tmp_path)):
        until(lambda: lines(tmp_path / "deaf.log") == ["here"])
    assert "deaf does not stop; it is killed" in capsys.readouterr().err


def test_a_child_has_its_niceness_environment_and_descriptors(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    code = f"import os; os.write({writing}, b'hello'); print(os.nice(0), os.environ['COLOR'])"
    child = Child("child", python(code), nice=3, env={"COLOR": "blue"}, pass_fds=(writing,))
    try:
        with running(Supervisor([child], log_dir=tmp_path)):
            until(lambda: bool(lines(tmp_path / "child.log")))
        assert lines(tmp_path / "child.log")[0] == f"{os.nice(0) + 3} blue"
        assert os.read(reading, 5) == b"hello"
    finally:
        os.close(reading)
        os.close(writing)


def test_what_is_watched_is_revived(capsys: pytest.CaptureFixture[str]) -> None:
    alive, asked_again = threading.Event(), threading.Event()

    def is_alive() -> bool:
        if alive.is_set():
            asked_again.set()
        return alive.is_set()

    with running(Supervisor(watches=[Watch("db", is_alive, alive.set, every_s=0.01)])):
        assert asked_again.wait(PATIENCE_S)
    told = capsys.readouterr().err
    assert told.count("db does not answer; it is started again") == 1
    assert told.count("db answers again") == 1


def test_a_revival_that_fails_is_told_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    tries: list[int] = []
    enough = threading.Event()

    def revive() -> None:
        tries.append(1)
        if len(tries) > 1:
            enough.set()
        raise RuntimeError("The disk is full.")

    with running(Supervisor(watches=[Watch("db", lambda: False, revive, every_s=0.01)])):
        assert enough.wait(PATIENCE_S)
    assert "db: The disk is full. Trying again in " in capsys.readouterr().err


def script(tmp_path: Path) -> list[str]:
    """A program that supervises one child, which says goodbye in a file when it is told to end."""
    child = textwrap.dedent(f"""
        import os, pathlib, signal, sys
        def goodbye(*_):
            pathlib.Path({str(tmp_path / "goodbye")!r}).write_text("bye")
            sys.exit()
        signal.signal(signal.SIGTERM, goodbye)
        print(os.getpid(), flush=True)
        while True:
            signal.pause()
    """)
    code = textwrap.dedent(f"""
        import signal, sys
        from pathlib import Path
        from al_engine.supervision.child import Child
        from al_engine.supervision.supervisor import Supervisor
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
        child = Child("child", [sys.executable, "-c", {child!r}])
        Supervisor([child], log_dir=Path({str(tmp_path)!r})).run()
    """)
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_children_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(script(tmp_path), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        until(lambda: bool(lines(tmp_path / "child.log")))
        process.send_signal(number)
        try:
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
    assert (tmp_path / "goodbye").read_text() == "bye"


@linux_only
def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(script(tmp_path), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        until(lambda: bool(lines(tmp_path / "child.log")))
        process.kill()
        process.wait(PATIENCE_S)
        wait_for_end(int(lines(tmp_path / "child.log")[0]))
    assert not (tmp_path / "goodbye").exists()


def test_the_file_of_an_output_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child_output, "MAX_FILE_BYTES", 1_000)
    reading, writing = os.pipe()
    output = child_output.ChildOutput("child", reading, tmp_path / "child.log")
    for number in range(1_000):
        os.write(writing, f"line {number}\n".encode())
        output.read()
    os.write(writing, "no end of line: é".encode())
    os.close(writing)
    assert output.close() == "no end of line: é"
    assert {path.name for path in tmp_path.iterdir()} == {"child.log", "child.log.1"}
    assert all(path.stat().st_size < 1_100 for path in tmp_path.iterdir())
    assert capsys.readouterr().err.count("child | line ") == 1_000
