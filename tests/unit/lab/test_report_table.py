"""Servers by methods (Table 1), and one setting against another."""

from collections.abc import Sequence
from typing import Any

import pytest
from made_up import THREE, experiment, figures_of, run, setting, text_of

from al_lab.config.settings import Clock, People, Setting
from al_lab.report.layout import lay_out
from al_lab.report.sections.comparison import report_comparison
from al_lab.report.sections.servers import paper_numbers, report_servers
from al_lab.report.sections.servers_map import report_servers_map
from al_lab.results import Run

PAPER: dict[str, Any] = {
    "servers": [1, 2, 4],
    "table1": {"CIFAR-10": {"margin": [0.818, 0.834, 0.844], "AAL": [0.818, 0.833, 0.843]}},
}


def level(settings: Sequence[Setting], heights: Sequence[float]) -> list[Run]:
    """Level curves around these heights; the n-th of them scatters by 0.001 + 0.0001 n.

    So t-intervals of means reach to 2.484 times that, of differences of neighbors to 0.0002484.
    """
    return [
        run(of, seed, [height + (seed - 1) * (0.001 + 0.0001 * n)] * 5)
        for n, (of, height) in enumerate(zip(settings, heights, strict=True))
        for seed in range(3)
    ]


def servers(heights: Sequence[float]) -> str:
    settings = [setting("margin", data="cifar10.npz", servers=count) for count in (1, 2, 4)]
    settings += [setting("AAL", THREE, data="cifar10.npz", servers=count) for count in (1, 2, 4)]
    runs = level(settings, heights)
    parts = report_servers(lay_out(settings, runs), experiment(settings, "table", **PAPER))
    assert figures_of(parts) == ["servers"]
    return text_of(parts)


def compared(settings: Sequence[Setting], runs: Sequence[Run], key: str = "") -> str:
    return text_of(report_comparison(lay_out(settings, runs), experiment(settings), key=key))


def test_the_papers_numbers_are_found_by_data_arm_and_servers() -> None:
    assert paper_numbers(PAPER, "CIFAR-10")["margin"] == {1: 0.818, 2: 0.834, 4: 0.844}
    assert paper_numbers(PAPER, "Fashion-MNIST") == {}
    assert paper_numbers({}, "CIFAR-10") == {}


def test_the_table_stands_beside_the_papers() -> None:
    text = servers((0.819, 0.833, 0.843, 0.817, 0.832, 0.842))
    assert "| margin | 0.819 ± 0.002 | 0.833 ± 0.003 | 0.843 ± 0.003 | **+2.40 ± 0.05** " in text
    assert "| 0.818 | 0.834 | 0.844 |" in text
    assert "over 6 numbers" in text
    assert "all within 0.01" in text
    assert "not all within" not in text
    assert "Of 4 steps to more servers, 4 gain on average (4 beyond the interval)" in text
    assert "**As in the paper's Table 1, more servers are better in all cases.**" in text


def test_numbers_far_from_the_papers_and_losses_are_said() -> None:
    text = servers((0.619, 0.633, 0.643, 0.617, 0.602, 0.642))
    assert "not all within 0.01" in text
    assert "This is not what the paper's Table 1 shows" in text
    assert "AAL on CIFAR-10 lost" in text


def test_no_gain_that_can_be_told_is_no_loss_either() -> None:
    text = servers((0.8, 0.8, 0.8, 0.8, 0.8, 0.8))
    assert "not significantly worse in any, and not better in all" in text


def test_values_are_compared_with_the_first_and_with_random() -> None:
    settings = [
        setting(arm, [arm], imposed_staleness=labels)
        for labels in (0, 500)
        for arm in ("random", "margin")
    ]
    runs = level(settings, (0.70, 0.75, 0.70, 0.72))
    key = "arrangement.imposed_staleness"
    parts = report_comparison(lay_out(settings, runs), experiment(settings), key=key)
    text = text_of(parts)
    assert "### Imposed staleness: Fashion-MNIST" in text
    assert "| 0 | 75.0 ± 0.3 |  |  | **+5.00 ± 0.02** |" in text
    assert "| 500 | 72.0 ± 0.3 | **-3.00 ± 0.05** | < 0.01 | **+2.00 ± 0.02** |" in text
    assert (
        "**margin: against imposed staleness 0, the mean of the curve is significantly lower with "
        "500.**" in text
    )
    assert figures_of(parts) == ["against_imposed_staleness"]


