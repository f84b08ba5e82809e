"""The number of threads of an engine process: few while people label, else all cores.

Threads of a training wait for one another after every operation. If all cores are busy, the last
thread to get a core delays the others: a training on small images with two threads on two busy
cores took 32 s instead of 0.4 s. With fewer threads, cores also stay free for people.
"""

import time
from typing import Final

import torch

from al_engine.pools import presence

_LOOK_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 30.0
"""After this time without an answer a training takes all cores."""


class Threads:
    """Sets the number of threads by whether this machine serves people who label."""

    def __init__(self) -> None:
        # The number that this process may use, from the machine or OMP_NUM_THREADS.
        self._cores = torch.get_num_threads()
        self._answers = -1
        self._answered_at = self._looked_at = float("-inf")

    @property
    def few(self) -> int:
        """Half of the cores, 1 to 4: the site and other engine processes use the rest."""
        return max(1, min(4, self._cores // 2))

    def take(self) -> None:
        """Before a piece of work: `few` threads if people label, else all."""
        torch.set_num_threads(self.few if self._people_label() else self._all())

    def give_way(self) -> None:
        """During a piece of work: reduce to `few` threads if people label."""
        if torch.get_num_threads() > self.few and self._people_label():
            torch.set_num_threads(self.few)

    def needed_elsewhere(self, process_id: int) -> str:
        """Why a training that nobody waits for, of this process, gives up its cores; else empty."""
        if self._people_label():
            return "people label"
        if presence.is_training_here(beside=process_id):
            return "a server trains"
        return ""

    def _all(self) -> int:
        return max(self.few, self._cores // max(1, presence.servers_here()))

    def _people_label(self) -> bool:
        """Whether people whom this machine serves have answered in the last 30 s."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            answers = presence.answers() if presence.serves_here() else self._answers
            # The first count includes answers from before this process began, so it is no news.
            if answers != self._answers and self._answers >= 0:
                self._answered_at = now
            self._answers = answers
        return now - self._answered_at < _QUIET_SECONDS
