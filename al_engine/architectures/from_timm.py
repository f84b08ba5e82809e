"""timm's networks as backbones: what they say of an image, without their classifier.

Embeddings are those of timm's own pipeline: `forward_features`, then `forward_head` with
`pre_logits`. timm takes seconds to import, so it is imported when one of its networks is built.
"""

import difflib
import sys
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from al_engine.architectures.classifier import MEAN, STD, Classifier
from al_engine.architectures.torchvision_ops import import_torchvision
from al_engine.architectures.weights import UnfitWeights

# A network that is published for larger images sees at least this side (px): from here on a larger
# side costs more than it says, as time grows with the square of it.
ENOUGH_SIDE: Final = 224
# A network that learns on sees at least this side (px): a step takes a fifth of one at 224 px.
LEARNING_SIDE: Final = 96
# Safetensors is the only kind of file that is taken from the hub.
_HUB_FILE: Final = "model.safetensors"
_HUB_FILES: Final = {"open_clip_pytorch_model.bin": "open_clip_model.safetensors"}


class TimmBackbone(nn.Module):
    """A network of timm without its classifier: (N, 3, H, W) -> (N, width).

    Takes images normalized as all others here are, and normalizes them anew for the network, by an
    affine map that is part of its state. `side`: the one side (px) that the network can take, or
    None if it takes any.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        side: int | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.side = side
        own_mean, own_std = torch.tensor(mean), torch.tensor(std)
        # Not as buffers outside the state: a model that is built on the meta device has no values
        # but those of its checkpoint.
        self.register_buffer("scale", (torch.tensor(STD) / own_std).view(3, 1, 1))
        self.register_buffer("offset", ((torch.tensor(MEAN) - own_mean) / own_std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings (N, width) of images (N, 3, H, W)."""
        if self.side is not None and images.shape[-1] != self.side:
            size = (self.side, self.side)
            images = functional.interpolate(images, size=size, mode="bilinear", antialias=True)
        network: Any = self.network
        images = images * self.get_buffer("scale") + self.get_buffer("offset")
        features: Tensor = network.forward_head(network.forward_features(images), pre_logits=True)
        return features


def build_network(name: str, *, classes: int, image_size: int, learns: bool) -> Classifier:
    """timm's network of this name with a head of its own.

    The backbone is not yet frozen. Images are enlarged to the side that the network was published
    for, 224 px at least; one that `learns` adapts to the size of images, and `LEARNING_SIDE` is
    enough. `name` is one of timm's, see `problem_of_name`.
    """
    network, config = _network(name), published_config(name)
    own = int(config.input_size[-1])
    side, fixed = own, bool(config.fixed_input_size)
    if learns and not fixed:
        side = min(own, LEARNING_SIDE)
    elif own > ENOUGH_SIDE and (not fixed or _takes_any_grid(network)):
        side = min(own, max(ENOUGH_SIDE, image_size))
        if fixed:
            patch: int = network.patch_embed.patch_size[0]
            side = min(own, -(-side // patch) * patch)
            network.set_input_size(img_size=(side, side))
    backbone = TimmBackbone(network, mean=config.mean, std=config.std, side=side if fixed else None)
    return Classifier(backbone, width=network.head_hidden_size, classes=classes, smallest_side=side)


def fitted_to(model: Classifier, name: str, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as timm publishes them, made to fit this network by timm's own rules.

    They convert foreign names and resize positional embeddings. The classifier is left out. Raises
    UnfitWeights for weights that timm's rules stumble over.
    """
    network = _backbone_of(model).network
    module = sys.modules[type(network).__module__]
    convert = getattr(module, "checkpoint_filter_fn", None)
    try:
        converted = dict(given) if convert is None else dict(convert(dict(given), network))
    except (LookupError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise UnfitWeights(
            f"The given weights are not those of {name}: timm cannot convert them ({error!r}). "
            "Use weights of this network."
        ) from error
    wanted, classifiers = network.state_dict(), published_config(name).classifier or ()
    foreign = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
    return {
        key: tensor
        for key, tensor in converted.items()
        if key in wanted or not key.startswith(tuple(f"{each}." for each in foreign))
    }


def network_of(model: Classifier) -> nn.Module:
    """timm's own network inside a model of `build_network`, which published weights go into."""
    return _backbone_of(model).network


def hub_file(name: str) -> tuple[str, str] | None:
    """Repository and file of a network's weights on timm's hub; None if there are none."""
    config = published_config(name)
    if not config.hf_hub_id:
        return None
    file = config.hf_hub_filename or _HUB_FILE
    return config.hf_hub_id, _HUB_FILES.get(file, file)


def problem_of_name(name: str) -> str:
    """Why timm has no network of this name, with close matches; empty if it has one."""
    timm = import_timm()
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        close = difflib.get_close_matches(base, timm.list_models(), n=3)
        return f"timm {timm.__version__} has no model named {base!r}. {_did_you_mean(close)}"
    tags = [full.partition(".")[2] for full in timm.list_pretrained(base)] if tag else []
    if tag and tag not in tags:
        known = [f"{base}.{each}" for each in tags] or [base]
        return f"timm has no weights named {tag!r} for {base}; there are: {', '.join(known)}."
    return ""


@cache
def published_config(name: str) -> Any:
    """timm's description of a network's published weights (its PretrainedCfg)."""
    import_timm()
    from timm.models import get_pretrained_cfg

    return get_pretrained_cfg(name)


def import_timm() -> ModuleType:
    """timm; torchvision, which timm imports, is made to work first."""
    import_torchvision()
    import timm

    return timm


def _network(name: str) -> Any:
    """timm's network without its classifier, with random weights.

    On the meta device it stays there, unless it holds tensors that are in no checkpoint: those need
    their values, so such a network is built on the CPU.
    """
    timm = import_timm()
    network = timm.create_model(name, pretrained=False, num_classes=0)
    stored = network.state_dict()
    if any(each.is_meta and key not in stored for key, each in network.named_buffers()):
        with torch.random.fork_rng(devices=()), torch.device("cpu"):
            return timm.create_model(name, pretrained=False, num_classes=0)
    return network


def _takes_any_grid(network: nn.Module) -> bool:
    """Whether the network's positional embeddings can be resized to another grid of patches."""
    from timm.models.vision_transformer import VisionTransformer

    return isinstance(network, VisionTransformer)


def _backbone_of(model: Classifier) -> TimmBackbone:
    backbone = model.backbone
    assert isinstance(backbone, TimmBackbone)  # noqa: S101 - for the type checker
    return backbone


def _did_you_mean(close: list[str]) -> str:
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return "timm.list_models() in Python lists all that there are."
