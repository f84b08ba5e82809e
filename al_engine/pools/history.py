"""A campaign's past, for everything that shows it: at a bounded cost, however long it ran.

The present is in `readings.py`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import F, IntegerField, Q, QuerySet, Value
from django.db.models.functions import Mod

from al_engine.pools import readings
from al_engine.pools.models import ModelVersion

PROBES: Final = 120
LABELS_A_PROBE: Final = 25


@dataclass(frozen=True, slots=True)
class Bucket:
    """The samples of all web processes in a bucket of time: `number` counts them from 1970.

    `answers` and `waits`, a histogram as in `waits.py` without empty places, are of this bucket;
    the sizes are the newest ones in it.
    """

    number: int
    answers: int
    waits: Counter[int]
    labeled: int
    open_queries: int
    target_depth: int


def read_buckets(*, campaign_id: int, bucket_seconds: int, span_seconds: int) -> list[Bucket]:
    """The samples of the last `span_seconds` in buckets, oldest first; none without samples."""
    span = {"bucket": bucket_seconds, "campaign": campaign_id, "span": span_seconds}
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT floor(extract(epoch FROM taken_at) / %(bucket)s)::bigint, place, sum(n)
               FROM pools_sample, unnest(waits) WITH ORDINALITY AS wait(n, place)
               WHERE campaign_id = %(campaign)s AND n > 0
                 AND taken_at > now() - make_interval(secs => %(span)s)
               GROUP BY 1, 2""",
            span,
        )
        histograms: dict[int, Counter[int]] = {}
        for number, place, count in cursor.fetchall():
            histograms.setdefault(number, Counter())[place - 1] = count
        cursor.execute(
            """SELECT floor(extract(epoch FROM taken_at) / %(bucket)s)::bigint,
                      sum(answers), (array_agg(labeled ORDER BY taken_at DESC))[1],
                      (array_agg(open_queries ORDER BY taken_at DESC))[1],
                      (array_agg(target_depth ORDER BY taken_at DESC))[1]
               FROM pools_sample
               WHERE campaign_id = %(campaign)s
                 AND taken_at > now() - make_interval(secs => %(span)s)
               GROUP BY 1 ORDER BY 1""",
            span,
        )
        return [
            Bucket(number, answers, histograms.get(number, Counter()), *sizes)
            for number, answers, *sizes in cursor.fetchall()
        ]


def read_versions_thinned(
    *, campaign_id: int, at_most: int, newest: int
) -> tuple[QuerySet[ModelVersion], int]:
    """Versions with their servers, oldest first, and the number of the newest one.

    If there are more than `at_most`, every k-th, and the `newest` ones all.
    """
    rows = readings.read_versions(campaign_id=campaign_id)
    last = rows.values_list("version", flat=True).first() or 0
    step = -(-last // at_most)
    if step > 1:
        rows = rows.alias(place=Mod(F("version"), Value(step), output_field=IntegerField()))
        rows = rows.filter(Q(place=0) | Q(version__gt=last - newest))
    return rows.order_by("version"), last


def read_staleness(*, campaign_id: int) -> list[tuple[float, float]]:
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
