"""A head from the names of classes, by the text tower of a network that was trained on captions.

Weights of a CLIP network, as open_clip publishes them, hold two towers that map images and texts to
one space. timm's network takes the images' (`frozen:vit_base_patch32_clip_224.…`); here the other
says what a class's name looks like. open_clip, which knows the words, is optional.
"""

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from al_engine.architectures import from_timm, weight_sources
from al_engine.architectures.registry import FROZEN
from al_engine.architectures.torchvision_ops import import_torchvision

PROMPT: Final = "a photo of a {}."
_TOWERS: Final = ("visual.proj", "text_projection", "token_embedding.weight", "logit_scale")
"""Tensors that both towers of a CLIP network have in its file."""
_IMAGES: Final = "visual."
_HEAD_WIDTH: Final = 64
"""Numbers a head of attention, in all published text towers of this kind."""
_LAYER: Final = "transformer.resblocks."
_SHORTEST: Final = 1e-6


class NoTextTower(ValueError):
    """An architecture cannot make a head from names; the message says why."""


def may_read(architecture: str) -> bool:
    """Whether an architecture is of a kind that may have a text tower, by its name."""
    return architecture.startswith(FROZEN) and "_clip_" in architecture


def head_of_names(architecture: str, names: Sequence[str], embeddings: Tensor) -> Tensor:
    """A head's weight, float32 (C, width), without bias, for classes of these names.

    `embeddings`: float (n, width), n >= 1, of some images. In the common space the length of an
    image's vector says nothing, but a linear head does not divide by it: it is divided by the mean
    of these, so that probabilities are about as sharp as the network's own. Raises NoTextTower, and
    what reading weights raises: MissingWeights, UnfitWeights.
    """
    if find_spec("open_clip") is None:
        raise NoTextTower(
            "The names of classes are not read, because open_clip is not installed: "
            "pip install -r requirements-clip.txt."
        )
    network = architecture.removeprefix(FROZEN)
    given, source = weight_sources.read_timm(network, hub=from_timm.hub_file(network), keys=tuple)
    missing = [name for name in _TOWERS if name not in given]
    if missing:
        raise NoTextTower(f"The weights in {source} have no text tower: {missing[0]} is missing.")
    projection = given["visual.proj"].float()  # (width, common)
    prompts = [PROMPT.format(name.replace("_", " ")) for name in names]
    texts = _embed(given, prompts, network, source)
    lengths = (embeddings.float() @ projection).norm(dim=1)
    scale = given["logit_scale"].float().exp() / lengths.mean().clamp(min=_SHORTEST)
    weight: Tensor = scale * normalize(texts, dim=1) @ projection.T
    return weight


@torch.inference_mode()
def _embed(given: Mapping[str, Tensor], texts: list[str], network: str, source: str) -> Tensor:
    """Texts in the common space: float32 (n, common)."""
    import_torchvision()  # open_clip imports it
    from open_clip import tokenizer, transformer

    words, width = given["token_embedding.weight"].shape
    length = given["positional_embedding"].shape[0]
    tower: Any = transformer.TextTransformer(
        context_length=length,
        vocab_size=words,
        width=width,
        heads=max(1, width // _HEAD_WIDTH),
        layers=len({_layer(name) for name in given if name.startswith(_LAYER)}),
        output_dim=given["text_projection"].shape[1],
        act_layer=transformer.QuickGELU if "quickgelu" in network else torch.nn.GELU,
    )
    reads = tokenizer.SimpleTokenizer(context_length=length)
    if reads.vocab_size != words:
        raise NoTextTower(
            f"The text tower in {source} knows {words:,} pieces of words, not the "
            f"{reads.vocab_size:,} of open_clip's own list."
        )
    wanted = tower.state_dict()
    unfit = [key for key in wanted if key not in given or given[key].shape != wanted[key].shape]
    if unfit:
        raise NoTextTower(f"The text tower in {source} is of another kind: {unfit[0]} differs.")
    tower.load_state_dict({key: given[key].float() for key in wanted})
    found: Tensor = tower.eval()(reads(texts))
    if not math.isfinite(float(found.sum())):
        raise NoTextTower(f"The text tower in {source} gives no numbers: its weights are damaged.")
    return found


def _layer(name: str) -> str:
    return name.removeprefix(_LAYER).partition(".")[0]
