"""The labeling path's usual transaction in one round trip: labels in, fresh turns out.

The statements of `labeled` and `query` are combined in a function of the session
(`sql/exchange.sql`): sent one by one, they cost the web process more time than everything else it
does for a label. A batch that also has skips, undos or resumed sessions sends its statements one by
one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID
from weakref import WeakSet

import orjson
from psycopg.pq import TransactionStatus

from al_engine.pools.labeled import Progress, answer_arrays
from al_engine.pools.query import Connection, claim_arrays
from al_engine.pools.sql import statement
from al_engine.pools.turns import Answer, Demand, LeasedTurn

_KNOWN: WeakSet[Connection] = WeakSet()
"""Connections on which the function exists."""

_CALL: Final = """
SELECT pg_temp.exchange(
    %(campaign)s, %(ids)s::uuid[], %(annotators)s::bigint[], %(turns)s::bigint[],
    %(choices)s::bigint[], %(shown)s::int[], %(images)s::bigint[], %(lists)s::int[],
    %(claimers)s::bigint[],
    %(sessions)s::uuid[], %(want)s, %(start)s, %(lease_seconds)s)
"""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """The answers that were stored, as (annotator, message id), and the turns that were leased."""

    stored: set[tuple[int, UUID]]
    turns: list[LeasedTurn]
    progress: Progress


async def exchange(
    conn: Connection,
    *,
    campaign_id: int,
    answers: Sequence[Answer],
    demands: Sequence[Demand],
    lease_seconds: int,
) -> Exchanged:
    """Store answers, settle their images and lease turns.

    On a connection in autocommit mode it returns after the commit.
    """
    if conn not in _KNOWN:
        # Created within a caller's transaction, the function is lost if that is rolled back.
        lasting = conn.info.transaction_status == TransactionStatus.IDLE
        await conn.execute(_definition())
        if lasting:
            _KNOWN.add(conn)
    cursor = await conn.execute(
        _CALL,
        {
            **answer_arrays(campaign_id, answers),
            **claim_arrays(demands),
            "lease_seconds": lease_seconds,
        },
    )
    ((text,),) = await cursor.fetchall()
    done = orjson.loads(text)
    return Exchanged(
        stored={(person, UUID(client_id)) for person, client_id in done["answered"] or ()},
        turns=[
            LeasedTurn(
                session=UUID(row["session"]),
                turn_id=row["id"],
                image_id=row["image_id"],
                key=row["key"],
                width=row["width"],
                height=row["height"],
                lease_expires=datetime.fromisoformat(row["lease_expires"]),
            )
            for row in done["claimed"] or ()
        ],
        progress=Progress(**done["progress"]),
    )


@cache
def _definition() -> str:
    return statement("exchange").format(
        lock=_body("lock"),
        answer=_body("parts/answer"),
        settle=_body("settle"),
        claim=_body("parts/claim"),
        progress=_body("progress"),
    )


def _body(name: str) -> str:
    """A statement, or a part, with the function's parameters in place of psycopg's."""
    return re.sub(r"%\((\w+)\)s", r"p_\1", statement(name)).strip()
