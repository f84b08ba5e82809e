"""Campaigns with images in S, people and desks; a database that is empty again after each test."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from django.db import connection, connections
from pytest_django import DjangoDbBlocker
from stock import add_images, ask, choices_of, make_campaign

from al_engine.pools.models import Annotator, Campaign, EngineProcess
from al_engine.pools.query import Connection

from . import arrows
from .check import violations
from .desk import OPTIONS, Desk, connect

T = TypeVar("T")

# In an order that no reference forbids.
_TABLES = (
    *("label", "consensus", "assignment", "query", "image", "cell", "modelversion", "sample"),
    *("counter", "engineprocess", "annotator", "choice", "campaign"),
)


@dataclass(frozen=True, slots=True)
class Pools:
    """A campaign's pools, its people and its classes."""

    campaign: Campaign
    people: list[int]
    choices: list[int]

    @property
    def id(self) -> int:
        """The campaign's id."""
        return self.campaign.pk

    def check(self) -> None:
        """Everything that must always hold, holds."""
        assert violations(self.id) == []


MakePools = Callable[..., Pools]
OpenDesk = Callable[..., Awaitable[Desk]]
OpenConnection = Callable[..., Awaitable[Connection]]


@pytest.fixture(scope="module")
def watched(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The trigger of arrows.py, for the tests of this folder alone."""
    with django_db_blocker.unblock():
        arrows.install()
    yield
    with django_db_blocker.unblock():
        arrows.remove()


@pytest.fixture(autouse=True)
def transactional_db(
    watched: None, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The test database with real commits, in the place of pytest-django's fixture.

    That one truncates all tables after each test, which takes 0.2 s; deleting the few rows of
    these tests takes a hundredth of it.
    """
    # Coroutines read what they did through Django; nothing else runs in their loop meanwhile.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with django_db_blocker.unblock():
        yield
        empty()


def empty() -> None:
    """Delete everything that a test of this folder makes."""
    with connection.cursor() as cursor:
        cursor.execute(";".join(f"DELETE FROM pools_{table}" for table in _TABLES))


def new_pools(
    images: int = 6, *, people: int = 3, asked: int | None = None, **settings: Any
) -> Pools:
    """A campaign with `images` in D, `asked` of them (all) in S, and people to label them."""
    campaign = make_campaign(**settings)
    made = Annotator.objects.bulk_create(Annotator(campaign=campaign) for _ in range(people))
    if images:
        add_images(campaign, images)
    if asked is None or asked:
        ask(campaign, images if asked is None else asked)
    return Pools(campaign, [each.pk for each in made], choices_of(campaign))


@pytest.fixture
def make_pools(transactional_db: None) -> MakePools:
    """Makes a campaign; see `new_pools`."""
    return new_pools


@pytest_asyncio.fixture
async def open_connection(transactional_db: None) -> AsyncIterator[OpenConnection]:
    """Opens connections like those of the labeling path; they are closed after the test."""
    opened: list[Connection] = []

    async def open_one(options: str = OPTIONS) -> Connection:
        opened.append(await connect(options))
        return opened[-1]

    yield open_one
    for conn in opened:
        await conn.close()


@pytest_asyncio.fixture
async def open_desk(open_connection: OpenConnection) -> OpenDesk:
    """Opens a desk of a campaign, as if each were another web process."""

    async def open_one(pools: Pools) -> Desk:
        return Desk(await open_connection(), pools.id)

    return open_one


def new_worker(campaign: Campaign, name: str) -> int:
    """A worker that was heard just now; its id."""
    return EngineProcess.objects.create(campaign=campaign, role="worker", name=name).pk


async def in_thread(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call a blocking function of the pools in a thread with a database connection of its own."""
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def work() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            loop.call_soon_threadsafe(done.set_exception, error)
        else:
            loop.call_soon_threadsafe(done.set_result, result)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return await done
    finally:
        thread.join()


async def until_it_waits(watcher: Connection, pid: int) -> None:
    """Return once the backend `pid` waits for a lock that another transaction holds."""
    while True:
        cursor = await watcher.execute("SELECT cardinality(pg_blocking_pids(%s))", [pid])
        if await cursor.fetchall() != [(0,)]:
            return
