"""VGG-16 on CIFAR-10: the time of a training, and its accuracy beside that of a long training."""

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

import torch

from al_engine.training.evaluate import evaluate
from al_engine.training.loop import Trained, train
from al_engine.training.recipe import Recipe, default_recipe
from al_lab.config.settings import Data
from al_lab.data import datasets
from al_lab.data.datasets import Images

CACHE: Final = Path(__file__).resolve().parents[2] / "var" / "data"
SIDE: Final = 32
LONGER: Final = 8
SEEDS: Final = 3
# Labels, and the seconds aimed at on an H200.
AIMS: Final = {10_000: 2.5, 25_000: 5.0}
WITHIN_POINTS: Final = 0.3
NETWORKS: Final = ("vgg16", "vgg16_bn")
SMALL_NETWORKS: Final = ("small_cnn",)
SMALL_AIMS: Final = {2_000: 5.0}


def run(device: torch.device, small: bool, file: Path) -> str:
    """The section of the report. `small`, for a CPU, takes a small network and few labels."""
    learned, held = load(file)
    networks, aims = (SMALL_NETWORKS, SMALL_AIMS) if small else (NETWORKS, AIMS)
    rows = [
        measured(name, labels, aim_s, learned, held, device)
        for name in networks
        for labels, aim_s in aims.items()
    ]
    said = (
        f"`train` with its default recipe on the first labels of CIFAR-10 (`{file.name}`), "
        "mirrored images allowed, in a process that has trained the shape before. Medians of "
        f"{SEEDS} seeds on the {held.truth.shape[0]:,} test images. The long training takes "
        f"{LONGER} times as many steps. The aims are for an H200: within {WITHIN_POINTS} points "
        "of the long training."
    )
    head = (
        "| network | labels | seconds | aim, s | epochs | accuracy % | long training, s "
        "| its accuracy % |"
    )
    return "\n".join(["## CIFAR-10", "", said, "", head, "|---" * 8 + "|", *rows])


def measured(
    name: str, labels: int, aim_s: float, learned: Images, held: Images, device: torch.device
) -> str:
    """One row of the table."""
    recipe = default_recipe(name, image_size=SIDE, labels=labels, device=device)
    recipe = replace(recipe, augment="shift_flip")
    steps = LONGER * recipe.steps(labels)
    longer = replace(recipe, min_steps=steps, max_steps=steps)
    for seed in (0, 1):  # the second training of a shape compiles it
        trained(recipe, labels, learned, device, seed)
    short = [trained(recipe, labels, learned, device, seed) for seed in range(SEEDS)]
    long = [trained(longer, labels, learned, device, seed) for seed in range(SEEDS)]
    return (
        f"| {name} | {labels:,} | {median(each.seconds for each in short):.2f} | {aim_s} "
        f"| {short[0].epochs:.1f} | {accuracy(short, held, device):.2f} "
        f"| {median(each.seconds for each in long):.1f} | {accuracy(long, held, device):.2f} |"
    )


def trained(
    recipe: Recipe, labels: int, learned: Images, device: torch.device, seed: int
) -> Trained:
    """A model trained on the first `labels` labels."""
    return train(
        learned.pixels[:labels],
        learned.truth[:labels],
        classes=10,
        recipe=recipe,
        device=device,
        seed=seed,
    )


def accuracy(models: list[Trained], held: Images, device: torch.device) -> float:
    """The median accuracy of the models, in percent."""
    return 100 * median(
        evaluate(each.model, held.pixels, held.truth, device=device).accuracy for each in models
    )


def load(file: Path) -> tuple[Images, Images]:
    """The training and the test images; the first call unpacks them."""
    data_set = datasets.load(Data(file.name, SIDE), file.parent, CACHE)
    return data_set.train, data_set.test
