"""Labeling by single requests, for programs that hold no WebSocket: by the same desk.

Each request is a connection that lasts as long as the request. Its messages are those of the
socket, with the same ids, limits and receipts. What it was handed stays leased for `lease_seconds`,
and a later request takes that up again by the session's id.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson

from al_engine.pools.labeled import Standing
from annotator_site.labeling.consumer import desks, handle
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.protocol import Ready
from annotator_site.labeling.session import Session

MOST_MESSAGES: Final = 50
"""Messages of one request; a connection may wait for 64 receipts."""
PATIENCE_S: Final = 10.0
"""For receipts; what is not answered by then may still be stored, and may be sent again."""
CLAIM_PATIENCE_S: Final = 3.0
"""For queries: an empty pool is told at once, unless the database is slow."""

Frame = dict[str, Any]


class TooSlow(Exception):
    """No receipt came in time, or the desk closed."""


@dataclass(slots=True)
class Handed:
    """What a request got: the session to take up later, queries, receipts in order, why no more."""

    session: UUID
    queries: list[Frame] = field(default_factory=list)
    receipts: list[Frame] = field(default_factory=list)
    idle: Frame | None = None


class _Caller(Session):
    """A connection whose frames are kept for the response. Its turns are held by nobody here."""

    def __init__(self, desk: Desk, person: Standing) -> None:
        now = time.monotonic()
        super().__init__(
            session_id=desks.new_session_id(),
            annotator_id=person.annotator_id,
            mine=person.mine,
            bucket=desk.bucket(person.annotator_id, now),
            send=_nowhere,
            now=now,
        )
        self.handed = Handed(self.id)
        self.receipts: dict[str, Frame] = {}
        # The receipt of a message that was refused at once.
        self.refused: Frame | None = None
        self.news = asyncio.Event()

    def deliver(self, *frames: str) -> None:
        """Keep frames."""
        for frame in map(orjson.loads, frames):
            match frame["type"]:
                case "query":
                    self.held.pop(frame["query"], None)
                    self.buffer = max(self.buffer - 1, 0)
                    self.handed.queries.append(_without_type(frame))
                case "idle":
                    self.handed.idle = _without_type(frame)
                case "ack" | "nack":
                    self.refused = frame
                    self.receipts[str(frame["id"])] = frame
        self.news.set()

    def close(self, code: int) -> None:
        """The desk sends everybody away."""
        self.closing = code
        self.news.set()


async def claim(desk: Desk, person: Standing, *, count: int, resume: UUID | None) -> Handed:
    """Lease up to `count` queries; those of the session `resume` come first.

    Fewer come with the reason, or without if the database was slow: then ask again. Raises TooSlow
    when the desk closed.
    """
    async with _calling(desk, person) as caller:
        desk.ready(caller, Ready(count, resume))
        until = time.monotonic() + CLAIM_PATIENCE_S
        while caller.buffer and caller.handed.idle is None:
            if not await _news(caller, until):
                break
        return caller.handed


async def act(desk: Desk, person: Standing, messages: Sequence[Mapping[str, Any]]) -> Handed:
    """Act on labels, skips, reports and undos; their receipts, in order, are those of the socket.

    An undo hands its query out again. Raises TooSlow if some receipts did not come in time: the
    same messages, sent again, have no second effect.
    """
    async with _calling(desk, person) as caller:
        places: list[Frame | str] = []
        for message in messages:
            caller.refused = None
            handle(desk, caller, orjson.dumps(message).decode())
            places.append(caller.refused or str(message["id"]))
        until = time.monotonic() + PATIENCE_S
        while caller.unanswered or caller.closing is not None:
            if not await _news(caller, until):
                raise TooSlow
        caller.handed.receipts = [
            caller.receipts[place] if isinstance(place, str) else place for place in places
        ]
        return caller.handed


async def desk_for(slug: str, user_id: int) -> tuple[Desk, Standing] | None:
    """The desk of a campaign and the standing of a user there; None if they may not label."""
    desk = await desks.desk(slug)
    received = None if desk is None else await desk.reception.receive(user_id)
    return None if desk is None or received is None else (desk, received[0])


@asynccontextmanager
async def _calling(desk: Desk, person: Standing) -> AsyncIterator[_Caller]:
    caller = _Caller(desk, person)
    desk.people.enter(caller)
    try:
        yield caller
    finally:
        desk.people.leave(caller, keeps_leases=True)


async def _news(caller: _Caller, until: float) -> bool:
    """Wait for frames; False after `until` (time.monotonic()). Raises TooSlow if it was closed."""
    if caller.closing is not None:
        raise TooSlow
    caller.news.clear()
    try:
        async with asyncio.timeout(until - time.monotonic()):
            await caller.news.wait()
    except TimeoutError:
        return False
    return True


async def _nowhere(_: Any) -> None:
    """No frame is sent: `deliver` keeps them."""


def _without_type(frame: Frame) -> Frame:
    return {name: value for name, value in frame.items() if name != "type"}