def test_without_a_key_all_that_the_grid_varies_is_compared() -> None:
    settings = [setting("margin", batch_size=size, servers=2) for size in (0, 50)]
    text = compared(settings, level(settings, (0.7, 0.7)))
    assert "### Batch size: Fashion-MNIST" in text
    assert "| adaptive |" in text


def test_arms_are_compared_where_there_is_no_grid() -> None:
    settings = [setting("as in the paper", refresh=False), setting("ranked again")]
    text = compared(settings, level(settings, (0.7, 0.8)))
    assert (
        "**Against as in the paper, the mean of the curve is significantly higher with ranked "
        "again.**" in text
    )


def test_keys_of_one_table_are_compared_together() -> None:
    crowds = (People(), People(error_rate=0.17), People(crowd="cifar10n.csv"))
    settings = [setting("margin", people=people) for people in crowds]
    text = compared(settings, level(settings, (0.7, 0.6, 0.65)), "people")
    assert "significantly lower with error rate 0.17 and answers from cifar10n.csv" in text


def test_a_key_that_does_not_vary_is_said_to_be_none() -> None:
    settings = [setting("margin")]
    text = compared(settings, level(settings, (0.7,)), "arrangement.devices")
    assert text == "The devices of the servers does not vary within an arm."


@pytest.mark.parametrize("shared", [True, False])
def test_cells_that_share_no_seed_are_not_compared(shared: bool) -> None:
    settings = [setting("margin", batch_size=size) for size in (50, 250)]
    runs = [run(settings[0], 0, [0.5] * 5), run(settings[1], 0 if shared else 1, [0.6] * 5)]
    text = compared(settings, runs)
    assert ("| 250 | 60.0 | +10.00 |" in text) == shared
    assert ("| 250 | 60.0 | – |" in text) != shared


def mapped(heights: Sequence[float], newest: Sequence[float]) -> str:
    settings = [
        setting("margin", servers=count, clock=Clock(training=seconds, scoring=1.0))
        for seconds in (20.0, 200.0)
        for count in (1, 4)
    ]
    runs = [
        run(of, seed, [height + seed * 0.001] * 5, newest=[None, *[g + seed * 0.002] * 4])
        for of, height, g in zip(settings, heights, newest, strict=True)
        for seed in range(3)
    ]
    made = experiment(settings, "map", gain_points=2.5)
    parts = report_servers_map(lay_out(settings, runs), made)
    assert figures_of(parts) == ["map"]
    return text_of(parts)


def test_a_map_says_where_more_servers_gain_as_much_as_the_papers() -> None:
    text = mapped((0.7, 0.7, 0.7, 0.69), (0.6, 0.61, 0.5, 0.56))
    assert "| 20 labels in a training | 200 labels in a training |" in text
    assert "| 4 servers | +0.00 ± 0.00<br>40 → 40 | **-1.00 ± 0.00**<br>40 → 40 |" in text
    assert "| 4 servers | **+1.00 ± 0.00**<br>40 → 40 | **+6.00 ± 0.00**<br>40 → 40 |" in text
    assert "What the labels are worth: the paper's gain, +2.5 points, is reached nowhere" in text
    assert "1 place of 2 lose" in text
    assert "reached with 4 servers at 200 labels in a training" in text


def test_a_map_of_one_number_of_servers_says_so() -> None:
    settings = [setting("margin")]
    parts = report_servers_map(lay_out(settings, level(settings, (0.8,))), experiment(settings))
    assert parts == ["The number of servers does not vary here."]
