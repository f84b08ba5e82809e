"""How models are trained: as in the product, or as was usual in the paper's time."""

from typing import Final

import torch

from al_engine.training.recipe import Recipe, default_recipe
from al_lab.config.settings import Model

_EPOCHS: Final = 30
_BATCH_IMAGES: Final = 64
# Deep networks learn nothing in a few hundred steps at 0.05, with or without batch norm.
_LEARNING_RATES: Final = {"small_cnn": 0.05}
_DEFAULT_LEARNING_RATE: Final = 0.01


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
    """A usual recipe of the paper's time; the paper does not say how its VGG-16 is trained.

    Stochastic gradient descent with momentum 0.9 and weight decay 5e-4 on all weights; batches of
    64; 30 epochs, 100 steps at least; the learning rate falls to a tenth after a half and again
    after three quarters of them; shifts and mirror images; equal weights of all labels. VGG-16
    without batch norm learns with it, too.
    """
    return Recipe(
        architecture=architecture,
        image_size=image_size,
        batch_size=_BATCH_IMAGES,
        epochs=_EPOCHS,
        min_steps=100,
        max_steps=100_000,
        learning_rate=_LEARNING_RATES.get(architecture, _DEFAULT_LEARNING_RATE),
        weight_decay=5e-4,
        augment="shift_flip",
        warm_start="scratch" if warm_start == "scratch" else "shrink_perturb",
        time_budget_s=None,
        class_balance="none",
        optimizer="sgd",
        schedule="steps",
    )
