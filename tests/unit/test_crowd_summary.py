"""What simulated annotators measured is told truthfully."""

import orjson
import pytest

from annotator_site.simulation.crew import Permits
from annotator_site.simulation.summary import Accuracy, Tally, percentile, summarize

NO_MODEL = Accuracy(first=None, last=None, versions=0)


def a_run() -> Tally:
    """Four labels in two seconds; waits of none, none, 30 ms in the first second, 50 ms later."""
    tally = Tally()
    tally.connect(now=100.0)
    tally.connect(now=100.2)
    for sent, took in ((100.5, 0.001), (100.6, 0.002), (101.2, 0.003), (101.9, 0.1)):
        tally.acknowledge(sent=sent, now=sent + took, is_label=True)
    tally.no_wait()
    tally.no_wait()
    tally.wait(since=100.5, now=100.53)
    tally.wait(since=101.2, now=101.25)
    return tally


def test_rates_and_times_are_those_of_the_run() -> None:
    summary = summarize(a_run(), accuracy=NO_MODEL)
    assert (summary.labels, summary.seconds, summary.labels_per_second) == (4, 2.0, 2.0)
    assert summary.ack_ms == {"p50": 2.0, "p99": 100.0}
    assert summary.wait_ms == {"p50": 0.0, "p99": 50.0, "max": 50.0}


def test_an_empty_buffer_counts_apart_after_the_first_second() -> None:
    summary = summarize(a_run(), accuracy=NO_MODEL)
    assert (summary.dry, summary.dry_after_first_second) == (2, 1)


def test_skips_are_acknowledged_but_are_no_labels() -> None:
    tally = a_run()
    tally.acknowledge(sent=102.0, now=102.1, is_label=False)
    summary = summarize(tally, accuracy=NO_MODEL)
    assert (summary.labels, summary.skips) == (4, 1)


def test_a_run_without_a_connection_has_no_figures_and_no_errors() -> None:
    summary = summarize(Tally(), accuracy=NO_MODEL)
    assert (summary.labels, summary.seconds, summary.labels_per_second) == (0, 0.0, 0.0)
    assert summary.wait_ms == {"p50": None, "p99": None, "max": None}
    assert "unknown" in summary.as_text()


@pytest.mark.parametrize(
    ("count", "share", "rank"), [(1, 0.5, 1), (2, 0.5, 1), (3, 0.5, 2), (100, 0.99, 99),
                                 (101, 0.99, 100), (100, 0.07, 7), (10, 1.0, 10)],
)  # fmt: skip
def test_a_percentile_is_a_value_that_was_measured(count: int, share: float, rank: int) -> None:
    values = [float(place) for place in range(count, 0, -1)]
    assert percentile(values, share) == rank


def test_the_json_has_the_keys_that_programs_read() -> None:
    tally = a_run()
    tally.nacks["too_late"] += 2
    tally.reconnects = 3
    accuracy = Accuracy(first=0.5, last=0.75, versions=4)
    told = orjson.loads(orjson.dumps(summarize(tally, accuracy=accuracy).as_json()))
    assert told["nacks"] == {"too_late": 2}
    assert told["accuracy"] == {"first": 0.5, "last": 0.75, "versions": 4}
    assert set(told) >= {
        "labels", "seconds", "labels_per_second", "ack_ms", "wait_ms", "dry",
        "dry_after_first_second", "nacks", "reconnects", "accuracy",
    }  # fmt: skip


def test_people_read_the_same_figures() -> None:
    tally = a_run()
    tally.nacks["too_late"] += 2
    text = summarize(tally, accuracy=Accuracy(first=0.5, last=0.75, versions=4)).as_text()
    for words in ("4 in 2.0 s", "p99 50.0 ms", "50.0% at first, 75.0% at last", "too_late 2"):
        assert words in text, text


def test_no_more_labels_are_permitted_than_were_asked_for() -> None:
    permits = Permits(2)
    assert [permits.take(), permits.take(), permits.take()] == [True, True, False]
    permits.give_back()
    assert [permits.take(), permits.take()] == [True, False]
