"""Beside each file the import stores, where it must, the copy that people are shown."""

import asyncio
import hashlib
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.core.files.storage import default_storage
from pictures import picture, write_folder
from PIL import Image
from stock import ask, make_user

from al_engine.pools import campaigns, query, signals
from al_engine.pools.models import Campaign
from al_engine.pools.models import Image as PoolImage
from al_engine.pools.turns import Demand
from annotator_site.importing.image_import import import_images

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    return campaigns.create_campaign(
        slug="pets", choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog")]
    )


def read(key: str) -> bytes:
    with default_storage.open(key, "rb") as file:
        data: bytes = file.read()
        return data


def files_of(campaign: Campaign) -> list[Path]:
    """All that the storage has of a campaign."""
    root = Path(default_storage.path(f"images/{campaign.pk}"))
    return [path for path in root.rglob("*") if path.is_file()]


def photograph(*, height: int = 1000, author: str = "") -> bytes:
    """What a phone writes: large, on its side, with a name and a place in it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = author
    exif.get_ifd(0x8825)[1] = "N"
    return picture("JPEG", (2000, height), exif=exif)


def test_a_photograph_comes_in_whole_and_people_are_shown_a_copy(
    campaign: Campaign, tmp_path: Path
) -> None:
    data = photograph(author="Ann")

    import_images(campaign=campaign, source=write_folder(tmp_path, {"1.jpg": data}))

    image = PoolImage.objects.get()
    assert read(image.key) == data
    assert (image.width, image.height) == (1000, 2000)
    assert (image.display_width, image.display_height) == (800, 1600)
    assert image.display_key is not None
    copy = read(image.shown_key)
    sha256 = hashlib.sha256(copy).hexdigest()
    assert image.display_key == f"images/{campaign.pk}/{sha256[:2]}/{sha256}.webp"
    assert image.display_size == len(copy)
    assert b"Ann" not in copy


def test_two_files_of_one_picture_share_its_copy(campaign: Campaign, tmp_path: Path) -> None:
    files = {f"{n:02}.jpg": photograph(author=f"person {n}") for n in range(24)}

    report = import_images(campaign=campaign, source=write_folder(tmp_path, files))

    assert (report.added, report.broken_count) == (24, 0)
    assert PoolImage.objects.values("display_key").distinct().count() == 1
    assert len(files_of(campaign)) == 25


def test_a_copy_that_is_lost_or_cut_short_is_made_again(campaign: Campaign, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {f"{n}.jpg": photograph(height=1000 + n) for n in range(3)})
    import_images(campaign=campaign, source=folder)
    lost, short, other = PoolImage.objects.order_by("position")
    before = {image.pk: read(image.shown_key) for image in (lost, short, other)}
    default_storage.delete(lost.shown_key)
    Path(default_storage.path(short.shown_key)).write_bytes(b"RIFF")
    # As another version of the library that makes copies would have named it.
    default_storage.delete(other.shown_key)
    PoolImage.objects.filter(pk=other.pk).update(display_key=f"{other.display_key}.old")

    report = import_images(campaign=campaign, source=folder)

    assert (report.added, report.duplicates) == (0, 3)
    assert {image.pk: read(image.shown_key) for image in PoolImage.objects.all()} == before
    assert len(files_of(campaign)) == 6


def test_people_are_given_the_copy_and_its_size(campaign: Campaign, tmp_path: Path) -> None:
    import_images(
        campaign=campaign,
        source=write_folder(tmp_path, {"1.jpg": photograph(), "2.png": picture()}),
    )
    person = campaigns.join(campaign_id=campaign.pk, user_id=make_user().pk)
    assert ask(campaign, 2) == 2
    copied, small = PoolImage.objects.order_by("position")

    assert asyncio.run(claimed(campaign, person.pk)) == {
        copied.pk: (copied.display_key, 800, 1600),
        small.pk: (small.key, 8, 6),
    }


async def claimed(campaign: Campaign, annotator_id: int) -> dict[int, tuple[str, int, int]]:
    """What a person's connection is given: key, width and height by image."""
    demand = Demand(annotator_id=annotator_id, session=uuid4(), want=5)
    async with await psycopg.AsyncConnection.connect(**signals.connection_info()) as conn:
        turns = await query.read_turns(
            await query.claim(conn, campaign_id=campaign.pk, demands=[demand], lease_seconds=60)
        )
    return {turn.image_id: (turn.key, turn.width, turn.height) for turn in turns}
