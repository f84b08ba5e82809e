"""All desks of this web process, each opened when the first person comes."""

import asyncio
import logging
import secrets
import time
from functools import partial
from typing import Final
from uuid import UUID

import psycopg
from django.db import Error as DatabaseError

from al_engine.pools import signals
from annotator_site.background import background
from annotator_site.labeling import protocol
from annotator_site.labeling.campaign_view import CampaignView, read_campaign
from annotator_site.labeling.caretaker import (
    ask_again,
    give_back_all,
    look_after,
    tell_delays,
    tell_engine,
)
from annotator_site.labeling.database import Pool
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.disk import Disk
from annotator_site.labeling.faults import Trouble
from annotator_site.labeling.spares import exchange_spares
from annotator_site.labeling.storage_watch import watch_files, watch_storage
from annotator_site.network.close_codes import CloseCode

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 10.0


class Desks:
    """The desks of one event loop, with the connections and the signals that they share."""

    def __init__(self) -> None:
        # Ids of this process's connections share their first half, which identifies its leases.
        prefix = secrets.randbits(64) << 64
        self.sessions: tuple[UUID, UUID] = (UUID(int=prefix), UUID(int=prefix | (2**64 - 1)))
        self._desks: dict[int, Desk] = {}
        self._tasks: dict[int, list[asyncio.Task[None]]] = {}
        self._pool: Pool | None = None
        self._disk = Disk()
        self._background: list[asyncio.Task[None]] = []
        self._opening = asyncio.Lock()

    def new_session_id(self) -> UUID:
        """An id for a connection of this process."""
        return UUID(int=self.sessions[0].int | secrets.randbits(64))

    async def pool(self) -> Pool:
        """The connections of the labeling path, opened at first use."""
        async with self._opening:
            if self._pool is None:
                self._pool = Pool()
                await self._pool.open()
                self._background = [
                    background.start("disk", self._disk.run),
                    background.start("signals", self._listen, essential=False),
                    background.start("campaigns", self._poll, essential=False),
                ]
        return self._pool

    async def desk(self, slug: str) -> Desk | None:
        """The desk of a campaign, opened now if it was not open; None: no such campaign."""
        for desk in self._desks.values():
            # Signals keep its view up to date, so arrivals do not read it again.
            if desk.campaign.slug == slug:
                return desk
        campaign = await read_campaign(slug=slug)
        if campaign is None:
            return None
        pool = await self.pool()
        if campaign.id not in self._desks:  # two people may arrive at once
            desk = self._desks[campaign.id] = Desk(campaign, pool, self._disk)
            self._tasks[campaign.id] = self._start(desk)
        return self._desks[campaign.id]

    def _start(self, desk: Desk) -> list[asyncio.Task[None]]:
        slug = desk.campaign.slug
        minor = {
            f"delays of {slug}": partial(tell_delays, desk),
            f"news of {slug}": partial(tell_engine, desk, "labels", desk.committed.news),
            f"arrivals of {slug}": partial(tell_engine, desk, "people", desk.arrived),
            f"hunger of {slug}": partial(tell_engine, desk, "hungry", desk.hungry),
            f"spares of {slug}": partial(exchange_spares, desk),
            f"storage of {slug}": partial(watch_storage, desk),
            f"files of {slug}": partial(watch_files, desk),
            f"questions of {slug}": partial(ask_again, desk),
        }
        return [
            background.start(f"desk of {slug}", desk.run),
            background.start(f"aside of {slug}", desk.aside.run),
            background.start(f"leases of {slug}", partial(look_after, desk, self.sessions)),
            *(background.start(name, work, essential=False) for name, work in minor.items()),
        ]

    async def _listen(self) -> None:
        trouble = Trouble("Listening to the database fails")
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    **signals.connection_info(), autocommit=True
                ) as conn:
                    await conn.execute(f"LISTEN {signals.CHANNEL}")
                    # Signals that were sent before are lost: read all campaigns.
                    for desk in list(self._desks.values()):
                        await self._reload(desk)
                    trouble.over()
                    async for note in conn.notifies():
                        await self._heard(note.payload)
            except (psycopg.Error, DatabaseError, OSError) as error:
                await asyncio.sleep(trouble.failed(error))

    async def _poll(self) -> None:
        """Read all campaigns every _POLL_SECONDS: a signal may be lost."""
        trouble = Trouble("Reading the campaigns fails")
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                for desk in list(self._desks.values()):
                    await self._reload(desk)
            except (psycopg.Error, DatabaseError) as error:
                trouble.failed(error)
            else:
                trouble.over()

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
        """Read the campaign again: its state, classes or words may have changed."""
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
    """The messages that tell open pages how a campaign changed."""
    news = []
    if (former.choices_version, former.choices) != (campaign.choices_version, campaign.choices):
        news.append(protocol.choices(campaign.choices_version, campaign.choices))
    words = former.described(), former.lease_seconds
    if words != (campaign.described(), campaign.lease_seconds):
        news.append(protocol.campaign(campaign.described(), campaign.lease_seconds))
    return news
