"""`results.jsonl`: a line for each event of each run; its first has the whole configuration.

One process appends whole runs. If it is killed, at most the last run is incomplete, and is run
again.
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

from al_lab.config.checking import BadConfig, build_setting
from al_lab.config.settings import Setting

FILE: Final = "results.jsonl"
Event = dict[str, Any]


class Unusable(ValueError):
    """The file was not written by this program, or cannot be written;

    the message says what to do.
    """


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its setting, and its events by kind, in the order of the virtual clock.

    `started` has the versions of packages, the device and the date.
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
    """The id of a run in the file, different for each setting and seed."""
    told = json.dumps([setting.as_dict(), seed], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def read(path: Path) -> list[Run]:
    """The finished runs of a file in the order in which they began; raises Unusable.

    Of a run that was interrupted and run again, only the second attempt counts. An incomplete last
    line, left by a writer that was killed, is ignored.
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
    """Events as lines of the file; raises ValueError or TypeError for what JSON cannot hold."""
    return b"".join(
        json.dumps({"run": run} | event, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        for event in events
    )


def copied(run: Run, setting: Setting) -> bytes:
    """The lines of a finished run for a setting that differs in the arm's name alone."""
    started = run.started | {"setting": setting.as_dict()}
    events = [started, *run.versions, *run.evaluated, *run.bounds, *run.asked, run.finished]
    own = {"run": identity(setting, run.seed)}
    return lines_of((event | own for event in events), own["run"])


class Writer:
    """Appends to a file of results; raises Unusable while another process does."""

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
        """Append whole lines; they are on the disk when this returns. Raises Unusable."""
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise Unusable(f"{self._path} cannot be written: {error.strerror}.") from error

    def _cut_torn_line(self) -> None:
        """Remove an incomplete last line: appended to it, the next one could not be read either."""
        self._file.seek(0)
        whole = self._file.read().rfind(b"\n") + 1
        self._file.truncate(whole)


def _run(events: list[Event]) -> Run | None:
    """The run of these events, `started` first; None where it is not finished."""
    by_kind: dict[str, list[Event]] = {}
    for event in events:
        by_kind.setdefault(event["event"], []).append(event)
    if "finished" not in by_kind:
        return None
    started = events[0]
    told = dict(started["setting"])
    return Run(
        setting=build_setting(told.pop("arm"), told, "its setting"),
        seed=started["seed"],
        versions=by_kind.get("version", []),
        evaluated=by_kind.get("evaluated", []),
        bounds=by_kind.get("bound", []),
        asked=by_kind.get("asked", []),
        finished=by_kind["finished"][-1],
        started=started,
    )
