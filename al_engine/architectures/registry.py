"""Architectures by name, and pretrained weights for their backbones."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from al_engine.architectures.classifier import Classifier
from al_engine.architectures.from_torchvision import build_resnet18, build_vgg16
from al_engine.architectures.small_cnn import build_small_cnn

SMALLEST_IMAGE = 8
LARGEST_IMAGE = 1024

# A published file carries the classifier of its own classes, which no backbone here has.
_FOREIGN_HEADS = ("fc.", "classifier.", "head.")

_builders: dict[str, Callable[..., Classifier]] = {
    "small_cnn": build_small_cnn,
    "vgg16": partial(build_vgg16, batch_norm=False),
    "vgg16_bn": partial(build_vgg16, batch_norm=True),
    "resnet18": build_resnet18,
}


class UnknownArchitecture(ValueError):
    """No architecture has this name; the message lists those there are."""


class UnfitWeights(ValueError):
    """A weights file cannot be read, or does not belong to this network."""


def names() -> list[str]:
    """All names that `build` knows, the one meant for a CPU first."""
    return list(_builders)


def build(
    name: str, *, classes: int, image_size: int, weights_path: Path | None = None
) -> Classifier:
    """A network for `classes` outputs and square images of `image_size` px, on the CPU.

    Its random weights come from torch's global generator. `weights_path` is a safetensors state
    dict for the backbone, with torchvision's names; the classifier in it is left out. Raises
    UnknownArchitecture, UnfitWeights, and ValueError for sizes that no network here takes.
    """
    if name not in _builders:
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
    model = _builders[name](classes=classes, image_size=image_size)
    if weights_path is not None:
        _load_backbone(model.backbone, weights_path, name=name, image_size=image_size)
    return model


def _load_backbone(backbone: nn.Module, path: Path, *, name: str, image_size: int) -> None:
    try:
        given = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UnfitWeights(
            f"The weights file {path} cannot be read as safetensors ({error}). "
            "Give the path of a complete .safetensors file."
        ) from error
    given = {key: tensor for key, tensor in given.items() if not key.startswith(_FOREIGN_HEADS)}
    misfit = _first_misfit(backbone.state_dict(), given)
    if misfit:
        raise UnfitWeights(
            f"The weights in {path} do not fit {name} for images of {image_size} px: {misfit}. "
            "Use weights of the same architecture and image size, or none."
        )
    with torch.no_grad():
        backbone.load_state_dict(given)


def _first_misfit(wanted: dict[str, Tensor], given: dict[str, Tensor]) -> str:
    """The first difference in names or shapes, in words; empty where there is none."""
    for key, tensor in wanted.items():
        if key not in given:
            return f"{key} is missing"
        if given[key].shape != tensor.shape:
            return f"{key} has the shape {tuple(given[key].shape)}, not {tuple(tensor.shape)}"
    unknown = sorted(given.keys() - wanted.keys())
    return f"{unknown[0]} has no place in it" if unknown else ""
