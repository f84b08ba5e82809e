"""The measurements of simulated annotators, and their summary. Pure: no network, no database.

All times are measured in the client, network included, as a person would feel them.
"""

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

FIRST_SECOND_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Holdout accuracy of the first and the last model of a run, and the number of models."""

    first: float | None
    last: float | None
    versions: int


class Tally:
    """The counts and times of a crowd so far; its bots write them, reports read them."""

    def __init__(self) -> None:
        self.started: float | None = None  # when the first bot was connected, monotonic s
        self.last_ack: float = 0.0
        self.labels = 0
        self.skips = 0
        self.ack_ms = array("d")
        self.wait_ms = array("d")
        self.first_query_ms = array("d")
        self.dry = 0
        self.dry_after_first_second = 0
        self.nacks: Counter[str] = Counter()
        self.reconnects = 0
        self.connected = 0
        self.done = self.total = 0  # labeled images of the campaign, and all that people are asked

    def connect(self, *, now: float) -> None:
        """Count a bot that is connected and about to say that it is ready."""
        if self.started is None:
            self.started = now
        self.connected += 1

    def acknowledge(self, *, sent: float, now: float, is_label: bool) -> None:
        """Count an acknowledged label or skip; times in monotonic seconds."""
        self.last_ack = now
        self.ack_ms.append((now - sent) * 1000)
        if is_label:
            self.labels += 1
        else:
            self.skips += 1

    def wait(self, *, since: float, now: float) -> None:
        """Count the wait of a bot with an empty buffer, which ends with a query or the run."""
        self.wait_ms.append((now - since) * 1000)
        self.dry += 1
        if self.started is not None and since > self.started + FIRST_SECOND_S:
            self.dry_after_first_second += 1

    def no_wait(self) -> None:
        """Count an answer after which the next query was already in the buffer."""
        self.wait_ms.append(0.0)


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished run. Durations `…_ms` in milliseconds, None where nothing was measured.

    `wait_ms`: from an answer until the next query is in hand; `first_query_ms`: from the
    connection until the first query is in hand; `seconds`: from the first connection to the last
    acknowledgement.
    """

    labels: int
    seconds: float
    labels_per_second: float
    ack_ms: dict[str, float | None]
    wait_ms: dict[str, float | None]
    first_query_ms: dict[str, float | None]
    dry: int
    dry_after_first_second: int
    skips: int
    nacks: dict[str, int]
    reconnects: int
    accuracy: Accuracy

    def as_json(self) -> dict[str, Any]:
        """The summary, of JSON types only."""
        return asdict(self)

    def as_text(self) -> str:
        """The summary for people, one fact a line."""
        accuracy = self.accuracy
        dry = f"{self.dry:,} times none was there yet"
        late = f"{self.dry_after_first_second:,} of them after the first second"
        first, last = _share(accuracy.first), _share(accuracy.last)
        lines = [
            f"labels      {self.labels:,} in {self.seconds:.1f} s: {self.labels_per_second:,.1f}/s",
            f"saved       {_times(self.ack_ms)} after answering",
            f"next image  {_times(self.wait_ms)} after answering; {dry}, {late}",
            f"first image {_times(self.first_query_ms)} after connecting",
            f"models      {accuracy.versions}, accuracy {first} at first, {last} at last",
        ]
        if self.skips:
            lines.append(f"skipped     {self.skips:,}")
        if self.nacks:
            told = ", ".join(f"{code} {count:,}" for code, count in sorted(self.nacks.items()))
            lines.append(f"refused     {told}")
        if self.reconnects:
            lines.append(f"reconnected {self.reconnects:,} times")
        return "\n".join(lines)


def summarize(tally: Tally, *, accuracy: Accuracy) -> Summary:
    """The summary of a finished run."""
    seconds = max(tally.last_ack - tally.started, 0.0) if tally.started is not None else 0.0
    return Summary(
        labels=tally.labels,
        seconds=round(seconds, 3),
        labels_per_second=round(tally.labels / seconds, 2) if seconds else 0.0,
        ack_ms=_percentiles(tally.ack_ms, p50=0.50, p99=0.99),
        wait_ms=_percentiles(tally.wait_ms, p50=0.50, p99=0.99, max=1.0),
        first_query_ms=_percentiles(tally.first_query_ms, p50=0.50, max=1.0),
        dry=tally.dry,
        dry_after_first_second=tally.dry_after_first_second,
        skips=tally.skips,
        nacks=dict(sorted(tally.nacks.items())),
        reconnects=tally.reconnects,
        accuracy=accuracy,
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` (0 to 1) of all values do not exceed; None without values."""
    if not values:
        return None
    # Round first: 0.07 * 100 is a little above 7, and must not become rank 8.
    rank = max(1, math.ceil(round(share * len(values), 6)))
    return sorted(values)[rank - 1]


def _percentiles(values: Sequence[float], **shares: float) -> dict[str, float | None]:
    figures = {name: percentile(values, share) for name, share in shares.items()}
    return {name: None if figure is None else round(figure, 3) for name, figure in figures.items()}


def _times(figures: dict[str, float | None]) -> str:
    return ", ".join(
        f"{name} unknown" if figure is None else f"{name} {figure:,.1f} ms"
        for name, figure in figures.items()
    )


def _share(figure: float | None) -> str:
    return "unknown" if figure is None else f"{figure:.1%}"
