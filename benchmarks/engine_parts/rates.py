"""Rates of things that do the same work, measured in turns."""

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch


def in_turns(
    works: dict[str, Callable[[], int]], *, rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Images a second of each work, round by round; a work returns how many images it did.

    Every round runs each once, beginning with another one each time, so that a disturbance of the
    machine meets all alike. Before the first round each runs once without being measured.
    """
    names = list(works)
    for name in names:
        works[name]()
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            _finish(device)
            began = time.perf_counter()
            images = works[name]()
            _finish(device)
            rates[name].append(images / (time.perf_counter() - began))
    return rates


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median and, in brackets, the least and the most."""
    middle, low, high = (f"{each:,.{digits}f}" for each in (median(values), *_ends(values)))
    return f"{middle} ({low} to {high})"


def ratio(of: Sequence[float], to: Sequence[float]) -> str:
    """The ratios of two works in the same rounds, as `spread`."""
    return spread([one / other for one, other in zip(of, to, strict=True)], 2)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _finish(device: torch.device) -> None:
    """Wait for what a GPU was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
