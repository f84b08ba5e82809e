"""Gold images that people see together with their class: for practice, and as examples.

An annotator who has seen an image with its class cannot be tested with it. So the gold images of
each class have a fixed order, that of their import, and are taken from the front: first for
practice, then as examples. Hidden questions may only use the images after these; this version asks
none (`gold_rate` is 0).
"""

from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import Window
from django.db.models.functions import RowNumber

from al_engine.pools.models import Campaign, Image

_COUNT: Final = """
    SELECT count(*) FROM (
        SELECT FROM pools_image
        WHERE campaign_id = %s AND split = 'gold' AND state = 'reserved'
          AND known_choice_id IS NOT NULL
        LIMIT %s
    ) first_ones
"""


@dataclass(frozen=True, slots=True)
class GoldImage:
    """An image whose class is known, as people see it; the size is in pixels."""

    choice_id: int
    key: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The gold images that a campaign shows with their classes; no image is in both tuples."""

    practice: tuple[GoldImage, ...]
    examples: tuple[GoldImage, ...]


def is_shown(*, campaign: Campaign) -> tuple[bool, bool]:
    """Whether `shown` would return any practice and any examples, at a tenth of its cost."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [campaign.pk, campaign.practice_images + 1])
        ((there,),) = cursor.fetchall()
    return (
        campaign.practice_images > 0 and there > 0,
        campaign.examples_per_class > 0 and there > campaign.practice_images,
    )


def shown(*, campaign: Campaign) -> Shown:
    """The gold images that the campaign's settings show, in the order of the classes on the page.

    Practice images alternate between the classes; where one class has no more, the others continue.
    """
    most = campaign.practice_images + campaign.examples_per_class
    if not most:
        return Shown((), ())
    gold = Image.objects.filter(
        campaign=campaign, split=Image.Split.GOLD, state=Image.State.RESERVED
    ).exclude(known_choice=None)
    place = Window(RowNumber(), partition_by="known_choice", order_by="position")
    rows = (
        gold.annotate(place=place)
        .filter(place__lte=most)
        .order_by("place", "known_choice__position")
    )
    images = [
        GoldImage(
            choice_id=row.known_choice_id,
            key=row.shown_key,
            width=row.display_width or row.width,
            height=row.display_height or row.height,
        )
        for row in rows
        if row.known_choice_id is not None
    ]
    practice, rest = images[: campaign.practice_images], images[campaign.practice_images :]
    by_choice: dict[int, list[GoldImage]] = {}
    for image in rest:
        by_choice.setdefault(image.choice_id, []).append(image)
    examples = [
        image for each in by_choice.values() for image in each[: campaign.examples_per_class]
    ]
    return Shown(tuple(practice), tuple(examples))
