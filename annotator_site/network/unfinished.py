"""Connections that have not asked anything whole yet: there are only so many of them."""

from collections.abc import Callable
from time import monotonic
from typing import Final

MAX_UNFINISHED: Final = 1_000
"""Of a web process. Honest requests are whole within moments, and a browser opens anew what it
had kept open in vain."""
YOUNG_S: Final = 2.0
"""Who came less long ago is let be: a crowd that comes at once is not read at once."""


class Unfinished:
    """Makes room for newcomers by ending the connections that have asked nothing for longest.

    So half-sent requests can take neither all descriptors nor any newcomer's place.
    """

    def __init__(self, most: int = MAX_UNFINISHED, young_s: float = YOUNG_S) -> None:
        self._most = most
        self._young_s = young_s
        # In the order of their coming: since when, and what ends them.
        self._waiting: dict[object, tuple[float, Callable[[], None]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, connection: object, end: Callable[[], None]) -> None:
        """This connection owes a request from now on; `end` aborts it."""
        now = monotonic()
        if len(self._waiting) >= self._most:
            oldest = next(iter(self._waiting))
            since, end_oldest = self._waiting[oldest]
            if now - since > self._young_s:
                del self._waiting[oldest]
                end_oldest()
        self._waiting.setdefault(connection, (now, end))

    def done(self, connection: object) -> None:
        """It has asked, or is gone."""
        self._waiting.pop(connection, None)


unfinished: Final = Unfinished()
