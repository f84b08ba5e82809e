"""A door admits simultaneous requests a few at a time, with a bounded wait for each.

An admitted request takes time from the rest of the process. If a thousand were admitted
together, each would get a thousandth of the process, and all clients would give up before the
first request is done.
"""

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Hashable
from contextlib import suppress
from typing import Final

RETRY_S: Final = (2, 10)
"""Range of seconds after which a refused client may come again; random, to spread them out."""


class FullError(Exception):
    """No place was free in time; come again after `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"come again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Door:
    """At most `places` requests are inside; the rest wait in order, at most `patience_s` seconds.

    Requests with different `whose` are admitted in rotation, so that a client with many requests
    delays only itself.

    A place that was left stays empty for `rest_s` seconds, which leaves time to the rest of the
    process. No request is refused before its patience ends: a waiting request costs nothing, and
    a refused client comes again, which costs as much as admitting it.
    """

    def __init__(self, *, places: int, patience_s: float, rest_s: float = 0.0) -> None:
        self.patience_s = patience_s
        self.rest_s = rest_s
        self._free = places
        self._queues: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Number of waiting requests."""
        return sum(map(len, self._queues.values()))

    async def enter(self, whose: Hashable = None) -> None:
        """Wait for a place and take it; one `leave` must follow. Raises FullError."""
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
                with suppress(KeyError, ValueError):  # `_call` has removed it already
                    self._remove(whose, turn)
            elif turn.exception() is None:  # got a place at the same moment: pass it on
                self.leave()
            raise
        finally:
            patience.cancel()

    def leave(self) -> None:
        """Give up a place; after `rest_s` the next waiting request gets it."""
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
