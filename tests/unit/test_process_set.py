"""The processes of this machine behind the interface to what runs where."""

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from al_engine.supervision.child import Child
from al_engine.supervision.process_set import LocalSet, bring_about
from al_engine.supervision.supervisor import Supervisor

SAY_AND_STAY = "import signal, sys; print(sys.argv[1], flush=True); signal.pause()"
FOR_EVER = [sys.executable, "-S", "-c", SAY_AND_STAY, "here"]
# Told to end, it says so, and ends once the file is there.
ENDS_WHEN_LET = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("told", flush=True))
print("here", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
"""


@contextmanager
def local_set(log_dir: Path | None = None) -> Iterator[LocalSet]:
    supervisor = Supervisor(log_dir=log_dir)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield LocalSet(supervisor)
    finally:
        supervisor.stop()
        thread.join()


def until(happened: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1_000):
        if happened():
            return
        pause.wait(0.02)
    raise AssertionError("it did not happen")


def test_what_differs_from_what_is_wanted_is_started_and_stopped() -> None:
    with local_set() as processes:
        first, second = Child("first", FOR_EVER), Child("second", FOR_EVER)
        assert bring_about(processes, [first, second]) == []
        until(lambda: processes.running() == {"first", "second"})
        anew = Child("second", FOR_EVER, reads="other settings")
        assert bring_about(processes, [anew]) == ["first", "second"]
        assert processes.needed == {"second": anew}
        until(lambda: processes.running() == {"second"})  # the former or the new one
        processes.stop("unknown")
        assert bring_about(processes, []) == ["second"]
        until(lambda: processes.running() == set())


def test_what_is_wanted_last_holds_though_the_former_process_ends_late(tmp_path: Path) -> None:
    """While it ends, a process is wanted with other settings, not wanted, and so on: all words."""
    words = [word for n in (1, 2, 3) for word in itertools.product("-ab", repeat=n)]
    names = {"".join(word): word for word in words}
    let = tmp_path / "let"

    def said(what: str) -> set[str]:
        files = ((name, tmp_path / f"{name}.log") for name in names)
        return {name for name, file in files if file.exists() and what in file.read_text()}

    with local_set(tmp_path) as processes:
        late = [sys.executable, "-S", "-c", ENDS_WHEN_LET, str(let)]
        bring_about(processes, [Child(name, late, stop_timeout_s=60.0) for name in names])
        until(lambda: said("here") == set(names))
        bring_about(processes, [])
        until(lambda: said("told") == set(names))
        for step in range(3):
            last = {name: word[: step + 1][-1] for name, word in names.items()}
            wanted = [
                Child(name, [*FOR_EVER[:-1], letter], reads=letter)
                for name, letter in last.items()
                if letter != "-"
            ]
            bring_about(processes, wanted)
        let.touch()
        until(lambda: processes.running() == {child.name for child in wanted})
        until(lambda: said("a\n") | said("b\n") == {child.name for child in wanted})
    for name, word in names.items():
        lines = (tmp_path / f"{name}.log").read_text().split()
        assert lines == ["here", "told", *([] if word[-1] == "-" else [word[-1]])]
