"""The evidence for strategies: probabilities, embeddings, opinions and embeddings of L."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from al_engine import strategies
from al_engine.architectures import Classifier
from al_engine.strategies import Evidence
from al_engine.training import opinions
from al_engine.training.embedding_cache import EmbeddingCache, Positions, predict_from_embeddings
from al_engine.training.evaluate import predict_with_features
from al_engine.training.raw_features import raw_features

ONE_MODEL_STRATEGY: Final = "bald"
"""This strategy's opinions come from one model, by samples of its head or by dropout; others ask
the models of all servers.
"""
OPINIONS_OF_ONE: Final = 8
NEWEST_LABELED: Final = 10_000
"""A strategy sees at most this many images of L, the newest; each g* embeds them anew."""


class Scorer:
    """Scores images by their positions, int64 (n,); `read` returns them as uint8 (n, 3, S, S).

    `generator` decides which images the components of raw features come from, and which components
    of an embedding dropout removes.
    """

    def __init__(
        self,
        read: Callable[[Positions], Tensor],
        *,
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        self._read = read
        self._device = device
        self._generator = generator
        self._embeddings = EmbeddingCache()

    def predict(
        self,
        model: Classifier | None,
        positions: Positions,
        *,
        classes: int,
        temperature: float = 1.0,
    ) -> tuple[Tensor, Tensor]:
        """Class probabilities (n, C) and embeddings (n, d), float32 on the CPU, in one pass.

        Before the first model all classes are equally likely, and the embeddings are raw features.
        """
        if model is None:
            return (
                torch.full((len(positions), classes), 1 / classes),
                raw_features(self._read(positions), generator=self._generator),
            )
        if model.frozen_backbone:
            known = self._embeddings.of(model, positions, self._read, device=self._device)
            return predict_from_embeddings(
                model, known, device=self._device, temperature=temperature
            ), known
        return predict_with_features(
            model, self._read(positions), device=self._device, temperature=temperature
        )

    def complete(
        self,
        part: Evidence,
        strategy: str,
        model: Classifier,
        positions: Positions,
        *,
        members: Callable[[Positions], Tensor | None],
        labeled: Callable[[], Tensor],
    ) -> Evidence:
        """`part`, the evidence about the images at `positions`, with all else a strategy needs.

        `members` returns the opinions (M, n, C) of a committee, or None if it has fewer than two
        members: then the model alone is the committee, by samples of its head if its backbone is
        frozen. `labeled` returns the embeddings (m, d) of L by the model. Each is called only when
        needed.
        """
        needs = strategies.needs(strategy)
        if "labeled" in needs:
            part = replace(part, labeled=labeled())
        if "members" not in needs:
            return part
        said = None if strategy == ONE_MODEL_STRATEGY else members(positions)
        if said is not None:
            return replace(part, members=said)
        if model.frozen_backbone and part.embeddings is not None:
            embeddings, learned = part.embeddings, labeled()
            if not isinstance(model.kernel, nn.Identity):
                kernel = model.kernel.to(self._device)
                embeddings = kernel(embeddings[:].to(self._device).float())
                learned = kernel(learned.to(self._device).float())
            said = opinions.ask_posterior(
                model.head.to(self._device),
                embeddings,
                learned,
                count=OPINIONS_OF_ONE,
                generator=self._generator,
            )
        elif strategy == ONE_MODEL_STRATEGY and part.embeddings is not None:
            said = opinions.ask_with_dropout(
                model.head,
                part.embeddings[:].to(self._device),
                count=OPINIONS_OF_ONE,
                generator=self._generator,
            )
        else:
            said = self.ask([model], positions)
        return replace(part, members=said)

    def ask(self, models: Sequence[Classifier], positions: Positions) -> Tensor:
        """What each of these models says of the images at `positions`: float32 (M, n, C)."""
        return opinions.ask_committee(models, self._read(positions), device=self._device)
