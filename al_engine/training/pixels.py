"""From uint8 pixels to the normalized floats that a network takes, optionally augmented."""

from functools import cache
from typing import Literal

import torch
from torch import Tensor

from al_engine.architectures.classifier import MEAN, STD

Augment = Literal["none", "shift", "shift_flip"]

# ImageNet's channel statistics, for every campaign. Most pretrained backbones expect them, and
# those of timm that expect others normalize anew; networks from scratch start with batch norm or a
# learned layer, so for them they do not matter. A constant cannot differ between the process that
# trains and the processes that score.
_MEAN = tuple(255 * each for each in MEAN)
_STD = tuple(255 * each for each in STD)


def normalize(images: Tensor) -> Tensor:
    """uint8 (n, 3, S, S) to float32 of about zero mean and unit variance, channels last."""
    # Permute the bytes rather than the floats: a quarter of the memory to move.
    return _normalize(images.permute(0, 2, 3, 1).contiguous())


def largest_shift(image_size: int) -> int:
    """The largest shift in px: an eighth of the side; at CIFAR's 32 px the usual 4 px."""
    return max(1, image_size // 8)


def lay_out(images: Tensor, *, augment: Augment) -> Tensor:
    """Lay out images for `cut_batch`: uint8 (n, 3, S, S) to (n, S + 2m, S + 2m, 3).

    If images are to be shifted, their edges are repeated m = `largest_shift` pixels outward: a
    shifted image is then a window, copied row by row without arithmetic for each pixel. Without
    shifts m is 0.
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
    """The chosen images as a normalized, augmented batch, without Python code for each image.

    `pixels`: images of `image_size` px laid out by `lay_out` for the same `augment`, on the device.
    `chosen`: int64 (b,). Returns float32 (b, 3, S, S), channels last. `shift` moves each image by
    up to `largest_shift` px along both axes, repeating its edge; `shift_flip` also mirrors half of
    the images, which is wrong for digits, letters and all else whose left and right differ.
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
    # Work on rows of S * 3 numbers: three channels alone are too few for a CPU's vector units.
    rows = pixels.float().view(-1, side * 3)
    torch.addcmul(offset, rows, scale, out=rows)
    return rows.view(pixels.shape).permute(0, 3, 1, 2)


@cache
def _scale_and_offset(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(S * 3,) each, on the device: x * scale + offset = (x - mean) / standard deviation."""
    with torch.inference_mode(mode=False):
        mean, std = torch.tensor(_MEAN), torch.tensor(_STD)
        return (1 / std).repeat(side).to(device), (-mean / std).repeat(side).to(device)
