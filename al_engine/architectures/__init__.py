"""Networks by name: how an architecture is built for a number of classes and an image size.

Owns the registry of architectures and nothing about training. Imports torch, and torchvision or
timm only when one of their networks is built. Read next: `classifier.py` for what every network
offers, `small_cnn.py` for the one meant for a CPU, `registry.py` for names, `from_timm.py` for
published backbones, `weight_sources.py` for where pretrained weights come from.
"""

from al_engine.architectures.classifier import Classifier
from al_engine.architectures.identity import backbone_sha256
from al_engine.architectures.registry import (
    UnknownArchitecture,
    build,
    check_name,
    fetch_weights,
    names,
    starts_published,
    wants_pretrained,
)
from al_engine.architectures.weights import MissingWeights, UnfitWeights

__all__ = [
    "Classifier",
    "MissingWeights",
    "UnfitWeights",
    "UnknownArchitecture",
    "backbone_sha256",
    "build",
    "check_name",
    "fetch_weights",
    "names",
    "starts_published",
    "wants_pretrained",
]
