"""How much of an experiment is done, and how long the rest will take."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

_FIRST_ESTIMATE_SECONDS: Final = 5.0
_LINE_SECONDS: Final = 60.0


class Progress:
    """Shows how many of `total` runs are done; `already` of them were done before it began.

    In a terminal one line is rewritten; elsewhere there is a line after each run, and one a minute.
    `weight` is the work to do, in any unit.
    """

    def __init__(
        self,
        *,
        total: int,
        already: int,
        weight: float,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._already, self._weight = total, already, weight
        self._out = sys.stderr if out is None else out
        self._terminal = self._out.isatty()
        self._clock = clock
        self._started = self._said = clock()
        self._runs = 0

    def show(self, *, runs: int, done: float) -> None:
        """`runs` have ended since the beginning, and `done` of the weight is done."""
        now = self._clock()
        line = f"{self._already + runs} of {self._total} runs done"
        elapsed = now - self._started
        if done > 0 and elapsed >= _FIRST_ESTIMATE_SECONDS and runs + self._already < self._total:
            line += f", about {duration(elapsed * (self._weight - done) / done)} left"
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            self._out.write(f"\r\x1b[K{line[:width]}")
            self._out.flush()
        elif runs > self._runs or now - self._said >= _LINE_SECONDS:
            self._runs, self._said = runs, now
            print(line, file=self._out, flush=True)

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.close()
        print(text, file=self._out, flush=True)

    def close(self) -> None:
        """Clear the line, so that others may write."""
        if self._terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()


def duration(seconds: float) -> str:
    """A time as exact as an estimate can be: `40 s`, `7 min`, `2 h 10 min`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(round(minutes, -1) if minutes >= 120 else minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
