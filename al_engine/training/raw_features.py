"""Embeddings without any model, for what must tell images apart before there is one."""

import torch
from torch import Tensor
from torch.nn import functional

from al_engine.strategies.clusters import k_means

GRID = 8
"""Images are averaged to so many cells a side: details say little about what is in them."""
WIDTH = 32
"""Principal components that are kept, where there are so many."""
_SAMPLE = 4_096


def raw_features(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Principal components of coarse pixels, float32 (n, d), of images uint8 (n, 3, S, S).

    d is 32 at most. No images give (0, 0).
    """
    return principal(coarse(images), generator=generator)


def coarse(images: Tensor) -> Tensor:
    """Images, uint8 (n, 3, S, S), averaged to 8 × 8 cells: float32 (n, 192), from 0 to 1."""
    parts = torch.split(images, _SAMPLE)
    return torch.cat(
        [functional.adaptive_avg_pool2d(part.float() / 255, GRID).flatten(1) for part in parts]
    )


def principal(points: Tensor, *, generator: torch.Generator) -> Tensor:
    """The first principal components of points, float32 (n, w): float32 (n, 32 at most).

    They are those of at most 4,096 points drawn by `generator`, so that the cost is linear in n.
    """
    count = points.shape[0]
    if not count:
        return torch.empty(0, 0)
    drawn = torch.randperm(count, generator=generator)[:_SAMPLE]
    centred = points - points[drawn].mean(dim=0)
    # The right singular vectors of the centred sample are its principal axes.
    _, _, axes = torch.linalg.svd(centred[drawn], full_matrices=False)
    features: Tensor = centred @ axes[:WIDTH].T
    return features


def groups_of(points: Tensor, groups: int, *, generator: torch.Generator) -> Tensor:
    """Which images look alike, for `partition = clusters`: int64 (n,), numbers below `groups`.

    `points`: what `coarse` makes of the images. K-means over their principal components.
    """
    return k_means(principal(points, generator=generator), groups, generator=generator)
