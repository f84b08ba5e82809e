"""How arms compare with random choice over all places: what is said of the paper's Figure 2."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from al_lab.report import markdown
from al_lab.report.arm_styles import baseline, by_data
from al_lab.report.layout import Cell, Layout, shared
from al_lab.report.measures import (
    difference,
    difference_p,
    late_height,
    mean,
    mean_difference,
    mean_height,
)
from al_lab.report.statistics import Interval, holm

_HEADER: Final = (
    "arm",
    "second half − random, mean of the places",
    "places",
    "above on average",
    "above beyond the interval",
    "below beyond the interval",
)


@dataclass(slots=True)
class _ArmOnData:
    """An arm on a data set: its cell and random's at each place, and what it gains there."""

    arm: str
    data: str
    pairs: list[tuple[Cell, Cell]] = field(default_factory=list)
    gains: list[Interval] = field(default_factory=list)

    @property
    def above(self) -> int:
        return sum(gain.mean > 0 for gain in self.gains)


def judge_against_random(layout: Layout) -> str:
    """A table, and whether it shows what the paper says.

    That is: random loses to all others on all data, and AAL is comparable to the best.
    """
    found = _compare_arms(layout)
    if not found:
        return (
            "There is no arm that chooses at random here, so nothing is said of the paper's figure."
        )
    gains = [gain for each in found for gain in each.gains]
    ps = [difference_p(*pair, late_height) for each in found for pair in each.pairs]
    above = sum(gain.side > 0 for gain in gains)
    higher = sum(each.above for each in found)
    seeds = max(len(cell.runs) for cell in layout.cells)
    words = (
        f"From half of the labels on, {higher} of {markdown.counted(len(gains), 'curve')} lie "
        f"above random's on average, {above} beyond the interval of the paired difference "
        f"({markdown.counted(seeds, 'seed')}), {sum(gain.side < 0 for gain in gains)} below it. "
        "With Holm's correction for looking at all of them, "
        f"{sum(p < 0.05 for p in holm(ps))} differ from random's."
    )
    parts = ["### Against random, over all places", _table(found, layout), words]
    parts += [_to_the_best(layout), f"**{_conclusion(found, above)}**"]
    return "\n\n".join(filter(None, parts))


def _compare_arms(layout: Layout) -> list[_ArmOnData]:
    found: dict[tuple[str, str], _ArmOnData] = {}
    for data, places in by_data(layout):
        for place in places:
            cells = layout.at(place)
            random = baseline(cells)
            for cell in cells:
                if random is None or cell.is_random or not shared(cell, random):
                    continue
                each = found.setdefault((data, cell.arm), _ArmOnData(cell.arm, data))
                gain = difference(cell, random, late_height)
                if gain is not None:
                    each.pairs.append((cell, random))
                    each.gains.append(gain)
    return list(found.values())


def _table(found: Sequence[_ArmOnData], layout: Layout) -> str:
    several = len(by_data(layout)) > 1
    return markdown.table(
        _HEADER,
        [
            [
                f"{each.arm}, {each.data}" if several else each.arm,
                markdown.points(mean_difference(each.pairs, late_height)),
                str(len(each.gains)),
                str(each.above),
                str(sum(gain.side > 0 for gain in each.gains)),
                str(sum(gain.side < 0 for gain in each.gains)),
            ]
            for each in found
        ],
    )


def _to_the_best(layout: Layout) -> str:
    """How far AAL is from the best of the single strategies of each place, where both are there."""
    words = []
    for data, places in by_data(layout):
        pairs, names = [], []
        for place in places:
            cells = layout.at(place)
            ours = next((cell for cell in cells if cell.is_aal), None)
            single = [
                cell
                for cell in cells
                if len(cell.strategies) == 1 and not cell.is_random and not cell.is_synchronous
            ]
            if ours is not None and single:
                best = max(single, key=lambda cell: mean(cell, mean_height).mean)
                if shared(ours, best):
                    pairs.append((ours, best))
                    names.append(best.arm)
        if pairs:
            apart = markdown.points(mean_difference(pairs, mean_height))
            words.append(f"{apart} on {data} ({markdown.listed(list(dict.fromkeys(names)))})")
    if not words:
        return ""
    return (
        "AAL's mean of the curve less that of the best of the single strategies of each place, "
        f"which is known only in hindsight: {'; '.join(words)}."
    )


def _conclusion(found: Sequence[_ArmOnData], above: int) -> str:
    count = sum(len(each.gains) for each in found)
    if above == count:
        return "The figure shows what the paper's Figure 2 shows: random loses to the others."
    if all(each.above == len(each.gains) for each in found):
        return (
            "The figure points the way of the paper's Figure 2, where random loses to all others, "
            "but not every difference is larger than chance makes it."
        )
    lower = [
        f"{each.arm} on {each.data}"
        + (
            f" at {len(each.gains) - each.above} of {len(each.gains)}"
            if len(each.gains) > 1
            else ""
        )
        for each in found
        if each.above < len(each.gains)
    ]
    return (
        "The figure does not show all that the paper's Figure 2 shows, where random loses to all "
        f"others: not above it {'lies' if len(lower) == 1 else 'lie'} {markdown.listed(lower)}."
    )
