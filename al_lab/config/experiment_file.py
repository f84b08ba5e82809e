"""An experiment from its TOML file: settings for all arms, the arms, a grid, and presets.

    title = "…"                         seeds = 3 means 0, 1 and 2; or a list of seeds
    report = ["curves", "pairs"]        sections of the report
    [data] [labels] [people] [clock] [model] [arrangement]     for all arms; see settings.py
    [[arms]]                            name = "…" and what differs: arrangement.servers = 2
    [grid]                              each combination is run with each arm:
    "arrangement.batch_size" = [50, 250]        values of one setting
    sets = [{data.name = "a", …}, {…}]          any other name: tables of settings
    [preset.small]                      overrides all of the above, key by key
    [paper]                             numbers of the paper, which the report compares with

With several `[[grid]]`, each is run on its own. A time of [clock] that is given can be set back to
`"measured"`. A list is replaced as a whole, also that of arms or grids.
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
    build_setting,
    check,
    check_consistency,
    check_table_name,
    parse_value,
    suggest,
)
from al_lab.config.settings import Setting

__all__ = ["BadConfig", "Experiment", "name_settings", "read"]

_TOP_LEVEL_KEYS: Final = ("title", "about", "report", "seeds", "arms", "grid", "paper")
_DEFAULT_PRESET: Final = "small"


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a configuration asks for: every setting with every seed is one run.

    `source` is the path of the file as it was given; `preset` is empty where the file has none;
    sections of the report read what they need from `paper`.
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
        """The arms' names, each once, in the order of the file."""
        return tuple(dict.fromkeys(each.arm for each in self.settings))


def read(path: Path, *, preset: str | None = None) -> Experiment:
    """The experiment of a file with a preset; by default `small`, where the file has it.

    Raises BadConfig, which says where in the file something is wrong.
    """
    document, place = _document(path), str(path)
    presets = document.pop("preset", {})
    if preset is None:
        preset = _DEFAULT_PRESET if _DEFAULT_PRESET in presets else ""
    if preset and preset not in presets:
        raise BadConfig(f'{place}: it has no preset "{preset}"; {suggest(preset, presets)}')
    _check_layer(document, place)
    if preset:
        _check_layer(presets[preset], f"{place}, [preset.{preset}]")
        document = _merge(document, presets[preset])
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


def name_settings(settings: Sequence[Setting]) -> dict[Setting, str]:
    """A short name for each:

    its arm, and as many values of the grid as it takes to tell it apart.
    """
    labels = {each: [each.arm] for each in settings}
    flat = {each: _flatten(each) for each in settings}
    for key in next(iter(flat.values()), {}):
        finer = {
            each: [*parts, f"{key.partition('.')[2]} {flat[each][key]}"]
            for each, parts in labels.items()
        }
        if _count_distinct(finer.values()) > _count_distinct(labels.values()):
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


def _merge(under: Tables, over: Tables) -> dict[str, Any]:
    """`under` overridden by `over`; tables are merged, other values replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return result


def _check_layer(layer: Tables, place: str) -> None:
    """Raise BadConfig unless the names in a layer (the file, or a preset) exist and values fit."""
    for key in layer:
        if key not in _TOP_LEVEL_KEYS and key not in SECTIONS:
            known = [*_TOP_LEVEL_KEYS, *SECTIONS, "preset"]
            raise BadConfig(f"{place}, {key}: there is no such entry; {suggest(key, known)}")
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
                # An arm's own settings override the grid's.
                tables = _merge(_merge(common, combination), _overrides(arm))
                made = build_setting(arm["name"], tables, here)
                check_consistency(made, here)
                yield made


def _grids(layer: Tables, place: str) -> list[dict[str, Any]]:
    """The axes of each grid by name; one grid without axes where the file has none."""
    grids = layer.get("grid", {})
    grids = grids if isinstance(grids, list) else [grids]
    if not all(isinstance(grid, Mapping) for grid in grids):
        raise BadConfig(f"{place}, grid: this is a table, or several below lines [[grid]].")
    return [dict(_axes(grid)) for grid in grids]


def _axes(grid: Tables, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of the axes. TOML reads a dotted key without quotes as nested tables."""
    for key, value in grid.items():
        if isinstance(value, Mapping):
            yield from _axes(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _combinations(axes: Tables, place: str) -> Iterator[dict[str, Any]]:
    """A table of settings for each combination. Raises BadConfig for values that do not fit."""
    for choices in product(*(_choices(name, axes[name], f"{place}, [grid]") for name in axes)):
        combination: dict[str, Any] = {}
        for choice in choices:
            combination = _merge(combination, choice)
        yield combination


def _choices(axis: str, values: object, place: str) -> list[Tables]:
    if not isinstance(values, list) or not values:
        raise BadConfig(f"{place}, {axis}: this is a list of at least one value.")
    table, dot, key = axis.partition(".")
    if dot:
        check_table_name(table, place)
        for value in values:
            parse_value(table, key, value, place)
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


def _flatten(setting: Setting) -> dict[str, Any]:
    told = setting.as_dict()
    return {
        f"{name}.{key}": "none" if value == "" else value
        for name in SECTIONS
        for key, value in told[name].items()
    }


def _count_distinct(labels: Iterable[list[str]]) -> int:
    return len({tuple(label) for label in labels})
