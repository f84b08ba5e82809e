"""Every WebSocket, and every address that Django does not serve, × every kind of person."""

import http.client
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import orjson
import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from pytest_django import DjangoDbBlocker
from stock import committing, one_file
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from annotator_site.images.addresses import image_url
from annotator_site.routing import websocket_urlpatterns

from .addresses import Address
from .people import World, make_world
from .table import OUTCOMES, PEOPLE, PICTURES, SOCKETS, letter

BACKEND = "django.contrib.auth.backends.ModelBackend"
PATIENCE_S = 15.0
WELCOMES = {"welcome", "history", "state"}


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of this module."""
    with committing(django_db_blocker):
        yield


@pytest.fixture(scope="module")
def world(transactional_db: None) -> World:
    return make_world()


def ways_in(world: World, person: str, site: str) -> dict[str, dict[str, str]]:
    """The headers by which somebody can come: a browser's, and a program's if they have a token."""
    client, user = Client(), world.users[person]
    if user is None:
        return {"nothing": {}, "an address": {"Origin": site}}
    client.force_login(user, BACKEND)
    assert SESSION_KEY in client.session
    cookie = client.cookies["sessionid"].value
    return {
        "a session": {"Cookie": f"sessionid={cookie}", "Origin": site},
        "a token": {"Authorization": f"Token {world.tokens[person]}"},
    }


def opened(address: str, headers: dict[str, str]) -> str:
    """The letter of what a WebSocket says first; whoever is told to come again later does so."""
    deadline = time.monotonic() + PATIENCE_S
    while (code := said_first(address, headers)) == 503 and time.monotonic() < deadline:
        pass
    return {0: ".", 401: "l", 403: "f", 404: "n"}.get(code, str(code))


def said_first(address: str, headers: dict[str, str]) -> int:
    """The status or code by which a WebSocket is refused or ended; 0 where it says welcome."""
    try:
        with connect(address, additional_headers=headers, compression=None, proxy=None) as socket:
            with suppress(ConnectionClosed):
                while orjson.loads(socket.recv(timeout=PATIENCE_S))["type"] not in WELCOMES:
                    pass
                return 0
            return (socket.protocol.close_code or 0) - 4000
    except InvalidStatus as refused:
        return refused.response.status_code


def test_every_socket_has_a_row() -> None:
    assert {str(each.pattern) for each in websocket_urlpatterns} == set(SOCKETS)


@pytest.mark.parametrize("person", PEOPLE)
def test_a_socket_opens_for_those_whom_the_table_names(
    live_site: str, world: World, person: str
) -> None:
    wrong = []
    for route, row in SOCKETS.items():
        path = Address(route, route).path(world.values(None))
        for way, headers in ways_in(world, person, live_site).items():
            came = opened(f"{live_site.replace('http', 'ws', 1)}{path}", headers)
            expected = letter(row, person)
            # Who shows nothing at all is turned away before anybody asks who it is.
            if came != expected and not (way == "nothing" and came == "f"):
                words = OUTCOMES.get(came, came)
                wrong.append(f"{path} by {way}: {words}, not {OUTCOMES[expected]}")
    assert wrong == []


@pytest.mark.parametrize("person", PEOPLE)
def test_a_picture_comes_by_its_signed_address_alone(
    live_site: str, world: World, person: str
) -> None:
    signed = image_url(one_file())
    addresses = {"signed": signed, "unsigned": signed.partition("?")[0]}
    for headers in ways_in(world, person, live_site).values():
        for kind, rows in PICTURES.items():
            for method, row in zip(("GET", "POST"), rows, strict=True):
                site = http.client.HTTPConnection(urlsplit(live_site).netloc, timeout=PATIENCE_S)
                with closing(site):
                    site.request(method, addresses[kind], headers=headers)
                    status = site.getresponse().status
                came = {200: ".", 403: "f"}.get(status, str(status))
                assert came == letter(row, person), f"{method} {kind}"
