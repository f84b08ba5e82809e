"""Numbers and tables as the report writes them."""

from math import inf, nan

import pytest

from al_lab.report import markdown
from al_lab.report.statistics import Interval


def test_a_table_has_a_line_below_its_header() -> None:
    assert markdown.table(["arm", "%"], [["margin", "80"]]).splitlines() == [
        "| arm | % |",
        "|---|---:|",
        "| margin | 80 |",
    ]


def test_numbers_have_sensible_digits_and_their_intervals() -> None:
    assert markdown.percent(Interval(0.8312, 0.0041)) == "83.1 ± 0.4"
    assert markdown.percent(Interval(0.8312, inf)) == "83.1"
    assert markdown.share(Interval(0.8312, 0.0041)) == "0.831 ± 0.004"
    assert markdown.points(Interval(0.0031, 0.0042)) == "+0.31 ± 0.42"
    assert markdown.points(Interval(-0.0061, 0.0042)) == "**-0.61 ± 0.42**"
    assert markdown.points(Interval(0.0031, inf)) == "+0.31"
    assert markdown.points(Interval(-0.00001, 0.0042)) == "+0.00 ± 0.42"
    assert markdown.points(None) == "–"
    assert markdown.p_value(0.049) == "0.05"
    assert markdown.p_value(0.0004) == "< 0.01"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.01234, "0.0123 s"),
        (119, "119 s"),
        (150, "2.5 min"),
        (7_300, "2.03 h"),
        (nan, "–"),
    ],
)
def test_times_are_told_in_the_unit_that_suits_them(seconds: float, words: str) -> None:
    assert markdown.seconds(seconds) == words


def test_a_time_with_its_interval_has_the_digits_of_the_time() -> None:
    assert markdown.spread_seconds(Interval(12.345, 0.678)) == "12.3 ± 0.7 s"
    assert markdown.spread_seconds(Interval(12.345, inf)) == "12.3 s"
    assert markdown.spread_seconds(Interval(0.0, 0.0)) == "0 s"


def test_lists_and_counts_are_sentences() -> None:
    assert markdown.listed([]) == ""
    assert markdown.listed(["a", "b", "c"]) == "a, b and c"
    assert markdown.counted(1, "seed") == "1 seed"
    assert markdown.counted(1_200, "run") == "1,200 runs"
