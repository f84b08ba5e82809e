"""A machine's engine: campaigns wake with their first person or label, and rest without."""

from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from al_engine.decisions.refill import CEILING_PER_PERSON, DEPTH_FLOOR
from al_engine.decisions.sharing import REST_AFTER_SECONDS, TURN_SECONDS
from al_engine.pools import campaigns, processes, sizes
from al_engine.pools.models import Campaign, EngineProcess, Turn
from al_engine.pools.processes import Part
from al_engine.roles.engine import EMBEDDER, EngineOptions
from al_engine.roles.machine import Machine
from al_engine.supervision.child import Child

from .children import command
from .conftest import MakeCampaign
from .people import join, label

pytestmark = pytest.mark.django_db(transaction=True)
ROOM = 4
POOL = 2 * DEPTH_FLOOR


class Written:
    """Processes that are written down instead of started; they end when told to by the test."""

    def __init__(self) -> None:
        self.needed: dict[str, Child] = {}
        self.ending: set[str] = set()

    def start(self, child: Child) -> None:
        self.needed[child.name] = child

    def stop(self, name: str) -> None:
        del self.needed[name]
        self.ending.add(name)

    def running(self) -> AbstractSet[str]:
        return self.needed.keys() | self.ending


class Engine:
    """A machine's engine whose clock the test moves."""

    def __init__(self, *slugs: str, room: int = ROOM) -> None:
        self.processes = Written()
        options = EngineOptions(worker_processes=1, device="cpu")
        self.machine = Machine(self.processes, options, slugs, room=room)
        self.now = 1_000.0
        self.step(lost=True)

    def step(self, *heard: tuple[str, int], after: float = 0.0, lost: bool = False) -> list[str]:
        """The names of all processes that are needed after a step, `after` seconds later."""
        self.now += after
        while self.machine.step(None if lost else heard, self.now):
            pass
        return sorted(self.processes.needed)


def of(campaign: Campaign, *, models: bool = True) -> list[str]:
    """The names of a campaign's processes while it is awake."""
    servers = [f"server-{campaign.slug}-1"] if models else []
    return [*servers, f"workers-{campaign.slug}-1"]


def give_back(campaign: Campaign) -> None:
    """Everybody leaves."""
    Turn.objects.filter(campaign=campaign, state="leased").update(
        state="open", annotator=None, session=None, lease_expires=None
    )


def doing(campaign: Campaign) -> tuple[str, bool]:
    row = EngineProcess.objects.get(campaign=campaign, role="engine")
    return row.state, row.idle


def a_server(campaign: Campaign) -> Part:
    return processes.register(campaign_id=campaign.pk, role="server", name="server-1")


def test_a_campaign_at_rest_costs_no_process_and_nobody_who_comes_waits(
    make_campaign: MakeCampaign,
) -> None:
    several = [make_campaign(pool=POOL, architectures=["small_cnn"]) for _ in range(3)]
    engine = Engine()
    assert engine.step() == []
    for campaign in several:
        assert sizes.open_depth(campaign_id=campaign.pk) >= DEPTH_FLOOR
        assert doing(campaign) == ("at rest", True)
        assert not campaign.cells.exclude(worker=None).exists()
        assert processes.live_workers(campaign_id=campaign.pk) == 0
    assert join(several[0]).take(20)


def test_it_wakes_with_a_person_and_rests_some_minutes_after_the_last(
    make_campaign: MakeCampaign,
) -> None:
    campaign, other = (make_campaign(pool=POOL, architectures=["small_cnn"]) for _ in range(2))
    engine = Engine()
    assert engine.machine.is_for_rest("people", campaign.pk)
    join(campaign).take(5)
    assert engine.step() == of(campaign), "queries are held"
    assert engine.machine.is_for_rest("people", other.pk)
    assert not engine.machine.is_for_rest("people", campaign.pk)
    assert engine.step(after=REST_AFTER_SECONDS + 1) == of(campaign), "they still are"
    give_back(campaign)
    assert engine.step(after=REST_AFTER_SECONDS - 1) == of(campaign)
    server = a_server(campaign)
    assert engine.step(after=2) == of(campaign), "its server may be about to train"
    processes.report(process_id=server.id, state="waiting for new labels", idle=True)
    assert engine.step() == []
    assert engine.step(("people", campaign.pk)) == of(campaign), "somebody opens its page"


def test_whoever_comes_while_it_goes_to_rest_has_queries_at_every_moment(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=POOL, architectures=["small_cnn"], servers=0)
    engine = Engine()
    engine.step(("people", campaign.pk))
    person = join(campaign)
    person.take(DEPTH_FLOOR)
    give_back(campaign)
    assert engine.step(after=REST_AFTER_SECONDS) == []
    # Its workers end and still hold their cells: nobody else fills S before they are gone.
    before = sizes.open_depth(campaign_id=campaign.pk)
    person.take(DEPTH_FLOOR - 10)
    assert sizes.open_depth(campaign_id=campaign.pk) > 0
    assert engine.step() == of(campaign, models=False), "it is awake again before they have ended"
    assert sizes.open_depth(campaign_id=campaign.pk) == before - DEPTH_FLOOR + 10
    give_back(campaign)
    assert engine.step(after=REST_AFTER_SECONDS) == []
    engine.processes.ending.clear()
    engine.step()
    assert sizes.open_depth(campaign_id=campaign.pk) >= DEPTH_FLOOR


