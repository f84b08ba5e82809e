"""Which backbone a model has: two with the same identity give the same embeddings."""

import hashlib
from weakref import WeakKeyDictionary

import torch
from torch import nn

from al_engine.architectures.classifier import Classifier

_known: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()


def backbone_sha256(model: Classifier) -> str:
    """The SHA-256 of a frozen backbone's weights: names, types, shapes and bytes, 64 hex digits.

    Equal in all processes and on all devices. Computed once for each backbone object, so it is
    meant for backbones that do not change any more; raises ValueError for one that learns.
    """
    if not model.frozen_backbone:
        raise ValueError("Only a frozen backbone has an identity that lasts.")
    if model.backbone not in _known:
        _known[model.backbone] = _digest(model.backbone)
    return _known[model.backbone]


def _digest(backbone: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(backbone.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        plain = tensor.detach().cpu().contiguous(memory_format=torch.contiguous_format)
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
