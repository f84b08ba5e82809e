"""All campaigns of an engine at a glance, in one statement, however many rest."""

import socket
from collections.abc import Sequence
from typing import Final, NamedTuple

from django.db import connection, transaction

from al_engine.pools.processes import SILENT_AFTER_SECONDS
from al_engine.pools.sql import BY_INDEX, statement

_SAMPLED_SECONDS: Final = 12.0
"""Web processes store a sample every five seconds."""


class Glance(NamedTuple):
    """A campaign: who is there, the sizes of its pools, and its processes that live.

    `open_turns`: of S, counted up to what the caller called enough. `labels_seen`: the size of L
    that the newest model saw; None before the first. Servers and embedders are those of this
    machine, workers those of all.
    """

    campaign_id: int
    people: bool
    open_turns: int
    unlabeled: int
    total: int
    labeled: int
    answers: int
    choices: int
    labels_seen: int | None
    servers: int
    idle_servers: int
    embedders: int
    idle_embedders: int
    workers: int


def survey(*, campaign_ids: Sequence[int], enough: int) -> dict[int, Glance]:
    """A glance at each of these campaigns, by id; open turns are counted up to `enough`."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(
            statement("survey"),
            {
                "campaigns": list(campaign_ids),
                "enough": enough,
                "sampled": _SAMPLED_SECONDS,
                "silence": SILENT_AFTER_SECONDS,
                "host": socket.gethostname(),
            },
        )
        return {row[0]: Glance._make(row) for row in cursor.fetchall()}


def people_before(*, campaign_id: int, newest: int = 500) -> int:
    """How many people gave the newest answers of a campaign."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(DISTINCT l.annotator_id)
               FROM (SELECT annotator_id FROM pools_label WHERE campaign_id = %s
                     ORDER BY id DESC LIMIT %s) l""",
            [campaign_id, newest],
        )
        return int(cursor.fetchone()[0])
