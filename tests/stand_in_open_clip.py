"""A CLIP network with random weights as a file, and of open_clip what reads its text tower.

open_clip is optional, and its own list of words would make a tower of 25 million numbers.
"""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from al_engine import architectures
from al_engine.architectures import from_timm

NETWORK: Final = "vit_xsmall_patch16_clip_224"
FROZEN: Final = f"frozen:{NETWORK}"
WORDS: Final = 64
LENGTH: Final = 12
COMMON: Final = 16
_FIRST: Final = {
    "patch_embed.proj.": "conv1.", "norm_pre.": "ln_pre.", "norm.": "ln_post.",
    "blocks.": "transformer.resblocks.",
}  # fmt: skip
_INNER: Final = {
    ".norm1.": ".ln_1.", ".norm2.": ".ln_2.", ".attn.qkv.": ".attn.in_proj_",
    ".attn.proj.": ".attn.out_proj.", ".fc1.": ".c_fc.", ".fc2.": ".c_proj.",
}  # fmt: skip
"""From timm's names to those of open_clip, which publishes both towers in one file."""


class TextTransformer(nn.Module):
    """The mean of words' embeddings, projected: with the parameters' names of open_clip."""

    def __init__(
        self, *, context_length: int, vocab_size: int, width: int, output_dim: int, **_: Any
    ) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.randn(context_length, width))
        self.text_projection = nn.Parameter(torch.randn(width, output_dim))

    def forward(self, tokens: Tensor) -> Tensor:
        words = self.token_embedding(tokens) + self.positional_embedding
        projected: Tensor = words.mean(dim=1) @ self.text_projection
        return projected


class SimpleTokenizer:
    """A number for each word, by its letters."""

    def __init__(self, context_length: int) -> None:
        self.context_length = context_length
        self.vocab_size = WORDS

    def __call__(self, texts: list[str]) -> Tensor:
        tokens = torch.zeros(len(texts), self.context_length, dtype=torch.int64)
        for row, text in enumerate(texts):
            for place, word in enumerate(text.split()):
                tokens[row, place] = sum(word.encode()) % WORDS
        return tokens


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-in in the place of open_clip."""
    package = ModuleType("open_clip")
    package.__spec__ = ModuleSpec("open_clip", None)
    transformer, tokenizer = ModuleType("open_clip.transformer"), ModuleType("open_clip.tokenizer")
    vars(transformer).update(TextTransformer=TextTransformer, QuickGELU=nn.GELU)
    vars(tokenizer).update(SimpleTokenizer=SimpleTokenizer)
    vars(package).update(transformer=transformer, tokenizer=tokenizer)
    for module in (package, transformer, tokenizer):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def write_weights(folder: Path, *, texts: bool = True) -> dict[str, Tensor]:
    """Random weights of both towers (or of the images' alone) where a site's own would be."""
    torch.manual_seed(1)
    model = architectures.build(FROZEN, classes=2, image_size=224)
    ours = from_timm.network_of(model).state_dict()
    weights = {f"visual.{_published_name(name)}": tensor for name, tensor in ours.items()}
    weights["visual.class_embedding"] = weights.pop("visual.cls_token")[0, 0]
    weights["visual.positional_embedding"] = weights.pop("visual.pos_embed")[0]
    if texts:
        text = TextTransformer(context_length=LENGTH, vocab_size=WORDS, width=8, output_dim=COMMON)
        weights |= {name: tensor.detach() for name, tensor in text.state_dict().items()}
        weights["visual.proj"] = torch.randn(model.width, COMMON)
        weights["logit_scale"] = torch.tensor(3.0)
    file = folder / f"{NETWORK}.safetensors"
    save_file({name: tensor.contiguous().clone() for name, tensor in weights.items()}, file)
    return weights


def _published_name(name: str) -> str:
    for ours, theirs in _FIRST.items():
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    for ours, theirs in _INNER.items():
        name = name.replace(ours, theirs)
    return name
