"""How long a head takes to fit, and to score many images: seconds of one core."""

import math
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Final, TypeVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from al_engine.architectures import Classifier
from al_engine.strategies import Selection, margin
from al_engine.training.embedding_cache import predict_from_embeddings
from al_engine.training.embedding_file import MappedEmbeddings
from al_engine.training.half_rows import logits_of_rows
from al_engine.training.head import Head, train_head
from al_engine.training.penalty import choose_penalty
from benchmarks.head_parts.drawing import WIDTH, drawn

CPU: Final = torch.device("cpu")
SIZES: Final = ((200, 10), (1_000, 10), (5_000, 10), (50_000, 10), (5_000, 1_000))
NEW_LABELS: Final = 20
ROUNDS: Final = 3
MOST_REPEATED: Final = 50_000
"""Sizes of more labels times classes are fitted once, and not by others."""
ROWS_A_BLOCK: Final = 20_000
CHOSEN: Final = 1_000
"""Images that a pass chooses."""
R = TypeVar("R")


def seconds(work: Callable[[], R]) -> tuple[float, R]:
    """Processor seconds of a work, and its result: others on the machine count for little."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def fitting() -> Iterator[str]:
    """A row of the table for each size."""
    for size in SIZES:
        yield _row(*size)


def _row(count: int, classes: int) -> str:
    features, targets = drawn(count, classes)
    trust, before = torch.ones(count), count - NEW_LABELS

    def fit(former: dict[str, Tensor] | None, penalty: float | None) -> Head:
        return train_head(
            features, targets, classes=classes, device=CPU, former=former, penalty=penalty
        )

    rounds = ROUNDS if count * classes <= MOST_REPEATED else 1
    whole = [seconds(lambda: fit(None, None)) for _ in range(rounds)]
    head = whole[0][1]
    chosen = [
        seconds(lambda: choose_penalty(features, targets, trust, classes=classes))[0]
        for _ in range(rounds)
    ]
    former = train_head(
        features[:before], targets[:before], classes=classes, device=CPU, penalty=head.penalty
    )
    warm = [seconds(lambda: fit(former.state, head.penalty)) for _ in range(rounds)]
    peer = _peer(features, targets, head.penalty) if count * classes <= MOST_REPEATED else math.nan
    took = median(each for each, _ in whole)
    cells = (
        f"{count:,} × {classes:,}",
        f"{took:.2f}",
        f"{median(chosen):.2f}",
        str(head.steps),
        f"{head.gap:.0e}",
        f"{median(each for each, _ in warm):.2f}",
        str(warm[0][1].steps),
        "" if math.isnan(peer) else f"{peer:.2f}",
        "" if math.isnan(peer) else f"{peer / (took - median(chosen)):.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def _peer(features: Tensor, targets: Tensor, penalty: float) -> float:
    """Seconds of scikit-learn's L-BFGS with the same penalty, once."""
    scaled = features - features.mean(dim=0)
    points = (scaled / features.std(dim=0, correction=0).clamp_min(1e-3)).numpy()
    other = LogisticRegression(C=1 / penalty, max_iter=300, tol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return seconds(lambda: other.fit(points, targets.numpy()))[0]


def scoring(count: int) -> tuple[float, float]:
    """Seconds a million rows, of a memory map of `count` rows that lies in the page cache.

    Of logits for ten classes alone, and of a worker's pass and choice.
    """
    generator = torch.Generator().manual_seed(2)
    head = nn.Linear(WIDTH, 10)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.f16"
        block = torch.randn(ROWS_A_BLOCK, WIDTH, generator=generator).half().numpy()
        rows = np.memmap(path, dtype=np.float16, mode="w+", shape=(count, WIDTH))
        for start in range(0, count, ROWS_A_BLOCK):
            rows[start : start + ROWS_A_BLOCK] = block[: count - start]
        mapped = MappedEmbeddings(rows, np.arange(count))
        view = torch.from_numpy(rows)
        bare = [seconds(lambda: logits_of_rows(view, head.weight, head.bias))[0] for _ in range(5)]
        took = [seconds(lambda: _choose(head, mapped, generator))[0] for _ in range(5)]
    return median(bare) * 1e6 / count, median(took) * 1e6 / count


def _choose(head: nn.Linear, rows: MappedEmbeddings, generator: torch.Generator) -> Selection:
    """The images of the smallest margins, as a worker chooses them."""
    model = Classifier(nn.Identity(), width=WIDTH, classes=head.out_features, smallest_side=1)
    model.head = head
    said = predict_from_embeddings(model, rows, device=CPU)
    return margin(said, CHOSEN, generator=generator)
