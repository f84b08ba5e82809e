"""Accuracy against random: tables, crossings and what is said of the paper's Figure 2."""

from collections.abc import Mapping, Sequence

import pytest
from made_up import THREE, experiment, figures_of, run, setting, text_of

from al_lab.report.figure_choice import Part
from al_lab.report.layout import lay_out
from al_lab.report.measures import (
    differences_along,
    late,
    late_height,
    mean_height,
    newest_height,
)
from al_lab.report.sections.curves import crossing_words, report_curves
from al_lab.results import Run

RANDOM = (0.50, 0.60, 0.70, 0.75, 0.80)


def those(accuracies: Mapping[str, Sequence[float]], *, spread: float = 0.001) -> list[Run]:
    """Three runs of each arm, shifted by what a seed adds and by a little noise of their own."""
    found = []
    for number, (arm, accuracy) in enumerate(accuracies.items()):
        strategies = THREE if arm == "AAL" else [arm]
        for seed, shift in enumerate((-0.02, 0.0, 0.02)):
            noise = spread * ((seed * (number + 1)) % 3 - 1)
            shown = [a + shift + (noise if n else 0) for n, a in enumerate(accuracy)]
            found.append(run(setting(arm, strategies), seed, shown))
    return found


def section(runs: Sequence[Run]) -> str:
    return text_of(parts(runs))


def parts(runs: Sequence[Run]) -> list[Part]:
    settings = list(dict.fromkeys(run.setting for run in runs))
    return report_curves(lay_out(settings, runs), experiment(settings))


def above(*gains: float) -> list[float]:
    return [height + gain for height, gain in zip(RANDOM, gains, strict=True)]


def test_the_second_half_begins_at_half_of_the_labels() -> None:
    assert late([100, 200, 300, 400, 500]) == [300, 400, 500]
    assert late([100, 500]) == [100, 500]


def test_heights_are_means_of_curves() -> None:
    made = run(setting("margin"), 0, (0.2, 0.4, 0.6, 0.8, 1.0))
    assert mean_height(made) == pytest.approx(0.6)
    assert late_height(made) == pytest.approx(0.8)
    # g* is known from the second evaluation on: 0.2, 0.4, 0.6, 0.8.
    assert newest_height(made) == pytest.approx(0.5)


def test_a_row_has_means_differences_and_where_it_crosses() -> None:
    runs = those({"random": RANDOM, "margin": above(0, -0.02, 0.02, 0.03, 0.02)}, spread=0)
    text = section(runs)
    # Gains 0, -2, 2, 3, 2 points: their mean height is (-1 + 0 + 2.5 + 2.5) / 4.
    assert (
        "| margin | 68.5 ± 5.0 | 82.0 ± 5.0 | **+1.00 ± 0.00** | **+2.50 ± 0.00** | 3 of 3 "
        "| below, above from 250 |" in text
    )


def test_all_above_random_is_what_the_paper_shows() -> None:
    runs = those(
        {
            "random": RANDOM,
            "margin": above(0, 0, 0.02, 0.03, 0.03),
            "AAL": above(0, 0, 0.02, 0.02, 0.03),
        }
    )
    text = section(runs)
    assert "2 of 2 curves lie above random's on average, 2 beyond the interval" in text
    assert "**The figure shows what the paper's Figure 2 shows" in text
    assert "on Fashion-MNIST (margin)" in text
    assert figures_of(parts(runs)) == ["accuracy", "above_random", "clock"]


def test_a_strategy_below_random_is_named() -> None:
    runs = those(
        {
            "random": RANDOM,
            "entropy": above(0, -0.02, -0.02, -0.02, -0.02),
            "margin": above(0, 0, 0.02, 0.03, 0.03),
        }
    )
    text = section(runs)
    assert "does not show all that the paper's Figure 2 shows" in text
    assert "not above it lies entropy on Fashion-MNIST" in text
    assert "| below throughout |" in text


def test_what_chance_can_explain_is_not_called_shown() -> None:
    runs = those({"random": RANDOM, "margin": above(0, 0.002, 0.002, 0.002, 0.002)}, spread=0.01)
    assert "not every difference is larger than chance makes it" in section(runs)


def test_without_random_nothing_is_said_of_the_figure() -> None:
    runs = those({"margin": RANDOM})
    text = section(runs)
    assert "nothing is said of the paper's figure" in text
    assert figures_of(parts(runs)) == ["accuracy", "clock"]


def test_a_single_run_has_no_intervals() -> None:
    runs = those({"random": RANDOM, "margin": above(0, 0, 0.08, 0.08, 0.08)}, spread=0)
    text = section([each for each in runs if each.seed == 1])
    # The gains' mean height is (0 + 4 + 8 + 8) / 4.
    assert "| margin | 72.5 | 88.0 | +5.00 | +8.00 | 0 of 3 |" in text


def test_curves_that_are_the_same_do_not_cross() -> None:
    runs = those({"random": RANDOM, "margin": RANDOM}, spread=0)
    found = lay_out([run.setting for run in runs[::3]], runs).cells
    assert crossing_words(found[1], found[0]) == "the same throughout"
    assert [each.mean for _, each in differences_along(found[1], found[0])] == pytest.approx(
        [0] * 5
    )


def test_it_is_said_how_many_labels_reach_what_random_ends_with() -> None:
    gains = {"random": RANDOM, "margin": above(0, 0, 0.08, 0.08, 0.08), "entropy": RANDOM}
    rows = [line for line in section(those(gains, spread=0)).splitlines() if "labels |" in line]
    assert len(rows) == 2
    # Between 78 % and 83 %, and at the end.
    assert rows[0].startswith("| margin")
    assert rows[0].endswith("| 340 labels |")
    assert rows[1].startswith("| entropy")
    assert rows[1].endswith("| 500 labels |")


def test_places_of_the_same_data_are_averaged_seed_by_seed() -> None:
    found = []
    for size, gains in ((50, (0.01, 0.02, 0.03)), (250, (-0.01, 0.0, -0.01))):
        for seed, gain in enumerate(gains):
            found.append(run(setting("random", ["random"], batch_size=size), seed, RANDOM))
            heights = [height + gain for height in RANDOM]
            found.append(run(setting("AAL", THREE, batch_size=size), seed, heights))
            found.append(run(setting("margin", batch_size=size), seed, RANDOM))
    text = section(found)
    # By seed 0, 0.01 and 0.01: mean 1/150, s = 0.00577, 4.303 s / sqrt(3) = 0.01434.
    assert "| AAL | +0.67 ± 1.43 | 2 | 1 | 0 | 0 |" in text
    assert "known only in hindsight: +0.67 ± 1.43 on Fashion-MNIST (margin)." in text
    assert "not above it lie AAL on Fashion-MNIST at 1 of 2 and margin" in text
