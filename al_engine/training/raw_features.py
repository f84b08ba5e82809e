"""Embeddings without a model, for telling images apart before the first model."""

import torch
from torch import Tensor
from torch.nn import functional

from al_engine.strategies.clusters import k_means

GRID_SIDE_CELLS = 8
"""Cells along a side that images are averaged to: details say little about their content."""
COMPONENTS = 32
"""Principal components that are kept, at most."""
_SAMPLE_IMAGES = 4_096


def raw_features(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Principal components of coarse pixels, float32 (n, d), of images, uint8 (n, 3, S, S).

    d is 32 at most. Without images the shape is (0, 0).
    """
    return project_on_components(average_to_grid(images), generator=generator)


def average_to_grid(images: Tensor) -> Tensor:
    """Images, uint8 (n, 3, S, S), averaged to 8 × 8 cells: float32 (n, 192), from 0 to 1."""
    parts = torch.split(images, _SAMPLE_IMAGES)
    return torch.cat(
        [
            functional.adaptive_avg_pool2d(part.float() / 255, GRID_SIDE_CELLS).flatten(1)
            for part in parts
        ]
    )


def project_on_components(points: Tensor, *, generator: torch.Generator) -> Tensor:
    """Points, float32 (n, w), projected on their first principal components: float32 (n, d <= 32).

    The components come from at most 4,096 points drawn by `generator`, so the cost is linear in n.
    """
    count = points.shape[0]
    if not count:
        return torch.empty(0, 0)
    drawn = torch.randperm(count, generator=generator)[:_SAMPLE_IMAGES]
    centered = points - points[drawn].mean(dim=0)
    # The right singular vectors of the centered sample are its principal axes.
    _, _, axes = torch.linalg.svd(centered[drawn], full_matrices=False)
    features: Tensor = centered @ axes[:COMPONENTS].T
    return features


def group_alike(points: Tensor, groups: int, *, generator: torch.Generator) -> Tensor:
    """The group of each image, for `partition = clusters`: int64 (n,), numbers below `groups`.

    `points`: the images as `average_to_grid` returns them. Groups are clusters of k-means over
    their principal components.
    """
    return k_means(project_on_components(points, generator=generator), groups, generator=generator)
