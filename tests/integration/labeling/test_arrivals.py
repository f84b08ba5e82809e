"""Who comes with many others is let in, or told when to come again, and never hears nothing."""

import asyncio
import http.client
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
from conftest import ROOT, WEB_START_TIMEOUT_S
from django.test import Client as Browser
from stock import Person, make_annotator, make_campaign, stock
from websockets.exceptions import InvalidStatus

from al_engine.pools.models import Campaign
from annotator_site.running import listen, web_argv
from benchmarks.load.arriving import Arrival, Arrived, Arriving

from .conftest import Connect

PATIENCE_S = 60.0


def arrive(site: str, campaign: Campaign, how: Sequence[Arrival]) -> Arrived:
    """All come in the same moment."""
    address = urlsplit(site)
    assert address.hostname is not None
    assert address.port is not None
    crowd = Arriving(address.hostname, address.port, f"/ws/campaigns/{campaign.slug}/label/")
    return asyncio.run(crowd.run(how, within_s=0.0, patience_s=PATIENCE_S))


def cookie_of(person: Person) -> str:
    browser = Browser()
    browser.force_login(person.user, "django.contrib.auth.backends.ModelBackend")
    return f"sessionid={browser.cookies['sessionid'].value}"


@pytest.fixture(scope="module")
def a_crowd(transactional_db: None) -> tuple[Campaign, list[Person]]:
    campaign = make_campaign()
    stock(campaign, 1_000)
    return campaign, [make_annotator(campaign) for _ in range(150)]


def test_150_programs_that_come_at_once_are_all_let_in(
    live_site: str, a_crowd: tuple[Campaign, list[Person]]
) -> None:
    campaign, people = a_crowd
    arrived = arrive(live_site, campaign, [Arrival(token=each.token) for each in people])
    assert arrived.told == {"in": 150}


def test_40_browsers_that_come_at_once_are_all_let_in(
    live_site: str, a_crowd: tuple[Campaign, list[Person]]
) -> None:
    campaign, people = a_crowd
    page = f"/c/{campaign.slug}/"
    how = [Arrival(cookie=cookie_of(each), page=page) for each in people[:40]]
    arrived = arrive(live_site, campaign, how)
    assert arrived.told == {"in": 40}


def test_each_of_many_strangers_is_told_so(
    live_site: str, a_crowd: tuple[Campaign, list[Person]]
) -> None:
    """Looked up together with others, everybody is still told apart."""
    campaign, people = a_crowd
    stranger = make_annotator(make_campaign())
    tokens = [each.token for each in people[:30]]
    for place in range(0, 30, 3):
        tokens[place] = f"nobody's-{place}"
    tokens[1] = stranger.token
    arrived = arrive(live_site, campaign, [Arrival(token=token) for token in tokens])
    assert arrived.told == {"in": 19, "HTTP/1.1 401 Unauthorized": 10, "HTTP/1.1 403 Forbidden": 1}


@contextmanager
def a_full_site(asgi_server: str, environment: dict[str, str]) -> Iterator[str]:
    with closing(listen(0)) as listener:
        *argv, _ = web_argv(asgi_server, listener.fileno())
        process = subprocess.Popen(
            [*argv, "tests.integration.labeling.full_site:application"],
            env={**environment, "NOWAIT_ROLE": "web"},
            cwd=ROOT,
            pass_fds=(listener.fileno(),),
        )
        try:
            yield f"http://localhost:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(WEB_START_TIMEOUT_S)


@pytest.mark.parametrize("asgi_server", ["daphne", "uvicorn"])
def test_who_finds_no_place_is_told_when_to_come_again(
    asgi_server: str,
    connect: Connect,
    campaign: Campaign,
    ann: Person,
    test_environment: dict[str, str],
) -> None:
    with a_full_site(asgi_server, test_environment) as site:
        for path, language in (("/", "en"), (f"/c/{campaign.slug}/", "de"), ("/admin/", "en")):
            status, told, body = ask(site, path, language)
            assert status == 503, path
            assert int(told["retry-after"]) >= 1
            assert told["refresh"] == told["retry-after"]
            assert ("Einen Moment" in body) == (language == "de")
        assert ask(site, "/healthz", "en")[0] == 200
        assert ask(site, "/static/css/base.css", "en")[0] == 200
        headers = [
            {"Authorization": f"Token {ann.token}"},
            {"Origin": site, "Cookie": cookie_of(ann)},
        ]
        for each in headers:
            with pytest.raises(InvalidStatus) as refused:
                connect(campaign, headers=each, site=site)
            assert refused.value.response.status_code == 503
            assert int(refused.value.response.headers["Retry-After"]) >= 1


def ask(site: str, path: str, language: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body; a web process that starts lets its callers wait."""
    address = urlsplit(site)
    assert address.hostname is not None
    client = http.client.HTTPConnection(address.hostname, address.port, WEB_START_TIMEOUT_S)
    with closing(client):
        client.request("GET", path, headers={"Accept-Language": language})
        answer = client.getresponse()
        told = {name.lower(): text for name, text in answer.getheaders()}
        return answer.status, told, answer.read().decode()
