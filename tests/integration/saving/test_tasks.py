"""An endless task of the web process that fails as nobody foresaw is back soon, and nobody's answer
is lost with it."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import connection
from django.test import Client

from al_engine.pools import signals, supply
from annotator_site import background as module
from annotator_site.background import Health, background
from annotator_site.labeling import caretaker, desks, storage_watch
from annotator_site.labeling.aside import Aside
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.desks import Desks
from annotator_site.labeling.disk import Disk

from .conftest import Sit, Table
from .injector import Injector

WHERE: Final[dict[str, tuple[Any, str]]] = {
    "desk of {}": (Desk, "_serve"),
    "aside of {}": (Aside, "_try"),
    "leases of {}": (Desk, "revoke"),
    "delays of {}": (caretaker, "_tell_delay"),
    "news of {}": (signals, "notify_over"),
    "hunger of {}": (signals, "notify_over"),
    "spares of {}": (supply, "filled_by"),
    "storage of {}": (storage_watch, "_look"),
    "files of {}": (storage_watch, "with_files"),
    "disk": (Disk, "_flush_and_tell"),
    "signals": (Desks, "_heard"),
    "campaigns": (Desks, "_reload"),
}
"""What each of them calls, by its name."""
SELDOM: Final = {"questions of {}", "arrivals of {}"}
"""Have nothing to do until the classes change, and until somebody comes where nobody is."""


@pytest.fixture(autouse=True)
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it comes to pass sooner than in life."""
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "STEADY_SECONDS", 0.3)
    monkeypatch.setattr(caretaker, "DELAYED_SECONDS", 0.02)


@pytest.fixture(scope="module", autouse=True)
def polling() -> Iterator[None]:
    """Campaigns are read again all the time, from the beginning."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desks, "_POLL_SECONDS", 0.05)
        patch.setattr(caretaker, "TICK_SECONDS", 0.05)
        patch.setattr(storage_watch, "LOOK_SECONDS", 0.05)
        patch.setattr(storage_watch, "REST_SECONDS", 0.05)
        yield


def health_of(table: Table, name: str) -> Health:
    """How the task of this name is."""
    full = name.format(table.campaign.slug)
    (health,) = (each for each in background.report() if each.name == full)
    return health


def use_all(table: Table) -> None:
    """Give every task something to do."""
    for person in table.people:
        person.label()
    table.desk.fresher.set()
    table.desk.committed.news.set()
    table.desk.hungry.set()


@pytest.mark.parametrize("name", WHERE)
def test_a_task_that_fails_is_back_and_everything_is_saved(
    sit: Sit, injector: Injector, name: str
) -> None:
    table = sit(40)
    owner, called = WHERE[name]
    before = health_of(table, name).failures
    with pytest.MonkeyPatch.context() as patch, injector.failing("settle", "P0001"):
        patch.setattr(owner, called, _fail)
        table.act(lambda: use_all(table))
        with connection.cursor() as cursor:
            cursor.execute(signals.NOTIFY, {"payload": signals.payload("pool", table.campaign.pk)})
        table.until(lambda: health_of(table, name).failures > before)
        health = health_of(table, name)
        assert health.last_error == "ZeroDivisionError"
        answer = Client().get("/readyz")
        assert answer.status_code == (503 if health.essential else 200)
        told = answer.content.decode()
        assert f'"{name.removesuffix(" of {}")}"' in told
        assert table.campaign.slug not in told, "strangers may read it"
    table.act(lambda: use_all(table))
    table.settle(held=5)
    table.until(lambda: not health_of(table, name).is_down)
    table.check()


def _fail(*_: object, **__: object) -> Any:
    raise ZeroDivisionError


def test_these_are_all_tasks_that_there_are(sit: Sit) -> None:
    table = sit(40)
    slug = table.campaign.slug
    assert {name.format(slug) for name in WHERE.keys() | SELDOM} == {
        each.name for each in background.report()
    }
    assert {name for name in WHERE if health_of(table, name).essential} == {
        *("desk of {}", "aside of {}", "leases of {}", "disk"),
    }


def test_a_flush_that_fails_as_nobody_foresaw_is_done_again(
    sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = sit(20)
    flushes = []
    flush = Disk._flush

    async def fail_twice(disk: Disk) -> None:
        flushes.append(1)
        if len(flushes) < 3:
            raise KeyError("a bug")
        await flush(disk)

    monkeypatch.setattr(Disk, "_flush", fail_twice)
    table.act(lambda: use_all(table))
    table.settle()
    assert len(flushes) >= 3
    table.check()
