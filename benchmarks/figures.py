"""Percentiles, and the machine that they were measured on."""

import os
import platform
from collections.abc import Sequence

import psutil


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest of the ascending values that `percent` % do not exceed; NaN if empty."""
    if not ordered:
        return float("nan")
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def machine() -> str:
    """Cores, memory and system, in words for the pages of docs/benchmarks/."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores and {memory:.0f} GiB ({platform.machine()}, {platform.system()})"
    )
