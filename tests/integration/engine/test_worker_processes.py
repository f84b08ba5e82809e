"""Worker processes begin before torch has loaded, and take over from one another."""

import os
import signal
from pathlib import Path

import pytest
from django.db.models import Count

from al_engine.pools.models import Campaign, Cell, EngineProcess, Query
from al_engine.refill import DEPTH_FLOOR

from .children import Child, command
from .conftest import MakeCampaign
from .people import join

pytestmark = pytest.mark.django_db(transaction=True)

# Whoever imports torch waits until somebody writes into the pipe.
SLOW_TORCH = """
import pathlib, sys
class Gate:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            sys.meta_path.remove(self)
            pathlib.Path({pipe!r}).read_bytes()
sys.meta_path.insert(0, Gate())
"""


def open_queries(campaign: Campaign) -> int:
    return Query.objects.filter(campaign=campaign, state="open").count()


def held_by(campaign: Campaign, name: str) -> int:
    return Cell.objects.filter(campaign=campaign, worker__name=name).count()


def state_of(campaign: Campaign, name: str) -> str:
    return EngineProcess.objects.get(campaign=campaign, name=name).state


def assert_in_order(campaign: Campaign) -> None:
    """No image is in S twice, and images and queries say the same."""
    live = Query.objects.filter(campaign=campaign, state="open")
    assert not live.values("image").annotate(n=Count("id")).filter(n__gt=1).exists()
    queried = campaign.images.filter(state="queried").values_list("pk", flat=True)
    assert set(queried) == set(live.values_list("image_id", flat=True))


def test_people_have_queries_before_torch_has_loaded(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=300)
    pipe = tmp_path / "torch-may-load"
    os.mkfifo(pipe)
    (tmp_path / "sitecustomize.py").write_text(SLOW_TORCH.format(pipe=str(pipe)))
    with command(
        *("run_worker", campaign.slug, "--strategies=entropy,margin", "--device=cpu"),
        env=test_environment,
        log=tmp_path / "log",
        python_path=tmp_path,
    ) as worker:
        worker.until(lambda: open_queries(campaign) == DEPTH_FLOOR)
        # It goes on like this for as long as it takes.
        join(campaign).take(50)
        worker.until(lambda: open_queries(campaign) == DEPTH_FLOOR + 50)
        assert state_of(campaign, "worker-1") == "starting"
        pipe.write_bytes(b"now")
        worker.until(lambda: "before the first model" in state_of(campaign, "worker-2"))
        assert worker.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert_in_order(campaign)


def test_what_a_worker_held_goes_to_the_others_however_it_ends(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=600)

    def a_worker(first: int) -> "list[str]":
        return ["run_worker", campaign.slug, "--strategies=random", f"--first={first}"]

    def even(one: str, other: str) -> bool:
        return held_by(campaign, one) == held_by(campaign, other) == 32

    with command(*a_worker(1), env=test_environment, log=tmp_path / "1") as one:
        with command(*a_worker(2), env=test_environment, log=tmp_path / "2") as two:
            two.until(lambda: even("worker-1", "worker-2"))
            two.until(lambda: open_queries(campaign) == DEPTH_FLOOR)

            # Asleep for longer than its leases last, it finds them taken and writes nothing.
            two.send(signal.SIGSTOP)
            one.until(lambda: held_by(campaign, "worker-1") == 64)
            people_take_all(campaign, one)
            assert_in_order(campaign)
            two.send(signal.SIGCONT)
            two.until(lambda: even("worker-1", "worker-2"))
            assert_in_order(campaign)

            # Told to end, it lets go at once.
            assert two.end(signal.SIGTERM) == 128 + signal.SIGTERM
            assert held_by(campaign, "worker-2") == 0
            assert state_of(campaign, "worker-2") == "stopped"
            one.until(lambda: held_by(campaign, "worker-1") == 64)

        with command(*a_worker(2), env=test_environment, log=tmp_path / "3") as two:
            two.until(lambda: even("worker-1", "worker-2"))
            one.end(signal.SIGKILL)
            two.until(lambda: held_by(campaign, "worker-2") == 64)
            people_take_all(campaign, two)
    assert_in_order(campaign)


def people_take_all(campaign: Campaign, worker: Child) -> None:
    """The worker alone fills S again, from all of D."""
    newest = Query.objects.filter(campaign=campaign).order_by("-id")[0].pk
    join(campaign).take(DEPTH_FLOOR)
    fresh = Query.objects.filter(campaign=campaign, pk__gt=newest)
    worker.until(lambda: fresh.count() >= DEPTH_FLOOR)
    assert fresh.values("cell").distinct().count() > 32
