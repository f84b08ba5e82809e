"""From uint8 pixels on the device to the floats a network takes, augmented or not."""

from typing import Literal

import torch
from torch import Tensor

Augment = Literal["none", "shift", "shift_flip"]

# ImageNet's channel statistics, for every campaign: pretrained backbones expect them, networks
# from scratch start with batch norm or a learned layer and are indifferent, and a constant cannot
# differ between the process that trains and those that score.
_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


def normalise(images: Tensor) -> Tensor:
    """uint8 (n, 3, S, S) to float32 of about zero mean and unit variance, same memory layout."""
    mean = torch.tensor(_MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(_STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() - mean) / std


def largest_shift(image_size: int) -> int:
    """Pixels an image may be moved by: an eighth of its side, 4 px at CIFAR's 32 as is usual."""
    return max(1, image_size // 8)


def batch_of(
    images: Tensor, chosen: Tensor, *, augment: Augment, generator: torch.Generator
) -> Tensor:
    """The chosen images as a normalised, augmented batch, without Python for each image.

    `images`: uint8 (n, S, S, 3) on the device, so that one pixel's channels lie together.
    `chosen`: int64 (b,). Returns float32 (b, 3, S, S), channels last. `shift` moves each image by
    up to `largest_shift` both ways, repeating its edge; `shift_flip` also mirrors half of them,
    which is wrong for digits, letters and everything that has a left and a right.
    """
    if augment == "none":
        return normalise(images[chosen].permute(0, 3, 1, 2))
    count, side, device = chosen.shape[0], images.shape[1], images.device
    reach = largest_shift(side)
    offsets = torch.randint(
        -reach, reach + 1, (2, count, 1), generator=generator, device=device
    )  # (2, b, 1)
    axis = torch.arange(side, device=device)
    rows, columns = (axis + offsets).clamp(0, side - 1)  # (b, S) each
    if augment == "shift_flip":
        mirrored = torch.rand(count, 1, generator=generator, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    shifted = images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]  # (b, S, S, 3)
    return normalise(shifted.permute(0, 3, 1, 2))
