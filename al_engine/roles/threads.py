"""How many threads an engine process computes with: few where people label, else all cores.

Threads of one training wait for one another after every operation. Where all cores are busy, the
last one to be given a core keeps the others waiting: a training of small images with two threads
on two cores took 32 s instead of 0.4 s. And people never wait for a core that the engine left free.
"""

import time
from typing import Final

import torch

from al_engine.pools import presence

_LOOK_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 30.0
"""After so long without an answer a training takes all cores, for nobody is there to notice."""


class Threads:
    """The threads of this process, which follow the people that this machine serves."""

    def __init__(self) -> None:
        # As many as this process may use: by the machine, or by OMP_NUM_THREADS.
        self._cores = torch.get_num_threads()
        self._answers = -1
        self._answered_at = self._looked_at = float("-inf")

    @property
    def few(self) -> int:
        """Half of the cores, four at most: the site and others of the engine have the rest."""
        return max(1, min(4, self._cores // 2))

    def take(self) -> None:
        """Before a piece of work: all cores where nobody labels, else few."""
        torch.set_num_threads(self.few if self._people_label() else self._all())

    def give_way(self) -> None:
        """Amid a piece of work: few, if people have come."""
        if torch.get_num_threads() > self.few and self._people_label():
            torch.set_num_threads(self.few)

    def _all(self) -> int:
        return max(self.few, self._cores // max(1, presence.servers_here()))

    def _people_label(self) -> bool:
        """Whether somebody answered lately whom this machine serves."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            answers = presence.answers() if presence.serves_here() else self._answers
            # What was answered before this process began says nothing of who is there now.
            if answers != self._answers and self._answers >= 0:
                self._answered_at = now
            self._answers = answers
        return now - self._answered_at < _QUIET_SECONDS
