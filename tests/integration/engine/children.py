"""Servers and workers as processes of their own, which a test may stop, continue and kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from al_engine.roles.engine import PASSIVE_WAITING

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 90.0


class Child:
    """A management command that runs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.send(number)
        return self.process.wait(PATIENCE_S)

    def until(self, happened: Callable[[], bool]) -> None:
        """Returns once it has happened; fails when this process ends or it takes too long."""
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"it did not happen:\n{self.log.read_text()}"
            time.sleep(0.02)


@contextmanager
def command(
    *arguments: str, env: Mapping[str, str], log: Path, python_path: Path | None = None
) -> Iterator[Child]:
    """`manage.py` with these arguments; it is gone at the end, and all it has started."""
    more = {} if python_path is None else {"PYTHONPATH": str(python_path)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**env, **more, **PASSIVE_WAITING, "NOWAIT_ROLE": arguments[0]},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        yield Child(process, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
