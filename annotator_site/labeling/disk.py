"""What the desks committed comes to be on disk, and who is told then.

The desks' own transactions do not wait for the disk: the next image reaches a person while it
still writes, however long it takes. What says that an answer is kept waits here: one write for all
that was committed before it began.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import psycopg

from al_engine.pools import signals
from al_engine.pools.query import Connection

log = logging.getLogger(__name__)

FLUSH: Final = "SELECT pg_logical_emit_message(true, 'nowait', '')"
"""The smallest transaction that writes something. Its commit waits for the disk, and the log of
changes is written in order: all that was committed before is on disk with it."""

OPTIONS: Final = "-c synchronous_commit=on"
_PAUSE_SECONDS: Final = 0.25

Told = Callable[[bool], None]
"""Called once; with False where nobody knows whether it came to the disk."""


class Disk:
    """The disk as all desks of one event loop wait for it, together."""

    def __init__(self) -> None:
        self._waiting: list[Told] = []
        self._wake = asyncio.Event()
        self._conn: Connection | None = None

    def tell(self, told: Told) -> None:
        """Call `told` once all that is committed now is on disk; in the order of the calls."""
        self._waiting.append(told)
        self._wake.set()

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            durable = await self._flush()
            for told in waiting:
                try:
                    told(durable)
                except Exception:
                    # Nobody waits for ever because of one bug.
                    log.exception("Somebody could not be told what is on disk.")

    async def _flush(self) -> bool:
        try:
            if self._conn is None or self._conn.closed:
                self._conn = await psycopg.AsyncConnection.connect(
                    **signals.connection_info(OPTIONS), autocommit=True
                )
            await self._conn.execute(FLUSH)
        except (psycopg.Error, OSError) as error:
            log.warning("What was committed may be lost: %s", " ".join(str(error).split()))
            # A server that was killed takes a moment.
            await asyncio.sleep(_PAUSE_SECONDS)
            return False
        return True
