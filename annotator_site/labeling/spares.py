"""Exchanges turns that people hold, but have not reached, for queries that a newer model chose.

So that nobody waits, each person keeps the image in view and as many ready turns as their pace and
network need, whichever model chose these; more are recalled as replacements reach the browser. At
most half of what S offers is used for an exchange. A turn that its person has reached meanwhile
stays with them.
"""

import asyncio
import time
from typing import Final

import psycopg

from al_engine.pools import query, supply
from al_engine.pools.turns import Spare
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.faults import Trouble
from annotator_site.labeling.session import Session

FRESHER_SECONDS: Final = 0.2
READY_SECONDS: Final = 0.5
"""Time from handing out a turn until its image is in the browser."""
SETTLED_SECONDS: Final = 5.0
"""How long after a step its replacements may still make room for another step."""
MARGIN_QUERIES: Final = 2
"""Turns of a full buffer beyond what pace and network need: the one in view, and a spare."""
RESTING_SECONDS: Final = 15.0


async def exchange_spares(desk: Desk) -> None:
    """Exchange unreached turns for a newer model's queries, forever."""
    trouble = Trouble("Exchanging spare queries fails")
    exchange = _Exchange(desk)
    while True:
        if not exchange.goes_on:
            await desk.fresher.wait()
        desk.fresher.clear()
        try:
            await exchange.take_step()
            trouble.over()
        except (psycopg.Error, OSError) as error:
            await asyncio.sleep(trouble.failed(error))
        await asyncio.sleep(FRESHER_SECONDS)


class _Exchange:
    """An exchange for the newest model's queries: some steps, until everybody has theirs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # The model version that it is for.
        self._version: int | None = None
        self._until = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether replacements may still make room for more of the same version."""
        return time.monotonic() < self._until

    async def take_step(self) -> None:
        """Recall what can go now, if S has newer queries. Raises psycopg.Error and OSError."""
        desk = self._desk
        async with desk.pool.connection() as conn:
            newest, offered = await supply.filled_by(conn, campaign_id=desk.campaign.id)
        most = offered // 2
        if newest is None or not most or desk.storage_away:
            return
        begins = newest != self._version
        if not begins and not self.goes_on:
            return
        spares = _spares(desk)
        gone = await _recall(desk, newest, spares, most=most)
        if begins or gone:
            self._until = time.monotonic() + SETTLED_SECONDS
        elif all(spare.ready for spare in spares) and not _anybody_short(desk):
            self._until = 0.0
        self._version = newest


def _spares(desk: Desk) -> list[Spare]:
    """The turns that people hold beyond the image in view, by the age of each person's first.

    People who rest keep all of theirs: replacements would be fetched for nobody.
    """
    now = time.monotonic()
    held = [
        (session, list(session.held.items())[1:])
        for session in _active(desk)
        if len(session.held) > 1
    ]
    held.sort(key=lambda each: each[1][0][1][0])
    return [
        Spare(
            turn,
            session.id,
            max(1, session.buffer - MARGIN_QUERIES),
            handed_out < now - READY_SECONDS,
        )
        for session, turns in held
        for turn, (handed_out, _) in turns
    ]


def _anybody_short(desk: Desk) -> bool:
    return any(len(session.held) < session.buffer for session in _active(desk))


def _active(desk: Desk) -> list[Session]:
    since = time.monotonic() - RESTING_SECONDS
    return [session for session in desk.people.sessions.values() if session.active_at > since]


async def _recall(desk: Desk, newest: int, spares: list[Spare], *, most: int) -> int:
    """Take back up to `most` turns that a model older than `newest` chose; returns how many."""
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
