"""What a campaign does now, in the shape that `campaign_status --json` promises.

Cheap at any size of D and L: the pools' sizes come from their counters, rates and waits from
the samples of the last minutes, staleness from the newest labels.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, TypedDict

from django.db import connection
from django.db.models import F
from django.utils import timezone

from al_engine.pools import excluded, processes, sizes, storage, waits
from al_engine.pools.models import Campaign, EngineProcess, ModelVersion, Sample

WINDOW: Final = timedelta(minutes=5)
"""Rates and waits are those of so long ago until now."""
STALENESS_LABELS: Final = 1_000
MODELS_LISTED: Final = 200
MAX_FINDINGS_COUNTED: Final = 1_000
"""Counts of findings stop here."""
_SHORTEST_MINUTES: Final = 1 / 12
"""Rates are never taken over less than one sample (5 s)."""


class Pools(TypedDict):
    """Images by pool, open turns in S, and how many of them the workers aim at."""

    unlabeled: int
    queried: int
    labeled: int
    excluded: int
    open_queries: int
    target_depth: int


class Rates(TypedDict):
    """Per minute, over the window."""

    labels_per_minute: float
    versions_per_minute: float


class Waits(TypedDict):
    """Milliseconds that people waited for their next image, and how often none was ready."""

    p50: float | None
    p99: float | None
    dry: int


class Staleness(TypedDict):
    """Labels of L that the model behind a query had not seen, over the newest labels."""

    mean: float | None
    p99: float | None


class Storage(TypedDict):
    """Whether the campaign's files can be read, and why not; images set aside for faulty files,
    and reports of pictures that did not show, of images still asked."""

    there: bool
    problem: str | None
    set_aside: int
    unshown: int


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
    """All of it; every value is ready for JSON."""

    pools: Pools
    rates: Rates
    waits_ms: Waits
    staleness: Staleness
    storage: Storage
    models: list[Model]
    processes: list[Process]


def status(campaign: Campaign) -> Status:
    """Read what the campaign does now; times are ISO 8601 in UTC, models newest first."""
    since = timezone.now() - WINDOW
    samples = list(
        Sample.objects.filter(campaign=campaign, taken_at__gt=since).values_list(
            "taken_at", "seconds", "answers", "dry", "waits"
        )
    )
    return {
        "pools": _pools(campaign),
        "rates": _rates(campaign, since, [sample[:3] for sample in samples]),
        "waits_ms": _waits([sample[3] for sample in samples], [sample[4] for sample in samples]),
        "staleness": _staleness(campaign),
        "storage": _storage(campaign),
        "models": _models(campaign),
        "processes": _processes(campaign),
    }


def _pools(campaign: Campaign) -> Pools:
    now = sizes.sizes(campaign_id=campaign.pk)
    return {
        "unlabeled": now.unlabeled,
        "queried": now.queried,
        "labeled": now.labeled,
        "excluded": now.excluded,
        "open_queries": sizes.open_depth(campaign_id=campaign.pk),
        "target_depth": processes.target_depth(campaign_id=campaign.pk),
    }


def _rates(
    campaign: Campaign, since: datetime, samples: list[tuple[datetime, float, int]]
) -> Rates:
    """`samples`: (end, seconds, answers) of each; several web processes write at a time."""
    now = since + WINDOW
    # A campaign whose people came a minute ago is measured over that minute.
    began = min(
        (taken_at - timedelta(seconds=seconds) for taken_at, seconds, _ in samples), default=since
    )
    versions = ModelVersion.objects.filter(campaign=campaign, published_at__gt=since).count()
    answers = sum(answers for _, _, answers in samples)
    return {
        "labels_per_minute": round(answers / _minutes(max(began, since), now), 2),
        "versions_per_minute": round(versions / _minutes(max(campaign.created_at, since), now), 2),
    }


def _minutes(begin: datetime, end: datetime) -> float:
    return max((end - begin).total_seconds() / 60, _SHORTEST_MINUTES)


def _waits(dry: list[int], histograms: list[list[int]]) -> Waits:
    total = waits.add(histograms)
    return {
        "p50": waits.percentile(total, 0.50),
        "p99": waits.percentile(total, 0.99),
        "dry": sum(dry),
    }


def _staleness(campaign: Campaign) -> Staleness:
    with connection.cursor() as cursor:
        # Newest first along the index label_campaign: the time does not depend on L.
        cursor.execute(
            """SELECT avg(staleness)::float8,
                      percentile_disc(0.99) WITHIN GROUP (ORDER BY staleness)::float8
               FROM (SELECT staleness FROM pools_label WHERE campaign_id = %s
                     ORDER BY id DESC LIMIT %s) newest""",
            [campaign.pk, STALENESS_LABELS],
        )
        mean, p99 = cursor.fetchone()
    return {"mean": mean, "p99": p99}


def _storage(campaign: Campaign) -> Storage:
    presence = storage.glance(campaign.pk)
    return {
        "there": presence.there,
        "problem": presence.problem or None,
        "set_aside": excluded.aside(campaign_id=campaign.pk)[:MAX_FINDINGS_COUNTED].count(),
        "unshown": excluded.unshown(campaign_id=campaign.pk)[:MAX_FINDINGS_COUNTED].count(),
    }


def _models(campaign: Campaign) -> list[Model]:
    rows = (
        ModelVersion.objects.filter(campaign=campaign)
        .order_by("-version")
        .values_list(
            "version", F("server__name"), "architecture", "labels_seen", "accuracy",
            "train_seconds", "published_at",
        )[:MODELS_LISTED]
    )  # fmt: skip
    return [
        {
            "version": version,
            "server": server,
            "architecture": architecture,
            "labels_seen": labels_seen,
            "accuracy": accuracy,
            "train_seconds": train_seconds,
            "published_at": _iso(published_at),
        }
        for version, server, architecture, labels_seen, accuracy, train_seconds, published_at
        in rows
    ]  # fmt: skip


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
        for row in EngineProcess.objects.filter(campaign=campaign)
    ]


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
