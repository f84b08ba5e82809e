"""People who label in Label Studio without pausing: next task, answer, next task."""

import http.client
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from benchmarks.figures import percentile
from benchmarks.peers.label_studio_site import CHOICES, LabelStudio, call

WARM_UP_S: Final = 5.0
_AFTER_AN_ERROR_S: Final = 0.2


@dataclass(slots=True)
class PeerFigures:
    """The figures of one number of people after the warm-up; milliseconds from submit to next."""

    people: int
    seconds: float
    labels: int
    labels_per_second: float
    next_p50_ms: float
    next_p99_ms: float
    next_max_ms: float
    errors: int


@dataclass(slots=True)
class Seen:
    """One person's measurements, with times of `time.monotonic` in seconds.

    `stored_at`: when labels were stored. `next_at`: when next tasks came, and after how many
    seconds. `errors_at`: when errors occurred.
    """

    stored_at: list[float] = field(default_factory=list)
    next_at: list[tuple[float, float]] = field(default_factory=list)
    errors_at: list[float] = field(default_factory=list)


def label_for(studio: LabelStudio, *, people: int, seconds: float) -> PeerFigures:
    """Let `people` people label for WARM_UP_S, then for `seconds`, which are measured."""
    begin = time.monotonic() + WARM_UP_S
    end = begin + seconds
    stopped = threading.Event()
    with ThreadPoolExecutor(people) as threads:
        try:
            doing = [
                threads.submit(_label, studio, number, end, stopped) for number in range(people)
            ]
            seen = [each.result() for each in doing]
        finally:
            stopped.set()
    return figures(seen, begin=begin, end=end)


def figures(seen: Sequence[Seen], *, begin: float, end: float) -> PeerFigures:
    """The figures between `begin` and `end`, times of `time.monotonic` in seconds."""
    labels = sum(begin <= at < end for each in seen for at in each.stored_at)
    waits = sorted(wait for each in seen for at, wait in each.next_at if begin <= at < end)
    return PeerFigures(
        people=len(seen),
        seconds=end - begin,
        labels=labels,
        labels_per_second=labels / (end - begin),
        next_p50_ms=1_000 * percentile(waits, 50),
        next_p99_ms=1_000 * percentile(waits, 99),
        next_max_ms=1_000 * percentile(waits, 100),
        errors=sum(begin <= at < end for each in seen for at in each.errors_at),
    )


def _label(studio: LabelStudio, number: int, end: float, stopped: threading.Event) -> Seen:
    seen, token = Seen(), studio.tokens[number]
    choice = CHOICES[number % len(CHOICES)]
    answer = {
        "result": [
            {
                "type": "choices",
                "from_name": "choice",
                "to_name": "image",
                "value": {"choices": [choice]},
            }
        ],
        "lead_time": 1.0,
    }
    submitted: float | None = None
    while not stopped.is_set() and (now := time.monotonic()) < end:
        try:
            path = f"/api/projects/{studio.project}/next"
            status, task = call(studio.port, "GET", path, token)
            now = time.monotonic()
            if status != http.client.OK:
                raise http.client.HTTPException(f"{status} instead of a task")
            if submitted is not None:
                seen.next_at.append((now, now - submitted))
            submitted = now
            path = f"/api/tasks/{task['id']}/annotations/"
            status, _ = call(studio.port, "POST", path, token, answer)
            now = time.monotonic()
            if status != http.client.CREATED:
                raise http.client.HTTPException(f"{status} instead of an annotation")
            seen.stored_at.append(now)
        except (OSError, http.client.HTTPException):
            seen.errors_at.append(now)
            submitted = None
            stopped.wait(_AFTER_AN_ERROR_S)
    return seen
