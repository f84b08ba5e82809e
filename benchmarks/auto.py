"""Which network suits which images? small_cnn against a published, frozen backbone.

Labels drawn at random, the product's training, from digits of 8 px to photographs: what `auto`
chooses (al_engine/decisions/architecture.py) follows this table. Each set is cut to 2,500 images at
random, 1,000 of them to test on; the backbone embeds them once. Needs torch alone, no database.

    python benchmarks/auto.py --data FOLDER [--seeds 3] [--labels 50,200,800]

Prints the table of docs/benchmarks/architectures.md, a row as soon as it is measured.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from al_engine.architectures import build  # noqa: E402
from al_engine.training.evaluate import evaluate, predict_with_features  # noqa: E402
from al_engine.training.loop import train  # noqa: E402
from al_engine.training.recipe import default_recipe  # noqa: E402
from al_lab.config.settings import Data  # noqa: E402
from al_lab.data.datasets import load  # noqa: E402

FROZEN: Final = "frozen:tf_efficientnet_lite0"
CPU: Final = torch.device("cpu")
TEST: Final = 1_000
IMAGES: Final = 2_500
# What the set is called, its file or package, and the sides (px) at which networks get its images.
SETS: Final = (
    ("digits of scikit-learn", "sklearn:digits", {"small_cnn": 8, FROZEN: 8}),
    ("Fashion-MNIST, halved", "fashion_mnist.npz", {"small_cnn": 14, FROZEN: 14}),
    ("Fashion-MNIST", "fashion_mnist.npz", {"small_cnn": 28, FROZEN: 28}),
    ("CIFAR-10", "cifar10_jpeg92.tar.xz", {"small_cnn": 32, FROZEN: 32}),
    ("signed digits, photographs", "sign_digits.zip", {"small_cnn": 64, FROZEN: 100}),
)


def images_of(name: str, side: int, options: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """A random part of a set, the same at each side: uint8 (n, 3, S, S) and classes int64 (n,)."""
    found = load(Data(name, side), options.data, options.cache)
    parts = (found.train, found.test)
    order = torch.randperm(sum(map(len, parts)), generator=torch.Generator().manual_seed(0))
    kept = order[:IMAGES]
    pixels = torch.cat([part.pixels for part in parts])[kept]
    return pixels, torch.cat([part.truth for part in parts])[kept]


def measure(title: str, name: str, sides: dict[str, int], options: argparse.Namespace) -> None:
    """Print a row for each network and number of labels."""
    for network, side in sides.items():
        pixels, truth = images_of(name, side, options)
        classes = int(truth.max()) + 1
        features = None
        if network == FROZEN:
            began = time.perf_counter()
            model = build(network, classes=classes, image_size=side, pretrained=True)
            features = predict_with_features(model, pixels, device=CPU)[1]
            each = (time.perf_counter() - began) / len(pixels)
            print(f"{title}: {1e3 * each:.0f} ms to embed an image", flush=True)
        for labels in options.labels:
            done = [
                once(network, pixels, truth, features, classes=classes, labels=labels, seed=seed)
                for seed in range(options.seeds)
            ]
            accuracies = [accuracy for accuracy, _ in done]
            seconds = statistics.median(taken for _, taken in done)
            print(f"| {title} | {side} | `{network}` | {labels:,} ", end="")
            print(f"| {said(accuracies)} | {seconds:.2f} |", flush=True)


def once(
    network: str,
    pixels: Tensor,
    truth: Tensor,
    features: Tensor | None,
    *,
    classes: int,
    labels: int,
    seed: int,
) -> tuple[float, float]:
    """Accuracy on the test images after a training on labels at random, and its seconds.

    Both networks have the same labels with the same seed.
    """
    drawn = torch.randperm(len(pixels) - TEST, generator=torch.Generator().manual_seed(seed))
    chosen = drawn[:labels] + TEST
    recipe = default_recipe(network, image_size=pixels.shape[-1], labels=labels, device=CPU)
    trained = train(
        pixels[chosen],
        truth[chosen],
        classes=classes,
        recipe=recipe,
        device=CPU,
        seed=seed,
        features=None if features is None else features[chosen],
    )
    if features is None:
        found = evaluate(trained.model, pixels[:TEST], truth[:TEST], device=CPU).accuracy
    else:
        chosen_class = trained.model.head(features[:TEST]).argmax(dim=1)
        found = float((chosen_class == truth[:TEST]).float().mean())
    return found, trained.seconds


def said(accuracies: list[float]) -> str:
    """The mean, and the standard deviation between seeds, in per cent."""
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    return f"{statistics.mean(accuracies):.1%} ± {100 * spread:.1f}"


def main() -> None:
    """Measure the sets; print a row of the table for each network and number of labels."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--labels",
        type=lambda text: [int(each) for each in text.split(",")],
        default=[50, 200, 800],
    )
    parser.add_argument("--sets", default="", help="only those of this title")
    options = parser.parse_args()
    print("| images | px | network | labels | accuracy | training, s |\n|---|---|---|---|---|---|")
    for title, name, sides in SETS:
        if options.sets in ("", title):
            measure(title, name, sides, options)


if __name__ == "__main__":
    main()
