"""An experiment from its TOML file: settings for all arms, the arms, a grid, and presets.

    title = "…"                         seeds = 3, for 0, 1 and 2, or a list
    report = ["curves", "pairs"]        sections of the report
    [data] [labels] [people] [clock] [model] [arrangement]     for all arms; see settings.py
    [[arms]]                            name = "…" and what differs: arrangement.servers = 2
    [grid]                              each combination is run with each arm:
    "arrangement.batch_size" = [50, 250]        values of one setting
    sets = [{data.name = "a", …}, {…}]          any other name: tables of settings
    [preset.small]                      laid over all that, tables within tables
    [paper]                             what the paper reports, for the report

Several `[[grid]]` are run one beside the other. `"measured"` for a time of [clock] takes a given
one back. Lists are replaced as a whole, those of arms and grids, too.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from al_lab.config.checking import (
    SECTIONS,
    BadConfig,
    Tables,
    check,
    check_sense,
    likely,
    section,
    setting,
    value_of,
)
from al_lab.config.settings import Setting

__all__ = ["BadConfig", "Experiment", "labels_of", "read"]

_HEAD: Final = ("title", "about", "report", "seeds", "arms", "grid", "paper")
_FIRST_CHOICE: Final = "small"


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a configuration asks for: every setting with every seed is one run.

    `source` is the path of the file as it was given, `preset` empty where the file has none;
    `paper` is free to the sections of the report.
    """

    title: str
    about: str
    report: tuple[str, ...]
    preset: str
    seeds: tuple[int, ...]
    settings: tuple[Setting, ...]
    paper: dict[str, Any]
    source: str = ""

    @property
    def arms(self) -> tuple[str, ...]:
        """Their names, each once, in the order of the file."""
        return tuple(dict.fromkeys(each.arm for each in self.settings))


def read(path: Path, *, preset: str | None = None) -> Experiment:
    """The experiment of a file, with a preset: without a name `small`, where the file has it.

    Raises BadConfig, which says where in the file something is wrong.
    """
    document, place = _document(path), str(path)
    presets = document.pop("preset", {})
    if preset is None:
        preset = _FIRST_CHOICE if _FIRST_CHOICE in presets else ""
    if preset and preset not in presets:
        raise BadConfig(f'{place}: it has no preset "{preset}"; {likely(preset, presets)}')
    _check_layer(document, place)
    if preset:
        _check_layer(presets[preset], f"{place}, [preset.{preset}]")
        document = _merged(document, presets[preset])
    if "title" not in document:
        raise BadConfig(f"{place}, title: this must be given.")
    settings = tuple(dict.fromkeys(_settings(document, place)))
    return Experiment(
        title=document["title"],
        about=document.get("about", "").strip(),
        report=tuple(document.get("report", ())),
        preset=preset,
        seeds=_seeds(document.get("seeds", 1), place),
        settings=settings,
        paper=document.get("paper", {}),
        source=place,
    )


def labels_of(settings: Sequence[Setting]) -> dict[Setting, str]:
    """A short label for each: its arm, and of what the grid varies as much as tells it apart."""
    labels = {each: [each.arm] for each in settings}
    flat = {each: _flat(each) for each in settings}
    for key in next(iter(flat.values()), {}):
        finer = {
            each: [*parts, f"{key.partition('.')[2]} {flat[each][key]}"]
            for each, parts in labels.items()
        }
        if _different(finer.values()) > _different(labels.values()):
            labels = finer
    return {
        each: parts[0] + (f" ({', '.join(parts[1:])})" if parts[1:] else "")
        for each, parts in labels.items()
    }


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is not TOML: {error}.") from error


