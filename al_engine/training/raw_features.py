"""Embeddings without a model, for telling images apart before the first model."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from al_engine.strategies.base import Embeddings
from al_engine.strategies.clusters import k_means

GRID_SIDE_CELLS: Final = 8
"""Cells along a side that images are averaged to: details say little about their content."""
COMPONENTS: Final = 32
"""Principal components that are kept, at most."""
_SAMPLE_IMAGES: Final = 4_096


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


def project_on_components(points: Embeddings, *, generator: torch.Generator) -> Tensor:
    """Points, float (n, w), projected on their first principal components: float32 (n, d <= 32).

    The components come from at most 4,096 points drawn by `generator`, so the cost is linear in n.
    Points that lie on disk are read block by block.
    """
    count = points.shape[0]
    if not count:
        return torch.empty(0, 0)
    drawn = points[torch.randperm(count, generator=generator)[:_SAMPLE_IMAGES]].float()
    mean = drawn.mean(dim=0)
    # The right singular vectors of the centered sample are its principal axes.
    _, _, axes = torch.linalg.svd(drawn - mean, full_matrices=False)
    kept = axes[:COMPONENTS].T
    return torch.cat(
        [
            (points[start : start + _SAMPLE_IMAGES].float() - mean) @ kept
            for start in range(0, count, _SAMPLE_IMAGES)
        ]
    )


def group_alike(points: Embeddings, groups: int, *, generator: torch.Generator) -> Tensor:
    """The group of each image, for `partition = clusters`: int64 (n,), numbers below `groups`.

    `points`: embeddings, or the images as `average_to_grid` returns them. Groups are clusters of
    k-means over their principal components. Neighboring numbers are of similar groups: a worker
    takes free cells by their numbers, so that D_j is of one part.
    """
    features = project_on_components(points, generator=generator)
    clusters = k_means(features, groups, generator=generator)
    if not len(clusters):
        return clusters
    sizes = clusters.bincount(minlength=groups)
    sums = torch.zeros(groups, features.shape[1]).index_add_(0, clusters, features)
    number = torch.zeros(groups, dtype=torch.int64)
    there = sizes.nonzero()[:, 0]
    number[there[_in_line(sums[there] / sizes[there, None])]] = torch.arange(len(there))
    return number[clusters]


def _in_line(centers: Tensor) -> Tensor:
    """An order of centers, (k, d) → int64 (k,): from the outermost on, always the nearest left."""
    distances = torch.cdist(centers, centers)
    place = int(distances.sum(dim=1).argmax())
    line = [place]
    left = torch.ones(len(centers), dtype=torch.bool)
    while len(line) < len(centers):
        left[place] = False
        place = int(distances[place].masked_fill(~left, torch.inf).argmin())
        line.append(place)
    return torch.tensor(line)
