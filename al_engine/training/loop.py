"""The training loop: one pass of a one-cycle schedule over batches on the device, no DataLoader.

A step takes a batch, augments and normalizes it on the device, and updates the network, without
Python code for each image. The same seed on the same device gives the same weights.

Results with small_cnn on two cores (x86_64), without a GPU:

- 80.5 % on 5,000 test images of Fashion-MNIST at 14 px, from 1,000 labels that were drawn at random
  and 313 steps of 64 images: the mean of 5 runs (docs/benchmarks/accuracy.md).
- 2,795 images a second at 32 px, 98 % of a bare loop over batches that lie on the device and 2.2
  times a DataLoader of 2 processes: the medians of 7 runs (docs/benchmarks/engine.md).
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from al_engine.architectures import Classifier
from al_engine.decisions.architecture import head_of
from al_engine.training.batches import batches
from al_engine.training.checks import check
from al_engine.training.compiling import Forward, compiled
from al_engine.training.devices import autocast, repeatable, threads_for, to_device
from al_engine.training.evaluate import predict_with_features
from al_engine.training.feed import Images, fits_on_device
from al_engine.training.head import former_head
from al_engine.training.heads import fit_head, put_on
from al_engine.training.penalty import PenaltyMemory
from al_engine.training.recipe import Recipe
from al_engine.training.start import new_model
from al_engine.training.weighting import label_weights

# Fraction of the schedule in which the learning rate rises to its peak.
WARM_UP = 0.2
MOMENTUM = 0.9
# How often a training checks its loss; on a GPU each check waits for the device.
LOSS_CHECKS = 20


class TrainingFailed(Exception):
    """A training diverged; the message says what to do."""


class Stopped(Exception):
    """A training was stopped by `should_stop`; there is no model."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training: the model in evaluation mode on its device, and its figures.

    `epochs`: passes over the labels. `seconds`: wall-clock time. `loss`: mean training loss (nats)
    of the last tenth of the steps.
    """

    model: Classifier
    steps: int
    epochs: float
    seconds: float
    loss: float


def train(
    images: Images,
    targets: Tensor,
    *,
    weights: Tensor | None = None,
    classes: int,
    recipe: Recipe,
    device: torch.device,
    seed: int,
    initial: dict[str, Tensor] | None = None,
    features: Tensor | None = None,
    keep_on_device: bool | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] | None = None,
) -> Trained:
    """Train a new model on labeled images.

    `images`: uint8 (n, 3, S, S). `targets`: int64 (n,), each in [0, classes); classes without an
    image are allowed. `weights`: float (n,), how much each label counts; None for equal weights.
    `initial`: the state dict to start from if the recipe's warm start is `shrink_perturb` or the
    backbone is frozen; its head is left out if the number of classes differs. `features`: float
    (n, width), the images' embeddings if the backbone is frozen and they are known.
    `keep_on_device`: whether all images are copied to the device or read batch by batch; None
    decides by their size; the model is the same either way. `should_stop` is called before every
    step; `progress` gets the fraction done, 0 to 1, about every twentieth of the way. Both are
    ignored if the backbone is frozen.

    Raises ValueError for no images or inconsistent data, Stopped, TrainingFailed.
    """
    check(images, targets, weights, classes=classes, image_size=recipe.image_size)
    started = time.perf_counter()
    trust = label_weights(targets, weights, classes=classes, balance=recipe.class_balance)
    fresh = new_model(recipe, classes=classes, seed=seed, former=initial)
    fresh = to_device(fresh, device).train()
    if fresh.frozen_backbone:
        if features is None:
            _, features = predict_with_features(fresh, images, device=device)
        former = former_head(initial)
        kind = head_of(recipe.architecture)
        return _fit_head(fresh, kind, features, targets, trust, former, device, started)
    feed = batches(
        images,
        batch_size=recipe.batch_size,
        augment=recipe.augment,
        device=device,
        seed=seed,
        keep_on_device=fits_on_device(images, device) if keep_on_device is None else keep_on_device,
    )
    with closing(feed):
        model, losses = _fit_network(
            fresh,
            feed,
            targets.to(device),
            trust.to(device),
            recipe,
            should_stop=should_stop,
            progress=progress,
        )
    return Trained(
        model=model.eval(),
        steps=len(losses),
        epochs=len(losses) * recipe.batch_size / images.shape[0],
        seconds=time.perf_counter() - started,
        loss=float(losses[-max(1, len(losses) // 10) :].mean()),
    )


def train_on_embeddings(
    model: Classifier,
    features: Tensor,
    targets: Tensor,
    *,
    weights: Tensor | None = None,
    recipe: Recipe,
    device: torch.device,
    former: dict[str, Tensor] | None = None,
    penalty: PenaltyMemory | None = None,
) -> Trained:
    """As `train`, for a model with a frozen backbone, on this device, whose head is fitted here.

    `features`: float (n, width), n >= 1, the embeddings of the labeled images. `former`: the state
    of an earlier head to start from, and `penalty` the memory of its penalty, which save time.
    """
    started = time.perf_counter()
    trust = label_weights(targets, weights, classes=model.classes, balance=recipe.class_balance)
    kind = head_of(recipe.architecture)
    return _fit_head(model, kind, features, targets, trust, former, device, started, penalty)


def _fit_head(
    model: Classifier,
    kind: str,
    features: Tensor,
    targets: Tensor,
    trust: Tensor,
    former: dict[str, Tensor] | None,
    device: torch.device,
    started: float,
    penalty: PenaltyMemory | None = None,
) -> Trained:
    """Train only the head of a frozen backbone, of the kind that its architecture names.

    `former`: the state of an earlier head, which is nearer than none. `started`: a time of
    `time.perf_counter`.
    """
    head = fit_head(
        kind,
        features,
        targets,
        weights=trust,
        classes=model.classes,
        device=device,
        former=former,
        penalty=penalty,
    )
    put_on(model, head)
    seconds = time.perf_counter() - started
    return Trained(model.eval(), head.steps, float(head.steps), seconds, head.loss)


def _fit_network(
    fresh: Classifier,
    feed: Iterator[tuple[Tensor, Tensor]],
    labels: Tensor,
    trust: Tensor,
    recipe: Recipe,
    *,
    should_stop: Callable[[], bool],
    progress: Callable[[float], None] | None,
) -> tuple[Classifier, Tensor]:
    """Train a whole network, compiled if the recipe says so; the model and each step's loss."""
    device = labels.device
    shape = (recipe.architecture, fresh.classes, recipe.image_size, recipe.batch_size, device)
    network = compiled(fresh, shape) if recipe.compiled else nullcontext((fresh, fresh))
    pixels = recipe.batch_size * recipe.image_size**2
    with repeatable(device), threads_for(pixels, device), network as (model, forward):
        losses = _descend(
            model, forward, feed, labels, trust, recipe, should_stop=should_stop, progress=progress
        )
        # The next training reuses a compiled network, so return a copy of it.
        return model if model is fresh else copy.deepcopy(model), losses


