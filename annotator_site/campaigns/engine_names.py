"""Names of strategies and architectures for forms; the site imports no torch module of the engine.

The test suite compares the built-in names with the engine's own registries.
"""

import difflib
import re
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Final

BUILT_IN_STRATEGIES: Final = (
    *("random", "entropy", "least_confidence", "margin", "power_margin", "balanced_margin"),
    *("cluster_margin", "typiclust", "bald", "committee", "badge", "core_set"),
    *("herding", "uherding"),
)
STRATEGY_ENTRY_POINTS: Final = "nowait.strategies"

_PUBLISHED: Final = (
    *("vgg16", "vgg16_bn", "resnet18", "resnet50", "mobilenet_v3_large", "efficientnet_b0"),
    *("convnext_tiny", "vit_b_16"),
)
ARCHITECTURES: Final = (
    *("small_cnn", *_PUBLISHED, *(f"probe:{name}" for name in _PUBLISHED)),
    "frozen:tf_efficientnet_lite0",
)
# Any network of timm, which only the engine can look up: timm imports torch.
_FROZEN: Final = re.compile(r"frozen:[a-z0-9_]+(\.[a-z0-9_]+)?")


def problem_of_architecture(name: str, *, known: Sequence[str] = ARCHITECTURES) -> str:
    """Why this can be no architecture, and what was likely meant; empty if it can.

    `known`: those to choose from, beside all of timm's.
    """
    if name in known or _FROZEN.fullmatch(name):
        return ""
    close = difflib.get_close_matches(name, known, n=2)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    return (
        f"There is no architecture “{name}”. {meant}Write one of: {', '.join(known)}; or "
        "frozen: and the name of any model of timm."
    )


def strategy_names() -> list[str]:
    """The built-in strategies, then those that installed packages register as entry points."""
    foreign = {entry.name for entry in entry_points(group=STRATEGY_ENTRY_POINTS)}
    return [*BUILT_IN_STRATEGIES, *sorted(foreign.difference(BUILT_IN_STRATEGIES))]
