"""Percentiles, and the machine on which they were measured."""

import os
import platform
from collections.abc import Sequence

import psutil


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The least of these values, in rising order, that `percent` % do not exceed; NaN of none."""
    if not ordered:
        return float("nan")
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def machine() -> str:
    """Cores, memory and system, as the pages of docs/benchmarks/ say it."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores and {memory:.0f} GiB ({platform.machine()}, {platform.system()})"
    )