def _merged(under: Tables, over: Tables) -> dict[str, Any]:
    """Tables within tables come together; of all else the upper one holds."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def _check_layer(layer: Tables, place: str) -> None:
    """The file without its presets, or one of those: names that exist, values that fit."""
    for key in layer:
        if key not in _HEAD and key not in SECTIONS:
            known = [*_HEAD, *SECTIONS, "preset"]
            raise BadConfig(f"{place}, {key}: there is no such entry; {likely(key, known)}")
    for key in ("title", "about"):
        if not isinstance(layer.get(key, ""), str):
            raise BadConfig(f"{place}, {key}: this is a text in quotes.")
    report = layer.get("report", [])
    if not isinstance(report, list) or not all(isinstance(each, str) for each in report):
        raise BadConfig(f"{place}, report: this is a list of names of sections.")
    if not isinstance(layer.get("paper", {}), Mapping):
        raise BadConfig(f"{place}, paper: this is a table.")
    check({key: layer[key] for key in layer if key in SECTIONS}, place)
    _check_arms(layer.get("arms", []), place)
    for axes in _grids(layer, place):
        for _ in _combinations(axes, place):
            pass


def _check_arms(arms: object, place: str) -> None:
    if not isinstance(arms, list) or not all(isinstance(arm, Mapping) for arm in arms):
        raise BadConfig(f"{place}, arms: write each one below a line [[arms]].")
    for number, arm in enumerate(arms, 1):
        name = arm.get("name")
        if not isinstance(name, str) or not name:
            raise BadConfig(f"{place}, [arms] number {number}, name: this must be given.")
        if [each.get("name") for each in arms].count(name) > 1:
            raise BadConfig(f'{place}, [arms] "{name}": there is another arm of this name.')
        check(_overrides(arm), f'{place}, [arms] "{name}"')


def _overrides(arm: Tables) -> dict[str, Any]:
    return {key: value for key, value in arm.items() if key != "name"}


def _settings(document: Tables, place: str) -> Iterator[Setting]:
    arms = document.get("arms", [])
    if not arms:
        raise BadConfig(f"{place}, arms: there are none; write at least one [[arms]].")
    common = {key: document[key] for key in document if key in SECTIONS}
    for arm in arms:
        here = f'{place}, [arms] "{arm["name"]}"'
        for axes in _grids(document, place):
            for combination in _combinations(axes, place):
                # What an arm says of itself holds against the grid.
                tables = _merged(_merged(common, combination), _overrides(arm))
                made = setting(arm["name"], tables, here)
                check_sense(made, here)
                yield made


def _grids(layer: Tables, place: str) -> list[dict[str, Any]]:
    """The axes of each grid by name; one grid without axes where there is none."""
    grids = layer.get("grid", {})
    grids = grids if isinstance(grids, list) else [grids]
    if not all(isinstance(grid, Mapping) for grid in grids):
        raise BadConfig(f"{place}, grid: this is a table, or several below lines [[grid]].")
    return [dict(_axes(grid)) for grid in grids]


def _axes(grid: Tables, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Without quotes, a dotted key is tables within tables to TOML."""
    for key, value in grid.items():
        if isinstance(value, Mapping):
            yield from _axes(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _combinations(axes: Tables, place: str) -> Iterator[dict[str, Any]]:
    """Tables of settings for each combination; raises BadConfig for what an axis cannot have."""
    for choices in product(*(_choices(name, axes[name], f"{place}, [grid]") for name in axes)):
        combination: dict[str, Any] = {}
        for choice in choices:
            combination = _merged(combination, choice)
        yield combination


def _choices(axis: str, values: object, place: str) -> list[Tables]:
    if not isinstance(values, list) or not values:
        raise BadConfig(f"{place}, {axis}: this is a list of at least one value.")
    table, dot, key = axis.partition(".")
    if dot:
        section(table, place)
        for value in values:
            value_of(table, key, value, place)
        return [{table: {key: value}} for value in values]
    for value in values:
        if not isinstance(value, Mapping):
            raise BadConfig(
                f"{place}, {axis}: a setting is named with its table, like "
                '"arrangement.batch_size"; under another name each value is a table of settings.'
            )
        check(value, f"{place}, {axis}")
    return values


def _seeds(seeds: object, place: str) -> tuple[int, ...]:
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds >= 1:
        return tuple(range(seeds))
    if isinstance(seeds, list) and seeds and all(type(each) is int and each >= 0 for each in seeds):
        return tuple(dict.fromkeys(seeds))
    raise BadConfig(f"{place}, seeds: this is how many, 1 or more, or a list of seeds.")


def _flat(setting: Setting) -> dict[str, Any]:
    told = setting.as_dict()
    return {
        f"{name}.{key}": "none" if value == "" else value
        for name in SECTIONS
        for key, value in told[name].items()
    }


def _different(labels: Iterable[list[str]]) -> int:
    return len({tuple(label) for label in labels})
