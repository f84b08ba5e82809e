"""The processes of this machine behind the interface to what runs where."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from al_engine.supervision.child import Child
from al_engine.supervision.process_set import LocalSet, bring_about
from al_engine.supervision.supervisor import Supervisor

FOR_EVER = [sys.executable, "-S", "-c", "import signal; signal.pause()"]


@contextmanager
def local_set() -> Iterator[LocalSet]:
    supervisor = Supervisor()
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield LocalSet(supervisor)
    finally:
        supervisor.stop()
        thread.join()


def until(processes: LocalSet, names: set[str]) -> None:
    pause = threading.Event()
    for _ in range(1_000):
        if processes.running() == names:
            return
        pause.wait(0.02)
    raise AssertionError(f"{processes.running()} run, not {names}")


def test_what_differs_from_what_is_wanted_is_started_and_stopped() -> None:
    with local_set() as processes:
        first, second = Child("first", FOR_EVER), Child("second", FOR_EVER)
        assert bring_about(processes, [first, second]) == []
        until(processes, {"first", "second"})
        anew = Child("second", FOR_EVER, reads="other settings")
        assert bring_about(processes, [anew]) == ["first", "second"]
        assert processes.needed == {"second": anew}
        until(processes, {"second"})
        processes.stop("unknown")
        assert bring_about(processes, []) == ["second"]
        until(processes, set())
