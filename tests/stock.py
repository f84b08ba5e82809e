"""Campaigns with people and with images in S, for tests that label."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from pictures import picture
from pytest_django import DjangoDbBlocker

from al_engine.pools import campaigns, images, query, signals, unlabeled
from al_engine.pools.campaigns import NewChoice
from al_engine.pools.images import NewImage
from al_engine.pools.models import (
    Annotator,
    Campaign,
    Choice,
    EngineProcess,
    Image,
    ModelVersion,
)
from al_engine.pools.query import Pick
from annotator_site.accounts.models import User
from annotator_site.accounts.tokens import create_token
from annotator_site.importing.image_files import inspect_image
from annotator_site.importing.stored_images import store_image
from annotator_site.simulation.demo_data import Picture


@dataclass(frozen=True, slots=True)
class Person:
    """A user with a token, who is an annotator of a campaign."""

    user: User
    annotator_id: int
    token: str


@contextmanager
def committing(blocker: DjangoDbBlocker) -> Iterator[None]:
    """Commit what tests write, so that web processes see it, and delete it at the end.

    The tests within share the database: each creates its own campaigns and people.
    """
    with blocker.unblock():
        try:
            yield
        finally:
            campaign_ids = list(Campaign.objects.values_list("pk", flat=True))
            _empty_tables()
            for campaign_id in campaign_ids:  # so that web processes stop serving them
                signals.notify("campaign", campaign_id)
            connection.close()


def _empty_tables() -> None:
    while True:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    # The last three have no foreign-key constraints, so CASCADE misses them.
                    "TRUNCATE pools_campaign, accounts_user, django_session, axes_accessattempt, "
                    "axes_accesslog, pools_turn, pools_label, pools_consensus CASCADE"
                )
            return
        except OperationalError as error:
            # A web process that still serves a campaign takes its locks in another order.
            if "deadlock" not in str(error):
                raise


def make_campaign(
    *,
    title: str = "Cats and dogs",
    instructions: str = "",
    classes: Sequence[str] = ("cat", "dog"),
    **settings: Any,
) -> Campaign:
    """A campaign with a unique slug: the web process may still serve campaigns of earlier tests."""
    return campaigns.create_campaign(
        slug=f"c-{uuid4().hex[:12]}",
        title=title,
        instructions=instructions,
        choices=[NewChoice(name) for name in classes],
        settings={"messages_per_second": 0, **settings},
    )


def one_file() -> str:
    """The storage key of a picture that exists: a site serves no images without files."""
    key = "images/0/stock.png"
    if not default_storage.exists(key):
        assert default_storage.save(key, ContentFile(picture("PNG", (8, 6)))) == key
    return key


def add_images(campaign: Campaign, count: int) -> list[Image]:
    """Add images to D that share one file; each has a known label."""
    choices = list(campaign.choices.all())
    new = [
        NewImage(
            sha256=(digest := sha256(uuid4().bytes).hexdigest()),
            name=f"{choices[number % len(choices)].name}/{digest[:6]}.png",
            key=one_file(),
            width=8,
            height=6,
            size=100,
            known_choice_id=choices[number % len(choices)].pk,
        )
        for number in range(count)
    ]
    with images.adding(campaign_id=campaign.pk):
        images.add_images(campaign_id=campaign.pk, split="pool", images=new)
    return list(Image.objects.filter(campaign=campaign, sha256__in=[each.sha256 for each in new]))


def add_pictures(campaign: Campaign, pictures: Sequence[Picture], *, split: str = "pool") -> None:
    """Add images with their own files; of known classes if the campaign has classes of that name.

    Stored as by an import, but inspected in this process: starting an import's child processes
    would take longer than all the rest.
    """
    choices = dict(campaign.choices.values_list("name", "id"))

    def store(picture: Picture) -> NewImage:
        return store_image(
            campaign.pk,
            sha256(picture.data).hexdigest(),
            f"{picture.class_name}/{picture.file_name}",
            picture.data,
            inspect_image(picture.data),
            choices.get(picture.class_name),
        )

    with ThreadPoolExecutor(8) as threads, images.adding(campaign_id=campaign.pk):
        new = list(threads.map(store, pictures))
        images.add_images(campaign_id=campaign.pk, split=split, images=new)


def add_gold(campaign: Campaign, choice: Choice | None, count: int) -> None:
    """Add gold images of one class, None for unknown, as rows without files."""
    new = [
        NewImage(
            sha256=(digest := sha256(uuid4().bytes).hexdigest()),
            name=f"{digest[:6]}.png",
            key=f"images/{campaign.pk}/{digest}.png",
            width=8,
            height=6,
            size=100,
            known_choice_id=choice.pk if choice else None,
        )
        for _ in range(count)
    ]
    with images.adding(campaign_id=campaign.pk):
        images.add_images(campaign_id=campaign.pk, split="gold", images=new)


def make_version(campaign: Campaign, number: int, *, seen: int = 0) -> int:
    """Create a model version without weights, for tests that never load it; returns its id."""
    return ModelVersion.objects.create(
        campaign=campaign, version=number, architecture="x", labels_seen=seen, trained_on=seen,
        train_seconds=1, sha256="", size=1,
    ).pk  # fmt: skip


def ask(campaign: Campaign, count: int, *, version: int | None = None) -> int:
    """Put up to `count` images of D into S, as a worker that holds all cells; returns how many.

    They count as chosen by this model version, or at random.
    """
    worker, _ = EngineProcess.objects.get_or_create(
        campaign=campaign, role=EngineProcess.Role.WORKER, name="worker-1"
    )
    cells = unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=worker.pk, live_workers=1)
    found = unlabeled.candidates(campaign_id=campaign.pk, cells=cells, limit=count)
    return query.refill(
        campaign_id=campaign.pk,
        worker_id=worker.pk,
        picks=[
            Pick(image_id, "random" if version is None else "margin", 0.5, version)
            for image_id in found[:, 0].tolist()
        ],
    ).put


def stock(campaign: Campaign, count: int) -> None:
    """Add images and put them into S."""
    add_images(campaign, count)
    assert ask(campaign, count) == count


def make_user(*, password: str | None = None, **fields: Any) -> User:
    """Create a user with a unique name; without a password there is no slow hashing."""
    return User.objects.create(
        username=f"{fields.pop('stem', 'ann')}-{uuid4().hex[:8]}",
        password=make_password(password),
        **fields,
    )


def make_annotator(campaign: Campaign, **fields: Any) -> Person:
    """Create an annotator of this campaign, with a token."""
    user = make_user(**fields)
    annotator = campaigns.join(campaign_id=campaign.pk, user_id=user.pk)
    return Person(user=user, annotator_id=annotator.pk, token=create_token(user=user))


def shut_out(person: Person) -> None:
    """Deactivate a person as annotator of their campaign."""
    Annotator.objects.filter(pk=person.annotator_id).update(active=False)


def choices_of(campaign: Campaign) -> list[int]:
    """The ids of the classes, in the order of the page."""
    return list(Choice.objects.filter(campaign=campaign).values_list("id", flat=True))
