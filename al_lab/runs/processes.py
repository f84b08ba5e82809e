"""Runs in processes of their own: assign them, receive their results, stop when a signal comes.

The parent alone writes results, each run when it is finished. A run that fails, or whose process
dies, is reported and affects no other.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Final, Self

from al_lab.runs.child import Done, Failed, Message, PartDone, Slot, Task, serve_tasks

# How soon a signal is noticed and the line of progress changes, at the latest.
_POLL_SECONDS: Final = 0.5
_JOIN_SECONDS: Final = 10.0


class StopRequest:
    """Remembers SIGINT and SIGTERM instead of raising; enter it in the main thread.

    An exception raised by a signal could interrupt the writing of a result.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __enter__(self) -> Self:
        signals = (signal.SIGINT, signal.SIGTERM)
        self._previous = {each: signal.signal(each, self._hear) for each in signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.signal_number = self.signal_number or number


@dataclass(slots=True)
class _Child:
    process: BaseProcess
    connection: Connection
    slot: Slot
    task: Task | None = None
    done: float = 0.0


def work_in_labels(task: Task) -> float:
    """The work of a run, measured in labels: its trainings and passes grow with its budget."""
    return float(task.setting.labels.budget)


def run_all(
    tasks: Sequence[Task],
    slots: Sequence[Slot],
    *,
    stop: StopRequest,
    done: Callable[[bytes], None],
    failed: Callable[[Task, Failed], None],
    show: Callable[[int, float], None],
) -> None:
    """Run all tasks, one process a slot, until there are no more or `stop` has got a signal.

    `done` is called with the lines of each finished run, `failed` with the reason of each that
    failed, and `show` with how many have ended and how much work is done, parts of runs included.
    """
    waiting, ended, behind = deque(tasks), 0, 0.0
    children = [_start(slot) for slot in slots[: len(tasks)]]
    try:
        while stop.signal_number is None:
            for child in children:
                if child.task is None and waiting:
                    _assign(child, waiting.popleft())
            busy = {child.connection: child for child in children if child.task is not None}
            if not busy:
                break
            for connection in wait(list(busy), timeout=_POLL_SECONDS):
                child = busy[connection]  # type: ignore[index]
                message, task = _receive(child), child.task
                assert task is not None  # noqa: S101 - for the type checker
                if isinstance(message, PartDone):
                    child.done = message.done
                    continue
                ended, behind = ended + 1, behind + work_in_labels(task)
                if isinstance(message, Done):
                    child.task, child.done = None, 0.0
                    done(message.lines)
                else:
                    failed(task, message)
                    _kill(child)
                    children.remove(child)
                    if waiting:
                        children.append(_start(child.slot))
            parts = [work_in_labels(child.task) * child.done for child in children if child.task]
            show(ended, behind + sum(parts))
    finally:
        for child in children:
            _kill(child)


def _start(slot: Slot) -> _Child:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve_tasks, args=(theirs, slot))
    process.start()
    # With the child as the only holder, its death closes the connection.
    theirs.close()
    return _Child(process, ours, slot)


def _assign(child: _Child, task: Task) -> None:
    child.task, child.done = task, 0.0
    # If the child is dead, `_receive` finds out next.
    with suppress(OSError):
        child.connection.send(task)


def _receive(child: _Child) -> Message:
    """The next message of a child; of one that died, why its run failed."""
    try:
        message: Message = child.connection.recv()
    except (EOFError, OSError):
        child.process.join(_JOIN_SECONDS)
        code = child.process.exitcode
        reason = f"its process ended with code {code}"
        if code is not None and code < 0:
            reason = f"its process was ended by {signal.Signals(-code).name}"
            if -code == signal.SIGKILL:
                reason += ", as systems do when memory runs out"
        return Failed(reason, "")
    return message


def _kill(child: _Child) -> None:
    child.process.kill()
    child.process.join(_JOIN_SECONDS)
    child.connection.close()
