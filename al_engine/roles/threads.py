"""How many threads an engine process computes with."""

import os

import torch


def use_threads() -> None:
    """Use the machine's cores, four at most: several processes share them."""
    torch.set_num_threads(max(1, min(4, os.cpu_count() or 1)))
