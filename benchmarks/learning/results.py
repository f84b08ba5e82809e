"""Results in a file, one JSON line per course, from which an interrupted run continues."""

import fcntl
import json
from collections.abc import Iterable
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, Final

from al_engine.training.recipe import Recipe
from benchmarks.learning.course import Arm, Course

_DEFAULTS: Final = {
    field.name: field.default for field in fields(Recipe) if field.default is not MISSING
}


class OtherConditions(ValueError):
    """The file holds results that cannot be compared with those asked for."""


def add(file: Path, course: Course, conditions: dict[str, Any]) -> None:
    """Append a course as a whole line; a lock keeps the lines of several processes apart."""
    line = json.dumps(asdict(course) | {"conditions": conditions}) + "\n"
    with file.open("a", encoding="utf-8") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        out.write(line)


def read(file: Path, conditions: dict[str, Any]) -> list[Course]:
    """The courses in the file, none if there is no file; raises OtherConditions."""
    if not file.exists():
        return []
    courses = []
    for line in file.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        found = told.pop("conditions")
        if _completed(found) != _completed(conditions):
            raise OtherConditions(
                f"{file} holds results of other conditions ({_difference(found, conditions)}). "
                "Choose another --output, or the conditions of those results."
            )
        courses.append(Course(**told | {"arm": Arm(**told["arm"])}))
    return courses


def missing(courses: Iterable[Course], *, arms: Iterable[Arm], seeds: int) -> list[tuple[Arm, int]]:
    """The arms and seeds still to be run, ordered by seed."""
    done = {(course.arm, course.seed) for course in courses}
    arms = list(arms)
    wanted = [(arm, seed) for seed in range(seeds) for arm in arms]
    return [each for each in wanted if each not in done]


def _completed(conditions: dict[str, Any]) -> dict[str, Any]:
    """Conditions with defaults for recipe fields that were added after a result was written."""
    return conditions | {"recipe": _DEFAULTS | conditions["recipe"]}


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """The conditions that differ, in words."""
    parts = [
        f"{name}: {found.get(name)} there, {wanted.get(name)} here"
        for name in dict.fromkeys([*found, *wanted])
        if found.get(name) != wanted.get(name)
    ]
    return "; ".join(parts)
