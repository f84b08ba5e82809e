"""How long a head takes on embeddings, what it is worth, and whether its samples know its errors.

    OMP_NUM_THREADS=1 python benchmarks/heads.py [--features NAME=FILE.npz ...] [--rows 1000000]

An NPZ file has `features`, float (n, d), and `targets`, integers (n,). Prints the tables and writes
them to docs/benchmarks/heads.md, those of quality only for given files. Takes about five minutes
and for a million rows 2.6 GB of disk and memory.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import machine  # noqa: E402
from benchmarks.head_parts import drawing, quality, times  # noqa: E402

PAGE: Final = ROOT / "docs" / "benchmarks" / "heads.md"


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description="Measure heads on embeddings.")
    parser.add_argument("--features", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for line in _report(given.features, given.rows, given.seeds):
        print(line, flush=True)
        lines.append(line)
    given.page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _report(files: list[str], rows: int, seeds: int) -> Iterator[str]:
    yield "# Heads on embeddings"
    yield ""
    yield f"`python benchmarks/heads.py`, one thread, on {machine()}."
    yield ""
    yield from _times(rows)
    for name, _, path in (each.partition("=") for each in files):
        stored = np.load(path)
        features = torch.from_numpy(stored["features"]).float()
        targets = torch.from_numpy(stored["targets"]).long()
        yield from ["", f"## {name}: {len(targets):,} images × {features.shape[1]:,}", ""]
        yield (
            f"Labels drawn at random, {quality.HELD_OUT} images held out, the mean of {seeds} "
            "seeds. Loss in nats, accuracy and calibration error (ECE) in percent, not calibrated."
        )
        yield from [
            "",
            "| labels | penalty by | penalty | accuracy | loss | ECE |",
            "|---" * 6 + "|",
        ]
        yield from quality.penalized(features, targets, seeds)
        yield ""
        yield (
            "More or less exact: by how many nats a label a head's loss may exceed the least "
            "possible one at most. Heads are fitted to 1e-3."
        )
        yield from ["", "| labels | at most | steps | accuracy | loss | ECE |", "|---" * 6 + "|"]
        yield from quality.tolerated(features, targets, seeds)
        yield ""
        yield (
            f"{quality.OPINIONS} opinions of one model: the area under the ROC curve by which the "
            "mutual information of class and model (`bald`) tells the model's errors from its "
            "right answers, and the loss of the mean opinion."
        )
        yield from ["", "| labels | opinions | area | loss |", "|---" * 4 + "|"]
        yield from quality.doubted(features, targets, seeds)


def _times(rows: int) -> Iterator[str]:
    yield "## Time"
    yield ""
    yield (
        f"Processor seconds of `train_head` on drawn features of width {drawing.WIDTH:,}: from "
        "nothing with the choice of the penalty, the choice alone, and from the head of "
        f"{times.NEW_LABELS} labels before with a known penalty; the median of {times.ROUNDS} "
        f"up to {times.MOST_REPEATED:,} labels × classes, else once. The "
        "gap is how many nats a label the loss is above the least possible one at most. "
        "scikit-learn: `LogisticRegression` (L-BFGS, tol=1e-5, which comes nearer) once "
        "with the same penalty on the same standardized features, and how many times as long as "
        "the fit it takes."
    )
    yield ""
    yield (
        "| labels × classes | whole, s | penalty, s | steps | gap | warm, s | steps "
        "| scikit-learn, s | times |"
    )
    yield "|---" * 9 + "|"
    yield from times.fitting()
    bare, took = times.scoring(rows)
    yield ""
    yield (
        f"A pass over a million float16 rows with ten classes, from a memory map of {rows:,} rows "
        f"in the page cache, as a worker makes it (softmax, margins, the best {times.CHOSEN:,}): "
        f"{took:.2f} s. The logits alone (`logits_of_rows`, rows in line): {bare:.2f} s."
    )


if __name__ == "__main__":
    main()
