"""Whatever ends a log-in or a right ends its open connections, in every web process."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final
from uuid import uuid4

import orjson
import psycopg
import pytest
from django.db import connection
from log_in_losses import BOTH, LABEL, WAYS, Visitor, Way
from pytest_django import DjangoDbBlocker
from stock import committing, make_campaign, stock
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from al_engine.pools import signals
from al_engine.pools.models import Label

WITHIN_S: Final = 2.0
BUSY_MACHINE_S: Final = 3.0
"""What a machine with other tests on it may take beside."""


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of this module."""
    with committing(django_db_blocker):
        yield


def come_in(address: str, headers: dict[str, str]) -> ClientConnection:
    """An open WebSocket; whoever is told to come again later does so, as pages do."""
    deadline = time.monotonic() + 15
    while True:
        try:
            return connect(
                address, additional_headers=headers, compression=None, proxy=None, close_timeout=2
            )
        except InvalidStatus as refused:
            if refused.response.status_code != 503 or time.monotonic() > deadline:
                raise


class Ear:
    """A WebSocket that is read until it is closed, and answers what it must."""

    def __init__(self, address: str, headers: dict[str, str], stack: ExitStack) -> None:
        self.socket = stack.enter_context(come_in(address.replace("http", "ws", 1), headers))
        self.heard: list[dict[str, Any]] = []
        self.closed_at = 0.0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def await_in(self) -> None:
        """Wait for the first frame: this one was let in."""
        deadline = time.monotonic() + 15
        while not self.heard:
            assert time.monotonic() < deadline, self.code
            time.sleep(0.005)

    def await_frame(self, kind: str) -> dict[str, Any]:
        """Wait for a frame of this type."""
        deadline = time.monotonic() + 15
        while not (found := [frame for frame in self.heard if frame["type"] == kind]):
            assert time.monotonic() < deadline, self.heard
            time.sleep(0.005)
        return found[0]

    def await_close(self, until: float) -> None:
        """Wait for the end, or until then."""
        self._thread.join(max(until - time.monotonic(), 0))

    @property
    def code(self) -> int | None:
        """Why it was closed; None: it was not."""
        return self.socket.protocol.close_code

    def _listen(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                frame = orjson.loads(self.socket.recv())
                self.heard.append(frame)
                if frame["type"] == "state":
                    self.socket.send('{"type":"seen"}')
        self.closed_at = time.monotonic()


Listen = Callable[[Visitor, str, Sequence[str], Sequence[str]], list[Ear]]


@pytest.fixture
def listen(transactional_db: None) -> Iterator[Listen]:
    """Opens WebSockets of a visitor, one of each kind at each site."""
    with ExitStack() as stack:

        def open_all(
            visitor: Visitor, by: str, kinds: Sequence[str], sites: Sequence[str]
        ) -> list[Ear]:
            return [
                Ear(f"{site}/ws/campaigns/{visitor.campaign.slug}/{kind}/",
                    visitor.headers(site, by), stack)
                for site in sites
                for kind in kinds
            ]  # fmt: skip

        yield open_all


def test_every_way_to_lose_a_log_in_or_a_right_closes_its_connections(
    live_site: str, second_site: str, listen: Listen
) -> None:
    campaign = make_campaign()
    sites = (live_site, second_site)
    there: list[tuple[Way, Visitor, list[Ear]]] = []
    for way in WAYS:
        visitor = Visitor(campaign)
        way.prepare(visitor)
        there.append((way, visitor, listen(visitor, way.by, way.kinds, sites)))
    unharmed = Visitor(campaign)
    unharmed.groups_right()
    others = [ear for by in ("session", "token") for ear in listen(unharmed, by, BOTH, sites)]
    for ear in [*(ear for _, _, ears in there for ear in ears), *others]:
        ear.await_in()
    lost_at = {}
    for way, visitor, _ in there:
        way.act(visitor)
        lost_at[way.name] = time.monotonic()
    deadline = time.monotonic() + WITHIN_S + BUSY_MACHINE_S
    for way, _, ears in there:
        for ear in ears:
            ear.await_close(deadline)
        assert [ear.code for ear in ears] == [way.code] * len(ears), way.name
        late = [ear.closed_at - lost_at[way.name] for ear in ears]
        assert max(late) < WITHIN_S + BUSY_MACHINE_S, way.name
    assert [ear.code for ear in others] == [None] * len(others)


def test_what_was_under_way_is_stored_and_nothing_is_said_after_the_end(
    live_site: str, listen: Listen
) -> None:
    campaign = make_campaign()
    stock(campaign, 4)
    (ear,) = listen(visitor := Visitor(campaign), "session", LABEL, [live_site])
    ear.await_in()
    ear.socket.send('{"type":"ready","buffer":1,"resume":null}')
    query = ear.await_frame("query")["query"]
    choice = ear.heard[0]["choices"][0]["choice"]
    said = {"type": "label", "id": str(uuid4()), "query": query, "choice": choice, "shown_ms": 1}
    with psycopg.connect(**signals.connection_info()) as holder:
        # Whoever answers waits for its image.
        holder.execute("SELECT 1 FROM pools_image WHERE campaign_id = %s FOR UPDATE", [campaign.pk])
        ear.socket.send(orjson.dumps(said).decode())
        while not holder.execute(WAITING).fetchone():
            pass
        visitor.browser.logout()
        ear.await_close(time.monotonic() + WITHIN_S + BUSY_MACHINE_S)
        assert ear.code == 4401
    while not Label.objects.filter(client_id=said["id"]).exists():
        pass
    assert [frame["type"] for frame in ear.heard] == ["welcome", "query"]


def test_log_ins_are_asked_about_again_after_the_database_hung_up(
    live_site: str, listen: Listen
) -> None:
    visitor = Visitor(make_campaign())
    visitor.groups_right()
    ears = listen(visitor, "session", BOTH, [live_site])
    for ear in ears:
        ear.await_in()
    hung_up = 0
    while not hung_up:
        with connection.cursor() as cursor:
            cursor.execute(HANG_UP)
            ((hung_up,),) = cursor.fetchall()
    assert [ear.code for ear in ears] == [None, None], "nobody is sent away for that"
    visitor.browser.logout()
    for ear in ears:
        ear.await_close(time.monotonic() + WITHIN_S + BUSY_MACHINE_S)
    assert [ear.code for ear in ears] == [4401, 4401]


WAITING: Final = """
    SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"""
HANG_UP: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE query LIKE '%accounts_token t%' AND pid <> pg_backend_pid()"""
