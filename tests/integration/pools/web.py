"""A web process without its web: real desks on an event loop of their own, and connections to them.

Frames go to `consumer.handle` and come from `Session.deliver`, as over a WebSocket.
"""

import asyncio
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from asgiref.sync import sync_to_async
from django.db import connections

from annotator_site.labeling import consumer
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.desks import Desks
from annotator_site.labeling.session import Session

T = TypeVar("T")
_PATIENCE_S: Final = 20.0


class WebProcess:
    """Desks that run beside the test, with their own database connections and session ids."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.desks = Desks()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the process's loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_PATIENCE_S)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function that belongs to the loop."""

        async def work() -> T:
            return function(*arguments)

        return self.run(work())

    def open(self, slug: str) -> Desk:
        """The desk of a campaign."""
        desk = self.run(self.desks.desk(slug))
        assert desk is not None
        return desk

    def forget(self, desk: Desk) -> None:
        """Close a desk before its campaign goes, once nothing of it is under way.

        There is no call for that in real life, where a desk goes when its campaign has gone.
        """

        def under_way() -> bool:
            sessions = desk.people.sessions.values()
            return bool(desk._pending) or any(session.unanswered for session in sessions)

        while self.call(under_way):
            time.sleep(0.001)

        async def close() -> None:
            del self.desks._desks[desk.campaign.id]
            await _cancel(self.desks._tasks.pop(desk.campaign.id))

        self.run(close())

    def stop(self) -> None:
        """End everything, its database connections too."""

        async def end() -> None:
            pool = await self.desks.pool()
            await _cancel(self.desks._background)
            await pool.close()
            await sync_to_async(connections.close_all)()

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Visit:
    """One connection of a person, and what its client knows."""

    def __init__(self, web: WebProcess, desk: Desk, person: int) -> None:
        self.web = web
        self.desk = desk
        self.person = person
        # Queries in the client's buffer.
        self.held: list[int] = []
        # What was sent and has no receipt yet, by message id, in the order of sending.
        self.open: dict[UUID, deque[tuple[int, int] | None]] = defaultdict(deque)
        self._came: deque[dict[str, Any]] = deque()
        self.session = web.call(self._enter)

    def _enter(self) -> Session:
        session = Session(
            session_id=self.web.desks.new_session_id(),
            annotator_id=self.person,
            mine=0,
            bucket=self.desk.bucket(self.person, 0.0),
            send=self._hear,
            now=self.web.loop.time(),
        )
        self.desk.people.enter(session)
        return session

    async def _hear(self, event: dict[str, Any]) -> None:
        # A network never takes a frame at once: others come in between.
        await asyncio.sleep(0)
        if event["type"] == "websocket.send":
            self._came.append(orjson.loads(event["text"]))

    def say(self, *messages: dict[str, Any]) -> None:
        """Send frames in one breath; nothing is waited for."""
        frames = [orjson.dumps(message).decode() for message in messages]

        def handle() -> None:
            for frame in frames:
                consumer.handle(self.desk, self.session, frame)

        self.web.loop.call_soon_threadsafe(handle)

    def ready(self, buffer: int, resume: UUID | None) -> None:
        """Ask for queries."""
        self.say({"type": "ready", "buffer": buffer, "resume": resume})

    def leave(self, *, for_good: bool) -> None:
        """Hang up: with a word (1000), or as when a network fails."""
        leave = self.desk.people.leave
        self.web.loop.call_soon_threadsafe(lambda: leave(self.session, for_good=for_good))

    def read(self) -> list[tuple[UUID, str, tuple[int, int] | None]]:
        """Take in what came: (message, ack or the nack's code, what was said) of each receipt."""
        receipts = []
        while self._came:
            frame = self._came.popleft()
            match frame["type"]:
                case "query" if not self._is_answering(frame["query"]):
                    self.held.append(frame["query"])
                case "revoke":
                    # It may be answered already, and the revocation be under way.
                    self.held = [turn for turn in self.held if turn != frame["query"]]
                case "ack" | "nack":
                    id_ = UUID(frame["id"])
                    said = self.open[id_].popleft()
                    if not self.open[id_]:
                        del self.open[id_]
                    receipts.append((id_, frame.get("code", "ack"), said))
        return receipts

    def _is_answering(self, turn: int) -> bool:
        """Whether a resumed query comes again while its answer is on its way."""
        return any(said and said[0] == turn for sent in self.open.values() for said in sent)

    @property
    def closed(self) -> bool:
        """Whether the server hung up."""
        return self.session.closing is not None
