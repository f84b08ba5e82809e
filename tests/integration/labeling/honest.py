"""People who label as they should while others do not, and who know what they were promised."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import orjson
from websockets.asyncio.client import ClientConnection, connect

Frame = dict[str, Any]

_BUFFER: Final = 5
_PATIENCE_S: Final = 20.0


@dataclass(slots=True)
class Honest:
    """One person; `acknowledged` has (message, query, choice) of each answer that is on disk."""

    site: str
    slug: str
    token: str
    choices: Sequence[int]
    # Ids of messages count up from here.
    first_id: int
    # Seconds between two answers, on average.
    think_s: float
    session: str = ""
    acknowledged: list[tuple[str, int, int]] = field(default_factory=list)
    acks_ms: list[float] = field(default_factory=list)
    # Answers that were said a second time with another class, all refused.
    contradicted: int = 0
    _connection: ClientConnection | None = None
    _held: list[int] = field(default_factory=list)

    async def enter(self) -> None:
        """Connect and ask for queries."""
        self._connection = await connect(
            f"{self.site.replace('http', 'ws', 1)}/ws/campaigns/{self.slug}/label/",
            additional_headers={"Authorization": f"Token {self.token}"},
            compression=None,
            proxy=None,
            close_timeout=2,
        )
        self.session = (await self._receive())["session"]
        await self._send({"type": "ready", "buffer": _BUFFER, "resume": None})

    async def label(self, until: asyncio.Event, *, least: int = 0) -> None:
        """Answer one query after the other until it is time, and `least` of them by then."""
        dice = Random(self.first_id)
        while not until.is_set() or len(self.acknowledged) < least:
            while not self._held:
                self._keep(await self._receive())
            said = (self._id(), self._held.pop(0), dice.choice(self.choices))
            began = time.perf_counter()
            await self._say(*said)
            assert await self._receipt(said[0]) == ("ack", None)
            self.acks_ms.append(1_000 * (time.perf_counter() - began))
            self.acknowledged.append(said)
            if len(self.acknowledged) % 10 == 0:
                await self._contradict(*said)
            await asyncio.sleep(2 * self.think_s * dice.random())

    async def leave(self) -> None:
        """Say good-bye."""
        assert self._connection is not None
        await self._connection.close()

    async def _contradict(self, id_: str, query: int, choice: int) -> None:
        """Send an acknowledged message again with another class: the first one stays."""
        other = next(each for each in self.choices if each != choice)
        await self._say(id_, query, other)
        assert await self._receipt(id_) == ("nack", "bad_message")
        self.contradicted += 1

    def _id(self) -> str:
        return str(uuid.UUID(int=self.first_id + len(self.acknowledged)))

    async def _say(self, id_: str, query: int, choice: int) -> None:
        await self._send(
            {"type": "label", "id": id_, "query": query, "choice": choice, "shown_ms": 20}
        )

    async def _receipt(self, id_: str) -> tuple[str, str | None]:
        while (frame := await self._receive()).get("id") != id_:
            self._keep(frame)
        return frame["type"], frame.get("code")

    def _keep(self, frame: Frame) -> None:
        # Whatever others do: nobody loses what they hold, and nobody is refused.
        assert frame["type"] in ("query", "idle"), frame
        if frame["type"] == "query":
            self._held.append(frame["query"])

    async def _send(self, message: Frame) -> None:
        assert self._connection is not None
        await self._connection.send(orjson.dumps(message).decode())

    async def _receive(self) -> Frame:
        assert self._connection is not None
        async with asyncio.timeout(_PATIENCE_S):
            frame: Frame = orjson.loads(await self._connection.recv())
        return frame
