"""Points, their distances in blocks, and two ways to spread a choice over them.

Both ways are sequential in the literature: each choice needs a pass over all points, for their
distances to it, before the next choice. Here the same choices are made in rounds, many between two
passes, so that the distances of a pass are one matrix product.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor

from al_engine.strategies.base import shuffled

_DISTANCES_A_BLOCK: Final = 1 << 22  # 16 MiB of float32
_CENTERS_A_BLOCK: Final = 1 << 10
_WINDOW: Final = 1 << 10  # points among which `farthest_first` chooses between two passes
_PROPOSALS: Final = 1 << 8  # points that `spread_at_random` proposes between two passes
# |a - b|² is computed as |a|² + |b|² - 2ab; below this share of |a|² + |b|² it is rounding.
_ROUNDING: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Points:
    """n points; each is the outer product of its rows in the factors.

    `factors`: float32 (n, d_k) each; with one factor its rows are the points. The inner product of
    two outer products is the product of the factors' inner products, so outer products are never
    computed. `squares`: float32 (n,), the squared lengths.
    """

    factors: tuple[Tensor, ...]
    squares: Tensor

    @classmethod
    def of(cls, *factors: Tensor) -> Self:
        """Points of these factors; raises ValueError if some are not finite numbers."""
        lengths = [torch.linalg.vector_norm(factor, dim=1) for factor in factors]
        squares = torch.stack(lengths).prod(dim=0).square()
        if not bool(squares.isfinite().all()):
            raise ValueError(
                "Embeddings must be finite numbers, and some are not: the model's training "
                "diverged and it must not select."
            )
        return cls(factors, squares)

    def __len__(self) -> int:
        return self.squares.shape[0]

    def take(self, rows: Tensor | slice) -> "Points":
        """The points in these rows."""
        return Points(tuple(factor[rows] for factor in self.factors), self.squares[rows])

    def squared_distances(self, others: "Points") -> Tensor:
        """Squared Euclidean distances: float32 (n, m). Callers keep n m bounded."""
        inner = self.factors[0] @ others.factors[0].T
        for mine, theirs in zip(self.factors[1:], others.factors[1:], strict=True):
            inner *= mine @ theirs.T
        sums = self.squares[:, None] + others.squares
        distances = torch.sub(sums, inner, alpha=2, out=inner)
        return distances.masked_fill_(distances < sums.mul_(_ROUNDING), 0)

    def approach(self, nearest: Tensor, centers: "Points") -> None:
        """Lower `nearest` (n,), in place, to the squared distances to nearer centers."""
        for begin in range(0, len(centers), _CENTERS_A_BLOCK):
            some = centers.take(slice(begin, begin + _CENTERS_A_BLOCK))
            rows = max(1, _DISTANCES_A_BLOCK // len(some))
            for start in range(0, len(self), rows):
                block = slice(start, start + rows)
                distances = self.take(block).squared_distances(some)
                torch.minimum(nearest[block], distances.amin(dim=1), out=nearest[block])


def farthest_first(points: Points, nearest: Tensor, budget: int) -> tuple[Tensor, Tensor]:
    """Repeatedly the point farthest from all centers, which then becomes a center itself.

    `nearest`: float32 (n,), squared distances to the nearest center so far, infinity if there is
    none; overwritten. Returns `min(budget, n)` rows and their squared distances when chosen.
    Between equally far points the choice is arbitrary: callers shuffle the points.

    Distances only shrink, so a distance from an earlier pass is an upper bound. Distances within a
    window of the farthest points are kept up to date; while the farthest point of the window is at
    least as far as the bound for all points outside it, that point is the farthest of all.
    """
    rows: list[int] = []
    distances: list[float] = []
    count = min(budget, len(points))
    while len(rows) < count:
        far = nearest.topk(min(_WINDOW, len(points)))
        window = points.take(far.indices)
        bound = float(far.values[-1]) if len(points) > _WINDOW else -1.0
        inside, fresh = far.values.clone(), len(rows)
        while len(rows) < count:
            farthest = int(inside.argmax())
            distance = float(inside[farthest])
            # The first choice after a pass needs no check against the bound. -1: chosen already.
            if distance < 0 or (len(rows) > fresh and distance < bound):
                break
            rows.append(int(far.indices[farthest]))
            distances.append(distance)
            window_distances = window.squared_distances(window.take(slice(farthest, farthest + 1)))
            torch.minimum(inside, window_distances[:, 0], out=inside)
            inside[farthest] = -1
        new = torch.tensor(rows[fresh:], device=nearest.device)
        points.approach(nearest, points.take(new))
        nearest[new] = -1
    chosen = torch.tensor(rows, dtype=torch.int64, device=nearest.device)
    return chosen, torch.tensor(distances, device=nearest.device)


def spread_at_random(
    points: Points, first: int, budget: int, *, generator: torch.Generator
) -> Tensor:
    """`first`, then points drawn in proportion to their squared distance to the chosen points.

    The seeding of k-means++ [Arthur and Vassilvitskii, 2007, section 2.2]. Returns `min(budget,
    n)` distinct rows, int64. When only points at distance 0 are left, they follow in random order.

    Points are proposed in proportion to their squared distances in the last pass and accepted with
    probability (distance now) / (distance then): the same chances as with a pass for each choice
    [rejection sampling: Cohen-Addad et al., 2020, section 5].
    """
    device = points.squares.device
    count = min(budget, len(points))
    chosen = [first][:count]
    new = torch.tensor(chosen, dtype=torch.int64, device=device)
    nearest = torch.full_like(points.squares, torch.inf)
    while len(chosen) < count:
        points.approach(nearest, points.take(new))
        nearest[new] = 0
        sums = nearest.cpu().to(torch.float64).cumsum(dim=0)  # on the CPU: a fixed summation order
        if float(sums[-1]) <= 0:
            break
        accepted = _accepted(points, nearest, sums, count - len(chosen), generator)
        chosen += accepted
        new = torch.tensor(accepted, dtype=torch.int64, device=device)
    left = torch.ones(len(points), dtype=torch.bool)
    left[chosen] = False
    rest = shuffled(left.nonzero().squeeze(1), generator)[: count - len(chosen)]
    return torch.cat([torch.tensor(chosen, dtype=torch.int64), rest]).to(device)


def _accepted(
    points: Points, nearest: Tensor, sums: Tensor, wanted: int, generator: torch.Generator
) -> list[int]:
    """Propose points by their distances in the last pass; accept by their distances now."""
    draws = torch.rand(
        2, _PROPOSALS, dtype=torch.float64, generator=generator, device=generator.device
    ).cpu()
    proposed = torch.searchsorted(sums, draws[0] * sums[-1], right=True)
    proposed.clamp_(max=len(points) - 1)
    some = points.take(proposed.to(nearest.device))
    between = some.squared_distances(some).cpu()
    between[proposed[:, None] == proposed] = 0
    gaps = between.numpy()
    now = nearest[proposed.to(nearest.device)].cpu().to(torch.float64).numpy()
    needed = draws[1].numpy() * now
    accepted: list[int] = []
    for place, row in enumerate(proposed.tolist()):
        if needed[place] < now[place]:
            accepted.append(row)
            if len(accepted) == wanted:
                break
            now = np.minimum(now, gaps[place])
    return accepted
