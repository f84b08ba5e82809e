"""The terms of the paper's Theorem 1 that can be estimated during a campaign (section 3.3).

The risk on all data D is at most λ, plus the risk on the queried data Q, plus the distance W1
between D and Q. λ is the error of the best possible hypothesis and cannot be estimated. The loss
here is half of the L1 distance between prediction and truth, 1 - p(true class): as Lemma 1
requires, it is convex, symmetric, at most 1, and satisfies the triangle inequality.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SAMPLE_ROWS: Final = 256
"""The largest sample: with more rows, the work grows by their cube and the error falls slowly."""

MIN_QUERIES: Final = 20
"""The fewest queries of a strategy for which a distance is estimated."""

AVERAGED_SAMPLES: Final = 3
"""How many samples of D a distance is averaged over."""


def w1(one: Tensor, other: Tensor, *, generator: torch.Generator) -> float:
    """An estimate of the Wasserstein-1 distance between the distributions behind two samples.

    `one` (n, d) and `other` (m, d) are float, n and m at least 1; the ground distance is Euclidean.
    Exact for two samples of the same size, at most `SAMPLE_ROWS`: the mean distance of the cheapest
    assignment. Of larger ones, so many rows are drawn at random. As an estimate for the
    distributions it is too high by about n^(-1/d) of their spread, even for two samples of the same
    distribution: compare it with `w1` of two such samples of the same sizes.
    """
    size = min(len(one), len(other), SAMPLE_ROWS)
    if not size or one.shape[1:] != other.shape[1:]:
        raise ValueError(
            "W1 needs two samples of vectors of the same length, at least one in each; these are "
            f"{tuple(one.shape)} and {tuple(other.shape)}."
        )
    left, right = _draw_rows(one, size, generator), _draw_rows(other, size, generator)
    costs = torch.cdist(left.double(), right.double(), compute_mode="donot_use_mm_for_euclid_dist")
    matrix = costs.cpu().numpy()
    return float(matrix[assign_cheapest(matrix), np.arange(size)].mean())


def assign_cheapest(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each column of the square `costs` (n, n), float64, its row in the cheapest assignment.

    By shortest augmenting paths [Jonker and Volgenant, 1987]: rows are placed one after another,
    each along the path of least reduced cost to a column that is still free. O(n^3).
    """
    size = len(costs)
    row_price, column_price = np.zeros(size), np.zeros(size)
    row_of, column_of = np.full(size, -1), np.full(size, -1)
    for start in range(size):
        distance = np.full(size, np.inf)
        came_from = np.full(size, -1)
        closed = np.zeros(size, dtype=bool)
        row, walked = start, 0.0
        while True:
            reach = walked + costs[row] - row_price[row] - column_price
            nearer = ~closed & (reach < distance)
            distance[nearer] = reach[nearer]
            came_from[nearer] = row
            column = int(np.where(closed, np.inf, distance).argmin())
            walked = float(distance[column])
            if row_of[column] < 0:
                break
            closed[column] = True
            row = int(row_of[column])
        # Prices keep every reduced cost at 0 or more, and at 0 along the path.
        row_price[start] += walked
        passed = np.flatnonzero(closed)
        row_price[row_of[passed]] += walked - distance[passed]
        column_price[passed] -= walked - distance[passed]
        while True:
            row = int(came_from[column])
            row_of[column] = row
            column, column_of[row] = int(column_of[row]), column
            if row == start:
                break
    return row_of.astype(np.int64)


def lipschitz_constant(head: Tensor) -> float:
    """How fast 1 - p(true class) can change with the embedding at most, for both h and h*.

    `head` (classes, d) are the weights of the linear layer before the softmax. With v = W dz the
    probabilities move by half of Σ p |v - E_p v|, at most a quarter of the range of v, so by
    max |w_i - w_j| / 4 times |dz|. The theorem compares two hypotheses, hence twice that.
    """
    weights = head.detach().double()
    apart = torch.cdist(weights, weights, compute_mode="donot_use_mm_for_euclid_dist")
    return float(apart.max()) / 2


def estimate_bound(
    *,
    embeddings_all: Tensor,
    embeddings_by_strategy: Mapping[str, Tensor],
    risk_queried: float,
    risk_all: float,
    generator: torch.Generator,
    lipschitz: float = 1.0,
    risk_by_strategy: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The terms of Theorem 1 at one moment of a campaign, as JSON can hold them.

    `embeddings_all` (N, d) are D or a random sample of it; `embeddings_by_strategy` (n_s, d) are
    the queried images by the strategy that chose them, together the mixture Q. Risks are means of 1
    - p(true class), on images that the model had not learned. Distances are multiplied by
    `lipschitz`, so that they have the unit of a risk.

    In "w1", "mixture" and "uniform" are distances between samples of the size "sample"; each
    strategy and "uniform_each" between samples of "sample_each", None for a strategy with fewer
    than `MIN_QUERIES` queries. "uniform" is between two random samples of D: a distance that is
    not above it cannot be told from that of a random choice. All are None for fewer queries.
    """
    queried = torch.cat(list(embeddings_by_strategy.values())) if embeddings_by_strategy else None
    room = len(embeddings_all) // 2
    size = min(0 if queried is None else len(queried), SAMPLE_ROWS, room)
    told = {name: e for name, e in embeddings_by_strategy.items() if len(e) >= MIN_QUERIES}
    size_each = min([SAMPLE_ROWS, room, *map(len, told.values())]) if told else 0

    def distance(sample: Tensor | None, size: int) -> float | None:
        return _mean_w1(sample, embeddings_all, size, lipschitz, generator)

    distances: dict[str, float | None] = dict.fromkeys(embeddings_by_strategy)
    distances |= {name: distance(sample, size_each) for name, sample in told.items()}
    distances["mixture"] = distance(queried, size) if queried is not None else None
    distances["uniform"] = distance(None, size)
    distances["uniform_each"] = distance(None, size_each)
    return {
        "risk_queried": risk_queried,
        "risk_all": risk_all,
        "risk_by_strategy": dict(risk_by_strategy or {}),
        "w1": distances,
        "sample": size,
        "sample_each": size_each,
        "lipschitz": lipschitz,
    }


def _mean_w1(
    sample: Tensor | None, whole: Tensor, size: int, scale: float, generator: torch.Generator
) -> float | None:
    """`scale` times W1 from `sample` to `whole`, or, without a sample, between two parts of
    `whole`.

    None where a sample would be too small.
    """
    if size < MIN_QUERIES:
        return None
    total = 0.0
    for _ in range(AVERAGED_SAMPLES):
        drawn = _draw_rows(whole, 2 * size, generator)
        one = drawn[size:] if sample is None else _draw_rows(sample, size, generator)
        total += w1(one, drawn[:size], generator=generator)
    return scale * total / AVERAGED_SAMPLES


def _draw_rows(sample: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """`size` of the rows, drawn without replacement; the generator is on the CPU."""
    return sample[torch.randperm(len(sample), generator=generator)[:size].to(sample.device)]
