"""A Setting from plain tables, as configuration files and results have them.

Every error message begins with the place in the file, and ends with what was likely meant or with
all that is possible.
"""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from al_lab.config.settings import HEAD, Setting

Tables = Mapping[str, Any]

# Stands for None in a configuration: TOML has no word for it.
MEASURED: Final = "measured"


class BadConfig(ValueError):
    """A configuration that cannot be run; the message says where it is wrong, and how."""


_hints = get_type_hints(Setting)
SECTIONS: Final[dict[str, type]] = {
    each.name: _hints[each.name] for each in fields(Setting) if each.name != "arm"
}
_types: Final = {name: get_type_hints(section) for name, section in SECTIONS.items()}

_SMALLEST_IMAGE_PX: Final = 8

# The least values of numbers; those that are not named here are 0 or more.
_MINIMUM: Final = {
    "data.copies": 1,
    "labels.budget": 1,
    "labels.evaluate_every": 1,
    "people.count": 1,
    "people.answers_per_image": 1,
    "arrangement.servers": 1,
    "arrangement.workers": 1,
    "arrangement.min_new_labels": 1,
}


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: what was likely meant, or all names."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, n=1):
        return f'did you mean "{close[0]}"?'
    return f"there are {', '.join(names) or 'none'}"


def check(tables: Tables, place: str) -> None:
    """Raise BadConfig unless these are tables of settings with values that fit;

    some may be missing.
    """
    for name, table in tables.items():
        check_table_name(name, place)
        if not isinstance(table, Mapping):
            raise BadConfig(f"{place}, {name}: {_quote(table)} is not a table of settings.")
        for key, value in table.items():
            parse_value(name, key, value, place)


def check_table_name(name: str, place: str) -> None:
    """Raise BadConfig unless there is a table of settings with this name."""
    if name not in SECTIONS:
        raise BadConfig(
            f"{place}, {name}: there is no such table of settings; {suggest(name, SECTIONS)}"
        )


def parse_value(name: str, key: str, value: object, place: str) -> Any:
    """The value of `name.key` as a Setting has it. Raises BadConfig where it does not fit."""
    place = f"{place}, {name}.{key}"
    if key not in _types[name]:
        raise BadConfig(f"{place}: there is no such setting; {suggest(key, _types[name])}")
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
            raise BadConfig(f"{place}: {_quote(value)} is neither true nor false.")
        return value
    if hint is str:
        return _text(value, place)
    if not isinstance(value, list | tuple) or not value:
        raise BadConfig(f"{place}: {_quote(value)} is not a list of names.")
    return tuple(_text(each, place) for each in value)


def build_setting(arm: str, tables: Tables, place: str) -> Setting:
    """The Setting of an arm. Raises BadConfig where something is missing or does not fit."""
    check(tables, place)
    made = {}
    for name, kind in SECTIONS.items():
        table = tables.get(name, {})
        for each in fields(kind):
            if each.name not in table and each.default is MISSING:
                raise BadConfig(f"{place}, {name}.{each.name}: this must be given.")
        made[name] = kind(**{key: parse_value(name, key, table[key], place) for key in table})
    return Setting(arm=arm, **made)


def check_consistency(setting: Setting, place: str) -> None:
    """Raise BadConfig unless the names in a setting exist and its numbers fit together."""
    # Imported here, since both load torch, which takes seconds; reading results does without.
    from al_engine import architectures, strategies

    labels, people, arrangement = setting.labels, setting.people, setting.arrangement
    for name in arrangement.strategies:
        if name not in strategies.names():
            raise BadConfig(
                f'{place}, arrangement.strategies: there is no strategy "{name}"; '
                f"{suggest(name, strategies.names())}"
            )
    name = setting.model.architecture
    if name != HEAD:
        try:
            architectures.check_name(name)
        except architectures.UnknownArchitecture as error:
            raise BadConfig(f"{place}, model.architecture: {error}") from error
    agree = {
        f"data.image_size: it is {_SMALLEST_IMAGE_PX} or more; or 0, for a feature file "
        f'and model.architecture "{HEAD}"': (
            setting.data.image_size == 0
            if name == HEAD
            else setting.data.image_size >= _SMALLEST_IMAGE_PX
        ),
        "model.warm_start: a head is trained from scratch": (
            name != HEAD or setting.model.warm_start == "scratch"
        ),
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


def check_with_pool(setting: Setting, images: int) -> None:
    """Raise ValueError where a campaign with a pool of so many images cannot begin or end."""
    labels, people = setting.labels, setting.people
    if not labels.initial < labels.budget <= images:
        raise ValueError(
            "A campaign goes from labels.initial to a larger labels.budget within its pool; they "
            f"are {labels.initial} and {labels.budget}, and the pool has {images} images."
        )
    if people.count < people.answers_per_image:
        raise ValueError(
            f"{people.answers_per_image} answers an image need as many people; there are "
            f"{people.count}."
        )
    if people.seconds_per_label <= 0:
        raise ValueError("people.seconds_per_label is above 0.")
    if setting.arrangement.mode == "synchronous" and not setting.arrangement.batch_size:
        raise ValueError("A synchronous campaign needs an arrangement.batch_size.")


def _choice(value: object, choices: tuple[Any, ...], place: str) -> Any:
    if value not in choices:
        raise BadConfig(
            f"{place}: {_quote(value)} is not possible; {suggest(str(value), map(str, choices))}"
        )
    return value


def _number(value: object, hint: type, path: str, place: str, instead: str = "") -> int | float:
    whole = hint is int
    kinds: type | tuple[type, ...] = int if whole else (int, float)
    # In Python, True and False are numbers.
    if isinstance(value, bool) or not isinstance(value, kinds):
        kind = "a whole number" if whole else "a number"
        raise BadConfig(f"{place}: {_quote(value)} is not {kind}{instead}.")
    assert isinstance(value, int | float)  # noqa: S101 - for the type checker
    least = _MINIMUM.get(path, 0)
    if not math.isfinite(value) or value < least:
        raise BadConfig(f"{place}: it is {least} or more, not {value}.")
    return value if whole else float(value)


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise BadConfig(f"{place}: {_quote(value)} is not a text in quotes.")
    return value


def _quote(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
