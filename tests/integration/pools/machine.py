"""A small campaign in which a machine draws what happens next, and what must hold after it."""

from collections import Counter
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import QuerySet
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stock import make_version

from al_engine.pools import campaigns, query
from al_engine.pools.excluded import Fault
from al_engine.pools.models import Campaign, EngineProcess, Label, Turn
from al_engine.pools.query import Connection, Pick
from al_engine.pools.turns import Demand, LeasedTurn, Sender
from annotator_site.labeling.batch import Batch, Outcome, Submission
from annotator_site.labeling.protocol import LabelMessage, SkipMessage, UndoMessage

from .conftest import Run, empty, new_pools
from .desk import Desk

IMAGES = 5
PEOPLE = 4
FAULT = Fault("gone", "The storage has no such file.")

which = st.integers(0, 11)
"""Which of those that there are now, counted round."""

Acts = list[tuple[int, int, int]]
several = st.lists(st.tuples(which, which, which), min_size=1, max_size=4)
"""What people do in one moment: to which turn, who, and what."""


class SmallCampaign(RuleBasedStateMachine):
    """The state, what is asked of it, and the invariants; test_any_order.py has the rules."""

    run_async: ClassVar[Run]
    connections: ClassVar[list[Connection]]

    @initialize(
        wanted=st.integers(1, 3),
        more=st.none() | st.integers(0, 2),
        confidence=st.sampled_from([0.5, 0.7, 1.0]),
        asked=st.integers(0, IMAGES),
    )
    def begin(self, wanted: int, more: int | None, confidence: float, asked: int) -> None:
        self.pools = new_pools(
            IMAGES,
            people=PEOPLE,
            asked=asked,
            answers_per_image=wanted,
            max_answers=None if more is None else wanted + more,
            confidence=confidence,
        )
        self.worker = EngineProcess.objects.get(campaign=self.pools.campaign).pk
        # Of a model, and of a newer one.
        self.versions = [make_version(self.pools.campaign, number) for number in (1, 2)]
        self.desks = [Desk(each, self.pools.id) for each in self.connections]
        # Which turn a claim meets is chance; the same example must meet the same.
        with connection.cursor() as cursor:
            cursor.execute("SELECT setseed(0.5)")
        for desk in self.desks:
            self.run_async(desk.conn.execute("SELECT setseed(0.5)"))
        # (person, message) → (turn, choice), as it was acknowledged.
        self.said: dict[tuple[int, UUID], tuple[int, int]] = {}
        self.retracted: set[tuple[int, UUID]] = set()
        self.sent = 0
        # Versions of the list of classes, each with what was to be read on the screen.
        self.screens: dict[int, dict[int, str]] = {}
        self.look_at_classes()
        self.horizon = 0
        self.followed: dict[int, int | None] = {}

    def teardown(self) -> None:
        empty()

    # What there is now.

    def turns(self, **having: Any) -> QuerySet[Turn]:
        return Turn.objects.filter(campaign=self.pools.campaign, **having).order_by("pk")

    def pick_turn(self, place: int, **having: Any) -> Turn | None:
        rows = list(self.turns(**having))
        return rows[place % len(rows)] if rows else None

    def person(self, place: int) -> int:
        return self.pools.people[place % PEOPLE]

    def choice(self, place: int) -> int:
        return self.pools.choices[place % 2]

    def pick_of(self, image: int) -> Pick:
        """What a worker says of an image that it chose with either model."""
        return Pick(image, "margin", 0.5, self.versions[image % 2])

    def new_id(self) -> UUID:
        self.sent += 1
        return UUID(int=self.sent)

    def known_to(self, person: int) -> set[int]:
        """Images that a person answered or skipped."""
        answered = Label.objects.filter(annotator_id=person, retracted_at=None)
        skipped = self.turns(annotator_id=person, state="skipped")
        return {
            *answered.values_list("image_id", flat=True),
            *skipped.values_list("image_id", flat=True),
        }

    def look_at_classes(self) -> int:
        """The newest version of the list of classes, from now on among those that people saw."""
        self.pools.campaign.refresh_from_db(fields=["choices_version"])
        version = self.pools.campaign.choices_version
        names = dict(self.pools.campaign.choices.values_list("pk", "name"))
        assert self.screens.setdefault(version, names) == names, "two lists of one number"
        return version

    # What both machines do.

    @rule(person=which, want=st.integers(1, 3), desk=st.booleans())
    def claim(self, person: int, want: int, desk: bool) -> None:
        who = self.person(person)
        known = self.known_to(who)
        turns = self.run_async(self.desks[desk].claim(who, want))
        self.check_given(turns, who, known, want)

    @rule()
    def pause_or_go_on(self) -> None:
        running = self.pools.campaign.state == Campaign.State.RUNNING
        state = Campaign.State.PAUSED if running else Campaign.State.RUNNING
        assert campaigns.set_state(campaign_id=self.pools.id, state=state)
        self.pools.campaign.state = state

    # Everything of a moment together.

    def gather(self, desk: Desk, acts: Acts, want: int) -> Batch:
        """What people ask of a desk in one moment, in the order of one transaction."""
        labels: list[Submission] = []
        others: list[Submission] = []
        for turn, person, what in acts:
            row = self.pick_turn(turn, state="leased") or self.pick_turn(turn)
            if row is None:
                continue
            session = desk.session(row.annotator_id or self.person(person))
            if what % 3 == 0 and self.said:
                who, message = list(self.said)[turn % len(self.said)]
                others.append(Submission(desk.session(who), UndoMessage(uuid4(), message)))
            elif what % 3 == 1:
                sender: Sender = "machine" if what == 1 else "person"
                said = SkipMessage(uuid4(), row.pk, "bad_image", sender)
                others.insert(0, Submission(session, said))
            else:
                label = LabelMessage(self.new_id(), row.pk, self.choice(what), 700)
                labels.append(Submission(session, label))
        person = self.person(want)
        demand = Demand(person, desk.session(person).id, 1 + want % 2)
        return Batch([*labels, *others], demands=[demand])

    def note(self, work: Batch, outcome: Outcome) -> None:
        """Remember what was acknowledged and what was taken back."""
        for each in work.submissions:
            sent, who = each.message, each.session.annotator_id
            if isinstance(sent, LabelMessage) and outcome.answers[who, sent.id] == "stored":
                assert (who, sent.id) not in self.said, "one message is stored once"
                self.said[who, sent.id] = (sent.turn_id, sent.choice)
        undone = Label.objects.filter(client_id__in=outcome.undone, retracted_at__isnull=False)
        self.retracted |= set(undone.values_list("annotator_id", "client_id"))

    # What is expected of what is done.

    def check_given(self, turns: list[LeasedTurn], person: int, known: set[int], want: int) -> None:
        assert len(turns) <= want
        given = [turn.image_id for turn in turns]
        assert len(set(given)) == len(given)
        assert not known & set(given), "nobody gets an image twice"
        if self.pools.campaign.state != Campaign.State.RUNNING:
            assert turns == []

    def send_answer(
        self, row: Turn, who: int, choice: int, message: UUID, desk: bool, screen: int = 0
    ) -> None:
        """`screen`: how many lists ago the one was that this person had on the screen."""
        newest = self.look_at_classes()
        seen = sorted(self.screens)[-1 - screen % len(self.screens)]
        expected = self.expected_receipt(row, who, choice, message, outdated=seen < newest)
        answered = self.desks[desk].answer(who, row.pk, choice, id_=message, version=seen)
        receipt = self.run_async(answered)
        assert receipt == expected
        if receipt == "stored":
            assert self.screens[seen] == self.screens[newest], "it was misread"
            self.said[who, message] = (row.pk, choice)
        if receipt == "other_choices":
            self.check_asked_again(row, who, self.desks[desk])

    def check_asked_again(self, row: Turn, who: int, desk: Desk) -> None:
        """Whose answer was not taken has the turn again, unless somebody else has it."""
        asked = (row.pk, who, desk.session(who).id)
        given = self.run_async(
            query.ask_again(desk.conn, campaign_id=self.pools.id, turns=[asked], lease_seconds=120)
        )
        theirs = row.state == "leased" and row.annotator_id == who
        others = self.turns(image_id=row.image_id, annotator_id=who).exclude(pk=row.pk)
        free = row.state == "open" and not others.exists()
        running = self.pools.campaign.state == Campaign.State.RUNNING
        assert [turn.turn_id for turn in given] == [row.pk] * (running and (theirs or free))
        row.refresh_from_db()
        assert not given or (row.state, row.annotator_id) == ("leased", who)

    def expected_receipt(
        self, row: Turn, who: int, choice: int, message: UUID, *, outdated: bool
    ) -> str:
        if (who, message) in self.said:
            return "repeated" if self.said[who, message] == (row.pk, choice) else "conflict"
        theirs = Label.objects.filter(image_id=row.image_id, annotator_id=who, retracted_at=None)
        if theirs.exists():
            return "too_late"
        done = self.turns(
            image_id=row.image_id, annotator_id=who, state__in=["answered", "skipped"]
        ).exists()
        if (row.state == "leased" and row.annotator_id == who) or who in row.former:
            return "stored" if not outdated else "too_late" if done else "other_choices"
        return "too_late" if done else "not_yours"

    # What always holds.

    @invariant()
    def everything_holds(self) -> None:
        self.pools.check()

    @invariant()
    def no_image_has_more_answers_than_allowed(self) -> None:
        """But for late ones, which are kept beside those that were wanted."""
        rows = Label.objects.filter(campaign=self.pools.campaign)
        late = set(rows.filter(late=True).values_list("image_id", "annotator_id"))
        standing = rows.filter(retracted_at=None).values_list("image_id", "annotator_id")
        answers = Counter(image for image, who in standing if (image, who) not in late)
        campaign = self.pools.campaign
        cap = campaign.max_answers or campaign.answers_per_image
        assert all(count <= cap for count in answers.values())
        assert len(set(standing)) == len(standing), "nobody answers an image twice"

    @invariant()
    def what_was_acknowledged_is_there_once(self) -> None:
        rows = Label.objects.filter(campaign=self.pools.campaign)
        there = {
            (who, message): (turn, choice, retracted is not None)
            for who, message, turn, choice, retracted in rows.values_list(
                "annotator_id", "client_id", "turn_id", "choice_id", "retracted_at"
            )
        }
        assert len(there) == len(rows)
        assert there == {
            key: (turn, choice, key in self.retracted) for key, (turn, choice) in self.said.items()
        }
