"""How much a worker puts into S: enough for the people who are there, and audits among it."""

import pytest

from al_engine.decisions.refill import CEILING_PER_PERSON, DEPTH_FLOOR
from al_engine.pools import campaigns, processes
from al_engine.pools.models import Campaign, EngineProcess, Image, Query

from .conftest import MakeCampaign
from .digits import true_choices
from .people import ask, join
from .roles import publish_model, working

pytestmark = pytest.mark.django_db(transaction=True)


def open_count(campaign: Campaign) -> int:
    """How many queries anybody may still take."""
    queries = Query.objects.filter(campaign=campaign, state="open")
    return queries.exclude(turns__state="leased").count()


def target_depth(campaign: Campaign) -> int:
    """How deep the workers want S to be."""
    return processes.target_depth(campaign_id=campaign.pk)


def test_s_grows_with_the_pace_of_the_people(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=1_797)
    people = [join(campaign) for _ in range(40)]
    ask(campaign, range(1_200))
    held = [(person, person.take(30)) for person in people]
    with working(campaign, "random") as workers:
        workers.step()
        assert open_count(campaign) == DEPTH_FLOOR
        # Far more a second than the floor is made for, however slow this machine is now.
        truth = true_choices(campaign)
        for person, turns in held:
            person.answer(turns, truth)
        workers.step()
        assert DEPTH_FLOOR < target_depth(campaign) <= CEILING_PER_PERSON * len(people)
        assert open_count(campaign) == min(target_depth(campaign), 1_797 - 1_200)


def test_s_is_as_deep_as_the_people_there_can_use_whatever_pace_was_measured(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=1_797)
    person = join(campaign)
    ask(campaign, range(1_200))
    turns = person.take(1_200)
    with working(campaign, "random") as workers:
        workers.step()
        person.answer(turns, true_choices(campaign))
        workers.step()
        assert target_depth(campaign) == DEPTH_FLOOR


def test_s_is_refilled_before_it_is_empty_and_not_for_every_answer(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=300)
    person = join(campaign)
    with working(campaign, "random") as workers:
        workers.step()
        person.take(24)
        workers.step()
        assert open_count(campaign) == DEPTH_FLOOR - 24
        person.take(1)
        workers.step()
        assert open_count(campaign) == DEPTH_FLOOR


def test_a_fixed_batch_comes_whole_when_half_of_the_last_is_taken(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=300, batch_size=40)
    person = join(campaign)
    with working(campaign, "random") as workers:
        workers.step()
        assert open_count(campaign) == 40
        person.take(19)
        workers.step()
        assert open_count(campaign) == 21
        person.take(1)
        workers.step()
        assert open_count(campaign) == 20 + 40


def test_a_fixed_batch_is_shared_out_among_the_workers(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300, batch_size=50)
    with working(campaign, "random", "random", "random") as workers:
        workers.step()
        parts = workers.crew.parts
    shares = [Query.objects.filter(campaign=campaign, worker_id=part.id).count() for part in parts]
    assert shares == [17, 17, 16]


@pytest.mark.parametrize(("rate", "audits"), [(0.0, 0), (1.0, DEPTH_FLOOR)])
def test_audits_are_as_frequent_as_the_campaign_says_and_ask_no_model(
    make_campaign: MakeCampaign, rate: float, audits: int
) -> None:
    campaign = make_campaign(pool=300, audit_rate=rate)
    publish_model(campaign, seed=1)
    with working(campaign, "entropy") as workers:
        workers.step()
    queries = Query.objects.filter(campaign=campaign, state="open")
    found = queries.filter(purpose="audit")
    assert queries.count() == DEPTH_FLOOR
    assert found.count() == audits
    assert not found.exclude(model_version=None, strategy="random").exists()


@pytest.mark.parametrize("strategy", ["random", "entropy"])
def test_an_image_drawn_for_an_audit_is_not_selected_as_well(
    make_campaign: MakeCampaign, strategy: str
) -> None:
    campaign = make_campaign(pool=DEPTH_FLOOR + 10, audit_rate=0.5)
    publish_model(campaign, seed=1)
    with working(campaign, strategy) as workers:
        workers.step()
    assert open_count(campaign) == DEPTH_FLOOR


def test_a_newer_model_replaces_no_audit(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300, audit_rate=0.5)
    publish_model(campaign, seed=1)
    with working(campaign, "entropy") as workers:
        workers.step()
        audits = set(audit_images(campaign))
        publish_model(campaign, seed=2)
        workers.step()
    assert audits <= set(audit_images(campaign))
    assert open_count(campaign) == DEPTH_FLOOR
    withdrawn = Query.objects.filter(campaign=campaign, state="withdrawn")
    assert set(withdrawn.values_list("purpose", flat=True)) == {"active"}


def test_places_that_wait_for_a_ranking_do_not_fill_with_audits(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=300, audit_rate=0.5)
    publish_model(campaign, seed=1)
    person = join(campaign)
    with working(campaign, "entropy") as workers:
        workers.step()
        person.take(DEPTH_FLOOR // 2)
        before = audit_images(campaign)
        publish_model(campaign, seed=2)
        workers.filler.look_around()
        for _ in range(10):
            workers.filler.fill()
        assert audit_images(campaign) == before
        workers.step()
    assert open_count(campaign) == DEPTH_FLOOR


def audit_images(campaign: Campaign) -> list[int]:
    audits = Query.objects.filter(campaign=campaign, state="open", purpose="audit")
    return list(audits.values_list("image_id", flat=True))


@pytest.mark.parametrize("strategy", ["random", "entropy"])
def test_d_is_asked_to_its_end_and_then_there_is_peace(
    make_campaign: MakeCampaign, strategy: str
) -> None:
    campaign = make_campaign(pool=30, audit_rate=0.3)
    publish_model(campaign, seed=1)
    person = join(campaign)
    with working(campaign, strategy) as workers:
        workers.step()
        assert open_count(campaign) == 30
        person.answer(person.take(30), true_choices(campaign))
        workers.step()
    assert open_count(campaign) == 0
    assert Image.objects.filter(campaign=campaign, state=Image.State.LABELED).count() == 30
    assert Query.objects.filter(campaign=campaign).count() == 30


def test_nothing_is_asked_while_the_campaign_is_paused(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)
    with working(campaign, "random") as workers:
        workers.step()
        assert open_count(campaign) == 0
        state = EngineProcess.objects.get(campaign=campaign, name="worker-1").state
        assert state == "the campaign is paused"
        campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.RUNNING)
        workers.step()
        assert open_count(campaign) == DEPTH_FLOOR
