"""A whole site in its own folder, with people, whose processes a test may kill.

Every process of a site, including indirect children, has the folder in its environment. By that a
test finds the processes, and checks that none is left behind.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import orjson
import psutil
import psycopg
from bundled_postgres import connection_url

from annotator_site import environment
from annotator_site.postgres_cluster import Place

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0
# Words in the command lines of the children of `up`, to tell them apart.
WEB, ENGINE, WORKER, SERVER = "annotator_site.asgi", "run_engine", "run_worker", "run_server"


class Lines:
    """The lines of a pipe with their times of arrival (`monotonic`, s), read by a thread."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.lines: list[tuple[float, str]] = []
        self.ended = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        """All lines so far, once `enough(lines)` holds; fails if the pipe ends or after 120 s."""
        deadline = time.monotonic() + PATIENCE_S
        with self._news:
            while not enough(lines := [line for _, line in self.lines]):
                told = "\n".join(lines[-30:])
                assert not self.ended, f"it ended after\n{told}"
                assert self._news.wait(deadline - time.monotonic()), f"no more came after\n{told}"
        return lines

    def all(self) -> list[str]:
        """All lines, once the pipe has ended."""
        self._thread.join(PATIENCE_S)
        assert self.ended
        return [line for _, line in self.lines]

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                with self._news:
                    self.lines.append((time.monotonic(), line.decode(errors="replace").rstrip()))
                    self._news.notify_all()
        with self._news:
            self.ended = True
            self._news.notify_all()


class Site:
    """A site run by `manage.py up` or `demo`, and its processes."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.outputs: list[Lines] = []

    def start(self, *arguments: str) -> None:
        """Run `manage.py` with these arguments; returns once the site is ready."""
        self.process = self.popen(*arguments, f"--port={self.port}", stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        output = Lines(self.process.stderr)
        self.outputs.append(output)
        ready = "Nowait is ready: http://localhost:"
        told = output.until(lambda lines: any(ready in line for line in lines))
        (line,) = (line for line in told if ready in line)
        self.port = int(line.rpartition(":")[2].strip("/"))

    def stop(self, number: int = signal.SIGTERM) -> list[str]:
        """Send the signal and expect exit status 0; returns stderr since the first start."""
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE_S) == 0
        return [line for output in self.outputs for line in output.all()]

    def popen(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """A management command of this site, in a process group of its own."""
        env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**env, "NOWAIT_VAR": str(self.var), "NOWAIT_ROLE": ""},
            stdin=subprocess.DEVNULL,
            process_group=0,
            **options,
        )

    def find(self, word: str) -> list[psutil.Process]:
        """The descendants of `up` with `word` in their command lines."""
        assert self.process is not None
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if any(word in part for part in process.cmdline()):
                    found.append(process)
        return found

    def until_there(self, word: str) -> psutil.Process:
        """A descendant of `up` with `word` in its command line; waits until there is one."""
        found: list[psutil.Process] = []

        def is_there() -> bool:
            found[:] = self.find(word)
            return bool(found)

        until(is_there, word)
        return found[0]

    def postgres(self) -> list[psutil.Process]:
        """The database's processes, the postmaster first."""
        pid = int((Place(self.var).data / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """The rows that a statement reads from the site's database."""
        with psycopg.connect(connection_url(self.var)) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def newest_version(self) -> int:
        """The number of the newest model version; 0 before the first."""
        ((number,),) = self.rows("SELECT coalesce(max(version), 0) FROM pools_modelversion")
        return int(number)

    def all_processes(self) -> list[psutil.Process]:
        """Every process of this site, by its environment, or its working folder (PostgreSQL)."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                mine = process.environ().get("NOWAIT_VAR") == str(self.var)
                if mine or Path(process.cwd()).is_relative_to(self.var):
                    found.append(process)
        return found


class Crowd:
    """Simulated annotators in a process of their own, and their acknowledged labels."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.journal = Lines(process.stdout)
        self.told = Lines(process.stderr)

    def until_labels(self, count: int) -> None:
        """Return once `count` labels are acknowledged."""
        self.journal.until(lambda lines: len(lines) >= count)

    def end(self) -> list[dict[str, Any]]:
        """The journal, once the process has reached its number of labels and ended."""
        lines = self.journal.all()
        assert self.process.wait(PATIENCE_S) == 0, "\n".join(self.told.all()[-20:])
        return [orjson.loads(line) for line in lines]

    def longest_pause_s(self, since: float) -> float:
        """The longest time between acknowledgements, from the last one before `since` on."""
        moments = [moment for moment, _ in self.journal.lines]
        before = [moment for moment in moments if moment <= since]
        after = [moment for moment in moments if moment > since]
        course = [*before[-1:], *after]
        return max(late - early for early, late in pairwise(course))


@contextmanager
def a_site() -> Iterator[Site]:
    """A site in a new folder; at the end all its live processes are killed."""
    folder = Path(tempfile.mkdtemp(prefix="nowait-faults-"))
    var = folder / "var"
    environment.make_var(var)
    site = Site(var)
    try:
        yield site
    finally:
        for process in (left := site.all_processes()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=PATIENCE_S)
        shutil.rmtree(folder)


@contextmanager
def people(
    site: Site, slug: str, *, labels: int, count: int = 6, think_s: float = 0.05
) -> Iterator[Crowd]:
    """`count` people who label until there are `labels` labels or the campaign has no more."""
    process = site.popen(
        *("run_annotators", slug, f"--count={count}", f"--think={think_s}", f"--labels={labels}"),
        *("--journal=/dev/stdout", f"--url=ws://127.0.0.1:{site.port}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield Crowd(process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def kill_all(processes: list[psutil.Process]) -> None:
    """Kill the processes by SIGKILL, all at once, and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert not alive


def until(happened: Callable[[], bool], what: str) -> None:
    """Return once `happened` is true; fails if that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.02)
