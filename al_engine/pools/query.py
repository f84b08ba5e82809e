"""S: put, withdraw, prune, claim, resume, renew, expire, recall.

The only writer of queries and turns besides `labeled` and `excluded`. `supply` reads what S holds.

Workers call the plain functions over Django's connection. The labeling desk calls the async
functions inside its own transaction; those that return a cursor send one statement and leave the
cursor unread, so that a batch travels in one round trip (psycopg's pipeline).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from psycopg import AsyncConnection, AsyncCursor

from al_engine.pools import signals
from al_engine.pools.sql import BY_INDEX, integers, statement, uuids
from al_engine.pools.turns import Demand, LeasedTurn, Spare

Row = tuple[Any, ...]
Cursor = AsyncCursor[Row]
Connection = AsyncConnection[Row]


@dataclass(frozen=True, slots=True)
class Pick:
    """One image that a worker selected, and why; the model version is None if no model chose it."""

    image_id: int
    strategy: str
    score: float | None = None
    model_version_id: int | None = None
    purpose: str = "active"


@dataclass(frozen=True, slots=True)
class Refill:
    """One worker's change of S: images to add, queries to withdraw, and queries to confirm.

    `confirmed` pairs the id of each query that the worker would ask again with the newer model's
    pick.
    """

    worker_id: int
    picks: tuple[Pick, ...]
    withdraw: tuple[int, ...] = ()
    confirmed: tuple[tuple[int, Pick], ...] = ()


@dataclass(frozen=True, slots=True)
class Refilled:
    """What a refill did: queries put into S and queries withdrawn from it."""

    put: int
    withdrawn: int


def refill(
    *,
    campaign_id: int,
    worker_id: int,
    picks: Sequence[Pick],
    withdraw: Sequence[int] = (),
) -> Refilled:
    """Put one worker's selection into S and withdraw what it replaces; see `refill_together`."""
    refill = Refill(worker_id, tuple(picks), tuple(withdraw))
    return refill_together(campaign_id=campaign_id, refills=[refill])


def refill_together(*, campaign_id: int, refills: Sequence[Refill]) -> Refilled:
    """Put workers' selections into S and withdraw what they replace, in one transaction.

    Left out are images that have left D or whose cell the worker has lost, and withdrawals of
    queries with a leased, answered or skipped turn.
    """
    picks = [(pick, refill.worker_id) for refill in refills for pick in refill.picks]
    withdraw = [query_id for refill in refills for query_id in refill.withdraw]
    confirmed = [pair for refill in refills for pair in refill.confirmed]
    withdrawn = stored = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        if withdraw:
            cursor.execute(
                statement("withdraw"),
                {
                    "queries": withdraw,
                    "campaign": campaign_id,
                    "workers": [refill.worker_id for refill in refills],
                },
            )
            withdrawn = cursor.rowcount
        if confirmed:
            cursor.execute(
                statement("confirm"),
                {
                    "queries": [query_id for query_id, _ in confirmed],
                    "strategies": [pick.strategy for _, pick in confirmed],
                    "scores": [pick.score for _, pick in confirmed],
                    "versions": [pick.model_version_id for _, pick in confirmed],
                    "campaign": campaign_id,
                },
            )
        if picks:
            cursor.execute(
                statement("put"),
                {
                    "images": [pick.image_id for pick, _ in picks],
                    "strategies": [pick.strategy for pick, _ in picks],
                    "scores": [pick.score for pick, _ in picks],
                    "purposes": [pick.purpose for pick, _ in picks],
                    "versions": [pick.model_version_id for pick, _ in picks],
                    "workers": [worker_id for _, worker_id in picks],
                    "campaign": campaign_id,
                },
            )
            (stored,) = cursor.fetchone()
        if stored:
            signals.notify("pool", campaign_id)
    return Refilled(put=stored, withdrawn=withdrawn)


