"""All desks of this web process, each opened when the first person comes."""

import asyncio
import logging
import secrets
import time
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import Error as DatabaseError
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from psycopg_pool.base import AttemptWithBackoff

from al_engine.pools import signals
from al_engine.pools.query import Connection
from annotator_site.labeling import protocol
from annotator_site.labeling.asking_again import ask_again
from annotator_site.labeling.campaign_view import CampaignView, read_campaign
from annotator_site.labeling.caretaker import (
    exchange_spares,
    give_back_all,
    look_after,
    tell_news,
)
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.disk import Disk
from annotator_site.labeling.protocol import CloseCode

log = logging.getLogger(__name__)

_CONNECTIONS: Final = 4
"""Database connections of the labeling path; batches make few transactions enough."""

_POLL_SECONDS: Final = 10.0

OPTIONS: Final = (
    # Who waits for the disk waits in disk.py.
    "-c synchronous_commit=off -c statement_timeout=15s -c lock_timeout=5s"
    " -c idle_in_transaction_session_timeout=10s"
    # The statements of the labeling path touch a few rows by index, each joined by a loop. But
    # a plan is made once for all sizes, the tables of a young campaign have no statistics, and
    # the planner, not knowing how few rows a claim takes, would hash the whole table for it, or
    # read the whole index into memory and go through that once a row.
    " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    " -c enable_material=off -c enable_bitmapscan=off -c jit=off"
    " -c plan_cache_mode=force_generic_plan"
)


class Desks:
    """The desks of one event loop, with the connections and the signals that they share."""

    def __init__(self) -> None:
        # Ids of this process' connections share their first half: it can tell its own leases.
        prefix = secrets.randbits(64) << 64
        self.sessions: tuple[UUID, UUID] = (UUID(int=prefix), UUID(int=prefix | (2**64 - 1)))
        self._desks: dict[int, Desk] = {}
        self._tasks: dict[int, list[asyncio.Task[None]]] = {}
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._disk = Disk()
        self._background: list[asyncio.Task[None]] = []
        self._opening = asyncio.Lock()

    def new_session_id(self) -> UUID:
        """An id for a connection of this process."""
        return UUID(int=self.sessions[0].int | secrets.randbits(64))

    async def pool(self) -> AsyncConnectionPool[Connection]:
        """The connections of the labeling path, opened at first use."""
        async with self._opening:
            if self._pool is None:
                # The pool would wait twice as long after each failure, without a bound: people
                # would wait for a database long after it is back.
                AttemptWithBackoff.INITIAL_DELAY, AttemptWithBackoff.DELAY_BACKOFF = 0.25, 1.0
                self._pool = AsyncConnectionPool(
                    kwargs={**signals.connection_info(OPTIONS), "autocommit": True},
                    connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
                    min_size=1,
                    max_size=_CONNECTIONS,
                    open=False,
                    timeout=10,
                    # A database that is away for long is waited for all the same.
                    reconnect_timeout=24 * 3600,
                )
                await self._pool.open()
                self._background = [
                    asyncio.create_task(self._disk.run()),
                    asyncio.create_task(self._listen()),
                    asyncio.create_task(self._poll()),
                ]
        return self._pool

    async def desk(self, slug: str) -> Desk | None:
        """The desk of a campaign, opened now if nobody was there; None: no such campaign."""
        for desk in self._desks.values():
            # Its view is kept up to date by signals: nobody's arrival reads it again.
            if desk.campaign.slug == slug:
                return desk
        campaign = await read_campaign(slug=slug)
        if campaign is None:
            return None
        pool = await self.pool()
        if campaign.id not in self._desks:  # two may have come at once
            opened = self._desks[campaign.id] = Desk(campaign, pool, self._disk)
            self._tasks[campaign.id] = [
                asyncio.create_task(self._keep_running(opened)),
                asyncio.create_task(tell_news(opened)),
                asyncio.create_task(exchange_spares(opened)),
                asyncio.create_task(ask_again(opened)),
                asyncio.create_task(look_after(opened, self.sessions)),
            ]
        return self._desks[campaign.id]

    async def _keep_running(self, desk: Desk) -> None:
        while True:
            try:
                await desk.run()
            except Exception:
                # Nobody waits for ever because of one bug: connections find a working desk.
                log.exception("The desk of %s failed and goes on.", desk.campaign.slug)

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    **signals.connection_info(), autocommit=True
                ) as conn:
                    await conn.execute(f"LISTEN {signals.CHANNEL}")
                    # What was said while nobody listened is lost: read all states.
                    for desk in list(self._desks.values()):
                        await self._reload(desk)
                    async for note in conn.notifies():
                        await self._heard(note.payload)
            except (psycopg.Error, PoolTimeout, DatabaseError, OSError) as error:
                log.warning("Not listening to the database: %s", " ".join(str(error).split()))
                await asyncio.sleep(0.5)

    async def _poll(self) -> None:
        """Read all campaigns now and then: a signal may be lost."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                for desk in list(self._desks.values()):
                    await self._reload(desk)
            except (psycopg.Error, PoolTimeout, DatabaseError) as error:
                log.warning("Campaigns not read: %s", " ".join(str(error).split()))

    async def _heard(self, payload: str) -> None:
        kind, _, campaign_id = payload.partition(":")
        desk = self._desks.get(int(campaign_id)) if campaign_id.isdecimal() else None
        if desk is None:
            return
        if kind == "pool":
            desk.poke()
            if desk.campaign.refresh:
                desk.fresher.set()
        elif kind == "campaign":
            await self._reload(desk)

    async def _reload(self, desk: Desk) -> None:
        """Read the campaign again: it may be paused, its classes or words may have changed."""
        campaign = await read_campaign(id=desk.campaign.id)
        if campaign is None:
            for session in list(desk.people.sessions.values()):
                session.close(CloseCode.NO_SUCH_CAMPAIGN)
            # A signal and the slow poll may find it gone at once.
            self._desks.pop(desk.campaign.id, None)
            for task in self._tasks.pop(desk.campaign.id, []):
                task.cancel()
            return
        former, desk.campaign = desk.campaign, campaign
        if news := _news(former, campaign):
            for session in list(desk.people.sessions.values()):
                session.deliver(*news)
        if former.messages_per_second != campaign.messages_per_second:
            for session in desk.people.sessions.values():
                session.bucket = desk.bucket(session.annotator_id, time.monotonic())
        if former.state == "running" and campaign.state != "running":
            await give_back_all(desk)
        desk.poke()


def _news(former: CampaignView, campaign: CampaignView) -> list[str]:
    """What open pages have to learn of a campaign that changed."""
    news = []
    if (former.choices_version, former.choices) != (campaign.choices_version, campaign.choices):
        news.append(protocol.choices(campaign.choices_version, campaign.choices))
    words = former.described(), former.lease_seconds
    if words != (campaign.described(), campaign.lease_seconds):
        news.append(protocol.campaign(campaign.described(), campaign.lease_seconds))
    return news
