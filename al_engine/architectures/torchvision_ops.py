"""Import torchvision even where its compiled operators cannot be loaded.

PyPI's torchvision 0.28.0 is compiled for CUDA, and its operators do not load beside a CPU-only
torch. The import then fails, because it registers shapes for two of them, `torchvision::nms` and
`torchvision::qnms`. Classification networks use neither. Only where the import fails, the two are
declared without an implementation and the import is tried again.
"""

import importlib

import torch

_SCHEMAS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_torchvision() -> None:
    """Make `import torchvision` work; raises what torchvision raises where that is impossible."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if not any(name in str(error) for name in _SCHEMAS):
            raise
        for name, schema in _SCHEMAS.items():
            torch.library.define(name, schema)
        importlib.import_module("torchvision")
