"""The live page: what is read and what it costs, and one reader for all who watch."""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from stock import make_campaign, stock

from al_engine.pools import processes, waits
from al_engine.pools.models import Campaign, EngineProcess, ModelVersion, Sample
from al_engine.pools.status import status
from annotator_site.background import background
from annotator_site.monitor.history import read_history
from annotator_site.monitor.hub import Hub, Look, Watcher, look_at
from annotator_site.monitor.selectors import read_state, versions_after

PATIENCE_S = 15.0


def sample(campaign: Campaign, *, source: str, ago_s: float, **fields: Any) -> None:
    """What a web process saw in 5 s that ended `ago_s` ago."""
    values: dict[str, Any] = {
        "seconds": 5.0, "connected": 3, "answers": 10, "dry": 0, "unlabeled": 0, "queried": 5,
        "labeled": 7, "open_queries": 4, "target_depth": 6, **fields,
    }  # fmt: skip
    histogram = [0] * waits.BUCKETS
    histogram[waits.bucket_of(20.0)] = values["answers"]
    row = Sample.objects.create(campaign=campaign, source=source, waits=histogram, **values)
    Sample.objects.filter(pk=row.pk).update(taken_at=timezone.now() - timedelta(seconds=ago_s))


# What is read.


@pytest.mark.django_db
def test_the_page_tells_the_same_numbers_as_the_command() -> None:
    campaign = make_campaign()
    stock(campaign, 12)
    sample(campaign, source="a", ago_s=2, dry=1)
    sample(campaign, source="b", ago_s=3, connected=4)
    sample(campaign, source="b", ago_s=90)
    now, known = read_state(campaign.pk), status(campaign)
    pools = asdict(now.pools)
    assert {name: pools[name] for name in known["pools"]} == known["pools"]
    assert (now.waits_ms, now.staleness) == (known["waits_ms"], known["staleness"])
    assert now.waits_ms["dry"] == 1
    assert now.connected == 3 + 4, "the newest word of each web process"
    assert now.labels_last_minute == 20, "without the sample of one and a half minutes ago"


@pytest.mark.django_db
def test_a_look_costs_the_same_for_few_and_for_many_rows() -> None:
    costs = []
    for images in (5, 200):
        campaign = make_campaign()
        stock(campaign, images)
        with CaptureQueriesContext(connection) as captured:
            read_state(campaign.pk)
        costs.append(len(captured))
    assert costs[0] == costs[1]
    assert costs[0] < 22


@pytest.mark.django_db
def test_processes_are_told_with_their_cells_and_their_silence() -> None:
    campaign = make_campaign()
    stock(campaign, 4)
    processes.register(campaign_id=campaign.pk, role="server", name="server-1")
    EngineProcess.objects.filter(campaign=campaign, role="worker").update(
        heartbeat_at=timezone.now() - timedelta(seconds=40)
    )
    worker, server = sorted(read_state(campaign.pk).processes, key=lambda row: -row.cells)
    assert (worker.name, worker.cells, worker.alive) == ("worker-1", 64, False)
    assert 39 < worker.heard_s < 60
    assert (server.doing, server.alive, server.cells) == ("starting", True, 0)


@pytest.mark.django_db
def test_the_history_adds_up_what_several_web_processes_saw() -> None:
    campaign = make_campaign()
    for source in ("a", "b"):
        for ago_s in (100, 95, 4000):
            sample(campaign, source=source, ago_s=ago_s)
    history = read_history(campaign.pk)
    recent = [point for point in history.points if point.labels_per_minute > 0]
    assert max(point.labels_per_minute for point in recent) == 40
    assert all(19 < (point.wait_p99_ms or 0) < 25 for point in recent)
    assert len(history.points) <= 2, "nothing that is older than an hour"


@pytest.mark.django_db
def test_a_long_history_of_versions_is_thinned_and_ends_with_the_newest() -> None:
    campaign = make_campaign()
    ModelVersion.objects.bulk_create(
        ModelVersion(
            campaign=campaign, version=number, architecture="small_cnn", labels_seen=number,
            trained_on=number, train_seconds=1, sha256="", size=1,
        )
        for number in range(1, 2001)
    )  # fmt: skip
    history = read_history(campaign.pk)
    assert history.versions_published == 2000
    assert len(history.versions) < 700
    assert [row.version for row in history.versions[-50:]] == list(range(1951, 2001))
    assert [row.version for row in versions_after(campaign.pk, 1998)] == [1999, 2000]


