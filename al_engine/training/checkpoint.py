"""A model as bytes: safetensors with the metadata needed to rebuild it. No pickle anywhere.

A model on a published, frozen backbone may be stored as its head alone, a few kilobytes: the
metadata then have the SHA-256 of the backbone, and a reader builds it from where it is published.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from al_engine.architectures import (
    Classifier,
    MissingWeights,
    UnfitWeights,
    UnknownArchitecture,
    build,
)
from al_engine.architectures.kernel import empty_kernel
from al_engine.training import backbones
from al_engine.training.devices import to_device

# Version of the metadata below; a reader refuses any other.
FORMAT = "nowait-1"
_HEAD = ("head.", "kernel.")
"""What is a model's own beside its backbone."""
_LANDMARKS = "kernel.landmarks"


class BadCheckpoint(ValueError):
    """These bytes are not a complete checkpoint of this program; the message says why."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is needed to rebuild the model. `classes`: the campaign's choice ids by output.

    `temperature` divides the logits, so that probabilities are calibrated; see `calibration.py`.
    `backbone`: SHA-256 of the backbone if only the head is stored, else None.
    """

    architecture: str
    image_size: int
    classes: list[int]
    temperature: float = 1.0
    backbone: str | None = None


def to_bytes(
    model: Classifier,
    *,
    architecture: str,
    image_size: int,
    classes: Sequence[int],
    temperature: float = 1.0,
    backbone: str | None = None,
) -> bytes:
    """The checkpoint of a model; raises ValueError when the classes do not match its outputs.

    With `backbone`, the SHA-256 of its published backbone, only the head is stored.
    """
    if len(classes) != model.classes:
        raise ValueError(f"The model has {model.classes} outputs, but {len(classes)} classes.")
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if backbone is None or name.startswith(_HEAD)
    }
    metadata = {
        "format": FORMAT,
        "architecture": architecture,
        "image_size": str(image_size),
        "classes": json.dumps(list(classes)),
        "temperature": repr(temperature),
    }
    if backbone is not None:
        metadata["backbone"] = backbone
    return safetensors.save(tensors, metadata=metadata)


def from_bytes(data: bytes, *, device: torch.device) -> tuple[Classifier, Metadata]:
    """The model in evaluation mode on the device, and its metadata.

    Raises BadCheckpoint, and for a head whose backbone cannot be had here MissingWeights or
    UnfitWeights.
    """
    try:
        tensors = safetensors.load(data)
    except SafetensorError as error:
        raise BadCheckpoint(
            f"These {len(data)} bytes are not a complete safetensors file ({error}). "
            "The model was cut off while it was copied, or it is another kind of file."
        ) from error
    metadata = _metadata(data)
    restore = _whole if metadata.backbone is None else _on_published_backbone
    try:
        return restore(tensors, metadata, device), metadata
    except (MissingWeights, UnfitWeights):
        raise
    except (UnknownArchitecture, ValueError, RuntimeError) as error:
        raise BadCheckpoint(
            f"The checkpoint says it is {metadata.architecture} for {len(metadata.classes)} "
            f"classes, but no such model can be made of it: {error}"
        ) from error


def _whole(tensors: dict[str, Tensor], metadata: Metadata, device: torch.device) -> Classifier:
    # On the meta device no weights are drawn, which would take time and change the state of
    # torch's global generator.
    with torch.device("meta"):
        model = build(
            metadata.architecture,
            classes=len(metadata.classes),
            image_size=metadata.image_size,
        )
        _make_room(model, tensors)
    model.load_state_dict(tensors, assign=True)
    return to_device(model, device).eval()


def _on_published_backbone(
    tensors: dict[str, Tensor], metadata: Metadata, device: torch.device
) -> Classifier:
    here = backbones.published(metadata.architecture, image_size=metadata.image_size, device=device)
    if here.sha256 != metadata.backbone:
        raise ValueError(
            f"its head belongs to a backbone whose SHA-256 begins {str(metadata.backbone)[:12]}, "
            f"and that of {metadata.architecture} on this machine begins {here.sha256[:12]}. "
            "Give all machines the same weights of it; the next version is made with those of "
            "its server"
        )
    model = here.with_head(len(metadata.classes))
    _make_room(model, tensors)
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    lost = [name for name in missing if name.startswith(_HEAD)]
    if lost or unexpected:
        raise ValueError(f"its tensors are not those of a head: {', '.join([*lost, *unexpected])}")
    return to_device(model, device)


def _make_room(model: Classifier, tensors: dict[str, Tensor]) -> None:
    """Give a model that gets a kernel head the shapes of these tensors."""
    if _LANDMARKS not in tensors:
        return
    count, width = tensors[_LANDMARKS].shape
    model.kernel = empty_kernel(count, width)
    model.head = nn.Linear(count, model.classes)


def _metadata(data: bytes) -> Metadata:
    """Read the header of valid safetensors: 8 bytes of length, little-endian, then JSON."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    said = header.get("__metadata__", {})
    if said.get("format") != FORMAT:
        raise BadCheckpoint(
            f"This safetensors file is not a checkpoint in the format {FORMAT}. "
            "Pretrained weights of other programs go into a network as its weights file."
        )
    try:
        # Older checkpoints have no temperature.
        temperature = float(said.get("temperature", "1"))
        if not (temperature > 0 and math.isfinite(temperature)):
            raise ValueError(f"a temperature of {temperature}")
        return Metadata(
            architecture=said["architecture"],
            image_size=int(said["image_size"]),
            classes=[int(choice) for choice in json.loads(said["classes"])],
            temperature=temperature,
            backbone=said.get("backbone"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadCheckpoint(f"The checkpoint's metadata is damaged: {error!r}.") from error
