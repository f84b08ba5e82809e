"""When a server trains, when a worker looks at its images, and with which strategy.

What the roles and simulated campaigns decide alike: numbers in, decisions out. Pure functions of
the standard library. How deep S is kept is in `refill.py`.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeVar

HANDOVER: Final = {"typiclust": "margin"}
"""Strategies that choose before there is a model, and what takes over once there is one."""

CELLS: Final = 64
"""Number of disjoint slices of D that are dealt out to workers. Fixed for an installation."""

MAX_COMMITTEE: Final = 4
"""Models that a committee has at most."""

T = TypeVar("T")


def enough_for_first_model(classes: int, total: int) -> int:
    """Labels before which a model would know less than chance: two a class, 100 at most."""
    return max(2, min(2 * classes, 100, total // 2))


def is_to_train(
    *, labels: int, news: int, trainings: int, first_model_at: int, min_new_labels: int
) -> bool:
    """Whether L gives a server a reason to train (paper, section 3.1).

    `labels` are in L, `news` of them came since the last of its `trainings` began. The first
    training waits for `first_model_at` labels.
    """
    if not trainings and labels < first_model_at:
        return False
    return news >= min_new_labels


def committee(recent: Sequence[T], size: int, *, server_of: Callable[[T], Hashable]) -> list[T]:
    """The newest versions of the servers, one of each, at most `size`, the newest first.

    `recent` are versions, the newest first. A single server's newest versions make a committee as
    well: each was trained anew.
    """
    newest: dict[Hashable, T] = {}
    for version in recent:
        newest.setdefault(server_of(version), version)
    return (list(newest.values()) if len(newest) > 1 else list(recent))[:size]


def asks_model(strategy: str) -> bool:
    """Random selection asks no model, and waits for none."""
    return strategy != "random"


def is_cold(strategy: str) -> bool:
    """Whether it chooses before there is a model, too."""
    return strategy in HANDOVER


def in_use(strategy: str, *, model: bool) -> str:
    """What a worker of this strategy uses with a model, or before there is one."""
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
    """Whether a worker's choice asks for a pass over its images now.

    `need` queries are to be added and `ahead` images are ranked for them already, if it has
    `ranked` at all; `outdated` says that this was by another model than g*. `refresh`: g* is new
    and what lies in S is to follow it.
    """
    if not model:
        return is_cold(strategy) and (need > ahead or not ranked)
    return asks_model(strategy) and (refresh or need > ahead or (outdated and need > 0))


def is_at_random(strategy: str, *, model: bool, ahead: int) -> bool:
    """Whether a worker that did not look draws its queries at random.

    It does where its strategy asks no model or there is none yet, unless images are ranked.
    """
    return not ahead and not (model and asks_model(strategy))


def gives_way(*, model: bool, refresh: bool) -> bool:
    """Whether a pass also scores the worker's open queries, to withdraw those it would not ask.

    Before there is a model, queries that were drawn at random give way to typical images.
    """
    return refresh or not model
