"""Waits for the disk on behalf of all desks, and tells them what is on it.

The desks' transactions commit without waiting for the disk, so that the next image reaches a person
while the disk still writes. Acknowledgements wait here: one flush is enough for everything that was
committed before it began.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psycopg

from al_engine.pools import signals
from al_engine.pools.query import Connection
from annotator_site.labeling.faults import Trouble

log = logging.getLogger(__name__)

FLUSH: Final = "SELECT pg_logical_emit_message(true, 'nowait', '')"
"""The smallest transaction that writes something. Its commit waits for the disk, and the WAL is
written in order: everything committed before is on disk with it."""

OPTIONS: Final = "-c synchronous_commit=on"
PATIENCE_SECONDS: Final = 20.0
"""After this long without an answer, the connection counts as lost."""

Told = Callable[[bool], None]
"""Called once; with False if the commit may not have reached the disk."""


class Disk:
    """The disk, for which all desks of one event loop wait together."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Told, float]] = []
        self._wake = asyncio.Event()
        self._conn: Connection | None = None
        # When the connection was opened, at the latest.
        self._opened = 0.0
        self._trouble = Trouble("Waiting for the disk fails")

    def tell(self, told: Told, *, since: float) -> None:
        """Call `told` once everything committed so far is on disk; in the order of the calls.

        `since`: a time before the caller's commit, by time.monotonic(). A connection opened after
        it proves nothing: it may lead to a server that lost the commit in a crash.
        """
        self._waiting.append((told, since))
        self._wake.set()

    async def run(self) -> None:
        """Serve forever."""
        try:
            # Opened early for the first labels; a failure is tried again below.
            with suppress(psycopg.Error, OSError):
                await self._connect()
            while True:
                while self._waiting:
                    if error := await self._flush_and_tell():
                        await self._close()
                        # A server that was killed takes a moment.
                        await asyncio.sleep(self._trouble.failed(error))
                    else:
                        self._trouble.over()
                await self._wake.wait()
                self._wake.clear()
        finally:
            await self._close()

    async def _flush_and_tell(self) -> Exception | None:
        """Flush, and tell all that waited when the flush began; returns the error if it failed.

        After a failure they are told at once: lost batches are done again before anything else.
        """
        waiting, self._waiting = self._waiting, []
        flushed = False
        try:
            await self._flush()
            flushed = True
        except Exception as error:
            return error
        finally:
            # Also when this task is canceled, so that nothing waits forever.
            for told, since in waiting:
                self._tell(told, flushed and self._opened <= since)
        return None

    def _tell(self, told: Told, durable: bool) -> None:
        try:
            told(durable)
        except Exception:
            # A bug in one must not keep the others waiting forever.
            log.exception("Somebody could not be told what is on disk.")

    async def _flush(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            conn = self._conn
            if conn is None or conn.closed:
                conn = await self._connect()
            await conn.execute(FLUSH)

    async def _connect(self) -> Connection:
        conn = self._conn = await psycopg.AsyncConnection.connect(
            **signals.connection_info(OPTIONS), autocommit=True
        )
        self._opened = time.monotonic()
        return conn

    async def _close(self) -> None:
        if self._conn is not None:
            with suppress(psycopg.Error, OSError):
                await self._conn.close()
            self._conn = None
