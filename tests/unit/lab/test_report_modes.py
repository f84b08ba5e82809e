"""Synchronous against asynchronous: accuracies (Figure 3) and times (Figure 4)."""

from collections.abc import Sequence

import pytest
from made_up import experiment, figures_of, run, setting, text_of

from al_lab.config.settings import Setting
from al_lab.report.layout import lay_out
from al_lab.report.measures import mean_difference, mean_height, wait
from al_lab.report.sections.pairs import pairs_of, report_pairs
from al_lab.report.sections.waits import batch_time, panels_of, report_waits
from al_lab.results import Run

MODES = ("synchronous", "asynchronous")


def both(*, sizes: Sequence[int] = (50, 250), strategy: str = "margin") -> list[Setting]:
    return [
        setting(f"{strategy}, {mode}", [strategy], mode=mode, batch_size=size)
        for size in sizes
        for mode in MODES
    ]


def flat(settings: Sequence[Setting], less: Sequence[Sequence[float]]) -> list[Run]:
    """Level curves; `less` are asynchronous less synchronous, for each pair and seed."""
    found = []
    for number, of in enumerate(settings):
        for seed, difference in enumerate(less[number // 2]):
            height = 0.7 + 0.01 * seed + (difference if number % 2 else 0)
            found.append(run(of, seed, [height] * 5))
    return found


def section(settings: Sequence[Setting], runs: Sequence[Run]) -> str:
    return text_of(report_pairs(lay_out(settings, runs), experiment(settings)))


def test_the_mean_difference_averages_the_pairs_of_a_seed_first() -> None:
    settings = both()
    less = [(0.01, 0.02, 0.03), (-0.01, 0.00, -0.01)]
    made = pairs_of(lay_out(settings, flat(settings, less)))
    found = mean_difference([(each.asynchronous, each.synchronous) for each in made], mean_height)
    # By seed 0, 0.01, 0.01: mean 1/150, s = 0.00577, 4.303 s / sqrt(3) = 0.01434.
    assert found.mean == pytest.approx(1 / 150)
    assert found.half_width == pytest.approx(0.01434, abs=5e-6)


def test_pairs_that_hardly_differ_perform_comparably() -> None:
    settings = both()
    made = flat(settings, [(0.001, -0.001, 0.0), (0.002, -0.001, 0.0)])
    text = section(settings, made)
    assert "asynchronous is worse at no pair" in text
    assert "significantly worse at no pair" in text
    assert "**The figure shows what the paper's Figure 3 shows" in text
    assert "| margin, Fashion-MNIST, batch size 50 | 71.0 ± 2.5 | 71.0 ± 2.4 " in text
    parts = report_pairs(lay_out(settings, made), experiment(settings))
    assert figures_of(parts) == ["pairs", "pair_differences"]


def test_a_pair_that_is_worse_is_named_and_the_figure_is_not_said_to_show_it() -> None:
    settings = both()
    less = [(-0.03, -0.0301, -0.0299), (0.002, -0.001, 0.0)]
    text = section(settings, flat(settings, less))
    assert "asynchronous is worse at 1 pair (margin, Fashion-MNIST, batch size 50)" in text
    assert "it is significantly worse at 1 pair." in text
    assert "not at all points do the two perform comparably" in text


def test_a_loss_on_average_is_not_called_comparable() -> None:
    settings = both()
    text = section(settings, flat(settings, [(-0.03, -0.001, -0.02), (-0.03, -0.01, 0.0)]))
    assert "on average asynchronous loses more than 0.5 points" in text


def test_a_loss_that_is_not_excluded_is_not_called_comparable() -> None:
    settings = both()
    text = section(settings, flat(settings, [(0.01, -0.01, 0.0), (0.01, -0.01, 0.0)]))
    # 0 ± 2.484 points.
    assert "reaches to -2.48 points, so these runs do not exclude" in text


def test_a_single_seed_says_nothing_of_chance() -> None:
    settings = both()
    text = section(settings, flat(settings, [(0.001,), (0.0,)]))
    assert "without repetitions nothing can be said of chance" in text


def test_without_both_modes_there_is_no_pair() -> None:
    settings = [setting("margin")]
    assert "No arm is there both" in section(settings, [run(settings[0], 0, [0.5] * 5)])


def waiting(sizes: Sequence[int], synchronous: Sequence[float], asynchronous: float) -> list[Run]:
    """Waits of both modes by batch size, with 5 people who take 5 s a label."""
    return [
        run(of, seed, [0.5] * 5, wait=wait + 0.01 * seed)
        for size, slow in zip(sizes, synchronous, strict=True)
        for of, wait in zip(both(sizes=[size]), (slow, asynchronous), strict=True)
        for seed in range(3)
    ]


def timed(runs: Sequence[Run]) -> str:
    settings = list(dict.fromkeys(run.setting for run in runs))
    return text_of(report_waits(lay_out(settings, runs), experiment(settings)))


def test_times_between_queries_and_for_a_batch_follow_from_the_waits() -> None:
    runs = waiting([50, 250], [4.99, 0.99], 0.0)
    settings = list(dict.fromkeys(run.setting for run in runs))
    ((_, rows),) = panels_of(lay_out(settings, runs))
    # Synchronous 5 s of work and 5 s of waiting, asynchronous 5.01 s.
    assert rows[0].ratio == pytest.approx(10 / 5.01)
    # 50 images by 5 people: ten each.
    assert batch_time(rows[0], rows[0].synchronous) == pytest.approx(100)
    assert batch_time(rows[1], rows[1].synchronous) == pytest.approx(300)


def test_what_people_wait_is_spread_over_the_batches_after_which_they_waited() -> None:
    of = setting("margin", mode="synchronous", batch_size=150)
    told = run(of, 0, [0.5] * 5)
    # 400 answers are three batches; after two of them five people waited 30 s.
    told.finished["waits"] = {"count": 10, "seconds": 300.0, "mean": 30.0, "p99": 30.0}
    assert wait(told) == pytest.approx(1.0)


def test_a_time_that_falls_with_the_batch_size_is_not_said_to_rise() -> None:
    text = timed(waiting([50, 250], [5.0, 1.0], 0.0))
    assert "1.2 to 2.0 times as long" in text
    assert "from 10 s to 6.01 s a query, and from 100 s to 5.01 min a batch" in text
    assert "is not seen for a single query" in text


def test_a_time_that_rises_is_what_the_paper_shows() -> None:
    text = timed(waiting([50, 250], [1.0, 5.0], 0.0))
    assert "**The figure shows what the paper's Figure 4 shows" in text


def test_where_asynchronous_is_not_faster_it_is_said() -> None:
    text = timed(waiting([50, 250], [0.0, 5.0], 0.5))
    assert "in 1 of 2 cases asynchronous is not faster" in text


def test_waits_of_one_mode_are_told_without_a_comparison() -> None:
    text = timed([run(setting("margin"), 0, [0.5] * 5, wait=0.25)])
    assert "| margin | 0.25 s | 5.25 s |" in text
    assert "nothing is said of the paper's Figure 4" in text
