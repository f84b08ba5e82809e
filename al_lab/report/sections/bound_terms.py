"""The terms of Lemma 1 and Theorem 1 (paper, section 3.3), read from events of a run."""

from collections.abc import Callable, Mapping
from typing import Any

Term = Callable[[Mapping[str, Any]], float | None]
"""Read from an event; None where it was not estimated."""


def risk_queried(event: Mapping[str, Any]) -> float | None:
    """ε_Q(h)."""
    return None if event["risk_queried"] is None else float(event["risk_queried"])


def distance(event: Mapping[str, Any]) -> float | None:
    """W1(D, Q) of all that was queried."""
    return None if event["w1"]["mixture"] is None else float(event["w1"]["mixture"])


def distance_floor(event: Mapping[str, Any]) -> float | None:
    """What `distance` is for two random samples of D."""
    return None if event["w1"]["uniform"] is None else float(event["w1"]["uniform"])


def lemma_1(event: Mapping[str, Any]) -> float | None:
    """The bound of Lemma 1 without λ."""
    return _sum(risk_queried(event), distance(event))


def theorem_1(event: Mapping[str, Any]) -> float | None:
    """The bound of Theorem 1 without λ; for one strategy it is that of Lemma 1."""
    if len(_strategies(event)) < 2:
        return lemma_1(event)
    return _sum(worst_risk(event), least_distance(event))


def worst_risk(event: Mapping[str, Any]) -> float | None:
    """The highest risk on what a strategy of a mixture queried."""
    names = _strategies(event)
    return max((float(event["risk_by_strategy"][name]) for name in names), default=None)


def least_distance(event: Mapping[str, Any]) -> float | None:
    """The least W1 between what a strategy of a mixture queried and all data."""
    return min((float(event["w1"][name]) for name in _strategies(event)), default=None)


def risk_all(event: Mapping[str, Any]) -> float | None:
    """ε_D(h), which is bounded."""
    return None if event["risk_all"] is None else float(event["risk_all"])


def above_floor(event: Mapping[str, Any]) -> float | None:
    """`distance` less what it is for two random samples."""
    apart, least = distance(event), distance_floor(event)
    return None if apart is None or least is None else apart - least


def lemma_1_above_floor(event: Mapping[str, Any]) -> float | None:
    """The bound of Lemma 1 without λ, with `above_floor` as the distance."""
    return _sum(risk_queried(event), above_floor(event))


def theorem_1_above_floor(event: Mapping[str, Any]) -> float | None:
    """The bound of Theorem 1 without λ, less what its distance is for two random samples."""
    bound, names = theorem_1(event), _strategies(event)
    least = event["w1"]["uniform"] if len(names) < 2 else event["w1"]["uniform_each"]
    return None if bound is None or least is None else bound - least


def _strategies(event: Mapping[str, Any]) -> list[str]:
    """The strategies for which both the risk and the distance were estimated."""
    return [
        name
        for name, risk in event["risk_by_strategy"].items()
        if risk is not None and event["w1"].get(name) is not None
    ]


def _sum(risk: float | None, apart: float | None) -> float | None:
    return None if risk is None or apart is None else risk + apart
