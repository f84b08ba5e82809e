"""Rates of several implementations of the same work, measured in turns."""

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch


def in_turns(
    works: dict[str, Callable[[], int]], *, rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Images per second of each of `works`, by round; a work returns the images it processed.

    Each round runs every work once, starting with a different one, so that disturbances of the
    machine affect all alike. Before the first round each work runs once unmeasured.
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
    """The median and, in brackets, the minimum and the maximum."""
    middle, low, high = (f"{each:,.{digits}f}" for each in (median(values), *_ends(values)))
    return f"{middle} ({low} to {high})"


def ratio(of: Sequence[float], to: Sequence[float]) -> str:
    """The ratios of two works round by round, formatted by `spread`."""
    return spread([one / other for one, other in zip(of, to, strict=True)], 2)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _finish(device: torch.device) -> None:
    """Wait until a GPU has finished its queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
