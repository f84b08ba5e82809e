"""From uint8 pixels on the device to the floats a network takes, augmented or not."""

from functools import cache
from typing import Literal

import torch
from torch import Tensor

Augment = Literal["none", "shift", "shift_flip"]

# ImageNet's channel statistics, for every campaign: pretrained backbones expect them, networks
# from scratch start with batch norm or a learned layer and are indifferent, and a constant cannot
# differ between the process that trains and those that score.
_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


def normalize(images: Tensor) -> Tensor:
    """uint8 (n, 3, S, S) to float32 of about zero mean and unit variance, channels last."""
    # Turned while they are bytes: a quarter of the memory to move.
    return _normalize(images.permute(0, 2, 3, 1).contiguous())


def largest_shift(image_size: int) -> int:
    """Pixels an image may be moved by: an eighth of its side, 4 px at CIFAR's 32 as is usual."""
    return max(1, image_size // 8)


def lay_out(images: Tensor, *, augment: Augment) -> Tensor:
    """Images as `cut_batch` cuts batches from them: uint8 (n, 3, S, S) to (n, S + 2m, S + 2m, 3).

    A pixel's channels lie together. Where images are to be shifted, their edges are repeated
    m = `largest_shift` pixels outwards: a shifted image is then a window, copied row by row
    without arithmetic for each pixel. Without shifts m is 0.
    """
    pixels = images.permute(0, 2, 3, 1)
    if augment == "none":
        return pixels.contiguous()
    count, side = pixels.shape[:2]
    reach = largest_shift(side)
    end = reach + side
    wide = pixels.new_empty(count, side + 2 * reach, side + 2 * reach, 3)
    wide[:, reach:end, reach:end] = pixels
    wide[:, reach:end, :reach] = wide[:, reach:end, reach : reach + 1]
    wide[:, reach:end, end:] = wide[:, reach:end, end - 1 : end]
    wide[:, :reach] = wide[:, reach : reach + 1]
    wide[:, end:] = wide[:, end - 1 : end]
    return wide


def cut_batch(
    pixels: Tensor,
    chosen: Tensor,
    *,
    image_size: int,
    augment: Augment,
    generator: torch.Generator,
) -> Tensor:
    """The chosen images as a normalized, augmented batch, without Python for each image.

    `pixels`: what `lay_out` made of images of `image_size` px for the same `augment`, on the
    device. `chosen`: int64 (b,). Returns float32 (b, 3, S, S), channels last. `shift` moves each
    image by up to `largest_shift` both ways, repeating its edge; `shift_flip` also mirrors half of
    them, which is wrong for digits, letters and everything that has a left and a right.
    """
    if augment == "none":
        return _normalize(pixels.index_select(0, chosen))
    images, wide, side = pixels.shape[0], pixels.shape[1], image_size
    places, device, count = wide - side + 1, pixels.device, chosen.shape[0]
    windows = pixels.as_strided(
        (images, places, places, side, side, 3),
        (wide * wide * 3, wide * 3, 3, wide * 3, 3, 1),
    )
    down, right = torch.randint(0, places, (2, count), generator=generator, device=device)
    shifted = windows[chosen, down, right]  # (b, S, S, 3)
    if augment == "shift_flip":
        mirrored = torch.rand(count, generator=generator, device=device) < 0.5
        shifted = torch.where(mirrored[:, None, None, None], shifted.flip(2), shifted)
    return _normalize(shifted)


def _normalize(pixels: Tensor) -> Tensor:
    """uint8 (b, S, S, 3), contiguous, to normalized float32 (b, 3, S, S), channels last."""
    side = pixels.shape[2]
    scale, offset = _scale_and_offset(side, pixels.device)
    # By rows of S * 3 numbers: along three channels alone a CPU could not use its vectors.
    rows = pixels.float().view(-1, side * 3)
    torch.addcmul(offset, rows, scale, out=rows)
    return rows.view(pixels.shape).permute(0, 3, 1, 2)


@cache
def _scale_and_offset(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(S * 3,) each, on the device: x * scale + offset = (x - mean) / standard deviation."""
    with torch.inference_mode(mode=False):
        mean, std = torch.tensor(_MEAN), torch.tensor(_STD)
        return (1 / std).repeat(side).to(device), (-mean / std).repeat(side).to(device)
