"""Whatever people do at two web processes at the same time, everything holds.

Two real desks run beside the test, each on an event loop of its own, up to two transactions each.
A machine draws what happens next and does not wait for what is under way; after every step all
rules of check.py are read, and what was acknowledged must be there, once, as it was said. Now and
then it waits for all receipts; then everybody must hold what the database says they hold, and
nobody who has room may go without a query that is there for them.

NOWAIT_EXAMPLES=20 draws twenty times as many examples.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from al_engine.pools import campaigns, query
from al_engine.pools.models import Assignment, Campaign, Image, Query
from al_engine.pools.query import Pick
from annotator_site.labeling import caretaker

from .crowd import IMAGES, MOST_VISITS, PEOPLE, Crowd
from .web import Visit, WebProcess

which = st.integers(0, 11)
"""Which of those that there are now, counted round."""
acts = st.sampled_from(
    ["label", "label", "label", "label", "again", "contradict", "skip", "undo", "foreign", "ready"]
)


class TwoProcesses(Crowd):
    """People at two web processes, workers, owners and networks."""

    @rule(person=which, place=which, buffer=st.integers(1, 4), resume=st.booleans())
    def connect(self, person: int, place: int, buffer: int, resume: bool) -> None:
        if len(self.visits) == MOST_VISITS:
            return
        web, desk = self.webs[place % 2], self.desks[place % 2]
        who = self.pools.people[person % PEOPLE]
        visit = Visit(web, desk, who)
        # What ended, perhaps long ago, and what lives: their own at this process, or another's.
        former = self.sessions[who] + [
            each.session.id for each in self.visits if each.person != who or each.web is web
        ]
        self.visits.append(visit)
        visit.ready(buffer, former[-1 - place % len(former)] if resume and former else None)

    @rule(doing=st.lists(st.tuples(which, acts, which), min_size=1, max_size=8))
    def do_much_at_once(self, doing: list[tuple[int, str, int]]) -> None:
        self.read()
        for place, act, what in doing:
            if visit := self.visit(place):
                getattr(self, f"_{act}")(visit, what)

    def _label(self, visit: Visit, what: int) -> None:
        if visit.held:
            self._say(visit, self.new_id(), visit.held[what % len(visit.held)], what)

    def _again(self, visit: Visit, what: int, other: int = 0) -> None:
        """A message comes a second time, perhaps over another connection of the same person."""
        mine = [(id_, said) for (who, id_), said in self.sent.items() if who == visit.person]
        if mine:
            id_, said = mine[what % len(mine)]
            turn, choice = sorted(said)[0]
            self._say(visit, id_, turn, self.pools.choices.index(choice) + other)

    def _contradict(self, visit: Visit, what: int) -> None:
        """The id of another answer, with another class."""
        self._again(visit, what, other=1)

    def _foreign(self, visit: Visit, what: int) -> None:
        """Any turn that there is, whoever holds it."""
        turns = self.pools.campaign.assignments.order_by("pk").values_list("pk", flat=True)
        if turns:
            self._say(visit, self.new_id(), turns[what % len(turns)], what)

    def _say(self, visit: Visit, id_: UUID, turn: int, what: int) -> None:
        said = turn, self.pools.choices[what % 2]
        self.sent[visit.person, id_].add(said)
        self._send(visit, id_, said, {"type": "label", "query": turn, "choice": said[1]})

    def _skip(self, visit: Visit, what: int) -> None:
        if visit.held:
            turn = visit.held[what % len(visit.held)]
            reason = "unsure" if what % 3 else "bad_image"
            said = {"type": "skip", "query": turn, "reason": reason}
            self._send(visit, self.new_id(), None, said)

    def _undo(self, visit: Visit, what: int) -> None:
        if self.sent:
            _, label = list(self.sent)[what % len(self.sent)]
            # Somebody else's is theirs.
            self.undoing.add((visit.person, label))
            self._send(visit, self.new_id(), None, {"type": "undo", "label": str(label)})

    def _ready(self, visit: Visit, what: int) -> None:
        visit.ready(1 + what % 4, None)

    def _send(
        self, visit: Visit, id_: UUID, said: tuple[int, int] | None, message: dict[str, Any]
    ) -> None:
        visit.open[id_].append(said)
        visit.held = [turn for turn in visit.held if turn != message.get("query")]
        visit.say({"id": str(id_), "shown_ms": 7, **message})

    @rule(place=which, for_good=st.booleans())
    def hang_up(self, place: int, for_good: bool) -> None:
        """With a word or without; what was sent in the same breath is done all the same."""
        if visit := self.visit(place):
            self.read()
            visit.leave(for_good=for_good)
            self.visits.remove(visit)
            self.sessions[visit.person].append(visit.session.id)

    # What time, workers and owners do, while all that is under way.

    @rule(places=st.lists(which, min_size=1, max_size=4))
    def let_leases_run_out(self, places: list[int]) -> None:
        leased = list(self.pools.campaign.assignments.filter(state="leased").order_by("pk"))
        chosen = {leased[place % len(leased)].pk for place in places} if leased else set()
        turns = Assignment.objects.filter(pk__in=chosen, state="leased")
        # A moment ago: after three seconds the other process would take them back.
        turns.update(lease_expires=Now() - timedelta(milliseconds=1))

    @rule(pick=st.sets(which, max_size=4), drop=st.sets(which, max_size=4))
    def refill(self, pick: set[int], drop: set[int]) -> None:
        images = list(Image.objects.filter(campaign=self.pools.campaign).order_by("pk"))
        asked = list(Query.objects.filter(campaign=self.pools.campaign).order_by("pk"))
        query.refill(
            campaign_id=self.pools.id,
            worker_id=self.worker,
            picks=[Pick(images[place % IMAGES].pk, "margin") for place in pick],
            withdraw=[asked[place % len(asked)].pk for place in drop],
        )

    @rule()
    def pause_or_go_on(self) -> None:
        self.pools.campaign.refresh_from_db(fields=["state"])
        running = self.pools.campaign.state == Campaign.State.RUNNING
        state = Campaign.State.PAUSED if running else Campaign.State.RUNNING
        campaigns.set_state(campaign_id=self.pools.id, state=state)

    @rule()
    def come_to_rest(self) -> None:
        self.visits = [visit for visit in self.visits if not visit.closed]
        self.settle()


@pytest.fixture
def two_processes(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[WebProcess]]:
    """Two web processes whose caretakers look every few milliseconds."""
    monkeypatch.setattr(caretaker, "TICK_SECONDS", 0.02)
    webs = [WebProcess(), WebProcess()]
    yield webs
    for web in webs:
        web.stop()


def test_whatever_happens_at_two_processes_at_once_everything_holds(
    two_processes: list[WebProcess],
) -> None:
    TwoProcesses.webs = two_processes
    run_state_machine_as_test(
        TwoProcesses,
        settings=settings(
            max_examples=15 * int(os.environ.get("NOWAIT_EXAMPLES", "1")),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
