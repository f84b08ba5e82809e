"""Images that people took out of the pools, and the way back into D."""

from collections.abc import Collection
from typing import Final

from django.db import connection, transaction

from al_engine.pools import signals
from al_engine.pools.sql import statement

UNUSABLE: Final = "Two people called it unusable."
"""The `problem` of an image that two people skipped as a bad image."""


def put_back(*, image_ids: Collection[int]) -> list[int]:
    """Put images that people called unusable back into D; return those that were out for that.

    What was said against them until now does not count any more: it takes two people again, of
    those who have not had the image yet. Answers that an image has already do count: with enough
    of them it goes on to L at once.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """WITH target AS MATERIALIZED (
                   SELECT id FROM pools_image
                   WHERE id = ANY(%(images)s::bigint[]) AND state = 'excluded'
                     AND problem = %(problem)s AND split = 'pool'
                   ORDER BY id FOR NO KEY UPDATE)
               UPDATE pools_image image
               SET state = 'unlabeled', problem = '', put_back_at = clock_timestamp()
               FROM target WHERE image.id = target.id
               RETURNING image.campaign_id, image.id""",
            {"images": list(image_ids), "problem": UNUSABLE},
        )
        rows = cursor.fetchall()
        for campaign_id in sorted({campaign_id for campaign_id, _ in rows}):
            mine = [image_id for each, image_id in rows if each == campaign_id]
            cursor.execute(
                """SELECT assignment_id FROM pools_label
                   WHERE image_id = ANY(%s::bigint[]) AND retracted_at IS NULL""",
                [mine],
            )
            turns = [turn_id for (turn_id,) in cursor.fetchall()]
            if turns:
                cursor.execute(statement("settle"), {"campaign": campaign_id, "turns": turns})
                signals.notify("labels", campaign_id)
            signals.notify("pool", campaign_id)
    return [image_id for _, image_id in rows]
