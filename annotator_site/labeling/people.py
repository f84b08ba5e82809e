"""People who label one campaign through this web process: the turns they hold, want and leave.

No function here waits.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from al_engine.pools import waits
from al_engine.pools.labeled import Progress
from al_engine.pools.turns import Demand, LeasedTurn, Shortage
from annotator_site.labeling import protocol
from annotator_site.labeling.campaign_view import CampaignView
from annotator_site.labeling.disk import Disk
from annotator_site.labeling.evidence import image_of, proof_of
from annotator_site.labeling.protocol import IdleReason, LabelMessage, SkipMessage
from annotator_site.labeling.session import Session
from annotator_site.network.close_codes import CloseCode

Holders = list[tuple[int, UUID]]
"""(annotator, session) of connections that hold leases."""


class Waiting:
    """The connections of a desk whose buffers are not full.

    Only connections to which something happened are visited, never all of them.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._wanting: dict[UUID, Session] = {}
        # Connections for which there were no queries; served again once there may be some.
        self._starved: dict[UUID, Session] = {}

    def __bool__(self) -> bool:
        return bool(self._wanting)

    def add(self, session: Session) -> None:
        """This connection may want queries now."""
        self._starved.pop(session.id, None)
        self._wanting[session.id] = session

    def forget(self, session: Session) -> None:
        """This connection left."""
        self._wanting.pop(session.id, None)
        self._starved.pop(session.id, None)

    def starve(self, session: Session, reason: IdleReason, detail: Shortage | None) -> None:
        """There is nothing for this connection; tell it so, once, if its buffer is empty."""
        self._starved[session.id] = session
        if not session.held and session.idle != (reason, detail):
            session.idle = reason, detail
            # Sent after the receipts of earlier commits: a client that reads `finished` need not
            # wait for any.
            self._disk.tell(partial(self._say, session, reason, detail), since=time.monotonic())

    def rest(self, session: Session) -> None:
        """Whether there is something for this connection is unknown now; tell it nothing."""
        self._wanting.pop(session.id, None)
        self._starved[session.id] = session

    def wake(self) -> bool:
        """There may be queries again; returns whether any connection waited for some."""
        woken = bool(self._starved)
        self._wanting.update(self._starved)
        self._starved.clear()
        return woken

    def take(self) -> list[Session]:
        """All connections that want queries now; those left short are added or starved again."""
        wanting, self._wanting = self._wanting, {}
        return [session for session in wanting.values() if session.want]

    def _say(
        self, session: Session, reason: IdleReason, detail: Shortage | None, durable: bool
    ) -> None:
        """Send `idle`, unless the connection has something by now."""
        if session.idle != (reason, detail):
            return
        if durable:
            session.deliver(protocol.idle(reason, detail))
        else:
            # The labels that finished the campaign may be lost: find out the reason anew.
            session.idle = None


class Departures:
    """Connections whose leases are to end: at once after a good-bye, else after a while."""

    def __init__(self) -> None:
        self._left: Holders = []
        self._gone: Holders = []

    def add(self, session: Session, *, for_good: bool) -> None:
        """Add a connection that ended. A claim for it under way commits before the next `take`."""
        (self._gone if for_good else self._left).append((session.annotator_id, session.id))

    def put_back(self, left: Holders, gone: Holders) -> None:
        """Put back connections that were taken, since their leases did not end."""
        self._left += left
        self._gone += gone

    def take(self) -> tuple[Holders, Holders]:
        """The connections that dropped and those that said good-bye, since the last call."""
        taken = self._left, self._gone
        self._left, self._gone = [], []
        return taken


class Window:
    """What the desk counted since its last sample: answers and waits."""

    __slots__ = ("answers", "began", "dry", "waits")

    def __init__(self, now: float) -> None:
        self.began = now
        self.answers = 0
        # Waits that began with an empty buffer.
        self.dry = 0
        self.waits = [0] * waits.BUCKETS

    def waited(self, wait_ms: float) -> None:
        """Count a wait of `wait_ms` for the next query; 0: it was there already."""
        self.waits[waits.bucket_of(wait_ms)] += 1


