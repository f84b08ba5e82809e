"""The terms of Theorem 1 during a campaign, and whether they order arms as the results do."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import isinf, nan
from statistics import fmean
from typing import Any, Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import LineStyle, line_styles, place_title, series
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import Drawing, Series
from al_lab.report.layout import Cell, Layout
from al_lab.report.measures import mean_height
from al_lab.report.naming import file_name
from al_lab.report.sections.bound_terms import (
    Term,
    above_floor,
    distance,
    least_distance,
    lemma_1,
    lemma_1_above_floor,
    risk_all,
    risk_queried,
    theorem_1,
    theorem_1_above_floor,
    worst_risk,
)
from al_lab.report.statistics import Interval, interval, rank_correlation

_TERMS: Final[tuple[tuple[str, Term], ...]] = (
    ("risk on queried data", risk_queried),
    ("W1 less its floor", above_floor),
    ("the bound without λ", theorem_1),
    ("risk on all data", risk_all),
)
_ORDERING: Final[tuple[tuple[str, Term], ...]] = (
    ("risk on queried data", risk_queried),
    ("W1 between queried and all data", distance),
    ("W1 less its floor", above_floor),
    ("Lemma 1: the sum of risk and W1", lemma_1),
    ("the same, W1 less its floor", lemma_1_above_floor),
    ("Theorem 1: the worst risk and the least W1", theorem_1),
    ("the same, W1 less its floor", theorem_1_above_floor),
)


_OPENING: Final = (
    "By Lemma 1 the risk on all data is at most the risk on the queried data, plus the Wasserstein "
    "distance W1 between the two, plus λ, the errors on both of the hypothesis that is best for "
    "both, which cannot be estimated. Theorem 1 has for a mixture of strategies the risk on the "
    "queries of the worst of them and the distance of the best of them; for one strategy it is "
    "Lemma 1. The risk is 1 − p(true class). A model is judged by the "
    "queries that came after it had learned and by the test images, so it has learned neither. W1 "
    "is that of embeddings, in samples of the same size for all arms, times how fast probabilities "
    "can change with an embedding, so that both are in the same units. Estimated from samples it "
    "is too high even between two random samples of the same data: its floor, which is taken off "
    "where the table says so."
)


def report_bound(layout: Layout, _: Experiment) -> list[Part]:
    """A figure of four panels, a table and rank correlations for each place."""
    parts: list[Part] = [_OPENING]
    conclusions: list[str] = []
    for place in layout.places:
        cells = [cell for cell in layout.at(place) if all(run.bounds for run in cell.runs)]
        if not cells:
            continue
        title = place_title(layout, place)
        figure = Figure(
            file_name("bound", title if len(layout.places) > 1 else ""),
            f"Terms of the bound over labels, {title}: {markdown.listed([w for w, _ in _TERMS])}. "
            f"{markdown.lines(cell.arm for cell in cells)}",
            partial(_draw, cells, line_styles(layout)),
        )
        parts += [
            f"### {title}",
            figure,
            _table(cells),
            _by_strategy(cells),
            _correlations(cells),
        ]
        conclusions.append(_conclusion(title, cells))
    if not conclusions:
        return ["No run estimated the terms: `labels.bound` is off."]
    return [*parts, *conclusions]


def _draw(cells: Sequence[Cell], styles: Mapping[str, LineStyle]) -> Drawing:
    drawing = Drawing(len(_TERMS), words=[cell.arm for cell in cells])
    for panel, (words, term) in enumerate(_TERMS):
        lines = [_series(cell.arm, cell, term, styles[cell.arm]) for cell in cells]
        drawing.lines(
            panel, [line for line in lines if line.x], title=words, across="labels", up=""
        )
    return drawing


def _series(name: str, cell: Cell, term: Term, style: LineStyle) -> Series:
    found = along(cell, term)
    return series(name, style, [at for at, _ in found], [each for _, each in found], times=1)


def along(cell: Cell, term: Term) -> list[tuple[int, Interval]]:
    """A term at each number of labels at which all runs of the cell have it."""
    by_run = [
        {event["labels"]: value for event in run.bounds if (value := term(event)) is not None}
        for run in cell.runs
    ]
    common = sorted(set.intersection(*(set(each) for each in by_run)))
    return [(labels, interval([each[labels] for each in by_run])) for labels in common]


def _table(cells: Sequence[Cell]) -> str:
    terms = [*_TERMS, ("W1", distance)]
    header = ["arm, last estimate", "labels", *(words for words, _ in terms)]
    rows = []
    for cell in cells:
        last = [along(cell, term)[-1:] for _, term in terms]
        rows.append(
            [
                cell.arm,
                markdown.number(last[-1][0][0]) if last[-1] else "–",
                *(markdown.share(found[0][1]) if found else "–" for found in last),
            ]
        )
    return markdown.table(header, rows)


def _by_strategy(cells: Sequence[Cell]) -> str:
    """For arms with several strategies: the terms of each, and the two terms of Theorem 1."""
    rows = []
    for cell in cells:
        last = [run.bounds[-1] for run in cell.runs]
        names = [name for name in last[0]["w1"] if name in cell.strategies]
        if len(names) < 2:
            continue
        for name in names:
            risks = [event["risk_by_strategy"].get(name) for event in last]
            distances = [event["w1"].get(name) for event in last]
            rows.append([f"{cell.arm}: {name}", _mean(risks), _mean(distances)])
        both_of = [_mean([term(event) for event in last]) for term in (worst_risk, least_distance)]
        rows.append([f"{cell.arm}: the worst risk, the least distance", *both_of])
    if not rows:
        return ""
    return markdown.table(
        ["strategy in a mixture, last estimate", "risk on its queries", "W1"], rows
    )


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return markdown.share(interval(known)) if known else "–"


def _correlations(cells: Sequence[Cell]) -> str:
    if len(cells) < 3:
        return ""
    rows = [
        [words, _correlation(order_now(cells, term)), _correlation(order_overall(cells, term))]
        for words, term in _ORDERING
    ]
    header = [
        "rank correlation over the arms",
        "with the risk then",
        "with the error over the curve",
    ]
    return (
        f"{markdown.table(header, rows)}\n\n1 where a term orders the arms as their results do, "
        "−1 where it reverses them; the mean over evaluations, with its 95 % t-interval over the "
        "seeds."
    )


def order_now(cells: Sequence[Cell], term: Term) -> list[float]:
    """For each seed, the mean over evaluations of Spearman's rank correlation over the arms.

    Between the term and the risk on all data at the same number of labels.
    """
    found = []
    for by_arm in _by_seed(cells):
        told = []
        for labels in sorted(set.intersection(*(set(events) for events in by_arm))):
            terms = [term(events[labels]) for events in by_arm]
            risks = [risk_all(events[labels]) for events in by_arm]
            known = [(a, b) for a, b in zip(terms, risks, strict=True) if None not in (a, b)]
            if len(known) == len(cells):
                told.append(rank_correlation(*zip(*known, strict=True)))
        rho = [each for each in told if each is not None]
        if rho:
            found.append(fmean(rho))
    return found


def order_overall(cells: Sequence[Cell], term: Term) -> list[float]:
    """For each seed, the rank correlation between the term's mean and 1 - the curve's mean."""
    found = []
    for seed, by_arm in zip(_seeds(cells), _by_seed(cells), strict=True):
        known = [[v for e in events.values() if (v := term(e)) is not None] for events in by_arm]
        if not all(known):
            continue
        errors = [
            1 - mean_height(next(run for run in cell.runs if run.seed == seed)) for cell in cells
        ]
        rho = rank_correlation([fmean(each) for each in known], errors)
        if rho is not None:
            found.append(rho)
    return found


def _seeds(cells: Sequence[Cell]) -> list[int]:
    return sorted(set.intersection(*({run.seed for run in cell.runs} for cell in cells)))


def _by_seed(cells: Sequence[Cell]) -> list[list[dict[int, Mapping[str, Any]]]]:
    """For each seed that all have, each arm's events by their labels."""
    return [
        [
            {
                event["labels"]: event
                for run in cell.runs
                if run.seed == seed
                for event in run.bounds
            }
            for cell in cells
        ]
        for seed in _seeds(cells)
    ]


