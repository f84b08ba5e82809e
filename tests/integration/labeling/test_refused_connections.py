"""Who may connect, and how everybody else is refused: before anything is accepted."""

import http.client
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from django.test import Client as Browser
from stock import Person, make_annotator, make_campaign, make_user, shut_out

from al_engine.pools.models import Annotator, Campaign
from annotator_site.accounts.models import Token
from annotator_site.accounts.socket_authentication import MAX_SOCKETS
from annotator_site.accounts.tokens import create_token
from annotator_site.labeling.consumer import MAX_CONNECTIONS

from .client import refusal
from .conftest import Connect


def session_cookie(person: Person) -> str:
    """The cookie of a browser in which this person is logged in."""
    browser = Browser()
    browser.force_login(person.user, "django.contrib.auth.backends.ModelBackend")
    return f"sessionid={browser.cookies['sessionid'].value}"


def status(connect: Connect, *who: Any, **options: Any) -> int:
    """The HTTP status with which a handshake is refused."""
    return int(refusal(partial(connect, *who, **options))["status"])


def test_a_browser_is_known_by_its_cookie_when_the_page_is_ours(
    connect: Connect, live_site: str, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, headers={"Cookie": session_cookie(ann), "Origin": live_site})
    client.ready(buffer=2)
    assert len(client.queries(2)) == 2


