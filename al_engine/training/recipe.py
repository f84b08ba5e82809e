"""The settings of a training, and how they follow from the number of labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch

from al_engine.architectures import starts_published
from al_engine.decisions.architecture import is_finetuned
from al_engine.training.pixels import Augment
from al_engine.training.weighting import ClassBalance

WarmStart = Literal["scratch", "shrink_perturb"]
OptimizerName = Literal["adamw", "sgd"]
Schedule = Literal["one_cycle", "steps"]

# Networks without batch norm diverge at the larger learning rate.
_WITHOUT_BATCH_NORM: Final = frozenset({"vgg16", "convnext_tiny", "vit_b_16"})
# Of a network that learns on from published weights: what `finetuning.py` was measured with.
_LARGEST_BATCH_FINETUNED: Final = 32
_FINETUNING_EPOCHS: Final = 12
_FINETUNING_STEPS: Final = 400
_FINETUNING_RATE: Final = 1e-3
_LARGEST_BATCH_CPU: Final = 64
_LARGEST_BATCH_GPU: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that determines a training except the data and the seed.

    The number of steps is that of `epochs` passes over the labels, but at least `min_steps` and at
    most `max_steps`. `time_budget_s` (seconds, None for no limit) ends a training early with its
    schedule complete; the result then depends on the speed of the machine.

    `label_smoothing` is 0, because it makes a model equally unsure of all images, which harms
    selection by probabilities. `class_balance` is `sqrt`: on Fashion-MNIST, thinned out so that
    class frequencies differ up to tenfold (hundredfold), it gains 2.7 (7.0) points of
    class-averaged accuracy and costs 0.9 (1.2) points of accuracy over all images; with equally
    frequent classes it changes nothing. `pretrained` and `weights_path` are those of
    `architectures.build`. `compiled` lets a GPU run compiled code, see `compiling.py`.

    `sgd` (momentum 0.9, weight decay on all parameters) and `steps` (a tenth of the learning rate
    after half of the steps, a hundredth after three quarters) are the recipe of many papers, for
    experiments.
    """

    architecture: str
    image_size: int
    batch_size: int
    epochs: int
    min_steps: int
    max_steps: int
    learning_rate: float
    weight_decay: float
    augment: Augment
    warm_start: WarmStart
    time_budget_s: float | None
    label_smoothing: float = 0.0
    class_balance: ClassBalance = "sqrt"
    pretrained: bool = False
    weights_path: Path | None = None
    compiled: bool = False
    optimizer: OptimizerName = "adamw"
    schedule: Schedule = "one_cycle"

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            raise ValueError("The batch size is 2 or more: batch norm cannot learn from one image.")
        if self.epochs < 1 or not 1 <= self.min_steps <= self.max_steps:
            raise ValueError(
                "A recipe needs epochs >= 1 and 1 <= min_steps <= max_steps; these are "
                f"{self.epochs}, {self.min_steps} and {self.max_steps}."
            )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"Label smoothing is from 0 to below 1, not {self.label_smoothing}.")

    def steps(self, labels: int) -> int:
        """The number of optimizer steps for this many labels."""
        wanted = -(-self.epochs * labels // self.batch_size)
        return min(self.max_steps, max(self.min_steps, wanted))


def default_recipe(
    architecture: str,
    *,
    image_size: int,
    labels: int,
    device: torch.device,
    warm_start: WarmStart | None = None,
    time_budget_s: float | None = None,
    weights_path: Path | None = None,
) -> Recipe:
    """A recipe that suits the number of labels (1 or more) and the device.

    Trainings are short, because selection needs a fresh model. Augmentation is by shifts alone,
    because a mirrored image need not keep its label.

    Without `warm_start` a training starts from scratch, or by `shrink_perturb` from the former
    model if a time budget may end it early. small_cnn on Fashion-MNIST (200 to 3,200 labels) is
    equally accurate either way with all its steps; with half of them `shrink_perturb` gains 1.6
    points on average.
    """
    on_gpu = device.type != "cpu"
    # A GPU takes 512 images in about the time of 64. But with few labels many steps matter more
    # than large batches, so a batch is never much more than a tenth of the labels.
    largest = _LARGEST_BATCH_GPU if on_gpu else _LARGEST_BATCH_CPU
    batch_size = 16
    while batch_size < largest and batch_size * 10 < labels:
        batch_size *= 2
    if finetuned := is_finetuned(architecture):
        batch_size = min(batch_size, _LARGEST_BATCH_FINETUNED)
    gentle = architecture in _WITHOUT_BATCH_NORM
    return Recipe(
        architecture=architecture,
        image_size=image_size,
        batch_size=batch_size,
        epochs=_FINETUNING_EPOCHS if finetuned else 20,
        min_steps=min(100, _FINETUNING_STEPS) if finetuned else 100,
        max_steps=_FINETUNING_STEPS if finetuned else 4000 if on_gpu else 1500,
        learning_rate=_FINETUNING_RATE if finetuned else 3e-4 if gentle else 5e-3,
        weight_decay=5e-4 if architecture == "vgg16" else 5e-2,
        augment="shift",
        warm_start=warm_start or ("scratch" if time_budget_s is None else "shrink_perturb"),
        time_budget_s=time_budget_s,
        pretrained=starts_published(architecture) and weights_path is None,
        weights_path=weights_path,
        # Few labels train fast, and soon need another batch size: not worth half a minute of
        # compiling for each.
        compiled=device.type == "cuda" and batch_size == largest,
    )
