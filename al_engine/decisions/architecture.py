"""Which network learns from a campaign's images, and at which size, where that is left open.

Pure: sides of images in, a choice with its reason out. The thresholds follow
docs/benchmarks/architectures.md. No network is built here, so names are only known by their form:

- `frozen:NAME`, `probe:NAME`: a published backbone that is kept as it is, with a logistic head;
  `+means` or `+kernel` behind it gives it another head.
- `finetuned:NAME`: a published backbone that learns as a whole.
- any other name: a network that learns from nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

AUTO: Final = "auto"
SMALL: Final = "small_cnn"
PUBLISHED: Final = "frozen:tf_efficientnet_lite0"
"""A published network whose weights are installed with the program; a CPU embeds with it."""
HEADS: Final = ("means", "kernel")
"""The heads that the name of a frozen backbone may end with, after a plus."""
FINETUNED: Final = "finetuned:"
"""Before any name of timm: that network, which learns on from its published weights."""
PUBLISHED_FOR_GPU: Final = "frozen:vit_small_patch14_dinov2.lvd142m"
"""DINOv2's small vision transformer (Apache-2.0): twelve times the arithmetic."""

SMALL_DRAWING_PX: Final = 16
"""Up to this side images are called small drawings, and a network of their own learns them best."""
PUBLISHED_PX: Final = 224
"""The side that published networks are made for, and the largest that is chosen."""
_LEARNED_PX: Final = 64
"""The largest side chosen for a network that learns from scratch: more costs more than it says."""
_LEAST_PX: Final = 8
_TOO_SMALL_PX: Final = 112
"""A published network knows little of what was reduced below half of the side it is made for."""
_LOST: Final = 4
"""Reduced to less than one in so many pixels of a side, an image loses what decides."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What `auto` means, by name, the side (px) at which models get images, and why.

    `architecture` is the first of a campaign that leaves none open; `reason` is a sentence.
    """

    architecture: str
    image_size: int
    reason: str


def choose(
    sides_px: Sequence[int],
    *,
    architectures: Sequence[str] = (AUTO,),
    image_size: int = 0,
    device: str = "cpu",
    missing: str = "",
) -> Choice:
    """The network and the image size for images whose longer sides are `sides_px`, one or more.

    `architectures`: those of a campaign, one or more, whose first decides the image size. Those
    other than `auto` and an `image_size` other than 0 are kept. `device`: the
    type of the device that computes, as torch calls it. `missing`: why the weights of
    `PUBLISHED_FOR_GPU` cannot be had, empty if they can. Raises ValueError without a side.
    """
    if not sides_px:
        raise ValueError("A network is chosen once there is an image.")
    typical = round(median(sides_px))
    seen = min(typical, image_size or typical)
    first = name = architectures[0]
    why = "it was set by hand."
    if AUTO in architectures:
        name, why = _suited(seen, device, missing)
        first = name if first == AUTO else first
    largest = PUBLISHED_PX if is_published(first) or is_finetuned(first) else _LEARNED_PX
    side = image_size or max(_LEAST_PX, min(typical, largest))
    return Choice(name, side, f"images have {typical:,} px on their longer side; {why}")


def wants_gpu_weights(sides_px: Sequence[int], *, image_size: int, device: str) -> bool:
    """Whether `choose` would take `PUBLISHED_FOR_GPU` if its weights can be had."""
    chosen = choose(sides_px, image_size=image_size, device=device)
    return chosen.architecture == PUBLISHED_FOR_GPU


def is_published(architecture: str) -> bool:
    """Whether a network comes with published weights that are kept as they are."""
    return architecture.startswith(("frozen:", "probe:"))


def is_finetuned(architecture: str) -> bool:
    """Whether a network learns on from published weights, as a whole."""
    return architecture.startswith(FINETUNED)


def backbone_of(architecture: str) -> str:
    """An architecture without its head: those of one backbone see images in the same way."""
    return architecture.partition("+")[0]


def head_of(architecture: str) -> str:
    """The head that an architecture names: one of `HEADS`, or empty for the usual one."""
    return architecture.partition("+")[2]


def problem_of_list(architectures: Sequence[str]) -> str:
    """Why these cannot be the architectures of a campaign, empty if they can."""
    if not architectures:
        return f"Name one architecture at least, for example {AUTO}."
    twice = [name for name in architectures if architectures.count(name) > 1]
    if twice:
        return (
            f"{twice[0]} is named twice. Name each architecture once: more servers than "
            "architectures train the first ones several times."
        )
    return ""


def misfit(architecture: str, image_size: int, typical_px: int) -> str:
    """What is wrong with an image size for images of `typical_px` and what to do, or empty."""
    if is_published(architecture) and image_size < _TOO_SMALL_PX and typical_px >= 2 * image_size:
        made = f"which is made for {PUBLISHED_PX} px"
    elif image_size * _LOST <= typical_px and image_size < _LEARNED_PX:
        made = "where what tells them apart may be lost"
    else:
        return ""
    return (
        f"Images of {typical_px:,} px are reduced to {image_size} px for {architecture}, {made}. "
        "Set the image size to 0, which chooses it automatically."
    )


def _suited(seen_px: int, device: str, missing: str) -> tuple[str, str]:
    """A network for images that are seen at this size, and why."""
    if seen_px <= SMALL_DRAWING_PX:
        return SMALL, f"up to {SMALL_DRAWING_PX} px {SMALL} learns them best."
    why = "a published network knows much of what they show before the first label"
    if device != "cuda":
        return PUBLISHED, f"{why}."
    if missing:
        return PUBLISHED, f"{why}. The GPU could use {PUBLISHED_FOR_GPU}, but: {missing}"
    return PUBLISHED_FOR_GPU, f"{why}, and the GPU has time for a larger one."
