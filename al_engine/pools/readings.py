"""The present state of a campaign, read in one place for everything that shows it.

Cheap at any size of D and L: the pools' sizes come from their counters, rates and waits from the
samples of the last minutes, staleness and people from the newest labels. Reads only; formatting is
left to the callers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final, TypedDict

from django.db import connection
from django.db.models import Count, QuerySet
from django.utils import timezone

from al_engine.decisions.architecture import AUTO, misfit
from al_engine.pools import excluded, images, processes, sizes, storage, waits
from al_engine.pools.models import Campaign, Cell, EngineProcess, ModelVersion, Sample
from al_engine.pools.sizes import Sizes

WINDOW: Final = timedelta(minutes=5)
"""Rates and waits are measured over this long until now."""
STALENESS_LABELS: Final = 1_000
MAX_FINDINGS_COUNTED: Final = 1_000
"""Images set aside and pictures not shown are counted up to this number."""
_SHORTEST_MINUTES: Final = 1 / 12
"""Rates are never taken over less than one sample (5 s)."""
CONNECTED_WITHIN_SECONDS: Final = 15
"""Samples older than this do not count; a web process writes one every 5 s."""


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
    """Labels of L that the model behind a query had not seen, over STALENESS_LABELS labels."""

    mean: float | None
    p99: float | None


class Network(TypedDict):
    """What is trained and at which image size (px; 0 and empty until there are images), and why.

    `architecture` is the first of `architectures`. `automatic`: whether either was chosen by the
    engine. `problem`: what does not fit the images, empty if all does.
    """

    architecture: str
    architectures: list[str]
    image_size: int
    automatic: bool
    because: str
    problem: str


class Storage(TypedDict):
    """Whether the campaign's files can be read, and if not, why; and faults of single files.

    `set_aside` counts the images with faulty files, `unshown` the skips of images in S whose
    picture did not show.
    """

    there: bool
    problem: str | None
    set_aside: int
    unshown: int


@dataclass(frozen=True, slots=True)
class Activity:
    """The pools' sizes, and what happens in the pools."""

    sizes: Sizes
    open_queries: int
    target_depth: int
    rates: Rates
    waits_ms: Waits
    staleness: Staleness
    storage: Storage


@dataclass(frozen=True, slots=True)
class Moment:
    """The database's time (seconds since 1970), people connected, and labels of the last minute."""

    now: float
    connected: int
    labels_last_minute: int


@dataclass(frozen=True, slots=True)
class NewestAnswer:
    """A recent answer: who gave it, the strategy of its query, when (seconds since 1970)."""

    pseudonym: str
    strategy: str
    answered_at: float


@dataclass(frozen=True, slots=True)
class Held:
    """An image in an annotator's buffer.

    `key`, `width` and `height` (pixels) are of the file that is shown.
    """

    turn_id: int
    image_id: int
    name: str
    key: str
    width: int
    height: int
    strategy: str
    score: float | None
    purpose: str
    pseudonym: str | None


def read_activity(campaign: Campaign) -> Activity:
    """The sizes of a campaign's pools, and what people and engine did within the window."""
    since = timezone.now() - WINDOW
    samples = list(
        Sample.objects.filter(campaign=campaign, taken_at__gt=since).values_list(
            "taken_at", "seconds", "answers", "dry", "waits"
        )
    )
    return Activity(
        sizes=sizes.sizes(campaign_id=campaign.pk),
        open_queries=sizes.open_depth(campaign_id=campaign.pk),
        target_depth=processes.target_depth(campaign_id=campaign.pk),
        rates=_rates(campaign, since, [sample[:3] for sample in samples]),
        waits_ms=_waits([sample[3] for sample in samples], [sample[4] for sample in samples]),
        staleness=_staleness(campaign),
        storage=_storage(campaign),
    )


def read_network(campaign: Campaign) -> Network:
    """The networks of a campaign, and whether they fit the images."""
    names, side = campaign.model_architectures, campaign.model_image_size
    problem = ""
    if campaign.is_settled and (sides := images.longer_sides(campaign_id=campaign.pk)):
        found = (misfit(name, side, round(median(sides))) for name in names)
        problem = next(filter(None, found), "")
    return {
        "architecture": names[0],
        "architectures": list(filter(None, names)),
        "image_size": side,
        "automatic": AUTO in campaign.architectures or not campaign.image_size,
        "because": campaign.chosen_because,
        "problem": problem,
    }


def read_moment(*, campaign_id: int) -> Moment:
    """People connected and labels of the last minute, from the samples of all web processes."""
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
    return Moment(float(now), int(connected), int(last_minute))


def read_versions(*, campaign_id: int) -> QuerySet[ModelVersion]:
    """Published versions with their servers, newest first."""
    rows = ModelVersion.objects.filter(campaign_id=campaign_id).select_related("server")
    return rows.order_by("-version")


def read_processes(*, campaign_id: int) -> list[tuple[EngineProcess, int]]:
    """Servers and workers as they last reported, and how many cells each holds."""
    cells = dict(
        Cell.objects.filter(campaign_id=campaign_id, worker__isnull=False)
        .order_by()
        .values_list("worker_id")
        .annotate(held=Count("id"))
    )
    rows = EngineProcess.objects.filter(campaign_id=campaign_id).order_by("role", "id")
    return [(row, cells.get(row.pk, 0)) for row in rows]


def read_newest_answers(*, campaign_id: int, limit: int) -> list[NewestAnswer]:
    """The newest answers, including retracted ones."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT person.pseudonym, query.strategy, extract(epoch FROM l.answered_at)::float8
               FROM (SELECT annotator_id, query_id, answered_at FROM pools_label
                     WHERE campaign_id = %s ORDER BY id DESC LIMIT %s) l
               JOIN pools_annotator person ON person.id = l.annotator_id
               JOIN pools_query query ON query.id = l.query_id""",
            [campaign_id, limit],
        )
        return [NewestAnswer(*row) for row in cursor.fetchall()]


def read_held(*, campaign_id: int, limit: int) -> list[Held]:
    """Images in annotators' buffers, in the order of the ends of their leases, latest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT a.id, image.id, image.name, coalesce(image.display_key, image.key),
                      coalesce(image.display_width, image.width),
                      coalesce(image.display_height, image.height),
                      query.strategy, query.score, query.purpose, person.pseudonym
               FROM (SELECT id, image_id, query_id, annotator_id, lease_expires
                     FROM pools_turn
                     WHERE campaign_id = %s AND state = 'leased' AND lease_expires IS NOT NULL
                     ORDER BY lease_expires DESC LIMIT %s) a
               JOIN pools_image image ON image.id = a.image_id
               JOIN pools_query query ON query.id = a.query_id
               LEFT JOIN pools_annotator person ON person.id = a.annotator_id
               ORDER BY a.lease_expires DESC""",
            [campaign_id, limit],
        )
        return [Held(*row) for row in cursor.fetchall()]


def _rates(
    campaign: Campaign, since: datetime, samples: Sequence[tuple[datetime, float, int]]
) -> Rates:
    """Rates from samples (end, seconds, answers), of several web processes at the same time."""
    now = since + WINDOW
    # Measured from the first sample on, if it began within the window.
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
