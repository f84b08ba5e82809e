"""Active sampling: from a model's probabilities to the images worth asking about.

Owns the sampling strategies and their registry. Imports torch and the standard library only,
so any Python program can use it. Read next:
`uncertainty.py` for the strategies, `registry.py` for how another package adds its own.
"""

from al_engine.strategies.base import Selection, Strategy
from al_engine.strategies.registry import UnknownStrategy, get, names, register
from al_engine.strategies.uncertainty import entropy, least_confidence, margin, random

__all__ = [
    "Selection",
    "Strategy",
    "UnknownStrategy",
    "entropy",
    "get",
    "least_confidence",
    "margin",
    "names",
    "random",
    "register",
]
