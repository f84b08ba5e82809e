"""Which architecture answers best: its newest version on audits and on the holdout.

For the live page and `campaign_status`; formatting of single numbers is shared, too.
"""

from typing import TypedDict

from al_engine.decisions.comparing import Share, gain
from al_engine.pools import versions
from al_engine.pools.models import Campaign, ModelVersion


class Measured(TypedDict):
    """An accuracy with its 95 % interval; `count`: images, None for the holdout."""

    accuracy: float
    low: float
    high: float
    count: int | None


class Gain(TypedDict):
    """By how much a delivery model is above the newest model that selects, with its interval.

    `on`: `holdout` or `audits`; `over`: that model's architecture.
    """

    accuracy: float
    low: float
    high: float
    on: str
    over: str


class Learner(TypedDict):
    """The newest version of an architecture in a role; `best`: of all on audits."""

    architecture: str
    role: str
    version: int
    labels_seen: int
    audit: Measured | None
    holdout: Measured | None
    best: bool
    gain: Gain | None


def read_learners(campaign: Campaign) -> list[Learner]:
    """The newest version of each architecture and role, those that select first.

    The best on audits has the highest lower bound of its interval, as for `best_audit`; it is
    marked only beside others.
    """
    rows = _newest_of_each(campaign)
    judged = sum(row.audit_low is not None for row in rows)
    best = versions.most_trusted(rows)
    selecting = next((row for row in rows if row.role == ModelVersion.Role.SELECTION), None)
    return [
        {
            "architecture": row.architecture,
            "role": row.role,
            "version": row.version,
            "labels_seen": row.labels_seen,
            "audit": _audit(row),
            "holdout": _holdout(row),
            "best": judged > 1 and row is best,
            "gain": _gain(row, selecting),
        }
        for row in rows
    ]


def learner_words(learner: Learner) -> str:
    """How good an architecture is, in words for people."""
    audit, holdout, more = learner["audit"], learner["holdout"], learner["gain"]
    parts = [
        f"{_measured_words(audit)} of {audit['count']:,} audits" if audit else "no audits yet",
        *([f"{_measured_words(holdout)} of the holdout"] if holdout else []),
        f"version {learner['version']:,}, {learner['labels_seen']:,} labels",
    ]
    if more:
        parts.append(
            f"for delivery: {100 * more['accuracy']:+.1f} points "
            f"({100 * more['low']:+.1f} to {100 * more['high']:+.1f}) "
            f"over {more['over']} on the {more['on']}"
        )
    return "; ".join(parts)


def _measured_words(measured: Measured) -> str:
    interval = f"{100 * measured['low']:.1f} to {100 * measured['high']:.1f}"
    return f"{100 * measured['accuracy']:.1f} % ({interval})"


def _newest_of_each(campaign: Campaign) -> list[ModelVersion]:
    """The newest version of each role and architecture; its weights are always kept."""
    there = versions.stored(campaign_id=campaign.pk).order_by("role", "architecture", "-version")
    newest = list(there.distinct("role", "architecture"))
    used = {*campaign.model_architectures, campaign.delivery_architecture}
    rows = [row for row in newest if row.architecture in used] or newest
    return sorted(rows, key=lambda row: (row.role == ModelVersion.Role.DELIVERY, -row.version))


def _audit(row: ModelVersion) -> Measured | None:
    if row.audit_accuracy is None or row.audit_low is None or row.audit_high is None:
        return None
    return {
        "accuracy": row.audit_accuracy,
        "low": row.audit_low,
        "high": row.audit_high,
        "count": row.audit_count,
    }


def _holdout(row: ModelVersion) -> Measured | None:
    if row.accuracy is None or row.accuracy_low is None or row.accuracy_high is None:
        return None
    return {
        "accuracy": row.accuracy,
        "low": row.accuracy_low,
        "high": row.accuracy_high,
        "count": None,
    }


def _gain(row: ModelVersion, selecting: ModelVersion | None) -> Gain | None:
    """What a delivery model gains over the newest that selects; None if nothing measured both."""
    if selecting is None or row.role != ModelVersion.Role.DELIVERY:
        return None
    for on, measure in (("holdout", _holdout), ("audits", _audit)):
        one, other = measure(row), measure(selecting)
        if one and other:
            more = gain(_share(one), _share(other))
            return {
                "accuracy": more.value,
                "low": more.low,
                "high": more.high,
                "on": on,
                "over": selecting.architecture,
            }
    return None


def _share(measured: Measured) -> Share:
    return Share(measured["accuracy"], measured["low"], measured["high"])
