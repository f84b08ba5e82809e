"""Architectures by name."""

import difflib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from al_engine.architectures import from_timm, weight_sources, weights
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
# Linear probes: a frozen backbone for each network of torchvision's.
_probes = {f"probe:{name}": name for name in _networks if name != "small_cnn"}


FROZEN: Final = "frozen:"
"""Before any name of timm: that network with its published weights, frozen."""


class UnknownArchitecture(ValueError):
    """No architecture has this name; the message has close matches or lists the known names."""


def names() -> list[str]:
    """The names to choose from: `small_cnn`, meant for a CPU, first, and frozen networks last.

    Of timm's networks only the one whose weights come with a package; `build` knows all of them.
    """
    return [*_networks, *_probes, f"{FROZEN}{weight_sources.PACKAGED}"]


def check_name(name: str) -> None:
    """Raise UnknownArchitecture unless `build` knows this name. Loads timm for its names alone."""
    if name in names():
        return
    if name.startswith(FROZEN):
        if problem := from_timm.problem_of_name(name.removeprefix(FROZEN)):
            raise UnknownArchitecture(f"There is no architecture named {name!r}: {problem}")
        return
    close = difflib.get_close_matches(name, names(), n=2)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    raise UnknownArchitecture(
        f"There is no architecture named {name!r}. {meant}"
        f"Known architectures: {', '.join(names())}, and {FROZEN}NAME of any model of timm."
    )


def wants_pretrained(name: str) -> bool:
    """Whether a training of this architecture must start from pretrained weights.

    True for frozen backbones: they never learn, and a head cannot make up for a random one.
    """
    return name in _probes or name.startswith(FROZEN)


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
    from `weights_path`, a safetensors state dict with torchvision's (for `frozen:` timm's) names,
    or else, with `pretrained`, from the places in `weight_sources.py`; their classifier is left
    out. Raises UnknownArchitecture, UnfitWeights, MissingWeights, and ValueError for fewer than one
    class or an image size outside 8 to 1024 px.
    """
    check_name(name)
    if classes < 1:
        raise ValueError(f"A network needs at least one class; {classes} were asked for.")
    if not SMALLEST_IMAGE <= image_size <= LARGEST_IMAGE:
        raise ValueError(
            f"Images must have a side of {SMALLEST_IMAGE} to {LARGEST_IMAGE} px; "
            f"{image_size} px were asked for."
        )
    if name.startswith(FROZEN):
        model = from_timm.build_frozen(
            name.removeprefix(FROZEN), classes=classes, image_size=image_size
        )
    elif name in _probes:
        model = _probe(_probes[name], classes=classes, image_size=image_size)
    else:
        model = _networks[name](classes=classes, image_size=image_size)
    if wants_pretrained(name):
        model.freeze_backbone()
    if weights_path is not None or pretrained:
        _load(model, name, weights_path, described=f"{name} for images of {image_size} px")
    return model


def _probe(network: str, *, classes: int, image_size: int) -> Classifier:
    seen = max(image_size, PROBE_SIDE)
    model = _networks[network](classes=classes, image_size=seen)
    model.smallest_side = max(model.smallest_side, seen)
    return model


def _load(model: Classifier, name: str, path: Path | None, *, described: str) -> None:
    """Load the backbone's weights from a file, or from where they are published."""
    if not name.startswith(FROZEN):
        network = _probes.get(name, name)
        given, source = (
            weight_sources.read_torchvision(network)
            if path is None
            else (weight_sources.read_file(path), str(path))
        )
        weights.load_backbone(model.backbone, given, source=source, network=described)
        return
    network, inner = name.removeprefix(FROZEN), from_timm.network_of(model)
    given, source = (
        weight_sources.read_timm(network, hub=from_timm.hub_file(network), keys=inner.state_dict)
        if path is None
        else (weight_sources.read_file(path), str(path))
    )
    fitted = from_timm.fitted_to(model, network, given)
    weights.load_backbone(inner, fitted, source=source, network=described)
