"""Connections that ended, until the next transaction ends what they hold."""

from uuid import UUID

from al_engine.pools.turns import Demand
from annotator_site.labeling.session import Session

Holders = list[tuple[int, UUID]]
"""(annotator, session) of each."""


class Departures:
    """Whose leases end with their connection: at once for a good-bye, else after a while."""

    def __init__(self) -> None:
        self._left: Holders = []
        self._gone: Holders = []
        # Those that said good-bye while a claim for them was under way.
        self._gone_for_good: set[UUID] = set()

    def add(self, session: Session, *, for_good: bool) -> None:
        """This one ended."""
        if for_good and session.coming:
            self._gone_for_good.add(session.id)
        (self._gone if for_good else self._left).append((session.annotator_id, session.id))

    def add_claimed(self, demand: Demand) -> None:
        """This one had ended before a claim for it was done."""
        ended = self._gone if demand.session in self._gone_for_good else self._left
        ended.append((demand.annotator_id, demand.session))
        self._gone_for_good.discard(demand.session)

    def put_back(self, left: Holders, gone: Holders) -> None:
        """These were taken, and their leases did not end."""
        self._left += left
        self._gone += gone

    def take(self) -> tuple[Holders, Holders]:
        """Those that dropped and those that said good-bye, since the last call."""
        taken = self._left, self._gone
        self._left, self._gone = [], []
        return taken
