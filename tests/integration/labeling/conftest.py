"""Campaigns, people and connections for the tests of the labeling WebSocket."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pools.check import violations
from pytest_django import DjangoDbBlocker
from stock import Person, committing, make_annotator, make_campaign, stock
from websockets.sync.client import connect as open_websocket
from websockets.typing import Subprotocol

from al_engine.pools.models import Campaign

from .client import Client

Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture, which empties the database after each test: that
    takes as long as the test. What must always hold of the pools is checked in the end."""
    with committing(django_db_blocker):
        yield
        for campaign in Campaign.objects.exclude(images=None):
            assert violations(campaign.pk) == []


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    """A running campaign with forty images in S, where nobody is told to go slower."""
    campaign = make_campaign()
    stock(campaign, 40)
    return campaign


@pytest.fixture
def ann(campaign: Campaign) -> Person:
    """An annotator of the campaign."""
    return make_annotator(campaign)


@pytest.fixture
def ben(campaign: Campaign) -> Person:
    """Another annotator of the campaign."""
    return make_annotator(campaign, stem="ben")


@pytest.fixture
def connect(live_site: str) -> Iterator[Connect]:
    """Opens labeling connections; those that are left at the end of the test are closed.

    `connect(campaign, person)` logs in by token; `headers` replaces that, `site` is another
    web process's address.
    """
    with ExitStack() as stack:

        def open_one(
            campaign: Campaign | str,
            person: Person | None = None,
            *,
            headers: dict[str, str] | None = None,
            site: str = live_site,
            **options: Any,
        ) -> Client:
            slug = campaign if isinstance(campaign, str) else campaign.slug
            if headers is None:
                headers = {"Authorization": f"Token {person.token}"} if person else {}
            opening = open_websocket(
                f"{site.replace('http', 'ws', 1)}/ws/campaigns/{slug}/label/",
                additional_headers=headers,
                subprotocols=[Subprotocol("nowait.v1")],
                compression=None,
                proxy=None,
                close_timeout=2,
                **{"max_queue": None, **options},
            )
            return Client(stack.enter_context(opening))

        yield open_one
