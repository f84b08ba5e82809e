"""All that decides the course of one simulated campaign, as plain data.

A configuration file is read into these (`config.py`); results carry them, so that whoever reads a
result knows what was run. Times are seconds of the virtual clock.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Mode = Literal["asynchronous", "synchronous"]
Take = Literal["random", "best"]
Partition = Literal["random", "clusters"]
ModelChoice = Literal["latest", "most_labels", "best_validation"]


@dataclass(frozen=True, slots=True)
class Data:
    """Which images, and which of them.

    `name`: a file or folder under `--data`, or `torchvision:CIFAR10` and the like; more in
    `data.py`. `train` and `test`: a random sample of so many, 0 for all. `copies`: how often each
    pool image is there. `validation`: so many other images of the training part, kept apart for
    `best_validation`.
    """

    name: str
    image_size: int
    train: int = 0
    test: int = 0
    copies: int = 1
    validation: int = 0


@dataclass(frozen=True, slots=True)
class Labels:
    """`initial` labels are there at the start, drawn at random; the campaign ends at `budget`.

    Accuracy is measured each time `evaluate_every` labels have come, and at both ends; with `bound`
    the terms of the paper's Theorem 1 are estimated there, too.
    """

    initial: int
    budget: int
    evaluate_every: int
    bound: bool = False


@dataclass(frozen=True, slots=True)
class People:
    """`count` annotators, each `seconds_per_label` a label; wrong with chance `error_rate`.

    `crowd`: a CSV of recorded labels in `crowd_labels.zip`, from which each answer is drawn
    instead. `answers_per_image`: how many people are asked; the most frequent answer counts.
    `ahead`: queries that each one holds beyond the one before their eyes, and that no newer model
    exchanges. The product exchanges them within a moment where `refresh` is on, and else has two
    or so.
    """

    count: int = 1
    seconds_per_label: float = 1.0
    error_rate: float = 0.0
    crowd: str = ""
    answers_per_image: int = 1
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Clock:
    """How long machines take: given numbers, or None for what was measured while it ran.

    A given training takes `training` + `training_per_label` for each label in it, a given pass
    over D_j `scoring` + `scoring_per_image` for each image in it.
    """

    training: float | None = None
    training_per_label: float = 0.0
    scoring: float | None = None
    scoring_per_image: float = 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """`recipe`: `product`, the recipe of the product; `plain`, one as of the paper's time."""

    architecture: str = "small_cnn"
    recipe: Literal["product", "plain"] = "product"
    warm_start: Literal["scratch", "shrink_perturb"] = "scratch"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Servers, workers and the pools between them.

    `devices`: what the servers share, 0 for one each; a training takes servers / devices times as
    long where devices are fewer. `batch_size`: that of the paper; 0 for the product's adaptive
    depth of S. `depth_floor`: of the adaptive depth. `take`: people take a random query from S
    (the paper), or always the best scored one of a continuous ranking. `imposed_staleness`:
    workers see only models that lack at least so many of the newest labels. `filtered`: copies
    are asked last. `offset`: server i of m starts i/m of a training later than the first.
    """

    mode: Mode = "asynchronous"
    servers: int = 1
    devices: int = 0
    workers: int = 10
    strategies: tuple[str, ...] = ("entropy", "least_confidence", "margin")
    batch_size: int = 0
    depth_floor: int = 100
    refresh: bool = True
    take: Take = "random"
    partition: Partition = "random"
    model_choice: ModelChoice = "latest"
    min_new_labels: int = 1
    imposed_staleness: int = 0
    filtered: bool = True
    offset: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """One arm of an experiment; with a seed it is one run."""

    arm: str
    data: Data
    labels: Labels
    people: People = field(default_factory=People)
    clock: Clock = field(default_factory=Clock)
    model: Model = field(default_factory=Model)
    arrangement: Arrangement = field(default_factory=Arrangement)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in `results.jsonl`."""
        return asdict(self)
