"""What is read from runs: curves and their heights, waits, staleness; accuracies from 0 to 1."""

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


def labels_of(runs: Sequence[Run]) -> list[int]:
    """The numbers of labels at which all of these runs were evaluated, rising."""
    common = set.intersection(*({at["labels"] for at in run.evaluated} for run in runs))
    return sorted(common)


def accuracies(run: Run, labels: Sequence[int]) -> list[float]:
    """The accuracy of a model trained on exactly so many of the run's labels, at each number."""
    found = {at["labels"]: float(at["accuracy"]) for at in run.evaluated}
    return [found[at] for at in labels]


def mean_height(run: Run) -> float:
    """The average accuracy over the whole curve: the measure of the paper's Table 1."""
    labels = labels_of([run])
    return curve_mean(labels, accuracies(run, labels))


def late_height(run: Run) -> float:
    """The average accuracy over the curve from half of the labels on."""
    labels = late(labels_of([run]))
    return curve_mean(labels, accuracies(run, labels))


def late(labels: Sequence[int]) -> list[int]:
    """Those from half of the last number on, two at least."""
    return [at for at in labels if 2 * at >= labels[-1] or at >= labels[-2]]


def end(run: Run) -> float:
    """The accuracy with all labels."""
    return accuracies(run, labels_of([run])[-1:])[0]


def newest_height(run: Run) -> float:
    """The average over the curve of the accuracy that g* had at that moment.

    From the first evaluation on at which there was a g*; of a single one, its accuracy.
    """
    found = [(at["labels"], at["newest_accuracy"]) for at in run.evaluated]
    known = [(labels, accuracy) for labels, accuracy in found if accuracy is not None]
    if len(known) < 2:
        return fmean(accuracy for _, accuracy in known) if known else float("nan")
    return curve_mean([labels for labels, _ in known], [accuracy for _, accuracy in known])


def wait(run: Run) -> float:
    """Seconds that a person lacks an image between an answer and the next, on average.

    In a synchronous campaign of n batches people waited n - 1 times for a model: what they waited
    is spread over the answers of as many batches, as it would be if the campaign went on.
    """
    setting = run.setting
    if setting.arrangement.mode != "synchronous":
        return float(run.finished["between_queries"]["mean"] or 0)
    size = setting.arrangement.batch_size
    whole = -(-(int(run.finished["labels"]) - setting.labels.initial) // size) - 1
    answers = max(whole, 1) * size * setting.people.answers_per_image
    return float(run.finished["waits"]["seconds"]) / answers


def between_queries(run: Run) -> float:
    """Seconds from one query of a person to the next, on average: their work, and the wait."""
    return wait(run) + run.setting.people.seconds_per_label


def staleness(run: Run) -> float:
    """Labels that the model behind a query did not know when it was answered, on average.

    NaN where no query had a model behind it.
    """
    mean = run.finished["staleness"]["mean"]
    return float("nan") if mean is None else float(mean)


def mean(cell: Cell, measure: Measure) -> Interval:
    """A measure over the seeds of a cell."""
    return interval(values(cell, measure))


def difference(ours: Cell, theirs: Cell, measure: Measure) -> Interval | None:
    """Ours less theirs, paired over the seeds that both have; None where they share none."""
    pairs = shared(ours, theirs)
    if not pairs:
        return None
    return paired_interval([measure(run) for run, _ in pairs], [measure(run) for _, run in pairs])


def mean_difference(pairs: Sequence[tuple[Cell, Cell]], measure: Measure) -> Interval:
    """Ours less theirs over all pairs of cells, with its interval over the seeds.

    Pairs of a seed share images, so they are averaged first: one value a seed, of the seeds that
    all pairs have; where there is none, one value a pair. Every pair shares a seed at least.
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
    """The p-value of that difference; 1 where there are fewer than two pairs."""
    pairs = shared(ours, theirs)
    if not pairs:
        return 1.0
    return paired_p([measure(run) for run, _ in pairs], [measure(run) for _, run in pairs])


def cell_curve(cell: Cell) -> tuple[list[int], list[Interval]]:
    """Labels, and the accuracy there with its interval over the seeds."""
    labels = labels_of(cell.runs)
    curves = [accuracies(run, labels) for run in cell.runs]
    return labels, [interval(at) for at in zip(*curves, strict=True)]


def paired_curves(ours: Cell, theirs: Cell) -> tuple[list[int], list[float], list[float]]:
    """Labels, and the two mean curves over the seeds that both have (one at least)."""
    pairs = shared(ours, theirs)
    labels = labels_of([run for pair in pairs for run in pair])
    left = mean_curve([accuracies(run, labels) for run, _ in pairs])
    right = mean_curve([accuracies(run, labels) for _, run in pairs])
    return labels, left, right


def differences_along(ours: Cell, theirs: Cell) -> list[tuple[int, Interval]]:
    """At each number of labels, ours less theirs, paired over the seeds that both have."""
    pairs = shared(ours, theirs)
    if not pairs:
        return []
    labels = labels_of([run for pair in pairs for run in pair])
    left = zip(*(accuracies(run, labels) for run, _ in pairs), strict=True)
    right = zip(*(accuracies(run, labels) for _, run in pairs), strict=True)
    return [
        (at, paired_interval(one, other))
        for at, one, other in zip(labels, left, right, strict=True)
    ]
