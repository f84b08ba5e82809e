"""One connection as the desk sees it: the turns it holds and wants, and its outgoing frames."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID
from weakref import WeakValueDictionary

from al_engine.pools.turns import Shortage
from annotator_site.labeling.protocol import IdleReason
from annotator_site.network.close_codes import CloseCode

log = logging.getLogger(__name__)

_MAX_OUTGOING: Final = 512
"""Frames that may wait for a client that does not read; far more than credit allows it."""

_TASKS: set[asyncio.Task[None]] = set()


class Bucket:
    """A token bucket: `rate` messages a second, twice that in a burst; 0: no limit.

    All connections of an annotator share a bucket.
    """

    __slots__ = ("__weakref__", "at", "rate", "tokens")

    def __init__(self, rate: int, now: float) -> None:
        self.rate = rate
        self.tokens = 2.0 * rate
        self.at = now

    def take(self, now: float) -> bool:
        """Whether one more message is within the limit at `now` (seconds of any clock)."""
        if not self.rate:
            return True
        self.tokens = min(self.tokens + (now - self.at) * self.rate, 2.0 * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Buckets:
    """The buckets of annotators, each kept while a connection refers to it."""

    def __init__(self) -> None:
        self._by_annotator: WeakValueDictionary[int, Bucket] = WeakValueDictionary()

    def of(self, annotator_id: int, *, rate: int, now: float) -> Bucket:
        """An annotator's bucket; a new one if there is none with this rate."""
        bucket = self._by_annotator.get(annotator_id)
        if bucket is None or bucket.rate != rate:
            bucket = self._by_annotator[annotator_id] = Bucket(rate, now)
        return bucket


class Session:
    """A person's connection to one campaign."""

    __slots__ = (
        "active_at",
        "annotator_id",
        "away",
        "bucket",
        "buffer",
        "closing",
        "coming",
        "delayed_since",
        "flushing",
        "held",
        "id",
        "idle",
        "mine",
        "outgoing",
        "send",
        "strikes",
        "unanswered",
        "unanswered_since",
        "waiting_since",
    )

    def __init__(
        self,
        *,
        session_id: UUID,
        annotator_id: int,
        mine: int,
        bucket: Bucket,
        send: Callable[[Any], Awaitable[None]],
        now: float,
    ) -> None:
        self.id = session_id
        self.annotator_id = annotator_id
        self.mine = mine
        self.bucket = bucket
        self.send = send
        self.buffer = 0
        # Turns in the order in which they were handed out and will be shown: the time (by
        # time.monotonic()) and the image.
        self.held: dict[int, tuple[float, int]] = {}
        # How many turns are being claimed for it now.
        self.coming = 0
        self.unanswered = 0
        # Since when these messages have waited for a receipt; meaningless while there are none.
        self.unanswered_since = now
        # When the person was last told that saving is delayed; None while it is not.
        self.delayed_since: float | None = None
        self.strikes = 0
        self.active_at = now
        # Its leases expired unused: nothing is pushed until the client sends something.
        self.away = False
        # The last reason sent for an empty buffer, so that it is sent once.
        self.idle: tuple[IdleReason, Shortage | None] | None = None
        # Since when the person has waited with an empty buffer; None while they have something.
        self.waiting_since: float | None = None
        self.outgoing: deque[str] = deque()
        self.flushing = False
        self.closing: int | None = None

    @property
    def want(self) -> int:
        """Queries that would fill its buffer."""
        return (
            0 if self.away or self.closing else max(self.buffer - len(self.held) - self.coming, 0)
        )

    def deliver(self, *frames: str) -> None:
        """Send frames in order, without making anybody wait for this client's network.

        A connection that is being closed is told nothing more.
        """
        if self.closing is not None:
            return
        self.outgoing.extend(frames)
        if len(self.outgoing) > _MAX_OUTGOING:
            log.warning("Closing a connection that does not read what it is sent.")
            self.close(CloseCode.TOO_FAST)
        self._flush_soon()

    def close(self, code: int) -> None:
        """Close the connection with a close code; frames that wait to be sent are dropped."""
        self.outgoing.clear()
        self.closing = code
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self.flushing:
            self.flushing = True
            task = asyncio.get_running_loop().create_task(self._flush())
            _TASKS.add(task)
            task.add_done_callback(_TASKS.discard)

    async def _flush(self) -> None:
        try:
            while self.outgoing:
                await self.send({"type": "websocket.send", "text": self.outgoing.popleft()})
            if self.closing is not None:
                await self.send({"type": "websocket.close", "code": int(self.closing)})
        except Exception as error:
            log.debug("A frame could not be sent: %s", error)
            self.outgoing.clear()
        finally:
            self.flushing = False
