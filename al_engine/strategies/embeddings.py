"""What strategies over embeddings share: checks, and the number of images they look at."""

from typing import Final

import torch
from torch import Tensor

CANDIDATES_PER_CHOICE: Final = 10
FEWEST_CANDIDATES: Final = 20_000
"""Images. A pool up to this size is looked at whole, however small the budget."""


def candidates_of(budget: int) -> int:
    """How many images of a large pool a strategy looks at to choose `budget` of them."""
    return max(CANDIDATES_PER_CHOICE * budget, FEWEST_CANDIDATES)


def checked_embeddings(
    embeddings: Tensor | None, count: int, *, width: int | None = None
) -> Tensor:
    """The embeddings (count, width); raises ValueError for None and for another shape.

    `geometry.Points.of` checks that the embeddings looked at are finite.
    """
    if embeddings is None:
        raise ValueError("This strategy compares the embeddings of images: none were given.")
    if embeddings.ndim != 2 or embeddings.shape[0] != count:
        raise ValueError(
            f"Embeddings must have the shape (images, width) with {count} images; these have "
            f"{tuple(embeddings.shape)}."
        )
    if width is not None and embeddings.shape[1] != width:
        raise ValueError(
            f"Embeddings of labeled images must be as wide as the others, {width}; these have the "
            f"width {embeddings.shape[1]}: they come from another model."
        )
    return embeddings


def rows_of(embeddings: Tensor, rows: Tensor) -> Tensor:
    """These rows of the embeddings as float32; the whole pool is never converted."""
    return embeddings[rows].to(torch.float32)
