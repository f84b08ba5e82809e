"""Strategies that group the images by their embeddings: cluster_margin and typiclust.

The groups are at most MAX_CLUSTERS clusters of k-means over a bounded number of images. Scores are
places in the order of choice, from 1 down to 1/B.
"""

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Final

import torch
from torch import Tensor

from al_engine.strategies.base import (
    Selection,
    best,
    checked,
    checked_budget,
    in_order,
    shuffled,
)
from al_engine.strategies.embeddings import (
    CANDIDATES_PER_CHOICE,
    candidates_of,
    checked_embeddings,
    rows_of,
)
from al_engine.strategies.geometry import Points, spread_at_random
from al_engine.strategies.registry import register
from al_engine.strategies.uncertainty import margins_of

MAX_CLUSTERS: Final = 500
NEIGHBORS: Final = 20
LARGE_CLUSTER_IMAGES: Final = 5
"""typiclust chooses from a cluster of up to this size only when no larger cluster has images left.
"""

_MAX_K_MEANS_ROUNDS: Final = 10
_ROWS_A_BLOCK: Final = 1 << 13
# In a larger cluster typicality is computed among a random part of this many images.
_MAX_IMAGES_COMPARED: Final = 1 << 12


@register(needs=("embeddings",))
def cluster_margin(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """The smallest margins, taken in turns from clusters of similar images [Citovsky et al., 2021].

    The 10 B images with the smallest margins p1 - p2 (k_m in their algorithm 1) are clustered; then
    one random image is drawn from each cluster in turn, the smallest cluster first, until B are
    chosen; a used-up cluster is passed over. The clusters are min(B, 500) clusters of k-means over
    these images; the paper cuts an agglomerative clustering of the whole pool, whose memory grows
    with N².
    """
    probabilities = checked(probabilities)
    embeddings = checked_embeddings(embeddings, probabilities.shape[0])
    count = CANDIDATES_PER_CHOICE * checked_budget(budget)
    rows = best(-margins_of(probabilities), count, generator=generator).indices
    clusters = k_means(
        rows_of(embeddings, rows), min(budget, MAX_CLUSTERS), generator=generator
    ).tolist()
    groups: dict[int, list[int]] = {}
    for place in shuffled(torch.arange(len(clusters)), generator).tolist():
        groups.setdefault(clusters[place], []).append(place)
    # Clusters of equal size stay in the order of their first image, which is random.
    order = _in_turns(sorted(groups.values(), key=len))[:budget]
    return in_order(rows[torch.tensor(order, dtype=torch.int64, device=rows.device)])


@register(needs=("embeddings", "labeled"))
def typiclust(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """The most typical image of each cluster that no label covers yet [Hacohen et al., 2022].

    For the cold start. Labeled and unlabeled images together are grouped into min(|L| + B, 500)
    clusters. Clusters take turns, those with the fewest labeled images first, the largest first
    among these; each turn takes the cluster's most typical image. Typicality is 1 / (mean distance
    to the K nearest unlabeled images of the cluster), with K = 20 or half of a smaller cluster
    (their section 3.2 and, for the limits, their program). Of the probabilities only N is used, so
    no model is needed if the embeddings come from elsewhere.

    From a pool of more than `candidates_of(budget)` images that many are drawn uniformly and
    grouped, which keeps the proportions of densities.
    """
    count = checked(probabilities).shape[0]
    embeddings = checked_embeddings(embeddings, count)
    rows = shuffled(torch.arange(count, device=embeddings.device), generator)
    rows = rows[: candidates_of(checked_budget(budget))]
    points = rows_of(embeddings, rows)
    known = points[:0]
    if labeled is not None:
        labeled = checked_embeddings(labeled, labeled.shape[0], width=embeddings.shape[1])
        known = labeled.to(torch.float32)
    wanted = min(known.shape[0] + budget, MAX_CLUSTERS)
    clusters = k_means(torch.cat([known, points]), wanted, generator=generator).cpu()
    sizes = clusters.bincount(minlength=1)
    covered = clusters[: known.shape[0]].bincount(minlength=len(sizes))
    of_points = clusters[known.shape[0] :]
    places = sorted(set(of_points.tolist()), key=lambda c: (int(covered[c]), -int(sizes[c])))
    large = [c for c in places if sizes[c] > LARGE_CLUSTER_IMAGES]
    small = [c for c in places if sizes[c] <= LARGE_CLUSTER_IMAGES]
    order: list[int] = []
    for some in (large, small):
        # At most `left` clusters get a turn, so no others need their typicality computed.
        left = budget - len(order)
        asked = [_most_typical(points, (of_points == c).nonzero()[:, 0]) for c in some[:left]]
        order += _in_turns(asked)[:left]
    return in_order(rows[torch.tensor(order, dtype=torch.int64, device=rows.device)])


def k_means(points: Tensor, clusters: int, *, generator: torch.Generator) -> Tensor:
    """Each point's cluster: int64 (n,), numbers below `clusters`; some clusters may be empty.

    `points`: float32 (n, d). Lloyd's algorithm in at most ten rounds, seeded by k-means++. On a GPU
    the order of summation varies, which rarely changes the cluster of a point between two centers.
    """
    count = points.shape[0]
    if count == 0 or clusters < 2:
        return torch.zeros(count, dtype=torch.int64, device=points.device)
    points = points - points.mean(dim=0)  # shorter points: less rounding of their distances
    everything = Points.of(points)
    first = int(torch.randint(count, (1,), generator=generator, device=generator.device))
    centers = points[spread_at_random(everything, first, clusters, generator=generator)]
    assigned = _nearest(everything, centers)
    for _ in range(_MAX_K_MEANS_ROUNDS):
        sums = torch.zeros_like(centers).index_add_(0, assigned, points)
        sizes = assigned.bincount(minlength=centers.shape[0])[:, None]
        centers = torch.where(sizes > 0, sums / sizes.clamp_min(1), centers)
        before, assigned = assigned, _nearest(everything, centers)
        if torch.equal(before, assigned):
            break
    return assigned


def _nearest(points: Points, centers: Tensor) -> Tensor:
    """The nearest center of each point: int64 (n,)."""
    targets = Points.of(centers)
    blocks = [
        points.take(slice(start, start + _ROWS_A_BLOCK)).squared_distances(targets).argmin(dim=1)
        for start in range(0, len(points), _ROWS_A_BLOCK)
    ]
    return torch.cat(blocks)


def _most_typical(points: Tensor, members: Tensor) -> list[int]:
    """The members of a cluster, the most typical first.

    Members beyond `_MAX_IMAGES_COMPARED` follow in their given order. Typicality is computed once,
    not anew after each choice: images chosen before remain neighbors.
    """
    some = points[members[:_MAX_IMAGES_COMPARED].to(points.device)]
    part = Points.of(some - some.mean(dim=0))  # shorter points: less rounding of their distances
    neighbors = min(NEIGHBORS, max(1, len(part) // 2), len(part) - 1)
    if neighbors < 1:
        return [int(member) for member in members]
    rows = max(1, (1 << 22) // len(part))
    means: list[Tensor] = []
    for start in range(0, len(part), rows):
        distances = part.take(slice(start, start + rows)).squared_distances(part)
        own = torch.arange(distances.shape[0], device=distances.device)
        distances[own, own + start] = torch.inf
        near = distances.topk(neighbors, dim=1, largest=False).values
        means.append(near.sqrt().mean(dim=1))
    # Ascending mean distance is descending typicality; the inverse is not needed for the order.
    order = torch.cat(means).argsort(stable=True).cpu()
    return torch.cat([members[order], members[_MAX_IMAGES_COMPARED:]]).tolist()


def _in_turns(groups: Sequence[Sequence[int]]) -> list[int]:
    """The first of each group in the order of groups, then the second of each, and so on."""
    rounds = chain.from_iterable(zip_longest(*groups))
    return [each for each in rounds if each is not None]
