"""Heads on features: the product's head of a frozen backbone, on embeddings from a feature file.

A model is a Classifier whose backbone is the identity, so that its images are its embeddings.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from al_engine import strategies
from al_engine.architectures import Classifier
from al_engine.strategies import Evidence
from al_engine.training import opinions
from al_engine.training.head import train_head
from al_engine.training.loop import Trained
from al_engine.training.penalty import PenaltyMemory
from al_engine.training.scoring import ONE_MODEL_STRATEGY, OPINIONS_OF_ONE
from al_lab.simulation.world import Rows


def fit_head(
    features: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    classes: int,
    device: torch.device,
    former: Classifier | None = None,
    penalty: PenaltyMemory | None = None,
) -> Trained:
    """Train a head on features, float (n, d), targets int64 (n,), weights float (n,).

    As the product's server, from the `former` model's head and with a memory of its penalty.
    """
    began = time.perf_counter()
    head = train_head(
        features,
        targets,
        weights=weights,
        classes=classes,
        device=device,
        former=None if former is None else former.head.state_dict(),
        penalty=penalty,
    )
    with torch.device("meta"):  # draws no weights
        model = Classifier(nn.Identity(), width=features.shape[1], classes=classes)
    model.head.load_state_dict(head.state, assign=True)
    model.freeze_backbone()
    seconds = time.perf_counter() - began
    return Trained(model.to(device).eval(), head.steps, float(head.steps), seconds, head.loss)


class FeatureScorer:
    """As the product's `Scorer`, for embeddings that are known.

    `features`: float (n, d); they are kept as float32 on the device, (n, d).
    """

    def __init__(
        self, features: Tensor, *, device: torch.device, generator: torch.Generator
    ) -> None:
        # A product with half precision takes a CPU two to three times as long.
        self.features = features.to(device, torch.float32)
        self._generator = generator

    @torch.inference_mode()
    def probabilities(self, model: Classifier) -> Tensor:
        """Class probabilities of all, float32 (n, C), on the CPU."""
        return functional.softmax(model.head(self.features), dim=1).cpu()

    @torch.inference_mode()
    def predict(
        self, model: Classifier | None, positions: Rows, *, classes: int
    ) -> tuple[Tensor, Tensor]:
        """Class probabilities (m, C) and embeddings (m, d) of some rows, float32."""
        mine = self.features[torch.from_numpy(positions)]
        if model is None:
            return torch.full((len(positions), classes), 1 / classes), mine
        return functional.softmax(model.head(mine), dim=1).cpu(), mine

    def complete(
        self,
        part: Evidence,
        strategy: str,
        model: Classifier,
        positions: Rows,
        *,
        members: Callable[[Rows], Tensor | None],
        labeled: Callable[[], Tensor],
    ) -> Evidence:
        """`part`, the evidence about the rows `positions`, with all else a strategy needs."""
        needs = strategies.needs(strategy)
        if "labeled" in needs:
            part = replace(part, labeled=labeled())
        if "members" not in needs:
            return part
        said = None if strategy == ONE_MODEL_STRATEGY else members(positions)
        if said is None:
            where = torch.from_numpy(positions)
            said = opinions.ask_posterior(
                model.head,
                self.features[where],
                labeled(),
                count=OPINIONS_OF_ONE,
                generator=self._generator,
            )
        return replace(part, members=said)

    def ask(self, models: Sequence[Classifier], positions: Rows) -> Tensor:
        """What each of these models says of some rows: float32 (M, n, C)."""
        where = torch.from_numpy(positions)
        return torch.stack([self.probabilities(each)[where] for each in models])
