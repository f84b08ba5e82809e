"""Training a published network on as a whole, in minutes: the delivery model.

1. A logistic head is fitted to the embeddings of the network as it is, so that the first steps do
   not destroy it by errors of a head that knows nothing [Kumar et al. 2022, 'Fine-tuning can
   distort pretrained features'].
2. Then all weights learn, the earlier a layer the less: it knows what is common to all pictures
   [Howard & Ruder 2018, section 3.2, 'discriminative fine-tuning'].
3. Rates rise and fall once. After each round of steps the network is judged on labels that it does
   not learn from; past the middle it ends if it does not become better any more. The best round is
   the result. If none was better than the head alone, all begins anew from there, with smaller
   steps.

Steps are bounded: more labels do not make it hours. What it reaches is in
docs/benchmarks/architectures.md.
"""

import copy
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from al_engine.architectures import Classifier
from al_engine.training.batches import batches
from al_engine.training.checks import check
from al_engine.training.devices import autocast, repeatable, to_device
from al_engine.training.evaluate import predict, predict_with_features
from al_engine.training.feed import CachedImages, Images, fits_on_device
from al_engine.training.heads import fit_head, put_on
from al_engine.training.layer_rates import layered_optimizer
from al_engine.training.loop import TrainingFailed, one_cycle
from al_engine.training.recipe import Recipe
from al_engine.training.start import new_model
from al_engine.training.weighting import label_weights

ROUND_STEPS: Final = 30
"""Steps between two judgments: the loss of some dozen labels hardly moves in fewer."""
PATIENCE: Final = 3
"""Rounds without a better one, past the middle of the schedule, until a training ends."""
RESTARTS: Final = 1
RESTART_SHARE: Final = 0.3
"""The learning rates of a new beginning, as a share of those before."""
FEWEST_HELD: Final = 8
"""With fewer labels to judge by nothing is judged, and the end of the schedule is the result."""
HELD_SHARE: Final = 0.15
MOST_HELD: Final = 300


def held_out(positions: npt.NDArray[np.int64]) -> Tensor:
    """Which labels to judge by, bool (n,), by a hash of their images' positions, int64 (n,).

    15 %, at most about 300. An image that is held out was held out of the trainings before it, so
    that a model that learns on has not learned from it.
    """
    spread = (positions.astype(np.uint64) * np.uint64(2_654_435_761)) % np.uint64(2**32)
    share = min(HELD_SHARE, MOST_HELD / max(1, len(positions)))
    return torch.from_numpy(spread < np.uint64(share * 2**32))


@dataclass(frozen=True, slots=True)
class Finetuned:
    """The best model, in evaluation mode on its device; steps, passes over L, seconds, mean loss.

    `head_loss` and `loss` in nats: of labels that were held out, by the head alone and at the end;
    None if there were none.
    """

    model: Classifier
    steps: int
    epochs: float
    seconds: float
    head_loss: float | None
    loss: float | None