def prune_withdrawn(*, campaign_id: int, older_than_seconds: float, limit: int = 5_000) -> int:
    """Delete withdrawn queries that nobody held; return how many. A refresh leaves thousands."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(
            """WITH old AS MATERIALIZED (
                   SELECT q.id, q.image_id FROM pools_query q
                   WHERE q.campaign_id = %(campaign)s AND q.state = 'withdrawn'
                     AND q.closed_at < now() - make_interval(secs => %(seconds)s)
                     AND NOT EXISTS (SELECT 1 FROM pools_turn a
                                     WHERE a.image_id = q.image_id AND a.query_id = q.id
                                       AND (a.annotator_id IS NOT NULL OR a.former <> '{}')
                                     OFFSET 0)
                   ORDER BY q.closed_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
               turns AS (
                   DELETE FROM pools_turn a USING old
                   WHERE a.image_id = ANY (ARRAY[old.image_id]) AND a.query_id = old.id)
               DELETE FROM pools_query q USING old WHERE q.id = ANY (ARRAY[old.id])""",
            {"campaign": campaign_id, "seconds": older_than_seconds, "limit": limit},
        )
        return int(cursor.rowcount)


async def claim(
    conn: Connection, *, campaign_id: int, demands: Sequence[Demand], lease_seconds: int
) -> Cursor:
    """Lease turns at random to meet these demands; rows for `read_turns`.

    Every demand gets a first turn before any gets a second.
    """
    return await conn.execute(
        statement("claim"),
        {"campaign": campaign_id, "lease_seconds": lease_seconds, **claim_arrays(demands)},
    )


def claim_arrays(demands: Sequence[Demand]) -> dict[str, str | int | float]:
    """Demands as parameters of a claim: one place for each turn that is wanted."""
    places = [
        demand
        for nth in range(max((demand.want for demand in demands), default=0))
        for demand in demands
        if nth < demand.want
    ]
    return {
        "claimers": integers([demand.annotator_id for demand in places]),
        "sessions": uuids([demand.session for demand in places]),
        "want": len(places),
        # Not a secret: it only spreads annotators over S.
        "start": random.random(),  # noqa: S311
    }


async def claim_for(
    conn: Connection, *, campaign_id: int, demand: Demand, lease_seconds: int
) -> Cursor:
    """Lease turns for one annotator whom `claim` left short; rows for `read_turns`."""
    return await conn.execute(
        statement("claim_for"),
        {
            "campaign": campaign_id,
            "annotator": demand.annotator_id,
            "session": demand.session,
            "want": demand.want,
            "lease_seconds": lease_seconds,
        },
    )


async def resume(
    conn: Connection,
    *,
    campaign_id: int,
    annotator_id: int,
    former: UUID,
    session: UUID,
    lease_seconds: int,
) -> Cursor:
    """Move the leases of a dropped connection to its new session; rows for `read_turns`."""
    return await conn.execute(
        statement("resume"),
        {
            "campaign": campaign_id,
            "annotator": annotator_id,
            "former": former,
            "session": session,
            "lease_seconds": lease_seconds,
        },
    )


async def ask_again(
    conn: Connection,
    *,
    campaign_id: int,
    turns: Sequence[tuple[int, int, UUID]],
    lease_seconds: int,
) -> list[LeasedTurn]:
    """Lease turns again to the annotators whose answers were refused as the classes had changed.

    `turns` are (turn, annotator, session). A turn that somebody else holds now is left out; unless
    the campaign is running, all turns are.
    """
    cursor = await conn.execute(
        statement("ask_again"),
        {
            "campaign": campaign_id,
            "turns": integers([turn_id for turn_id, _, _ in turns]),
            "annotators": integers([annotator_id for _, annotator_id, _ in turns]),
            "sessions": uuids([session for _, _, session in turns]),
            "lease_seconds": lease_seconds,
        },
    )
    return await read_turns(cursor)


async def renew(
    conn: Connection, *, campaign_id: int, holders: Sequence[tuple[int, UUID]], seconds: float
) -> Cursor:
    """Let the leases of these (annotator, session) pairs end `seconds` from now."""
    return await conn.execute(
        statement("renew"),
        {
            "annotators": [annotator_id for annotator_id, _ in holders],
            "sessions": [session for _, session in holders],
            "seconds": seconds,
        },
    )


async def expire(
    conn: Connection, *, campaign_id: int, sessions: tuple[UUID, UUID]
) -> list[tuple[UUID, int]]:
    """Take back the leases that ran out; return (session, turn) of each.

    `sessions` is the range of the session ids of this web process.
    """
    first, last = sessions
    cursor = await conn.execute(
        statement("expire"), {"campaign": campaign_id, "first": first, "last": last}
    )
    return [(session, turn_id) for session, turn_id in await cursor.fetchall()]


async def recall(
    conn: Connection,
    *,
    campaign_id: int,
    spares: Sequence[Spare],
    newest: int,
    at_random: bool,
    most: int,
) -> list[tuple[UUID, int]]:
    """Take back leased turns whose query a model version older than `newest` chose.

    With `at_random` also turns whose query no model chose. At most `most` turns are taken, in the
    order of `spares`, which has each session's turns in the order in which its annotator reaches
    them. The images return to D. Returns (session, turn) of each. Turns that are being answered,
    audits, and queries of several turns stay with their holders.
    """
    cursor = await conn.execute(
        statement("recall"),
        {
            "campaign": campaign_id,
            "turns": integers([spare.turn_id for spare in spares]),
            "sessions": uuids([spare.session for spare in spares]),
            "keep": integers([spare.keep for spare in spares]),
            "ready": [spare.ready for spare in spares],
            "newest": newest,
            "at_random": at_random,
            "most": most,
        },
    )
    return [(session, turn_id) for session, turn_id in await cursor.fetchall()]


async def read_turns(cursor: Cursor) -> list[LeasedTurn]:
    """The turns that a claim, a resume or an undo leased."""
    return [LeasedTurn(*row) for row in await cursor.fetchall()]
