"""Refuse training data that no model can be trained on, with a message for people."""

import torch
from torch import Tensor

from al_engine.training.feed import Images


def check(
    images: Images, targets: Tensor, weights: Tensor | None, *, classes: int, image_size: int
) -> None:
    """Raise ValueError unless images, targets and weights are as `train` takes them."""
    count, side = images.shape[0], image_size
    if count == 0:
        raise ValueError("There are no labeled images to train on; wait for the first answers.")
    if images.dtype != torch.uint8 or tuple(images.shape[1:]) != (3, side, side):
        raise ValueError(
            f"Training images must be uint8 of the shape (n, 3, {side}, {side}); these are "
            f"{images.dtype} of the shape {tuple(images.shape)}."
        )
    if targets.dtype != torch.int64 or targets.shape != (count,):
        raise ValueError(
            f"Targets must be int64 of the shape ({count},); these are {targets.dtype} of the "
            f"shape {tuple(targets.shape)}."
        )
    if int(targets.min()) < 0 or int(targets.max()) >= classes:
        raise ValueError(
            f"Targets must be from 0 to {classes - 1}; these span {int(targets.min())} to "
            f"{int(targets.max())}."
        )
    if weights is not None and (
        weights.shape != (count,)
        or not bool(torch.isfinite(weights).all())
        or float(weights.min()) < 0
        or float(weights.sum()) == 0
    ):
        raise ValueError(
            f"Weights must be {count} finite numbers of 0 or more, and not all of them 0."
        )
