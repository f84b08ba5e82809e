"""Active sampling: from what is known about images to the images worth asking about.

Owns the sampling strategies, their registry, and the merging and filtering of selections. Imports
torch, numpy and the standard library, and of this project only the pure `al_engine.decisions`, so
any Python program can use it. Read next: `uncertainty.py` for the paper's strategies,
`diversity.py`, `clusters.py`, `herding.py` and `disagreement.py` for further strategies,
`registry.py` for how another package adds its own.
"""

from al_engine.strategies.base import Selection, Strategy
from al_engine.strategies.batches import COPY_COSINE, Chosen, drop_near_duplicates, merge
from al_engine.strategies.clusters import cluster_margin, typiclust
from al_engine.strategies.disagreement import bald, committee
from al_engine.strategies.diversity import badge, core_set
from al_engine.strategies.evidence import Evidence, select
from al_engine.strategies.herding import herding, uherding
from al_engine.strategies.registry import (
    UnknownStrategy,
    get,
    is_separable,
    names,
    needs,
    register,
)
from al_engine.strategies.uncertainty import (
    balanced_margin,
    entropy,
    least_confidence,
    margin,
    power_margin,
    random,
)

__all__ = [
    "COPY_COSINE",
    "Chosen",
    "Evidence",
    "Selection",
    "Strategy",
    "UnknownStrategy",
    "badge",
    "balanced_margin",
    "bald",
    "cluster_margin",
    "committee",
    "core_set",
    "drop_near_duplicates",
    "entropy",
    "get",
    "herding",
    "is_separable",
    "least_confidence",
    "margin",
    "merge",
    "names",
    "needs",
    "power_margin",
    "random",
    "register",
    "select",
    "typiclust",
    "uherding",
]
