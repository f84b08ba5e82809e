"""How the models of an experiment are trained: as the product does, or as in the paper's time."""

from typing import Final

import torch

from al_engine.training.recipe import Recipe, default_recipe
from al_lab.config.settings import Model

_EPOCHS: Final = 30
_BATCH: Final = 64
# A deep network learns nothing in a few hundred steps of 0.05, with batch norm or without.
_RATES: Final = {"small_cnn": 0.05}
_RATE: Final = 0.01


def recipe_for(model: Model, *, image_size: int, labels: int, device: torch.device) -> Recipe:
    """The recipe of a model for so many labels."""
    if model.recipe == "plain":
        return plain_recipe(model.architecture, image_size=image_size, warm_start=model.warm_start)
    return default_recipe(
        model.architecture,
        image_size=image_size,
        labels=labels,
        device=device,
        warm_start=model.warm_start,
    )


def plain_recipe(architecture: str, *, image_size: int, warm_start: str) -> Recipe:
    """A recipe as of the paper's time: it does not say how its VGG-16 is trained.

    Stochastic gradient descent with momentum 0.9 and weight decay 5e-4 on all weights, batches of
    64, a learning rate that falls to a tenth after a half and three quarters of 30 epochs (100
    steps at least), shifts and mirror images, every label counting the same. VGG-16 without batch
    norm learns by it, too.
    """
    return Recipe(
        architecture=architecture,
        image_size=image_size,
        batch_size=_BATCH,
        epochs=_EPOCHS,
        min_steps=100,
        max_steps=100_000,
        learning_rate=_RATES.get(architecture, _RATE),
        weight_decay=5e-4,
        augment="shift_flip",
        warm_start="scratch" if warm_start == "scratch" else "shrink_perturb",
        time_budget_s=None,
        class_balance="none",
        optimiser="sgd",
        schedule="steps",
    )
