"""A disk that takes long keeps nobody from their next image, and no answer is called kept early."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.db import connection
from stock import Person, choices_of

from al_engine.pools.models import Campaign, Label, Query

from .client import Client
from .conftest import Connect


def sit_down(
    connect: Connect, campaign: Campaign, person: Person, buffer: int = 1
) -> tuple[Client, list[int]]:
    """A connection of this person, and the queries that it holds."""
    client = connect(campaign, person)
    client.ready(buffer=buffer)
    return client, client.queries(buffer)


def say(client: Client, query: int) -> str:
    """Answer without waiting for the receipt; the id of the message."""
    said = str(uuid4())
    (choice, *_) = choices_of(Query.objects.get(turns=query).campaign)
    answer = {"query": query, "choice": choice, "shown_ms": 700}
    client.send({"type": "label", "id": said, **answer})
    return said


@pytest.fixture
def writers(connect: Connect, campaign: Campaign, ann: Person) -> list[int]:
    """The processes of PostgreSQL that write for the desks what others wait for, by their ids."""
    client, (query,) = sit_down(connect, campaign, ann)
    client.skip(query)
    client.close()
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT pid FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE '%%pg_logical_emit_message%%'
                 AND pid <> pg_backend_pid()"""
        )
        found = [pid for (pid,) in cursor.fetchall()]
    assert found
    return found


@contextmanager
def standing_still(processes: list[int]) -> Iterator[None]:
    """As when the disk takes long."""
    try:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def test_the_next_image_does_not_wait_for_the_disk_and_the_receipt_does(
    connect: Connect, campaign: Campaign, ann: Person, writers: list[int]
) -> None:
    client, (query,) = sit_down(connect, campaign, ann)
    said = []
    with standing_still(writers):
        for _ in range(3):
            said.append(say(client, query))
            (query,) = client.queries(1)
        assert not [frame for frame in client.inbox if frame["type"] == "ack"]
        assert Label.objects.filter(campaign=campaign).count() == 3
    acks = [client.expect("ack") for _ in said]
    assert [ack["id"] for ack in acks] == said, "in the order in which they were said"
    assert acks[-1]["progress"]["mine"] == 3


def test_what_may_not_have_come_to_the_disk_is_done_again(
    connect: Connect, campaign: Campaign, ann: Person, writers: list[int]
) -> None:
    client, (query,) = sit_down(connect, campaign, ann)
    with standing_still(writers):
        said = say(client, query)
        client.queries(1)
        with connection.cursor() as cursor:
            for pid in writers:
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert client.expect("ack")["id"] == said
    assert Label.objects.filter(campaign=campaign).count() == 1
    assert not [frame for frame in client.settle() if frame["type"] == "ack"]


def test_what_was_undone_before_its_receipt_is_still_in_hand(
    connect: Connect, campaign: Campaign, ann: Person, writers: list[int]
) -> None:
    client, (first, second) = sit_down(connect, campaign, ann, buffer=2)
    with standing_still(writers):
        said = say(client, first)
        client.queries(1)
        client.send({"type": "undo", "id": str(uuid4()), "label": said})
        assert client.queries(1) == [first]
    say(client, second)
    # Two are in hand, and the buffer is for two.
    assert not [frame for frame in client.settle() if frame["type"] == "query"]
