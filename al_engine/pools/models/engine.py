"""g*, the engine's processes, the cells that workers hold, and samples for the live page."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from al_engine.decisions.rules import CELLS
from al_engine.pools.models.campaign import Campaign


class EngineProcess(models.Model):
    """A server or worker of the paper, what embeds images for them, or the engine that runs them.

    The row outlives the processes that run as it. An engine has a row in each of its campaigns.
    """

    class Role(models.TextChoices):
        SERVER = "server", "server"
        WORKER = "worker", "worker"
        EMBEDDER = "embedder", "embedder"
        ENGINE = "engine", "engine"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="processes")
    role = models.CharField(max_length=8, choices=Role)
    name = models.CharField(max_length=60)
    host = models.CharField(max_length=200, blank=True)
    pid = models.PositiveIntegerField(null=True)
    device = models.CharField(max_length=100, blank=True)
    strategy = models.CharField(
        max_length=100, blank=True, help_text="Of a worker; of an embedder its architecture."
    )
    state = models.CharField(max_length=200, blank=True, help_text="What it does now.")
    idle = models.BooleanField(db_default=False, help_text="It has nothing to do now.")
    depth = models.PositiveIntegerField(db_default=0, help_text="Queries it wants open in S.")
    last_error = models.TextField(blank=True)
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["campaign_id", "role", "id"]
        verbose_name_plural = "engine processes"
        constraints = [
            models.UniqueConstraint(fields=["campaign", "role", "name"], name="process_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Cell(models.Model):
    """A slice of D and the worker that holds it. D_j: unlabeled images of worker j's cells."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="cells")
    cell = models.PositiveSmallIntegerField()
    worker = models.ForeignKey(
        EngineProcess, on_delete=models.SET_NULL, null=True, related_name="cells"
    )
    lease_expires = models.DateTimeField(null=True)

    class Meta:
        ordering = ["campaign_id", "cell"]
        constraints = [
            # A cell is held by one worker at a time.
            models.UniqueConstraint(fields=["campaign", "cell"], name="cell_once"),
            models.CheckConstraint(condition=models.Q(cell__lt=CELLS), name="cell_number"),
        ]

    def __str__(self) -> str:
        return f"cell {self.cell}"


class ModelVersion(models.Model):
    """One published model (the paper's g_i). A visible row is complete: its weights are stored."""

    class Role(models.TextChoices):
        SELECTION = "selection", "selection"
        DELIVERY = "delivery", "delivery"

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="models", db_index=False
    )
    version = models.PositiveIntegerField(help_text="1, 2, 3 … within the campaign.")
    server = models.ForeignKey(EngineProcess, on_delete=models.SET_NULL, null=True)
    role = models.CharField(
        max_length=9,
        choices=Role,
        default=Role.SELECTION,
        help_text="Workers choose queries with selection models; delivery models are the result.",
    )
    architecture = models.CharField(max_length=100)
    labels_seen = models.PositiveIntegerField(help_text="Size of L when its training began.")
    trained_on = models.PositiveIntegerField(help_text="Of these, without audits.")
    train_seconds = models.FloatField()
    accuracy = models.FloatField(null=True, help_text="On the holdout.")
    accuracy_low = models.FloatField(null=True)
    accuracy_high = models.FloatField(null=True)
    audit_accuracy = models.FloatField(null=True, help_text="On audit labels.")
    audit_low = models.FloatField(null=True)
    audit_high = models.FloatField(null=True)
    audit_count = models.PositiveIntegerField(default=0)
    ece = models.FloatField(null=True, help_text="Calibration error on audit labels.")
    temperature = models.FloatField(
        default=1.0, help_text="Logits are divided by it, so that probabilities are honest."
    )
    key = models.CharField(
        max_length=200, blank=True, help_text="Weights in the storage; empty once pruned."
    )
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    published_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["campaign_id", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "version"], name="version_once"),
        ]
        indexes = [
            # Of thousands of versions the weights of some dozens are kept.
            models.Index(
                fields=["campaign", "version"], condition=~models.Q(key=""), name="version_stored"
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.version}"


class Ranking(models.Model):
    """The images a worker would ask next: the result of its last look at D_j; S is filled from it.

    One row per worker, replaced by each look. `number` counts the looks.
    """

    worker = models.OneToOneField(
        EngineProcess, on_delete=models.CASCADE, primary_key=True, related_name="ranking"
    )
    number = models.PositiveBigIntegerField(db_default=0)
    strategy = models.CharField(max_length=60, blank=True)
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # Images of D_j, best first, their scores, and how many of them S has been offered.
    images = ArrayField(models.BigIntegerField(), db_default=[])
    scores = ArrayField(models.FloatField(), db_default=[])
    used = models.PositiveIntegerField(db_default=0)
    # Open queries that the worker would not ask now, open queries that it would ask again, and the
    # new scores of the latter.
    withdraw = ArrayField(models.BigIntegerField(), db_default=[])
    confirmed = ArrayField(models.BigIntegerField(), db_default=[])
    confirmed_scores = ArrayField(models.FloatField(), db_default=[])
    ranked_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"ranking {self.number} of worker {self.worker_id}"


class Sample(models.Model):
    """What one web process saw in a few seconds, and the sizes of the pools at their end."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="samples", db_index=False
    )
    source = models.CharField(max_length=200, help_text="host:pid of the web process.")
    taken_at = models.DateTimeField(db_default=Now())
    seconds = models.FloatField()
    connected = models.PositiveIntegerField()
    answers = models.PositiveIntegerField()
    dry = models.PositiveIntegerField(help_text="Waits that began with an empty buffer.")
    waits = ArrayField(models.PositiveIntegerField(), help_text="Histogram; see pools/waits.py.")
    unlabeled = models.PositiveIntegerField()
    queried = models.PositiveIntegerField()
    labeled = models.PositiveIntegerField()
    open_queries = models.PositiveIntegerField()
    target_depth = models.PositiveIntegerField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["campaign", "taken_at"], name="sample_time")]

    def __str__(self) -> str:
        return f"sample {self.pk}"
