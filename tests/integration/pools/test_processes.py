"""Who plays which server and worker: a part has one player, and the dead lose theirs."""

import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from stock import make_campaign

from al_engine.pools import processes
from al_engine.pools.models import Campaign, EngineProcess
from al_engine.pools.processes import SILENT_AFTER_SECONDS, Superseded

from .conftest import in_background


@pytest.fixture
def campaign() -> Campaign:
    """A campaign without processes."""
    return make_campaign()


def register(campaign: Campaign, name: str = "worker-1") -> processes.Part:
    """Take up a worker's part in this process."""
    return processes.register(campaign_id=campaign.pk, role="worker", name=name, strategy="margin")


def played_by(part: processes.Part, *, pid: int, host: str = "", silent: float = 0) -> None:
    """Let another process play this part, heard so many seconds ago."""
    EngineProcess.objects.filter(pk=part.id).update(
        pid=pid,
        host=host or socket.gethostname(),
        heartbeat_at=Now() - timedelta(seconds=silent),
    )


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_new_name_is_taken_at_once(campaign: Campaign) -> None:
    part = register(campaign)
    row = EngineProcess.objects.get()
    assert (part.id, part.name, part.role, part.strategy) == (
        *(row.pk, "worker-1", "worker", "margin"),
    )
    assert (row.host, row.pid, row.strategy, row.state) == (
        *(socket.gethostname(), os.getpid(), "margin", "starting"),
    )
    assert processes.live_workers(campaign_id=campaign.pk) == 1


def test_names_belong_to_a_campaign_and_a_role(campaign: Campaign) -> None:
    register(campaign)
    server = processes.register(campaign_id=campaign.pk, role="server", name="worker-1")
    assert (server.name, register(make_campaign()).name) == ("worker-1", "worker-1")


def test_a_name_that_a_live_process_elsewhere_has_makes_way_for_the_next(
    campaign: Campaign, dead: int
) -> None:
    played_by(register(campaign), pid=dead, host="elsewhere", silent=SILENT_AFTER_SECONDS - 1)
    assert register(campaign).name == "worker-2"
    assert register(campaign).name == "worker-3", "this process has the second"
    assert register(campaign, "worker-9").name == "worker-9"


def test_the_part_of_a_process_of_this_machine_that_is_gone_is_taken_over_at_once(
    campaign: Campaign, dead: int
) -> None:
    former = register(campaign)
    played_by(former, pid=dead)
    part = register(campaign)
    assert (part.id, part.name) == (former.id, "worker-1")
    assert EngineProcess.objects.get().pid == os.getpid()


def test_the_part_of_a_process_elsewhere_that_is_silent_is_taken_over(
    campaign: Campaign, dead: int
) -> None:
    former = register(campaign)
    played_by(former, pid=dead, host="elsewhere", silent=SILENT_AFTER_SECONDS + 0.5)
    assert register(campaign).id == former.id


def test_the_part_of_a_silent_process_is_taken_over_even_if_it_still_runs(
    campaign: Campaign,
) -> None:
    former = register(campaign)
    played_by(former, pid=os.getppid(), silent=SILENT_AFTER_SECONDS + 0.5)
    assert register(campaign).id == former.id


def test_whose_part_was_taken_over_learns_it_with_its_next_heartbeat(
    campaign: Campaign, dead: int
) -> None:
    mine, kept = register(campaign), register(campaign, "worker-5")
    processes.heartbeat(parts=[mine, kept])
    played_by(mine, pid=dead)
    with pytest.raises(Superseded):
        processes.heartbeat(parts=[mine, kept])
    # And what it says at its end does not end the part of its successor.
    processes.retire(parts=[mine])
    assert EngineProcess.objects.get(pk=mine.id).state != "stopped"


def test_a_heartbeat_makes_a_process_live_again(campaign: Campaign) -> None:
    part = register(campaign)
    played_by(part, pid=os.getpid(), silent=60)
    assert processes.live_workers(campaign_id=campaign.pk) == 0
    processes.heartbeat(parts=[part])
    assert processes.live_workers(campaign_id=campaign.pk) == 1


def test_who_retires_is_not_waited_for(campaign: Campaign) -> None:
    part = register(campaign)
    processes.report(process_id=part.id, state="selecting", depth=40, device="cpu", error="x")
    row = EngineProcess.objects.get()
    assert (row.state, row.depth, row.device, row.last_error) == ("selecting", 40, "cpu", "x")
    assert processes.target_depth(campaign_id=campaign.pk) == 40
    processes.retire(parts=[part])
    row.refresh_from_db()
    assert (row.state, row.depth) == ("stopped", 0)
    assert processes.live_workers(campaign_id=campaign.pk) == 0
    assert processes.target_depth(campaign_id=campaign.pk) == 0
    assert register(campaign).id == part.id


def test_what_is_not_said_stays_as_it_was(campaign: Campaign) -> None:
    part = register(campaign)
    processes.report(process_id=part.id, state="one", depth=3)
    processes.report(process_id=part.id, state="two")
    row = EngineProcess.objects.get()
    assert (row.state, row.depth) == ("two", 3)


def test_servers_are_no_workers(campaign: Campaign) -> None:
    processes.register(campaign_id=campaign.pk, role="server", name="server-1")
    assert processes.live_workers(campaign_id=campaign.pk) == 0


def test_two_processes_that_want_one_name_at_once_get_two(campaign: Campaign) -> None:
    registering = [in_background(register, campaign) for _ in range(5)]
    names = sorted(each.result().name for each in registering)
    assert names == [f"worker-{number}" for number in range(1, 6)]


def test_the_dead_of_this_machine_are_swept(campaign: Campaign, dead: int) -> None:
    gone, living, elsewhere = (register(campaign) for _ in range(3))
    played_by(gone, pid=dead)
    played_by(elsewhere, pid=dead, host="elsewhere")
    processes.sweep_dead(campaign_ids=[campaign.pk])
    states = dict(EngineProcess.objects.values_list("pk", "state"))
    assert states[gone.id] == "stopped"
    assert {states[living.id], states[elsewhere.id]} == {"starting"}
    assert processes.live_workers(campaign_id=campaign.pk) == 2
