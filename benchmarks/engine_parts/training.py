"""Training: `train` with augmentation, beside a bare loop and beside a usual DataLoader."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from al_engine.architectures import build
from al_engine.architectures.torchvision_ops import import_torchvision
from al_engine.training.devices import autocast, computes_in_bfloat16, to_device
from al_engine.training.head import train_head
from al_engine.training.loop import train
from al_engine.training.pixels import largest_shift, normalize
from al_engine.training.recipe import Recipe, default_recipe
from benchmarks.engine_parts.rates import in_turns, ratio, spread

AIM: Final = 0.90
SIDE: Final = 32
ROUNDS: Final = 7
ON_CPU_LABELS: Final = 2_000
ON_GPU_LABELS: Final = 10_000
HEAD_LABELS: Final = 50_000
HEAD_WIDTH: Final = 512
ON_CPU: Final = {"small_cnn": 120}
ON_GPU: Final = dict.fromkeys(("small_cnn", "resnet18", "vgg16", "vgg16_bn"), 400)


def run(device: torch.device, small: bool) -> str:
    """The section of the report."""
    networks = ON_CPU if device.type == "cpu" else ON_GPU
    rounds = 3 if small else ROUNDS
    labels = ON_CPU_LABELS if device.type == "cpu" else ON_GPU_LABELS
    rows = [
        measured(name, labels, steps // (4 if small else 1), rounds, device)
        for name, steps in networks.items()
    ]
    narrow = "bfloat16" if computes_in_bfloat16(device) else "float32"
    said = (
        f"Images a second at {SIDE} px of `train` on {labels:,} labels, with its set-up, "
        "augmentation by shifts and schedule, beside loops of forward, backward and optimizer step "
        "alone over normalized batches of the same size that lie on the device, and beside the "
        f"same loop fed by a DataLoader of {workers()} processes with torchvision's transforms "
        "(random crop, to tensor, normalize) on PIL images. All but the float32 loop compute "
        f"convolutions in {narrow}. {rounds} rounds in turns: the median and the whole range. The "
        f"aim is at least {AIM:.2f} of the bare loop."
    )
    head = (
        "| network | batch | steps | train, images/s | bare, images/s | bare float32, images/s "
        "| DataLoader, images/s | train : bare | train : bare float32 | train : DataLoader |"
    )
    lines = "|---" * 10 + "|"
    return "\n".join(["## Training", "", said, "", head, lines, *rows, "", head_alone(device)])


def head_alone(device: torch.device) -> str:
    """The time that training a probe's head takes, as a sentence."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 10, (HEAD_LABELS,), generator=generator)
    centers = torch.randn(10, HEAD_WIDTH, generator=generator) / 10
    features = centers[targets] + torch.randn(HEAD_LABELS, HEAD_WIDTH, generator=generator)

    def fit() -> int:
        train_head(features.relu_(), targets, classes=10, device=device)
        return 1

    seconds = [1 / rate for rate in in_turns({"head": fit}, rounds=ROUNDS, device=device)["head"]]
    return (
        f"`train_head` on {HEAD_LABELS:,} embeddings of width {HEAD_WIDTH}: "
        f"{spread(seconds, 2)} s. The aim is below 1 s."
    )


def measured(name: str, labels: int, steps: int, rounds: int, device: torch.device) -> str:
    """One network's row of the table."""
    size = default_recipe(name, image_size=SIDE, labels=labels, device=device).batch_size
    found = rates(name, labels, steps, rounds, device)
    train_rates = found.pop("train")
    return (
        f"| {name} | {size} | {steps} | {spread(train_rates)} "
        + "".join(f"| {spread(each)} " for each in found.values())
        + "".join(f"| {ratio(train_rates, each)} " for each in found.values())
        + "|"
    )


def rates(
    name: str,
    labels: int,
    steps: int,
    rounds: int,
    device: torch.device,
    *,
    beside_others: bool = True,
) -> dict[str, list[float]]:
    """Images a second by round of `train` and of the `bare` loop.

    `beside_others` adds the bare loop in `float32` and the one fed by the usual `loader`.
    """
    torch.manual_seed(0)
    images = torch.randint(0, 256, (labels, 3, SIDE, SIDE), dtype=torch.uint8)
    targets = torch.randint(0, 10, (labels,))
    recipe = default_recipe(name, image_size=SIDE, labels=labels, device=device)
    recipe = replace(recipe, min_steps=steps, max_steps=steps)
    size = recipe.batch_size
    few = torch.split(normalize(images[: 8 * size].to(device)), size)
    resident = list(zip(few, torch.split(targets[: 8 * size].to(device), size), strict=True))

    def whole() -> int:
        done = train(images, targets, classes=10, recipe=recipe, device=device, seed=0)
        return done.steps * size

    def bare(*, narrow: bool = True) -> int:
        return loop(recipe, islice(cycle(resident), steps), device, narrow=narrow)

    works: dict[str, Callable[[], int]] = {"train": whole, "bare": bare}
    if beside_others:
        loader = usual_loader(images, targets, size)
        works["float32"] = lambda: bare(narrow=False)
        works["loader"] = lambda: loop(recipe, islice(_forever(loader), steps), device, narrow=True)
    whole()  # of a shape the second training compiles, which `in_turns` does not measure then
    return in_turns(works, rounds=rounds, device=device)


def loop(
    recipe: Recipe,
    batches: Iterable[tuple[Tensor, Tensor]],
    device: torch.device,
    *,
    narrow: bool,
) -> int:
    """Forward, backward and optimizer step only; returns the number of images."""
    model = to_device(build(recipe.architecture, classes=10, image_size=SIDE), device).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, fused=device.type in {"cpu", "cuda"}
    )
    done = 0
    for images, targets in batches:
        batch = images.to(device, non_blocking=True)
        batch = batch.contiguous(memory_format=torch.channels_last)
        with autocast(device) if narrow else torch.autocast(device.type, enabled=False):
            logits = model(batch)
        loss = functional.cross_entropy(logits.float(), targets.to(device, non_blocking=True))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        done += images.shape[0]
    return done


class Pictures(Dataset[tuple[Tensor, int]]):
    """PIL images with their transforms, one at a time."""

    def __init__(self, images: Tensor, targets: Tensor) -> None:
        import_torchvision()
        from torchvision import transforms

        to_picture = transforms.ToPILImage()
        self.pictures: list[Any] = [to_picture(image) for image in images]
        self.targets = targets.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(SIDE, padding=largest_shift(SIDE), padding_mode="edge"),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        transformed: Tensor = self.transform(self.pictures[index])
        return transformed, self.targets[index]


def usual_loader(
    images: Tensor, targets: Tensor, batch_size: int
) -> DataLoader[tuple[Tensor, int]]:
    """A loader as a tutorial would write it, with one process per core, at most eight."""
    return DataLoader(
        Pictures(images, targets),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers(),
        pin_memory=torch.cuda.is_available(),
        persistent_workers=True,
    )


def workers() -> int:
    """The number of processes of the DataLoader."""
    return min(8, os.cpu_count() or 1)


def _forever(loader: DataLoader[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader
