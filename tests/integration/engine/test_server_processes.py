"""A server that dies loses the training it was at, and nothing that anybody else relies on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection

from al_engine.pools import versions
from al_engine.pools.models import Campaign, EngineProcess, ModelVersion
from al_engine.pools.signals import connection_info

from .children import Child, command
from .conftest import MakeCampaign
from .digits import as_the_models_see
from .people import Person, join, label
from .roles import probabilities_by, serving

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def nobody_publishes() -> Iterator[None]:
    """Whoever wants to write the row of a version waits until the end."""
    with psycopg.connect(**connection_info()) as other:
        # A connection that holds something and says nothing is ended after a while, but this one.
        other.execute("SET idle_in_transaction_session_timeout = 0")
        other.execute("LOCK TABLE pools_modelversion IN SHARE MODE")
        yield


def somebody_waits_to_publish() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT EXISTS (SELECT 1 FROM pg_locks
                              WHERE NOT granted AND relation = 'pools_modelversion'::regclass)"""
        )
        (waits,) = cursor.fetchone()
    return bool(waits)


def published(campaign: Campaign) -> list[int]:
    return list(
        ModelVersion.objects.filter(campaign=campaign)
        .order_by("version")
        .values_list("labels_seen", flat=True)
    )


def stored_weights(campaign: Campaign) -> int:
    folder = f"models/{campaign.pk}"
    return len(default_storage.listdir(folder)[1]) if default_storage.exists(folder) else 0


def is_training(campaign: Campaign) -> bool:
    state = EngineProcess.objects.filter(campaign=campaign, role="server").values_list("state")
    return any(said.startswith("training") for (said,) in state)


def stop_in_a_training(server: Child, person: Person, spare: list[int]) -> None:
    """Holds the process still while it trains; labels one of `spare` to make it train again."""
    while True:
        server.until(lambda: is_training(person.campaign))
        server.send(signal.SIGSTOP)
        if is_training(person.campaign):
            return
        server.send(signal.SIGCONT)
        label(person, [spare.pop()])


def test_a_server_killed_at_any_moment_leaves_whole_versions_and_the_next_carries_on(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=320)
    person = join(campaign)
    label(person, range(300))
    run_server = ("run_server", campaign.slug, "--device=cpu")

    with command(*run_server, env=test_environment, log=tmp_path / "1") as server:
        stop_in_a_training(server, person, list(range(300, 320)))
        before = published(campaign)
        server.end(signal.SIGKILL)
    assert published(campaign) == before
    seen = campaign.images.filter(state="labeled").count()

    with command(*run_server, env=test_environment, log=tmp_path / "2") as server:
        with nobody_publishes():
            server.until(somebody_waits_to_publish)
            server.end(signal.SIGKILL)
        assert published(campaign) == before
        assert stored_weights(campaign) == len(before) + 1, "weights that no row names"

    with command(*run_server, env=test_environment, log=tmp_path / "3") as server:
        server.until(lambda: published(campaign) == [*before, seen])
        assert server.end(signal.SIGTERM) == 128 + signal.SIGTERM
    version = versions.newest(campaign=campaign)
    assert version is not None
    images, _ = as_the_models_see(range(10))
    assert probabilities_by(version, images).shape == (10, 10)
    row = EngineProcess.objects.get(campaign=campaign, role="server")
    assert (row.state, row.last_error) == ("stopped", "")


def test_a_server_that_is_drained_publishes_what_it_trains_and_then_ends(
    make_campaign: MakeCampaign, test_environment: dict[str, str], tmp_path: Path
) -> None:
    campaign = make_campaign(pool=320)
    person = join(campaign)
    label(person, range(300))
    run_server = ("run_server", campaign.slug, "--device=cpu")
    with command(*run_server, env=test_environment, log=tmp_path / "1") as server:
        stop_in_a_training(server, person, list(range(300, 320)))
        before = published(campaign)
        server.send(signal.SIGUSR1)
        assert server.end(signal.SIGCONT) == 0
    assert len(published(campaign)) == len(before) + 1


def test_labels_are_news_again_when_their_version_could_not_be_written(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=30)
    label(join(campaign), range(30))
    with serving(campaign) as server:
        EngineProcess.objects.filter(campaign=campaign).update(last_error="once upon a time")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        with nobody_publishes(), pytest.raises(OperationalError):
            server.step()
        connection.close()
        assert server.step() is not None
        assert published(campaign) == [30]
        assert EngineProcess.objects.get(campaign=campaign, role="server").last_error == ""
