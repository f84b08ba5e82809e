"""Worker processes begin before torch has loaded, and take over from one another."""

import os
import signal
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.db import transaction
from django.db.models import Count
from django.db.models.functions import Now

from al_engine.decisions.refill import COLD_FLOOR, DEPTH_FLOOR
from al_engine.pools import signals, sizes
from al_engine.pools.models import Campaign, Cell, EngineProcess, Query, Ranking

from .children import PATIENCE_S, Child, command
from .conftest import MakeCampaign
from .people import join
from .roles import publish_model

pytestmark = pytest.mark.django_db(transaction=True)

# Whoever imports torch waits until somebody writes into the pipe. As in torch itself, exceptions
# on the way are nobody's business.
SLOW_TORCH = """
import contextlib, pathlib, sys
class Gate:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            sys.meta_path.remove(self)
            with contextlib.suppress(BaseException):
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


class Gate:
    """Processes that have `folder` in their Python path wait here before they load torch."""

    def __init__(self, folder: Path) -> None:
        self.pipe = folder / "torch-may-load"
        os.mkfifo(self.pipe)
        (folder / "sitecustomize.py").write_text(SLOW_TORCH.format(pipe=str(self.pipe)))
        self._file = -1

    def is_reached(self) -> bool:
        """Whether a process waits; it does so until `open`."""
        try:
            self._file = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads
            return False
        return True

    def open(self) -> None:
        """Let the process go on."""
        os.close(self._file)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_people_have_queries_before_torch_has_loaded(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path, gate: Gate
) -> None:
    campaign = make_campaign(pool=2 * COLD_FLOOR)
    with command(
        *("run_worker", campaign.slug, "--strategies=entropy,margin", "--device=cpu"),
        env=test_environment,
        log=tmp_path / "log",
        python_path=tmp_path,
    ) as worker:
        worker.until(lambda: open_queries(campaign) == COLD_FLOOR)
        # It goes on like this for as long as it takes.
        join(campaign).take(COLD_FLOOR // 2)
        worker.until(lambda: open_queries(campaign) > COLD_FLOOR)
        assert state_of(campaign, "worker-1") == "starting"
        assert ended_while_torch_loads(worker, gate)
    assert_in_order(campaign)
    assert not campaign.cells.exclude(worker=None).exists()
    assert {state_of(campaign, f"worker-{number}") for number in (1, 2)} == {"stopped"}


def test_a_server_that_is_told_to_end_while_torch_loads_ends(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path, gate: Gate
) -> None:
    campaign = make_campaign(pool=10)
    with command(
        *("run_server", campaign.slug, "--device=cpu"),
        env=test_environment,
        log=tmp_path / "log",
        python_path=tmp_path,
    ) as server:
        assert ended_while_torch_loads(server, gate)


def ended_while_torch_loads(process: Child, gate: Gate) -> bool:
    """Tell a process to end at its gate; whether it does so in order, once torch has loaded."""
    process.until(gate.is_reached)
    process.send(signal.SIGTERM)
    process.until(lambda: not is_pending(process.process.pid, signal.SIGTERM))
    gate.open()
    return process.process.wait(PATIENCE_S) == 128 + signal.SIGTERM


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a signal was sent to a process that has not taken notice yet."""
    status = Path(f"/proc/{pid}/status").read_text()
    (pending,) = (line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd"))
    return bool(int(pending, 16) & 1 << (number - 1))


def test_what_a_worker_held_goes_to_the_others_however_it_ends(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=3 * COLD_FLOOR)

    def a_worker(first: int) -> list[str]:
        return ["run_worker", campaign.slug, "--strategies=random", f"--first={first}"]

    def is_shared_out() -> bool:
        return held_by(campaign, "worker-1") == held_by(campaign, "worker-2") == 32

    with (
        command(*a_worker(1), env=test_environment, log=tmp_path / "1") as one,
        command(*a_worker(2), env=test_environment, log=tmp_path / "2") as two,
    ):
        two.until(is_shared_out)
        two.until(lambda: open_queries(campaign) >= DEPTH_FLOOR)

        # Asleep for longer than its leases last, it finds them taken and writes nothing.
        two.send(signal.SIGSTOP)
        was_silent_for_long(campaign, "worker-2")
        one.until(lambda: held_by(campaign, "worker-1") == 64)
        people_take_all(campaign, one)
        assert_in_order(campaign)
        two.send(signal.SIGCONT)
        two.until(is_shared_out)
        assert_in_order(campaign)

        # Dead, it says nothing: the other takes over once its leases have run out.
        one.end(signal.SIGKILL)
        was_silent_for_long(campaign, "worker-1")
        two.until(lambda: held_by(campaign, "worker-2") == 64)
        people_take_all(campaign, two)
        assert_in_order(campaign)

        # Told to end, it lets go at once.
        assert two.end(signal.SIGTERM) == 128 + signal.SIGTERM
        assert not campaign.cells.exclude(worker=None).exists()
        assert state_of(campaign, "worker-2") == "stopped"
    assert_in_order(campaign)


def was_silent_for_long(campaign: Campaign, name: str) -> None:
    """As if a worker that is silent had been so for an hour.

    A row that it has locked stays as it is, and runs out by itself.
    """
    ago = Now() - timedelta(hours=1)
    with transaction.atomic():
        unlocked = Cell.objects.select_for_update(skip_locked=True, of=("self",))
        held = list(unlocked.filter(campaign=campaign, worker__name=name))
        Cell.objects.filter(pk__in=[cell.pk for cell in held]).update(lease_expires=ago)
        parts = EngineProcess.objects.select_for_update(skip_locked=True)
        found = list(parts.filter(campaign=campaign, name=name))
        EngineProcess.objects.filter(pk__in=[part.pk for part in found]).update(heartbeat_at=ago)


def people_take_all(campaign: Campaign, worker: Child) -> None:
    """The worker alone fills S again, from all of D."""
    newest = Query.objects.filter(campaign=campaign).order_by("-id")[0].pk
    # More than S can hold, so that nothing is left of it.
    join(campaign).take(2 * COLD_FLOOR)
    fresh = Query.objects.filter(campaign=campaign, pk__gt=newest)
    worker.until(lambda: fresh.count() >= DEPTH_FLOOR)
    assert fresh.values("cell").distinct().count() > 32


def test_s_is_filled_while_who_looks_stands_still(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=1_700)
    version = publish_model(campaign, seed=1)
    with command(
        *("run_worker", campaign.slug, "--strategies=entropy,margin", "--device=cpu"),
        env=test_environment,
        log=tmp_path / "log",
    ) as worker:
        queries = Query.objects.filter(campaign=campaign)
        worker.until(lambda: queries.filter(model_version=version).count() >= DEPTH_FLOOR)
        (looker,) = psutil.Process(worker.process.pid).children()
        # As in a pass of minutes, a load of weights, or a read from a disk that hangs.
        looker.suspend()
        person = join(campaign)
        taken: set[int] = set()
        while len(taken) < 6 * DEPTH_FLOOR:
            taken |= {turn.image_id for turn in person.take(DEPTH_FLOOR)}
            hungry(campaign)
            worker.until(lambda: open_turns(campaign) > 0)
        # What is ranked already goes first, and then others are drawn, which say so.
        assert queries.filter(strategy="random", model_version=None).count() > DEPTH_FLOOR
        looker.resume()
        # It takes back those of them that nobody holds.
        worker.until(
            lambda: (
                not queries.filter(
                    state="open", turns__state="open", strategy="random", purpose="active"
                ).exists()
            )
        )
    assert_in_order(campaign)


def test_who_looks_is_started_again_and_s_is_filled_meanwhile(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=1_700)
    publish_model(campaign, seed=1)
    with command(
        *("run_worker", campaign.slug, "--strategies=margin", "--device=cpu"),
        env=test_environment,
        log=tmp_path / "log",
    ) as worker:
        ranking = Ranking.objects.filter(worker__campaign=campaign)
        worker.until(lambda: ranking.filter(number__gt=0).exists())
        (looker,) = psutil.Process(worker.process.pid).children()
        looker.kill()
        person = join(campaign)
        worker.until(lambda: open_turns(campaign) > 0)
        person.take(DEPTH_FLOOR)
        hungry(campaign)
        worker.until(lambda: open_turns(campaign) > 0)
        newer = publish_model(campaign, seed=2)
        worker.until(lambda: ranking.filter(model_version=newer).exists())
    assert_in_order(campaign)


def hungry(campaign: Campaign) -> None:
    """Somebody found S empty, as a desk says it."""
    signals.notify("hungry", campaign.pk)


def open_turns(campaign: Campaign) -> int:
    return sizes.open_depth(campaign_id=campaign.pk)


def test_without_room_for_models_s_is_filled_and_nobody_looks(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=2 * COLD_FLOOR, workers=1, strategies=["margin"])
    options = ("--strategies=margin", "--device=cpu", "--fill-only")
    with command(
        "run_worker", campaign.slug, *options, env=test_environment, log=tmp_path / "log"
    ) as worker:
        worker.until(lambda: open_queries(campaign) >= DEPTH_FLOOR)
        assert state_of(campaign, "worker-1") == "filling S, without a model for now"
        assert psutil.Process(worker.process.pid).children() == []
        join(campaign).take(COLD_FLOOR)
        worker.until(lambda: open_queries(campaign) >= DEPTH_FLOOR)
