"""Pretrained weights: how they are made to fit a network.

They come under the parameter names of torchvision or timm, from the places in `weight_sources.py`.
The classifier for the published classes is left out.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

# Prefixes of the classifier in a published file, which no backbone here has.
_FOREIGN_HEADS = ("fc.", "classifier.", "head.", "heads.")
# Published vision transformers still use torchvision's names from before its version 0.13.
_FORMER_NAMES = {"mlp.linear_1.": "mlp.0.", "mlp.linear_2.": "mlp.3."}
# Batch norm's count of batches, which files from before torch 0.4 lack and nothing here reads.
_COUNT = "num_batches_tracked"
# The first layers of ResNet, ConvNeXt and ViT, whose kernels are smaller in networks for small
# images.
_FIRST_KERNELS = ("conv1.weight", "features.0.0.weight", "conv_proj.weight")
_POSITIONS = "encoder.pos_embedding"


class UnfitWeights(ValueError):
    """A weights file cannot be read, or does not fit this network."""


class MissingWeights(ValueError):
    """Pretrained weights are not on this machine and cannot be downloaded.

    The message says what to do.
    """


def load_backbone(
    backbone: nn.Module, given: Mapping[str, Tensor], *, source: str, network: str
) -> None:
    """Load pretrained weights into a backbone; raises UnfitWeights at the first misfit.

    First-layer kernels that are larger than the network's are shrunk; a transformer's positional
    embeddings are interpolated. `source` and `network` are words for the error message.
    """
    wanted = backbone.state_dict()
    fitted = _fitted(given, wanted)
    misfit = _first_misfit(wanted, fitted)
    if misfit:
        raise UnfitWeights(
            f"The weights in {source} do not fit {network}: {misfit}. "
            "Use weights of the same architecture and image size, or none."
        )
    with torch.no_grad():
        backbone.load_state_dict(fitted)


def shrunk_kernel(kernel: Tensor, side: int) -> Tensor:
    """A kernel (o, i, side, side) that responds to a patch as `kernel` to the enlarged patch.

    With B the bilinear enlargement of a patch x from `side` to the side of the kernel w, the result
    is B^T w, since <B x, w> = <x, B^T w>. (Beyer et al. 2023, 'FlexiViT', section 3.4, derive the
    resizing of patch embeddings from this equation.)
    """
    one_axis = functional.interpolate(
        torch.eye(side)[None], size=kernel.shape[-1], mode="linear"
    )  # (1, side, larger): row i is pixel i enlarged
    enlarge = one_axis[0].to(kernel)
    return torch.einsum("sa,oiab,tb->oist", enlarge, kernel, enlarge)


def interpolated_positions(positions: Tensor, count: int) -> Tensor:
    """Positional embeddings (1, 1 + g*g, d) resized to another grid of patches: (1, count, d).

    The first embedding is the class token's and is kept; the embeddings of the patches are
    interpolated in the plane (Dosovitskiy et al. 2021, section 3.2). `count` is 1 more than a
    square.
    """
    token, patches = positions[:, :1], positions[:, 1:]
    before, after = round((positions.shape[1] - 1) ** 0.5), round((count - 1) ** 0.5)
    plane = patches.reshape(1, before, before, -1).permute(0, 3, 1, 2)  # (1, d, g, g)
    plane = functional.interpolate(plane, size=(after, after), mode="bicubic", antialias=True)
    return torch.cat([token, plane.flatten(2).permute(0, 2, 1)], dim=1)


def _fitted(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The given weights under the wanted names, resized to the wanted shapes where possible."""
    fitted: dict[str, Tensor] = {}
    for key, tensor in given.items():
        for former, name in _FORMER_NAMES.items():
            key = key.replace(former, name)
        if key in wanted or not key.startswith(_FOREIGN_HEADS):
            fitted[key] = tensor
    for key, tensor in wanted.items():
        if key not in fitted:
            if key.endswith(_COUNT):
                fitted[key] = tensor
        elif key in _FIRST_KERNELS and _is_larger_kernel(fitted[key], tensor):
            fitted[key] = shrunk_kernel(fitted[key], tensor.shape[-1])
        elif key == _POSITIONS and _is_other_grid(fitted[key], tensor):
            fitted[key] = interpolated_positions(fitted[key], tensor.shape[1])
    return fitted


def _is_larger_kernel(given: Tensor, wanted: Tensor) -> bool:
    return (
        given.ndim == 4
        and given.shape[:2] == wanted.shape[:2]
        and given.shape[2] == given.shape[3] > wanted.shape[3]
    )


def _is_other_grid(given: Tensor, wanted: Tensor) -> bool:
    if given.shape == wanted.shape or given.ndim != 3 or given.shape[::2] != wanted.shape[::2]:
        return False
    patches = given.shape[1] - 1
    return patches > 0 and round(patches**0.5) ** 2 == patches


def _first_misfit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """The first difference in names or shapes, in words; empty where there is none."""
    for key, tensor in wanted.items():
        if key not in given:
            return f"{key} is missing"
        if given[key].shape != tensor.shape:
            return f"{key} has the shape {tuple(given[key].shape)}, not {tuple(tensor.shape)}"
    unknown = sorted(given.keys() - wanted.keys())
    return f"{unknown[0]} has no place in it" if unknown else ""
