"""The demo campaign and its logins: created once, reused by every later start."""

import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from al_engine.pools import campaigns
from al_engine.pools.campaigns import NewChoice
from al_engine.pools.models import Campaign, Label, Query
from annotator_site.accounts.models import User
from annotator_site.importing.image_import import Progress, import_images
from annotator_site.simulation.demo_data import Dataset, Picture, digits, write_folders
from annotator_site.simulation.public_data import limited, read_public

# Test images of a larger set that are imported for the holdout: accuracy to within ±2 %.
HOLDOUT_IMAGES: Final = 2_000
TELL_EVERY_S: Final = 5.0
WORDS: Final = (
    "acorn amber anchor apple autumn badger bamboo basil beacon birch breeze brook canyon cedar "
    "cherry cliff clover cobalt comet copper coral cotton cricket crystal daisy delta desert dove "
    "ember falcon feather fern fjord forest fossil garden ginger glacier granite harbor hazel "
    "heron honey indigo island ivory jasmine juniper kettle lagoon lantern laurel lemon lilac "
    "lotus magnet maple marble meadow mint mosaic nectar nutmeg oasis ocean olive onyx opal "
    "orchid otter pebble pepper pine planet plum pollen prairie quartz raven reef river robin "
    "saffron sage sparrow spruce summit thistle tulip valley velvet walnut willow winter zephyr"
)


@dataclass(frozen=True, slots=True)
class Login:
    """An account of the demo; `password` is None if its owner has changed it."""

    username: str
    password: str | None


def ensure_campaign(
    *,
    dataset: Dataset,
    data: Path | None,
    images: int | None,
    fresh: bool,
    own_settings: Mapping[str, Any],
    tell: Callable[[str], None],
) -> Campaign:
    """The newest demo campaign of this data set, with all its images, ready to be labeled.

    Creates a campaign if there is none, or if `fresh` asks for an empty label pool; earlier
    campaigns are then finished. The campaign stays paused until its import is complete, so that
    the next start continues an interrupted import. Raises DataMissing, BadSetting and the errors
    of `import_images`.
    """
    earlier = _demo_campaigns(dataset)
    campaign = None if fresh or not earlier else earlier[-1]
    if campaign is not None and (campaign.state != Campaign.State.PAUSED or _in_use(campaign)):
        return campaign
    with tempfile.TemporaryDirectory(prefix="nowait-demo-") as name:
        # Before anything is created, so that unreadable data changes nothing.
        write_folders(_pictures(dataset, data, images), Path(name))
        if campaign is None:
            campaign = _begin_campaign(dataset, earlier, own_settings)
        tell(f"Importing the images of {campaign.title} …")
        _import(campaign, Path(name), tell)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.RUNNING)
    campaign.refresh_from_db()
    return campaign


def ensure_logins(*, campaign: Campaign, file: Path) -> list[Login]:
    """The accounts `admin` and `annotator`, both annotators of the campaign.

    Missing accounts are created with random passwords, which are kept in `file` (mode 0600).
    """
    saved: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    logins = []
    for username in ("admin", "annotator"):
        user = User.objects.filter(username=username).first()
        if user is None:
            password = saved.setdefault(username, new_password())
            # Write the file first: an account whose password is lost would be of no use.
            _save_privately(file, saved)
            make = User.objects.create_superuser if username == "admin" else _create_user
            user = make(username=username, password=password)
        known = saved.get(username)
        campaigns.join(campaign_id=campaign.pk, user_id=user.pk)
        valid = known is not None and user.check_password(known)
        logins.append(Login(username=username, password=known if valid else None))
    return logins


def new_password() -> str:
    """Three words and a number: easy to type; 26 bits suffice with a lock-out after ten tries."""
    words = [secrets.choice(WORDS.split()) for _ in range(3)]
    return "-".join([*words, str(secrets.randbelow(90) + 10)])


def _demo_campaigns(dataset: Dataset) -> list[Campaign]:
    """The demo campaigns of a data set, oldest first."""
    pattern = re.compile(rf"{_slug(dataset)}(-\d+)?")
    found = Campaign.objects.filter(slug__startswith=_slug(dataset))
    return sorted(
        (campaign for campaign in found if pattern.fullmatch(campaign.slug)),
        key=lambda campaign: campaign.pk,
    )


@transaction.atomic
def _begin_campaign(
    dataset: Dataset, earlier: list[Campaign], own_settings: Mapping[str, Any]
) -> Campaign:
    for campaign in earlier:
        campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.FINISHED)
    number = len(earlier) + 1
    taken = {campaign.slug for campaign in earlier}
    while (slug := _slug(dataset) + (f"-{number}" if number > 1 else "")) in taken:
        number += 1
    hotkeys = dataset.hotkeys or ("",) * len(dataset.classes)
    campaign = campaigns.create_campaign(
        slug=slug,
        title=dataset.title + (f" ({number})" if number > 1 else ""),
        instructions=dataset.instructions,
        choices=[
            NewChoice(name=name, hotkey=hotkey)
            for name, hotkey in zip(dataset.classes, hotkeys, strict=True)
        ],
        settings={**dataset.settings, **own_settings},
    )
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)
    campaign.refresh_from_db()
    return campaign


def _in_use(campaign: Campaign) -> bool:
    """Whether a campaign has queries or labels; if so, a person paused it, not its import."""
    return (
        Query.objects.filter(campaign=campaign).exists()
        or Label.objects.filter(campaign=campaign).exists()
    )


def _import(campaign: Campaign, folder: Path, tell: Callable[[str], None]) -> None:
    told = 0.0

    def report(progress: Progress) -> None:
        nonlocal told
        if progress.seconds - told >= TELL_EVERY_S:
            told = progress.seconds
            tell(f"  {progress.done:,} of {progress.total:,} images")

    for split in ("pool", "holdout"):
        told = 0.0
        import_images(
            campaign=campaign,
            source=folder / split,
            split=split,
            known="folder",
            progress=report,
        )


def _pictures(dataset: Dataset, data: Path | None, images: int | None) -> Iterator[Picture]:
    if dataset.name == "digits":
        return limited(digits(), pool=images, holdout=HOLDOUT_IMAGES)
    pictures = read_public(
        dataset.name,
        classes=dataset.classes,
        data=data,
        cache=settings.VAR / "cache" / "datasets" / dataset.name,
    )
    return limited(pictures, pool=images, holdout=HOLDOUT_IMAGES)


def _slug(dataset: Dataset) -> str:
    return dataset.name.replace("_", "-")


def _create_user(*, username: str, password: str) -> User:
    return User.objects.create_user(username=username, password=password)


def _save_privately(file: Path, passwords: dict[str, str]) -> None:
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(passwords, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
