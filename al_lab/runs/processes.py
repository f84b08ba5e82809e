"""Runs in processes of their own: dealing them out, taking in what comes, ending when told to.

The parent alone writes results, a run at a time when it is finished. A run that fails, or takes
its process with it, is told and harms no other.
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

from al_lab.runs.child import Done, Failed, Message, Part, Place, Task, work

# How long a signal, and a change of the line of progress, may wait.
_LOOK_S: Final = 0.5
_KILLED_JOIN_S: Final = 10.0


class Ending:
    """SIGINT and SIGTERM as a wish that is looked at; enter it in the main thread.

    An exception raised by a signal goes off anywhere, also where a result is being written.
    """

    def __init__(self) -> None:
        self.told: int | None = None

    def __enter__(self) -> Self:
        signals = (signal.SIGINT, signal.SIGTERM)
        self._previous = {each: signal.signal(each, self._hear) for each in signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.told = self.told or number


@dataclass(slots=True)
class _Child:
    process: BaseProcess
    connection: Connection
    place: Place
    task: Task | None = None
    done: float = 0.0


def work_of(task: Task) -> float:
    """The work of a run in labels: the trainings and passes of a run follow from its budget."""
    return float(task.setting.labels.budget)


def run_all(
    tasks: Sequence[Task],
    places: Sequence[Place],
    *,
    ending: Ending,
    done: Callable[[bytes], None],
    failed: Callable[[Task, Failed], None],
    show: Callable[[int, float], None],
) -> None:
    """Do all tasks, one process a place, until there are no more or `ending` is told.

    `done` gets the lines of a finished run, `failed` the reason of one that came to nothing, and
    `show` how many ended and how much work that was, with what is done of the others.
    """
    waiting, ended, behind = deque(tasks), 0, 0.0
    children = [_start(place) for place in places[: len(tasks)]]
    try:
        while ending.told is None:
            for child in children:
                if child.task is None and waiting:
                    _give(child, waiting.popleft())
            busy = {child.connection: child for child in children if child.task is not None}
            if not busy:
                break
            for connection in wait(list(busy), timeout=_LOOK_S):
                child = busy[connection]  # type: ignore[index]
                message, task = _heard(child), child.task
                assert task is not None  # noqa: S101 - for the type checker
                if isinstance(message, Part):
                    child.done = message.done
                    continue
                ended, behind = ended + 1, behind + work_of(task)
                if isinstance(message, Done):
                    child.task, child.done = None, 0.0
                    done(message.lines)
                else:
                    failed(task, message)
                    _kill(child)
                    children.remove(child)
                    if waiting:
                        children.append(_start(child.place))
            parts = [work_of(child.task) * child.done for child in children if child.task]
            show(ended, behind + sum(parts))
    finally:
        for child in children:
            _kill(child)


def _start(place: Place) -> _Child:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, place))
    process.start()
    # Held by the child alone, so that its death ends the connection.
    theirs.close()
    return _Child(process, ours, place)


def _give(child: _Child, task: Task) -> None:
    child.task, child.done = task, 0.0
    # One that is dead already is heard to be so next.
    with suppress(OSError):
        child.connection.send(task)


def _heard(child: _Child) -> Message:
    """What it says; the last that there is to say of one who died."""
    try:
        message: Message = child.connection.recv()
    except (EOFError, OSError):
        child.process.join(_KILLED_JOIN_S)
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
    child.process.join(_KILLED_JOIN_S)
    child.connection.close()
