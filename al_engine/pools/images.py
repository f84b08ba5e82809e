"""Add images to a campaign: to D, or to the reserved holdout and gold images."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Greatest

from al_engine.pools import signals, unlabeled
from al_engine.pools.excluded import ASIDE
from al_engine.pools.models import Image

SIDES_READ: Final = 500
"""Images whose sides say how large a campaign's images are."""
_LOCK: Final = 0x4E_6F_77_69
"""The upper half of the advisory lock's key; the lower is the campaign's id."""


class AddingElsewhereError(RuntimeError):
    """Another process is adding images to the same campaign."""


@dataclass(frozen=True, slots=True)
class DisplayFile:
    """A copy to show to people, in the storage already; sizes in pixels and bytes."""

    key: str
    width: int
    height: int
    size: int


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image whose file is already in the storage under `key`; sizes in pixels and bytes.

    Without `display`, people are shown the file itself.
    """

    sha256: str
    name: str
    key: str
    width: int
    height: int
    size: int
    known_choice_id: int | None
    display: DisplayFile | None = None
    known_disputed: bool = False


@dataclass(frozen=True, slots=True)
class KnownImage:
    """The image that a campaign already has for a SHA-256."""

    image_id: int
    name: str
    key: str
    display_key: str | None
    display_size: int | None
    split: str
    known_choice_id: int | None
    known_disputed: bool
    """Two classes were given for it: it has none until a table says which."""
    excluded_for: str

    @property
    def faulty(self) -> bool:
        """Whether its files were found missing or damaged."""
        return self.excluded_for in ASIDE


@contextmanager
def adding(*, campaign_id: int) -> Iterator[None]:
    """Hold the right to add images to a campaign, until the block ends or the process dies.

    An advisory lock. Raises AddingElsewhereError at once if another process holds it.
    """
    key = _LOCK << 32 | campaign_id
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        (mine,) = cursor.fetchone()
        if not mine:
            raise AddingElsewhereError
        try:
            yield
        finally:
            # A broken connection has released the lock already.
            if connection.is_usable():
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def newest_id(*, campaign_id: int) -> int:
    """The id of the campaign's newest image, smaller than all later ids; 0 if there is none."""
    # Positions grow as ids do, and have an index.
    rows = Image.objects.filter(campaign_id=campaign_id).order_by("-position")
    return rows.values_list("id", flat=True).first() or 0


def holdout_positions(*, campaign_id: int) -> list[int]:
    """Image cache positions of the images that are kept apart to judge models, in order."""
    rows = Image.objects.filter(
        campaign_id=campaign_id, split=Image.Split.HOLDOUT, state=Image.State.RESERVED
    )
    return list(rows.order_by("position").values_list("position", flat=True))


def longer_sides(*, campaign_id: int) -> list[int]:
    """The longer sides (px) of a campaign's first images, upright, at most `SIDES_READ`."""
    rows = Image.objects.filter(campaign_id=campaign_id).order_by("position")
    sides = rows.values_list(Greatest("width", "height"), flat=True)[:SIDES_READ]
    return list(sides)


def known_images(*, campaign_id: int, sha256s: Collection[str]) -> dict[str, KnownImage]:
    """Which of these files the campaign has, by SHA-256."""
    rows = Image.objects.filter(campaign_id=campaign_id, sha256__in=sha256s).values_list(
        "sha256",
        "id",
        "name",
        "key",
        "display_key",
        "display_size",
        "split",
        "known_choice_id",
        "known_disputed",
        "excluded_for",
    )
    return {row[0]: KnownImage(*row[1:]) for row in rows}


def add_images(*, campaign_id: int, split: str, images: Sequence[NewImage]) -> None:
    """Add images whose files are stored, in one transaction; wake the workers if any are in D.

    Call it inside `adding`: positions continue densely from the last image's.
    """
    reserved = split != Image.Split.POOL
    with transaction.atomic():
        last = Image.objects.filter(campaign_id=campaign_id).aggregate(last=Max("position"))["last"]
        first = 0 if last is None else last + 1
        Image.objects.bulk_create(
            Image(
                campaign_id=campaign_id,
                position=first + place,
                sha256=image.sha256,
                name=image.name,
                key=image.key,
                width=image.width,
                height=image.height,
                size=image.size,
                **_display_columns(image.display),
                cell=unlabeled.cell_of(image.sha256),
                split=split,
                state=Image.State.RESERVED if reserved else Image.State.UNLABELED,
                known_choice_id=image.known_choice_id,
                known_disputed=image.known_disputed,
            )
            for place, image in enumerate(images)
        )
        if images and not reserved:
            signals.notify("pool", campaign_id)


def show_instead(*, image_id: int, display: DisplayFile) -> None:
    """Replace the copy of an image that people are shown; the new file is stored already."""
    Image.objects.filter(pk=image_id).update(**_display_columns(display))


def set_known_choices(*, known: Mapping[int, int | None]) -> None:
    """Set the known classes of images: `known` maps image id to class id.

    A class id of None means that two classes were given and neither counts.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE pools_image image
               SET known_choice_id = t.choice_id, known_disputed = t.choice_id IS NULL
               FROM unnest(%s::bigint[], %s::bigint[]) AS t(image_id, choice_id)
               WHERE image.id = t.image_id""",
            [list(known), list(known.values())],
        )


def _display_columns(display: DisplayFile | None) -> dict[str, Any]:
    if display is None:
        return {}
    return {
        "display_key": display.key,
        "display_width": display.width,
        "display_height": display.height,
        "display_size": display.size,
    }