class People:
    """Everybody's connections; `changed` is called when there is work to do."""

    def __init__(self, waiting: Waiting, changed: Callable[[], None]) -> None:
        self.sessions: dict[UUID, Session] = {}
        # Connections by annotator.
        self.connections: Counter[int] = Counter()
        self.waiting = waiting
        self.departures = Departures()
        self.window = Window(time.monotonic())
        self._changed = changed

    def enter(self, session: Session) -> None:
        """A connection was opened."""
        self.sessions[session.id] = session
        self.connections[session.annotator_id] += 1

    def leave(
        self, session: Session, *, for_good: bool = False, keeps_leases: bool = False
    ) -> None:
        """A connection ended; its leases are kept for `resume_seconds`, or not at all.

        With `keeps_leases` they end when they would have ended.
        """
        if self.sessions.pop(session.id, None) is None:
            return
        self.connections[session.annotator_id] -= 1
        self.waiting.forget(session)
        if not keeps_leases:
            self.departures.add(session, for_good=for_good)
        self._changed()

    def takes_over(self, session: Session, former_id: UUID) -> None:
        """End the former connection of a person who resumes over a new one."""
        former = self.sessions.get(former_id)
        if former is not None and former.annotator_id == session.annotator_id:
            # Its network died silently: it must not count as a second connection.
            self.leave(former)
            former.close(CloseCode.RESUMED_ELSEWHERE)

    def answers(self, session: Session, message: LabelMessage | SkipMessage) -> int:
        """A person answered or skipped a turn; counts their wait for the next one.

        Returns the image that the person is proven to have been shown; 0 without proof.
        """
        held = session.held.pop(message.turn_id, None)
        self.waiting.add(session)
        if held is None:
            return image_of(message.proof, session.annotator_id, message.turn_id)
        if session.held:
            self.window.waited(0.0)
        else:
            session.waiting_since = session.active_at
            self.window.dry += 1
        return held[1]

    def let_go(self, session: Session, turn_id: int) -> None:
        """Drop a turn that a resume handed out again while its answer was on its way.

        Not to be called once the answer is on disk: by then an undo may have handed it out again.
        """
        if turn_id in session.held:
            del session.held[turn_id]
            if session.id in self.sessions:
                self.waiting.add(session)

    def revoke(
        self, turns: Iterable[tuple[UUID, int]], *, away_after: float, fresher: bool = False
    ) -> None:
        """Tell people which queries are no longer theirs; `fresher`: a newer model chose others.

        Connections idle for `away_after` seconds are away: they are leased nothing new.
        """
        now = time.monotonic()
        for session_id, turn_id in turns:
            session = self.sessions.get(session_id)
            if session is None or turn_id not in session.held:
                continue
            del session.held[turn_id]
            session.deliver(protocol.revoke(turn_id, fresher=fresher))
            session.away = now - session.active_at >= away_after
            if not session.away:
                self.waiting.add(session)
        self._changed()

    def expect(self, asked: Sequence[Demand], sign: int) -> None:
        """Count the turns being claimed for connections; `sign` -1: they no longer are."""
        for demand in asked:
            if session := self.sessions.get(demand.session):
                session.coming = max(session.coming + sign * demand.want, 0)

    def expect_leased(self, asked: list[Demand], turns: Iterable[LeasedTurn]) -> list[Session]:
        """Expect the turns that were leased instead of those that were asked for.

        Changes `asked` in place to match. Returns the connections that got fewer than they wanted.
        """
        leased = Counter(turn.session for turn in turns)
        short = []
        for place, demand in enumerate(asked):
            more = leased.pop(demand.session, 0) - demand.want
            if not more:
                continue
            asked[place] = replace(demand, want=demand.want + more)
            if session := self.sessions.get(demand.session):
                session.coming += more
                if more < 0:
                    short.append(session)
        # Turns that were resumed, or brought back by an undo.
        for session_id, count in leased.items():
            if session := self.sessions.get(session_id):
                asked.append(Demand(session.annotator_id, session_id, count))
                session.coming += count
        return short

    def ask_anew(self) -> None:
        """Forget what is being claimed, and claim for all connections anew."""
        for session in self.sessions.values():
            session.coming = 0
            self.waiting.add(session)

    def hand_out(self, turns: Iterable[LeasedTurn]) -> None:
        """Send people the turns that were claimed for them."""
        for turn in turns:
            session = self.sessions.get(turn.session)
            if session is None:
                continue
            session.idle = None
            if turn.turn_id in session.held:
                # Held already: after a failure, connections ask for their leases again.
                self.waiting.add(session)
                self._changed()
                continue
            now = time.monotonic()
            session.held[turn.turn_id] = now, turn.image_id
            if session.waiting_since is not None:
                self.window.waited(1_000 * (now - session.waiting_since))
                session.waiting_since = None
            proof = proof_of(session.annotator_id, turn.turn_id, turn.image_id)
            session.deliver(protocol.query(turn, proof))


def demands(sessions: Iterable[Session]) -> list[Demand]:
    """The queries that would fill the buffers of these connections."""
    return [Demand(each.annotator_id, each.id, each.want) for each in sessions if each.want]


def why_idle(
    campaign: CampaignView, progress: Progress, shortage: Shortage | None, *, storage_away: bool
) -> tuple[IdleReason, Shortage | None]:
    """Why there is nothing to label; `shortage` is the detail of an empty S.

    While the storage is away nothing is handed out, whatever S holds.
    """
    if campaign.state == "paused":
        return "paused", None
    everything = progress.total and progress.labeled >= progress.total
    if campaign.state == "finished" or everything:
        return "finished", None
    return "pool_empty", "storage_away" if storage_away else shortage
