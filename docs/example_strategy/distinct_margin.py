"""An example strategy: the smallest margins, passing over near-duplicates of what was chosen."""

import torch
from torch import Tensor

from al_engine.strategies import Selection, drop_near_duplicates, margin

ALIKE = 0.95
"""Images whose embeddings have a cosine similarity of so much show nearly the same."""


def distinct_margin(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor,
) -> Selection:
    """Of the 4 B smallest margins those that are unlike all better ones, then the others.

    `probabilities`: float (N, C). `embeddings`: float (N, d). The score is that of `margin`, less
    1 for an image that came second to one like it.
    """
    ranked = margin(probabilities, 4 * budget, generator=generator)
    distinct = drop_near_duplicates(embeddings, ranked.indices, threshold=ALIKE)
    alike = ~torch.isin(ranked.indices, distinct)
    scores = ranked.scores - alike.to(torch.float32)
    # Stable, so that chance, which decided between equals in `margin`, decides here too.
    order = torch.argsort(scores, descending=True, stable=True)[:budget]
    return Selection(indices=ranked.indices[order], scores=scores[order])


# What it takes besides probabilities: any of "embeddings", "members" and "labeled".
distinct_margin.needs = frozenset({"embeddings"})  # type: ignore[attr-defined]
