"""Campaigns, their classes and their people."""

import secrets

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q, TextChoices
from django.db.models.functions import Lower, Now

from al_engine.decisions.architecture import AUTO, problem_of_list


def default_strategies() -> list[str]:
    """What suits the campaign's network and size: `decisions.rules.meant_by`."""
    return ["auto"]


def default_architectures() -> list[str]:
    """What suits the campaign's images: `decisions.architecture.choose`."""
    return [AUTO]


def validate_architectures(names: list[str]) -> None:
    """Raise ValidationError unless these can be the architectures of one campaign."""
    if problem := problem_of_list(names):
        raise ValidationError(problem)


def validate_image_size(side: int) -> None:
    """Raise ValidationError unless this is a side in pixels, or 0 for an automatic one."""
    if side and not 8 <= side <= 512:
        raise ValidationError(f"{side} px: write 0 to have it chosen, or 8 to 512.")


def new_pseudonym() -> str:
    """A random name for a person's answers, which says nothing of the person."""
    return secrets.token_hex(5)


class Campaign(models.Model):
    """One labeling job: images, classes, people and settings (the paper's data set)."""

    class State(TextChoices):
        RUNNING = "running", "running"
        PAUSED = "paused", "paused"
        FINISHED = "finished", "finished"

    class Partition(TextChoices):
        RANDOM = "random", "random"
        CLUSTERS = "clusters", "by what images show"

    class ModelChoice(TextChoices):
        LATEST = "latest", "the latest published"
        MOST_LABELS = "most_labels", "the one that saw most labels"
        BEST_VALIDATION = "best_validation", "the most accurate on the holdout"
        BEST_AUDIT = "best_audit", "of the architecture that is best on audits"

    class WarmStart(TextChoices):
        SCRATCH = "scratch", "from scratch"
        SHRINK_PERTURB = "shrink_perturb", "shrink and perturb the newest"

    slug = models.SlugField(unique=True, help_text="In addresses and commands: /c/<slug>/.")
    title = models.CharField(max_length=200)
    instructions = models.TextField(
        blank=True, help_text="Markdown. Say what decides between two classes that look alike."
    )
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    choices_version = models.PositiveIntegerField(
        default=1,
        editable=False,
        help_text="Counts the changes of its list of classes; kept by the database itself.",
    )

    answers_per_image = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text="Answers of different people that each image gets.",
    )
    max_answers = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text="While the answers disagree, ask on up to this many (empty: never more).",
    )
    confidence = models.FloatField(
        default=0.5,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Share of the answers that the leading class must have before max_answers.",
    )
    lease_seconds = models.PositiveIntegerField(
        default=120,
        validators=[MinValueValidator(5), MaxValueValidator(86_400)],
        help_text="How long a query may lie in one person's buffer.",
    )
    resume_seconds = models.PositiveIntegerField(
        default=30,
        validators=[MaxValueValidator(3_600)],
        help_text="How long a dropped connection keeps its queries.",
    )
    messages_per_second = models.PositiveIntegerField(
        default=20, help_text="Limit per annotator; 0: no limit."
    )
    strategies = ArrayField(
        models.CharField(max_length=60),
        default=default_strategies,
        help_text="Dealt out at random among the workers.",
    )
    architectures = ArrayField(
        models.CharField(max_length=100),
        default=default_architectures,
        validators=[validate_architectures],
        error_messages={"blank": problem_of_list([])},
        help_text="Dealt out among the servers; auto: chosen by the images, once there are some.",
    )
    delivery_architecture = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="Also trained, for delivery alone; empty: what selects is what is delivered.",
    )
    image_size = models.PositiveSmallIntegerField(
        default=0,
        validators=[validate_image_size],
        help_text="Side of the square that the models see, in pixels; 0: chosen automatically.",
    )
    # What the engine chose where settings leave it open; empty and 0 until then.
    chosen_architecture = models.CharField(max_length=100, blank=True, default="", editable=False)
    chosen_image_size = models.PositiveSmallIntegerField(default=0, editable=False)
    chosen_because = models.TextField(blank=True, default="", editable=False)
    servers = models.PositiveSmallIntegerField(default=1, validators=[MaxValueValidator(64)])
    workers = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(64)]
    )
    batch_size = models.PositiveIntegerField(
        default=0, help_text="0: adaptive depth of S. Else the paper's fixed batch size."
    )
    refresh = models.BooleanField(
        default=True, help_text="Replace queries that a newer model would not choose."
    )
    partition = models.CharField(max_length=10, choices=Partition, default=Partition.RANDOM)
    model_choice = models.CharField(max_length=20, choices=ModelChoice, default=ModelChoice.LATEST)
    warm_start = models.CharField(max_length=20, choices=WarmStart, default=WarmStart.SCRATCH)
    min_new_labels = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text="A server trains again after so many new labels.",
    )
    audit_rate = models.FloatField(
        default=0.05,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Share of queries drawn at random from D, for an honest estimate of accuracy.",
    )
    gold_rate = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(0.0)],
        help_text="Share of gold images mixed in. Only 0 is supported by this version.",
    )
    examples_per_class = models.PositiveSmallIntegerField(
        default=4,
        validators=[MaxValueValidator(12)],
        help_text="Gold images of each class that the instructions show.",
    )
    practice_images = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(100)],
        help_text="Gold images to practice with before the first answer that counts; 0: none.",
    )
    budget = models.PositiveIntegerField(
        default=0, help_text="The campaign finishes after so many answers; 0: no limit."
    )
    owners = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="owned_campaigns",
        limit_choices_to={"is_staff": True},
        help_text="Staff whose permissions hold in this campaign.",
    )

    class Meta:
        ordering = ["slug"]
        permissions = [("all_campaigns", "Permissions hold in all campaigns, not only own ones")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["running", "paused", "finished"]), name="campaign_state"
            ),
            models.CheckConstraint(
                condition=Q(max_answers__isnull=True) | Q(max_answers__gte=F("answers_per_image")),
                name="campaign_max_answers",
                violation_error_message="max_answers must not be below answers_per_image.",
            ),
            models.CheckConstraint(condition=Q(answers_per_image__gte=1), name="campaign_answers"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def model_architectures(self) -> list[str]:
        """The networks that are trained; an empty name until the engine has chosen one.

        Each once, also where another entry is what `auto` means.
        """
        named = [self.chosen_architecture if n == AUTO else n for n in self.architectures]
        return list(dict.fromkeys(named))

    @property
    def model_architecture(self) -> str:
        """The first of these: by it images are seen before there is a model."""
        return self.model_architectures[0]

    @property
    def model_image_size(self) -> int:
        """The side (px) at which models see images; 0 until the engine has chosen it."""
        return self.image_size or self.chosen_image_size

    @property
    def is_settled(self) -> bool:
        """Whether both are known."""
        return all(self.model_architectures) and self.model_image_size > 0

    def clean(self) -> None:
        """Refuse a new slug that a command would take for an option; existing slugs stay valid."""
        super().clean()
        if self._state.adding and self.slug.startswith("-"):
            better = self.slug.lstrip("-") or "pets"
            raise ValidationError(
                {
                    "slug": "It may not begin with a dash, which commands take for an option: "
                    f"write for example {better}."
                }
            )


class Choice(models.Model):
    """A class of a campaign. Its id is the `choice` of the labeling protocol."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="choices")
    position = models.PositiveSmallIntegerField(help_text="Order on the page and in the model.")
    name = models.CharField(max_length=200)
    hotkey = models.CharField(max_length=1, blank=True, help_text="One character.")
    color = models.CharField(
        max_length=7,
        default="#0072B2",
        validators=[RegexValidator(r"^#[0-9A-Fa-f]{6}$", "A color is written #RRGGBB.")],
    )

    class Meta:
        ordering = ["campaign_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "name"], name="choice_name"),
            models.UniqueConstraint(fields=["campaign", "position"], name="choice_position"),
            models.UniqueConstraint(
                "campaign",
                Lower("hotkey"),
                condition=~Q(hotkey=""),
                name="choice_hotkey",
                violation_error_message="Two classes of this campaign share a hotkey.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Annotator(models.Model):
    """A person's part in one campaign. Labels refer to this row, so they name no user."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="annotators")
    # NULL once the person is erased; the labels stay with the pseudonym.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="memberships",
    )
    pseudonym = models.CharField(max_length=20, default=new_pseudonym, unique=True)
    active = models.BooleanField(default=True, help_text="Off: may not label any more.")
    joined_at = models.DateTimeField(db_default=Now(), editable=False)
    introduced_at = models.DateTimeField(
        null=True, editable=False, help_text="When the instructions had been shown."
    )
    practiced_at = models.DateTimeField(
        null=True, editable=False, help_text="When the practice was first done to its end."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "user"], name="annotator_once"),
        ]

    def __str__(self) -> str:
        return self.pseudonym
