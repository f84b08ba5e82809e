"""What an experiment varies, and which runs belong together.

An arm is an arm of the configuration. An axis is a key of the settings that varies within an arm
(by the grid). Data and budget are axes even where they vary between arms, since accuracies on
different images cannot be compared. A place is one value for each axis: a panel of a figure, a row
of a table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from al_lab.config.settings import Setting
from al_lab.results import Run

Place = Mapping[str, Any]
PAPERS_THREE: Final = frozenset({"entropy", "least_confidence", "margin"})

_AXES_OF_ANY_PLACE: Final = ("data.name", "labels.budget")
_LEADING_AXES: Final = ("data.name", "arrangement.batch_size", "arrangement.servers")


@dataclass(frozen=True, slots=True)
class Cell:
    """An arm at a place: one setting and its finished runs, at least one, in the order of seeds."""

    setting: Setting
    place: Place
    runs: tuple[Run, ...]

    @property
    def arm(self) -> str:
        """Its name in the configuration."""
        return self.setting.arm

    @property
    def strategies(self) -> frozenset[str]:
        """The strategies of its workers."""
        return frozenset(self.setting.arrangement.strategies)

    @property
    def is_random(self) -> bool:
        """Whether it chooses at random: the baseline of the others."""
        return self.strategies == {"random"}

    @property
    def is_aal(self) -> bool:
        """Whether it is the paper's own method: its three strategies, asynchronous."""
        return self.strategies == PAPERS_THREE and not self.is_synchronous

    @property
    def is_synchronous(self) -> bool:
        """Whether people wait for the model after each batch."""
        return self.setting.arrangement.mode == "synchronous"


@dataclass(frozen=True, slots=True)
class Layout:
    """All cells of an experiment in the order of its configuration, its axes and its places."""

    axes: tuple[str, ...]
    cells: tuple[Cell, ...]
    places: tuple[Place, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of arms that have runs, in the order of the configuration."""
        return tuple(dict.fromkeys(cell.arm for cell in self.cells))

    def at(self, place: Place) -> list[Cell]:
        """The cells at a place; an arm that does not vary along an axis is at all values of it."""
        return [cell for cell in self.cells if cell.place.items() <= place.items()]

    def along(self, *keys: str) -> list[tuple[Place, list[tuple[Place, Place]]]]:
        """Groups of places that differ in these axes alone: (the rest, [(the axes, place), …]).

        In the order of the configuration.
        """
        found: list[tuple[Place, list[tuple[Place, Place]]]] = []
        for place in self.places:
            rest = {axis: value for axis, value in place.items() if axis not in keys}
            own = {axis: value for axis, value in place.items() if axis in keys}
            for other, values in found:
                if other == rest:
                    values.append((own, place))
                    break
            else:
                found.append((rest, [(own, place)]))
        return found


def lay_out(settings: Sequence[Setting], runs: Iterable[Run]) -> Layout:
    """The layout of the runs of these settings; settings without finished runs are left out."""
    by_setting: dict[Setting, list[Run]] = {setting: [] for setting in settings}
    for run in runs:
        if run.setting in by_setting:
            by_setting[run.setting].append(run)
    flat = {setting: flat_setting(setting) for setting in by_setting}
    axes = _axes(flat)
    own = {
        arm: [axis for axis in axes if _varies(axis, told) or _everywhere(axis)]
        for arm, told in _by_arm(flat).items()
    }
    cells = tuple(
        Cell(
            setting,
            {axis: flat[setting][axis] for axis in own[setting.arm]},
            tuple(sorted(found, key=lambda run: run.seed)),
        )
        for setting, found in by_setting.items()
        if found
    )
    return Layout(tuple(axes), cells, _places(cells))


def flat_setting(setting: Setting) -> dict[str, Any]:
    """All keys of a setting but the arm's name, dotted, like `arrangement.batch_size`."""
    return {
        f"{table}.{key}": value
        for table, values in setting.as_dict().items()
        if isinstance(values, Mapping)
        for key, value in values.items()
    }


def shared(ours: Cell, theirs: Cell) -> list[tuple[Run, Run]]:
    """The runs of two cells in pairs, for each seed that both have."""
    others = {run.seed: run for run in theirs.runs}
    return [(run, others[run.seed]) for run in ours.runs if run.seed in others]


def values(cell: Cell, measure: Callable[[Run], float]) -> list[float]:
    """A measure of each of the runs."""
    return [measure(run) for run in cell.runs]


def _axes(flat: Mapping[Setting, Mapping[str, Any]]) -> list[str]:
    keys = list(next(iter(flat.values()), {}))
    varied = {key for told in _by_arm(flat).values() for key in keys if _varies(key, told)}
    varied |= {key for key in keys if _everywhere(key) and _varies(key, list(flat.values()))}
    axes: list[str] = []
    for key in sorted(varied, key=lambda key: (key not in _LEADING_AXES, keys.index(key))):
        # A key that follows from earlier axes, like the image size from the data, is no axis.
        before = {tuple(_plain(told[axis]) for axis in axes) for told in flat.values()}
        after = {tuple(_plain(told[axis]) for axis in [*axes, key]) for told in flat.values()}
        if len(after) > len(before):
            axes.append(key)
    return axes


def _places(cells: Iterable[Cell]) -> tuple[Place, ...]:
    """Each place once, without places of arms that are at several."""
    found: list[Place] = []
    for cell in cells:
        if cell.place not in found:
            found.append(cell.place)
    return tuple(
        place for place in found if not any(place.items() < other.items() for other in found)
    )


def _by_arm(flat: Mapping[Setting, Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for setting, told in flat.items():
        arms.setdefault(setting.arm, []).append(told)
    return arms


def _varies(key: str, told: Sequence[Mapping[str, Any]]) -> bool:
    return len({_plain(each[key]) for each in told}) > 1


def _everywhere(key: str) -> bool:
    return key in _AXES_OF_ANY_PLACE


def _plain(value: object) -> object:
    """The value as something hashable."""
    return tuple(value) if isinstance(value, list) else value
