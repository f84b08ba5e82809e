"""A running engine follows the settings of its campaign, without a dry moment."""

from pathlib import Path

import pytest

from al_engine.decisions.refill import COLD_FLOOR, DEPTH_FLOOR
from al_engine.pools import campaigns, processes, sizes
from al_engine.pools.models import Campaign, EngineProcess, Query
from al_engine.roles.engine import EngineOptions, children
from al_engine.supervision.child import Child

from .children import command
from .conftest import MakeCampaign
from .people import join

pytestmark = pytest.mark.django_db(transaction=True)


def open_queries(campaign: Campaign) -> int:
    return Query.objects.filter(campaign=campaign, state="open").count()


def strategies_at_work(campaign: Campaign) -> list[str]:
    rows = EngineProcess.objects.filter(campaign=campaign, role="worker").exclude(state="stopped")
    return sorted(rows.values_list("strategy", flat=True))


def test_strategies_and_workers_change_while_people_label(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=3 * COLD_FLOOR, strategies=["random"], workers=1, servers=0)
    options = ("--worker-processes=1", "--device=cpu")
    with command(
        "run_engine", campaign.slug, *options, env=test_environment, log=tmp_path / "log"
    ) as engine:
        engine.until(lambda: open_queries(campaign) >= DEPTH_FLOOR)
        assert strategies_at_work(campaign) == ["random"]
        campaign.strategies, campaign.workers = ["margin"], 2
        campaigns.save_settings(campaign=campaign)

        def is_followed() -> bool:
            assert sizes.open_depth(campaign_id=campaign.pk), "there is a query at every moment"
            return strategies_at_work(campaign) == ["margin", "margin"]

        engine.until(is_followed)
        before = Query.objects.filter(campaign=campaign).count()
        join(campaign).take(2 * COLD_FLOOR)
        engine.until(lambda: Query.objects.filter(campaign=campaign).count() > before)
        assert processes.live_workers(campaign_id=campaign.pk) == 2


@pytest.mark.parametrize(
    ("change", "started", "stopped"),
    [
        ({"title": "Another"}, [], []),
        ({"servers": 2}, ["server-2", "server-1"], ["server-1"]),
        ({"servers": 0}, [], ["server-1"]),
        ({"strategies": ["margin"]}, ["workers-1"], ["workers-1"]),
        ({"partition": "clusters"}, ["workers-1"], ["workers-1"]),
        ({"delivery_architecture": "resnet18"}, ["delivery"], []),
        ({"image_size": 64}, ["workers-1", "server-1"], ["workers-1", "server-1"]),
        (
            {"architectures": ["probe:resnet18"]},
            ["workers-1", "server-1"],
            ["workers-1", "server-1"],
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_only_what_a_change_concerns_is_started_anew(
    make_campaign: MakeCampaign,
    change: dict[str, object],
    started: list[str],
    stopped: list[str],
) -> None:
    campaign = make_campaign(
        pool=4, strategies=["entropy"], workers=1, servers=1, architectures=["small_cnn"]
    )

    def named(some: list[Child]) -> list[str]:
        return sorted(each.name.replace(f"-{campaign.slug}", "") for each in some)

    options = EngineOptions(worker_processes=1, device="cpu")
    before = children(campaign, options, ["cpu"])
    for field, value in change.items():
        setattr(campaign, field, value)
    after = children(campaign, options, ["cpu"])
    assert named([each for each in after if each not in before]) == sorted(started)
    assert named([each for each in before if each not in after]) == sorted(stopped)
