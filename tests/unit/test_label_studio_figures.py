"""What the comparison with Label Studio makes of what its people saw."""

from math import isnan

from benchmarks.figures import percentile
from benchmarks.peers.label_studio_install import megabytes_fetched
from benchmarks.peers.label_studio_people import Seen, figures


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    ordered = [float(n) for n in range(1, 201)]
    assert percentile(ordered, 50) == 100.0
    assert percentile(ordered, 99) == 198.0
    assert percentile(ordered, 100) == 200.0
    assert percentile([7.0], 1) == 7.0
    assert isnan(percentile([], 99))


def test_only_what_ends_in_the_measured_time_counts() -> None:
    first = Seen(stored_at=[4.9, 5.0, 6.0], next_at=[(4.99, 9.0), (5.5, 0.2)], errors_at=[4.0])
    second = Seen(stored_at=[9.99, 10.0], next_at=[(9.0, 0.4), (10.0, 9.0)], errors_at=[7.0])
    found = figures([first, second], begin=5.0, end=10.0)
    assert (found.people, found.labels, found.errors) == (2, 3, 1)
    assert found.labels_per_second == 3 / 5
    assert (found.next_p50_ms, found.next_p99_ms, found.next_max_ms) == (200.0, 400.0, 400.0)


def test_what_pip_fetched_is_added_up_whatever_the_unit() -> None:
    told = (
        "Collecting label-studio==1.2.3\n"
        "  Downloading label_studio-1.2.3-py3-none-any.whl (60.5 MB)\n"
        "  Using cached attr-0.3.1.tar.gz (500 kB)\n"
        "     ━━━━━━━━ 60.5/60.5 MB 9.1 MB/s eta 0:00:00\n"
    )
    assert megabytes_fetched(told) == 61.0
