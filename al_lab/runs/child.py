"""What a process does that is given runs one after the other, and tells its parent about them.

It writes nothing, and ends with its parent, however that ends.
"""

import itertools
import multiprocessing
import os
import platform
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from al_lab import results
from al_lab.config.settings import Data, Setting

if TYPE_CHECKING:
    import torch

    from al_lab.data.datasets import DataSet

_BETWEEN_REPORTS_S: Final = 0.5
# An experiment has a few data sets, each of a few hundred MB at most.
_DATA_SETS_KEPT: Final = 4
# Labels up to which a run tells which version chose each query: enough for the paper's example.
_MOST_ASKED: Final = 100


@dataclass(frozen=True, slots=True)
class Task:
    """One run."""

    setting: Setting
    seed: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process computes, and what it finds there. `data` is the folder of `--data`."""

    device: str
    threads: int
    processes: int
    data: Path | None
    cache: Path
    nowait: str  # version of this program


@dataclass(frozen=True, slots=True)
class Part:
    """How much of its run a process has done, from 0 to 1."""

    done: float


@dataclass(frozen=True, slots=True)
class Done:
    """The lines of a run that is finished."""

    lines: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a run came to nothing, in one line, and where."""

    reason: str
    trace: str


Message = Part | Done | Failed


def work(connection: Connection, place: Place) -> None:
    """Do each Task that comes, until no more can come, or one fails.

    After a failure a process may be left with a broken GPU context or without memory: another one
    takes its place.
    """
    # Control-C goes to all processes of a terminal; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            return
        try:
            message: Message = Done(_lines(task, place, connection))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            message = Failed(reason, traceback.format_exc())
        connection.send(message)
        if isinstance(message, Failed):
            return


def load(data: Data, folder: Path | None, cache: Path) -> "DataSet":
    """The data set of a setting, once a process: what is drawn from it plays no part here."""
    return _loaded(Data(data.name, data.image_size), folder, cache)


@lru_cache(_DATA_SETS_KEPT)
def _loaded(data: Data, folder: Path | None, cache: Path) -> "DataSet":
    from al_lab.data.datasets import load

    return load(data, folder, cache)


def _lines(task: Task, place: Place, connection: Connection) -> bytes:
    """Simulate a run; its lines, ready to be written."""
    import torch

    from al_engine.training import devices
    from al_lab.simulation.answers import answers_of
    from al_lab.simulation.campaign import Asked, simulate

    torch.set_num_threads(place.threads)
    device = devices.resolve(place.device)
    data_set = load(task.setting.data, place.data, place.cache)
    run = results.identity(task.setting, task.seed)
    lines = [results.lines_of([_started(task, place, device)], run)]
    began = told = time.monotonic()

    def record(event: dict[str, Any]) -> None:
        if event["event"] == "finished":
            event = event | {"wall_seconds": time.monotonic() - began}
        lines.append(results.lines_of([event], run))

    def progress(done: float) -> None:
        nonlocal told
        if time.monotonic() - told >= _BETWEEN_REPORTS_S:
            told = time.monotonic()
            connection.send(Part(done))

    numbers = itertools.count(1)

    def watch(asked: Asked) -> None:
        number = next(numbers)
        record({"event": "asked", "at": asked.at, "number": number, "version": asked.version})

    simulate(
        task.setting,
        seed=task.seed,
        data_set=data_set,
        answers=answers_of(task.setting.people, data_set, place.data),
        device=device,
        record=record,
        progress=progress,
        watch=watch if task.setting.labels.budget <= _MOST_ASKED else None,
    )
    return b"".join(lines)


def _started(task: Task, place: Place, device: "torch.device") -> dict[str, Any]:
    import numpy
    import torch

    from al_engine.training import devices

    return {
        "event": "started",
        "seed": task.seed,
        "setting": task.setting.as_dict(),
        "versions": {
            "nowait": place.nowait,
            "torch": torch.__version__,
            # Its import takes seconds, and most networks do without it.
            "torchvision": metadata.version("torchvision"),
            "numpy": numpy.__version__,
            "python": platform.python_version(),
        },
        "device": devices.describe(device),
        "threads": place.threads,
        "processes": place.processes,
        "at_wall": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