def _descend(
    model: Classifier,
    forward: Forward,
    feed: Iterator[tuple[Tensor, Tensor]],
    labels: Tensor,
    trust: Tensor,
    recipe: Recipe,
    *,
    should_stop: Callable[[], bool],
    progress: Callable[[float], None] | None,
) -> Tensor:
    """All steps of a training; returns the loss of each, float (steps,), on the device."""
    optimizer = _make_optimizer(model, recipe, labels.device)
    losses: list[Tensor] = []
    steps = recipe.steps(labels.shape[0])
    look_every = max(1, steps // LOSS_CHECKS)
    height = one_cycle if recipe.schedule == "one_cycle" else in_steps
    began = time.perf_counter()

    for step in range(steps):
        if should_stop():
            raise Stopped(f"The training was asked to stop after {step} of {steps} steps.")
        done = _fraction_done(step, steps, time.perf_counter() - began, recipe.time_budget_s)
        if done >= 1:
            break
        if progress is not None and step % look_every == 0:
            progress(done)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * height(done)
        chosen, batch = next(feed)
        with autocast(labels.device):
            logits = forward(batch)
        each = functional.cross_entropy(
            logits.float(),
            labels[chosen],
            reduction="none",
            label_smoothing=recipe.label_smoothing,
        )
        loss = (each * trust[chosen]).sum() / trust[chosen].sum().clamp_min(1e-6)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.detach())
        if step % look_every == look_every - 1:
            _check_finite(losses[-1], step)

    _check_finite(torch.stack([p.detach().sum() for p in model.parameters()]), len(losses) - 1)
    if progress is not None:
        progress(1.0)
    return torch.stack(losses)


def one_cycle(done: float) -> float:
    """The learning rate as a fraction of its peak: a linear rise from 0.1, then a cosine to 0."""
    if done < WARM_UP:
        return 0.1 + 0.9 * done / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def in_steps(done: float) -> float:
    """The learning rate as a fraction of its peak: 1, from half way on 0.1, from 3/4 on 0.01."""
    return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01


def _fraction_done(step: int, steps: int, elapsed_s: float, budget_s: float | None) -> float:
    """The larger of the fractions of steps and of time; 0 at the first step."""
    by_steps = step / steps
    if budget_s is None or step == 0:
        return by_steps
    return max(by_steps, elapsed_s / budget_s if budget_s > 0 else 1.0)


def _make_optimizer(
    model: Classifier, recipe: Recipe, device: torch.device
) -> torch.optim.Optimizer:
    """The recipe's optimizer; AdamW does not decay biases and the scales of batch norm."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(),
            lr=recipe.learning_rate,
            momentum=MOMENTUM,
            weight_decay=recipe.weight_decay,
            fused=device.type in {"cpu", "cuda"},
        )
    decayed = [p for p in model.parameters() if p.ndim > 1]
    free = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": free, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        fused=device.type in {"cpu", "cuda"},
    )


def _check_finite(numbers: Tensor, step: int) -> None:
    if not bool(torch.isfinite(numbers).all()):
        raise TrainingFailed(
            f"The training diverged by step {step + 1}: the loss is no longer a number. Lower the "
            "learning rate, or use an architecture with batch norm; the labels are not at fault."
        )
