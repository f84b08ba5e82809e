"""The order in which the growth benchmark asks its images, and the page that it writes."""

from typing import Any

import pytest

from benchmarks.growth import speed
from benchmarks.large.pools import Size


@pytest.mark.parametrize("images", [1_000, 7_368_787, 10_000_000])
def test_what_is_in_s_from_the_start_is_what_is_asked_first(images: int) -> None:
    size = Size("any", images, 100)
    first = [size.position(nth) for nth in range(size.queries)]
    assert [position * size.inverse % images for position in first] == list(range(size.queries))


def test_every_image_is_asked_once() -> None:
    size = Size("any", 1_000, 100)
    assert sorted(size.position(nth) for nth in range(size.images)) == list(range(size.images))


def test_the_page_compares_each_p99_with_that_of_the_small_pools_of_the_same_time() -> None:
    def times(p99: float) -> dict[str, list[float]]:
        return {"64": [0.001] * 98 + [p99, p99], "1": [0.001] * 100}

    known: dict[str, Any] = {
        "sizes": [5_000, 2_000],
        "before": [{"small": times(0.010), "large": times(0.012)}],
        "after": [{"small": times(0.020), "large": times(0.030)}] * 2,
    }
    rows = speed(known, labels=700).splitlines()
    assert rows[2:6] == [
        "| 10,000 images, 1,000 queries | 64 | 1.0 | 10.0 | 10.0 | 1.00 |",
        "| 5,000 images, 2,000 queries | 64 | 1.0 | 12.0 | 12.0 | 1.20 |",
        "| the small ones again | 64 | 1.0 | 20.0 | 20.0 | 1.00 |",
        "| the large ones after 700 labels | 64 | 1.0 | 30.0 | 30.0 | 1.50 |",
    ]
