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
from al_engine.decisions.architecture import FINETUNED, HEADS, backbone_of, is_finetuned

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
    """The names to choose from: `small_cnn`, meant for a CPU, first, and those of timm last.

    Of timm's networks only the one whose weights come with a package; `build` knows all of them.
    Every frozen network takes the heads that the last of these show.
    """
    packaged = f"{FROZEN}{weight_sources.PACKAGED}"
    heads = [f"{packaged}+{head}" for head in HEADS]
    return [*_networks, *_probes, packaged, *heads, f"{FINETUNED}{weight_sources.PACKAGED}"]


def check_name(name: str) -> None:
    """Raise UnknownArchitecture unless `build` knows this name. Loads timm for its names alone."""
    if name in names():
        return
    network, plus, head = name.partition("+")
    if plus and wants_pretrained(network):
        if head not in HEADS:
            raise UnknownArchitecture(
                f"There is no head named {head!r} in {name!r}: write one of +{', +'.join(HEADS)} "
                f"after {network}, or nothing for the logistic one."
            )
        check_name(network)
        return
    if name.startswith((FROZEN, FINETUNED)):
        if problem := from_timm.problem_of_name(_timm_name(name)):
            raise UnknownArchitecture(f"There is no architecture named {name!r}: {problem}")
        return
    close = difflib.get_close_matches(name, names(), n=2)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    raise UnknownArchitecture(
        f"There is no architecture named {name!r}. {meant}"
        f"Known architectures: {', '.join(names())}, and {FROZEN}NAME and {FINETUNED}NAME of any "
        "model of timm."
    )


def wants_pretrained(name: str) -> bool:
    """Whether a training of this architecture must start from pretrained weights.

    True for frozen backbones: they never learn, and a head cannot make up for a random one.
    """
    return backbone_of(name) in _probes or name.startswith(FROZEN)


def starts_published(name: str) -> bool:
    """Whether a first training starts from published weights: those that stay, or learn on."""
    return wants_pretrained(name) or is_finetuned(name)


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
    from `weights_path`, a safetensors state dict with torchvision's (of timm's networks timm's)
    names, or else, with `pretrained`, from the places in `weight_sources.py`; their classifier is
    left out. Raises UnknownArchitecture, UnfitWeights, MissingWeights, and ValueError for fewer
    than one class or an image size outside 8 to 1024 px.
    """
    check_name(name)
    name = backbone_of(name)  # every head is linear until it is fitted
    if classes < 1:
        raise ValueError(f"A network needs at least one class; {classes} were asked for.")
    if not SMALLEST_IMAGE <= image_size <= LARGEST_IMAGE:
        raise ValueError(
            f"Images must have a side of {SMALLEST_IMAGE} to {LARGEST_IMAGE} px; "
            f"{image_size} px were asked for."
        )
    if timm_name := _timm_name(name):
        model = from_timm.build_network(
            timm_name, classes=classes, image_size=image_size, learns=is_finetuned(name)
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


def _timm_name(name: str) -> str:
    """What timm calls the network of this name; empty for one that is not timm's."""
    for prefix in (FROZEN, FINETUNED):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return ""


def _probe(network: str, *, classes: int, image_size: int) -> Classifier:
    seen = max(image_size, PROBE_SIDE)
    model = _networks[network](classes=classes, image_size=seen)
    model.smallest_side = max(model.smallest_side, seen)
    return model


def fetch_weights(name: str) -> None:
    """Bring the published weights of a `frozen:` network onto this machine, if they are not there.

    Raises UnknownArchitecture, MissingWeights, and UnfitWeights for a damaged file.
    """
    check_name(name)
    network = _timm_name(backbone_of(name))
    weight_sources.read_timm(network, hub=from_timm.hub_file(network), keys=tuple)


def _load(model: Classifier, name: str, path: Path | None, *, described: str) -> None:
    """Load the backbone's weights from a file, or from where they are published."""
    if not (timm_name := _timm_name(name)):
        network = _probes.get(name, name)
        given, source = (
            weight_sources.read_torchvision(network)
            if path is None
            else (weight_sources.read_file(path), str(path))
        )
        weights.load_backbone(model.backbone, given, source=source, network=described)
        return
    network, inner = timm_name, from_timm.network_of(model)
    given, source = (
        weight_sources.read_timm(network, hub=from_timm.hub_file(network), keys=inner.state_dict)
        if path is None
        else (weight_sources.read_file(path), str(path))
    )
    fitted = from_timm.fitted_to(model, network, given)
    weights.load_backbone(inner, fitted, source=source, network=described)
