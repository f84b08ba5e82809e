"""Chance, one stream a purpose: arms of an experiment share what is drawn for the same purpose.

So the pool, the first labels and the evaluations of two arms with the same seed are the same,
however often either of them drew anything else.
"""

import hashlib
import random

import torch


def derived(seed: int, *purpose: str | int) -> int:
    """A seed of its own for each purpose: from 0 to 2^63 - 1."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def dice(seed: int, *purpose: str | int) -> torch.Generator:
    """torch's generator, on the CPU, for a purpose."""
    return torch.Generator().manual_seed(derived(seed, *purpose))


def chance(seed: int, *purpose: str | int) -> random.Random:
    """Python's generator for a purpose."""
    return random.Random(derived(seed, *purpose))  # noqa: S311 - repeatable, not secret
