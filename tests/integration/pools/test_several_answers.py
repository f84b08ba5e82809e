"""Several answers an image: exactly as many as were asked for, and what they add up to."""

import asyncio
from collections import Counter

import pytest

from al_engine.pools import sizes
from al_engine.pools.models import Campaign, Consensus, Image, Label, Query, Turn
from annotator_site.labeling.batch import Batch

from .conftest import MakePools, OpenDesk, Run, commit_when_waited_for
from .desk import Desk, give_to, run_out


async def vote(desk: Desk, votes: list[tuple[int, int]]) -> None:
    """Let people answer the only image, one after the other: (person, choice)."""
    for person, choice in votes:
        turn = await desk.claim_one(person)
        assert await desk.answer(person, turn.turn_id, choice) == "stored"


def test_an_image_is_decided_with_its_last_answer(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=3)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    cat, dog = pools.choices
    run(vote(desk, [(ann, cat), (ben, dog)]))
    assert Image.objects.get().state == "queried"
    assert not Consensus.objects.exists()
    pools.check()
    run(vote(desk, [(cem, dog)]))
    consensus = Consensus.objects.get()
    assert (consensus.choice_id, consensus.answers) == (dog, 3)
    assert consensus.confidence == pytest.approx(2 / 3)
    assert (Image.objects.get().state, Query.objects.get().state) == ("labeled", "closed")
    pools.check()


@pytest.mark.parametrize("said", ["abab", "abba", "baab", "baba"])
def test_among_equals_the_class_that_was_said_first_wins(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, said: str
) -> None:
    pools = make_pools(1, people=4, answers_per_image=4)
    choice = dict(zip("ab", pools.choices, strict=True))
    votes = [(person, choice[c]) for person, c in zip(pools.people, said, strict=True)]
    run(vote(open_desk(pools), votes))
    assert Consensus.objects.get().choice_id == choice[said[0]]
    assert Consensus.objects.get().confidence == 0.5
    pools.check()


def test_answers_that_come_together_in_one_batch_decide_together(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(4, answers_per_image=3)
    desk = open_desk(pools)
    said = []
    for person in pools.people:
        for _ in range(4):
            turn = run(desk.claim_one(person))
            said.append(desk.label(person, turn.turn_id, pools.choices[0]))
    outcome = run(desk.run(Batch(said)))
    assert Counter(outcome.answers.values()) == {"stored": 12}
    assert outcome.progress.labeled == 4
    assert set(Consensus.objects.values_list("answers", flat=True)) == {3}
    pools.check()


def test_two_last_answers_at_once_see_each_other(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=2)
    first, second = open_desk(pools), open_desk(pools)
    ann, ben, _ = pools.people
    one, two = run(first.claim_one(ann)), run(second.claim_one(ben))
    run(first.conn.execute("BEGIN"))
    run(first.answer(ann, one.turn_id, pools.choices[0]))
    run(commit_when_waited_for(first.conn, second.answer(ben, two.turn_id, pools.choices[1])))
    assert Consensus.objects.get().answers == 2
    assert Image.objects.get().state == "labeled"
    pools.check()


@pytest.mark.parametrize("wanted", [1, 3])
def test_no_image_gets_more_answers_than_asked_for_however_many_answer_at_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, wanted: int
) -> None:
    pools = make_pools(12, people=9, answers_per_image=wanted)
    desks = [open_desk(pools) for _ in range(3)]

    async def serve(desk: Desk, people: list[int]) -> None:
        """Take one, answer one, take the next, until there is nothing for anybody here."""
        empty = 0
        while empty < len(people):
            empty = 0
            for place, person in enumerate(people):
                turns = await desk.claim(person)
                empty += not turns
                for turn in turns:
                    choice = pools.choices[(place + turn.turn_id) % 2]
                    assert await desk.answer(person, turn.turn_id, choice) == "stored"

    async def serve_all() -> None:
        await asyncio.gather(
            *(serve(desk, pools.people[place::3]) for place, desk in enumerate(desks))
        )

    # A claim at random may meet only known images and give none: who is left goes by the exact.
    run(serve_all())
    for person in pools.people:
        while sizes.open_depth(campaign_id=pools.id):
            before = sizes.open_depth(campaign_id=pools.id)
            turn = run(desks[0].claim_one(person))
            run(desks[0].answer(person, turn.turn_id, pools.choices[0]))
            if sizes.open_depth(campaign_id=pools.id) == before:
                break
    counts = Counter(Label.objects.values_list("image_id", flat=True))
    assert set(counts.values()) == {wanted}
    assert len(counts) == 12
    assert not Image.objects.exclude(state="labeled").exists()
    pools.check()


