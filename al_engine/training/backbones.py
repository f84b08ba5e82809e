"""Published, frozen backbones: each is built once a process, and all models on it share it."""

import copy
import threading

import torch
from torch import Tensor, nn

from al_engine.architectures import Classifier, backbone_sha256, build, wants_pretrained
from al_engine.decisions.architecture import backbone_of
from al_engine.training.devices import to_device
from al_engine.training.evaluate import folded, predict_with_features

_lock = threading.Lock()
_built: dict[tuple[str, int, torch.device], "Backbone"] = {}


class Backbone:
    """The frozen backbone of an architecture, with its published weights, on a device."""

    def __init__(self, model: Classifier, *, sha256: str, device: torch.device) -> None:
        self._model = model
        self.sha256 = sha256
        self.device = device
        self._quick: Classifier | None = None

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        return self._model.width

    def with_head(self, classes: int) -> Classifier:
        """A model in evaluation mode on this backbone, which it shares, with a head of its own.

        The head's weights are zero: all classes are equally likely.
        """
        # A shallow copy keeps whatever else belongs to the backbone, such as its smallest side.
        model = copy.copy(self._model)
        model._modules = dict(self._model._modules)
        model.kernel = nn.Identity()
        model.classes = classes
        with torch.device("meta"):  # draws no weights: torch's global generator is not advanced
            model.head = nn.Linear(self.width, classes)
        model.head.to_empty(device=self.device)
        for parameter in model.head.parameters():
            nn.init.zeros_(parameter)
        return model.eval()

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings, float32 (n, width) on the CPU, of images, uint8 (n, 3, S, S), n >= 1."""
        if self._quick is None:
            self._quick = folded(self._model, images, device=self.device)
        return predict_with_features(self._quick, images, device=self.device)[1]


def published(architecture: str, *, image_size: int, device: torch.device) -> Backbone:
    """The backbone of a frozen architecture, from this process or from its published source.

    Raises ValueError for an architecture whose backbone learns, and what `build` raises:
    UnknownArchitecture, MissingWeights, UnfitWeights.
    """
    # Architectures that differ in their heads alone share it.
    name = backbone_of(architecture)
    key = (name, image_size, device)
    with _lock:
        if key not in _built:
            _built[key] = _build(name, image_size, device)
        return _built[key]


def _build(architecture: str, image_size: int, device: torch.device) -> Backbone:
    if not wants_pretrained(architecture):
        raise ValueError(f"The backbone of {architecture} learns: it has no fixed embeddings.")
    with torch.random.fork_rng(devices=()):
        model = build(architecture, classes=1, image_size=image_size, pretrained=True)
    digest = backbone_sha256(model)
    return Backbone(to_device(model, device).eval(), sha256=digest, device=device)
