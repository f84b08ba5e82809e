"""The training loop: all images on the device, one pass of a one-cycle schedule, no DataLoader.

A step draws a batch by index, augments and normalises it on the device, and updates the network;
nothing in it happens in Python for each image. Same seed, same CPU: same weights.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from al_engine.architectures import Classifier, build
from al_engine.training.devices import placed
from al_engine.training.pixels import batch_of
from al_engine.training.recipe import Recipe

LABEL_SMOOTHING = 0.05
# Fraction of the schedule in which the learning rate rises to its peak.
WARM_UP = 0.2
# Steps between looks at the loss; on a GPU each look waits for the device.
CHECK_EVERY = 20
# Ash & Adams 2020, 'On Warm-Starting Neural Network Training': theta <- shrink * theta + noise.
SHRINK = 0.6
NOISE_STD = 0.01


class TrainingFailed(Exception):
    """A training diverged; the message says what to do."""


class Stopped(Exception):
    """A training ended because it was asked to; there is no model."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training: the model in evaluation mode on its device, and what it took.

    `epochs` are passes over the labels, `seconds` the wall clock, `loss` the mean training loss
    (nats, with label smoothing) of the last tenth of the steps.
    """

    model: Classifier
    steps: int
    epochs: float
    seconds: float
    loss: float


def train(
    images: Tensor,
    targets: Tensor,
    *,
    weights: Tensor | None = None,
    classes: int,
    recipe: Recipe,
    device: torch.device,
    seed: int,
    initial: dict[str, Tensor] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] | None = None,
) -> Trained:
    """Trains a new model on labelled images.

    `images`: uint8 (n, 3, S, S). `targets`: int64 (n,), each in [0, classes); classes without an
    image are fine. `weights`: float (n,), how much each label counts, None for all the same.
    `initial`: the state dict to start from when the recipe's warm start is `shrink_perturb`;
    a head of another number of classes in it is left out. `should_stop` is asked before every
    step; `progress` gets the fraction done, from 0 to 1, about every twentieth of the way.

    Raises ValueError for no images or data that do not fit together, Stopped, TrainingFailed.
    """
    _check(images, targets, weights, classes=classes, recipe=recipe)
    started = time.perf_counter()
    count, steps = images.shape[0], recipe.steps(images.shape[0])
    generator = torch.Generator(device=device).manual_seed(seed)
    model = _new_model(recipe, classes=classes, seed=seed, initial=initial)
    model = placed(model, device).train()
    pixels = images.to(device).permute(0, 2, 3, 1).contiguous()  # (n, S, S, 3)
    labels = targets.to(device)
    trust = torch.ones(count) if weights is None else weights.float()
    trust = trust.to(device)
    optimiser = _optimiser(model, recipe, device)
    batches = _batches(count, recipe.batch_size, generator)
    losses: list[Tensor] = []

    for step in range(steps):
        if should_stop():
            raise Stopped(f"The training was asked to stop after {step} of {steps} steps.")
        done = _fraction_done(step, steps, time.perf_counter() - started, recipe.time_budget_s)
        if done >= 1:
            break
        if progress is not None and step % max(1, steps // 20) == 0:
            progress(done)
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * one_cycle(done)
        chosen = next(batches)
        batch = batch_of(pixels, chosen, augment=recipe.augment, generator=generator)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(batch)
        each = functional.cross_entropy(
            logits.float(), labels[chosen], reduction="none", label_smoothing=LABEL_SMOOTHING
        )
        loss = (each * trust[chosen]).sum() / trust[chosen].sum().clamp_min(1e-6)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.detach())
        if step % CHECK_EVERY == CHECK_EVERY - 1:
            _check_finite(losses[-1], step)

    _check_finite(torch.stack([p.detach().sum() for p in model.parameters()]), len(losses) - 1)
    if progress is not None:
        progress(1.0)
    last = torch.stack(losses[-max(1, len(losses) // 10) :])
    return Trained(
        model=model.eval(),
        steps=len(losses),
        epochs=len(losses) * recipe.batch_size / count,
        seconds=time.perf_counter() - started,
        loss=float(last.mean()),
    )


def one_cycle(done: float) -> float:
    """The learning rate as a fraction of its peak: a linear rise, then half a cosine to 0."""
    if done < WARM_UP:
        return 0.1 + 0.9 * done / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def _fraction_done(step: int, steps: int, elapsed_s: float, budget_s: float | None) -> float:
    """By steps, or by time where that is ahead; never 1 before the first step is taken."""
    by_steps = step / steps
    if budget_s is None or step == 0:
        return by_steps
    return max(by_steps, elapsed_s / budget_s if budget_s > 0 else 1.0)


def _batches(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches of indices, always full: shuffled passes over the data, one after the other.

    With fewer images than a batch holds, each occurs in it equally often or once more.
    """
    waiting = torch.empty(0, dtype=torch.int64, device=generator.device)
    while True:
        while waiting.shape[0] < batch_size:
            fresh = torch.randperm(count, generator=generator, device=generator.device)
            waiting = torch.cat([waiting, fresh])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def _new_model(
    recipe: Recipe, *, classes: int, seed: int, initial: dict[str, Tensor] | None
) -> Classifier:
    """The network to start from, on the CPU, without touching torch's global generator."""
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        model = build(recipe.architecture, classes=classes, image_size=recipe.image_size)
    if recipe.warm_start == "shrink_perturb" and initial is not None:
        _shrink_perturb(model, initial, generator=torch.Generator().manual_seed(seed))
    return model


