"""What a desk needs done once in a while: leases that run out or go on, samples, slow polls."""

import asyncio
import logging
import os
import socket
import time
from typing import Final
from uuid import UUID

import psycopg
from django.db import Error as DatabaseError

from al_engine.pools import campaigns, query, samples, signals, supply
from al_engine.pools.models import Campaign
from al_engine.pools.signals import Kind
from al_engine.pools.turns import Spare
from annotator_site.labeling import protocol
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.faults import Trouble
from annotator_site.labeling.session import Session
from annotator_site.labeling.window import Window
from annotator_site.off_loop import off_loop

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
SAMPLE_SECONDS: Final = 5.0
NEWS_SECONDS: Final = 0.05
DELAYED_SECONDS: Final = 1.0
"""An answer without a receipt for so long is worth a word."""
TOLD_AGAIN_SECONDS: Final = 5.0
FRESHER_SECONDS: Final = 0.2
READY_SECONDS: Final = 0.5
"""Until what was handed out is in the browser."""
SETTLED_SECONDS: Final = 5.0
"""How long after the last exchange what came for it may still make room for the next one."""
SPARE: Final = 2
"""Of a buffer that is as deep as a pace and a network need: the one in view, and one to spare."""
RESTING_SECONDS: Final = 15.0
SOURCE: Final = f"{socket.gethostname()}:{os.getpid()}"


async def look_after(desk: Desk, sessions: tuple[UUID, UUID]) -> None:
    """Tick for ever; a database that is away is tried again at the next tick."""
    trouble = Trouble("Housekeeping fails")
    renewed = sampled = time.monotonic()
    while True:
        await asyncio.sleep(TICK_SECONDS)
        now = time.monotonic()
        try:
            async with desk.pool.connection() as conn:
                # First: while the database was away nobody could renew what people are at.
                if now - renewed >= desk.campaign.lease_seconds / 4:
                    await _renew(desk, conn, now)
                    renewed = now
                desk.revoke(
                    await query.expire(conn, campaign_id=desk.campaign.id, sessions=sessions)
                )
            if desk.campaign.state != "running":
                # What a claim handed out that was under way when the campaign stopped.
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
    """Tell people for ever when their answers have waited long for a receipt, and that they do.

    Whatever keeps them: the database, its disk, a lock on an image. Repeated, so that a client
    knows that the connection lives.
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
    """Wake the engine whenever there is `news`, for ever, at most once in NEWS_SECONDS.

    Servers for new labels; workers, who refill at once when people wait. Not in the desk's own
    round: commits that notify wait for one another, and for the disk of the slowest of them.
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


async def exchange_spares(desk: Desk) -> None:
    """Let people have what a newer model chose for what they have not come to, for ever.

    So that nobody waits, each keeps the image in view and as many ready ones as their pace and
    network need, whoever chose them: one of these goes for each that has come to the browser.
    And S keeps half of what it has for those who answer. Whoever came to an image meanwhile keeps
    it.
    """
    trouble = Trouble("Exchanging spare queries fails")
    asks: int | None = None
    until = 0.0
    while True:
        if time.monotonic() >= until:
            await desk.fresher.wait()
        desk.fresher.clear()
        try:
            async with desk.pool.connection() as conn:
                newest, offered = await supply.filled_by(conn, campaign_id=desk.campaign.id)
            most = offered // 2
            asked_anew = newest != asks or time.monotonic() < until
            if newest is not None and most and asked_anew and not desk.storage_away:
                spares = _spares(desk)
                gone = await _exchange(desk, newest, spares, most=most)
                if newest != asks or gone:
                    until = time.monotonic() + SETTLED_SECONDS
                elif all(spare.ready for spare in spares) and not _anybody_short(desk):
                    until = 0.0
                asks = newest
            trouble.over()
        except (psycopg.Error, OSError) as error:
            await asyncio.sleep(trouble.failed(error))
        await asyncio.sleep(FRESHER_SECONDS)


def _spares(desk: Desk) -> list[Spare]:
    """What people hold beside the image in view; of who holds the oldest first.

    Who rests keeps all: no network is kept busy for nobody.
    """
    now = time.monotonic()
    held = [
        (session, list(session.held.items())[1:])
        for session in _active(desk)
        if len(session.held) > 1
    ]
    held.sort(key=lambda each: each[1][0][1][0])
    return [
        Spare(turn, session.id, max(1, session.buffer - SPARE), handed_out < now - READY_SECONDS)
        for session, turns in held
        for turn, (handed_out, _) in turns
    ]


def _anybody_short(desk: Desk) -> bool:
    return any(len(session.held) < session.buffer for session in _active(desk))


def _active(desk: Desk) -> list[Session]:
    since = time.monotonic() - RESTING_SECONDS
    return [session for session in desk.people.sessions.values() if session.active_at > since]


async def _exchange(desk: Desk, newest: int, spares: list[Spare], *, most: int) -> int:
    """Take back what `newest` would not have people answer, up to `most`; tells how many."""
    if not spares:
        return 0
    async with desk.pool.connection() as conn:
        gone = await query.recall(
            conn,
            campaign_id=desk.campaign.id,
            spares=spares,
            newest=newest,
            at_random=not desk.campaign.asks_at_random,
            most=most,
        )
    desk.revoke(gone, fresher=True)
    return len(gone)


async def give_back_all(desk: Desk) -> None:
    """Take every lease of this desk back at once: the campaign does not run any more."""
    holders = [(each.annotator_id, each.id) for each in desk.people.sessions.values() if each.held]
    if not holders:
        return
    ids = [session_id for _, session_id in holders]
    async with desk.pool.connection() as conn, conn.transaction():
        # Ended a moment ago, they are swept like any lease that ran out.
        await query.renew(conn, campaign_id=desk.campaign.id, holders=holders, seconds=-1)
        gone = await query.expire(conn, campaign_id=desk.campaign.id, sessions=(min(ids), max(ids)))
    # Told once it is committed: a transaction that failed has taken nothing back.
    desk.revoke(gone)


async def _renew(desk: Desk, conn: query.Connection, now: float) -> None:
    """Whoever answered lately keeps what is in their buffer."""
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
