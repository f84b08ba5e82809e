"""All settings of one simulated campaign, as plain data.

`experiment_file.py` reads configuration files into these. Results contain them, so that each result
says what was run. Times are seconds of the virtual clock.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Mode = Literal["asynchronous", "synchronous"]
Take = Literal["random", "best"]
Partition = Literal["random", "clusters"]
ModelChoice = Literal["latest", "most_labels", "best_validation"]

HEAD: Final = "head"
"""`Model.architecture` where the data are features."""


@dataclass(frozen=True, slots=True)
class Data:
    """Which images, and which of them.

    `name`: a file or folder under `--data`, or `torchvision:CIFAR10` and the like; see
    `data/datasets.py`. `image_size`: the side of the images in pixels, 0 for a feature file.
    `train` and `test`: the size of a random sample, 0 for all. `copies`: how often each image is in
    the pool. `validation`: how many other images of the training part are set aside for
    `best_validation`.
    """

    name: str
    image_size: int = 0
    train: int = 0
    test: int = 0
    copies: int = 1
    validation: int = 0


@dataclass(frozen=True, slots=True)
class Labels:
    """The campaign starts with `initial` labels of random images and ends with `budget` labels.

    Accuracy is measured at both ends and after every `evaluate_every` labels. With `bound`, the
    terms of the paper's Theorem 1 are estimated at the same points.
    """

    initial: int
    budget: int
    evaluate_every: int
    bound: bool = False


@dataclass(frozen=True, slots=True)
class People:
    """`count` annotators; each needs `seconds_per_label` and errs with probability `error_rate`.

    `crowd`: a CSV of recorded labels in `crowd_labels.zip`; answers are drawn from these instead.
    `answers_per_image`: how many people are asked; the most frequent answer counts. `ahead`: how
    many queries a person holds beyond the one on the screen. Newer models do not exchange these. In
    the product a person holds two or so, which are exchanged where `refresh` is on.
    """

    count: int = 1
    seconds_per_label: float = 1.0
    error_rate: float = 0.0
    crowd: str = ""
    answers_per_image: int = 1
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Clock:
    """How long machines take: given numbers, or None for what this machine took.

    A given training takes `training` + `training_per_label` times its labels, a given pass over D_j
    `scoring` + `scoring_per_image` times its images.
    """

    training: float | None = None
    training_per_label: float = 0.0
    scoring: float | None = None
    scoring_per_image: float = 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """`recipe`: `product` trains as the product does, `plain` as was usual in the paper's time.

    `architecture`: one of the product's, or `head` for the features of a feature file: the head
    that the product trains on a frozen backbone.
    """

    architecture: str = "small_cnn"
    recipe: Literal["product", "plain"] = "product"
    warm_start: Literal["scratch", "shrink_perturb"] = "scratch"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Servers, workers and the pools between them.

    `devices`: how many devices the servers share, 0 for one each; with fewer devices than servers,
    a training takes servers / devices times as long. `batch_size`: that of the paper; 0 for the
    product's adaptive depth of S. `depth_floor`: the least adaptive depth. `take`: people take a
    random query from S (the paper), or always the one with the highest score.
    `imposed_staleness`: workers see only models that lack at least so many of the newest labels.
    `filtered`: copies are asked last. `offset`: server i of m starts i/m of a training later than
    the first.
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
    """One arm at one point of the grid; with a seed it is one run."""

    arm: str
    data: Data
    labels: Labels
    people: People = field(default_factory=People)
    clock: Clock = field(default_factory=Clock)
    model: Model = field(default_factory=Model)
    arrangement: Arrangement = field(default_factory=Arrangement)

    def as_dict(self) -> dict[str, Any]:
        """As it is written to `results.jsonl`."""
        return asdict(self)
