"""A child process: simulates one run after another and sends the results to its parent.

It writes no files, and ends when its parent ends, in whatever way that happens.
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

_REPORT_SECONDS: Final = 0.5
# An experiment has a few data sets, each of a few hundred MB at most.
_DATA_SETS_KEPT: Final = 4
# Runs with at most so many labels record which version chose each query: enough for the paper's
# example.
_MAX_LABELS_TRACED: Final = 100


@dataclass(frozen=True, slots=True)
class Task:
    """A run to do."""

    setting: Setting
    seed: int


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a child process computes, and with what. `data` is the folder of `--data`."""

    device: str
    threads: int
    processes: int
    data: Path | None
    cache: Path
    nowait: str  # version of this program


@dataclass(frozen=True, slots=True)
class PartDone:
    """The part of a run that is done, from 0 to 1."""

    done: float


@dataclass(frozen=True, slots=True)
class Done:
    """The lines of a run that is finished."""

    lines: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a run failed, in one line, and the traceback."""

    reason: str
    trace: str


Message = PartDone | Done | Failed


def serve_tasks(connection: Connection, slot: Slot) -> None:
    """Run each Task that arrives, until the parent closes the connection or a run fails.

    A failure may leave a process with a broken GPU context or without memory, so a new process
    takes its slot.
    """
    # Ctrl-C reaches all processes of a terminal; the parent decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            return
        try:
            message: Message = Done(_lines(task, slot, connection))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            message = Failed(reason, traceback.format_exc())
        connection.send(message)
        if isinstance(message, Failed):
            return


def load(data: Data, folder: Path | None, cache: Path) -> "DataSet":
    """The data set of a setting, loaded once a process, whatever sample is drawn from it."""
    return _loaded(Data(data.name, data.image_size), folder, cache)


@lru_cache(_DATA_SETS_KEPT)
def _loaded(data: Data, folder: Path | None, cache: Path) -> "DataSet":
    from al_lab.data.datasets import load

    return load(data, folder, cache)


def _lines(task: Task, slot: Slot, connection: Connection) -> bytes:
    """Simulate a run; returns its lines for the file of results."""
    import torch

    from al_engine.training import devices
    from al_lab.simulation.answers import answers_of
    from al_lab.simulation.campaign import Asked, simulate

    torch.set_num_threads(slot.threads)
    device = devices.resolve(slot.device)
    data_set = load(task.setting.data, slot.data, slot.cache)
    run = results.identity(task.setting, task.seed)
    lines = [results.lines_of([_started(task, slot, device)], run)]
    began = told = time.monotonic()

    def record(event: dict[str, Any]) -> None:
        if event["event"] == "finished":
            event = event | {"wall_seconds": time.monotonic() - began}
        lines.append(results.lines_of([event], run))

    def progress(done: float) -> None:
        nonlocal told
        if time.monotonic() - told >= _REPORT_SECONDS:
            told = time.monotonic()
            connection.send(PartDone(done))

    numbers = itertools.count(1)

    def watch(asked: Asked) -> None:
        number = next(numbers)
        record({"event": "asked", "at": asked.at, "number": number, "version": asked.version})

    simulate(
        task.setting,
        seed=task.seed,
        data_set=data_set,
        answers=answers_of(task.setting.people, data_set, slot.data),
        device=device,
        record=record,
        progress=progress,
        watch=watch if task.setting.labels.budget <= _MAX_LABELS_TRACED else None,
    )
    return b"".join(lines)


def _started(task: Task, slot: Slot, device: "torch.device") -> dict[str, Any]:
    import numpy
    import torch

    from al_engine.training import devices

    return {
        "event": "started",
        "seed": task.seed,
        "setting": task.setting.as_dict(),
        "versions": {
            "nowait": slot.nowait,
            "torch": torch.__version__,
            # Its import takes seconds, and most networks do without it.
            "torchvision": metadata.version("torchvision"),
            "numpy": numpy.__version__,
            "python": platform.python_version(),
        },
        "device": devices.describe(device),
        "threads": slot.threads,
        "processes": slot.processes,
        "at_wall": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
