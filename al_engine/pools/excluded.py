"""Exclude images from the pools, by people's verdict or a machine's finding, and put them back.

A machine gives no verdict: an image with a missing or damaged file is set aside, so that nobody is
asked about a picture that cannot be seen, and comes back by itself with its file.
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
"""Skip reasons of turns whose picture did not show."""

ASIDE: Final = (Image.ExcludedFor.GONE, Image.ExcludedFor.DAMAGED)
"""Exclusions that end once the image's files are again as they were imported."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A proven fault of an image's files; `words` are for the people who run the campaign."""

    kind: Literal["gone", "damaged", "undecodable"]
    words: str


def set_aside(*, campaign_id: int, faults: Mapping[int, Fault], asked: bool) -> list[int]:
    """Exclude images with faulty files from D and the reserved images; return their ids.

    `faults` is by image id. With `asked`, images in S are excluded too. Images in L stay there: the
    answers of people remain valid.
    """
    states = [Image.State.UNLABELED, Image.State.RESERVED, *([Image.State.QUERIED] * asked)]
    found = {image_id: (fault.kind, fault.words) for image_id, fault in faults.items()}
    return _exclude(campaign_id, found, states)


def exclude(*, campaign_id: int, image_ids: Collection[int], words: str) -> list[int]:
    """Exclude images from D, S and the reserved images by a person's verdict; return their ids.

    `words` are for the people who run the campaign. Images in L stay there, as answers are valid.
    """
    states = [Image.State.UNLABELED, Image.State.RESERVED, Image.State.QUERIED]
    found = dict.fromkeys(image_ids, (Image.ExcludedFor.VERDICT.value, words))
    return _exclude(campaign_id, found, states)


def _exclude(
    campaign_id: int, found: Mapping[int, tuple[str, str]], states: Collection[str]
) -> list[int]:
    """Exclude those of these images that are in one of `states`; `found`: kind and words."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(
            statement("set_aside"),
            {
                "images": list(found),
                "kinds": [kind for kind, _ in found.values()],
                "problems": [words for _, words in found.values()],
                "states": list(states),
            },
        )
        out = [image_id for (image_id,) in cursor.fetchall()]
        if out:
            signals.notify("pool", campaign_id)
    return out


def put_back(*, image_ids: Collection[int]) -> list[int]:
    """Put images back for all annotators, also for those who skipped them; return the ids changed.

    An excluded image returns to D or, if it has answers, to S; with enough answers it goes on to L
    at once. Holdout and gold images are reserved again. Earlier skips no longer count: an image in
    S may be asked again of annotators who skipped it or could not see it.
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
    """Skipped turns whose picture did not show in a browser, for images still in S."""
    return Turn.objects.filter(
        campaign_id=campaign_id,
        state=Turn.State.SKIPPED,
        skip_reason__in=UNSHOWN,
        image__state=Image.State.QUERIED,
    )


def aside(*, campaign_id: int) -> QuerySet[Image]:
    """Images that are set aside until their files are whole again."""
    return Image.objects.filter(campaign_id=campaign_id, excluded_for__in=ASIDE)
