"""Connections that ended, until the next transaction ends what they hold."""

from uuid import UUID

from annotator_site.labeling.session import Session

Holders = list[tuple[int, UUID]]
"""(annotator, session) of each."""


class Departures:
    """Whose leases end with their connection: at once for a good-bye, else after a while."""

    def __init__(self) -> None:
        self._left: Holders = []
        self._gone: Holders = []

    def add(self, session: Session, *, for_good: bool) -> None:
        """This one ended. A claim for it that is under way is committed before this is taken."""
        (self._gone if for_good else self._left).append((session.annotator_id, session.id))

    def put_back(self, left: Holders, gone: Holders) -> None:
        """These were taken, and their leases did not end."""
        self._left += left
        self._gone += gone

    def take(self) -> tuple[Holders, Holders]:
        """Those that dropped and those that said good-bye, since the last call."""
        taken = self._left, self._gone
        self._left, self._gone = [], []
        return taken