def test_a_cookie_counts_only_where_the_page_is_ours(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cookie = {"Cookie": session_cookie(ann)}
    foreign = [
        *("https://evil.example", "http://localhost.evil.example", "null", "file://"),
        # Another program of this machine, whose pages the same cookie is sent for.
        *("http://localhost", "http://localhost:1", "http://127.0.0.1"),
    ]
    for headers in (cookie, *({**cookie, "Origin": origin} for origin in foreign)):
        assert status(connect, campaign, headers=headers) == 403, headers


def test_a_program_is_known_by_its_token_whatever_its_origin(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    headers = {"Authorization": f"Token {ann.token}", "Origin": "https://elsewhere.example"}
    client = connect(campaign, headers=headers)
    client.ready()
    assert client.queries(1)
    lower = connect(campaign, headers={"Authorization": f"token {ann.token}"})
    assert lower.expect("welcome")


def test_a_wrong_token_is_not_logged_in(connect: Connect, campaign: Campaign, ann: Person) -> None:
    right = ann.token
    for header in ("Token ", "Token nobody's", f"Bearer {right}", right, f"Token {right}x", "é"):
        assert status(connect, campaign, headers={"Authorization": header}) == 401, header


def test_a_wrong_token_is_not_made_good_by_a_cookie(
    connect: Connect, live_site: str, campaign: Campaign, ann: Person
) -> None:
    headers = {"Origin": live_site, "Cookie": session_cookie(ann)}
    headers["Authorization"] = "Token nobody's"
    assert status(connect, campaign, headers=headers) == 401


def test_nobody_without_a_login_is_let_in(
    connect: Connect, live_site: str, campaign: Campaign
) -> None:
    assert status(connect, campaign, headers={"Origin": live_site}) == 401
    forged = {"Origin": live_site, "Cookie": "sessionid=0123456789abcdef0123456789abcdef"}
    assert status(connect, campaign, headers=forged) == 401


def test_a_deactivated_person_is_not_logged_in(
    connect: Connect, live_site: str, campaign: Campaign, ann: Person
) -> None:
    cookie = session_cookie(ann)
    ann.user.is_active = False
    ann.user.save()
    assert status(connect, campaign, ann) == 401
    by_cookie = {"Cookie": cookie, "Origin": live_site}
    assert status(connect, campaign, headers=by_cookie) == 401


def test_a_token_that_was_taken_back_is_nobodys(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    Token.objects.filter(user=ann.user).delete()
    assert status(connect, campaign, ann) == 401


def test_who_is_no_annotator_is_told_so(connect: Connect, campaign: Campaign, ann: Person) -> None:
    owner = make_user(stem="owner", is_staff=True, is_superuser=True)
    for user in (make_user(stem="stranger"), owner):
        token = create_token(user=user)
        headers = {"Authorization": f"Token {token}"}
        said = refusal(lambda headers=headers: connect(campaign, headers=headers))  # type: ignore[misc]
        assert (said["status"], said["name"]) == (403, user.username)
    shut_out(ann)
    assert status(connect, campaign, ann) == 403


def test_an_annotator_of_another_campaign_is_a_stranger_here(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    assert status(connect, campaign, make_annotator(make_campaign())) == 403


def test_a_campaign_that_is_not_there_is_told_to_those_alone_who_are_logged_in(
    connect: Connect, live_site: str, campaign: Campaign, ann: Person
) -> None:
    assert status(connect, "nowhere", ann) == 404
    assert status(connect, "nowhere", headers={"Origin": live_site}) == 401


def test_a_sixth_connection_of_one_person_is_one_too_many(
    connect: Connect, live_site: str, campaign: Campaign, ann: Person, ben: Person
) -> None:
    clients = [connect(campaign, ann) for _ in range(5)]
    for client in clients:
        client.expect("welcome")
    # Another web process may have a place: a browser could not ask this one why it did not open.
    assert status(connect, campaign, ann) == 429
    page = connect(campaign, headers={"Cookie": session_cookie(ann), "Origin": live_site})
    assert page.close_code() == 4409
    assert connect(campaign, ben).expect("welcome")
    clients[0].close()
    assert connect(campaign, ann).expect("welcome")


def test_an_address_without_a_websocket_is_refused(
    live_site: str, connect: Connect, campaign: Campaign, ann: Person
) -> None:
    for slug in ("nowhere/deeper", "ä"):
        assert status(connect, slug, ann) == 404


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for which campaign, and what a handshake and a page hear."""

    name: str
    status: int
    slug: str = "there"
    by: str = "session"
    person: str = "ann"


ASKING = [
    Asking("nobody", 401, by="nothing"),
    Asking("nobody, for what is not there", 401, slug="nowhere", by="nothing"),
    Asking("a session that is nobody’s", 401, by="a lost session"),
    Asking("a token that is nobody’s", 401, by="a lost token"),
    *(Asking(f"somebody else by {by}", 403, by=by, person="eve") for by in ("session", "token")),
    *(Asking(f"one of them for another, by {by}", 404, slug="nowhere", by=by)
      for by in ("session", "token")),
    *(Asking(f"one of them by {by}", 426, by=by) for by in ("session", "token")),
]  # fmt: skip


@pytest.mark.parametrize("asking", ASKING, ids=[each.name for each in ASKING])
def test_the_address_asked_for_as_a_page_says_what_a_handshake_hears(
    live_site: str, connect: Connect, campaign: Campaign, ann: Person, asking: Asking
) -> None:
    """A browser tells a page nothing of a handshake that failed."""
    person = ann if asking.person == "ann" else make_annotator(make_campaign(), stem="eve")
    headers: dict[str, str] = {
        "nothing": {},
        "session": {"Cookie": session_cookie(person)},
        "token": {"Authorization": f"Token {person.token}"},
        "a lost session": {"Cookie": "sessionid=0123456789abcdef0123456789abcdef"},
        "a lost token": {"Authorization": "Token nobody's"},
    }[asking.by]
    slug = campaign.slug if asking.slug == "there" else asking.slug
    with closing(http.client.HTTPConnection(urlsplit(live_site).netloc, timeout=15)) as site:
        site.request("GET", f"/ws/campaigns/{slug}/label/", headers=headers)
        answer = site.getresponse()
        said = orjson.loads(answer.read())
    assert (answer.status, said["status"]) == (asking.status, asking.status)
    assert answer.headers["Cache-Control"] == "no-store"
    known = asking.status in (403, 404)
    assert said["name"] == (person.user.username if known else None)
    opening = partial(connect, slug, headers={"Origin": live_site, **headers})
    if asking.status == 426:
        opening().expect("welcome")
    else:
        assert refusal(opening) == said


def test_one_person_has_so_many_connections_to_all_campaigns_together(
    live_site: str, connect: Connect, transactional_db: None
) -> None:
    person = make_annotator(here := make_campaign())
    others = [make_campaign() for _ in range(MAX_SOCKETS // MAX_CONNECTIONS)]
    for each in others:
        Annotator.objects.create(campaign=each, user=person.user)
    clients = [connect(each, person) for each in others for _ in range(MAX_CONNECTIONS)]
    for client in clients:
        client.expect("welcome")
    assert status(connect, here, person) == 429
    clients[0].close()
    assert connect(here, person).expect("welcome")
