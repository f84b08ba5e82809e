"""One look at a campaign, at a cost that does not grow with D, L or the number of people.

Sizes come from counters, rates and waits from samples, the rest from the newest rows along an
index. The same numbers as `campaign_status`, from the same function, wherever it has them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from django.db import connection
from django.db.models import Count

from al_engine.pools import sizes
from al_engine.pools.models import Campaign, Cell, EngineProcess, ModelVersion
from al_engine.pools.processes import SILENT_AFTER_SECONDS
from al_engine.pools.status import status
from annotator_site.images.addresses import image_url
from annotator_site.monitor.diagnosis import diagnose
from annotator_site.monitor.values import (
    Asked,
    Person,
    Point,
    Pools,
    Process,
    Settings,
    State,
    Version,
)

GALLERY_IMAGES: Final = 12
NEWEST_ANSWERS: Final = 500
PEOPLE_SHOWN: Final = 20
CONNECTED_WITHIN_SECONDS: Final = 15
"""A web process says every 5 s how many people are connected to it."""


class CampaignGone(LookupError):
    """The campaign does not exist any more."""


def read_state(campaign_id: int) -> State:
    """The campaign now. Raises CampaignGone."""
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None:
        raise CampaignGone(str(campaign_id))
    known = status(campaign)
    counted = sizes.sizes(campaign_id=campaign_id)
    now, connected, last_minute = _clock_and_people(campaign_id)
    people, strategies = _newest_answers(campaign_id, now)
    pools = _pools(counted, known["pools"])
    state = State(
        read_at=now,
        campaign=Settings(
            title=campaign.title,
            slug=campaign.slug,
            state=campaign.state,
            servers=campaign.servers,
            workers=campaign.workers,
            budget=campaign.budget,
        ),
        pools=pools,
        rates=known["rates"],
        labels_last_minute=last_minute,
        waits_ms=known["waits_ms"],
        staleness=known["staleness"],
        storage=known["storage"],
        connected=connected,
        model=_newest_version(campaign_id),
        processes=_processes(campaign_id, now),
        people=people,
        strategies=strategies,
        asking=_asking(campaign_id),
        point=Point(
            t=now,
            labeled=pools.labeled,
            labels_per_minute=last_minute,
            open_queries=pools.open_queries,
            target_depth=pools.target_depth,
            wait_p99_ms=known["waits_ms"]["p99"],
            staleness=known["staleness"]["mean"],
        ),
    )
    return replace(state, findings=diagnose(state))


def _pools(counted: sizes.Sizes, known: Mapping[str, Any]) -> Pools:
    return Pools(
        unlabeled=counted.unlabeled,
        queried=counted.queried,
        labeled=counted.labeled,
        excluded=counted.excluded,
        reserved=counted.reserved,
        answers=counted.answers,
        open_queries=known["open_queries"],
        target_depth=known["target_depth"],
    )


def versions_after(campaign_id: int, version: int, *, limit: int = 200) -> list[Version]:
    """Versions published since `version`, oldest first."""
    rows = _version_rows(campaign_id).filter(version__gt=version).order_by("version")[:limit]
    return [as_version(row) for row in rows]


def _newest_version(campaign_id: int) -> Version | None:
    row = _version_rows(campaign_id).order_by("-version").first()
    return as_version(row) if row else None


def _version_rows(campaign_id: int) -> Any:
    return ModelVersion.objects.filter(campaign_id=campaign_id).select_related("server")


def as_version(row: ModelVersion) -> Version:
    """A row as the page is told of it."""
    return Version(
        version=row.version,
        server=row.server.name if row.server else None,
        architecture=row.architecture,
        labels_seen=row.labels_seen,
        train_seconds=row.train_seconds,
        published_at=row.published_at.timestamp(),
        accuracy=row.accuracy,
        low=row.accuracy_low,
        high=row.accuracy_high,
        audit=row.audit_accuracy,
        audit_low=row.audit_low,
        audit_high=row.audit_high,
        audit_count=row.audit_count,
    )


def _clock_and_people(campaign_id: int) -> tuple[float, int, int]:
    """The database's time, people connected, and labels of the last minute."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT extract(epoch FROM clock_timestamp())::float8,
                      coalesce((SELECT sum(connected) FROM (
                          SELECT DISTINCT ON (source) connected FROM pools_sample
                          WHERE campaign_id = %(campaign)s
                            AND taken_at > now() - make_interval(secs => %(lately)s)
                          ORDER BY source, taken_at DESC) newest), 0),
                      coalesce((SELECT sum(answers) FROM pools_sample
                                WHERE campaign_id = %(campaign)s
                                  AND taken_at > now() - interval '1 minute'), 0)""",
            {"campaign": campaign_id, "lately": CONNECTED_WITHIN_SECONDS},
        )
        now, connected, last_minute = cursor.fetchone()
    return float(now), int(connected), int(last_minute)


def _processes(campaign_id: int, now: float) -> list[Process]:
    cells = dict(
        Cell.objects.filter(campaign_id=campaign_id, worker__isnull=False)
        .order_by()
        .values_list("worker_id")
        .annotate(held=Count("id"))
    )
    rows = EngineProcess.objects.filter(campaign_id=campaign_id).order_by("role", "id")
    return [_process(row, cells.get(row.pk, 0), now - row.heartbeat_at.timestamp()) for row in rows]


def _process(row: EngineProcess, cells: int, silence_s: float) -> Process:
    return Process(
        id=row.pk,
        role=row.role,
        name=row.name,
        host=row.host,
        device=row.device,
        strategy=row.strategy,
        doing=row.state,
        depth=row.depth,
        cells=cells,
        heard_s=round(max(silence_s, 0.0), 1),
        alive=silence_s < SILENT_AFTER_SECONDS,
        stopped=row.state == "stopped",
        last_error=row.last_error,
    )


def _newest_answers(campaign_id: int, now: float) -> tuple[list[Person], dict[str, int]]:
    """Who gave the newest answers, and which strategies had asked for them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT person.pseudonym, query.strategy, extract(epoch FROM l.answered_at)::float8
               FROM (SELECT annotator_id, query_id, answered_at FROM pools_label
                     WHERE campaign_id = %s ORDER BY id DESC LIMIT %s) l
               JOIN pools_annotator person ON person.id = l.annotator_id
               JOIN pools_query query ON query.id = l.query_id""",
            [campaign_id, NEWEST_ANSWERS],
        )
        rows = cursor.fetchall()
    counts = Counter(name for name, _, _ in rows)
    last: dict[str, float] = {}
    for name, _, answered_at in rows:
        last[name] = max(last.get(name, 0.0), answered_at)
    people = [
        Person(name=name, answers=counts[name], last_s=round(max(now - at, 0.0), 1))
        for name, at in sorted(last.items(), key=lambda item: -item[1])[:PEOPLE_SHOWN]
    ]
    return people, dict(Counter(strategy for _, strategy, _ in rows).most_common())


def _asking(campaign_id: int) -> list[Asked]:
    """Images in people's buffers, those leased last first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT a.id, image.id, image.name, coalesce(image.display_key, image.key),
                      image.width, image.height,
                      query.strategy, query.score, query.purpose, person.pseudonym
               FROM (SELECT id, image_id, query_id, annotator_id, lease_expires
                     FROM pools_turn
                     WHERE campaign_id = %s AND state = 'leased' AND lease_expires IS NOT NULL
                     ORDER BY lease_expires DESC LIMIT %s) a
               JOIN pools_image image ON image.id = a.image_id
               JOIN pools_query query ON query.id = a.query_id
               LEFT JOIN pools_annotator person ON person.id = a.annotator_id
               ORDER BY a.lease_expires DESC""",
            [campaign_id, GALLERY_IMAGES],
        )
        rows = cursor.fetchall()
    return [
        Asked(
            turn=turn, image=image, name=name, url=image_url(key), width=width, height=height,
            strategy=strategy, score=score, purpose=purpose, person=person or "",
        )
        for turn, image, name, key, width, height, strategy, score, purpose, person in rows
    ]  # fmt: skip
