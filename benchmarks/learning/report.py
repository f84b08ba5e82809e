"""The accuracy page in `docs/benchmarks/` and its drawings, from the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from statistics import fmean
from typing import Final

from al_engine.strategies import COPY_COSINE
from al_lab.report.statistics import (
    Interval,
    curve_mean,
    labels_to_reach,
    mean_curve,
    paired_interval,
)
from benchmarks.figures import machine
from benchmarks.learning.course import (
    ARCHITECTURE,
    COMMITTEE,
    COPIES,
    Arm,
    Course,
    Sizes,
    recipe,
)
from benchmarks.learning.drawing import Line, chart
from benchmarks.learning.pool import SIDE

BASELINE: Final = "random"
LEFT_OUT: Final = {"bald": "its opinions by dropout are not made in this simulation"}
REMARK: Final = (
    "`typiclust` chooses in all rounds here, with the embeddings of the last model; the product "
    "uses it only until there is a model."
)
COLUMNS: Final = (
    "| strategy | mean of the curve % | to random ± | at the end % | to random ± "
    "| labels to random's end | different images |"
)
HEADINGS: Final = {
    ("clean", False): "clean",
    ("copied", False): "copied",
    ("copied", True): "copied, filtered",
}
TITLES: Final = {
    ("clean", False): "A clean pool of {images:,} images",
    ("copied", False): "{images:,} images, {copies} copies of each",
    ("copied", True): "{images:,} images, {copies} copies of each, near-duplicates filtered",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A strategy beside random: accuracies and differences as fractions.

    `enough`: labels after which the mean curve reaches random's accuracy at the end, None if it
    never does. `distinct`: mean number of different images among the labels at the end.
    """

    strategy: str
    mean: float
    mean_gain: Interval
    end: float
    end_gain: Interval
    enough: float | None
    distinct: float


def page(courses: Sequence[Course], sizes: Sizes) -> tuple[str, dict[str, str]]:
    """The page, and its drawings (SVG) by file name."""
    parts, drawings = [], {}
    settings: dict[str, Sequence[Row]] = {}
    for (pool, filtered), words in TITLES.items():
        baseline = [c for c in courses if c.arm == Arm(pool, False, BASELINE)]
        ours = [c for c in courses if (c.arm.pool, c.arm.filtered) == (pool, filtered)]
        found = rows(ours, baseline)
        if not found:
            continue
        settings[HEADINGS[pool, filtered]] = found
        title = words.format(images=sizes.images(pool), copies=COPIES[pool])
        name = f"accuracy_{pool}{'_filtered' if filtered else ''}.svg"
        drawings[name] = drawn(title, ours, baseline)
        parts.append(f"## {title}\n\n{table(found, labels=sizes.budget)}\n\n![{title}]({name})\n")
    text = "\n".join([_opening(courses, sizes), summary(settings), "", *parts])
    return text, drawings


def _opening(courses: Sequence[Course], sizes: Sizes) -> str:
    seeds = len({course.seed for course in courses})
    end = recipe(sizes.budget)
    minutes = sum(course.seconds for course in courses) / 60
    left_out = "; ".join(f"`{name}` is left out: {why}" for name, why in LEFT_OUT.items())
    return f"""# Accuracy per label

`python benchmarks/accuracy.py --data FOLDER --seeds {seeds} --budget {sizes.budget}` on \
{machine()}; {len(courses)} simulations, {minutes:,.0f} minutes of one core.

Fashion-MNIST, its images halved to {SIDE} px so that a CPU trains in a second or two, and \
`{ARCHITECTURE}` as the product trains it: from scratch in every round, at {sizes.budget:,} labels \
in {end.steps(sizes.budget)} steps of {end.batch_size} images. A simulation draws its pool from \
the 60,000 training images, labels {sizes.initial} at random and then {sizes.batch} a round as the \
strategy chooses, {sizes.rounds} rounds; accuracy is measured on {sizes.test:,} test images. \
Every answer is right and no query is stale: this compares strategies, not arrangements. A \
committee is {COMMITTEE} networks of other seeds. {left_out}. {REMARK}

With the same seed every strategy has the same pool, first labels, networks' seeds and test \
images; there are {seeds} seeds. ± is half of a 95 % t-interval of the paired differences to \
random on the same pool without a filter, in percentage points, bold where it leaves out 0. Each \
interval is of one comparison: of 20 that are nothing but chance, one is bold.

- Mean of the curve: the mean height of accuracy over labels.
- Labels to random's end: after so many the mean curve reaches what random reaches with \
{sizes.budget:,}.
- Different images: those among the labels at the end.
- Near-duplicates filtered: of candidates whose embeddings have a cosine similarity of \
{COPY_COSINE:g} or more, only the one that the strategy likes best is asked, as in the product on \
the way into S.
"""