# The hub.


async def take(watcher: Watcher) -> list[dict[str, Any]]:
    """The next news of a watcher."""
    frames = await asyncio.wait_for(watcher.take(), PATIENCE_S)
    return [orjson.loads(frame) for frame in frames]


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    """A campaign that other threads and processes see."""
    return make_campaign()


async def test_many_who_watch_are_one_reader_and_nobody_is_none(
    campaign: Campaign,
) -> None:
    hub = Hub()
    watchers = [hub.join(campaign.pk) for _ in range(20)]
    for watcher in watchers:
        kinds = [frame["type"] for frame in await take(watcher)]
        assert kinds == ["history", "state"]
    assert hub.looks == 1
    assert hub.watched == [campaign.pk]
    for watcher in watchers:
        hub.leave(watcher)
    assert hub.watched == []


async def test_a_watcher_who_does_not_keep_up_gets_the_newest_state_only(
    campaign: Campaign,
) -> None:
    hub = Hub()
    slow, quick = hub.join(campaign.pk), hub.join(campaign.pk)
    for _ in range(3):
        newest = (await take(quick))[-1]
    kept = await take(slow)
    assert [frame["type"] for frame in kept] == ["history", "state"]
    assert kept[-1]["state"]["read_at"] == newest["state"]["read_at"]
    hub.leave(slow)
    hub.leave(quick)


async def test_a_database_that_is_away_is_said_to_be_until_it_is_back(
    campaign: Campaign,
) -> None:
    away = False

    def read(campaign_id: int, since_version: int | None, with_history: bool) -> Look:
        if away:
            raise OperationalError("the connection is closed")
        return look_at(campaign_id, since_version, with_history)

    hub = Hub(read)
    watcher = hub.join(campaign.pk)
    before = (await take(watcher))[-1]
    assert before["unreachable_since"] is None
    away = True
    while (told := (await take(watcher))[-1])["unreachable_since"] is None:
        pass
    assert told["state"]["campaign"] == before["state"]["campaign"], "the last state stays"
    since = told["unreachable_since"]
    assert (await take(watcher))[-1]["unreachable_since"] == since
    away = False
    while (told := (await take(watcher))[-1])["unreachable_since"] is not None:
        pass
    assert told["state"]["read_at"] > before["state"]["read_at"]
    hub.leave(watcher)


async def test_who_comes_while_the_database_is_away_is_told_so() -> None:
    def read(campaign_id: int, since_version: int | None, with_history: bool) -> Look:
        raise OperationalError("no server")

    hub = Hub(read)
    watcher = hub.join(1)
    (frame,) = await take(watcher)
    assert (frame["type"], frame["state"]) == ("state", None)
    assert frame["unreachable_since"] > 0
    hub.leave(watcher)


async def test_a_reading_that_fails_as_nobody_foresaw_is_tried_again(campaign: Campaign) -> None:
    broken = True

    def read(campaign_id: int, since_version: int | None, with_history: bool) -> Look:
        if broken:
            raise ZeroDivisionError
        return look_at(campaign_id, since_version, with_history)

    hub = Hub(read)
    watcher = hub.join(campaign.pk)
    (told,) = await take(watcher)
    assert told["unreachable_since"] is not None, "nobody takes an old state for a new one"
    broken = False
    while (told := (await take(watcher))[-1])["unreachable_since"] is not None:
        pass
    assert told["state"]["campaign"]["slug"] == campaign.slug
    (health,) = background.report()
    assert (health.essential, health.failures >= 1) == (False, True)
    hub.leave(watcher)


@pytest.mark.django_db(transaction=True)
async def test_a_campaign_that_goes_ends_the_watching() -> None:
    hub = Hub()
    watcher = hub.join(10**9)
    await asyncio.wait_for(watcher.take(), PATIENCE_S)
    assert watcher.gone
    assert hub.watched == []
