"""Who may connect, and the code with which everybody else is sent away."""

import http.client
from urllib.parse import urlsplit

import pytest
from django.test import Client as Browser
from stock import Person, make_annotator, make_campaign, make_user, shut_out
from websockets.exceptions import InvalidStatus

from al_engine.pools.models import Campaign
from annotator_site.accounts.models import Token
from annotator_site.accounts.tokens import create_token

from .conftest import Connect


def session_cookie(person: Person) -> str:
    """The cookie of a browser in which this person is logged in."""
    browser = Browser()
    browser.force_login(person.user, "django.contrib.auth.backends.ModelBackend")
    return f"sessionid={browser.cookies['sessionid'].value}"


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
        with pytest.raises(InvalidStatus) as refusal:
            connect(campaign, headers=headers)
        assert refusal.value.response.status_code == 403, headers


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
        client = connect(campaign, headers={"Authorization": header})
        assert client.close_code() == 4401, header
        assert client.raw == []


def test_a_wrong_token_is_not_made_good_by_a_cookie(
    connect: Connect, live_site: str, campaign: Campaign, ann: Person
) -> None:
    headers = {"Origin": live_site, "Cookie": session_cookie(ann)}
    headers["Authorization"] = "Token nobody's"
    assert connect(campaign, headers=headers).close_code() == 4401


def test_nobody_without_a_login_is_let_in(
    connect: Connect, live_site: str, campaign: Campaign
) -> None:
    assert connect(campaign, headers={"Origin": live_site}).close_code() == 4401
    forged = {"Origin": live_site, "Cookie": "sessionid=0123456789abcdef0123456789abcdef"}
    assert connect(campaign, headers=forged).close_code() == 4401


def test_a_deactivated_person_is_not_logged_in(
    connect: Connect, live_site: str, campaign: Campaign, ann: Person
) -> None:
    cookie = session_cookie(ann)
    ann.user.is_active = False
    ann.user.save()
    assert connect(campaign, ann).close_code() == 4401
    by_cookie = connect(campaign, headers={"Cookie": cookie, "Origin": live_site})
    assert by_cookie.close_code() == 4401


def test_a_token_that_was_taken_back_is_nobodys(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    Token.objects.filter(user=ann.user).delete()
    assert connect(campaign, ann).close_code() == 4401


def test_who_is_no_annotator_is_told_so(connect: Connect, campaign: Campaign, ann: Person) -> None:
    owner = make_user(stem="owner", is_staff=True, is_superuser=True)
    for user in (make_user(stem="stranger"), owner):
        token = create_token(user=user)
        client = connect(campaign, headers={"Authorization": f"Token {token}"})
        assert client.close_code() == 4403
        assert client.inbox == [{"type": "refused", "name": user.username}]
    shut_out(ann)
    assert connect(campaign, ann).close_code() == 4403


def test_an_annotator_of_another_campaign_is_a_stranger_here(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    assert connect(campaign, make_annotator(make_campaign())).close_code() == 4403


def test_a_campaign_that_is_not_there_is_told_to_those_alone_who_are_logged_in(
    connect: Connect, live_site: str, campaign: Campaign, ann: Person
) -> None:
    assert connect("nowhere", ann).close_code() == 4404
    assert connect("nowhere", headers={"Origin": live_site}).close_code() == 4401


def test_a_sixth_connection_of_one_person_is_one_too_many(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    clients = [connect(campaign, ann) for _ in range(5)]
    for client in clients:
        client.expect("welcome")
    assert connect(campaign, ann).close_code() == 4409
    assert connect(campaign, ben).expect("welcome")
    clients[0].close()
    assert connect(campaign, ann).expect("welcome")


def test_an_address_without_a_websocket_is_refused(
    live_site: str, connect: Connect, campaign: Campaign, ann: Person
) -> None:
    for slug in ("nowhere/deeper", "ä"):
        with pytest.raises(InvalidStatus) as refusal:
            connect(slug, ann)
        assert refusal.value.response.status_code in (403, 404)


def test_the_address_asked_for_as_a_page_is_not_there(live_site: str, campaign: Campaign) -> None:
    site = http.client.HTTPConnection(urlsplit(live_site).netloc, timeout=15)
    site.request("GET", f"/ws/campaigns/{campaign.slug}/label/")
    assert site.getresponse().status == 404
    site.close()
