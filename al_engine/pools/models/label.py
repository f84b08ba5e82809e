"""L: labels as append-only facts, and the consensus of each image."""

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from al_engine.pools.models.campaign import Annotator, Campaign, Choice
from al_engine.pools.models.image import Image
from al_engine.pools.models.query import Query, Turn


class Label(models.Model):
    """One answer of one person: written once, never changed, only retracted."""

    # `image`, `query` and `campaign` are copied from the turn in the statement that inserts the
    # label. No reference but `choice` has a foreign key constraint: see Turn.
    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.CASCADE,
        related_name="labels",
        db_index=False,
        db_constraint=False,
    )
    image = models.ForeignKey(
        Image, on_delete=models.CASCADE, related_name="labels", db_index=False, db_constraint=False
    )
    query = models.ForeignKey(
        Query, on_delete=models.CASCADE, related_name="labels", db_index=False, db_constraint=False
    )
    turn = models.ForeignKey(
        Turn,
        on_delete=models.DO_NOTHING,
        related_name="labels",
        db_index=False,
        db_constraint=False,
    )
    annotator = models.ForeignKey(
        Annotator,
        on_delete=models.RESTRICT,
        related_name="labels",
        db_index=False,
        db_constraint=False,
    )
    choice = models.ForeignKey(Choice, on_delete=models.RESTRICT, related_name="+", db_index=False)
    client_id = models.UUIDField(help_text="Made by the client: its effect happens once.")
    answered_at = models.DateTimeField(db_default=Now())
    shown_ms = models.PositiveIntegerField(help_text="How long the image was in view.")
    late = models.BooleanField(db_default=False, help_text="The lease had run out.")
    staleness = models.IntegerField(
        null=True, help_text="Labels of L that the model behind the query had not seen."
    )
    retracted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # A message has its effect once, however often it arrives.
            models.UniqueConstraint(fields=["annotator", "client_id"], name="label_message_once"),
            # The same person never counts twice on an image.
            models.UniqueConstraint(
                fields=["image", "annotator"],
                condition=Q(retracted_at__isnull=True),
                name="label_person_once",
            ),
        ]
        indexes = [models.Index(fields=["campaign", "id"], name="label_campaign")]

    def __str__(self) -> str:
        return f"label {self.pk}"


class Consensus(models.Model):
    """The consensus of an image's answers now. A row without a choice: its answers were undone.

    `changed_in` is the transaction that wrote the row last. A reader of L starts at the horizon of
    its previous snapshot, and so misses no row although transactions commit out of order
    (`labeled.follow`).
    """

    image = models.OneToOneField(
        Image,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="consensus",
        db_constraint=False,
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    query = models.ForeignKey(
        Query, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    choice = models.ForeignKey(
        Choice,
        # The underlying labels keep the class from being deleted.
        on_delete=models.RESTRICT,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    confidence = models.FloatField(help_text="Share of the answers that chose it.")
    answers = models.PositiveSmallIntegerField()
    decided_at = models.DateTimeField(db_default=Now())
    changed_in = models.BigIntegerField(
        db_default=RawSQL("pg_current_xact_id()::text::bigint", []),
    )

    class Meta:
        ordering = ["image_id"]
        verbose_name_plural = "consensus"
        indexes = [models.Index(fields=["campaign", "changed_in"], name="consensus_changes")]

    def __str__(self) -> str:
        return f"consensus on image {self.image_id}"
