"""Recurring work of a desk: expires and renews leases, writes samples, sends notifications."""

import asyncio
import logging
import os
import socket
import time
from typing import Final
from uuid import UUID

import psycopg
from django.db import Error as DatabaseError
from psycopg_pool import PoolTimeout

from al_engine.pools import campaigns, query, samples, signals
from al_engine.pools.models import Campaign
from al_engine.pools.signals import Kind
from annotator_site.labeling import protocol
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.faults import Trouble
from annotator_site.labeling.people import Window
from annotator_site.labeling.session import Session
from annotator_site.off_loop import off_loop

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
SAMPLE_SECONDS: Final = 5.0
NEWS_SECONDS: Final = 0.05
DELAYED_SECONDS: Final = 1.0
"""After this long without a receipt, the person is notified."""
TOLD_AGAIN_SECONDS: Final = 5.0
_ASKED_AGAIN_SECONDS: Final = 0.5
SOURCE: Final = f"{socket.gethostname()}:{os.getpid()}"


async def look_after(desk: Desk, sessions: tuple[UUID, UUID]) -> None:
    """Tick forever; if the database is away, try again at the next tick."""
    trouble = Trouble("Housekeeping fails")
    renewed = sampled = time.monotonic()
    while True:
        await asyncio.sleep(TICK_SECONDS)
        now = time.monotonic()
        try:
            async with desk.pool.connection() as conn:
                # Renew before expiring: while the database was away, no lease could be renewed.
                if now - renewed >= desk.campaign.lease_seconds / 4:
                    await _renew(desk, conn, now)
                    renewed = now
                desk.revoke(
                    await query.expire(conn, campaign_id=desk.campaign.id, sessions=sessions)
                )
            if desk.campaign.state != "running":
                # A claim that was under way when the campaign stopped may have handed out turns.
                await give_back_all(desk)
            if now - sampled >= SAMPLE_SECONDS:
                sampled = now
                window, desk.people.window = desk.people.window, Window(now)
                await _write_sample(desk, window, now - window.began)
            if desk.campaign.budget and desk.progress.answers >= desk.campaign.budget:
                await _finish(desk.campaign.id)
            trouble.over()
        except (psycopg.Error, DatabaseError, OSError) as error:
            trouble.failed(error)
        desk.poke()


async def tell_delays(desk: Desk) -> None:
    """Notify people, forever, whose answers have waited DELAYED_SECONDS for a receipt.

    The cause may be the database, its disk or a lock on an image. The notice is repeated every
    TOLD_AGAIN_SECONDS, so that a client knows that the connection lives.
    """
    while True:
        await asyncio.sleep(DELAYED_SECONDS / 4)
        now = time.monotonic()
        for session in list(desk.people.sessions.values()):
            if session.unanswered and now - session.unanswered_since >= DELAYED_SECONDS:
                _tell_delay(session, now)


def _tell_delay(session: Session, now: float) -> None:
    if session.delayed_since is None or now - session.delayed_since >= TOLD_AGAIN_SECONDS:
        session.delayed_since = now
        session.deliver(protocol.notice("saving_delayed"))


async def tell_engine(desk: Desk, kind: Kind, news: asyncio.Event) -> None:
    """Wake the engine whenever there is `news`, forever, at most once in NEWS_SECONDS.

    New labels wake servers; people who wait wake workers, which refill S at once; who comes first
    wakes the campaign. Not in the desk's
    own transactions: commits that notify wait for one another, and for the slowest one's disk.
    """
    trouble = Trouble(f"Telling the engine of {kind} fails")
    while True:
        await news.wait()
        news.clear()
        try:
            async with desk.pool.connection() as conn:
                await signals.notify_over(conn, kind=kind, campaign_id=desk.campaign.id)
            trouble.over()
        except (psycopg.Error, OSError) as error:
            news.set()
            await asyncio.sleep(trouble.failed(error))
        await asyncio.sleep(NEWS_SECONDS)


async def ask_again(desk: Desk) -> None:
    """Lease queries again, forever, whose answers a change of the classes made obsolete.

    A query that cannot be leased again is revoked. This runs beside the desk's transactions, since
    it happens about once in the life of a campaign.
    """
    while True:
        await desk.committed.unasked.wait()
        desk.committed.unasked.clear()
        try:
            await _hand_out_again(desk)
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("Queries are asked again later: %s", " ".join(str(error).split()))
            desk.committed.unasked.set()
            await asyncio.sleep(_ASKED_AGAIN_SECONDS)


async def _hand_out_again(desk: Desk) -> None:
    there: dict[tuple[int, UUID], Session] = {
        (turn_id, session.id): session
        for turn_id, session in desk.committed.to_ask
        if session.id in desk.people.sessions
    }
    taken = len(desk.committed.to_ask)
    async with desk.pool.connection() as conn:
        turns = await query.ask_again(
            conn,
            campaign_id=desk.campaign.id,
            turns=[(turn_id, each.annotator_id, each.id) for (turn_id, _), each in there.items()],
            lease_seconds=desk.campaign.lease_seconds,
        )
    del desk.committed.to_ask[:taken]
    desk.people.hand_out(turns)
    for turn in turns:
        there.pop((turn.turn_id, turn.session), None)
    for (turn_id, _), session in there.items():
        session.deliver(protocol.revoke(turn_id))


async def give_back_all(desk: Desk) -> None:
    """Take back every lease of this desk at once, since the campaign does not run any more."""
    holders = [(each.annotator_id, each.id) for each in desk.people.sessions.values() if each.held]
    if not holders:
        return
    ids = [session_id for _, session_id in holders]
    async with desk.pool.connection() as conn, conn.transaction():
        # End the leases a second ago, so that `expire` takes them back like any other.
        await query.renew(conn, campaign_id=desk.campaign.id, holders=holders, seconds=-1)
        gone = await query.expire(conn, campaign_id=desk.campaign.id, sessions=(min(ids), max(ids)))
    # Revoke after the commit: a transaction that failed has taken nothing back.
    desk.revoke(gone)


async def _renew(desk: Desk, conn: query.Connection, now: float) -> None:
    """Extend the leases of all connections that were active lately."""
    holders = [
        (session.annotator_id, session.id)
        for session in desk.people.sessions.values()
        if session.held and now - session.active_at < desk.campaign.lease_seconds / 2
    ]
    if holders:
        await query.renew(
            conn,
            campaign_id=desk.campaign.id,
            holders=holders,
            seconds=desk.campaign.lease_seconds,
        )


@off_loop
def _write_sample(desk: Desk, window: Window, seconds: float) -> None:
    samples.record_sample(
        campaign_id=desk.campaign.id,
        source=SOURCE,
        seconds=seconds,
        connected=len(desk.people.sessions),
        answers=window.answers,
        dry=window.dry,
        waits=window.waits,
    )


@off_loop
def _finish(campaign_id: int) -> None:
    if campaigns.set_state(campaign_id=campaign_id, state=Campaign.State.FINISHED):
        log.info("The budget of campaign %s is spent: it is finished.", campaign_id)
