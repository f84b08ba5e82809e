"""Images that are out of the pools, by a verdict of people or by what a machine found, and the way
back.

A machine decides nothing about an image: where a file is missing or damaged its image is set aside,
so that nobody is asked what nobody can see, and comes back by itself with its file.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from django.db import connection, transaction
from django.db.models import QuerySet

from al_engine.pools import signals
from al_engine.pools.models import Image, Turn
from al_engine.pools.sql import BY_INDEX, statement

UNUSABLE: Final = "Two people called it unusable."
"""The `problem` of an image that two people skipped as a bad image."""

UNSHOWN: Final = ("not_found", "not_decodable", "not_loaded")
"""Why a turn was skipped whose picture did not show."""

ASIDE: Final = (Image.ExcludedFor.GONE, Image.ExcludedFor.DAMAGED)
"""What is over once the image's files are there again as they were imported."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is proven to be wrong with an image's files; in words for who runs the campaign."""

    kind: Literal["gone", "damaged", "undecodable"]
    words: str


def set_aside(*, campaign_id: int, faults: Mapping[int, Fault], asked: bool) -> list[int]:
    """Take images with faulty files out of D and of what is reserved; by image id. Returns which.

    With `asked` also out of S. What is in L stays there: what people said of it is theirs.
    """
    states = [Image.State.UNLABELED, Image.State.RESERVED, *([Image.State.QUERIED] * asked)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(
            statement("set_aside"),
            {
                "images": list(faults),
                "kinds": [fault.kind for fault in faults.values()],
                "problems": [fault.words for fault in faults.values()],
                "states": states,
            },
        )
        out = [image_id for (image_id,) in cursor.fetchall()]
        if out:
            signals.notify("pool", campaign_id)
    return out


def put_back(*, image_ids: Collection[int]) -> list[int]:
    """Put images back for everybody, also for those who skipped them; return those that it moved.

    Those that are out return to D, or to S where they have answers already, which count: with
    enough of them an image goes on to L at once. What was said against them does not count any
    more. Those that wait in S may be asked again of who skipped them or could not see them.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        images = {"images": sorted(image_ids)}
        cursor.execute(
            """SELECT id FROM pools_image WHERE id = ANY(%(images)s::bigint[])
               ORDER BY id FOR NO KEY UPDATE""",
            images,
        )
        cursor.execute(statement("put_back"), images)
        rows = cursor.fetchall()
        for campaign_id in sorted({campaign_id for campaign_id, _ in rows}):
            mine = [image_id for each, image_id in rows if each == campaign_id]
            cursor.execute(
                """SELECT turn_id FROM pools_label
                   WHERE image_id = ANY(%s::bigint[]) AND retracted_at IS NULL""",
                [mine],
            )
            turns = [turn_id for (turn_id,) in cursor.fetchall()]
            if turns:
                cursor.execute(statement("settle"), {"campaign": campaign_id, "turns": turns})
                signals.notify("labels", campaign_id)
            signals.notify("pool", campaign_id)
    return sorted(image_id for _, image_id in rows)


def unshown(*, campaign_id: int) -> QuerySet[Turn]:
    """The turns whose picture did not show in somebody's browser, of images still in S."""
    return Turn.objects.filter(
        campaign_id=campaign_id,
        state=Turn.State.SKIPPED,
        skip_reason__in=UNSHOWN,
        image__state=Image.State.QUERIED,
    )


def aside(*, campaign_id: int) -> QuerySet[Image]:
    """The images that are set aside until their files are back."""
    return Image.objects.filter(campaign_id=campaign_id, excluded_for__in=ASIDE)
