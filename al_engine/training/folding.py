"""Fold batch norms into the convolutions before them, for faster scoring.

In evaluation mode a batch norm multiplies and adds constants, which the weights and the bias of
the convolution can absorb at no cost. That saves a pass over every activation.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from al_engine.architectures import Classifier

# Rounding may change outputs by this share of the largest output; a wrong fold changes them more.
ROUNDING_SHARE = 1e-3


@torch.no_grad()
def fold_batch_norms(model: Classifier, example: Tensor) -> Classifier:
    """A copy of the model in evaluation mode, its batch norms folded into the convolutions.

    `example`: float (n, 3, S, S) on the model's device, an image or two. Running them shows which
    batch norm takes which convolution's output, and whether the copy's embeddings equal the model's
    up to rounding. If they do not, the copy is not folded.
    """
    model.eval()
    result = copy.deepcopy(model)
    for convolution, norm in _pairs(model, example):
        backbone = result.backbone
        before, after = backbone.get_submodule(convolution), backbone.get_submodule(norm)
        if isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            backbone.set_submodule(convolution, fuse_conv_bn_eval(before, after))
            # timm's batch norms end with the activation that follows.
            backbone.set_submodule(norm, getattr(after, "act", nn.Identity()))
    meant, said = model.features_of(example), result.features_of(example)
    close = torch.allclose(meant, said, rtol=0, atol=ROUNDING_SHARE * float(meant.abs().max()))
    return result if close else copy.deepcopy(model)


def _pairs(model: Classifier, example: Tensor) -> list[tuple[str, str]]:
    """Names in the backbone: convolutions, and the batch norms that take their outputs."""
    made: dict[int, tuple[str, Tensor]] = {}  # keeps the tensors alive, so that no id is reused
    found: list[tuple[str, str]] = []
    hooks = []

    def watch(name: str, module: nn.Module) -> None:
        def after(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(module, nn.Conv2d):
                made[id(output)] = (name, output)
            elif id(inputs[0]) in made:
                found.append((made[id(inputs[0])][0], name))

        hooks.append(module.register_forward_hook(after))

    for name, module in model.backbone.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            watch(name, module)
    try:
        model.features_of(example)
    finally:
        for hook in hooks:
            hook.remove()
    return found
