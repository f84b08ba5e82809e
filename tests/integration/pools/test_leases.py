"""Leases end by the database's clock, are renewed, resumed and given back."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now

from al_engine.pools import campaigns, query
from al_engine.pools.models import Campaign, Query, Turn
from al_engine.pools.turns import Demand
from annotator_site.labeling.batch import Batch, Resume, Submission
from annotator_site.labeling.protocol import SkipMessage

from .conftest import MakePools, OpenDesk, Run
from .desk import LEASE_SECONDS, Desk, run_out


def left(turn: int) -> float:
    """Seconds that a lease still has, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT extract(epoch FROM lease_expires - clock_timestamp())
               FROM pools_turn WHERE id = %s""",
            [turn],
        )
        return float(cursor.fetchone()[0])


def test_a_lease_lasts_as_long_as_the_campaign_says(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    (turn,) = run(open_desk(pools).claim(pools.people[0]))
    assert LEASE_SECONDS - 10 < left(turn.turn_id) <= LEASE_SECONDS


def test_a_renewal_waits_for_nobody_who_answers(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    """Who answers may wait for a turn that is being renewed: both waiting would stand still."""
    pools = make_pools(2)
    desk, caretaker, ann = open_desk(pools), open_desk(pools), pools.people[0]
    answered, kept = run(desk.claim(ann, 2))
    run(caretaker.conn.execute("SET lock_timeout = '50ms'"))
    run(desk.conn.execute("BEGIN"))
    run(desk.answer(ann, answered.turn_id, pools.choices[0]))
    holders = [(ann, desk.session(ann).id)]
    run(query.renew(caretaker.conn, campaign_id=pools.id, holders=holders, seconds=9_000))
    run(desk.conn.execute("COMMIT"))
    assert left(kept.turn_id) > 8_000
    assert Turn.objects.get(pk=answered.turn_id).state == "answered"
    pools.check()


def test_a_lease_that_ran_out_is_free_again_and_its_holder_is_remembered(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    desk, ann = open_desk(pools), pools.people[0]
    gone, kept = run(desk.claim(ann, 2))
    key = Turn.objects.get(pk=gone.turn_id).key
    run_out(gone.turn_id, seconds=0.001)
    swept = run(query.expire(desk.conn, campaign_id=pools.id, sessions=desk.range))
    assert swept == [(gone.session, gone.turn_id)]
    row = Turn.objects.get(pk=gone.turn_id)
    assert (row.state, row.annotator_id, row.session, row.lease_expires) == (
        *("open", None, None, None),
    )
    assert row.former == [ann]
    assert row.key != key, "it does not come to whoever starts at the same place next"
    assert Turn.objects.get(pk=kept.turn_id).state == "leased"
    pools.check()


def test_whoever_lost_a_turn_many_times_is_remembered_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    for person in (ann, ann, ben, ann):
        run_out(run(desk.claim_one(person)).turn_id)
        run(desk.expire())
    assert Turn.objects.get().former == [ben, ann]


@pytest.mark.parametrize(("seconds", "taken"), [(0.5, False), (2.5, False), (3.5, True)])
def test_leases_of_other_web_processes_are_taken_back_three_seconds_later(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, seconds: float, taken: bool
) -> None:
    pools = make_pools(1)
    died, living = open_desk(pools), open_desk(pools)
    turn = run(died.claim_one(pools.people[0])).turn_id
    run_out(turn, seconds=seconds)
    assert bool(run(living.expire())) is taken
    # Its own process takes it at once, and can tell its person.
    assert bool(run(died.expire())) is not taken


def test_a_lease_that_lasts_is_not_taken(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    run(desk.claim_one(pools.people[0]))
    assert run(desk.expire()) == []


def test_a_lease_of_a_query_that_was_closed_meanwhile_is_cancelled(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    turn = run(desk.claim_one(ann)).turn_id
    # Ben's turn is one too many: it was opened when somebody skipped.
    extra = Turn.objects.create(
        campaign=pools.campaign, query=Query.objects.get(), image_id=Query.objects.get().image_id
    )
    run(desk.claim_one(ben))
    run(desk.answer(ann, turn, pools.choices[0]))
    run_out(extra.pk)
    assert run(desk.expire()) == [extra.pk]
    assert Turn.objects.get(pk=extra.pk).state == "cancelled"
    assert run(desk.answer(ben, extra.pk, pools.choices[0])) == "stored", "late all the same"
    pools.check()


def test_a_turn_that_is_answered_now_is_not_taken_back_under_the_hand(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    first, second = open_desk(pools), open_desk(pools)
    ann = pools.people[0]
    turn = run(first.claim_one(ann)).turn_id
    run_out(turn)
    run(first.conn.execute("BEGIN"))
    run(first.answer(ann, turn, pools.choices[0]))
    assert run(second.expire()) == [], "it waits for nobody, and passes over it"
    run(first.conn.execute("COMMIT"))
    assert run(second.expire()) == []
    assert Turn.objects.get().state == "answered"
    pools.check()


def test_a_query_that_closes_while_a_lease_of_it_is_swept_leaves_no_open_turn(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=2)
    first, second = open_desk(pools), open_desk(pools)
    ann, ben, cem = pools.people
    mine, other = run(first.claim_one(ann)).turn_id, run(first.claim_one(ben)).turn_id
    # Cem is late to the turn that ben holds by now: with ann's, that is enough.
    Turn.objects.filter(pk=other).update(former=[cem])
    run(first.answer(ann, mine, pools.choices[0]))
    run_out(other)
    run(first.conn.execute("BEGIN"))
    run(first.answer(cem, other, pools.choices[0]))
    run(second.expire())
    run(first.conn.execute("COMMIT"))
    run(second.expire())
    assert Turn.objects.get(pk=other).state == "cancelled"
    pools.check()


# Renew, resume, give back.


def test_a_renewed_lease_starts_anew_and_nobody_elses_does(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(3)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    mine, others = run(desk.claim_one(ann)).turn_id, run(desk.claim_one(ben)).turn_id
    leased = Turn.objects.filter(state="leased")
    leased.update(lease_expires=Now() + timedelta(seconds=5))
    holders = [(ann, desk.session(ann).id), (ben, uuid4())]
    run(query.renew(desk.conn, campaign_id=pools.id, holders=holders, seconds=60))
    assert 50 < left(mine) <= 60
    assert left(others) <= 5


def test_a_connection_that_drops_keeps_its_leases_for_a_short_while(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    desk, ann = open_desk(pools), pools.people[0]
    turns = run(desk.claim(ann, 2))
    run(desk.run(Batch(left=[(ann, desk.session(ann).id)])))
    assert all(20 < left(turn.turn_id) <= 30 for turn in turns)
    assert run(desk.expire()) == []


def test_who_comes_back_gets_their_leases_again_under_the_new_connection(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(3)
    before, after = open_desk(pools), open_desk(pools)
    ann = pools.people[0]
    held = run(before.claim(ann, 2))
    run(before.run(Batch(left=[(ann, before.session(ann).id)])))
    resumed = resume(run, after, ann, before.session(ann).id)
    assert resumed == {turn.turn_id for turn in held}
    sessions = Turn.objects.filter(state="leased").values_list("session", flat=True)
    assert set(sessions) == {after.session(ann).id}
    assert all(left(turn) > 100 for turn in resumed)
    # The former connection has nothing left to renew, to take back or to resume.
    run(before.run(Batch(left=[(ann, before.session(ann).id)])))
    assert all(left(turn) > 100 for turn in resumed)
    assert resume(run, before, ann, before.session(ann).id) == set()
    pools.check()


def resume(run: Run, desk: Desk, person: int, former: UUID) -> set[int]:
    """The turns that a connection takes up from a former one."""
    outcome = run(desk.run(Batch(resumes=[Resume(desk.session(person), former)])))
    return {turn.turn_id for turn in outcome.turns}


def test_nobody_resumes_what_somebody_else_held(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    run(desk.claim_one(ann))
    assert resume(run, desk, ben, desk.session(ann).id) == set()
    assert Turn.objects.get().annotator_id == ann


def test_nothing_is_resumed_while_the_campaign_does_not_run(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = run(desk.claim_one(ann)).turn_id
    campaigns.set_state(campaign_id=pools.id, state=Campaign.State.PAUSED)
    assert resume(run, desk, ann, desk.session(ann).id) == set()
    campaigns.set_state(campaign_id=pools.id, state=Campaign.State.RUNNING)
    assert resume(run, desk, ann, desk.session(ann).id) == {turn}


def test_what_ran_out_but_was_not_swept_can_be_resumed(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    before, after = open_desk(pools), open_desk(pools)
    ann = pools.people[0]
    turn = run(before.claim_one(ann)).turn_id
    run_out(turn, seconds=1)
    assert resume(run, after, ann, before.session(ann).id) == {turn}
    assert run(before.expire()) == []


def test_leases_that_are_given_back_are_free_at_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(4)
    desk, other = open_desk(pools), open_desk(pools)
    ann, ben, _ = pools.people
    mine = run(desk.claim(ann, 2))
    theirs = run(other.claim(ben, 2))
    session = desk.session(ann).id

    async def give_back() -> list[tuple[UUID, int]]:
        await query.renew(desk.conn, campaign_id=pools.id, holders=[(ann, session)], seconds=-1)
        return await query.expire(desk.conn, campaign_id=pools.id, sessions=(session, session))

    assert set(run(give_back())) == {(session, turn.turn_id) for turn in mine}
    assert {row.pk for row in Turn.objects.filter(state="leased")} == {
        turn.turn_id for turn in theirs
    }
    pools.check()


def test_a_batch_does_labels_skips_departures_and_claims_together(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(9)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    (one,), (two,), (three,) = (run(desk.claim(person)) for person in pools.people)
    label = desk.label(ann, one.turn_id, pools.choices[0])
    skip = Submission(desk.session(ben), SkipMessage(uuid4(), two.turn_id, "unsure"))
    outcome = run(
        desk.run(
            Batch(
                submissions=[label, skip],
                left=[(cem, desk.session(cem).id)],
                demands=[Demand(ann, desk.session(ann).id, 2)],
            )
        )
    )
    assert outcome.answers == {(ann, label.message.id): "stored"}
    assert outcome.skips == {(ben, two.turn_id): "stored"}
    assert 0 < left(three.turn_id) <= 30
    assert len(outcome.turns) == 2
    assert (outcome.progress.labeled, outcome.progress.total, outcome.progress.answers) == (
        *(1, 9, 1),
    )
    pools.check()