def finetune(
    images: Images,
    targets: Tensor,
    *,
    held: Tensor,
    weights: Tensor | None = None,
    classes: int,
    recipe: Recipe,
    device: torch.device,
    seed: int,
    initial: dict[str, Tensor] | None = None,
    before_step: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Finetuned:
    """Train the network of a recipe on, from its published weights or those of a former model.

    `images`: uint8 (n, 3, S, S). `targets`: int64 (n,). `held`: bool (n,), those that are judged on
    instead of learned from. `weights`: float (n,), how much each label counts. `initial`: the state
    dict of a former model; its head is fitted anew. `before_step` is called before each step, and
    may wait, or end all by an exception. `tell` gets what is done now, in words. Raises ValueError
    for no images to learn from, TrainingFailed, and what `build` raises.
    """
    began = time.perf_counter()
    check(images, targets, weights, classes=classes, image_size=recipe.image_size)
    held = held.cpu() & bool((~held).any())
    learn, apart = (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)
    judged = _Judged(images, targets, weights, apart, device)
    mine, truth = _part(images, learn), targets[learn]
    trust = None if weights is None else weights[learn]
    trust = label_weights(truth, trust, classes=classes, balance=recipe.class_balance)
    tell("fitting a head to begin with")
    before_step()
    model = to_device(new_model(recipe, classes=classes, seed=seed, former=initial), device)
    _, features = predict_with_features(model, mine, device=device)
    put_on(model, fit_head("", features, truth, weights=trust, classes=classes, device=device))
    best = _Best(model, judged)
    head_loss, steps = best.loss, 0
    for attempt in range(1 + RESTARTS):
        given = replace(recipe, learning_rate=recipe.learning_rate * RESTART_SHARE**attempt)
        run = _Run(model, given, mine, truth.to(device), trust.to(device), seed)
        with closing(run), repeatable(device):
            _learn(run, best, before_step, tell)
        steps += run.steps
        best.restore()
        if best.loss is None or best.loss != head_loss:
            break
    _check_finite(model)
    epochs, seconds = steps * recipe.batch_size / len(learn), time.perf_counter() - began
    return Finetuned(model.eval(), steps, epochs, seconds, head_loss, best.loss)


def _learn(
    run: "_Run", best: "_Best", before_step: Callable[[], None], tell: Callable[[str], None]
) -> None:
    """One schedule of steps, or less if it becomes no better."""
    waited = 0
    while run.steps < run.most:
        run.round(before_step)
        is_better, words = best.judge()
        tell(f"{run.steps} of {run.most} steps{words}")
        waited = 0 if is_better or 2 * run.steps < run.most else waited + 1
        if waited == PATIENCE:
            break


class _Best:
    """The best state of a model so far, by the labels that were held out; else the last."""

    def __init__(self, model: Classifier, judged: "_Judged") -> None:
        self._model, self._judged = model, judged
        self.loss = judged.loss(model)
        self._state = copy.deepcopy(model.state_dict())

    def judge(self) -> tuple[bool, str]:
        """Take the present state if it is better; whether it was, and that in words."""
        loss = self._judged.loss(self._model)
        if loss is None or self.loss is None:
            self._state = copy.deepcopy(self._model.state_dict())
            return True, ""
        is_better = loss < self.loss
        if is_better:
            self.loss, self._state = loss, copy.deepcopy(self._model.state_dict())
        return is_better, f", loss {loss:.3f} on labels held out, best {self.loss:.3f}"

    def restore(self) -> None:
        self._model.load_state_dict(self._state)


class _Judged:
    """The labels that were held out."""

    def __init__(
        self,
        images: Images,
        targets: Tensor,
        weights: Tensor | None,
        rows: Tensor,
        device: torch.device,
    ) -> None:
        self._images = _part(images, rows)
        self._targets = targets[rows].cpu()
        trust = torch.ones(len(rows)) if weights is None else weights[rows].float().cpu()
        self._weights = trust if float(trust.sum()) > 0 else torch.ones(len(rows))
        self._device = device

    def loss(self, model: Classifier) -> float | None:
        """The mean loss in nats by what the labels weigh; None if there are too few."""
        if len(self._targets) < FEWEST_HELD:
            return None
        said = predict(model, self._images, device=self._device)
        given = said.gather(1, self._targets[:, None]).squeeze(1)
        each = -given.clamp_min(torch.finfo(torch.float32).tiny).log()
        return float((each * self._weights).sum() / self._weights.sum())


class _Run:
    """Steps on batches of the labels to learn from, in rounds."""

    def __init__(
        self,
        model: Classifier,
        recipe: Recipe,
        images: Images,
        targets: Tensor,
        trust: Tensor,
        seed: int,
    ) -> None:
        self.steps, self.most = 0, recipe.steps(len(targets))
        self._model, self._targets, self._trust = model, targets, trust
        self._device = targets.device
        self._optimizer = layered_optimizer(model, recipe)
        self._feed = batches(
            images,
            batch_size=recipe.batch_size,
            augment=recipe.augment,
            device=self._device,
            seed=seed,
            keep_on_device=fits_on_device(images, self._device),
        )

    def close(self) -> None:
        """End the thread that reads images ahead."""
        self._feed.close()

    def round(self, before_step: Callable[[], None]) -> None:
        """`ROUND_STEPS` steps, or what is left of the most there may be."""
        _learn_all_but_statistics(self._model)
        for _ in range(min(ROUND_STEPS, self.most - self.steps)):
            before_step()
            height = one_cycle(self.steps / self.most)
            for group in self._optimizer.param_groups:
                group["lr"] = group["full_lr"] * height
            chosen, batch = next(self._feed)
            with autocast(self._device):
                logits = self._model(batch)
            each = functional.cross_entropy(logits.float(), self._targets[chosen], reduction="none")
            trust = self._trust[chosen]
            loss = (each * trust).sum() / trust.sum().clamp_min(1e-6)
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            self._optimizer.step()
            self.steps += 1


def _check_finite(model: Classifier) -> None:
    """Raise TrainingFailed for a network that broke where no label was held out to notice it."""
    if not all(bool(torch.isfinite(each).all()) for each in model.parameters()):
        raise TrainingFailed(
            "The network broke while it learned on: its weights are no longer numbers. It is tried "
            "again with more labels; the labels are not at fault."
        )


def _learn_all_but_statistics(model: Classifier) -> None:
    """Training mode, in which batch norm keeps its published statistics.

    Small batches of few classes would replace them by worse ones.
    """
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _part(images: Images, rows: Tensor) -> Images:
    if isinstance(images, CachedImages):
        return CachedImages(images.cache, images.positions[rows.numpy()])
    return images[rows]
