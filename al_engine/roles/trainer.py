"""Trains a server's model on its labels, and evaluates it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from al_engine.architectures import Classifier, wants_pretrained
from al_engine.pools import versions
from al_engine.pools.models import Campaign
from al_engine.pools.versions import WeightsDamaged
from al_engine.roles.campaign_images import CampaignImages
from al_engine.roles.labeled_set import TrainingSet
from al_engine.training import checkpoint
from al_engine.training.calibration import Calibration
from al_engine.training.checkpoint import BadCheckpoint
from al_engine.training.embedding_cache import EmbeddingCache, predict_from_embeddings
from al_engine.training.evaluate import Evaluation, evaluate, score
from al_engine.training.loop import Trained, train
from al_engine.training.recipe import Recipe

log = logging.getLogger(__name__)

_TELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """A model's evaluation on audits and on the holdout; None if there are no images."""

    audit: Evaluation | None
    holdout: Evaluation | None

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of the model's probabilities on audits."""
        return self.audit.calibration if self.audit else None

    @property
    def temperature(self) -> float:
        """The divisor of the model's logits that calibrates its probabilities; 1 without audits."""
        return self.calibration.temperature if self.calibration else 1.0


class Trainer:
    """Trains and evaluates on a device, with the images of a campaign."""

    def __init__(self, campaign: Campaign, images: CampaignImages, device: torch.device) -> None:
        self.campaign = campaign
        self.images = images
        self.device = device
        self._embeddings = EmbeddingCache()
        # Architecture and model of the last training, if the backbone is frozen.
        self._probe: tuple[str, Classifier] | None = None

    def train(
        self,
        examples: TrainingSet,
        *,
        classes: int,
        recipe: Recipe,
        seed: int,
        say: Callable[[str], None],
        should_stop: Callable[[], bool],
    ) -> Trained:
        """A new model (paper, equation 1). Raises what `training.loop.train` raises."""
        what = f"training {recipe.architecture} on {len(examples.positions)} labels"
        say(what)
        told = time.monotonic()

        def progress(done: float) -> None:
            nonlocal told
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                say(f"{what}: {done:.0%}")

        former, features = self._former(recipe, examples)
        trained = train(
            self.images.rows(examples.positions),
            examples.targets,
            weights=examples.weights,
            classes=classes,
            recipe=recipe,
            device=self.device,
            seed=seed,
            initial=former,
            features=features,
            should_stop=should_stop,
            progress=progress,
        )
        frozen = trained.model.frozen_backbone
        self._probe = (recipe.architecture, trained.model) if frozen else None
        return trained

    def judge(self, model: Classifier, *, audits: TrainingSet, kept_apart: TrainingSet) -> Verdict:
        """How good a model is on audits and on the holdout.

        Audits are a fair sample of D that no training saw, so they also calibrate the model.
        """
        return Verdict(
            self._evaluate(model, audits, calibrate=True), self._evaluate(model, kept_apart)
        )

    def _evaluate(
        self, model: Classifier, examples: TrainingSet, *, calibrate: bool = False
    ) -> Evaluation | None:
        """How good a model is on these examples; None if there are none."""
        if not len(examples.positions):
            return None
        if model.frozen_backbone:
            said = predict_from_embeddings(model, self._seen(model, examples), device=self.device)
            return score(said, examples.targets, calibrate=calibrate)
        return evaluate(
            model,
            self.images.rows(examples.positions),
            examples.targets,
            device=self.device,
            calibrate=calibrate,
        )

    def _former(
        self, recipe: Recipe, examples: TrainingSet
    ) -> tuple[dict[str, Tensor] | None, Tensor | None]:
        """The state dict to start from, and the examples' embeddings; each may be None."""
        if self._probe is not None and self._probe[0] == recipe.architecture:
            # The backbone is frozen: an image's embedding never changes.
            model = self._probe[1]
            return model.state_dict(), self._seen(model, examples)
        if recipe.warm_start != "scratch" or wants_pretrained(recipe.architecture):
            return self._newest_weights(recipe), None
        return None, None

    def _seen(self, model: Classifier, examples: TrainingSet) -> Tensor:
        return self._embeddings.of(model, examples.positions, self.images.rows, device=self.device)

    def _newest_weights(self, recipe: Recipe) -> dict[str, Tensor] | None:
        """The newest stored weights, of any server, for a warm start; None if none fit."""
        there = versions.stored(campaign_id=self.campaign.pk)
        alike = there.filter(architecture=recipe.architecture)
        newest = alike.order_by("-version").first()
        if newest is None:
            return None
        try:
            data = versions.read_weights(newest)
            model, metadata = checkpoint.from_bytes(data, device=torch.device("cpu"))
        except (WeightsDamaged, BadCheckpoint) as error:
            log.error("This training starts from scratch: %s", error)
            return None
        return model.state_dict() if metadata.image_size == recipe.image_size else None
