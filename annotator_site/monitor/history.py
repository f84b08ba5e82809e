"""A campaign's history, read once when a page is opened, at a bounded cost."""

from collections import Counter, deque
from typing import Final

from django.db import connection
from django.db.models import F, IntegerField, Q, Value
from django.db.models.functions import Mod

from al_engine.pools import waits
from al_engine.pools.models import ModelVersion
from annotator_site.monitor.selectors import as_version
from annotator_site.monitor.values import History, Point, Version

BUCKET_SECONDS: Final = 15
HOUR_SECONDS: Final = 3600
WAITS_SECONDS: Final = 300
RATE_SECONDS: Final = 60

MAX_VERSIONS: Final = 600
ALWAYS_VERSIONS: Final = 50
"""Number of newest versions that are always drawn; of older ones every k-th if there are many."""

PROBES: Final = 120
LABELS_A_PROBE: Final = 25


def read_history(campaign_id: int) -> History:
    """Samples of the last hour; versions and staleness of the whole campaign, thinned out."""
    versions, published = _versions(campaign_id)
    return History(
        bucket_s=BUCKET_SECONDS,
        points=_points(campaign_id),
        staleness=_staleness(campaign_id),
        versions=versions,
        versions_published=published,
    )


def _points(campaign_id: int) -> list[Point]:
    """Samples of all web processes in buckets of BUCKET_SECONDS.

    Rates cover the last RATE_SECONDS before a point, waits the last WAITS_SECONDS.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT floor(extract(epoch FROM taken_at) / %(bucket)s)::bigint AS bucket,
                      sum(answers), (array_agg(labeled ORDER BY taken_at DESC))[1],
                      (array_agg(open_queries ORDER BY taken_at DESC))[1],
                      (array_agg(target_depth ORDER BY taken_at DESC))[1]
               FROM pools_sample
               WHERE campaign_id = %(campaign)s
                 AND taken_at > now() - make_interval(secs => %(span)s)
               GROUP BY 1 ORDER BY 1""",
            {
                "bucket": BUCKET_SECONDS,
                "campaign": campaign_id,
                "span": HOUR_SECONDS + WAITS_SECONDS,
            },
        )
        rows = cursor.fetchall()
    histograms = _histograms(campaign_id)
    answers: deque[tuple[int, int]] = deque()
    waited: deque[tuple[int, Counter[int]]] = deque()
    points = []
    for bucket, given, labeled, open_queries, target_depth in rows:
        answers.append((bucket, given))
        waited.append((bucket, histograms.get(bucket, Counter())))
        while answers[0][0] <= bucket - RATE_SECONDS // BUCKET_SECONDS:
            answers.popleft()
        while waited[0][0] <= bucket - WAITS_SECONDS // BUCKET_SECONDS:
            waited.popleft()
        points.append(
            Point(
                t=(bucket + 1) * BUCKET_SECONDS,
                labeled=labeled,
                labels_per_minute=sum(count for _, count in answers) * 60 / RATE_SECONDS,
                open_queries=open_queries,
                target_depth=target_depth,
                wait_p99_ms=_p99([histogram for _, histogram in waited]),
                staleness=None,
            )
        )
    return points[-HOUR_SECONDS // BUCKET_SECONDS :]


def _histograms(campaign_id: int) -> dict[int, Counter[int]]:
    """By time bucket: the histogram of waits, added up in the database, without empty places."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT floor(extract(epoch FROM taken_at) / %(bucket)s)::bigint, place, sum(n)
               FROM pools_sample, unnest(waits) WITH ORDINALITY AS wait(n, place)
               WHERE campaign_id = %(campaign)s AND n > 0
                 AND taken_at > now() - make_interval(secs => %(span)s)
               GROUP BY 1, 2""",
            {
                "bucket": BUCKET_SECONDS,
                "campaign": campaign_id,
                "span": HOUR_SECONDS + WAITS_SECONDS,
            },
        )
        found: dict[int, Counter[int]] = {}
        for bucket, place, count in cursor.fetchall():
            found.setdefault(bucket, Counter())[place - 1] = count
    return found


def _p99(histograms: list[Counter[int]]) -> float | None:
    total = [0] * waits.BUCKETS
    for histogram in histograms:
        for place, count in histogram.items():
            total[place] += count
    return waits.percentile(total, 0.99)


def _versions(campaign_id: int) -> tuple[list[Version], int]:
    rows = ModelVersion.objects.filter(campaign_id=campaign_id).select_related("server")
    newest = rows.order_by("-version").values_list("version", flat=True).first() or 0
    step = -(-newest // MAX_VERSIONS)
    if step > 1:
        rows = rows.alias(place=Mod(F("version"), Value(step), output_field=IntegerField()))
        rows = rows.filter(Q(place=0) | Q(version__gt=newest - ALWAYS_VERSIONS))
    return [as_version(row) for row in rows.order_by("version")], newest


def _staleness(campaign_id: int) -> list[tuple[float, float]]:
    """(time, mean staleness in labels) at PROBES ids spread evenly over all labels.

    Each probe reads LABELS_A_PROBE labels along the index.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH ends AS (
                   SELECT (SELECT id FROM pools_label WHERE campaign_id = %(campaign)s
                           ORDER BY id LIMIT 1) AS first,
                          (SELECT id FROM pools_label WHERE campaign_id = %(campaign)s
                           ORDER BY id DESC LIMIT 1) AS last)
               SELECT DISTINCT extract(epoch FROM max(found.answered_at))::float8,
                      avg(found.staleness)::float8
               FROM ends, generate_series(0, %(probes)s - 1) AS probe,
                    LATERAL (SELECT id, answered_at, staleness FROM pools_label
                             WHERE campaign_id = %(campaign)s
                               AND id >= ends.first
                                         + (ends.last - ends.first) * probe / %(probes)s
                             ORDER BY id LIMIT %(labels)s) found
               GROUP BY probe
               HAVING avg(found.staleness) IS NOT NULL
               ORDER BY 1""",
            {"campaign": campaign_id, "probes": PROBES, "labels": LABELS_A_PROBE},
        )
        return [(float(at), float(mean)) for at, mean in cursor.fetchall()]
