"""One child process of a supervisor: its description, and how it is started and signaled."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from al_engine.supervision.child_output import ChildOutput

# Runs in the new process before its program: asks Linux (prctl 1 is PR_SET_PDEATHSIG) to end it
# with the thread that started it, lowers its priority, and becomes the program. It is a program
# of its own, not a preexec_fn, because Python code between fork and exec of a process with
# threads may deadlock.
BECOME = """
import os, signal, sys
parent, nice, argv = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")
os.nice(nice)
try:
    os.execvp(argv[0], argv)
except OSError as error:
    sys.exit(f"{argv[0]} cannot be run: {error.strerror}")
"""


@dataclass(frozen=True)
class Child:
    """A process to keep alive. `env` is added to this process's own environment."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    pass_fds: Sequence[int] = ()
    nice: int = 0
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 10.0
    # Whether it finishes its present work and then ends by itself on SIGUSR1.
    drains: bool = False
    # The exit status that means a restart would fail again: the child is not restarted.
    fails_with: int | None = None
    # The settings that it reads for itself at its start: two children that differ in them alone are
    # not the same.
    reads: str = ""


@dataclass
class RunningChild:
    """A child's present process, and the pipe that it writes to."""

    process: subprocess.Popen[bytes]
    output: ChildOutput
    kill_at: float | None = None  # set once it has been told to stop; monotonic seconds

    def tell(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the child and all of its process group at once, and wait for the child."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(child: Child, *, log_dir: Path | None) -> RunningChild:
    """Start a child's process; its output also goes to a file in `log_dir`. Raises OSError."""
    become = [sys.executable, "-I", "-S", "-c", BECOME, str(os.getpid()), str(child.nice)]
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [*become, *child.argv],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **child.env},
            cwd=child.cwd,
            pass_fds=child.pass_fds,
            # A group of its own: Ctrl-C reaches this process only, which then signals its children.
            process_group=0,
        )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    log_file = None if log_dir is None else log_dir / f"{child.name}.log"
    return RunningChild(process, ChildOutput(child.name, reading, log_file))
