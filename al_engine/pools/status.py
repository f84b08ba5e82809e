"""The present state of a campaign, in the shape that `campaign_status --json` promises.

The numbers come from `readings`, as those of the live page do.
"""

from datetime import UTC, datetime
from typing import Final, TypedDict

from al_engine.pools import readings
from al_engine.pools.learners import Learner, read_learners
from al_engine.pools.models import Campaign
from al_engine.pools.readings import Activity, Network, Rates, Staleness, Storage, Waits

MODELS_LISTED: Final = 200


class Pools(TypedDict):
    """Images by pool, open turns in S, and the depth of S that the workers aim at."""

    unlabeled: int
    queried: int
    labeled: int
    excluded: int
    open_queries: int
    target_depth: int


class Model(TypedDict):
    """A published version of the model."""

    version: int
    server: str | None
    architecture: str
    labels_seen: int
    accuracy: float | None
    train_seconds: float
    published_at: str


class Process(TypedDict):
    """A server or worker, as it last reported."""

    role: str
    name: str
    host: str
    device: str
    state: str
    heartbeat_at: str


class Status(TypedDict):
    """The whole status; every value is ready for JSON."""

    pools: Pools
    network: Network
    rates: Rates
    waits_ms: Waits
    staleness: Staleness
    storage: Storage
    learners: list[Learner]
    models: list[Model]
    processes: list[Process]


def status(campaign: Campaign) -> Status:
    """Read the status of a campaign; times are ISO 8601 in UTC, models newest first."""
    now = readings.read_activity(campaign)
    return {
        "pools": _pools(now),
        "network": readings.read_network(campaign),
        "rates": now.rates,
        "waits_ms": now.waits_ms,
        "staleness": now.staleness,
        "storage": now.storage,
        "learners": read_learners(campaign),
        "models": _models(campaign),
        "processes": _processes(campaign),
    }


def network_words(network: Network) -> str:
    """A campaign's networks in a sentence: which, at which size, and why if the engine chose."""
    name, side = ", ".join(network["architectures"]), network["image_size"]
    if not (network["architecture"] and side):
        return "chosen automatically, once there are images"
    why = f", chosen automatically: {network['because']}" if network["automatic"] else ""
    return f"{name} at {side} px{why}"


def _pools(now: Activity) -> Pools:
    return {
        "unlabeled": now.sizes.unlabeled,
        "queried": now.sizes.queried,
        "labeled": now.sizes.labeled,
        "excluded": now.sizes.excluded,
        "open_queries": now.open_queries,
        "target_depth": now.target_depth,
    }


def _models(campaign: Campaign) -> list[Model]:
    return [
        {
            "version": row.version,
            "server": row.server.name if row.server else None,
            "architecture": row.architecture,
            "labels_seen": row.labels_seen,
            "accuracy": row.accuracy,
            "train_seconds": row.train_seconds,
            "published_at": _iso(row.published_at),
        }
        for row in readings.read_versions(campaign_id=campaign.pk)[:MODELS_LISTED]
    ]


def _processes(campaign: Campaign) -> list[Process]:
    return [
        {
            "role": row.role,
            "name": row.name,
            "host": row.host,
            "device": row.device,
            "state": row.state,
            "heartbeat_at": _iso(row.heartbeat_at),
        }
        for row, _ in readings.read_processes(campaign_id=campaign.pk)
    ]


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
