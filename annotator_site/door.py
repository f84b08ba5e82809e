"""A door lets those who come at once in a few at a time, and keeps nobody waiting too long.

What comes in takes its time from the rest of the process. Were a thousand let in together, each
would be served by a thousandth of it, and all would give up before the first was done.
"""

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Hashable
from contextlib import suppress
from typing import Final

RETRY_S: Final = (2, 10)
"""When who found no place shall come again: not all at the same moment."""


class FullError(Exception):
    """No place was free in time; `retry_after_s` is when to come again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"come again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Door:
    """At most `places` inside; the others wait in order, nobody longer than `patience_s` seconds.

    Where it is said whose they are, one of each comes in by turns: who sends many waits for itself.

    A place that was left rests for `rest_s`, so that no more than `places` in that time take from
    the rest of the process. Nobody is sent away sooner: who waits costs nothing, and who is sent
    away comes again, which costs as much as letting them in.
    """

    def __init__(self, *, places: int, patience_s: float, rest_s: float = 0.0) -> None:
        self.patience_s = patience_s
        self.rest_s = rest_s
        self._free = places
        self._queues: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._queues.values()))

    async def enter(self, whose: Hashable = None) -> None:
        """Come in; one `leave` must follow. Raises FullError."""
        if self._free:
            self._free -= 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._queues.setdefault(whose, deque()).append(turn)
        patience = loop.call_later(self.patience_s, self._give_up, whose, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(KeyError, ValueError):  # passed over already
                    self._remove(whose, turn)
            elif turn.exception() is None:  # called in the same moment
                self.leave()
            raise
        finally:
            patience.cancel()

    def leave(self) -> None:
        """Give one's place to the next."""
        if self.rest_s:
            asyncio.get_running_loop().call_later(self.rest_s, self._call)
        else:
            self._call()

    def _call(self) -> None:
        while self._queues:
            whose, queue = next(iter(self._queues.items()))
            turn = queue[0]
            self._remove(whose, turn)
            if whose in self._queues:
                self._queues.move_to_end(whose)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _remove(self, whose: Hashable, turn: asyncio.Future[None]) -> None:
        self._queues[whose].remove(turn)
        if not self._queues[whose]:
            del self._queues[whose]

    def _give_up(self, whose: Hashable, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            self._remove(whose, turn)
            turn.set_exception(FullError(random.randint(*RETRY_S)))  # noqa: S311 - no secret
