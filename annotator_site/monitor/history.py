"""A campaign's history, read once when a page is opened, at a bounded cost."""

from collections import Counter, deque
from typing import Final

from al_engine.pools import history, waits
from annotator_site.monitor.selectors import as_version
from annotator_site.monitor.values import History, Point

BUCKET_SECONDS: Final = 15
HOUR_SECONDS: Final = 3600
WAITS_SECONDS: Final = 300
RATE_SECONDS: Final = 60

MAX_VERSIONS: Final = 600
ALWAYS_VERSIONS: Final = 50
"""Number of newest versions that are always drawn; of older ones every k-th if there are many."""


def read_history(campaign_id: int) -> History:
    """Samples of the last hour; versions and staleness of the whole campaign, thinned out."""
    versions, published = history.read_versions_thinned(
        campaign_id=campaign_id, at_most=MAX_VERSIONS, newest=ALWAYS_VERSIONS
    )
    return History(
        bucket_s=BUCKET_SECONDS,
        points=_points(campaign_id),
        staleness=history.read_staleness(campaign_id=campaign_id),
        versions=[as_version(row) for row in versions],
        versions_published=published,
    )


def _points(campaign_id: int) -> list[Point]:
    """Samples of all web processes in buckets of BUCKET_SECONDS.

    Rates cover the last RATE_SECONDS before a point, waits the last WAITS_SECONDS.
    """
    buckets = history.read_buckets(
        campaign_id=campaign_id,
        bucket_seconds=BUCKET_SECONDS,
        span_seconds=HOUR_SECONDS + WAITS_SECONDS,
    )
    answers: deque[tuple[int, int]] = deque()
    waited: deque[tuple[int, Counter[int]]] = deque()
    points = []
    for each in buckets:
        answers.append((each.number, each.answers))
        waited.append((each.number, each.waits))
        while answers[0][0] <= each.number - RATE_SECONDS // BUCKET_SECONDS:
            answers.popleft()
        while waited[0][0] <= each.number - WAITS_SECONDS // BUCKET_SECONDS:
            waited.popleft()
        points.append(
            Point(
                t=(each.number + 1) * BUCKET_SECONDS,
                labeled=each.labeled,
                labels_per_minute=sum(count for _, count in answers) * 60 / RATE_SECONDS,
                open_queries=each.open_queries,
                target_depth=each.target_depth,
                wait_p99_ms=_p99([histogram for _, histogram in waited]),
                staleness=None,
            )
        )
    return points[-HOUR_SECONDS // BUCKET_SECONDS :]


def _p99(histograms: list[Counter[int]]) -> float | None:
    total = [0] * waits.BUCKETS
    for histogram in histograms:
        for place, count in histogram.items():
            total[place] += count
    return waits.percentile(total, 0.99)
