"""The histogram of waits: what is read from it is never too low, and adding loses nothing."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_engine.pools import waits
from al_engine.pools.waits import BUCKETS

a_wait = st.floats(0, 170_000, allow_nan=False)


def histogram_of(times_ms: list[float]) -> list[int]:
    """As a desk counts."""
    counts = [0] * BUCKETS
    for wait in times_ms:
        counts[waits.bucket_of(wait)] += 1
    return counts


def test_the_buckets_reach_from_a_tenth_of_a_millisecond_to_about_three_minutes() -> None:
    bounds = waits.bounds()
    assert len(bounds) == BUCKETS
    assert bounds[0] == 0.1
    assert 170_000 < bounds[-1] < 190_000
    assert bounds == sorted(bounds)


@pytest.mark.parametrize(
    ("wait", "bucket"), [(0.0, 0), (-1.0, 0), (0.1, 0), (0.1001, 1), (1e9, BUCKETS - 1)]
)
def test_a_wait_is_in_the_first_bucket_that_holds_it(wait: float, bucket: int) -> None:
    assert waits.bucket_of(wait) == bucket


@settings(deadline=None)
@given(a_wait)
def test_a_bucket_is_at_most_nineteen_per_cent_too_high_and_never_too_low(wait: float) -> None:
    bounds = waits.bounds()
    bucket = waits.bucket_of(wait)
    assert wait <= bounds[bucket]
    if bucket:
        assert wait > bounds[bucket - 1]
        assert bounds[bucket] <= wait * 1.19


@settings(deadline=None)
@given(st.lists(st.lists(a_wait, max_size=20), max_size=6))
def test_histograms_of_many_processes_add_up_to_that_of_one(lots: list[list[float]]) -> None:
    together = histogram_of([wait for lot in lots for wait in lot])
    assert waits.add(map(histogram_of, lots)) == together


def test_nothing_adds_up_to_nothing() -> None:
    assert waits.add([]) == [0] * BUCKETS


def test_without_waits_there_is_no_percentile() -> None:
    assert waits.percentile([0] * BUCKETS, 0.5) is None
    assert waits.percentile([], 0.99) is None


def test_who_did_not_wait_waited_nothing() -> None:
    assert waits.percentile(histogram_of([0.0] * 99 + [50.0]), 0.99) == 0.0
    assert waits.percentile(histogram_of([0.0] * 98 + [50.0] * 2), 0.99) == pytest.approx(51.2)


def test_the_last_bucket_reads_as_its_bound() -> None:
    assert waits.percentile(histogram_of([1e9]), 0.5) == waits.bounds()[-1]


@settings(deadline=None)
@given(st.lists(a_wait, min_size=1, max_size=200), st.floats(0, 1))
def test_a_percentile_is_that_of_the_waits_within_the_width_of_a_bucket(
    times_ms: list[float], share: float
) -> None:
    read = waits.percentile(histogram_of(times_ms), share)
    true = sorted(times_ms)[max(1, math.ceil(share * len(times_ms) - 1e-6)) - 1]
    assert read is not None
    assert read >= true or (read == 0 and true <= 0.1)
    assert read <= true * 1.19 or true <= 0.1


@settings(deadline=None)
@given(st.lists(a_wait, min_size=1, max_size=50))
def test_percentiles_grow_with_their_share(times_ms: list[float]) -> None:
    counts = histogram_of(times_ms)
    read = [waits.percentile(counts, share) for share in (0.0, 0.25, 0.5, 0.9, 0.99, 1.0)]
    values = [value for value in read if value is not None]
    assert len(values) == len(read)
    assert values == sorted(values)
