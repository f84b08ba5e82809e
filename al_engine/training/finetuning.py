"""Training a published network on as a whole, in minutes: the delivery model.

1. A logistic head is fitted to the embeddings of the network as it is, so that the first steps do
   not destroy it by errors of a head that knows nothing [Kumar et al. 2022, 'Fine-tuning can
   distort pretrained features'].
2. Then all weights learn, the earlier a layer the less: it knows what is common to all pictures
   [Howard & Ruder 2018, section 3.2, 'discriminative fine-tuning'].
3. After each round the network is judged on labels that it does not learn from. If that has not
   become better for some rounds, it goes back to the best one with a smaller learning rate, and
   ends after some of these. The best round is the result.

Steps are bounded: more labels do not make it hours. What it reaches is in
docs/benchmarks/architectures.md.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from al_engine.architectures import Classifier, build
from al_engine.training.batches import batches
from al_engine.training.checks import check
from al_engine.training.devices import autocast, repeatable, to_device
from al_engine.training.evaluate import predict, predict_with_features
from al_engine.training.feed import CachedImages, Images, fits_on_device
from al_engine.training.heads import fit_head, put_on
from al_engine.training.recipe import Recipe
from al_engine.training.weighting import label_weights

FIRST_LAYER_SHARE: Final = 0.1
"""The first layer's learning rate, as a share of the head's; those between rise geometrically."""
_GROUPS: Final = 8
WARM_UP_STEPS: Final = 20
ROUND_STEPS: Final = 50
"""A round is a pass over the labels, or so many steps."""
PATIENCE: Final = 3
"""Rounds without a better one until it goes back to the best."""
RESTARTS: Final = 2
RESTART_SHARE: Final = 0.3
"""The learning rate after going back, as a share of that before."""
FEWEST_HELD: Final = 8
"""With fewer labels to judge by nothing is judged, and there are `BLIND_ROUNDS` rounds."""
BLIND_ROUNDS: Final = 5


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
    for no images to learn from, and what `build` raises.
    """
    began = time.perf_counter()
    check(images, targets, weights, classes=classes, image_size=recipe.image_size)
    held = held.cpu() & bool((~held).any())
    learn = (~held).nonzero().squeeze(1)
    judged = _Judged(images, targets, weights, held.nonzero().squeeze(1), device)
    model = _started(recipe, classes=classes, seed=seed, former=initial, device=device)
    tell("fitting a head to begin with")
    before_step()
    trust = None if weights is None else weights[learn]
    trust = label_weights(targets[learn], trust, classes=classes, balance=recipe.class_balance)
    mine = _part(images, learn)
    _, features = predict_with_features(model, mine, device=device)
    put_on(
        model,
        fit_head("", features, targets[learn], weights=trust, classes=classes, device=device),
    )
    model.to(device)
    run = _Run(model, recipe, mine, targets[learn].to(device), trust.to(device), seed)
    best, head_loss = copy.deepcopy(model.state_dict()), judged.loss(model)
    best_loss, waited, restarts = head_loss, 0, 0
    with repeatable(device):
        while run.steps < recipe.max_steps:
            run.round(before_step)
            loss = judged.loss(model)
            tell(_words(run, loss, best_loss))
            if loss is None or best_loss is None:
                best = copy.deepcopy(model.state_dict())
                if run.rounds == BLIND_ROUNDS:
                    break
            elif loss < best_loss:
                best, best_loss, waited = copy.deepcopy(model.state_dict()), loss, 0
            else:
                waited += 1
            if waited == PATIENCE:
                model.load_state_dict(best)
                if restarts == RESTARTS:
                    break
                run.slow_down()
                restarts, waited = restarts + 1, 0
    model.load_state_dict(best)
    return Finetuned(
        model.eval(),
        run.steps,
        run.steps * recipe.batch_size / len(learn),
        time.perf_counter() - began,
        head_loss,
        best_loss,
    )


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
        self.steps, self.rounds = 0, 0
        self._model, self._targets, self._trust = model, targets, trust
        self._device = targets.device
        self._size = recipe.batch_size
        self._height = 1.0
        self._optimizer = _optimizer(model, recipe)
        self._feed = batches(
            images,
            batch_size=recipe.batch_size,
            augment=recipe.augment,
            device=self._device,
            seed=seed,
            keep_on_device=fits_on_device(images, self._device),
        )

    def round(self, before_step: Callable[[], None]) -> None:
        """A pass over the labels, or `ROUND_STEPS` steps if it has more."""
        _learn_all_but_statistics(self._model)
        for _ in range(min(ROUND_STEPS, -(-len(self._targets) // self._size))):
            before_step()
            warm = min(1.0, (self.steps + 1) / WARM_UP_STEPS)
            for group in self._optimizer.param_groups:
                group["lr"] = group["full_lr"] * warm * self._height
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
        self.rounds += 1

    def slow_down(self) -> None:
        """After going back to the best: smaller steps from now on."""
        self._height *= RESTART_SHARE
        self._optimizer.state.clear()


def _started(
    recipe: Recipe,
    *,
    classes: int,
    seed: int,
    former: dict[str, Tensor] | None,
    device: torch.device,
) -> Classifier:
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        model = build(
            recipe.architecture,
            classes=classes,
            image_size=recipe.image_size,
            weights_path=recipe.weights_path if former is None else None,
            pretrained=recipe.pretrained and former is None,
        )
    if former is not None:
        inner = {
            name.removeprefix("backbone."): each
            for name, each in former.items()
            if name.startswith("backbone.")
        }
        model.backbone.load_state_dict(inner)
    return to_device(model, device)


def _learn_all_but_statistics(model: Classifier) -> None:
    """Training mode, in which batch norm keeps its published statistics.

    Small batches of few classes would replace them by worse ones.
    """
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _optimizer(model: Classifier, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, whose learning rates fall from the head to the first layer."""
    inner = list(model.backbone.parameters())
    groups: list[dict[str, object]] = []
    for number in range(_GROUPS):
        low, high = (len(inner) * place // _GROUPS for place in (number, number + 1))
        depth = (number + 1) / (_GROUPS + 1)
        groups += _by_decay(
            inner[low:high], recipe, recipe.learning_rate * FIRST_LAYER_SHARE ** (1 - depth)
        )
    groups += _by_decay(list(model.head.parameters()), recipe, recipe.learning_rate)
    fused = next(iter(inner)).device.type in {"cpu", "cuda"}
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=fused)


def _by_decay(
    parameters: list[nn.Parameter], recipe: Recipe, learning_rate: float
) -> list[dict[str, object]]:
    """Groups of one learning rate: biases and scales of batch norm do not decay."""
    decayed = [each for each in parameters if each.ndim > 1]
    free = [each for each in parameters if each.ndim <= 1]
    return [
        {"params": some, "weight_decay": decay, "full_lr": learning_rate}
        for some, decay in ((decayed, recipe.weight_decay), (free, 0.0))
        if some
    ]


def _part(images: Images, rows: Tensor) -> Images:
    if isinstance(images, CachedImages):
        return CachedImages(images.cache, images.positions[rows.numpy()])
    return images[rows]


def _words(run: _Run, loss: float | None, best: float | None) -> str:
    judged = (
        "" if loss is None or best is None else f", loss {loss:.3f}, best {min(loss, best):.3f}"
    )
    return f"round {run.rounds}, {run.steps} steps{judged}"
