"""Strategies by name: the built-in ones, and those of other packages through an entry point.

Another package adds a strategy by naming a function in the entry-point group
`nowait.strategies`; the entry point's name becomes the strategy's name. The function is imported
when it is first used. A built-in name cannot be replaced. `docs/example_strategy/` is such a
package.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, TypeVar, cast, overload

from al_engine.strategies.base import Selection, Strategy

ENTRY_POINT_GROUP: Final = "nowait.strategies"
OPTIONAL_EVIDENCE: Final = frozenset({"embeddings", "members", "labeled"})

_registered: dict[str, Strategy] = {}

S = TypeVar("S", bound=Callable[..., Selection])


class UnknownStrategy(ValueError):
    """No strategy of this name can be used here; the message lists the known strategies."""


@overload
def register(strategy: S) -> S: ...
@overload
def register(*, needs: Iterable[str] = (), separable: bool = False) -> Callable[[S], S]: ...
def register(
    strategy: S | None = None, *, needs: Iterable[str] = (), separable: bool = False
) -> S | Callable[[S], S]:
    """Decorator: register a strategy under its function's name.

    `needs`: which of `embeddings`, `members` and `labeled` it uses besides the probabilities.
    `separable`: the score of an image does not depend on the other images, so that selections of
    parts of the pool merge exactly. Both become attributes of the function; a function of another
    package may set them itself.
    """

    def add(strategy: S) -> S:
        name = strategy.__name__
        if name in _registered:
            raise ValueError(
                f"A strategy named {name!r} is registered already; choose another name."
            )
        attributes = cast(Any, strategy)
        attributes.needs, attributes.separable = frozenset(needs), separable
        _registered[name] = cast(Strategy, strategy)
        return strategy

    return add if strategy is None else add(strategy)


def names() -> list[str]:
    """All names that `get` knows: registered names in order, then other packages' names, sorted."""
    return [*_registered, *sorted(_foreign())]


def get(name: str) -> Strategy:
    """The strategy of this name; raises UnknownStrategy if none has it or it cannot be imported."""
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


def needs(name: str) -> frozenset[str]:
    """What the strategy takes besides probabilities: a subset of OPTIONAL_EVIDENCE.

    For another package's function this is its attribute `needs`, if it has one. Raises
    UnknownStrategy, also if that attribute names anything outside OPTIONAL_EVIDENCE.
    """
    needed = frozenset[str](getattr(get(name), "needs", ()))
    if not needed <= OPTIONAL_EVIDENCE:
        raise UnknownStrategy(
            f"The strategy {name!r} needs {', '.join(sorted(needed - OPTIONAL_EVIDENCE))}, but "
            f"there is only {', '.join(sorted(OPTIONAL_EVIDENCE))}. Repair its package."
        )
    return needed


def is_separable(name: str) -> bool:
    """Whether scores do not depend on other images, so that `merge` of selections is exact."""
    return bool(getattr(get(name), "separable", False))


def _foreign() -> dict[str, EntryPoint]:
    """Other packages' strategies by name, not imported yet."""
    found = entry_points(group=ENTRY_POINT_GROUP)
    return {entry.name: entry for entry in found if entry.name not in _registered}
