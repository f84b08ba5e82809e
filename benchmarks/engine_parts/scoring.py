"""Scoring: a worker's pass over the image cache beside the network alone."""

import io
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image

from al_engine.architectures import Classifier, build
from al_engine.training.devices import autocast, computes_in_bfloat16, to_device
from al_engine.training.evaluate import batch_size_for, predict_with_features
from al_engine.training.feed import CachedImages
from al_engine.training.image_cache import ImageCache
from al_engine.training.pixels import normalize
from benchmarks.engine_parts.rates import in_turns, ratio, spread

AIM: Final = 0.90
SIDE: Final = 32
ROUNDS: Final = 9
DIFFERENT: Final = 4_096
ON_CPU: Final = {"small_cnn": 8_192}
ON_GPU: Final = dict.fromkeys(("small_cnn", "resnet18", "vgg16", "vgg16_bn"), 400_000)


def run(device: torch.device, small: bool) -> str:
    """The section of the report."""
    networks = ON_CPU if device.type == "cpu" else ON_GPU
    rounds = 3 if small else ROUNDS
    with tempfile.TemporaryDirectory(prefix="nowait-scoring-") as folder:
        cache = filled_cache(Path(folder), side=SIDE, count=DIFFERENT)
        rows = [
            measured(name, cache, images // (4 if small else 1), rounds, device)
            for name, images in networks.items()
        ]
    narrow = " and computes in bfloat16" if computes_in_bfloat16(device) else ""
    said = (
        f"Images a second at {SIDE} px of a whole pass of `predict_with_features` from the "
        "memory-mapped image cache (reading, normalizing, probabilities and embeddings back in "
        "memory), beside the bare forward pass of the same network over normalized images that "
        "lie on the device in batches of the same size. The pass folds batch norms into "
        f"convolutions{narrow}; the bare pass is measured in the same precision and in float32. "
        f"{rounds} rounds in turns: the median and the whole range. The aim is at least "
        f"{AIM:.2f} of the bare pass."
    )
    head = (
        "| network | batch | pass, images/s | bare, images/s | bare float32, images/s "
        "| pass : bare | pass : bare float32 |"
    )
    return "\n".join(["## Scoring", "", said, "", head, "|---|---|---|---|---|---|---|", *rows])


def measured(name: str, cache: ImageCache, images: int, rounds: int, device: torch.device) -> str:
    """One network's row of the table."""
    found = rates(name, cache, images, rounds, device)
    return (
        f"| {name} | {batch_size_for(device, SIDE)} | {spread(found['pass'])} "
        f"| {spread(found['bare'])} | {spread(found['float32'])} "
        f"| {ratio(found['pass'], found['bare'])} | {ratio(found['pass'], found['float32'])} |"
    )


def rates(
    name: str,
    cache: ImageCache,
    images: int,
    rounds: int,
    device: torch.device,
    *,
    wide: bool = True,
) -> dict[str, list[float]]:
    """Images a second by round of the `pass`, of the `bare` one and, if `wide`, in `float32`."""
    torch.manual_seed(0)
    model = to_device(build(name, classes=10, image_size=SIDE), device).eval()
    size = batch_size_for(device, SIDE)
    wanted = CachedImages(cache, np.arange(images) % DIFFERENT)
    resident = torch.split(normalize(cache.rows(np.arange(DIFFERENT)).to(device)), size)

    def bare(*, narrow: bool) -> int:
        done = 0
        with torch.inference_mode(), _precision(device, narrow=narrow):
            while done < images:
                for batch in resident:
                    model(batch)
                    done += batch.shape[0]
        return done

    works = {
        "pass": lambda: _whole_pass(model, wanted, device),
        "bare": lambda: bare(narrow=True),
    }
    if wide:
        works["float32"] = lambda: bare(narrow=False)
    return in_turns(works, rounds=rounds, device=device)


def _whole_pass(model: Classifier, images: CachedImages, device: torch.device) -> int:
    probabilities, _ = predict_with_features(model, images, device=device)
    return probabilities.shape[0]


def _precision(device: torch.device, *, narrow: bool) -> torch.autocast:
    return autocast(device) if narrow else torch.autocast(device.type, enabled=False)


def filled_cache(folder: Path, *, side: int, count: int) -> ImageCache:
    """A cache of `count` images of noise with sides of `side` px."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)

    def png(position: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels[position]).save(file, "PNG", compress_level=0)
        return file.getvalue()

    cache = ImageCache(folder, image_size=side)
    cache.fill(range(count), png)
    return cache
