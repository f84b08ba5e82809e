"""The shapes of what the API gives: serializers that never save."""

from collections.abc import Iterable
from typing import Any, Final, cast

from rest_framework import serializers

from al_engine.pools.campaigns import SETTINGS
from al_engine.pools.models import Annotator, Campaign, Choice, Image, ModelVersion, Query
from annotator_site.images.addresses import image_url

_PURPOSES: Final = Query.Purpose.choices


def shaped(shape: type[serializers.BaseSerializer[Any]], rows: Iterable[Any]) -> list[Any]:
    """Rows in this shape, ready for JSON."""
    return cast("list[Any]", shape(list(rows), many=True).data)


class ClassShape(serializers.ModelSerializer[Choice]):
    """A class; `choice` is its number in answers."""

    choice = serializers.IntegerField(source="pk")

    class Meta:
        model = Choice
        fields = ["choice", "name", "hotkey", "color"]


class ClassesShape(serializers.Serializer[Any]):
    """The list of classes, and how often it has changed."""

    choices_version = serializers.IntegerField()
    classes = ClassShape(many=True)


class SettingsShape(serializers.ModelSerializer[Campaign]):
    """The settings of a campaign, as the shell and the administration name them."""

    class Meta:
        model = Campaign
        fields = SETTINGS


class PoolSizes(serializers.Serializer[Any]):
    """Images by pool, and answers ever stored."""

    unlabeled = serializers.IntegerField()
    queried = serializers.IntegerField()
    labeled = serializers.IntegerField()
    excluded = serializers.IntegerField()
    reserved = serializers.IntegerField()
    answers = serializers.IntegerField()


class CampaignShape(serializers.Serializer[Any]):
    """A campaign; `settings` and `pools` are null for people who only label in it."""

    slug = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=Campaign.State.choices)
    instructions = serializers.CharField()
    created_at = serializers.DateTimeField()
    choices_version = serializers.IntegerField(help_text="Counts the changes of its classes.")
    classes = ClassShape(many=True)
    settings = SettingsShape(allow_null=True)
    pools = PoolSizes(allow_null=True)


