"""Strategies by name: the built-in ones, and those of other packages through an entry point.

Another package adds a strategy by naming a function in the entry-point group
`nowait.strategies`; the entry point's name is the strategy's. It is imported when first asked
for. A built-in name cannot be replaced.
"""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar, cast

from al_engine.strategies.base import Selection, Strategy

ENTRY_POINT_GROUP = "nowait.strategies"

_registered: dict[str, Strategy] = {}

S = TypeVar("S", bound=Callable[..., Selection])


class UnknownStrategy(ValueError):
    """No strategy of this name can be used here; the message lists those that can."""


def register(strategy: S) -> S:
    """Decorator: makes a strategy known under its function's own name."""
    name = strategy.__name__
    if name in _registered:
        raise ValueError(f"A strategy named {name!r} is registered already; choose another name.")
    _registered[name] = cast(Strategy, strategy)
    return strategy


def names() -> list[str]:
    """All names that `get` knows: the registered ones in order, then other packages' sorted."""
    return [*_registered, *sorted(_foreign())]


def get(name: str) -> Strategy:
    """The strategy of this name; raises UnknownStrategy where there is none that works."""
    if name in _registered:
        return _registered[name]
    entry = _foreign().get(name)
    if entry is None:
        raise UnknownStrategy(
            f"There is no strategy named {name!r}. Known strategies: {', '.join(names())}."
        )
    try:
        strategy = entry.load()
    except (ImportError, AttributeError) as error:
        raise UnknownStrategy(
            f"The strategy {name!r} is announced by another package as {entry.value!r}, but it "
            f"cannot be imported ({error}). Repair or remove that package. "
            f"Known strategies: {', '.join(names())}."
        ) from error
    return cast(Strategy, strategy)


def _foreign() -> dict[str, EntryPoint]:
    """Other packages' strategies by name, not imported yet."""
    found = entry_points(group=ENTRY_POINT_GROUP)
    return {entry.name: entry for entry in found if entry.name not in _registered}
