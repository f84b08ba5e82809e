"""The coordinates in which heads are fitted: standardized, in the span of the labels if that is
smaller, with a constant last column in place of a bias.
"""

from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor

# Lower bound of a feature's standard deviation, as a share of the mean standard deviation.
_SMALLEST_DEVIATION_SHARE: Final = 0.01
# With fewer labels than this share of the features, working in their span takes less time.
_FEW: Final = 2 / 3
# Added to the diagonal of the Gram matrix as a share of its mean, so that it can be decomposed
# where rows are equal: as if each label had a little feature of its own.
_JITTER: Final = 1e-7


def deviation_of(centered: Tensor) -> Tensor:
    """The standard deviations (d,) by which centered rows (n, d), n >= 1, are divided.

    A feature that hardly varies counts as varying by a share of what the others do.
    """
    # Over columns of rows in line, std and vector_norm take four times as long.
    deviation = (centered.square().sum(dim=0) / len(centered)).sqrt_()
    least = _SMALLEST_DEVIATION_SHARE * float(deviation.mean())
    return deviation.clamp_min_(least if least > 0 else 1.0)


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Rows in coordinates, and the way from weights there to weights of plain features and back.

    `points`: float32 (n, k + 1), the last column constant 1. With many labels k = d, and the
    others are the features, centered and of unit variance. With few, n < 2 d / 3, k = n, and they
    are the rows' coordinates in an orthonormal basis of their own span: a head with an L2 penalty
    has no weight outside of it, so that fitting it there is the same problem with fewer unknowns.
    `basis`: float32 (d, k), that basis; None for k = d.
    """

    points: Tensor
    mean: Tensor
    deviation: Tensor
    basis: Tensor | None

    @classmethod
    def of(cls, rows: Tensor) -> Self:
        """The coordinates of rows, float32 (n, d), n >= 1."""
        count, width = rows.shape
        few = count < _FEW * width
        points = torch.ones(count, (count if few else width) + 1, device=rows.device)
        standard = torch.empty_like(rows) if few else points[:, :-1]
        mean = rows.mean(dim=0)
        torch.sub(rows, mean, out=standard)
        deviation = deviation_of(standard)
        standard /= deviation
        if not few:
            return cls(points, mean, deviation, None)
        # In double precision: the rows are often almost linearly dependent.
        gram = standard.double() @ standard.double().T
        gram.diagonal().add_(_JITTER * max(float(gram.trace()) / count, 1.0))
        lower = torch.linalg.cholesky(gram)
        points[:, :-1] = lower
        basis = torch.linalg.solve_triangular(lower, standard.double(), upper=False).T.float()
        return cls(points, mean, deviation, basis)

    def plain(self, unknown: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (..., C, d) and biases (..., C) of plain features, from unknowns (..., C, k + 1).

        The logits are the same.
        """
        inner = unknown[..., :-1]
        weight = (inner if self.basis is None else inner @ self.basis.T) / self.deviation
        return weight, unknown[..., -1] - weight @ self.mean

    def unknown(self, weight: Tensor, bias: Tensor) -> Tensor:
        """The opposite of `plain`; of weights outside of the span the part within it."""
        inner = weight * self.deviation
        inner = inner if self.basis is None else inner @ self.basis
        return torch.cat([inner, (bias + weight @ self.mean)[..., None]], dim=-1)