@torch.no_grad()
def _shrink_perturb(
    model: Classifier, initial: dict[str, Tensor], *, generator: torch.Generator
) -> None:
    """Sets the parameters to shrunken former ones plus noise (Ash & Adams 2020).

    Running statistics of batch norm start anew; they follow the data within a few dozen steps.
    """
    for name, parameter in model.named_parameters():
        former = initial.get(name)
        if former is not None and former.shape == parameter.shape:
            noise = torch.randn(parameter.shape, generator=generator) * NOISE_STD
            parameter.copy_(former.cpu() * SHRINK + noise)
        elif not name.startswith("head."):
            raise ValueError(
                f"The former model does not fit this architecture at {name}. "
                "Start from scratch after a change of architecture or image size."
            )


def _optimiser(model: Classifier, recipe: Recipe, device: torch.device) -> torch.optim.AdamW:
    """AdamW that decays weights only; biases and the scales of batch norm need none."""
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


def _check(
    images: Tensor, targets: Tensor, weights: Tensor | None, *, classes: int, recipe: Recipe
) -> None:
    """Refuses data from which no model can come, in words."""
    count = images.shape[0]
    if count == 0:
        raise ValueError("There are no labelled images to train on; wait for the first answers.")
    side = recipe.image_size
    if images.dtype != torch.uint8 or images.shape[1:] != (3, side, side):
        raise ValueError(
            f"Training images must be uint8 of the shape (n, 3, {side}, {side}); these are "
            f"{images.dtype} of the shape {tuple(images.shape)}."
        )
    if targets.dtype != torch.int64 or targets.shape != (count,):
        raise ValueError(
            f"Targets must be int64 of the shape ({count},); these are {targets.dtype} of the "
            f"shape {tuple(targets.shape)}."
        )
    if int(targets.min()) < 0 or int(targets.max()) >= classes:
        raise ValueError(
            f"Targets must be from 0 to {classes - 1}; these span {int(targets.min())} to "
            f"{int(targets.max())}."
        )
    if weights is not None and (
        weights.shape != (count,)
        or not bool(torch.isfinite(weights).all())
        or float(weights.min()) < 0
        or float(weights.sum()) == 0
    ):
        raise ValueError(
            f"Weights must be {count} finite numbers of 0 or more, and not all of them 0."
        )
