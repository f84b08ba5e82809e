"""Rates of scoring, training, selecting, embedding and of heads, beside the card's roof."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from al_engine import strategies
from al_engine.architectures import Classifier, build
from al_engine.training.devices import autocast, to_device
from al_engine.training.embedding_cache import predict_from_embeddings
from al_engine.training.evaluate import batch_size_for, predict_with_features
from al_engine.training.half_rows import logits_of_rows
from al_engine.training.head import train_head
from al_engine.training.pixels import normalize
from benchmarks.engine_parts import scoring as scoring_parts
from benchmarks.engine_parts import selection as selection_parts
from benchmarks.engine_parts import training as training_parts
from benchmarks.engine_parts.rates import in_turns
from benchmarks.engine_parts.selection import Task
from benchmarks.gpu_parts.work import Tell, Work
from benchmarks.head_parts.drawing import WIDTH, drawn

SIDE: Final = 32
NETWORKS: Final = ("small_cnn", "resnet18", "vgg16")
TOY_NETWORKS: Final = ("small_cnn",)
BACKBONES: Final = ("tf_efficientnet_lite0", "vit_small_patch14_dinov2.lvd142m")
EMBEDDED_SIDE: Final = 224
LARGE_BATCH: Final = 1_024
# A step computes the forward pass and twice as much for the gradients.
PASSES_A_STEP: Final = 3
HEADS: Final = ((5_000, 10), (50_000, 10), (5_000, 1_000), (50_000, 1_000))
TOY_HEADS: Final = ((60, 3),)
R = TypeVar("R")


def flops_of(model: Classifier, side: int, device: torch.device) -> float:
    """Floating-point operations of one image's forward pass: two for each multiplication."""
    images = torch.zeros(1, 3, side, side, device=device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    return float(counter.get_total_flops())


def scoring(work: Work, tell: Tell) -> None:
    """A worker's pass over the image cache beside the bare network."""
    count, rounds = (512, 1) if work.toy else (400_000, 3)
    with tempfile.TemporaryDirectory(prefix="nowait-gpu-") as folder:
        different = scoring_parts.DIFFERENT
        cache = scoring_parts.filled_cache(Path(folder), side=SIDE, count=different)
        for name in TOY_NETWORKS if work.toy else NETWORKS:
            found = scoring_parts.rates(name, cache, count, rounds, work.device, wide=False)
            whole, bare = median(found["pass"]), median(found["bare"])
            model = build(name, classes=10, image_size=SIDE).eval()
            each = flops_of(to_device(model, work.device), SIDE, work.device)
            tell(
                {
                    "scoring at 32 px": name,
                    "pass, images/s": whole,
                    "bare, images/s": bare,
                    "pass : bare": whole / bare,
                    "bare, % of the product": work.share_of_product(bare * each),
                }
            )


def training(work: Work, tell: Tell) -> None:
    """`train` beside a bare loop of the same steps."""
    labels, steps, rounds = (64, 2, 1) if work.toy else (10_000, 200, 3)
    for name in TOY_NETWORKS if work.toy else NETWORKS:
        found = training_parts.rates(name, labels, steps, rounds, work.device, beside_others=False)
        whole, bare = median(found["train"]), median(found["bare"])
        model = build(name, classes=10, image_size=SIDE).eval()
        each = PASSES_A_STEP * flops_of(to_device(model, work.device), SIDE, work.device)
        tell(
            {
                "training at 32 px": name,
                "train, images/s": whole,
                "bare, uncompiled, images/s": bare,
                "train : bare": whole / bare,
                "train, % of the product": work.share_of_product(whole * each),
            }
        )


def selection(work: Work, tell: Tell) -> None:
    """Each strategy once more by itself, with its evidence on the device."""
    task = Task(50_000, 1_000, 5_000, WIDTH)
    if work.toy:
        task = Task(1_000, 10, 10, 64)
    one_read = 4 * task.images * task.width
    for name in strategies.names():
        cost = selection_parts.measure_own(name, task, work.device)
        tell(
            {
                f"{task.budget:,} of {task.images:,} × {task.width:,}": name,
                "ms": 1e3 * cost.seconds,
                "MiB more": None if cost.memory is None else cost.memory / 2**20,
                "reads of all embeddings in that time": (
                    None
                    if work.roof is None
                    else cost.seconds * work.roof.terabytes * 1e12 / one_read
                ),
            }
        )


def embedding(work: Work, tell: Tell) -> None:
    """Published backbones with random weights, which take the same time."""
    device, side = work.device, EMBEDDED_SIDE
    count, rounds = (2, 1) if work.toy else (8_192, 3)
    different = torch.randint(0, 256, (min(count, 256), 3, side, side), dtype=torch.uint8)
    images = different.repeat(count // len(different), 1, 1, 1)
    for name in BACKBONES[:1] if work.toy else BACKBONES:
        model = to_device(build(f"frozen:{name}", classes=10, image_size=side), device).eval()
        found = in_turns(_embeddings(model, images, device), rounds=rounds, device=device)
        best = median(found["bare in large batches"])
        each = flops_of(model, side, device)
        tell(
            {
                f"embedding at {side} px": name,
                **{f"{way}, images/s": median(by_round) for way, by_round in found.items()},
                "GFLOP an image": each / 1e9,
                "in large batches, % of the product": work.share_of_product(best * each),
            }
        )


def _embeddings(
    model: Classifier, images: torch.Tensor, device: torch.device
) -> dict[str, Callable[[], int]]:
    """Ways to embed images, uint8 (n, 3, S, S) on the CPU; each returns how many it embedded."""
    count, resident = len(images), images.to(device)
    batch = batch_size_for(device, images.shape[-1])

    def embed(kept: torch.Tensor) -> int:
        return len(predict_with_features(model, kept, device=device)[1])

    def bare(size: int) -> Callable[[], int]:
        ready = normalize(resident[:size])

        def act() -> int:
            done = 0
            with torch.inference_mode(), autocast(device):
                while done < count:
                    model.features_of(ready)
                    done += len(ready)
            return done

        return act

    return {
        "from memory": lambda: embed(images),
        "from the device": lambda: embed(resident),
        "bare": bare(batch),
        "bare in large batches": bare(LARGE_BATCH),
    }


def heads(work: Work, tell: Tell) -> None:
    """`train_head` from nothing, with the choice of its penalty; logits of a million rows."""
    for labels, classes in TOY_HEADS if work.toy else HEADS:
        features, targets = drawn(labels, classes)

        fit = partial(train_head, features, targets, classes=classes, device=work.device)
        first, head = _timed(fit, work.device)
        again, _ = _timed(fit, work.device)
        tell(
            {
                "train_head, labels": labels,
                "classes": classes,
                "width": WIDTH,
                "first, s": first,
                "again, s": again,
                "steps": head.steps,
            }
        )
    _logits(work, tell)


def _logits(work: Work, tell: Tell) -> None:
    count = 4_000 if work.toy else 1_000_000
    model = build("small_cnn", classes=10, image_size=SIDE).eval()
    model.width, model.head = WIDTH, torch.nn.Linear(WIDTH, 10)
    rows = torch.randn(count, WIDTH, dtype=torch.float32, device=work.device).half()
    here = rows.cpu()
    weight, bias = model.head.weight.detach().clone(), model.head.bias.detach().clone()
    on_cpu = torch.device("cpu")
    ways: dict[str, tuple[Callable[[], object], torch.device]] = {
        "logits_of_rows, CPU": (lambda: logits_of_rows(here, weight, bias), on_cpu),
        "probabilities, rows from memory": (
            lambda: predict_from_embeddings(model, here, device=work.device),
            work.device,
        ),
        "probabilities, rows on the device": (
            lambda: predict_from_embeddings(model, rows, device=work.device),
            work.device,
        ),
    }
    for name, (act, device) in ways.items():
        act()
        took = median(_timed(act, device)[0] for _ in range(3))
        tell(
            {
                f"ten classes of {count:,} × {WIDTH:,}, float16": name,
                "s": took,
                "threads": torch.get_num_threads(),
                "% of the copy": work.share_of_copy(2 * rows.numel() / took),
            }
        )


def _timed(act: Callable[[], R], device: torch.device) -> tuple[float, R]:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    result = act()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began, result
