"""Which learner answers best? The heads of one frozen backbone, and the backbone that learns on.

Labels drawn at random, the product's training, from sets that auto.py reads, cut in the same way:
2,500 images at random, 1,000 of them to test on. Needs torch alone, no database.

    python benchmarks/learners.py --data FOLDER [--sets NAME,…] [--seeds 3] [--labels 50,200,800]
        [--finetuned 200,800] [--finetuned-seeds 1]

Prints the tables of docs/benchmarks/architectures.md, a row as soon as it is measured. Seconds are
of the processor, over all threads, so that other work on the machine does not count.
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

from al_engine.decisions.architecture import FINETUNED  # noqa: E402
from al_engine.training import backbones  # noqa: E402
from al_engine.training.embedding_cache import predict_from_embeddings  # noqa: E402
from al_engine.training.evaluate import evaluate, predict_with_features, score  # noqa: E402
from al_engine.training.finetuning import finetune, held_out  # noqa: E402
from al_engine.training.loop import train_on_embeddings  # noqa: E402
from al_engine.training.recipe import default_recipe  # noqa: E402
from benchmarks.auto import CPU, FROZEN, SETS, TEST, images_of, said  # noqa: E402

HEADS: Final = (FROZEN, f"{FROZEN}+means", f"{FROZEN}+kernel")
WHOLE: Final = FROZEN.replace("frozen:", FINETUNED)


def heads(title: str, pixels: Tensor, truth: Tensor, options: argparse.Namespace) -> None:
    """Print a row for each head and number of labels."""
    classes, side = int(truth.max()) + 1, pixels.shape[-1]
    backbone = backbones.published(FROZEN, image_size=side, device=CPU)
    features = predict_with_features(backbone.with_head(1), pixels, device=CPU)[1]
    for labels in options.labels:
        for name in HEADS:
            recipe = default_recipe(name, image_size=side, labels=labels, device=CPU)
            accuracies, losses, seconds = [], [], []
            for seed in range(options.seeds):
                chosen = drawn(len(pixels), labels, seed)
                began = time.process_time()
                model = train_on_embeddings(
                    backbone.with_head(classes),
                    features[chosen],
                    truth[chosen],
                    recipe=recipe,
                    device=CPU,
                ).model
                seconds.append(time.process_time() - began)
                found = score(
                    predict_from_embeddings(model, features[:TEST], device=CPU), truth[:TEST]
                )
                accuracies.append(found.accuracy)
                losses.append(found.loss)
            print(f"| {title} | {labels:,} | `{name.removeprefix(FROZEN) or 'logistic'}` ", end="")
            print(f"| {said(accuracies)} | {statistics.mean(losses):.3f} ", end="")
            print(f"| {statistics.median(seconds):.2f} |", flush=True)


def whole(title: str, pixels: Tensor, truth: Tensor, options: argparse.Namespace) -> None:
    """Print a row for the network that learns on, for each number of labels."""
    classes, side = int(truth.max()) + 1, pixels.shape[-1]
    for labels in options.finetuned:
        recipe = default_recipe(WHOLE, image_size=side, labels=labels, device=CPU)
        accuracies, seconds = [], []
        for seed in range(options.finetuned_seeds):
            chosen = drawn(len(pixels), labels, seed)
            began = time.process_time()
            found = finetune(
                pixels[chosen],
                truth[chosen],
                held=held_out(chosen.numpy()),
                classes=classes,
                recipe=recipe,
                device=CPU,
                seed=seed,
                tell=lambda done: print(done, file=sys.stderr, flush=True),
            )
            seconds.append(time.process_time() - began)
            result = evaluate(found.model, pixels[:TEST], truth[:TEST], device=CPU)
            accuracies.append(result.accuracy)
        print(f"| {title} | {labels:,} | `{WHOLE}` | {said(accuracies)} ", end="")
        print(f"| {found.steps} steps | {statistics.median(seconds):.0f} |", flush=True)


def drawn(images: int, labels: int, seed: int) -> Tensor:
    """Rows of the labels, none of them a test image; the same for every learner."""
    order = torch.randperm(images - TEST, generator=torch.Generator().manual_seed(seed))
    return order[:labels] + TEST


def numbers(text: str) -> list[int]:
    """Numbers separated by commas."""
    return [int(part) for part in text.split(",") if part]


def main() -> None:
    """Measure the sets; print a row of the table for each learner and number of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "images")
    parser.add_argument("--sets", default="", help="parts of names; empty: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", type=numbers, default=[50, 200, 800])
    parser.add_argument("--finetuned", type=numbers, default=[])
    parser.add_argument("--finetuned-seeds", type=int, default=1)
    options = parser.parse_args()
    for title, name, sides in SETS:
        if not any(part in title for part in options.sets.split(",")):
            continue
        pixels, truth = images_of(name, sides[FROZEN], options)
        if options.labels:
            heads(title, pixels, truth, options)
        whole(title, pixels, truth, options)


if __name__ == "__main__":
    main()
