"""Measures of runs: curves and their heights, waits, staleness. Accuracies are from 0 to 1."""

from collections.abc import Callable, Sequence
from statistics import fmean

from al_lab.report.layout import Cell, shared, values
from al_lab.report.statistics import (
    Interval,
    curve_mean,
    interval,
    mean_curve,
    paired_interval,
    paired_p,
)
from al_lab.results import Run

Measure = Callable[[Run], float]


def common_labels(runs: Sequence[Run]) -> list[int]:
    """The numbers of labels at which all of these runs were evaluated, rising."""
    common = set.intersection(*({at["labels"] for at in run.evaluated} for run in runs))
    return sorted(common)


def accuracies(run: Run, labels: Sequence[int]) -> list[float]:
    """The accuracy of a model trained on exactly so many of the run's labels, at each number."""
    found = {at["labels"]: float(at["accuracy"]) for at in run.evaluated}
    return [found[at] for at in labels]


def mean_height(run: Run) -> float:
    """The average accuracy over the whole curve: the measure of the paper's Table 1."""
    labels = common_labels([run])
    return curve_mean(labels, accuracies(run, labels))


def late_height(run: Run) -> float:
    """The average accuracy over the curve from half of the labels on."""
    labels = late(common_labels([run]))
    return curve_mean(labels, accuracies(run, labels))


def late(labels: Sequence[int]) -> list[int]:
    """The numbers from half of the last one on, at least two."""
    return [at for at in labels if 2 * at >= labels[-1] or at >= labels[-2]]


def end(run: Run) -> float:
    """The accuracy with all labels."""
    return accuracies(run, common_labels([run])[-1:])[0]


def newest_height(run: Run) -> float:
    """The average accuracy of g* over the curve, from the first evaluation with a g* on.

    With a single such evaluation, its accuracy; without any, NaN.
    """
    found = [(at["labels"], at["newest_accuracy"]) for at in run.evaluated]
    known = [(labels, accuracy) for labels, accuracy in found if accuracy is not None]
    if len(known) < 2:
        return fmean(accuracy for _, accuracy in known) if known else float("nan")
    return curve_mean([labels for labels, _ in known], [accuracy for _, accuracy in known])


def wait(run: Run) -> float:
    """The mean time that a person waits for an image after an answer, in seconds.

    In a synchronous campaign of n batches people wait n - 1 times for a model, so the waits are
    divided by the answers of n - 1 batches, as if the campaign went on.
    """
    setting = run.setting
    if setting.arrangement.mode != "synchronous":
        return float(run.finished["between_queries"]["mean"] or 0)
    size = setting.arrangement.batch_size
    whole = -(-(int(run.finished["labels"]) - setting.labels.initial) // size) - 1
    answers = max(whole, 1) * size * setting.people.answers_per_image
    return float(run.finished["waits"]["seconds"]) / answers


def between_queries(run: Run) -> float:
    """The mean seconds from one query of a person to the next: their work, and the wait."""
    return wait(run) + run.setting.people.seconds_per_label


def staleness(run: Run) -> float:
    """How many labels the model behind a query did not know when it was answered, on average.

    NaN where no model chose any query.
    """
    mean = run.finished["staleness"]["mean"]
    return float("nan") if mean is None else float(mean)


def mean(cell: Cell, measure: Measure) -> Interval:
    """The mean of a measure over the seeds of a cell."""
    return interval(values(cell, measure))


def difference(ours: Cell, theirs: Cell, measure: Measure) -> Interval | None:
    """`ours` less `theirs`, paired over the seeds that both have; None where they share none."""
    pairs = shared(ours, theirs)
    if not pairs:
        return None
    return paired_interval([measure(run) for run, _ in pairs], [measure(run) for _, run in pairs])


def mean_difference(pairs: Sequence[tuple[Cell, Cell]], measure: Measure) -> Interval:
    """The mean of ours less theirs over all pairs of cells, with its interval over the seeds.

    Pairs of a seed share images, so they are averaged first: one value for each seed that all pairs
    have, or, where there is none, one for each pair. Each pair shares at least one seed.
    """
    by_pair = [
        {one.seed: measure(one) - measure(other) for one, other in shared(ours, theirs)}
        for ours, theirs in pairs
    ]
    seeds = set.intersection(*(set(each) for each in by_pair))
    if not seeds:
        return interval([fmean(each.values()) for each in by_pair])
    return interval([fmean(each[seed] for each in by_pair) for seed in sorted(seeds)])


def difference_p(ours: Cell, theirs: Cell, measure: Measure) -> float:
    """The p-value of that difference; 1 for fewer than two pairs."""
    pairs = shared(ours, theirs)
    if not pairs:
        return 1.0
    return paired_p([measure(run) for run, _ in pairs], [measure(run) for _, run in pairs])


def cell_curve(cell: Cell) -> tuple[list[int], list[Interval]]:
    """Numbers of labels, and the accuracy at each with its interval over the seeds."""
    labels = common_labels(cell.runs)
    curves = [accuracies(run, labels) for run in cell.runs]
    return labels, [interval(at) for at in zip(*curves, strict=True)]


def paired_curves(ours: Cell, theirs: Cell) -> tuple[list[int], list[float], list[float]]:
    """Numbers of labels, and two mean curves over the seeds that both have (at least one)."""
    pairs = shared(ours, theirs)
    labels = common_labels([run for pair in pairs for run in pair])
    left = mean_curve([accuracies(run, labels) for run, _ in pairs])
    right = mean_curve([accuracies(run, labels) for _, run in pairs])
    return labels, left, right


def differences_along(ours: Cell, theirs: Cell) -> list[tuple[int, Interval]]:
    """At each number of labels `ours` less `theirs`, paired over the seeds that both have."""
    pairs = shared(ours, theirs)
    if not pairs:
        return []
    labels = common_labels([run for pair in pairs for run in pair])
    left = zip(*(accuracies(run, labels) for run, _ in pairs), strict=True)
    right = zip(*(accuracies(run, labels) for _, run in pairs), strict=True)
    return [
        (at, paired_interval(one, other))
        for at, one, other in zip(labels, left, right, strict=True)
    ]
