"""Strategies that spread their choice over the embeddings: badge and core_set.

Their time grows with the number of candidates times the budget, so in a large pool they look at one
random part of `candidates_of(budget)` images. Citovsky et al. (2021, appendix A.1) instead split
the pool for badge and choose in each part; copies of an image that lie in different parts could
then all be chosen.
"""

import torch
from torch import Tensor

from al_engine.strategies.base import (
    Selection,
    best,
    checked,
    checked_budget,
    gumbel,
    in_order,
    shuffled,
)
from al_engine.strategies.embeddings import candidates_of, checked_embeddings, rows_of
from al_engine.strategies.geometry import Points, farthest_first, spread_at_random
from al_engine.strategies.registry import register


@register(needs=("embeddings",))
def badge(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Images whose gradients are long and point in different directions [Ash et al., 2020].

    The gradient of the cross-entropy by the last layer's weights, with the likeliest class y taken
    for the label, is the outer product g = (p - onehot(y)) x h with the embedding h (equation 1).
    The longest g is chosen first, the rest by the seeding of k-means++ over all g (algorithm 1),
    as in the authors' program. The inner product of two gradients is the product of the inner
    products of their factors, so no array is larger than the candidates times C or d.

    From a pool of more than `candidates_of(budget)` images that many candidates are drawn first,
    without replacement, in proportion to |g|²: the chances that k-means++ gives each image before
    anything is chosen.

    Scores are places in the order of choice, from 1 down to 1/B.
    """
    probabilities = checked(probabilities)
    embeddings = checked_embeddings(embeddings, probabilities.shape[0])
    count = candidates_of(checked_budget(budget))
    errors = probabilities.clone()
    errors.scatter_add_(
        1, probabilities.argmax(dim=1, keepdim=True), errors.new_full((len(errors), 1), -1)
    )
    rows = torch.arange(errors.shape[0], device=errors.device)
    if errors.shape[0] > count:
        keys = _squared_lengths(errors, embeddings).to(torch.float64).log()
        keys = keys.clamp_min(-1e4) + gumbel(len(keys), generator, keys.device)
        rows = best(keys.to(torch.float32), count, generator=generator).indices
    points = Points.of(errors[rows], rows_of(embeddings, rows))
    first = best(points.squares, 1, generator=generator).indices.tolist()
    if not first:
        return in_order(rows)
    return in_order(rows[spread_at_random(points, first[0], budget, generator=generator)])


@register(needs=("embeddings", "labeled"))
def core_set(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Repeatedly the image farthest from all labeled and chosen images [Sener and Savarese, 2018].

    The greedy k-center of their algorithm 1, which covers the pool with a radius at most twice
    the smallest possible, with Euclidean distances of embeddings. If nothing is labeled, the first
    image is drawn at random. Of the probabilities only N is used.

    From a pool of more than `candidates_of(budget)` images that many are drawn uniformly, and only
    these are covered: a region without a drawn image is missed.

    The score is the distance to the nearest labeled or chosen image at the time of choice. (If
    nothing is labeled, the first image gets the score of the second.)
    """
    count = checked(probabilities).shape[0]
    embeddings = checked_embeddings(embeddings, count)
    rows = shuffled(torch.arange(count, device=embeddings.device), generator)
    rows = rows[: candidates_of(checked_budget(budget))]
    places = rows_of(embeddings, rows)
    middle = places.mean(dim=0) if len(rows) else embeddings.new_zeros(embeddings.shape[1])
    points = Points.of(places.sub_(middle))  # shorter points: less rounding of their distances
    nearest = torch.full_like(points.squares, torch.inf)
    if labeled is not None:
        labeled = checked_embeddings(labeled, labeled.shape[0], width=embeddings.shape[1])
        points.approach(nearest, Points.of(labeled.to(torch.float32) - middle))
    chosen, squares = farthest_first(points, nearest, budget)
    if squares.shape[0] and not bool(squares[0].isfinite()):
        squares[0] = squares[1] if squares.shape[0] > 1 else 0
    # Distances never grow from choice to choice; cummin removes rounding in the last digit.
    return Selection(indices=rows[chosen], scores=squares.cummin(dim=0).values.sqrt())


def _squared_lengths(errors: Tensor, embeddings: Tensor) -> Tensor:
    """|g|² of every image: float32 (N,)."""
    lengths: Tensor = torch.linalg.vector_norm(embeddings, dim=1, dtype=torch.float32)
    return lengths.mul_(torch.linalg.vector_norm(errors, dim=1)).square_()
