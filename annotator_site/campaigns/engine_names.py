"""Names of strategies and architectures for forms; the site imports no torch module of the engine.

The test suite compares the built-in names with the engine's own registries.
"""

import difflib
import re
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Final

from al_engine.decisions.architecture import (
    AUTO,
    FINETUNED,
    HEADS,
    is_published,
    problem_of_list,
)

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
    *(f"frozen:tf_efficientnet_lite0+{head}" for head in HEADS),
    "finetuned:tf_efficientnet_lite0",
)
# Any network of timm, which only the engine can look up: timm imports torch.
_NAME: Final = r"[a-z0-9_]+(\.[a-z0-9_]+)?"
_OF_TIMM: Final = re.compile(rf"{FINETUNED}{_NAME}|frozen:{_NAME}(\+({'|'.join(HEADS)}))?")


def problem_of_architecture(name: str, *, known: Sequence[str] = ARCHITECTURES) -> str:
    """Why this can be no architecture, and what was likely meant; empty if it can.

    `known`: those to choose from, beside all of timm's.
    """
    network, plus, head = name.partition("+")
    if (
        name in known
        or _OF_TIMM.fullmatch(name)
        or (network in known and head in HEADS and is_published(network))
    ):
        return ""
    if plus and is_published(network) and head not in HEADS:
        return (
            f"There is no head “{head}” in “{name}”: write one of +{', +'.join(HEADS)} after "
            f"{network}, or nothing for the logistic one."
        )
    close = difflib.get_close_matches(name, known, n=2)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    return (
        f"There is no architecture “{name}”. {meant}Write one of: {', '.join(known)}; or "
        "frozen: or finetuned: and the name of any model of timm."
    )


def problem_of_architectures(names: Sequence[str]) -> str:
    """Why these can be no campaign's list of architectures; empty if they can."""
    problems = (problem_of_architecture(name, known=(AUTO, *ARCHITECTURES)) for name in names)
    return next(filter(None, problems), "") or problem_of_list(names)


def strategy_names() -> list[str]:
    """The built-in strategies, then those that installed packages register as entry points."""
    foreign = {entry.name for entry in entry_points(group=STRATEGY_ENTRY_POINTS)}
    return [*BUILT_IN_STRATEGIES, *sorted(foreign.difference(BUILT_IN_STRATEGIES))]
