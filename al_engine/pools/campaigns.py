"""Make campaigns, add their people, and start, pause and finish them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from al_engine.decisions import architecture
from al_engine.pools import unlabeled
from al_engine.pools.class_names import problem_of_names
from al_engine.pools.classes import save_choices
from al_engine.pools.models import Annotator, Campaign, Choice

SETTINGS: Final = (
    "answers_per_image",
    "max_answers",
    "confidence",
    "lease_seconds",
    "resume_seconds",
    "messages_per_second",
    "strategies",
    "architectures",
    "delivery_architecture",
    "image_size",
    "servers",
    "workers",
    "batch_size",
    "refresh",
    "partition",
    "model_choice",
    "warm_start",
    "min_new_labels",
    "audit_rate",
    "gold_rate",
    "examples_per_class",
    "practice_images",
    "budget",
)
"""The settings of a campaign, as the shell, the admin and the API name them."""


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "paper": {
        "strategies": ["entropy", "least_confidence", "margin"],
        "workers": 10,
        "servers": 1,
        "architectures": ["vgg16"],
        "batch_size": 1000,
        "refresh": False,
        "partition": Campaign.Partition.RANDOM,
        "model_choice": Campaign.ModelChoice.LATEST,
        "warm_start": Campaign.WarmStart.SCRATCH,
        "audit_rate": 0.0,
    }
}
"""Settings that belong together. `paper`: those of its experiments (sections 4.1 and 4.2)."""


class BadSetting(ValueError):
    """A setting that does not exist, or a value that it cannot have."""


@dataclass(frozen=True, slots=True)
class NewChoice:
    """A class to be made."""

    name: str
    hotkey: str = ""
    color: str = ""


def parse_setting(text: str) -> tuple[str, Any]:
    """Parse `key=value` from a command line into a setting's name and its typed value.

    Lists are written `a,b,c`. Raises BadSetting with a sentence that says what is allowed.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or key not in SETTINGS:
        if key == "architecture":
            raise BadSetting(f"architecture is a list now: write architectures={value or 'auto'}.")
        raise BadSetting(f"“{text}” is not key=value with a key of: {', '.join(SETTINGS)}.")
    field = Campaign._meta.get_field(key)
    assert isinstance(field, models.Field)  # noqa: S101 - every setting is a column
    try:
        if isinstance(field, ArrayField):
            return key, [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(field, models.BooleanField):
            return key, {"true": True, "1": True, "false": False, "0": False}[value.lower()]
        if value == "" and field.null:
            return key, None
        return key, field.to_python(value)
    except (KeyError, ValidationError) as error:
        raise BadSetting(f"{key} cannot be “{value}”.") from error


@transaction.atomic
def create_campaign(
    *,
    slug: str,
    title: str = "",
    instructions: str = "",
    choices: Sequence[NewChoice],
    settings: Mapping[str, Any] | None = None,
) -> Campaign:
    """Make a campaign with its classes and cells.

    Classes without a hotkey get 1…9, 0 and then a…z; without a color, the palette's. Raises
    BadSetting if any value is not allowed; nothing is stored then.
    """
    if problem := problem_of_names([choice.name for choice in choices]):
        raise BadSetting(problem)
    for key, value in {"title": title, "instructions": instructions, **(settings or {})}.items():
        if not _can_be_stored(value):
            raise BadSetting(f"{key} holds a NUL or bytes that are no UTF-8: write it without.")
    campaign = Campaign(
        slug=slug, title=title or slug.replace("-", " ").title(), instructions=instructions
    )
    for key, value in (settings or {}).items():
        if key not in SETTINGS:
            raise BadSetting(f"There is no setting “{key}”. Settings: {', '.join(SETTINGS)}.")
        setattr(campaign, key, value)
    rows = [
        Choice(name=choice.name, hotkey=choice.hotkey, color=choice.color) for choice in choices
    ]
    try:
        campaign.full_clean()
        add_campaign(campaign=campaign)
        save_choices(campaign=campaign, choices=rows)
    except ValidationError as error:
        raise BadSetting(_sentence(error)) from error
    return campaign


def add_campaign(*, campaign: Campaign) -> None:
    """Store a new campaign and its cells; `save_choices` stores its classes.

    The shell, the admin and the demo all make campaigns with this function.
    """
    campaign.save()
    unlabeled.make_cells(campaign_id=campaign.pk)


def save_settings(*, campaign: Campaign) -> None:
    """Store the settings of an existing campaign.

    After a change of architectures or image size the engine chooses anew what they leave open.
    """
    kept = Campaign.objects.filter(
        pk=campaign.pk, architectures=campaign.architectures, image_size=campaign.image_size
    )
    if not kept.exists():
        campaign.chosen_architecture, campaign.chosen_image_size = "", 0
        campaign.chosen_because = ""
    campaign.save()


def keep_choice(*, campaign_id: int, choice: architecture.Choice) -> bool:
    """Store what the engine chose for a campaign, unless something is; return whether it was."""
    rows = Campaign.objects.filter(
        pk=campaign_id, chosen_architecture="", chosen_image_size=0, chosen_because=""
    )
    return bool(
        rows.update(
            chosen_architecture=choice.architecture,
            chosen_image_size=choice.image_size,
            chosen_because=choice.reason,
        )
    )


def set_state(*, campaign_id: int, state: Campaign.State) -> bool:
    """Run, pause or finish a campaign; return whether its state changed."""
    rows = Campaign.objects.filter(pk=campaign_id).exclude(state=state)
    return bool(rows.update(state=state))


def set_active(*, annotators: QuerySet[Annotator], active: bool) -> int:
    """Let annotators label or not; connections of inactive ones are closed within two seconds."""
    return annotators.update(active=active)


def join(*, campaign_id: int, user_id: int) -> Annotator:
    """Make a person an annotator of a campaign, if they are none yet; return the annotator."""
    annotator, _ = Annotator.objects.get_or_create(campaign_id=campaign_id, user_id=user_id)
    return annotator


def save_annotator(*, annotator: Annotator) -> None:
    """Store an annotator as edited by hand."""
    annotator.save()


def set_owners(*, campaign_id: int, user_ids: Iterable[int]) -> None:
    """Make these users the only owners of a campaign."""
    Campaign.objects.get(pk=campaign_id).owners.set(user_ids)


def add_owners(*, campaign_id: int, user_ids: Iterable[int]) -> None:
    """Make staff owners of a campaign: their permissions then hold in it."""
    Campaign.objects.get(pk=campaign_id).owners.add(*user_ids)


def mark_introduced(*, annotator_id: int) -> None:
    """Record that an annotator has seen the instructions: the page no longer opens them unasked."""
    Annotator.objects.filter(pk=annotator_id, introduced_at=None).update(introduced_at=Now())


def mark_practiced(*, annotator_id: int) -> None:
    """Record that an annotator has finished the practice: no device asks for it again."""
    Annotator.objects.filter(pk=annotator_id, practiced_at=None).update(practiced_at=Now())


def _can_be_stored(value: object) -> bool:
    """Whether PostgreSQL accepts the text: no NUL and no surrogates."""
    texts = value if isinstance(value, list) else [value]
    return not any(
        isinstance(text, str) and ("\0" in text or re.search("[\ud800-\udfff]", text))
        for text in texts
    )


def _sentence(error: ValidationError) -> str:
    """A validation error in one line: the field and what is wrong."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        f"{field}: {' '.join(messages)}" if field != "__all__" else " ".join(messages)
        for field, messages in error.message_dict.items()
    )
