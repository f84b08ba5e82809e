"""A model as bytes: safetensors with the metadata needed to rebuild it. No pickle anywhere."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors

from al_engine.architectures import Classifier, UnknownArchitecture, build
from al_engine.training.devices import to_device

# Version of the metadata below; a reader refuses any other.
FORMAT = "nowait-1"


class BadCheckpoint(ValueError):
    """These bytes are not a complete checkpoint of this program; the message says why."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is needed to rebuild the model. `classes`: the campaign's choice ids by output.

    `temperature` divides the logits, so that probabilities are calibrated; see `calibration.py`.
    """

    architecture: str
    image_size: int
    classes: list[int]
    temperature: float = 1.0


def to_bytes(
    model: Classifier,
    *,
    architecture: str,
    image_size: int,
    classes: Sequence[int],
    temperature: float = 1.0,
) -> bytes:
    """The checkpoint of a model; raises ValueError when the classes do not match its outputs."""
    if len(classes) != model.classes:
        raise ValueError(f"The model has {model.classes} outputs, but {len(classes)} classes.")
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    metadata = {
        "format": FORMAT,
        "architecture": architecture,
        "image_size": str(image_size),
        "classes": json.dumps(list(classes)),
        "temperature": repr(temperature),
    }
    return safetensors.save(tensors, metadata=metadata)


def from_bytes(data: bytes, *, device: torch.device) -> tuple[Classifier, Metadata]:
    """The model in evaluation mode on the device, and its metadata; raises BadCheckpoint."""
    try:
        tensors = safetensors.load(data)
    except SafetensorError as error:
        raise BadCheckpoint(
            f"These {len(data)} bytes are not a complete safetensors file ({error}). "
            "The model was cut off while it was copied, or it is another kind of file."
        ) from error
    metadata = _metadata(data)
    try:
        # On the meta device no weights are drawn, which would take time and change the state of
        # torch's global generator.
        with torch.device("meta"):
            model = build(
                metadata.architecture,
                classes=len(metadata.classes),
                image_size=metadata.image_size,
            )
        model.load_state_dict(tensors, assign=True)
    except (UnknownArchitecture, ValueError, RuntimeError) as error:
        raise BadCheckpoint(
            f"The checkpoint says it is {metadata.architecture} for {len(metadata.classes)} "
            f"classes, but no such model can be made of it: {error}"
        ) from error
    return to_device(model, device).eval(), metadata


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
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadCheckpoint(f"The checkpoint's metadata is damaged: {error!r}.") from error
