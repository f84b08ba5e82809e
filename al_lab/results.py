"""`results.jsonl`: one line for each event of each run, the whole configuration in its first.

Runs are appended whole, one after the other, by one process. So a file whose writer was killed
lacks at most the end of its last run, and that run is done again.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from al_lab.config.checking import BadConfig, setting
from al_lab.config.settings import Setting

FILE: Final = "results.jsonl"
Event = dict[str, Any]


class Unusable(ValueError):
    """The file is not one of this program, or cannot be written; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: what was run, and its events by kind, in the order of the virtual clock.

    `started` says with which versions of packages, on which device and when.
    """

    setting: Setting
    seed: int
    versions: list[Event]
    evaluated: list[Event]
    finished: Event
    bounds: list[Event] = field(default_factory=list)
    asked: list[Event] = field(default_factory=list)
    started: Event = field(default_factory=dict)


def identity(setting: Setting, seed: int) -> str:
    """The id of a run in the file: the same for the same setting and seed, and for no other."""
    told = json.dumps([setting.as_dict(), seed], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def read(path: Path) -> list[Run]:
    """The finished runs of a file in the order of their beginnings; raises Unusable.

    What a run wrote before it was cut and done again counts no longer. A last line without its
    end, from a writer that was killed, is passed over.
    """
    kept: dict[str, list[Event]] = {}
    lines = path.read_bytes().split(b"\n")[:-1]
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            run, kind = event["run"], event["event"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unusable(
                f"{path}, line {number}, is no event of an experiment ({error!r}). "
                "Choose another --output, or take that line out."
            ) from error
        if kind == "started":
            kept.pop(run, None)
            kept[run] = []
        if run in kept:
            kept[run].append(event)
    try:
        runs = [_run(events) for events in kept.values()]
    except (BadConfig, KeyError) as error:
        raise Unusable(
            f"{path} was written by another version of this program: {error} "
            "Choose another --output."
        ) from error
    return [run for run in runs if run is not None]


def lines_of(events: Iterable[Event], run: str) -> bytes:
    """Events as they stand in the file; raises ValueError or TypeError for what JSON has not."""
    return b"".join(
        json.dumps({"run": run} | event, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        for event in events
    )


def copied(run: Run, setting: Setting) -> bytes:
    """The lines of a finished run as one of a setting that differs in the arm's name alone."""
    started = run.started | {"setting": setting.as_dict()}
    events = [started, *run.versions, *run.evaluated, *run.bounds, *run.asked, run.finished]
    own = {"run": identity(setting, run.seed)}
    return lines_of((event | own for event in events), own["run"])


class Writer:
    """The only one who writes a file of results while it is open; raises Unusable where not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab+", buffering=0)
        except OSError as error:
            raise Unusable(f"{self._path} cannot be written: {error.strerror}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise Unusable(
                f"Another process is writing {self._path}: wait for its end, or choose another "
                "--output."
            ) from error
        self._cut_torn_line()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, lines: bytes) -> None:
        """Add whole lines; they are on the disk when this returns. Raises Unusable."""
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise Unusable(f"{self._path} cannot be written: {error.strerror}.") from error

    def _cut_torn_line(self) -> None:
        """What is appended would become a part of it, and neither could be read."""
        self._file.seek(0)
        whole = self._file.read().rfind(b"\n") + 1
        self._file.truncate(whole)


def _run(events: list[Event]) -> Run | None:
    """The run of these events, the first of which is its beginning; None where it has no end."""
    by_kind: dict[str, list[Event]] = {}
    for event in events:
        by_kind.setdefault(event["event"], []).append(event)
    if "finished" not in by_kind:
        return None
    started = events[0]
    told = dict(started["setting"])
    return Run(
        setting=setting(told.pop("arm"), told, "its setting"),
        seed=started["seed"],
        versions=by_kind.get("version", []),
        evaluated=by_kind.get("evaluated", []),
        bounds=by_kind.get("bound", []),
        asked=by_kind.get("asked", []),
        finished=by_kind["finished"][-1],
        started=started,
    )
