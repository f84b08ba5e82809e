"""Colors, and names beside lines."""

import pytest

from al_lab.report.palette import COLORS, pick_colors, space_out


def test_names_at_the_ends_of_lines_keep_their_distance_and_order() -> None:
    assert space_out([10, 100, 104, 11], 10) == pytest.approx([5.5, 97, 107, 15.5])
    assert space_out([50, 10], 10) == [50, 10]


def test_a_few_colors_differ_and_all_of_them_are_used_before_one_repeats() -> None:
    assert len(set(pick_colors(12))) == 12 == len(COLORS)
    assert pick_colors(13)[12] == pick_colors(1)[0]
