"""Random numbers: one stream for each purpose, shared by the arms of an experiment.

So two arms with the same seed have the same pool, first labels and evaluations, whatever else
either of them drew.
"""

import hashlib
import random

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """The seed of a purpose, from 0 to 2^63 - 1."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A generator of torch for a purpose, on the CPU."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


def python_random(seed: int, *purpose: str | int) -> random.Random:
    """A generator of Python for a purpose."""
    return random.Random(derive_seed(seed, *purpose))  # noqa: S311 - repeatable, not secret
