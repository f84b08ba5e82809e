"""What S holds now, and why a claim may find nothing in it. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from al_engine.pools import processes
from al_engine.pools.query import Connection
from al_engine.pools.sql import BY_INDEX, statement
from al_engine.pools.turns import Shortage


@dataclass(frozen=True, slots=True)
class OpenQuery:
    """An untouched query of S: all of its turns are open."""

    query_id: int
    image_id: int
    position: int
    cell: int
    model_version_id: int | None
    strategy: str
    purpose: str


def open_queries(*, campaign_id: int, cells: Sequence[int]) -> list[OpenQuery]:
    """The open, untouched queries of these cells: the worker's part of the depth of S."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(statement("open_queries"), {"campaign": campaign_id, "cells": list(cells)})
        return [OpenQuery(*row) for row in cursor.fetchall()]


def count_untouched(*, campaign_id: int, worker_ids: Sequence[int]) -> dict[int, int]:
    """How many untouched queries each of these workers has in S, by worker: the depth of S."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(statement("supply"), {"campaign": campaign_id, "workers": list(worker_ids)})
        return dict.fromkeys(worker_ids, 0) | dict(cursor.fetchall())


def people_served(*, campaign_id: int) -> int:
    """How many connections hold a leased turn now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(DISTINCT session) FROM pools_turn
               WHERE campaign_id = %s AND state = 'leased' AND lease_expires IS NOT NULL""",
            [campaign_id],
        )
        return int(cursor.fetchone()[0])


async def shortage(conn: Connection, *, campaign_id: int) -> Shortage:
    """Why a claim came back with fewer turns than it asked for."""
    cursor = await conn.execute(
        statement("shortage"), {"campaign": campaign_id, "silence": processes.SILENCE}
    )
    ((unlabeled, worker, imported),) = await cursor.fetchall()
    if not imported:
        return "no_images"
    if not unlabeled:
        return "nothing_left_for_you"
    return "choosing" if worker else "no_workers"


async def filled_by(conn: Connection, *, campaign_id: int) -> tuple[int | None, int]:
    """The model version that chose most of the open turns in S, and how many turns that rests on.

    A sample of at most 500 open turns, of which only the active ones count. The version is None if
    no model chose any.
    """
    cursor = await conn.execute(statement("fills"), {"campaign": campaign_id})
    ((version, count),) = await cursor.fetchall()
    return None if version is None else int(version), int(count)
