"""How a model is trained: the numbers, and how they follow from the number of labels."""

from dataclasses import dataclass
from typing import Literal

import torch

from al_engine.training.pixels import Augment

WarmStart = Literal["scratch", "shrink_perturb"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides a training except the data and the seed.

    The number of steps is that of `epochs` passes over the labels, but `min_steps` at least and
    `max_steps` at most. `time_budget_s` (seconds, None for no limit) ends a training early with
    its schedule complete; the result then depends on the speed of the machine.
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

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            raise ValueError("The batch size is 2 or more: batch norm cannot learn from one image.")
        if self.epochs < 1 or not 1 <= self.min_steps <= self.max_steps:
            raise ValueError(
                "A recipe needs epochs >= 1 and 1 <= min_steps <= max_steps; these are "
                f"{self.epochs}, {self.min_steps} and {self.max_steps}."
            )

    def steps(self, labels: int) -> int:
        """The number of optimiser steps for this many labels."""
        wanted = -(-self.epochs * labels // self.batch_size)
        return min(self.max_steps, max(self.min_steps, wanted))


def default_recipe(
    architecture: str,
    *,
    image_size: int,
    labels: int,
    device: torch.device,
    warm_start: WarmStart = "scratch",
) -> Recipe:
    """A recipe that suits the number of labels (1 or more) and the device.

    Short, because a selection is only as good as its model is fresh. Augmentation is by shifts
    alone: whether a mirrored image keeps its label only the campaign knows.
    """
    on_gpu = device.type != "cpu"
    # A GPU takes 512 images in about the time of 64; but few labels need many steps more than
    # they need large batches, so a batch is never much more than a tenth of them.
    largest = 512 if on_gpu else 64
    batch_size = 16
    while batch_size < largest and batch_size * 10 < labels:
        batch_size *= 2
    plain_vgg = architecture == "vgg16"
    return Recipe(
        architecture=architecture,
        image_size=image_size,
        batch_size=batch_size,
        epochs=20,
        min_steps=100,
        max_steps=4000 if on_gpu else 1500,
        # Without batch norm, sixteen layers do not survive the larger steps.
        learning_rate=3e-4 if plain_vgg else 5e-3,
        weight_decay=5e-4 if plain_vgg else 5e-2,
        augment="shift",
        warm_start=warm_start,
        time_budget_s=None,
    )
