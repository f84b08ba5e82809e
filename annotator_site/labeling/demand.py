"""Who wants queries, and who waits because there were none."""

import time
from collections.abc import Iterable
from functools import partial
from uuid import UUID

from al_engine.pools.labeled import Progress
from al_engine.pools.turns import Demand, Shortage
from annotator_site.labeling import protocol
from annotator_site.labeling.campaign_view import CampaignView
from annotator_site.labeling.disk import Disk
from annotator_site.labeling.protocol import IdleReason
from annotator_site.labeling.session import Session


class Waiting:
    """The connections of a desk whose buffers are not full.

    Nobody walks over all connections: only over those that something happened to.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._wanting: dict[UUID, Session] = {}
        # They wanted queries when there were none: asked again once there may be some.
        self._starved: dict[UUID, Session] = {}

    def __bool__(self) -> bool:
        return bool(self._wanting)

    def add(self, session: Session) -> None:
        """This one may want queries now."""
        self._starved.pop(session.id, None)
        self._wanting[session.id] = session

    def forget(self, session: Session) -> None:
        """This one left."""
        self._wanting.pop(session.id, None)
        self._starved.pop(session.id, None)

    def starve(self, session: Session, reason: IdleReason, detail: Shortage | None) -> None:
        """There is nothing for this one; say so, once, if it has nothing in hand either."""
        self._starved[session.id] = session
        if not session.held and session.idle != (reason, detail):
            session.idle = reason, detail
            # After the receipts of what was committed before: whoever reads that all is finished
            # need not wait for them.
            self._disk.tell(partial(self._say, session, reason, detail), since=time.monotonic())

    def rest(self, session: Session) -> None:
        """It cannot be known now whether there is something for this one; it is not told so."""
        self._wanting.pop(session.id, None)
        self._starved[session.id] = session

    def wake(self) -> bool:
        """There may be something again; tell whether anybody waited for it."""
        woken = bool(self._starved)
        self._wanting.update(self._starved)
        self._starved.clear()
        return woken

    def take(self) -> list[Session]:
        """All that want something now; whoever is left short is added or starved again."""
        wanting, self._wanting = self._wanting, {}
        return [session for session in wanting.values() if session.want]

    def _say(
        self, session: Session, reason: IdleReason, detail: Shortage | None, durable: bool
    ) -> None:
        """Unless there is something by now."""
        if session.idle != (reason, detail):
            return
        if durable:
            session.deliver(protocol.idle(reason, detail))
        else:
            # That all is labeled may be lost with the last labels: it is found out anew.
            session.idle = None


def demands(sessions: Iterable[Session]) -> list[Demand]:
    """What fills the buffers of these."""
    return [Demand(each.annotator_id, each.id, each.want) for each in sessions if each.want]


def why_idle(
    campaign: CampaignView, progress: Progress, shortage: Shortage | None, *, storage_away: bool
) -> tuple[IdleReason, Shortage | None]:
    """Why there is nothing to label; `shortage` is the detail of an empty pool.

    While the storage is away nothing is handed out, whatever is in the pool.
    """
    if campaign.state == "paused":
        return "paused", None
    everything = progress.total and progress.labeled >= progress.total
    if campaign.state == "finished" or everything:
        return "finished", None
    return "pool_empty", "storage_away" if storage_away else shortage
