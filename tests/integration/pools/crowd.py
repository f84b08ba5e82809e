"""A small campaign at two web processes, what its people were told, and what must hold of it."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from al_engine.pools.models import Assignment, EngineProcess, Label

from .conftest import empty, new_pools
from .web import Visit, WebProcess

IMAGES: Final = 12
PEOPLE: Final = 5
MOST_VISITS: Final = 8
_PATIENCE_S: Final = 10.0

# Labels that stand, of people none of whose answers to the image came late, above the cap.
_TOO_MANY: Final = """
    SELECT l.image_id, count(*) FROM pools_label l
    WHERE l.campaign_id = %(campaign)s AND l.retracted_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM pools_label late
                      WHERE late.image_id = l.image_id AND late.annotator_id = l.annotator_id
                        AND late.late)
    GROUP BY l.image_id HAVING count(*) > %(cap)s"""
# Open turns of images that a person was never given.
_FOR_THEM: Final = """
    SELECT count(DISTINCT a.image_id) FROM pools_assignment a
    WHERE a.campaign_id = %(campaign)s AND a.state = 'open'
      AND NOT EXISTS (SELECT 1 FROM pools_assignment mine
                      WHERE mine.image_id = a.image_id AND mine.annotator_id = %(person)s)
      AND NOT EXISTS (SELECT 1 FROM pools_label said
                      WHERE said.image_id = a.image_id AND said.annotator_id = %(person)s
                        AND said.retracted_at IS NULL)"""


def until(happened: Callable[[], bool], what: Callable[[], object]) -> None:
    """Return once it has happened; fail when it does not."""
    deadline = time.monotonic() + _PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, what()
        time.sleep(0.002)


class Crowd(RuleBasedStateMachine):
    """The state and the invariants; test_any_order_at_two_processes.py has the rules."""

    webs: ClassVar[list[WebProcess]]

    @initialize(
        wanted=st.integers(1, 3),
        more=st.none() | st.integers(0, 2),
        asked=st.integers(1, IMAGES),
    )
    def begin(self, wanted: int, more: int | None, asked: int) -> None:
        self.cap = wanted + (more or 0)
        self.pools = new_pools(
            IMAGES,
            people=PEOPLE,
            asked=asked,
            answers_per_image=wanted,
            max_answers=None if more is None else self.cap,
            confidence=0.7,
            lease_seconds=3600,
            resume_seconds=3600,
        )
        self.worker = EngineProcess.objects.get(campaign=self.pools.campaign).pk
        self.desks = [web.open(self.pools.campaign.slug) for web in self.webs]
        self.visits: list[Visit] = []
        # Whatever connections held when they ended, by person.
        self.sessions: dict[int, list[UUID]] = defaultdict(list)
        # (person, message) → the answers that went out under that id, and the one acknowledged.
        self.sent: dict[tuple[int, UUID], set[tuple[int, int]]] = defaultdict(set)
        self.acknowledged: dict[tuple[int, UUID], tuple[int, int]] = {}
        # (person, label) that somebody wanted undone.
        self.undoing: set[tuple[int, UUID]] = set()
        self.messages = 0

    def teardown(self) -> None:
        # Nothing was begun where the first step failed.
        for web, desk in zip(self.webs, getattr(self, "desks", []), strict=False):
            web.forget(desk)
        empty()

    def new_id(self) -> UUID:
        self.messages += 1
        return UUID(int=self.messages)

    def visit(self, place: int) -> Visit | None:
        """One of the connections that there are."""
        return self.visits[place % len(self.visits)] if self.visits else None

    def read(self) -> None:
        """Take in what everybody was sent."""
        for visit in list(self.visits):
            for id_, told, said in visit.read():
                if said is None or told != "ack":
                    continue
                key = visit.person, id_
                # An id has one answer, whoever else was sent under it and wherever.
                assert self.acknowledged.setdefault(key, said) == said
            assert len(set(visit.held)) == len(visit.held), "a query came twice"

    def settle(self) -> None:
        """Let everything that was sent come to its end."""
        until(
            lambda: all(map(self._has_all_receipts, self.visits)),
            lambda: [dict(visit.open) for visit in self.visits],
        )
        until(
            lambda: all(map(self._has_what_is_due, self.visits)),
            lambda: [self._due(visit) for visit in self.visits if not visit.closed],
        )

    def _has_all_receipts(self, visit: Visit) -> bool:
        self.read()
        return visit.closed or not visit.open

    def _has_what_is_due(self, visit: Visit) -> bool:
        self.read()
        due, held, credited, stale = self._due(visit)
        return visit.closed or (not due and held == credited and not stale)

    def _due(self, visit: Visit) -> tuple[int, set[int], set[int], set[int]]:
        """Queries that it lacks though there are some; what it holds, as its client knows and as
        its desk counts; and what of that is not its person's."""
        held, due = set(visit.held), 0
        theirs = Assignment.objects.filter(
            pk__in=held, annotator_id=visit.person, state__in=["leased", "answered", "skipped"]
        )
        stale = held - set(theirs.values_list("pk", flat=True))
        self.pools.campaign.refresh_from_db(fields=["state"])
        if visit.session.want and self.pools.campaign.state == "running":
            with connection.cursor() as cursor:
                cursor.execute(_FOR_THEM, {"campaign": self.pools.id, "person": visit.person})
                ((there,),) = cursor.fetchall()
            due = min(visit.session.want, there)
        return due, held, set(visit.session.held), stale

    # What always holds, in the middle of everything.

    @invariant()
    def everything_holds(self) -> None:
        self.pools.check()

    @invariant()
    def no_image_has_more_answers_than_allowed(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_TOO_MANY, {"campaign": self.pools.id, "cap": self.cap})
            assert cursor.fetchall() == []

    @invariant()
    def what_was_acknowledged_is_there_and_nothing_that_nobody_sent(self) -> None:
        self.read()
        promised = dict(self.acknowledged)
        rows: dict[tuple[int, UUID], Any] = {
            (row.annotator_id, row.client_id): row
            for row in Label.objects.filter(campaign=self.pools.campaign)
        }
        for key, said in promised.items():
            assert key in rows, "an acknowledged answer is lost"
            assert (rows[key].assignment_id, rows[key].choice_id) == said
        for key, row in rows.items():
            assert (row.assignment_id, row.choice_id) in self.sent[key]
            assert row.retracted_at is None or key in self.undoing