def rows(courses: Sequence[Course], baseline: Sequence[Course]) -> list[Row]:
    """One row for each strategy among the courses, the best mean curve first.

    A strategy is compared over the seeds that it shares with the baseline, and left out if it
    shares none.
    """
    random = {course.seed: course for course in baseline}
    found = []
    for strategy in dict.fromkeys(course.arm.strategy for course in courses):
        ours = [c for c in courses if c.arm.strategy == strategy and c.seed in random]
        if not ours:
            continue
        theirs = [random[course.seed] for course in ours]
        means, ends = _means(ours), [course.accuracy[-1] for course in ours]
        found.append(
            Row(
                strategy=strategy,
                mean=fmean(means),
                mean_gain=paired_interval(means, _means(theirs)),
                end=fmean(ends),
                end_gain=paired_interval(ends, [course.accuracy[-1] for course in theirs]),
                enough=labels_to_reach(ours[0].labels, _curve(ours), _curve(theirs)[-1]),
                distinct=fmean(course.distinct for course in ours),
            )
        )
    return sorted(found, key=lambda row: row.mean, reverse=True)


def summary(settings: Mapping[str, Sequence[Row]]) -> str:
    """Gains in the mean of the curve as a Markdown table with a column for each setting.

    Strategies are sorted by their smallest gain over all settings, the largest first.
    """
    gains = {
        heading: {row.strategy: row.mean_gain for row in found}
        for heading, found in settings.items()
    }
    strategies = dict.fromkeys(name for found in gains.values() for name in found)
    least = {
        name: min(found[name].mean for found in gains.values() if name in found)
        for name in strategies
    }
    lines = [
        f"| mean of the curve to random ± | {' | '.join(gains)} |",
        "|---" * len(gains) + "|---|",
    ]
    for name in sorted(strategies, key=lambda name: least[name], reverse=True):
        cells = [_points(found[name]) if name in found else "" for found in gains.values()]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(found: Sequence[Row], *, labels: int) -> str:
    """Rows as a Markdown table; `labels`: the number at the end of a course."""
    lines = [COLUMNS, "|---" * (COLUMNS.count("|") - 1) + "|"]
    for row in found:
        enough = "not reached" if row.enough is None else f"{row.enough:,.0f}"
        if row.strategy == BASELINE and row.mean_gain.mean == 0:
            enough = f"{labels:,}"
        lines.append(
            f"| `{row.strategy}` | {100 * row.mean:.2f} | {_points(row.mean_gain)} "
            f"| {100 * row.end:.2f} | {_points(row.end_gain)} | {enough} | {row.distinct:,.0f} |"
        )
    return "\n".join(lines)


def drawn(title: str, courses: Sequence[Course], baseline: Sequence[Course]) -> str:
    """An SVG of the mean curves' differences to random's, which is the black line at 0.

    Each is averaged over the seeds that the strategy shares with the baseline.
    """
    random = {course.seed: course for course in baseline}
    lines = [Line(BASELINE, [(n, 0.0) for n in baseline[0].labels], baseline=True)]
    # The same order in every drawing, random last, so that a strategy keeps its color.
    names = {course.arm.strategy for course in courses}
    for strategy in sorted(names, key=lambda name: (name == BASELINE, name)):
        ours = [c for c in courses if c.arm.strategy == strategy and c.seed in random]
        if not ours or ours[0].arm == baseline[0].arm:
            continue
        theirs = _curve([random[course.seed] for course in ours])
        gains = [100 * (our - their) for our, their in zip(_curve(ours), theirs, strict=True)]
        name = f"{strategy}, filtered" if strategy == BASELINE else strategy
        lines.append(Line(name, list(zip(ours[0].labels, gains, strict=True))))
    return chart(title, lines, across="labels", up="test accuracy above random's, points")


def _curve(courses: Sequence[Course]) -> list[float]:
    return mean_curve([course.accuracy for course in courses])


def _means(courses: Sequence[Course]) -> list[float]:
    return [curve_mean(course.labels, course.accuracy) for course in courses]


def _points(gain: Interval) -> str:
    """A difference in percentage points, bold if its interval excludes 0."""
    if isinf(gain.half_width):
        return f"{100 * gain.mean:+.2f}"
    if gain.mean == gain.half_width == 0:
        return "–"
    text = f"{100 * gain.mean:+.2f} ± {100 * gain.half_width:.2f}"
    return f"**{text}**" if gain.side else text
