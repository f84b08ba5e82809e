"""Theorem 1 and the example of section 3.2 in a report."""

from collections.abc import Sequence
from typing import Any

import pytest
from made_up import THREE, experiment, figures_of, run, setting, text_of

from al_lab.config.settings import Clock, People
from al_lab.report.figure_choice import Part
from al_lab.report.layout import lay_out
from al_lab.report.sections.bound import order_now, order_overall, report_bound
from al_lab.report.sections.bound_terms import (
    distance,
    lemma_1,
    theorem_1,
    theorem_1_above_floor,
)
from al_lab.report.sections.example import expected, report_example
from al_lab.results import Run

ARMS = ("random", "margin", "entropy")


def event(labels: int, queried: float, apart: float, whole: float, **by: float) -> dict[str, Any]:
    return {
        "labels": labels,
        "risk_queried": queried,
        "risk_all": whole,
        "risk_by_strategy": {name: 0.1 + value for name, value in by.items()},
        "w1": {**by, "mixture": apart, "uniform": 0.1, "uniform_each": 0.2},
        "sample": 50,
        "sample_each": 30,
        "lipschitz": 0.5,
    }


def those(terms: Sequence[tuple[float, float, float]], heights: Sequence[float]) -> list[Run]:
    """An arm for each (risk on queried, W1, risk on all), twice evaluated, with three seeds."""
    return [
        run(
            setting(arm, [arm], bound=True),
            seed,
            [height] * 5,
            bounds=[event(labels, *told) for labels in (200, 300)],
        )
        for arm, told, height in zip(ARMS, terms, heights, strict=True)
        for seed in range(3)
    ]


def section(runs: Sequence[Run]) -> str:
    return text_of(parts(runs))


def parts(runs: Sequence[Run]) -> list[Part]:
    settings = list(dict.fromkeys(run.setting for run in runs))
    return report_bound(lay_out(settings, runs), experiment(settings))


def test_a_bound_that_orders_as_the_results_do_is_said_to() -> None:
    runs = those([(0.5, 0.3, 0.4), (0.4, 0.2, 0.3), (0.3, 0.1, 0.2)], (0.6, 0.7, 0.8))
    cells = lay_out([run.setting for run in runs[::3]], runs).cells
    assert order_now(cells, lemma_1) == pytest.approx([1.0, 1.0, 1.0])
    assert order_overall(cells, lemma_1) == pytest.approx([1.0, 1.0, 1.0])


def test_one_that_is_half_in_order_has_the_rank_correlation_of_the_book() -> None:
    # Distances rank 1, 2, 3, risks 1, 3, 2: 1 - 6 * 2 / (3 * 8) = 0.5.
    runs = those([(0.1, 0.1, 0.2), (0.1, 0.2, 0.4), (0.1, 0.3, 0.3)], (0.8, 0.6, 0.7))
    cells = lay_out([run.setting for run in runs[::3]], runs).cells
    assert order_now(cells, distance) == pytest.approx([0.5] * 3)
    text = section(runs)
    assert "| W1 between queried and all data | +0.50 ± 0.00 | +0.50 ± 0.00 |" in text
    assert "| W1 less its floor | +0.50 ± 0.00 | +0.50 ± 0.00 |" in text
    # Of three times the same there is no order.
    assert "| risk on queried data | – | – |" in text
    assert "| random | 300 | 0.100 ± 0.000 | 0.000 ± 0.000 | 0.200 ± 0.000 |" in text


def test_a_bound_that_reverses_the_arms_is_said_to() -> None:
    runs = those([(0.3, 0.1, 0.4), (0.4, 0.2, 0.3), (0.5, 0.3, 0.2)], (0.6, 0.7, 0.8))
    text = section(runs)
    assert "**The bound does not order the arms as the results do: it reverses them.**" in text
    assert "at least the risk on all data in 18 of 18 estimates" in text
    assert figures_of(parts(runs)) == ["bound"]


def test_strategies_of_a_mixture_have_their_own_terms() -> None:
    by = {"entropy": 0.4, "least_confidence": 0.5, "margin": 0.3}
    runs = [
        run(setting("AAL", THREE), 0, [0.5] * 5, bounds=[event(200, 0.4, 0.35, 0.3, **by)]),
        run(setting("margin"), 0, [0.5] * 5, bounds=[event(200, 0.4, 0.3, 0.3, margin=0.3)]),
    ]
    text = section(runs)
    assert "| AAL: margin | 0.400 | 0.300 |" in text
    assert "| AAL: the worst risk, the least distance | 0.600 | 0.300 |" in text
    assert "| margin: margin" not in text
    # The theorem has the worst risk and the least distance, and of one strategy its own.
    assert theorem_1(runs[0].bounds[0]) == pytest.approx(0.9)
    assert theorem_1_above_floor(runs[0].bounds[0]) == pytest.approx(0.7)
    assert theorem_1(runs[1].bounds[0]) == lemma_1(runs[1].bounds[0]) == pytest.approx(0.7)
    assert theorem_1_above_floor(runs[1].bounds[0]) == pytest.approx(0.6)
    assert "too few arms to order" in text


def test_runs_without_estimates_are_said_to_have_none() -> None:
    assert "`labels.bound` is off" in section([run(setting("margin"), 0, [0.5] * 5)])


def test_what_is_not_estimated_yet_is_left_out() -> None:
    unknown = event(200, 0.4, 0.3, 0.3)
    unknown["w1"] = dict.fromkeys(unknown["w1"])
    made = run(setting("margin"), 0, [0.5] * 5, bounds=[unknown, event(300, 0.4, 0.3, 0.3)])
    assert "| margin | 300 | 0.400 | 0.200 | 0.700 | 0.300 | 0.300 |" in section([made])


def test_the_versions_that_the_paper_expects() -> None:
    assert expected(1, 11) == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert expected(3, 7) == [0, 0, 0, 0, 1, 2, 3]
    assert expected(2, 7) is None


def asked(servers: int, versions: Sequence[int], *, training: float = 3.0) -> Run:
    of = setting(
        f"{servers} of them",
        servers=servers,
        people=People(count=1, seconds_per_label=1.0),
        clock=Clock(training=training),
    )
    return run(of, 0, [0.5] * 5, asked=versions)


def told(run: Run) -> str:
    parts = report_example(lay_out([run.setting], [run]), experiment([run.setting]))
    assert figures_of(parts) == ["example"] * bool(run.asked)
    return text_of(parts)


def test_queries_as_in_section_3_2_are_said_to_be() -> None:
    text = told(asked(3, [0, 0, 0, 0, 1, 2, 3]))
    assert "**With 3 servers all 7 queries are by the versions that section 3.2 tells.**" in text
    assert "| 3 of them | version 0: 4, version 1: 1, version 2: 1, version 3: 1 |" in text


def test_queries_that_are_not_are_said_not_to_be() -> None:
    text = told(asked(1, [0, 0, 0, 1, 1, 1, 2]))
    assert "are not by the versions that section 3.2 tells: 0, 0, 0, 0, 1, 1, 1 and" in text


def test_of_other_arrangements_the_paper_says_nothing() -> None:
    assert "the paper says nothing" in told(asked(2, [0, 0, 1]))
    assert "the paper says nothing" in told(asked(1, [0, 0, 1], training=5.0))
    assert "No run kept the versions" in told(asked(1, []))
