"""Campaigns with images in S, people and desks; a database that is empty again after each test."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import pytest
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
    *("label", "consensus", "pastskip", "turn", "query", "image", "cell", "ranking"),
    *("modelversion", "sample", "counter", "engineprocess", "annotator", "choice", "campaign"),
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
OpenDesk = Callable[[Pools], Desk]
OpenConnection = Callable[..., Connection]


class Run(Protocol):
    """Runs a coroutine and returns what it returns."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


@pytest.fixture(scope="module")
def watched(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The trigger of arrows.py, for the tests of this folder alone."""
    with django_db_blocker.unblock():
        arrows.install()
    yield
    with django_db_blocker.unblock():
        arrows.remove()


@pytest.fixture(autouse=True)
def transactional_db(watched: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database with real commits, in the place of pytest-django's fixture.

    That one truncates all tables after each test, which takes 0.2 s; deleting the few rows of
    these tests takes a hundredth of it.
    """
    with django_db_blocker.unblock():
        yield
        empty()


def empty_at_once() -> None:
    """Delete many rows and leave no dead ones behind, which all others would walk over."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(f'pools_{table}' for table in _TABLES)} CASCADE")


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
    ask(campaign, images if asked is None else asked)
    return Pools(campaign, [each.pk for each in made], choices_of(campaign))


@pytest.fixture
def make_pools(transactional_db: None) -> MakePools:
    """Makes a campaign; see `new_pools`."""
    return new_pools


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs a coroutine to its end, all of one test in one loop.

    Tests are plain functions: Django would open another connection in a coroutine.
    """
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def open_connection(transactional_db: None, run: Run) -> Iterator[OpenConnection]:
    """Opens connections like those of the labeling path; they are closed after the test."""
    opened: list[Connection] = []

    def open_one(options: str = OPTIONS) -> Connection:
        opened.append(run(connect(options)))
        return opened[-1]

    yield open_one
    for conn in opened:
        run(conn.close())


@pytest.fixture
def open_desk(open_connection: OpenConnection) -> OpenDesk:
    """Opens a desk of a campaign, as if each were another web process."""
    return lambda pools: Desk(open_connection(), pools.id)


def new_worker(campaign: Campaign, name: str) -> int:
    """A worker that was heard just now; its id."""
    return EngineProcess.objects.create(campaign=campaign, role="worker", name=name).pk


def in_background(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
    """Call a blocking function of the pools in a thread with a database connection of its own."""

    def work() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    with_one_thread = ThreadPoolExecutor(1)
    future = with_one_thread.submit(work)
    with_one_thread.shutdown(wait=False)
    return future


# Not of pg_stat_activity, which stands still within a transaction.
_WAITING: Final = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND %(holder)s = ANY(pg_blocking_pids(pid))"""


def until_waited_for(by: Future[Any], holder: Connection | None = None) -> None:
    """Return once somebody waits for a lock of `holder`; of Django's own connection if None."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
        waiting = 0
        while not waiting:
            assert not by.done(), f"it waited for nobody and returned {by.result()}"
            cursor.execute(_WAITING, {"holder": holder.info.backend_pid if holder else pid})
            (waiting,) = cursor.fetchone()


async def commit_when_waited_for(holder: Connection, blocked: Coroutine[Any, Any, T]) -> T:
    """Start `blocked`, commit `holder` once that waits for it, and return what it returns."""
    task = asyncio.ensure_future(blocked)
    waiting = 0
    while not waiting:
        assert not task.done(), f"it waited for nobody and returned {task.result()}"
        cursor = await holder.execute(_WAITING, {"holder": holder.info.backend_pid})
        ((waiting,),) = await cursor.fetchall()
    await holder.execute("COMMIT")
    return await task
