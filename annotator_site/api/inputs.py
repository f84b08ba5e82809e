"""What the API takes: serializers that check and never save."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from al_engine.decisions.architecture import AUTO
from al_engine.pools.campaigns import SETTINGS
from al_engine.pools.class_names import problem_of_name, problem_of_names
from al_engine.pools.models import Campaign, Choice
from annotator_site.api.fields import PLAIN, Id, Text, Whole, YesNo
from annotator_site.campaigns.engine_names import (
    problem_of_architecture,
    problem_of_architectures,
    strategy_names,
)
from annotator_site.labeling.by_request import MOST_MESSAGES
from annotator_site.labeling.protocol import MAX_BUFFER

MOST_IMAGES: Final = 1_000


class SettingsInput(serializers.ModelSerializer[Campaign]):
    """Settings of a campaign; those that are left out stay as they are."""

    serializer_field_mapping = {
        column: PLAIN.get(field, field)
        for column, field in serializers.ModelSerializer.serializer_field_mapping.items()
    }

    class Meta:
        model = Campaign
        fields = SETTINGS
        extra_kwargs = {name: {"required": False} for name in SETTINGS}

    def validate_strategies(self, names: list[str]) -> list[str]:
        """Names that the engine knows, one at least."""
        known = [AUTO, *strategy_names()]
        if not names or (unknown := [name for name in names if name not in known]):
            wrong = f"There is no strategy “{unknown[0]}”. " if names else ""
            raise serializers.ValidationError(f"{wrong}Send some of: {', '.join(known)}.")
        return names

    def validate_architectures(self, names: list[str]) -> list[str]:
        """Names that the engine may know, one at least and each once."""
        if problem := problem_of_architectures(names):
            raise serializers.ValidationError(problem)
        return names

    def validate_delivery_architecture(self, name: str) -> str:
        """A name that the engine may know; empty for none."""
        if name and (problem := problem_of_architecture(name)):
            raise serializers.ValidationError(problem)
        return name


class ClassInput(serializers.Serializer[Any]):
    """A class; `choice` is the number of one that is there, left out for a new one."""

    choice = Whole(required=False, min_value=1, max_value=2**63 - 1)
    # Spaces are checked, not dropped, as in the administration.
    name = Text(max_length=200, trim_whitespace=False)
    hotkey = Text(max_length=1, required=False, allow_blank=True, help_text="Left out: chosen.")
    color = serializers.RegexField(
        r"^#[0-9A-Fa-f]{6}$", required=False, help_text="#RRGGBB; left out: chosen."
    )

    def validate_name(self, name: str) -> str:
        """A name that people can see and tell apart."""
        if problem := problem_of_name(name):
            raise serializers.ValidationError(problem)
        return name


class ClassesInput(serializers.Serializer[Any]):
    """The whole list of classes of a campaign."""

    classes = ClassInput(many=True, allow_empty=False)

    def validate_classes(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Two classes at least, which share neither names nor keys."""
        return checked_classes(rows)


class CampaignInput(serializers.Serializer[Any]):
    """The words of a campaign, and its settings."""

    title = Text(max_length=200, required=False)
    instructions = Text(required=False, allow_blank=True, help_text="Markdown.")
    settings = SettingsInput(required=False)


class NewCampaignInput(CampaignInput):
    """A campaign that is to be made."""

    slug = serializers.RegexField(
        r"^[a-zA-Z0-9_][a-zA-Z0-9_-]*$", max_length=50, help_text="In addresses: it never changes."
    )
    classes = ClassInput(many=True, allow_empty=False)

    def validate_classes(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Two classes at least, which share neither names nor keys; none is there already."""
        if any("choice" in row for row in rows):
            raise serializers.ValidationError("A new class has no number: leave “choice” out.")
        return checked_classes(rows)


class ImagesInput(serializers.Serializer[Any]):
    """Some images of a campaign, by their numbers."""

    images = serializers.ListField(
        child=Whole(min_value=1, max_value=2**63 - 1),
        allow_empty=False,
        max_length=MOST_IMAGES,
    )


class ExclusionInput(ImagesInput):
    """Images that nobody is to be asked about, and why."""

    reason = Text(
        max_length=200, default="Excluded by the API.", help_text="For the people who run it."
    )


class ClaimInput(serializers.Serializer[Any]):
    """How many queries to lease, and which earlier session to take up."""

    count = Whole(min_value=1, max_value=MAX_BUFFER, default=1)
    session = Id(
        required=False, allow_null=True, help_text="Of an earlier claim: its queries come first."
    )


class MessageInput(serializers.Serializer[Any]):
    """A message of the labeling protocol; which fields it has depends on its type."""

    type = serializers.ChoiceField(choices=["label", "skip", "report", "undo"], default="label")
    id = Id(help_text="Made by the client: its effect happens once.")
    query = Whole(required=False)
    choice = Whole(required=False, help_text="The number of a class.")
    shown_ms = Whole(required=False, help_text="How long it was in view.")
    choices_version = Whole(required=False, allow_null=True)
    proof = Text(required=False, allow_blank=True, help_text="Of the query.")
    reason = Text(required=False, help_text="Of a skip.")
    sender = Text(required=False, help_text="Of a skip.")
    problem = Text(required=False, help_text="Of a report.")
    detail = Text(required=False, allow_blank=True, help_text="Of a report.")
    label = Id(  # type: ignore[assignment]  # the metaclass takes it away
        required=False, help_text="Of an undo: the id of the label."
    )


class MessagesInput(serializers.Serializer[Any]):
    """Messages of the labeling protocol, in order."""

    messages = MessageInput(many=True, allow_empty=False)

    def validate_messages(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Not more than a connection may have unanswered."""
        if len(messages) > MOST_MESSAGES:
            raise serializers.ValidationError(f"At most {MOST_MESSAGES} at once.")
        return messages


class AnnotatorInput(serializers.Serializer[Any]):
    """Somebody who is to label."""

    username = Text(max_length=150, help_text="Of an account that there is.")


class ActiveInput(serializers.Serializer[Any]):
    """Whether an annotator may label."""

    active = YesNo()


def checked_classes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The classes. Raises ValidationError for too few, equal names or equal keys."""
    if problem := problem_of_names([row["name"] for row in rows]):
        raise serializers.ValidationError(problem)
    keys = [row["hotkey"].lower() for row in rows if row.get("hotkey")]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise serializers.ValidationError(f"Two classes share the key “{twice[0]}”: change one.")
    numbers = [row["choice"] for row in rows if "choice" in row]
    if len(set(numbers)) < len(numbers):
        raise serializers.ValidationError("A class comes twice: send each number once.")
    return rows


def fields_of(error: DjangoValidationError) -> serializers.ValidationError:
    """A model's complaint as the API tells it."""
    told: Any = error.message_dict if hasattr(error, "error_dict") else error.messages
    return serializers.ValidationError(told)


def as_choice(row: dict[str, Any], known: Mapping[int, Choice]) -> Choice:
    """A class as a row: a new one, or the one that is there with these values."""
    choice = known[row["choice"]] if "choice" in row else Choice(color="", hotkey="")
    choice.name = row["name"]
    for name in ("hotkey", "color"):
        if name in row:
            setattr(choice, name, row[name])
    return choice
