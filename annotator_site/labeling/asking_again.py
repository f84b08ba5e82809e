"""Queries whose answers were not taken because the classes had changed: they are asked again."""

import asyncio
import logging
from typing import Final
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from al_engine.pools import query
from annotator_site.labeling import protocol
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.session import Session

log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 0.5


async def ask_again(desk: Desk) -> None:
    """Give people such queries again, for ever; who cannot have one any more is told so.

    Beside the desk's transactions, since it happens once in the life of a campaign.
    """
    while True:
        await desk.unasked.wait()
        desk.unasked.clear()
        try:
            await _hand_out(desk)
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("Queries are asked again later: %s", " ".join(str(error).split()))
            desk.unasked.set()
            await asyncio.sleep(_PAUSE_SECONDS)


async def _hand_out(desk: Desk) -> None:
    there: dict[tuple[int, UUID], Session] = {
        (turn_id, session.id): session
        for turn_id, session in desk.to_ask
        if session.id in desk.people.sessions
    }
    taken = len(desk.to_ask)
    async with desk.pool.connection() as conn:
        turns = await query.ask_again(
            conn,
            campaign_id=desk.campaign.id,
            turns=[(turn_id, each.annotator_id, each.id) for (turn_id, _), each in there.items()],
            lease_seconds=desk.campaign.lease_seconds,
        )
    del desk.to_ask[:taken]
    desk.people.hand_out(turns)
    for turn in turns:
        there.pop((turn.turn_id, turn.session), None)
    for (turn_id, _), session in there.items():
        session.deliver(protocol.revoke(turn_id))
