"""What a machine says of an image is stored as such, and never decides about it."""

import pytest

from al_engine.pools import excluded
from al_engine.pools.excluded import UNSHOWN, Fault
from al_engine.pools.models import Image, Query, Turn

from .conftest import MakePools, OpenDesk, Run
from .desk import states

REASONS = ["unsure", "bad_image", "other", *UNSHOWN]


@pytest.mark.parametrize("reason", REASONS)
def test_however_many_machines_skip_an_image_it_stays_and_somebody_else_is_asked(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, reason: str
) -> None:
    pools = make_pools(1, people=6)
    desk = open_desk(pools)
    *machines, person = pools.people
    for each in machines:
        turn = run(desk.claim_one(each)).turn_id
        assert run(desk.skip(each, turn, reason, "machine")) == "stored"
        assert run(desk.claim(each)) == [], "it does not come to the same again"
    assert Image.objects.get().state == "queried"
    stored = Turn.objects.filter(state="skipped").values_list("skip_reason", "skip_sender")
    assert set(stored) == {(reason, "machine")}
    assert len(stored) == len(machines)
    pools.check()
    run(desk.say(person, pools.choices[0]))
    assert Image.objects.get().state == "labeled"
    pools.check()


@pytest.mark.parametrize("first", ["person", "machine"])
def test_one_person_and_any_machines_are_one_voice(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, first: str
) -> None:
    pools = make_pools(1, people=4)
    desk = open_desk(pools)
    order = ["person", "machine", "machine"]
    for who, sender in zip(pools.people, order if first == "person" else order[::-1], strict=False):
        turn = run(desk.claim_one(who)).turn_id
        if sender == "person":
            run(desk.skip(who, turn, "bad_image"))
        else:
            run(desk.skip(who, turn, "bad_image", "machine"))
    assert Image.objects.get().state == "queried"
    pools.check()
    last = pools.people[3]
    run(desk.skip(last, run(desk.claim_one(last)).turn_id, "bad_image"))
    image = Image.objects.get()
    assert (image.state, image.excluded_for) == ("excluded", "verdict")
    pools.check()


def test_who_holds_an_image_that_is_set_aside_may_answer_it_and_it_stays_aside(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=2)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    held = run(desk.claim_one(ann)).turn_id
    run(desk.report(ben, run(desk.claim_one(ben)).turn_id, "not_found"))
    image = Image.objects.get()
    fault = Fault("gone", "The storage has no such file.")
    assert excluded.set_aside(campaign_id=pools.id, faults={image.pk: fault}, asked=True)
    assert states()[:2] == ("excluded", "closed")
    assert run(desk.claim(cem)) == []
    assert run(desk.answer(ann, held, pools.choices[0])) == "stored"
    assert Image.objects.get().state == "excluded"
    pools.check()


def test_what_is_in_l_is_never_set_aside(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    run(desk.say(ann, pools.choices[0]))
    image = Image.objects.get()
    fault = Fault("gone", "The storage has no such file.")
    for asked in (True, False):
        assert not excluded.set_aside(campaign_id=pools.id, faults={image.pk: fault}, asked=asked)
    assert Image.objects.get().state == "labeled"
    assert Query.objects.get().state == "closed"


def test_reports_are_found_as_long_as_their_image_is_asked(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    desk, ann = open_desk(pools), pools.people[0]
    for problem in ("not_found", "unsure"):
        run(desk.skip(ann, run(desk.claim_one(ann)).turn_id, problem, "machine"))
    (report,) = excluded.unshown(campaign_id=pools.id)
    assert report.skip_reason == "not_found"
    excluded.put_back(image_ids=[report.image_id])
    assert not excluded.unshown(campaign_id=pools.id).exists()
