"""Who labels one campaign through this web process, what they hold, and what they wait for."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from al_engine.pools.turns import Demand, LeasedTurn
from annotator_site.labeling import protocol
from annotator_site.labeling.demand import Waiting
from annotator_site.labeling.departures import Departures
from annotator_site.labeling.evidence import proof_of
from annotator_site.labeling.session import Session
from annotator_site.labeling.window import Window
from annotator_site.network.close_codes import CloseCode


class People:
    """Everybody's connections. Nothing here waits; `changed` is called when there is work to do."""

    def __init__(self, waiting: Waiting, changed: Callable[[], None]) -> None:
        self.sessions: dict[UUID, Session] = {}
        # Connections by annotator.
        self.connections: Counter[int] = Counter()
        self.waiting = waiting
        self.departures = Departures()
        self.window = Window(time.monotonic())
        self._changed = changed

    def enter(self, session: Session) -> None:
        """A person is here."""
        self.sessions[session.id] = session
        self.connections[session.annotator_id] += 1

    def leave(self, session: Session, *, for_good: bool = False) -> None:
        """A connection ended; its leases are kept for `resume_seconds`, or not at all."""
        if self.sessions.pop(session.id, None) is None:
            return
        self.connections[session.annotator_id] -= 1
        self.waiting.forget(session)
        self.departures.add(session, for_good=for_good)
        self._changed()

    def takes_over(self, session: Session, former_id: UUID) -> None:
        """Somebody is back over a new connection while the former one still counts as there."""
        former = self.sessions.get(former_id)
        if former is not None and former.annotator_id == session.annotator_id:
            # Its network died without a word: it must not count as a second connection.
            self.leave(former)
            former.close(CloseCode.RESUMED_ELSEWHERE)

    def answers(self, session: Session, turn_id: int) -> int:
        """Somebody answered or skipped this, and comes to what they hold next, if anything.

        Returns the image that they were shown; 0 where they do not hold this.
        """
        held = session.held.pop(turn_id, None)
        self.waiting.add(session)
        if held is None:
            return 0
        if session.held:
            self.window.waited(0.0)
        else:
            session.waiting_since = session.active_at
            self.window.dry += 1
        return held[1]

    def let_go(self, session: Session, turn_id: int) -> None:
        """A resume may have handed back what was answered while the answer was on its way.

        Not when the answer is on disk: an undo may have handed it back by then.
        """
        if turn_id in session.held:
            del session.held[turn_id]
            if session.id in self.sessions:
                self.waiting.add(session)

    def revoke(
        self, turns: Iterable[tuple[UUID, int]], *, away_after: float, fresher: bool = False
    ) -> None:
        """Tell people which queries are no longer theirs; `fresher`: since a newer model chose.

        Whoever did nothing for `away_after` seconds is away: no churn of leases for nobody.
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
        """Count what is being claimed for connections, or that it is so no more."""
        for demand in asked:
            if session := self.sessions.get(demand.session):
                session.coming = max(session.coming + sign * demand.want, 0)

    def expect_leased(self, asked: list[Demand], turns: Iterable[LeasedTurn]) -> list[Session]:
        """These turns were leased, and are all that is still expected; `asked` is changed to them.

        Returns who got fewer than they wanted.
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
        # Resumed, or brought back by an undo.
        for session_id, count in leased.items():
            if session := self.sessions.get(session_id):
                asked.append(Demand(session.annotator_id, session_id, count))
                session.coming += count
        return short

    def ask_anew(self) -> None:
        """Nobody knows any more what is being claimed for whom."""
        for session in self.sessions.values():
            session.coming = 0
            self.waiting.add(session)

    def hand_out(self, turns: Iterable[LeasedTurn]) -> None:
        """Give people what was claimed for them."""
        for turn in turns:
            session = self.sessions.get(turn.session)
            if session is None:
                continue
            session.idle = None
            if turn.turn_id in session.held:
                # It is there: after trouble, leases are asked for again.
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
