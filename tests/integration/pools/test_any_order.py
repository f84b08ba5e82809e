"""Whatever people, workers and time do to the pools, in whatever order, everything holds.

A machine draws what happens next; after every step all rules of check.py are read, and what was
acknowledged must be there, once, as it was said. NOWAIT_EXAMPLES=20 draws twenty times as many
examples.
"""

import os
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from al_engine.pools import excluded, labeled, query
from al_engine.pools.models import (
    Campaign,
    Choice,
    Consensus,
    Image,
    Label,
    Query,
    Turn,
)
from al_engine.pools.turns import Demand, Spare
from annotator_site.labeling.batch import Batch, Resume

from .conftest import OpenConnection, Run
from .desk import run_out
from .machine import FAULT, IMAGES, Acts, SmallCampaign, several, which

reasons = st.sampled_from(["unsure", "bad_image", "bad_image"])
screens = st.sampled_from([0, 0, 0, 1, 2])


class PoolsMachine(SmallCampaign):
    """People at two web processes, a worker and a server at one small campaign."""

    # What people do.

    @rule(person=which, want=st.integers(1, 3))
    def claim_exactly(self, person: int, want: int) -> None:
        who = self.person(person)
        known = self.known_to(who)
        desk = self.desks[0]
        demand = Demand(who, desk.session(who).id, want)
        cursor = self.run_async(
            query.claim_for(desk.conn, campaign_id=self.pools.id, demand=demand, lease_seconds=99)
        )
        self.check_given(self.run_async(query.read_turns(cursor)), who, known, want)

    @rule(
        turn=which,
        person=which,
        choice=which,
        mine=st.sampled_from([True, True, True, False]),
        screen=screens,
    )
    def answer(self, turn: int, person: int, choice: int, mine: bool, screen: int) -> None:
        """Mostly one's own turn; sometimes any turn there is."""
        row = self.pick_turn(turn, state="leased") if mine else self.pick_turn(turn)
        if row is None:
            return
        who = row.annotator_id if mine and row.annotator_id else self.person(person)
        self.send_answer(row, who, self.choice(choice), self.new_id(), bool(turn % 2), screen)

    @rule(turn=which, former=which, choice=which, screen=screens)
    def answer_late(self, turn: int, former: int, choice: int, screen: int) -> None:
        rows = [row for row in self.turns() if row.former]
        if rows:
            row = rows[turn % len(rows)]
            who = row.former[former % len(row.former)]
            self.send_answer(row, who, self.choice(choice), self.new_id(), bool(turn % 2), screen)

    @rule(which_one=which, choice=which, turn=which, screen=screens)
    def answer_again(self, which_one: int, choice: int, turn: int, screen: int) -> None:
        """A message comes a second time, perhaps not quite the same."""
        if not self.said:
            return
        (who, message), (said_turn, _) = list(self.said.items())[which_one % len(self.said)]
        row = Turn.objects.get(pk=said_turn) if turn % 3 else self.pick_turn(turn)
        assert row is not None
        self.send_answer(row, who, self.choice(choice), message, bool(which_one % 2), screen)

    @rule(turn=which, reason=reasons)
    def skip(self, turn: int, reason: str) -> None:
        row = self.pick_turn(turn, state="leased")
        if row is not None and row.annotator_id:
            assert self.run_async(self.desks[0].skip(row.annotator_id, row.pk, reason)) == "stored"
            row.refresh_from_db()
            assert row.state == "skipped"

    @rule(turn=which, by_rule=st.booleans())
    def a_machine_skips(self, turn: int, by_rule: bool) -> None:
        """A picture that does not show, or a program that calls it bad: never a verdict."""
        row = self.pick_turn(turn, state="leased")
        if row is not None and row.annotator_id:
            before = row.image.state
            reason = "bad_image" if by_rule else "not_decodable"
            desk = self.desks[0]
            said = self.run_async(desk.skip(row.annotator_id, row.pk, reason, "machine"))
            assert said == "stored"
            assert Image.objects.get(pk=row.image_id).state == before

    @rule(which_one=which)
    def undo(self, which_one: int) -> None:
        if not self.said:
            return
        who, message = list(self.said)[which_one % len(self.said)]
        image = Label.objects.get(annotator_id=who, client_id=message).image
        held = set(self.turns(image=image, annotator_id=who, state="leased"))
        outcome = self.run_async(self.desks[0].undo(who, message))
        assert outcome.known == {(who, message)}
        assert outcome.undone == (set() if (who, message) in self.retracted else {message})
        if not outcome.undone:
            assert outcome.turns == []
        elif image.state in ("queried", "labeled"):
            # A turn again, but for who skipped the image since, or holds another turn of it.
            mine = self.turns(image=image, annotator_id=who).get()
            given = [mine.pk] if mine.state == "leased" and mine not in held else []
            assert [turn.turn_id for turn in outcome.turns] == given
            assert mine.state in ("leased", "skipped")
        self.retracted.add((who, message))

    @rule(acts=several, want=which)
    def a_batch(self, acts: Acts, want: int) -> None:
        """Everything of a moment together, in the order in which a transaction does it."""
        work = self.gather(self.desks[0], acts, want)
        self.note(work, self.run_async(self.desks[0].run(work)))

    @rule(person=which)
    def drop_and_come_back(self, person: int) -> None:
        who = self.person(person)
        before, after = self.desks
        held = set(self.turns(state="leased", session=before.session(who).id))
        self.run_async(before.run(Batch(left=[(who, before.session(who).id)])))
        resume = Resume(after.session(who), before.session(who).id)
        outcome = self.run_async(after.run(Batch(resumes=[resume])))
        running = self.pools.campaign.state == Campaign.State.RUNNING
        assert {turn.turn_id for turn in outcome.turns} == {row.pk for row in held if running}

    @rule(person=which, desk=st.booleans())
    def say_good_bye(self, person: int, desk: bool) -> None:
        """What somebody held is anybody's at once; of it they may still say what they meant to."""
        who, left = self.person(person), self.desks[desk]
        session = left.session(who).id
        held = set(self.turns(state="leased", session=session).values_list("pk", flat=True))
        self.run_async(left.run(Batch(gone=[(who, session)])))
        assert held <= set(self.run_async(left.expire()))
        assert not self.turns(state="leased", session=session).exists()
        assert all(who in row.former for row in self.turns(pk__in=held))

    # What time, workers and owners do.

    @rule()
    def swap_the_names_of_the_classes(self) -> None:
        with transaction.atomic():
            cat, dog = self.pools.campaign.choices.all()
            for choice, name in ((cat, "?"), (dog, cat.name), (cat, dog.name)):
                Choice.objects.filter(pk=choice.pk).update(name=name)
        self.look_at_classes()

    @rule(turn=which)
    def let_a_lease_run_out(self, turn: int) -> None:
        row = self.pick_turn(turn, state="leased")
        if row is not None:
            run_out(row.pk)
            assert self.run_async(self.desks[1].expire()) == [row.pk]

    @rule(pick=st.sets(which, max_size=3), drop=st.sets(which, max_size=3))
    def refill(self, pick: set[int], drop: set[int]) -> None:
        images = list(Image.objects.filter(campaign=self.pools.campaign).order_by("pk"))
        asked = list(Query.objects.filter(campaign=self.pools.campaign).order_by("pk"))
        chosen = {images[place % IMAGES] for place in pick}
        dropped = {asked[place % len(asked)] for place in drop} if asked else set()
        in_d = {image for image in chosen if image.state == "unlabeled"}
        done = query.refill(
            campaign_id=self.pools.id,
            worker_id=self.worker,
            picks=[self.pick_of(image.pk) for image in chosen],
            withdraw=[each.pk for each in dropped],
        )
        gone = set(Query.objects.filter(state="withdrawn").values_list("pk", flat=True))
        assert done.withdrawn == len({each.pk for each in dropped if each.state == "open"} & gone)
        assert done.put >= len(in_d)

    @rule(turns=st.sets(which, max_size=3), newer=st.booleans())
    def recall(self, turns: set[int], newer: bool) -> None:
        """A newer model takes back what an older one chose, from whoever holds it."""
        rows = [row for place in turns if (row := self.pick_turn(place, state="leased"))]
        holder = {row.pk: row.annotator_id for row in rows}
        gone = self.run_async(
            query.recall(
                self.desks[0].conn,
                campaign_id=self.pools.id,
                spares=[Spare(row.pk, row.session, 0, True) for row in rows if row.session],
                newest=self.versions[newer],
                at_random=False,
                most=100,
            )
        )
        for _, turn in gone:
            row = Turn.objects.select_related("query").get(pk=turn)
            assert (row.state, row.query.state) == ("cancelled", "withdrawn")
            assert holder[turn] in row.former
            assert newer
            assert row.query.model_version_id == self.versions[0]

    @rule(image=which, asked=st.booleans())
    def a_file_is_lost(self, image: int, asked: bool) -> None:
        row = list(Image.objects.order_by("pk"))[image % IMAGES]
        out = excluded.set_aside(campaign_id=self.pools.id, faults={row.pk: FAULT}, asked=asked)
        assert out == [row.pk] * (row.state in ("unlabeled", *(["queried"] * asked)))

    @rule(pick=st.sets(which, min_size=1, max_size=3))
    def put_back(self, pick: set[int]) -> None:
        """By an owner, or because a file is there again: for everybody who has not answered."""
        images = {list(Image.objects.order_by("pk"))[place % IMAGES] for place in pick}
        out = {image.pk for image in images if image.state == "excluded"}
        skipped = {turn.image_id for turn in self.turns(image__in=images, state="skipped")}
        back = excluded.put_back(image_ids=[image.pk for image in images])
        assert set(back) == out | {
            image.pk for image in images if image.state == "queried" and image.pk in skipped
        }
        kept = self.turns(image__in=back, annotator_id__isnull=False)
        for turn in kept:
            # What keeps somebody from an image is an answer that stands, or a lease of it.
            assert turn.state in ("leased", "answered")
            standing = Label.objects.filter(turn=turn, retracted_at=None)
            people = set(standing.values_list("annotator_id", flat=True))
            assert turn.state == "leased" or turn.annotator_id in people
        assert not kept.filter(image__in=out, state="leased")

    @rule()
    def prune(self) -> None:
        withdrawn = Query.objects.filter(campaign=self.pools.campaign, state="withdrawn")
        withdrawn.update(closed_at=Now() - timedelta(hours=1))
        query.prune_withdrawn(campaign_id=self.pools.id, older_than_seconds=60)

    @rule()
    def follow(self) -> None:
        rows, self.horizon = labeled.follow(campaign_id=self.pools.id, since=self.horizon)
        self.followed |= {row.image_id: row.choice_id for row in rows}
        there = Consensus.objects.filter(campaign=self.pools.campaign)
        assert self.followed == dict(there.values_list("image_id", "choice_id"))


def test_whatever_happens_in_whatever_order_everything_holds(
    open_connection: OpenConnection, run: Run
) -> None:
    times = int(os.environ.get("NOWAIT_EXAMPLES", "1"))
    PoolsMachine.run_async = staticmethod(run)
    PoolsMachine.connections = [open_connection(), open_connection()]
    run_state_machine_as_test(
        PoolsMachine,
        settings=settings(
            max_examples=30 * times,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
