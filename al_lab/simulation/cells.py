"""Which worker has which images: D is divided into D_1 to D_k (paper, section 3.2)."""

import numpy as np
import torch

from al_engine.decisions.refill import share
from al_engine.decisions.rules import CELLS
from al_engine.training.raw_features import average_to_grid, group_alike
from al_lab.config.settings import Arrangement
from al_lab.data.datasets import Pool
from al_lab.simulation.seeds import torch_generator
from al_lab.simulation.world import Rows


def assign_owners(pool: Pool, arrangement: Arrangement, *, seed: int) -> Rows:
    """The worker of each row of the pool, int64 (N,).

    As in the product, an image is in one of 64 cells, at random or by what it shows, and each
    worker has its share of the cells. More than 64 workers have a cell each.
    """
    workers = arrangement.workers
    cells = max(CELLS, workers)
    generator = torch_generator(seed, "cells")
    if arrangement.partition == "clusters":
        images = pool.images
        points = average_to_grid(images.pixels) if images.features is None else images.features
        clusters = group_alike(points.float(), cells, generator=generator)
        cell_of = clusters[pool.shows]
    else:
        cell_of = torch.randint(cells, (len(pool),), generator=generator)
    held = [share(cells, workers=workers, index=worker) for worker in range(workers)]
    worker_of: Rows = np.repeat(np.arange(workers), held)
    owner: Rows = worker_of[cell_of.numpy()]
    return owner