def test_where_the_answers_disagree_one_more_is_asked_up_to_the_maximum(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=6, answers_per_image=2, max_answers=5, confidence=0.7)
    desk = open_desk(pools)
    cat, dog = pools.choices
    people = iter(pools.people)
    # 1:1, 2:1 and 2:2 are below 0.7 …
    for said, turns in ((cat, 1), (dog, 1), (cat, 1), (dog, 1)):
        run(vote(desk, [(next(people), said)]))
        assert Image.objects.get().state == "queried"
        assert Turn.objects.filter(state="open").count() == turns
        pools.check()
    # … and the fifth is the last, whatever it says.
    run(vote(desk, [(next(people), dog)]))
    assert (Consensus.objects.get().choice_id, Consensus.objects.get().answers) == (dog, 5)
    assert not Turn.objects.filter(state="open").exists()
    pools.check()


def test_a_late_answer_that_disagrees_makes_a_decision_less_sure(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    """The image stays in L, where the consensus says what all answers add up to now."""
    pools = make_pools(1, answers_per_image=1, max_answers=3, confidence=0.7)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    cat, dog = pools.choices
    turn = run(desk.claim_one(ann)).turn_id
    run_out(turn)
    run(desk.expire())
    assert run(desk.claim_one(ben)).turn_id == turn
    assert run(desk.answer(ann, turn, cat)) == "stored"
    assert run(desk.answer(ben, turn, dog)) == "stored"
    consensus = Consensus.objects.get()
    assert (consensus.choice_id, consensus.answers, consensus.confidence) == (cat, 2, 0.5)
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_answers_that_agree_are_enough_at_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=3, answers_per_image=2, max_answers=3, confidence=1.0)
    cat = pools.choices[0]
    run(vote(open_desk(pools), [(pools.people[0], cat), (pools.people[1], cat)]))
    assert Image.objects.get().state == "labeled"
    pools.check()


@pytest.mark.parametrize(("confidence", "decided"), [(0.74, True), (0.75, True), (0.76, False)])
def test_the_leading_class_must_have_the_campaigns_confidence(
    make_pools: MakePools,
    open_desk: OpenDesk,
    run: Run,
    confidence: float,
    decided: bool,
) -> None:
    pools = make_pools(1, people=4, answers_per_image=4, max_answers=9, confidence=confidence)
    cat, dog = pools.choices
    run(vote(open_desk(pools), list(zip(pools.people, [cat, cat, dog, cat], strict=True))))
    assert (Image.objects.get().state == "labeled") is decided
    pools.check()


def test_without_a_maximum_a_bare_lead_is_enough(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=3, answers_per_image=3, confidence=1.0)
    cat, dog = pools.choices
    run(vote(open_desk(pools), list(zip(pools.people, [cat, dog, dog], strict=True))))
    assert Consensus.objects.get().choice_id == dog
    pools.check()


def test_what_was_asked_for_counts_even_if_the_campaign_asks_for_more_by_now(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=2)
    desk = open_desk(pools)
    Campaign.objects.filter(pk=pools.id).update(answers_per_image=3)
    run(vote(desk, [(person, pools.choices[0]) for person in pools.people[:2]]))
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_a_late_answer_beyond_the_last_changes_the_consensus_only_by_counting(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    cat, dog = pools.choices
    turn = run(desk.claim_one(ann)).turn_id
    run_out(turn)
    run(desk.expire())
    give_to(ben, turn)
    run(desk.answer(ben, turn, dog))
    run(desk.answer(ann, turn, cat))
    consensus = Consensus.objects.get()
    assert (consensus.choice_id, consensus.answers, consensus.confidence) == (dog, 2, 0.5)
    assert not Query.objects.filter(state="open").exists()
    pools.check()
