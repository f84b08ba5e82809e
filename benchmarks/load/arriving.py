"""People who all come within a second and retry until they are in, as the protocol asks.

Retries come after the time given with a 503, or after a random time if the connection ends without
an answer. A person is in once the first query arrives, or the reason why there is none.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from benchmarks.load.wire import RefusedError, Socket, fetch_page, open_socket

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Bounds of the random pause before a retry without a given time; see docs/protocol.md."""
REFUSALS: Final = tuple(
    f"HTTP/1.1 {status}" for status in ("401 Unauthorized", "403 Forbidden", "404 Not Found")
)
"""Answers after which clients do not retry."""
SILENT: Final = "no answer"


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a person connects: by `token`, or by `cookie` after loading the page at `page`."""

    token: str = ""
    cookie: str = ""
    page: str = ""


@dataclass(slots=True)
class Arrived:
    """The outcome of an arrival: seconds until each person was in, and counts of all answers."""

    came: int = 0
    seconds: list[float] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    @property
    def silent(self) -> int:
        """The number of connections that ended without an answer."""
        return self.told[SILENT]


_dice = random.Random()  # noqa: S311 - no secret


class Newcomer:
    """One person who arrives."""

    def __init__(self, crowd: "Arriving", how: Arrival) -> None:
        self.crowd = crowd
        self.how = how
        self.inside: asyncio.Future[str]

    async def come(self, after_s: float) -> None:
        """Connect after `after_s` and retry until in or refused for good."""
        await asyncio.sleep(after_s)
        began, tries, told = time.perf_counter(), 0, self.crowd.arrived
        while True:
            word, pause = await self._try()
            told.told[word] += 1
            if word == "in":
                told.seconds.append(time.perf_counter() - began)
            if word == "in" or word in REFUSALS:
                return
            longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**tries)
            await asyncio.sleep(_dice.random() * longest if pause is None else pause)
            tries += 1

    async def _try(self) -> tuple[str, float | None]:
        crowd, how = self.crowd, self.how
        try:
            if how.page:
                await fetch_page(crowd.host, crowd.port, how.page, cookie=how.cookie)
            self.inside = asyncio.get_running_loop().create_future()
            socket = await open_socket(
                crowd.host,
                crowd.port,
                crowd.path,
                token=how.token,
                cookie=how.cookie,
                on_text=self._hear,
                on_close=self._end,
            )
        except RefusedError as refused:
            return str(refused), refused.retry_after
        except OSError as error:
            return type(error).__name__, None
        crowd.sockets.append(socket)
        socket.send(orjson.dumps({"type": "ready", "buffer": crowd.buffer, "resume": None}))
        return await self.inside, None

    def _hear(self, text: bytes) -> None:
        if b'"welcome"' not in text[:20] and not self.inside.done():
            self.inside.set_result("in")

    def _end(self, code: int | None) -> None:
        if not self.inside.done():
            self.inside.set_result(SILENT if code is None else f"closed with {code}")


class Arriving:
    """All people who arrive, on one event loop."""

    def __init__(self, host: str, port: int, path: str, *, buffer: int = 3) -> None:
        self.host, self.port, self.path, self.buffer = host, port, path, buffer
        self.arrived = Arrived()
        self.sockets: list[Socket] = []

    async def run(
        self, how: Sequence[Arrival], *, within_s: float, patience_s: float, stay_s: float = 0.0
    ) -> Arrived:
        """Let all people come within `within_s`; gives up after `patience_s`.

        Connections stay open for `stay_s` afterward.
        """
        self.arrived.came = len(how)
        coming = [
            asyncio.create_task(Newcomer(self, each).come(_dice.random() * within_s))
            for each in how
        ]
        await asyncio.wait(coming, timeout=patience_s)
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
        await asyncio.sleep(stay_s)
        for socket in self.sockets:
            socket.close()
        return self.arrived
