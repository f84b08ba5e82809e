"""When a server trains, when a worker looks at its images, and with which strategy.

Shared by the roles and simulated campaigns: numbers in, decisions out. Pure functions of the
standard library. `refill.py` says how deep S is kept.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeVar

HANDOVER: Final = {"typiclust": "margin", "herding": "margin", "uherding": "uherding"}
"""Strategies for the time before the first model, and the strategy that replaces each."""

AUTO: Final = "auto"
"""The strategy that suits how the campaign's network sees images."""

_COVERING: Final = "uherding"
_COVERING_FIRST: Final = "herding"
_DOUBTING: Final = "power_margin"
_MOST_COVERED_IMAGES: Final = 10_000
"""Of more images, ten workers on one core would take more than a second to cover their parts."""

CELLS: Final = 64
"""Number of disjoint slices of D that are dealt out to workers. Fixed for an installation."""

MAX_COMMITTEE: Final = 4
"""The greatest number of models in a committee."""

T = TypeVar("T")


def enough_for_first_model(classes: int, total: int) -> int:
    """Labels to wait for before the first training: 2 per class, at most 100 or half of `total`.

    With fewer, a model would be worse than chance.
    """
    return max(2, min(2 * classes, 100, total // 2))


def news_for_slow_training(labels: int) -> int:
    """New labels that a training of minutes waits for: a tenth of those it has."""
    return max(1, labels // 10)


def is_to_train(
    *, labels: int, news: int, trainings: int, first_model_at: int, min_new_labels: int
) -> bool:
    """Whether L gives a server a reason to train (paper, section 3.1).

    `labels` is the size of L, `news` how many labels came since the last of its `trainings` began.
    The first training waits for `first_model_at` labels.
    """
    if not trainings and labels < first_model_at:
        return False
    return news >= min_new_labels


def committee(recent: Sequence[T], size: int, *, server_of: Callable[[T], Hashable]) -> list[T]:
    """The newest version of each server, at most `size`, newest first.

    `recent` are versions, newest first. If there is a single server, its newest versions form the
    committee: each was trained anew.
    """
    newest: dict[Hashable, T] = {}
    for version in recent:
        newest.setdefault(server_of(version), version)
    return (list(newest.values()) if len(newest) > 1 else list(recent))[:size]


def asks_model(strategy: str) -> bool:
    """Whether a strategy needs a model; random selection does not."""
    return strategy != "random"


def is_cold(strategy: str) -> bool:
    """Whether a strategy looks at images before there is a model, too."""
    return strategy in HANDOVER


def meant_by(strategy: str, *, published: bool, images: int) -> str:
    """The strategy that `auto` means in a campaign of so many images; any other is itself.

    `published`: the network sees images with published weights from the first moment on, so that
    covering them pays before there are labels, and beside doubt later (docs/features). A network
    that learns from nothing is best asked by doubt (docs/benchmarks/accuracy.md).
    """
    if strategy != AUTO:
        return strategy
    if not published:
        return _DOUBTING
    return _COVERING if images <= _MOST_COVERED_IMAGES else _COVERING_FIRST


def in_use(strategy: str, *, model: bool) -> str:
    """The strategy that a worker applies: its own, or what replaces it once there is a model."""
    return HANDOVER.get(strategy, strategy) if model else strategy


def is_to_look(
    strategy: str,
    *,
    model: bool,
    need: int,
    ahead: int,
    ranked: bool,
    outdated: bool,
    refresh: bool,
) -> bool:
    """Whether a worker should make a pass over its images now.

    `need`: queries to add. `ahead`: ranked images that are left. `ranked`: there is a ranking at
    all. `outdated`: it was made by another model than g*. `refresh`: g* is new, and the queries in
    S are to follow it.
    """
    if not model:
        return is_cold(strategy) and (need > ahead or not ranked)
    return asks_model(strategy) and (refresh or need > ahead or (outdated and need > 0))


def is_at_random(strategy: str, *, model: bool, ahead: int) -> bool:
    """Whether a worker without a look draws its queries at random.

    It does if its strategy needs no model or there is none yet, unless ranked images are left.
    """
    return not ahead and not (model and asks_model(strategy))


def gives_way(*, model: bool, refresh: bool) -> bool:
    """Whether a pass also scores the worker's open queries, to withdraw those it would not ask.

    Before the first model, queries drawn at random are replaced by typical images.
    """
    return refresh or not model
