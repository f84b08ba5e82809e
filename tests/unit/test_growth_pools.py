"""The order in which the growth benchmark asks its images, and the page that it writes."""

from typing import Any

import pytest

from benchmarks.growth import speed
from benchmarks.large.desk import Took
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
    def times(p99: float) -> dict[str, list[Took]]:
        quick, slow = Took(0.001, 0.002), Took(p99, 2 * p99)
        return {"64": [quick] * 98 + [slow] * 2, "1": [quick] * 100}

    known: dict[str, Any] = {
        "sizes": [5_000, 2_000],
        "before": [{"small": times(0.010), "large": times(0.012)}],
        "after": [{"small": times(0.020), "large": times(0.030)}] * 2,
    }
    rows = speed(known, labels=700).splitlines()
    image, disk = "64 | until the next image goes out", "64 | until the answer is on disk"
    assert [row for row in rows if "| 64 |" in row] == [
        f"| 10,000 images, 1,000 queries | {image} | 1.0 | 10.0 | 10.0 | 1.00 |",
        f"| 5,000 images, 2,000 queries | {image} | 1.0 | 12.0 | 12.0 | 1.20 |",
        f"| the small ones again | {image} | 1.0 | 20.0 | 20.0 | 1.00 |",
        f"| the large ones after 700 labels | {image} | 1.0 | 30.0 | 30.0 | 1.50 |",
        f"| 10,000 images, 1,000 queries | {disk} | 2.0 | 20.0 | 20.0 | 1.00 |",
        f"| 5,000 images, 2,000 queries | {disk} | 2.0 | 24.0 | 24.0 | 1.20 |",
        f"| the small ones again | {disk} | 2.0 | 40.0 | 40.0 | 1.00 |",
        f"| the large ones after 700 labels | {disk} | 2.0 | 60.0 | 60.0 | 1.50 |",
    ]
