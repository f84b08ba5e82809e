"""S: the queries that wait for people, and the people's turns at them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Random

from al_engine.pools.models.campaign import Annotator, Campaign
from al_engine.pools.models.engine import EngineProcess, ModelVersion
from al_engine.pools.models.image import Image


class Query(models.Model):
    """One image that a worker selected, with who selected it and why."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        CLOSED = "closed", "closed"
        WITHDRAWN = "withdrawn", "withdrawn"

    class Purpose(models.TextChoices):
        ACTIVE = "active", "active"
        AUDIT = "audit", "audit"
        GOLD = "gold", "gold"

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="queries", db_index=False
    )
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="queries")
    cell = models.PositiveSmallIntegerField(help_text="Of its image.")
    state = models.CharField(max_length=9, choices=State, db_default=State.OPEN)
    purpose = models.CharField(max_length=6, choices=Purpose, db_default=Purpose.ACTIVE)
    answers_wanted = models.PositiveSmallIntegerField(db_default=1)
    worker = models.ForeignKey(
        EngineProcess, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    strategy = models.CharField(max_length=60)
    score = models.FloatField(null=True)
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "queries"
        constraints = [
            # An image has at most one open query, so two workers never ask for the same image.
            models.UniqueConstraint(
                fields=["image"], condition=Q(state="open"), name="query_live_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "closed", "withdrawn"]), name="query_state"
            ),
        ]
        indexes = [
            # The open queries of a worker's cells.
            models.Index(fields=["campaign", "cell"], condition=Q(state="open"), name="query_open"),
            # Withdrawn queries, which may be pruned.
            models.Index(
                fields=["campaign", "closed_at"],
                condition=Q(state="withdrawn"),
                name="query_withdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"query {self.pk}"


class Turn(models.Model):
    """One person's turn at a query. Its id is the `query` of the labeling protocol.

    `image` and `campaign` repeat the query's, because the hot path's indexes need them. No
    reference carries a foreign key constraint: the statement that writes a reference also reads the
    row it refers to, and a check per row and reference would make a batch of labels slow.
    """

    class State(models.TextChoices):
        OPEN = "open", "open"
        LEASED = "leased", "leased"
        ANSWERED = "answered", "answered"
        SKIPPED = "skipped", "skipped"
        CANCELLED = "cancelled", "cancelled"

    class SkipReason(models.TextChoices):
        UNSURE = "unsure", "unsure"
        BAD_IMAGE = "bad_image", "bad image"
        OTHER = "other", "other"
        # Sent by machines: the picture did not show. Never a verdict.
        NOT_FOUND = "not_found", "picture not found"
        NOT_DECODABLE = "not_decodable", "picture not decodable"
        NOT_LOADED = "not_loaded", "picture did not load"

    class Sender(models.TextChoices):
        PERSON = "person", "a person"
        MACHINE = "machine", "a machine"

    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.CASCADE,
        related_name="turns",
        db_index=False,
        db_constraint=False,
    )
    query = models.ForeignKey(
        Query,
        # Turns are found by image, which is indexed; they are deleted with their campaign.
        on_delete=models.DO_NOTHING,
        related_name="turns",
        db_index=False,
        db_constraint=False,
    )
    image = models.ForeignKey(
        Image, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=9, choices=State, db_default=State.OPEN)
    key = models.FloatField(db_default=Random(), help_text="People pick at random along it.")
    annotator = models.ForeignKey(
        Annotator,
        # Annotators are made inactive, not deleted; the turns are deleted with the campaign.
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="turns",
        db_index=False,
        db_constraint=False,
    )
    session = models.UUIDField(null=True, help_text="The connection that holds the lease.")
    lease_expires = models.DateTimeField(null=True)
    # Annotators whose leases of this turn ended: they may still answer late.
    former = ArrayField(models.BigIntegerField(), db_default=[])
    skip_reason = models.CharField(max_length=13, choices=SkipReason, db_default="", blank=True)
    # Who decided to skip: only what a person decides is a verdict.
    skip_sender = models.CharField(max_length=7, choices=Sender, db_default="", blank=True)
    skip_detail = models.CharField(max_length=200, db_default="", blank=True)
    skipped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # One annotator never gets the same image twice.
            models.UniqueConstraint(fields=["image", "annotator"], name="turn_once"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "leased", "answered", "skipped", "cancelled"]),
                name="turn_state",
            ),
            # An open turn has no annotator; a leased one has an annotator and an end.
            models.CheckConstraint(
                condition=Q(state__in=["answered", "skipped", "cancelled"])
                | Q(state="open", annotator__isnull=True, lease_expires__isnull=True)
                | Q(state="leased", annotator__isnull=False, lease_expires__isnull=False),
                name="turn_lease",
            ),
        ]
        indexes = [
            # The claim: S in random order.
            models.Index(fields=["campaign", "key"], condition=Q(state="open"), name="turn_open"),
            # The sweep of leases that ran out. This index and the next hold the same rows; the
            # conditions that their columns are not NULL keep PostgreSQL from scanning all of one
            # for a few rows of the other.
            models.Index(
                fields=["campaign", "lease_expires"],
                condition=Q(state="leased", lease_expires__isnull=False),
                name="turn_expiry",
            ),
            # The turns that one connection holds: resume, renew, give back.
            models.Index(
                fields=["session"],
                condition=Q(state="leased", session__isnull=False),
                name="turn_held",
            ),
            # Skipped turns by image, for the people who run the campaign.
            models.Index(
                fields=["campaign", "image"],
                condition=Q(state="skipped"),
                name="turn_skipped",
            ),
            # Turns whose picture did not show, newest first.
            models.Index(
                fields=["campaign", "skipped_at"],
                condition=Q(
                    state="skipped", skip_reason__in=["not_found", "not_decodable", "not_loaded"]
                ),
                name="turn_unshown",
            ),
        ]

    def __str__(self) -> str:
        return f"turn {self.pk}"


class PastSkip(models.Model):
    """A skip from before its image was put back; the annotator may get the image again."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="past_skips")
    turn = models.BigIntegerField(help_text="The turn that was skipped.")
    annotator = models.ForeignKey(
        Annotator, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    reason = models.CharField(max_length=13, choices=Turn.SkipReason)
    sender = models.CharField(max_length=7, choices=Turn.Sender, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    skipped_at = models.DateTimeField(null=True)
    put_back_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"past skip {self.pk}"
