"""The card's roof, and whether each of the engine's ways to use the card is right."""

from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Final
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.functional import softmax

from al_engine.architectures import build
from al_engine.training import compiling, devices
from al_engine.training.evaluate import batch_size_for, predict
from al_engine.training.feed import fits_on_device, stream_batches
from al_engine.training.loop import Trained, train
from al_engine.training.pixels import normalize
from al_engine.training.recipe import default_recipe
from benchmarks.engine_parts.rates import in_turns
from benchmarks.gpu_parts.work import Tell, Work

SIDE: Final = 32
ROUNDS: Final = 7
AT_ONCE: Final = 10
NARROW_TOLERANCE: Final = 0.05
"""How far a probability in bfloat16 may be from that in float32."""
LOSS_TOLERANCE: Final = 0.1


def rate(work: Callable[[], int], device: torch.device, rounds: int = ROUNDS) -> float:
    """The median rate of a work that returns how much it did, once it has run unmeasured."""
    return median(in_turns({"it": work}, rounds=rounds, device=device)["it"])


def roofline(work: Work, tell: Tell) -> None:
    """What the card does at best: products, a copy, and images on their way to it."""
    device, side = work.device, 256 if work.toy else 8_192
    for dtype in (torch.bfloat16, torch.float32):
        left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))

        def products(left: Tensor = left, right: Tensor = right) -> int:
            for _ in range(AT_ONCE):
                torch.mm(left, right)
            return AT_ONCE

        flops = 2 * side**3 * rate(products, device)
        name = f"product of {side:,} × {side:,}, {str(dtype).removeprefix('torch.')}"
        tell({"roof": name, "reached": flops / 1e12, "unit": "TFLOP/s"})
    count = (4 << 20) if work.toy else (1 << 30)
    source = torch.randn(count, device=device)
    target = torch.empty_like(source)

    def copies() -> int:
        for _ in range(AT_ONCE):
            target.copy_(source)
        return AT_ONCE

    moved = 2 * 4 * count * rate(copies, device)
    tell({"roof": "copy, read and written", "reached": moved / 1e12, "unit": "TB/s"})
    waiting = source[: count // 4].cpu()
    waiting = waiting.pin_memory() if device.type == "cuda" else waiting

    def fetch() -> int:
        target[: count // 4].copy_(waiting, non_blocking=True)
        return count

    tell({"roof": "to the card", "reached": rate(fetch, device) / 1e9, "unit": "GB/s"})


def paths(work: Work, tell: Tell) -> None:
    """Placement, precision, compiled and streamed training and prediction, each with a check."""
    _placement(work, tell)
    _precision(work, tell)
    _compiled(work, tell)
    _streamed(work, tell)


def _placement(work: Work, tell: Tell) -> None:
    device = work.device
    said = f"{devices.describe(device)}, torch {torch.__version__}, CUDA {torch.version.cuda}"
    right = device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    tell({"check": "device of this name", "found": f"{work.device_name}: {said}", "right": right})
    try:
        refused = f"no error: {devices.resolve('cuda:99')}"
    except ValueError as error:
        refused = str(error)
    right = "is not there" in refused
    tell({"check": "a device that is not there", "found": refused, "right": right})
    one = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    answers = [fits_on_device(one.expand(count, -1, -1, -1), device) for count in (10**4, 10**9)]
    tell(
        {
            "check": "10,000 images of 32 px may lie on the device, a billion not",
            "found": str(answers),
            "right": answers == [True, False],
        }
    )


def _precision(work: Work, tell: Tell) -> None:
    device = work.device
    model = devices.to_device(build("resnet18", classes=10, image_size=SIDE), device).eval()
    images, _ = drawn(64 if work.toy else 4_096)
    with torch.inference_mode():
        wide = softmax(model(normalize(images.to(device))).float(), dim=1).cpu()
        with devices.autocast(device):
            dtype = model.features_of(normalize(images[:8].to(device))).dtype
    apart = float((predict(model, images, device=device) - wide).abs().max())
    narrow = devices.computes_in_bfloat16(device)
    tell(
        {
            "check": "autocast of a convolution",
            "found": str(dtype),
            "right": (dtype == torch.bfloat16) == narrow,
        }
    )
    tell(
        {
            "check": "largest difference of a probability from float32, resnet18",
            "found": f"{apart:.4f}",
            "right": apart < NARROW_TOLERANCE,
        }
    )


def _compiled(work: Work, tell: Tell) -> None:
    """Three trainings of a shape, of which the second compiles; equal seeds, equal weights."""
    from torch._dynamo.utils import counters

    count, steps = (64, 4) if work.toy else (10_000, 200)
    name = "small_cnn" if work.toy else "vgg16_bn"
    images, targets = drawn(count)
    recipe = default_recipe(name, image_size=SIDE, labels=count, device=work.device)
    recipe = replace(recipe, compiled=True, min_steps=steps, max_steps=steps)
    # The toy tests the way there, without waiting half a minute for a compiler.
    with patch.object(compiling, "BACKEND", "eager" if work.toy else compiling.BACKEND):
        done = list[Trained]()
        for said in ("uncompiled, first of its shape", "compiles", "compiled", "compiled again"):
            done.append(
                train(images, targets, classes=10, recipe=recipe, device=work.device, seed=0)
            )
            apart = abs(done[-1].loss - done[0].loss)
            tell(
                {
                    "check": f"{name}, {steps} steps of {recipe.batch_size}: {said}",
                    "found": f"{done[-1].seconds:.2f} s, loss {done[-1].loss:.4f}",
                    "right": apart < LOSS_TOLERANCE,
                }
            )
    graphs = int(counters["stats"]["unique_graphs"])
    tell({"check": "graphs that were compiled", "found": str(graphs), "right": graphs > 0})
    same = _equal(done[2], done[3])
    tell({"check": "equal weights from equal seeds, compiled", "found": str(same), "right": same})


def _streamed(work: Work, tell: Tell) -> None:
    device, count = work.device, 256 if work.toy else 50_000
    images, targets = drawn(count)
    recipe = default_recipe("small_cnn", image_size=SIDE, labels=count, device=device)
    steps = 4 if work.toy else 300
    recipe = replace(recipe, compiled=False, min_steps=steps, max_steps=steps)
    train(images, targets, classes=10, recipe=recipe, device=device, seed=1)
    kept, read = (
        train(
            images,
            targets,
            classes=10,
            recipe=recipe,
            device=device,
            seed=0,
            keep_on_device=keep,
        )
        for keep in (True, False)
    )
    found = f"{kept.seconds:.2f} s on the device, {read.seconds:.2f} s read batch by batch"
    same = _equal(kept, read)
    tell({"check": "equal weights, images kept or streamed", "found": found, "right": same})
    here, there = (predict(kept.model, each, device=device) for each in (images, images.to(device)))
    apart = float((here - there).abs().max())
    tell({"check": "equal predictions", "found": f"{apart:.6f} apart", "right": apart == 0})
    step = batch_size_for(device, SIDE)
    parts = [slice(start, start + step) for start in range(0, count, step)]
    if device.type == "cpu":
        return  # there nothing is moved

    def stream() -> int:
        return sum(batch.numel() for _, batch in stream_batches(images, parts, device))

    reached = rate(stream, device) / 1e9
    tell({"check": "stream_batches to the card", "found": f"{reached:.1f} GB/s", "right": True})


def drawn(count: int) -> tuple[Tensor, Tensor]:
    """Noise whose shade tells the class: uint8 (n, 3, 32, 32) and int64 (n,)."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 10, (count,), generator=generator)
    size = (count, 3, SIDE, SIDE)
    noise = torch.randint(0, 128, size, generator=generator, dtype=torch.uint8)
    return noise + 12 * targets[:, None, None, None].to(torch.uint8), targets


def _equal(one: Trained, other: Trained) -> bool:
    states = (one.model.state_dict(), other.model.state_dict())
    return all(torch.equal(value, states[1][key]) for key, value in states[0].items())
