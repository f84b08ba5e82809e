"""Architectures by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from al_engine.architectures import weights
from al_engine.architectures.classifier import Classifier
from al_engine.architectures.from_torchvision import (
    build_convnext_tiny,
    build_efficientnet_b0,
    build_mobilenet_v3_large,
    build_resnet,
    build_vgg16,
    build_vit_b_16,
)
from al_engine.architectures.small_cnn import build_small_cnn

SMALLEST_IMAGE = 8
LARGEST_IMAGE = 1024

# The side (px) to which a probe enlarges smaller images. A probe's backbone is the published one
# with its original stem, which learned from objects that fill 224 px; its 32-fold reduction would
# leave one point of 32 px. 128 px leave 4 x 4, at a third of the cost of 224 px.
PROBE_SIDE = 128

_networks: dict[str, Callable[..., Classifier]] = {
    "small_cnn": build_small_cnn,
    "vgg16": partial(build_vgg16, batch_norm=False),
    "vgg16_bn": partial(build_vgg16, batch_norm=True),
    "resnet18": partial(build_resnet, depth=18),
    "resnet50": partial(build_resnet, depth=50),
    "mobilenet_v3_large": build_mobilenet_v3_large,
    "efficientnet_b0": build_efficientnet_b0,
    "convnext_tiny": build_convnext_tiny,
    "vit_b_16": build_vit_b_16,
}
# Linear probes: a frozen backbone for each network that has published weights.
_probes = {f"probe:{name}": name for name in _networks if name != "small_cnn"}


class UnknownArchitecture(ValueError):
    """No architecture has this name; the message lists the known names."""


def names() -> list[str]:
    """All names that `build` knows: `small_cnn`, meant for a CPU, first, and the probes last."""
    return [*_networks, *_probes]


def wants_pretrained(name: str) -> bool:
    """Whether a training of this architecture must start from pretrained weights.

    True for probes: their backbone never learns, and a head cannot make up for a random one.
    """
    return name in _probes


def build(
    name: str,
    *,
    classes: int,
    image_size: int,
    weights_path: Path | None = None,
    pretrained: bool = False,
) -> Classifier:
    """A network for `classes` outputs and square images of `image_size` px, on the CPU.

    Its random weights come from torch's global generator. Pretrained weights for the backbone come
    from `weights_path`, a safetensors state dict with torchvision's names, or else, with
    `pretrained`, from torch.hub's cache or torchvision's site; their classifier is left out.
    Raises UnknownArchitecture, UnfitWeights, MissingWeights, and ValueError for fewer than one
    class or an image size outside 8 to 1024 px.
    """
    if name not in names():
        raise UnknownArchitecture(
            f"There is no architecture named {name!r}. Known architectures: {', '.join(names())}."
        )
    if classes < 1:
        raise ValueError(f"A network needs at least one class; {classes} were asked for.")
    if not SMALLEST_IMAGE <= image_size <= LARGEST_IMAGE:
        raise ValueError(
            f"Images must have a side of {SMALLEST_IMAGE} to {LARGEST_IMAGE} px; "
            f"{image_size} px were asked for."
        )
    network = _probes.get(name, name)
    model = (
        _probe(network, classes=classes, image_size=image_size)
        if name in _probes
        else _networks[network](classes=classes, image_size=image_size)
    )
    if weights_path is not None:
        given, source = weights.read_file(weights_path), str(weights_path)
    elif pretrained:
        given, source = weights.read_published(network)
    else:
        return model
    described = f"{name} for images of {image_size} px"
    weights.load_backbone(model.backbone, given, source=source, network=described)
    return model


def _probe(network: str, *, classes: int, image_size: int) -> Classifier:
    seen = max(image_size, PROBE_SIDE)
    model = _networks[network](classes=classes, image_size=seen)
    model.smallest_side = max(model.smallest_side, seen)
    model.freeze_backbone()
    return model
