"""Strategies that cover the pool with kernels around its labeled images: herding and uherding.

An image covers others by a Gaussian kernel of their distance, k(x, x') = exp(-|x - x'|² / σ²).
Embeddings are compared as directions from their mean: those of many networks have no negative
components, so that their own directions hardly differ.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from al_engine.strategies.base import Selection, best, checked, checked_budget, shuffled
from al_engine.strategies.embeddings import checked_embeddings, rows_of
from al_engine.strategies.geometry import Points
from al_engine.strategies.registry import register
from al_engine.strategies.uncertainty import margins_of

LENGTHSCALE: Final = 1.0
"""σ between directions, which are at most 2 apart; that of `uherding` shrinks as labels come."""
CALM_LABELS_A_CLASS: Final = 2.0
"""With so many labels a class `uherding` divides logits by 2; with more of them by less."""
FEWEST_COVERED: Final = 2_048
MOST_COVERED: Final = 4_096
"""Images of a larger pool that are drawn, covered and chosen from. Time grows with their square."""

_MOST_COMPARED_LABELS: Final = 1_024
# Gains that are computed anew at once; the best image is mostly among the first of them.
_GAINS_A_BLOCK: Final = 32


@register(needs=("embeddings", "labeled"))
def herding(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Repeatedly the image that raises the coverage most [MaxHerding: Bae et al., 2024].

    The coverage is the mean over all images of the largest kernel with a labeled or chosen one
    (their section 3), with σ = LENGTHSCALE. Of the probabilities only N is used, so no model is
    needed if the embeddings come from elsewhere.

    From a pool of more than `covered_of(budget)` images that many are drawn uniformly, covered and
    chosen from; if the budget is larger, random others follow with a score of 0. The score is the
    gain in coverage at the time of choice.
    """
    count = checked(probabilities).shape[0]
    embeddings = checked_embeddings(embeddings, count)
    weights = torch.ones(count, device=embeddings.device)
    return _herd(embeddings, weights, labeled, budget, adapt=False, generator=generator)


@register(needs=("embeddings", "labeled"))
def uherding(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Repeatedly the image that raises the coverage of uncertain images most [Bae et al., 2025].

    As `herding`, with each image's kernel weighted by its uncertainty 1 - (p1 - p2) [Uncertainty
    Herding, section 3]. It hands over by itself: σ is the smallest distance between two labeled
    images, LENGTHSCALE at most, so that coverage is about ever smaller places, in the end about
    the uncertain image alone; and the fewer labels, the more alike the uncertainties are. For this
    logits are divided by 1 + CALM_LABELS_A_CLASS C / |L|. The paper instead fits the temperature
    to labels kept apart, which no strategy gets to see.
    """
    probabilities = checked(probabilities)
    embeddings = checked_embeddings(embeddings, probabilities.shape[0])
    known = 0 if labeled is None else labeled.shape[0]
    temperature = 1 + CALM_LABELS_A_CLASS * probabilities.shape[1] / known if known else torch.inf
    # Without a label all classes are equally likely: p^0.
    calm = normalize(probabilities.pow(1 / temperature), p=1, dim=1)
    weights = 1 - margins_of(calm)
    return _herd(embeddings, weights, labeled, budget, adapt=True, generator=generator)


def covered_of(budget: int) -> int:
    """How many images of a large pool are covered to choose `budget` of them."""
    return min(MOST_COVERED, max(FEWEST_COVERED, 2 * checked_budget(budget)))


def _herd(
    embeddings: Tensor,
    weights: Tensor,
    labeled: Tensor | None,
    budget: int,
    *,
    adapt: bool,
    generator: torch.Generator,
) -> Selection:
    """Choose by coverage; images beyond those that are drawn come last, the heaviest first."""
    drawn = shuffled(torch.arange(embeddings.shape[0], device=embeddings.device), generator)
    rows, rest = drawn[: covered_of(budget)], drawn[covered_of(budget) :]
    places = rows_of(embeddings, rows)
    middle = places.mean(dim=0) if len(rows) else embeddings.new_zeros(embeddings.shape[1])
    points = Points.of(normalize(places - middle, dim=1))
    scale, nearest = LENGTHSCALE, torch.full_like(points.squares, torch.inf)
    if labeled is not None and labeled.shape[0]:
        labeled = checked_embeddings(labeled, labeled.shape[0], width=embeddings.shape[1])
        known = Points.of(normalize(labeled.to(torch.float32) - middle, dim=1))
        points.approach(nearest, known)
        scale = min(scale, _smallest_distance(known)) if adapt else scale
    kernels = points.squared_distances(points).div_(-(scale**2)).exp_()
    covered = nearest.div_(-(scale**2)).exp_()
    chosen, gains = _most_covering(kernels, weights[rows], covered, min(budget, len(rows)))
    more = best(weights[rest], budget - len(chosen), generator=generator).indices
    scores = torch.cat([gains / max(len(rows), 1), gains.new_zeros(len(more))])
    return Selection(indices=torch.cat([rows[chosen], rest[more]]), scores=scores)


def _smallest_distance(points: Points) -> float:
    """The smallest distance of the newest labels' points that is not 0; infinity for none."""
    some = points.take(slice(max(0, len(points) - _MOST_COMPARED_LABELS), None))
    squares = some.squared_distances(some)
    apart = squares[squares > 0]
    return float(apart.min().sqrt()) if len(apart) else torch.inf


def _most_covering(
    kernels: Tensor, weights: Tensor, covered: Tensor, budget: int
) -> tuple[Tensor, Tensor]:
    """Greedily the images of the largest gain Σ w max(0, k - covered); and their gains.

    `kernels`: float32 (n, n); `weights`, `covered`: (n,), the latter overwritten. Gains only
    shrink, so an earlier gain is an upper bound: gains are computed anew from the largest bound
    down until the best of them is no smaller than the next bound [lazy greedy: Minoux, 1978].
    """
    bounds = (kernels - covered).clamp_min_(0) @ weights
    rows, gains = list[int](), list[float]()
    while len(rows) < budget:
        fresh = -1
        while True:
            top = bounds.topk(min(_GAINS_A_BLOCK, len(bounds))).indices
            if fresh >= 0 and fresh == int(top[0]):
                break
            bounds[top] = torch.where(
                bounds[top] < 0,  # chosen before
                bounds[top],
                (kernels[top] - covered).clamp_min_(0) @ weights,
            )
            fresh = int(top[bounds[top].argmax()])
        rows.append(fresh)
        gains.append(float(bounds[fresh]))
        torch.maximum(covered, kernels[fresh], out=covered)
        bounds[fresh] = -1
    made = torch.tensor(gains, device=kernels.device)
    chosen = torch.tensor(rows, dtype=torch.int64, device=kernels.device)
    return chosen, made.cummin(dim=0).values if len(made) else made
