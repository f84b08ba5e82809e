"""What people hold and have not come to is exchanged for what a newer model chose.

So that nobody waits, each keeps the image in view and as many ready ones as their pace and network
need, whoever chose them: one of these goes for each that has come to the browser. And S keeps half
of what it has for those who answer. Whoever came to an image meanwhile keeps it.
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
"""Until what was handed out is in the browser."""
SETTLED_SECONDS: Final = 5.0
"""How long after the last exchange what came for it may still make room for the next one."""
MARGIN_QUERIES: Final = 2
"""Of a buffer that is as deep as a pace and a network need: the one in view, and one to spare."""
RESTING_SECONDS: Final = 15.0


async def exchange_spares(desk: Desk) -> None:
    """Let people have what a newer model chose for what they have not come to, for ever."""
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
    """An exchange for what the newest model chose: some steps, until everybody has what comes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # The version that it is for.
        self._version: int | None = None
        self._until = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether what came may still make room for more of the same version."""
        return time.monotonic() < self._until

    async def take_step(self) -> None:
        """Recall what can go now, if S has something newer. Raises psycopg.Error and OSError."""
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
