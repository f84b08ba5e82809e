"""Drawn features and targets that a head is fitted to."""

from typing import Final

import torch
from torch import Tensor

WIDTH: Final = 1_280


def drawn(count: int, classes: int) -> tuple[Tensor, Tensor]:
    """Like embeddings: classes that overlap in a few strong common directions, cut off at 0.

    Float32 (count, 1280) and int64 (count,).
    """
    generator = torch.Generator().manual_seed(1)
    targets = torch.randint(0, classes, (count,), generator=generator)
    falling = torch.arange(1, WIDTH + 1).float().pow(-0.5)
    mix = torch.randn(WIDTH, WIDTH, generator=generator) * falling[:, None]
    centers = torch.randn(classes, WIDTH, generator=generator)
    inner = torch.randn(count, WIDTH, generator=generator) + 0.15 * centers[targets]
    return (inner @ mix).relu_(), targets
