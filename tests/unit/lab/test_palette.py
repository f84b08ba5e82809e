"""Colours, and names beside lines."""

import pytest

from al_lab.report.palette import COLOURS, few, spread


def test_names_at_the_ends_of_lines_keep_their_distance_and_order() -> None:
    assert spread([10, 100, 104, 11], 10) == pytest.approx([5.5, 97, 107, 15.5])
    assert spread([50, 10], 10) == [50, 10]


def test_a_few_colours_differ_and_all_of_them_are_used_before_one_repeats() -> None:
    assert len(set(few(12))) == 12 == len(COLOURS)
    assert few(13)[12] == few(1)[0]
