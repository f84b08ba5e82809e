"""Keep child processes alive and gather their output: for `up`, `demo` and `run_engine`.

A child that dies is started again after a pause, which doubles from 0.2 s to 10 s and starts over
once the child has lived for 30 s. SIGTERM, SIGINT or SIGHUP end all children in order; SIGUSR1 does
so once the children that drain have finished their present work. On Linux the children end with
this process even when it is killed with -9; elsewhere they live on.
"""

import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from al_engine.supervision.child import Child, RunningChild, start
from al_engine.supervision.child_output import say
from al_engine.supervision.placement import out_of_memory_kills
from al_engine.supervision.watch import Watch, keep_watch

Handler = Callable[[int, FrameType | None], Any] | int | None  # what signal.signal takes

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
HEALTHY_AFTER_S = 30.0
TICK_S = 0.05


@dataclass
class _Kept:
    """A child, its present process if it has one, and when to start the next."""

    child: Child
    running: RunningChild | None = None
    wanted: bool = True
    successor: Child | None = None  # of the same name, to be added once this one has ended
    started_at: float = 0.0
    kills_before: int = 0
    start_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S


class Supervisor:
    """Starts children, restarts what dies, stops them in order; see the module's docstring.

    `run` belongs in the main thread: signals arrive there, and the children end with the thread
    that started them. All other methods may be called from any thread at any time.
    """

    def __init__(
        self,
        children: Sequence[Child] = (),
        *,
        watches: Sequence[Watch] = (),
        log_dir: Path | None = None,
    ) -> None:
        self._watches = tuple(watches)
        self._log_dir = log_dir
        self._kept: dict[str, _Kept] = {}
        self._requests: deque[Child | str] = deque()  # a child to add, or a name to remove
        # Names of children that ended with their `fails_with` status.
        self.failed: set[str] = set()
        # Set when `run` has been told to end; others may wait on it.
        self.stopping = threading.Event()
        self._kill_now = False
        self._draining = False
        self._selector = selectors.DefaultSelector()
        for child in children:
            self.add(child)

    def add(self, child: Child) -> None:
        """Keeps one more child alive from now on; ignores one whose name is kept already."""
        self._requests.append(child)

    def remove(self, name: str) -> None:
        """Stops a child and forgets it; ignores an unknown name."""
        self._requests.append(name)

    def pids(self) -> dict[str, int]:
        """The process id of every child that has a process now, by name."""
        running = [(name, kept.running) for name, kept in list(self._kept.items())]
        return {name: now.process.pid for name, now in running if now is not None}

    def stop(self) -> None:
        """Ends `run` after all children have been stopped."""
        self.stopping.set()

    def drain(self) -> None:
        """Ends `run` once the draining children have finished; the others run until then."""
        self._draining = True

    def run(self) -> None:
        """Keeps all children alive until `stop` or a signal; then stops them all."""
        previous = self._take_signals()
        threads = [
            threading.Thread(
                target=keep_watch, args=(watch, self.stopping), daemon=True, name=watch.name
            )
            for watch in self._watches
        ]
        for thread in threads:
            thread.start()
        try:
            while not self.stopping.is_set() or self._kept:
                self._step()
        finally:
            self.stopping.set()
            for kept in self._kept.values():
                if kept.running is not None:
                    kept.running.kill()
            for thread in threads:
                thread.join(timeout=1.0)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._selector.close()

    # --- one step of the loop ----------------------------------------------------------------

    def _step(self) -> None:
        self._apply_requests()
        if self._draining:
            self._drain()
        if self.stopping.is_set():
            # In reverse order of their arrival; they end in parallel.
            for name in reversed(list(self._kept)):
                self._tell_to_stop(self._kept[name])
        for kept in self._kept.values():
            if kept.running is None and kept.wanted and kept.start_at <= time.monotonic():
                self._start(kept)
        if not self._selector.get_map():
            time.sleep(TICK_S)
        else:
            for key, _ in self._selector.select(TICK_S):
                if key.data.read() == 0:
                    self._selector.unregister(key.fileobj)
        for kept in list(self._kept.values()):
            self._look_after(kept)

    def _apply_requests(self) -> None:
        for _ in range(len(self._requests)):
            request = self._requests.popleft()
            if isinstance(request, str):
                if request in self._kept:
                    self._kept[request].successor = None
                    self._tell_to_stop(self._kept[request])
            elif self.stopping.is_set() or (self._draining and request.drains):
                continue
            elif request.name not in self._kept:
                self._kept[request.name] = _Kept(request)
            elif (kept := self._kept[request.name]).successor is None and not kept.wanted:
                # The old child of this name is still ending.
                kept.successor = request

    def _start(self, kept: _Kept) -> None:
        kept.started_at = time.monotonic()
        kept.kills_before = out_of_memory_kills()
        try:
            kept.running = start(kept.child, log_dir=self._log_dir)
        except OSError as error:
            self._plan_restart(kept, f"cannot be started ({error})")
            return
        output = kept.running.output
        self._selector.register(output, selectors.EVENT_READ, output)

    def _look_after(self, kept: _Kept) -> None:
        running = kept.running
        if running is not None:
            status = running.process.poll()
            if status is None:
                overdue = running.kill_at is not None and time.monotonic() > running.kill_at
                if overdue or (self._kill_now and not kept.wanted):
                    say(f"{kept.child.name} does not stop; it is killed")
                    running.kill()
                return
            with suppress(KeyError):
                self._selector.unregister(running.output)
            last_words = running.output.close()
            kept.running = None
            if kept.wanted and status == kept.child.fails_with:
                self.failed.add(kept.child.name)
                kept.wanted = False
            elif kept.wanted:
                end = f"ended with {status}" if status >= 0 else f"was killed by {_name(-status)}"
                if status == -signal.SIGKILL and out_of_memory_kills() > kept.kills_before:
                    end += " (this machine ran out of memory)"
                self._plan_restart(kept, end, last_words)
        if not kept.wanted:
            del self._kept[kept.child.name]
            if kept.successor is not None:
                # Before later requests about this name, which may remove it again.
                self._requests.appendleft(kept.successor)

    def _plan_restart(self, kept: _Kept, end: str, last_words: str = "") -> None:
        now = time.monotonic()
        if now - kept.started_at >= HEALTHY_AFTER_S:
            kept.pause_s = FIRST_PAUSE_S
        told = f" (its last line: {last_words})" if last_words else ""
        say(f"{kept.child.name} {end}; it is started again in {kept.pause_s:.1f} s{told}")
        kept.start_at = now + kept.pause_s
        kept.pause_s = min(2 * kept.pause_s, LONGEST_PAUSE_S)

    def _tell_to_stop(self, kept: _Kept) -> None:
        kept.wanted = False
        if kept.running is not None and kept.running.kill_at is None:
            kept.running.kill_at = time.monotonic() + kept.child.stop_timeout_s
            kept.running.tell(kept.child.stop_signal)

    def _drain(self) -> None:
        """Let the draining children finish; stop the others once the last of them has ended."""
        draining = [kept for kept in self._kept.values() if kept.child.drains]
        for kept in draining:
            if kept.wanted and kept.running is not None:
                say(f"{kept.child.name} finishes what it is at, and ends")
                kept.running.tell(signal.SIGUSR1)
            kept.wanted = False
        if not draining:
            self.stopping.set()

    # --- signals -----------------------------------------------------------------------------

    def _take_signals(self) -> dict[int, Handler]:
        if threading.current_thread() is not threading.main_thread():
            return {}
        numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup it is ignored
            numbers.append(signal.SIGHUP)
        return {number: signal.signal(number, self._on_signal) for number in numbers}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self.drain()
            return
        if self.stopping.is_set() and number == signal.SIGINT:
            self._kill_now = True
        self.stopping.set()


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
