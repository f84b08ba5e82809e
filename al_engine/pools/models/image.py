"""Images, each in exactly one pool, and the counters of the pools."""

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from al_engine.decisions.rules import CELLS
from al_engine.pools.models.campaign import Campaign, Choice


class Image(models.Model):
    """One item (the paper's x)."""

    class Split(models.TextChoices):
        POOL = "pool", "pool"
        HOLDOUT = "holdout", "holdout"
        GOLD = "gold", "gold"

    class State(models.TextChoices):
        UNLABELED = "unlabeled", "unlabeled (D)"
        QUERIED = "queried", "queried (S)"
        LABELED = "labeled", "labeled (L)"
        EXCLUDED = "excluded", "excluded"
        RESERVED = "reserved", "reserved (holdout, gold)"

    class ExcludedFor(models.TextChoices):
        """A verdict of people, or a machine's finding about the image's files."""

        VERDICT = "verdict", "people called it unusable"
        GONE = "gone", "its file is not there"
        DAMAGED = "damaged", "its file is not what was imported"
        UNDECODABLE = "undecodable", "its file cannot be decoded"

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="images", db_index=False
    )
    position = models.PositiveIntegerField(help_text="Row in the image cache; dense from 0.")
    sha256 = models.CharField(max_length=64, help_text="Of the file as it was imported.")
    name = models.CharField(max_length=500, help_text="Path inside the import.")
    key = models.CharField(max_length=200, help_text="Where the storage has it.")
    width = models.PositiveIntegerField(help_text="As imported, upright, in pixels.")
    height = models.PositiveIntegerField(help_text="As imported, upright, in pixels.")
    size = models.PositiveIntegerField(help_text="Bytes.")
    # The copy that people are shown. NULL, not empty, if they see the imported file: the statements
    # that lease turns fall back to it by coalesce().
    display_key = models.CharField(  # noqa: DJ001 - see above
        max_length=200, null=True, blank=True, help_text="Where the storage has the copy shown."
    )
    display_width = models.PositiveIntegerField(null=True, blank=True)
    display_height = models.PositiveIntegerField(null=True, blank=True)
    display_size = models.PositiveIntegerField(null=True, blank=True, help_text="Bytes.")
    cell = models.PositiveSmallIntegerField(help_text="Its slice of D.")
    split = models.CharField(max_length=8, choices=Split, default=Split.POOL)
    state = models.CharField(max_length=10, choices=State, default=State.UNLABELED)
    # `state` if it is unlabeled or excluded, else NULL. The indexes use this column, not `state`:
    # an answer moves an image from S to L and so changes no indexed column, and PostgreSQL updates
    # no index of the largest table (a HOT update).
    resting = models.GeneratedField(
        expression=Case(
            When(state__in=["unlabeled", "excluded"], then=F("state")), default=Value(None)
        ),
        output_field=models.CharField(max_length=10, null=True),
        db_persist=True,
    )
    # The class given at the import, for holdout, gold and simulated annotators. Never sent with a
    # query.
    known_choice = models.ForeignKey(
        Choice, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    known_disputed = models.BooleanField(
        db_default=False,
        editable=False,
        help_text="It was given two classes: it has none until a table says which.",
    )
    problem = models.CharField(max_length=300, blank=True, help_text="Why it is excluded.")
    # A machine's finding is no verdict: it is kept apart, and putting the image back reverts it.
    excluded_for = models.CharField(
        max_length=11, choices=ExcludedFor, db_default="", blank=True, editable=False
    )
    put_back_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last put back, for everybody."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            # The same picture is imported once, however often the import runs.
            models.UniqueConstraint(fields=["campaign", "sha256"], name="image_once"),
            models.UniqueConstraint(fields=["campaign", "position"], name="image_position"),
            models.CheckConstraint(condition=Q(cell__lt=CELLS), name="image_cell"),
            models.CheckConstraint(
                condition=Q(state__in=["unlabeled", "queried", "labeled", "excluded", "reserved"]),
                name="image_state",
            ),
            models.CheckConstraint(
                condition=Q(
                    display_key__isnull=True,
                    display_width__isnull=True,
                    display_height__isnull=True,
                    display_size__isnull=True,
                )
                | Q(
                    display_key__gt="",
                    display_width__gt=0,
                    display_height__gt=0,
                    display_size__gt=0,
                ),
                name="image_display",
            ),
            # Holdout and gold images never enter D, S or L.
            models.CheckConstraint(
                condition=Q(state="excluded")
                | (Q(split="pool") & ~Q(state="reserved"))
                | (~Q(split="pool") & Q(state="reserved")),
                name="image_split_state",
            ),
        ]
        indexes = [
            # What a worker may score: D by cell.
            models.Index(
                fields=["campaign", "cell", "position"],
                condition=Q(resting="unlabeled"),
                name="image_unlabeled",
            ),
            models.Index(
                fields=["campaign", "split"],
                condition=~Q(split="pool"),
                name="image_reserved",
            ),
            # Images set aside whose files are checked again.
            models.Index(
                fields=["campaign", "id"],
                condition=Q(excluded_for__in=["gone", "damaged"]),
                name="image_set_aside",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_key(self) -> str:
        """The storage key of the file that people are shown."""
        return self.display_key or self.key


class Counter(models.Model):
    """Sizes of the pools, kept by triggers on images and labels (migration 0002).

    A campaign has several rows, one per slot, so that writers seldom meet on one row;
    the size of a pool is the sum over them. No count ever walks D or L.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    slot = models.PositiveSmallIntegerField()
    unlabeled = models.IntegerField(db_default=0)
    queried = models.IntegerField(db_default=0)
    labeled = models.IntegerField(db_default=0)
    excluded = models.IntegerField(db_default=0)
    reserved = models.IntegerField(db_default=0)
    answers = models.IntegerField(db_default=0, help_text="Labels ever stored.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "slot"], name="counter_slot"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}/{self.slot}"
