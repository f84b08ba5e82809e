"""One simulated annotator: a client that uses only the labeling WebSocket.

A bot behaves like the labeling page: it holds as many queries ahead as its pace and its network
require, gives every message a new id, keeps unacknowledged messages, and sends them again with
the same ids over the next connection.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from annotator_site.labeling.protocol import MAX_FRAME_BYTES, SUBPROTOCOL
from annotator_site.network.close_codes import CloseCode
from annotator_site.simulation.ahead import Ahead
from annotator_site.simulation.crew import Acknowledged, Identity, Manner, Permits, Said
from annotator_site.simulation.summary import Tally

# Too many connections or messages are a matter of time; after a FATAL code a retry cannot help.
# A refused handshake has an HTTP status; an open connection is closed with 4000 plus that status.
SLOW_DOWN: Final = frozenset({CloseCode.TOO_MANY_CONNECTIONS, CloseCode.TOO_FAST, 429})
FATAL: Final = {
    401: "is not logged in (401)",
    403: "is not an annotator of this campaign (403)",
    404: "was told that there is no such campaign (404)",
}
# Codes of messages that had no effect now, but may have when sent again.
LATER: Final = frozenset({"rate_limited", "paused"})
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 5.0
LATER_S: Final = 1.0


class Refused(Exception):
    """The site refused this bot for good; the message names the bot and says why."""


class Bot:
    """One annotator. `run` labels until it is canceled, and reconnects when it has to."""

    def __init__(
        self,
        *,
        identity: Identity,
        address: str,
        answers: Mapping[int, int],
        choices: Sequence[int],
        manner: Manner,
        tally: Tally,
        permits: Permits,
        on_ack: Callable[[Acknowledged], None],
    ) -> None:
        self.identity = identity
        self.address = address
        self.answers = answers
        self.choices = choices
        self.manner = manner
        self.tally = tally
        self.permits = permits
        self.on_ack = on_ack
        self.idle: str | None = None
        self.unacked: dict[str, Said] = {}
        self.settled = asyncio.Event()  # set while nothing is unacknowledged
        self.settled.set()
        self._session: str | None = None
        self._choices_version: int | None = None
        # query -> (image, proof) in order of arrival, including the query in view
        self._buffer: dict[int, tuple[int, str]] = {}
        self._current: int | None = None
        self._shown_at = 0.0
        self._ahead = Ahead(manner.buffer)
        self._waits_since: float | None = None
        self._joined_at: float | None = None
        self._again: list[str] = []
        self._wake = asyncio.Event()
        permits.sleepers.add(self._wake)
        # Randomness of a simulation, not of a secret.
        self._dice = random.Random()  # noqa: S311

    async def run(self, doors: asyncio.Semaphore) -> None:
        """Connect, label, and connect again when dropped; `doors` limits handshakes at a time.

        Raises Refused if connecting again cannot help.
        """
        failures = 0
        while True:
            session, code = self._session, None
            try:
                async with doors:
                    connection = await connect(
                        self.address,
                        subprotocols=[Subprotocol(SUBPROTOCOL)],
                        additional_headers={"Authorization": f"Token {self.identity.token}"},
                        compression=None,
                        proxy=None,
                        max_size=4 * MAX_FRAME_BYTES,
                        close_timeout=2,
                    )
                async with connection:
                    await self._attend(connection)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
                if code is not None and code - 4000 in FATAL:
                    raise Refused(f"{self.identity.username} {FATAL[code - 4000]}") from closed
            except InvalidStatus as refusal:
                code = refusal.response.status_code
                if code not in SLOW_DOWN and code < 500:
                    words = FATAL.get(code, str(refusal))
                    raise Refused(f"{self.identity.username} {words}") from refusal
            except (OSError, TimeoutError, InvalidHandshake):
                pass  # the site does not answer: it is starting or restarting
            if self._session != session:
                failures = 0
                self.tally.reconnects += 1
            # Full jitter: bots that were dropped together do not reconnect together.
            longest = LAST_RETRY_S if code in SLOW_DOWN else FIRST_RETRY_S * 2**failures
            await asyncio.sleep(self._dice.uniform(0, min(longest, LAST_RETRY_S)))
            failures += 1

    @property
    def held(self) -> int:
        """Number of queries that only this bot can answer now."""
        return len(self._buffer) + len(self.unacked)

    def give_up_waiting(self, *, now: float) -> None:
        """Count a wait that is still going on at the end of a run."""
        if self._waits_since is not None:
            self.tally.wait(since=self._waits_since, now=now)
            self._waits_since = None

    async def _attend(self, connection: ClientConnection) -> None:
        """Label over one connection, from `ready` to its end."""
        now = time.monotonic()
        self.tally.connect(now=now)
        if self._joined_at is None:
            self._joined_at = now
        answering: asyncio.Task[None] | None = None
        try:
            await connection.send(self._ready(self._session))
            async for frame in connection:
                message = orjson.loads(frame)
                if message["type"] == "welcome":
                    self._session = message["session"]
                    self._choices_version = message["choices_version"]
                    # The site sends the turns that this bot still holds again.
                    self._buffer.clear()
                    self._current = None
                    self._again.clear()
                    answering = asyncio.create_task(self._answer_all(connection))
                    answering.add_done_callback(lambda task: _hang_up(task, connection))
                else:
                    held = self._ahead.size
                    self._receive(message, time.monotonic())
                    if self._ahead.size != held:
                        await connection.send(self._ready(None))
        finally:
            self.tally.connected -= 1
            if answering is not None:
                answering.cancel()
                with suppress(asyncio.CancelledError, ConnectionClosed):
                    await answering

    def _ready(self, resume: str | None) -> str:
        ready = {"type": "ready", "buffer": self._ahead.size, "resume": resume}
        return orjson.dumps(ready).decode()

    def _receive(self, message: dict[str, Any], now: float) -> None:
        match message["type"]:
            case "query":
                self._take_in(message["query"], (message["image"]["id"], message["proof"]), now)
            case "ack":
                progress = message["progress"]
                self.tally.done, self.tally.total = progress["labeled"], progress["total"]
                said = self._settle(message["id"])
                if said is None:
                    return  # the second ack of a message that was sent twice
                self._ahead.delayed(now - said.sent)
                self.tally.acknowledge(sent=said.at, now=now, is_label=said.choice is not None)
                if said.choice is not None:
                    self.on_ack(
                        Acknowledged(message["id"], said.query, said.choice, self.identity.username)
                    )
            case "nack":
                self._refused(message["id"], message["code"])
            case "revoke":
                if message["fresher"] and self._current == message["query"]:
                    return  # the query is in view and may still be answered
                self._buffer.pop(message["query"], None)
                if self._current == message["query"]:
                    self._current = None
                    self._wake.set()
            case "choices":
                self._choices_version = message["choices_version"]
            case "idle":
                self.idle = message["reason"]
                if self.idle == "paused":
                    self._waits_since = None  # a pause is no delay of the system
            case _:
                pass  # a notice for people, or a message of a later version

    def _take_in(self, query: int, shown: tuple[int, str], now: float) -> None:
        if query in self._buffer or any(said.query == query for said in self.unacked.values()):
            return
        self._buffer[query] = shown
        self.idle = None
        if self._joined_at is not None:
            self.tally.first_query_ms.append((now - self._joined_at) * 1000)
            self._joined_at = None
        if self._waits_since is not None:
            self.tally.wait(since=self._waits_since, now=now)
            self._waits_since = None
        self._wake.set()

    def _refused(self, message_id: str | None, code: str) -> None:
        self.tally.nacks[code] += 1
        if message_id is None:
            return
        if code in LATER:
            self._again.append(message_id)
            self._wake.set()
        else:
            said = self._settle(message_id)
            if said is not None and said.choice is not None:
                self.permits.give_back()

    def _settle(self, message_id: str) -> Said | None:
        said = self.unacked.pop(message_id, None)
        if not self.unacked:
            self.settled.set()
        return said

    async def _answer_all(self, connection: ClientConnection) -> None:
        """Send unacknowledged messages again, then answer queries until the connection ends."""
        for said in list(self.unacked.values()):
            said.sent = time.monotonic()
            await connection.send(said.frame)
        while True:
            if self._again:
                await asyncio.sleep(LATER_S * self._dice.uniform(0.5, 1.5))
                again, self._again = self._again, []
                for message_id in again:
                    if message_id in self.unacked:
                        await connection.send(self.unacked[message_id].frame)
            elif self.permits.left < 1 or not self._look():
                self._wake.clear()
                await self._wake.wait()
            else:
                query = self._current
                await self._think()
                # The query may have been revoked meanwhile.
                if query is not None and query == self._current:
                    await self._answer(connection, query)

    def _look(self) -> bool:
        """Whether a query is in view; if not, take the next query of the buffer into view."""
        if self._current is None and self._buffer:
            self._current = next(iter(self._buffer))
            self._shown_at = time.monotonic()
        return self._current is not None

    async def _think(self) -> None:
        if self.manner.think_s > 0:
            thought = self._dice.expovariate(1 / self.manner.think_s)
            await asyncio.sleep(max(thought, self.manner.least_s))
        elif self.manner.least_s > 0:
            await asyncio.sleep(self.manner.least_s)

    async def _answer(self, connection: ClientConnection, query: int) -> None:
        image, proof = self._buffer[query]
        choice = self._choose(image)
        if choice is not None and not self.permits.take():
            return
        now = time.monotonic()
        message_id = str(uuid.uuid4())
        message: dict[str, Any] = {"id": message_id, "query": query, "proof": proof}
        if choice is None:
            message |= {"type": "skip", "reason": "unsure", "sender": "machine"}
        else:
            shown_ms = int((now - self._shown_at) * 1000)
            message |= {"type": "label", "choice": choice, "shown_ms": shown_ms}
            message |= {"choices_version": self._choices_version}
        self._ahead.answered(now)
        said = Said(orjson.dumps(message).decode(), query, choice, at=now, sent=now)
        self.unacked[message_id] = said
        self.settled.clear()
        del self._buffer[query]
        self._current = None
        if self._buffer:
            self.tally.no_wait()
        else:
            self._waits_since = now
        await connection.send(said.frame)

    def _choose(self, image: int) -> int | None:
        """The known label, or with probability `error_rate` another; None if none is known."""
        known = self.answers.get(image)
        if known is not None and self._dice.random() < self.manner.error_rate:
            return self._dice.choice([choice for choice in self.choices if choice != known])
        return known


def _hang_up(answering: asyncio.Task[None], connection: ClientConnection) -> None:
    """Abort the connection if the task that answers over it failed."""
    if not answering.cancelled() and answering.exception() is not None:
        connection.transport.abort()
