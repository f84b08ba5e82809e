"""A Setting from plain tables, as a configuration file or a result has them, with exact complaints.

Every complaint begins with a place, and ends with what was likely meant or what there is.
"""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from al_lab.config.settings import Setting

Tables = Mapping[str, Any]

# For what may be None: TOML has no word for it, and JSON has `null`.
MEASURED: Final = "measured"


class BadConfig(ValueError):
    """A configuration that cannot be run; the message says where it is wrong, and how."""


_hints = get_type_hints(Setting)
SECTIONS: Final[dict[str, type]] = {
    each.name: _hints[each.name] for each in fields(Setting) if each.name != "arm"
}
_types: Final = {name: get_type_hints(section) for name, section in SECTIONS.items()}

# The least value of a number; whole numbers and times that are not here are 0 or more.
_AT_LEAST: Final = {
    "data.image_size": 8,
    "data.copies": 1,
    "labels.budget": 1,
    "labels.evaluate_every": 1,
    "people.count": 1,
    "people.answers_per_image": 1,
    "arrangement.servers": 1,
    "arrangement.workers": 1,
    "arrangement.min_new_labels": 1,
}


def likely(name: str, known: Iterable[str]) -> str:
    """The end of a complaint about an unknown name: what was meant, or all there is."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, n=1):
        return f'did you mean "{close[0]}"?'
    return f"there are {', '.join(names) or 'none'}"


def check(tables: Tables, place: str) -> None:
    """Raise BadConfig unless these are tables of settings, some or all, with values that fit."""
    for name, table in tables.items():
        section(name, place)
        if not isinstance(table, Mapping):
            raise BadConfig(f"{place}, {name}: {_shown(table)} is not a table of settings.")
        for key, value in table.items():
            value_of(name, key, value, place)


def section(name: str, place: str) -> None:
    """Raise BadConfig unless there is a table of settings with this name."""
    if name not in SECTIONS:
        raise BadConfig(
            f"{place}, {name}: there is no such table of settings; {likely(name, SECTIONS)}"
        )


def value_of(name: str, key: str, value: object, place: str) -> Any:
    """A value as the Setting has it; raises BadConfig where it is none for `name.key`."""
    place = f"{place}, {name}.{key}"
    if key not in _types[name]:
        raise BadConfig(f"{place}: there is no such setting; {likely(key, _types[name])}")
    hint = _types[name][key]
    if NoneType in get_args(hint):
        if value is None or value == MEASURED:
            return None
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
        return _number(value, hint, f"{name}.{key}", place, instead=f' or "{MEASURED}"')
    if get_origin(hint) is Literal:
        return _choice(value, get_args(hint), place)
    if hint in (int, float):
        return _number(value, hint, f"{name}.{key}", place)
    if hint is bool:
        if not isinstance(value, bool):
            raise BadConfig(f"{place}: {_shown(value)} is neither true nor false.")
        return value
    if hint is str:
        return _text(value, place)
    if not isinstance(value, list | tuple) or not value:
        raise BadConfig(f"{place}: {_shown(value)} is not a list of names.")
    return tuple(_text(each, place) for each in value)


def setting(arm: str, tables: Tables, place: str) -> Setting:
    """The Setting of an arm. Raises BadConfig where something is missing or does not fit."""
    check(tables, place)
    made = {}
    for name, kind in SECTIONS.items():
        table = tables.get(name, {})
        for each in fields(kind):
            if each.name not in table and each.default is MISSING:
                raise BadConfig(f"{place}, {name}.{each.name}: this must be given.")
        made[name] = kind(**{key: value_of(name, key, table[key], place) for key in table})
    return Setting(arm=arm, **made)


def check_sense(setting: Setting, place: str) -> None:
    """Raise BadConfig unless such a campaign can be run: names that exist, numbers that agree."""
    # Both load torch, which takes seconds; results are read without them.
    from al_engine import architectures, strategies

    labels, people, arrangement = setting.labels, setting.people, setting.arrangement
    for name in arrangement.strategies:
        if name not in strategies.names():
            raise BadConfig(
                f'{place}, arrangement.strategies: there is no strategy "{name}"; '
                f"{likely(name, strategies.names())}"
            )
    name = setting.model.architecture
    if name not in architectures.names():
        raise BadConfig(
            f'{place}, model.architecture: there is no architecture "{name}"; '
            f"{likely(name, architectures.names())}"
        )
    agree = {
        "labels.budget: it is above labels.initial": labels.budget > labels.initial,
        "people.seconds_per_label: it is above 0": people.seconds_per_label > 0,
        "people.error_rate: it is from 0 to 1": people.error_rate <= 1,
        "people.crowd: recorded answers have their own errors; leave people.error_rate out": (
            not (people.crowd and people.error_rate)
        ),
        "people.answers_per_image: they are people.count at most": (
            people.answers_per_image <= people.count
        ),
        "arrangement.mode: synchronous needs an arrangement.batch_size": (
            arrangement.mode == "asynchronous" or arrangement.batch_size > 0
        ),
        "arrangement.model_choice: best_validation needs data.validation": (
            arrangement.model_choice != "best_validation" or setting.data.validation > 0
        ),
        "data.train: fewer images than labels.budget": (
            not setting.data.train
            or labels.budget <= setting.data.train * setting.data.copies - setting.data.validation
        ),
    }
    for words, agreed in agree.items():
        if not agreed:
            raise BadConfig(f"{place}, {words}.")


def _choice(value: object, choices: tuple[Any, ...], place: str) -> Any:
    if value not in choices:
        raise BadConfig(
            f"{place}: {_shown(value)} is not possible; {likely(str(value), map(str, choices))}"
        )
    return value


def _number(value: object, hint: type, path: str, place: str, instead: str = "") -> int | float:
    whole = hint is int
    kinds: type | tuple[type, ...] = int if whole else (int, float)
    # To Python, truth is a number.
    if isinstance(value, bool) or not isinstance(value, kinds):
        kind = "a whole number" if whole else "a number"
        raise BadConfig(f"{place}: {_shown(value)} is not {kind}{instead}.")
    assert isinstance(value, int | float)  # noqa: S101 - for the type checker
    least = _AT_LEAST.get(path, 0)
    if not math.isfinite(value) or value < least:
        raise BadConfig(f"{place}: it is {least} or more, not {value}.")
    return value if whole else float(value)


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise BadConfig(f"{place}: {_shown(value)} is not a text in quotes.")
    return value


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
