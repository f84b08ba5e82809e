"""How many threads an engine process computes with."""

import os

import torch


def use_threads() -> None:
    """Half of the machine's cores, four at most: servers, workers and the site share them.

    Threads of one training wait for one another after every operation. Where all cores are busy,
    the last one to be given a core keeps the others waiting: a training of small images with two
    threads on two cores took 32 s instead of 0.4 s.
    """
    torch.set_num_threads(max(1, min(4, (os.cpu_count() or 1) // 2)))