class ImageShape(serializers.ModelSerializer[Image]):
    """An image; `url` is signed and good for a week at least, for those who may see pictures."""

    known_class = serializers.CharField(source="known_choice.name", default=None, allow_null=True)
    excluded_for = serializers.CharField(help_text="Empty unless it is excluded.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = Image
        fields = [
            "id", "name", "sha256", "state", "split", "known_class", "width", "height", "size",
            "problem", "excluded_for", "created_at", "url",
        ]  # fmt: skip

    def get_url(self, image: Image) -> str:
        """The signed address of what people are shown."""
        return image_url(image.shown_key)


class ShownImage(serializers.Serializer[Any]):
    """An image that somebody is asked about."""

    id = serializers.IntegerField()
    url = serializers.CharField(help_text="Signed; relative to the site, or of its storage.")
    width = serializers.IntegerField()
    height = serializers.IntegerField()


class LeasedShape(serializers.Serializer[Any]):
    """A query that is leased to the person who asks."""

    query = serializers.IntegerField()
    image = ShownImage()
    lease_expires = serializers.DateTimeField()
    proof = serializers.CharField(help_text="Send it back with the answer.")


class IdleShape(serializers.Serializer[Any]):
    """Why there is nothing to label."""

    reason = serializers.CharField()
    detail = serializers.CharField(allow_null=True)


class ClaimShape(serializers.Serializer[Any]):
    """Leased queries; `idle` says why there are none."""

    session = serializers.UUIDField(help_text="To take these queries up in a later claim.")
    queries = LeasedShape(many=True)
    idle = IdleShape(allow_null=True)


class ReceiptShape(serializers.Serializer[Any]):
    """An `ack`, once the effect is on disk, or a `nack` with a code and a message."""

    type = serializers.ChoiceField(choices=["ack", "nack"])
    id = serializers.CharField(allow_null=True)
    progress = serializers.DictField(child=serializers.IntegerField(), required=False)
    code = serializers.CharField(required=False)
    message = serializers.CharField(required=False)


class ReceiptsShape(serializers.Serializer[Any]):
    """A receipt for each message, in order, and queries that an undo leased again."""

    session = serializers.UUIDField()
    receipts = ReceiptShape(many=True)
    queries = LeasedShape(many=True)


class ImagesShape(serializers.Serializer[Any]):
    """Some images, by their numbers."""

    images = serializers.ListField(child=serializers.IntegerField())


class Provenance(serializers.Serializer[Any]):
    """How the image of an answer came to be asked."""

    purpose = serializers.ChoiceField(choices=_PURPOSES)
    worker = serializers.CharField(allow_null=True)
    strategy = serializers.CharField()
    score = serializers.FloatField(allow_null=True)
    model_version = serializers.IntegerField(allow_null=True)
    staleness = serializers.IntegerField(allow_null=True)
    query_age_s = serializers.FloatField()


class LabelShape(Provenance):
    """A raw answer, with the columns of the export."""

    label_id = serializers.UUIDField(help_text="Made by the client that sent the answer.")
    image = serializers.CharField(help_text="The image's name.")
    sha256 = serializers.CharField()
    choice = serializers.CharField(help_text="The name of the class.")
    annotator = serializers.CharField(help_text="A pseudonym.")
    answered_at = serializers.DateTimeField()
    shown_ms = serializers.IntegerField()
    retracted_at = serializers.DateTimeField(allow_null=True, help_text="As of this reading.")
    image_id = serializers.IntegerField()


class ConsensusShape(serializers.Serializer[Any]):
    """The consensus of an image's answers; without a choice, it has left L again."""

    image = serializers.CharField(help_text="The image's name.")
    sha256 = serializers.CharField()
    choice = serializers.CharField(allow_null=True, help_text="The name of the class.")
    confidence = serializers.FloatField(help_text="Share of the answers that chose it.")
    answers = serializers.IntegerField()
    decided_at = serializers.DateTimeField()
    purpose = serializers.ChoiceField(choices=_PURPOSES, allow_null=True)
    worker = serializers.CharField(allow_null=True)
    strategy = serializers.CharField(allow_null=True)
    score = serializers.FloatField(allow_null=True)
    model_version = serializers.IntegerField(allow_null=True)
    staleness = serializers.IntegerField(allow_null=True)
    query_age_s = serializers.FloatField(allow_null=True)
    image_id = serializers.IntegerField()


class QueryShape(serializers.ModelSerializer[Query]):
    """An open query: an image that waits for people, and why it was chosen."""

    image = serializers.CharField(source="image.name")
    image_id = serializers.IntegerField()
    worker = serializers.CharField(source="worker.name", default=None, allow_null=True)
    model_version = serializers.IntegerField(
        source="model_version.version", default=None, allow_null=True
    )

    class Meta:
        model = Query
        fields = [
            "id", "image", "image_id", "purpose", "answers_wanted", "worker", "strategy", "score",
            "model_version", "created_at",
        ]  # fmt: skip


class ModelShape(serializers.ModelSerializer[ModelVersion]):
    """A published version; `stored` says whether its weights can still be downloaded."""

    server = serializers.CharField(source="server.name", default=None, allow_null=True)
    stored = serializers.SerializerMethodField()

    class Meta:
        model = ModelVersion
        fields = [
            "version", "server", "role", "architecture", "labels_seen", "trained_on",
            "train_seconds", "accuracy", "accuracy_low", "accuracy_high", "audit_accuracy",
            "audit_low", "audit_high", "audit_count", "ece", "temperature", "sha256", "size",
            "stored", "published_at",
        ]  # fmt: skip

    def get_stored(self, version: ModelVersion) -> bool:
        """Whether the weights are kept; old versions lose theirs."""
        return bool(version.key)


class AnnotatorShape(serializers.ModelSerializer[Annotator]):
    """A person's part in a campaign; null once the person is erased."""

    username = serializers.CharField(source="user.username", default=None, allow_null=True)

    class Meta:
        model = Annotator
        fields = ["id", "pseudonym", "username", "active", "joined_at"]