def test_s_is_deeper_at_rest_where_more_people_came_before(make_campaign: MakeCampaign) -> None:
    crowd = DEPTH_FLOOR // CEILING_PER_PERSON + 2
    campaign = make_campaign(pool=4 * DEPTH_FLOOR, architectures=["small_cnn"], servers=0)
    for number in range(crowd):
        label(join(campaign), [number])
    engine = Engine()
    engine.step(("labels", campaign.pk))
    assert engine.step(after=REST_AFTER_SECONDS) == []
    engine.step()
    assert sizes.open_depth(campaign_id=campaign.pk) >= crowd * CEILING_PER_PERSON


def test_labels_are_learned_before_it_rests(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=POOL, architectures=["small_cnn"])
    label(join(campaign), range(40))
    engine = Engine()
    assert engine.step(after=2 * REST_AFTER_SECONDS) == of(campaign)
    server = a_server(campaign)
    processes.report(process_id=server.id, state="training")
    assert engine.step(after=2 * REST_AFTER_SECONDS) == of(campaign)
    processes.report(process_id=server.id, state="waiting for new labels", idle=True)
    assert engine.step() == []
    processes.retire(parts=[server])
    # It published nothing, as after labels that nothing can be learned from: that is no news.
    assert engine.step() == []
    label(join(campaign), range(40, 42))
    assert engine.step(("labels", campaign.pk)) == of(campaign)


def test_a_change_of_settings_wakes_it_and_what_the_engine_chooses_does_not(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=POOL, architectures=["small_cnn"], servers=0)
    engine = Engine()
    Campaign.objects.filter(pk=campaign.pk).update(chosen_because="It suits the images.")
    assert engine.step(("campaign", campaign.pk)) == []
    campaign.strategies = ["margin"]
    campaigns.save_settings(campaign=campaign)
    assert engine.step(("campaign", campaign.pk)) == of(campaign, models=False)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.FINISHED)
    assert engine.step() == []
    assert EngineProcess.objects.get(campaign=campaign, role="engine").state == "stopped"


def test_more_than_there_is_room_for_take_turns_with_their_models(
    make_campaign: MakeCampaign,
) -> None:
    first, second = (make_campaign(pool=POOL, architectures=["small_cnn"]) for _ in range(2))
    engine = Engine(room=2)
    join(first).take(5)
    assert engine.step() == of(first)
    join(second).take(5)
    # Its S is deep enough to wait until what starts for the first takes no more cores.
    assert engine.step() == of(first)
    assert engine.step(after=1) == sorted([*of(first), *of(second, models=False)])
    assert "--fill-only" in engine.processes.needed[f"workers-{second.slug}-1"].argv
    assert engine.step(after=TURN_SECONDS - 1) == sorted([*of(first, models=False), *of(second)])
    engine.step(after=2)
    assert doing(first) == ("at work, its models wait for room", False)


def test_images_are_embedded_while_it_rests(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=POOL, architectures=["probe:resnet18"])
    engine = Engine()
    assert engine.step() == [EMBEDDER]
    assert engine.step(after=100) == [EMBEDDER], "it may still be loading torch"
    part = processes.register(
        campaign_id=campaign.pk, role="embedder", name="embedder-1", strategy="probe:resnet18"
    )
    assert engine.step(after=1_000) == [EMBEDDER]
    processes.report(process_id=part.id, state="all are embedded", idle=True)
    assert engine.step(after=100) == []
    assert engine.step(("pool", campaign.pk)) == [EMBEDDER]


def test_a_named_campaign_is_awake_from_the_start(make_campaign: MakeCampaign) -> None:
    campaign, _ = (
        make_campaign(pool=POOL, architectures=["small_cnn"], servers=0) for _ in range(2)
    )
    engine = Engine(campaign.slug)
    assert engine.step() == of(campaign, models=False)
    assert engine.step(after=REST_AFTER_SECONDS) == []


def test_real_processes_wake_and_fill_s_for_who_has_come(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=6 * DEPTH_FLOOR, strategies=["random"], servers=0, workers=1)
    with command(
        "run_engine", "--device=cpu", env=test_environment, log=tmp_path / "log"
    ) as engine:
        engine.until(
            lambda: (
                sizes.open_depth(campaign_id=campaign.pk) >= DEPTH_FLOOR
                and not processes.live_workers(campaign_id=campaign.pk)
            )
        )
        person = join(campaign)
        person.take(10)
        engine.until(lambda: processes.live_workers(campaign_id=campaign.pk) == 1)
        taken = sizes.open_depth(campaign_id=campaign.pk) - DEPTH_FLOOR // 4
        person.take(taken)
        engine.until(lambda: sizes.open_depth(campaign_id=campaign.pk) >= DEPTH_FLOOR)
