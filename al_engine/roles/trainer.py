"""Trains a server's model on its labels, and evaluates it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from al_engine.architectures import Classifier
from al_engine.decisions.architecture import backbone_of, head_of, is_finetuned, is_published
from al_engine.pools import processes, versions
from al_engine.pools.models import Campaign
from al_engine.pools.storage import StorageAway
from al_engine.pools.versions import WeightsDamaged
from al_engine.roles.campaign_embeddings import CampaignEmbeddings
from al_engine.roles.campaign_files import Positions
from al_engine.roles.campaign_images import CampaignImages
from al_engine.roles.labeled_set import TrainingSet
from al_engine.training import checkpoint
from al_engine.training.calibration import Calibration
from al_engine.training.checkpoint import BadCheckpoint
from al_engine.training.embedding_cache import predict_from_embeddings
from al_engine.training.evaluate import Evaluation, evaluate, score
from al_engine.training.finetuning import finetune, held_out
from al_engine.training.loop import Trained, train, train_on_embeddings
from al_engine.training.penalty import PenaltyMemory
from al_engine.training.recipe import Recipe

log = logging.getLogger(__name__)

_TELL_SECONDS = 1.0
_EMBED_SECONDS = 0.5
"""For so long a training embeds labels that an embedder on this machine did not come to yet."""


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
    """Trains and evaluates on a device, with the images of a campaign.

    Of an architecture whose backbone is frozen only the head is trained, on embeddings.
    """

    def __init__(self, campaign: Campaign, device: torch.device) -> None:
        self.campaign = campaign
        self.device = device
        self._images: CampaignImages | None = None
        self._embedded: CampaignEmbeddings | None = None
        # The head of the last training on embeddings, which the next starts from.
        self._head: dict[str, Tensor] | None = None
        self._penalty = PenaltyMemory()

    def open(self, architecture: str) -> None:
        """Read images for this architecture from now on.

        Raises MissingWeights or UnfitWeights if its backbone is frozen and cannot be had.
        """
        if not is_published(architecture):
            self._embedded = None
        elif self._embedded is None or self._embedded.architecture != backbone_of(architecture):
            backbone = backbone_of(architecture)
            self._embedded = CampaignEmbeddings(self.campaign, backbone, self.device)
            self._head, self._penalty = None, PenaltyMemory()

    @property
    def backbone_sha256(self) -> str | None:
        """The digest of the frozen backbone of the opened architecture, if it has one."""
        return self._embedded.backbone.sha256 if self._embedded else None

    def readable(self, positions: Positions, tell: Callable[[int], None]) -> Positions:
        """Those of the labeled images at these positions that can be read; reads missing ones.

        Beside an embedder it embeds for half a second only. Otherwise it raises StorageAway, but of
        embeddings only if none are there.
        """
        embedded = self._embedded
        if embedded is None:
            return self._pixels.available(positions, tell=tell)
        if self._is_embedding(embedded):
            return embedded.available(positions, seconds=_EMBED_SECONDS, tell=tell)
        try:
            return embedded.available(positions, tell=tell)
        except StorageAway as error:
            there = embedded.ready(positions)
            if not len(there):
                raise
            log.warning("Training on the images that are embedded: %s", error)
            return there

    def count_coming(self, positions: Positions) -> int:
        """How many of these images are not embedded yet, but will be soon."""
        embedded = self._embedded
        return 0 if embedded is None else len(embedded.due(embedded.file.missing(positions)))

    def judgeable(self, positions: Positions, tell: Callable[[int], None]) -> Positions:
        """Those of these images that a model can be judged on now.

        Where an embedder is at work, no model waits for it.
        """
        embedded = self._embedded
        if embedded is not None and self._is_embedding(embedded):
            return embedded.ready(positions)
        return self.readable(positions, tell)

    def _is_embedding(self, embedded: CampaignEmbeddings) -> bool:
        return processes.is_embedding_here(
            campaign_id=self.campaign.pk, architecture=embedded.architecture
        )

    def train(
        self,
        examples: TrainingSet,
        *,
        classes: int,
        recipe: Recipe,
        seed: int,
        say: Callable[[str], None],
        should_stop: Callable[[], bool],
        give_way: Callable[[], None] = lambda: None,
    ) -> Trained:
        """A new model (paper, equation 1). Raises what `training.loop.train` raises.

        `give_way` is called before each step of a training that takes minutes, and may wait.
        """
        what = f"training {recipe.architecture} on {len(examples.positions)} labels"
        say(what)
        if self._embedded is not None:
            trained = train_on_embeddings(
                self._embedded.backbone.with_head(classes),
                self._embedded.rows(examples.positions),
                examples.targets,
                weights=examples.weights,
                recipe=recipe,
                device=self.device,
                former=self._head,
                penalty=self._penalty,
            )
            if not head_of(recipe.architecture):
                self._head = trained.model.head.state_dict()
            return trained
        if is_finetuned(recipe.architecture):
            return self._finetune(
                examples,
                classes=classes,
                recipe=recipe,
                seed=seed,
                tell=lambda done: say(f"{what}: {done}"),
                before_step=give_way,
            )
        told = time.monotonic()

        def progress(done: float) -> None:
            nonlocal told
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                say(f"{what}: {done:.0%}")

        return train(
            self._pixels.rows(examples.positions),
            examples.targets,
            weights=examples.weights,
            classes=classes,
            recipe=recipe,
            device=self.device,
            seed=seed,
            initial=self._former_weights(recipe),
            should_stop=should_stop,
            progress=progress,
        )

    def _finetune(
        self,
        examples: TrainingSet,
        *,
        classes: int,
        recipe: Recipe,
        seed: int,
        tell: Callable[[str], None],
        before_step: Callable[[], None],
    ) -> Trained:
        found = finetune(
            self._pixels.rows(examples.positions),
            examples.targets,
            held=held_out(examples.positions),
            weights=examples.weights,
            classes=classes,
            recipe=recipe,
            device=self.device,
            seed=seed,
            initial=self._former_weights(recipe),
            before_step=before_step,
            tell=tell,
        )
        loss = float("nan") if found.loss is None else found.loss
        return Trained(found.model, found.steps, found.epochs, found.seconds, loss)

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
        if self._embedded is not None:
            said = predict_from_embeddings(
                model, self._embedded.rows(examples.positions), device=self.device
            )
            return score(said, examples.targets, calibrate=calibrate)
        return evaluate(
            model,
            self._pixels.rows(examples.positions),
            examples.targets,
            device=self.device,
            calibrate=calibrate,
        )

    @property
    def _pixels(self) -> CampaignImages:
        if self._images is None:
            self._images = CampaignImages(self.campaign)
        return self._images

    def _former_weights(self, recipe: Recipe) -> dict[str, Tensor] | None:
        """What a warm start begins with: the newest stored weights, of any server.

        None if a training starts from scratch, or none fit.
        """
        if recipe.warm_start == "scratch":
            return None
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