def _correlation(found: Sequence[float]) -> str:
    if not found:
        return "–"
    told = interval(found)
    return f"{told.mean:+.2f}" + ("" if isinf(told.half_width) else f" ± {told.half_width:.2f}")


def _conclusion(title: str, cells: Sequence[Cell]) -> str:
    events = [event for cell in cells for run in cell.runs for event in run.bounds]
    sums = [value for event in events if (value := theorem_1(event))]
    holds = [
        value >= risk
        for event in events
        if (value := theorem_1(event)) is not None and (risk := risk_all(event)) is not None
    ]
    words = (
        f"On {title} the bound without λ is at least the risk on all data in {sum(holds)} "
        f"of {markdown.counted(len(holds), 'estimate')}, and {fmean(sums) if sums else nan:.2f} on "
        "average, where no risk is above 1: "
        + (
            "as a bound it says little. "
            if sums and fmean(sums) >= 1
            else "a bound that says something. "
        )
    )
    found = order_now(cells, theorem_1) if len(cells) >= 3 else []
    if not found:
        return f"{words}There are too few arms to order."
    order = interval(found)
    if order.side > 0 and not isinf(order.half_width):
        verdict = "The bound orders the arms as the results do, beyond what chance explains."
    elif order.mean > 0:
        verdict = (
            "The bound tends to order the arms as the results do, but chance may explain that."
        )
    elif order.side < 0:
        verdict = "The bound does not order the arms as the results do: it reverses them."
    else:
        verdict = "The bound does not order the arms as the results do."
    return f"{words}**{verdict}** (Rank correlation {_correlation(found)}.)"
