"""The metadata of a checkpoint, read without torch."""

import json


def is_head_alone(data: bytes) -> bool:
    """Whether a checkpoint has only the head of a model on a published, frozen backbone."""
    # Safetensors: 8 bytes of length, little-endian, then JSON.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return "backbone" in header.get("__metadata__", {})
