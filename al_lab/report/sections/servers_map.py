"""A map of where more servers help: over the labels that come during a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from al_lab.config.experiment_file import Experiment
from al_lab.config.settings import Setting
from al_lab.report import markdown
from al_lab.report.arm_styles import place_title
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import Drawing
from al_lab.report.layout import Cell, Layout, Place
from al_lab.report.measures import (
    Measure,
    difference,
    mean,
    mean_height,
    newest_height,
    staleness,
)
from al_lab.report.naming import file_name
from al_lab.report.plots import Tile, tiles
from al_lab.report.statistics import Interval

_SERVERS: Final = "arrangement.servers"
_TRAINING: Final = "clock.training"
_MEASURES: Final[Mapping[str, Measure]] = {
    "what the labels are worth": mean_height,
    "g*, the newest model": newest_height,
}
_OPENING: Final = (
    "What several servers gain over the fewest, each on a device of its own, in points of the "
    "curve's mean, paired over the seeds with 95 % t-intervals, bold where the interval leaves out "
    "0. A training is as long as so many labels take to come. Below each gain the mean staleness "
    "of queries in labels, of the fewest servers and of these."
)


@dataclass(frozen=True, slots=True)
class Gain:
    """Cells that differ in their number of servers alone, and how `more` gains over `fewer`."""

    labels: float
    """Labels that come during a training."""
    servers: int
    fewer: Cell
    more: Cell

    def of(self, measure: Measure) -> Interval | None:
        """The gain; None where the two share no seed."""
        return difference(self.more, self.fewer, measure)

    @property
    def stale(self) -> str:
        """The mean staleness with the fewest servers and with these, in labels."""
        before, after = (mean(cell, staleness).mean for cell in (self.fewer, self.more))
        return f"{before:,.0f} → {after:,.0f}"


def report_servers_map(layout: Layout, experiment: Experiment) -> list[Part]:
    """For each data set and arm a map of the gains, and where the paper's gain lies."""
    parts: list[Part] = [_OPENING]
    for rest, places in layout.along(_SERVERS, _TRAINING):
        for arm in layout.arms:
            gains = _gains(layout, [place for _, place in places], arm)
            if not gains:
                continue
            title = ", ".join(filter(None, [arm, place_title(layout, rest)]))
            parts += [
                Figure(
                    file_name("map", title if len(layout.places) > len(places) else ""),
                    f"Maps of what more servers gain, {title}.",
                    partial(_draw, gains),
                    caption=f"{title[0].upper()}{title[1:]}:",
                ),
                f"### {title}",
                *(_table(words, measure, gains) for words, measure in _MEASURES.items()),
                _verdict(gains, experiment.paper),
            ]
    return parts if len(parts) > 1 else ["The number of servers does not vary here."]


def labels_in_training(setting: Setting) -> float:
    """Labels that people give during one training, if they never wait.

    NaN where trainings take as long as they take here.
    """
    people, training = setting.people, setting.clock.training
    if training is None:
        return float("nan")
    return training * people.count / people.seconds_per_label / people.answers_per_image


def _gains(layout: Layout, places: Sequence[Place], arm: str) -> list[Gain]:
    by_training: dict[float, dict[int, Cell]] = {}
    for place in places:
        for cell in layout.at(place):
            if cell.arm == arm:
                row = by_training.setdefault(labels_in_training(cell.setting), {})
                row[cell.setting.arrangement.servers] = cell
    return [
        Gain(labels, servers, row[min(row)], cell)
        for labels, row in sorted(by_training.items())
        for servers, cell in sorted(row.items())
        if servers > min(row)
    ]


def _grid(gains: Sequence[Gain]) -> tuple[list[float], list[int], dict[tuple[float, int], Gain]]:
    """Labels in a training and numbers of servers, both rising, and the gain at each two."""
    found = {(gain.labels, gain.servers): gain for gain in gains}
    return sorted({at for at, _ in found}), sorted({servers for _, servers in found}), found


def _table(words: str, measure: Measure, gains: Sequence[Gain]) -> str:
    across, down, found = _grid(gains)
    fewest = min(gain.fewer.setting.arrangement.servers for gain in gains)
    header = [
        f"{words}: points above {markdown.counted(fewest, 'server')}",
        *(f"{at:,.0f} labels in a training" for at in across),
    ]

    def told(gain: Gain | None) -> str:
        return "–" if gain is None else f"{markdown.points(gain.of(measure))}<br>{gain.stale}"

    rows = [
        [markdown.counted(servers, "server"), *(told(found.get((at, servers))) for at in across)]
        for servers in down
    ]
    return markdown.table(header, rows)


def _draw(gains: Sequence[Gain]) -> Drawing:
    across, down, found = _grid(gains)
    drawing = Drawing(len(_MEASURES), width=0.4 + 0.72 * len(across), height=0.2 + 0.6 * len(down))
    for panel, (words, measure) in enumerate(_MEASURES.items()):
        told = {
            (across.index(at), down.index(servers)): _tile(gain, measure)
            for (at, servers), gain in found.items()
        }
        tiles(
            *(drawing, panel, told),
            title=words,
            across="labels that come during a training",
            up="servers",
            columns=[f"{at:,.0f}" for at in across],
            rows=[str(servers) for servers in down],
        )
    return drawing


def _tile(gain: Gain, measure: Measure) -> Tile:
    found = gain.of(measure)
    if found is None:
        return Tile(0.0, f"–\n{gain.stale}", clear=False)
    return Tile(100 * found.mean, f"{100 * found.mean:+.1f}\n{gain.stale}", clear=found.side != 0)


def _verdict(gains: Sequence[Gain], paper: Mapping[str, Any]) -> str:
    """Where gains are as large as the paper's, `gain_points` of its table, or nowhere."""
    aim = paper.get("gain_points")
    if aim is None:
        return ""
    sentences = []
    for words, measure in _MEASURES.items():
        told = [(gain, gain.of(measure)) for gain in gains]
        known = [(gain, found) for gain, found in told if found is not None]
        reached = [gain for gain, found in known if 100 * found.mean >= aim]
        lost = [gain for gain, found in known if found.side < 0]
        most = max(known, key=lambda each: each[1].mean, default=None)
        if most is None:
            continue
        where = (
            f"reached with {markdown.listed([_place(gain) for gain in reached])}"
            if reached
            else f"reached nowhere; the most is {100 * most[1].mean:+.2f} with {_place(most[0])}"
        )
        sentences.append(
            f"{words[0].upper()}{words[1:]}: the paper's gain, {aim:+g} points, is {where}; "
            f"{markdown.counted(len(lost), 'place')} of {len(known)} lose beyond the interval."
        )
    return f"**{' '.join(sentences)}**"


def _place(gain: Gain) -> str:
    return f"{gain.servers} servers at {gain.labels:,.0f} labels in a training"
