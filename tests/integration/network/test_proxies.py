"""The documented nginx and Caddy, real ones on ports of their own, before each kind of web process.

And what a proxy that is set up otherwise is told; whom it may name as the visitor.
"""

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import MD5PasswordHasher
from forwarded import PROXY, TOLD
from labeling.client import Client
from playwright.sync_api import Browser, expect
from pytest_django import DjangoDbBlocker
from stock import Person, committing, make_annotator, make_campaign, make_user, stock
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Label
from annotator_site.accounts.models import User
from annotator_site.network.addresses import network_of
from annotator_site.network.proxies import NO_HOST, NO_PORT, NO_SCHEME, SUB_PATH
from annotator_site.running import THIS_MACHINE

from .conftest import ask
from .real_proxies import OFFICE, Front, in_front
from .visitor import HOME, Visitor

pytestmark = pytest.mark.usefixtures("transactional_db")

PASSWORD = "a long enough one"
SECRET = "abcdefghijklmnopqrstuvwxyz012345"
THROUGH = {"Host": "localhost", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of the module."""
    with committing(django_db_blocker):
        yield


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    """A running campaign with images in S."""
    campaign = make_campaign()
    stock(campaign, 8)
    return campaign


@pytest.fixture
def ann(campaign: Campaign) -> Person:
    """Its annotator, who knows what to do."""
    person = make_annotator(campaign)
    give_password(person.user)
    campaigns.mark_introduced(annotator_id=person.annotator_id)
    return person


def give_password(user: User) -> None:
    """One that costs nothing to check."""
    user.password = MD5PasswordHasher().encode(PASSWORD, "salt")
    user.save()


# The documented configurations.


def test_plain_http_goes_on_by_https(front: Front) -> None:
    ways = [front.http] if front.name == "caddy" else [front.http, front.https]
    for port in ways:
        client = http.client.HTTPConnection("localhost", port, timeout=20, source_address=(HOME, 0))
        with closing(client):
            client.request("GET", "/c/x/?a=b")
            answer = client.getresponse()
            assert answer.status in (301, 308)
            assert answer.headers["location"] == f"{front.origin}/c/x/?a=b"


def test_people_log_in_choose_a_language_label_and_log_out(
    front: Front, campaign: Campaign, ann: Person
) -> None:
    visitor = Visitor(front)
    label = f"/c/{campaign.slug}/"
    sent_on = visitor.get(label)
    assert (sent_on.status, sent_on.headers["location"]) == (302, f"/accounts/login/?next={label}")
    named = {"username": ann.user.username, "password": PASSWORD}
    entered = visitor.send(f"/accounts/login/?next={label}", named)
    assert (entered.status, entered.headers["location"]) == (302, label)
    assert {"__Host-sessionid", "__Host-csrftoken"} <= set(visitor.cookies)
    assert visitor.get(label).status == 200
    assert visitor.get("/static/css/base.css").headers["content-type"].startswith("text/css")
    chosen = visitor.send("/", {"language": "de", "next": "/"}, to="/language/")
    assert (chosen.status, chosen.headers["location"]) == (302, "/")
    assert 'lang="de"' in visitor.get("/").text
    with visitor.open_socket(f"/ws/campaigns/{campaign.slug}/label/") as connection:
        client = Client(connection)
        choice = client.expect("welcome")["choices"][0]["choice"]
        client.ready()
        query = client.expect("query")
        image = visitor.get(query["image"]["url"])
        assert (image.status, image.headers["content-type"]) == (200, "image/png")
        assert client.label(query["query"], choice)["type"] == "ack"
    assert Label.objects.filter(annotator_id=ann.annotator_id).count() == 1
    assert visitor.send("/", {}, to="/accounts/logout/").status == 302
    assert visitor.get("/").status == 302


def test_staff_log_in_and_send_forms(front: Front, campaign: Campaign) -> None:
    staff = make_user(is_staff=True, is_superuser=True)
    give_password(staff)
    visitor = Visitor(front)
    named = {"username": staff.username, "password": PASSWORD, "next": "/admin/"}
    assert visitor.send("/accounts/login/?next=/admin/", named).headers["location"] == "/admin/"
    page = "/admin/pools/campaign/"
    action = {"action": "pause", "_selected_action": str(campaign.pk)}
    assert visitor.send(page, action).status == 302
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.PAUSED
    # As large as the site takes them, and larger than the proxy lets through.
    assert visitor.send(page, {"x": "y" * 2_500_000}).status in (200, 302)
    # Where the site refuses first, Caddy may call that a bad gateway.
    assert visitor.send(page, {"x": "y" * 3_500_000}).status in (413, 502)


def test_the_visitors_address_is_seen_whatever_they_say(front: Front, ann: Person) -> None:
    visitor = Visitor(front)
    lies = {"X-Forwarded-For": "6.6.6.6, 7.7.7.7", "Forwarded": "for=6.6.6.6"}
    assert visitor.ask("GET", "/who", headers=lies).text == HOME
    with visitor.open_socket("/who") as connection:
        assert connection.recv(timeout=20) == HOME
    guess = {"username": ann.user.username, "password": "guess"}
    assert visitor.send("/accounts/login/", guess, **lies).status == 200
    seen = AccessAttempt.objects.filter(username=ann.user.username)
    assert [attempt.ip_address for attempt in seen] == [HOME]


def test_another_port_of_this_name_is_another_site(
    front: Front, campaign: Campaign, ann: Person
) -> None:
    visitor = Visitor(front)
    visitor.send("/accounts/login/", {"username": ann.user.username, "password": PASSWORD})
    foreign = f"https://localhost:{front.http}"
    refused = visitor.send("/", {"language": "de"}, to="/language/", Origin=foreign)
    assert refused.status == 403
    with pytest.raises(InvalidStatus) as refusal:
        visitor.open_socket(f"/ws/campaigns/{campaign.slug}/label/", origin=foreign)
    assert refusal.value.response.status_code == 403


@pytest.mark.parametrize("pair", [("nginx", "daphne"), ("caddy", "uvicorn")], ids="-".join)
def test_the_labeling_page_works_in_a_browser(
    pair: tuple[str, str],
    fronts: Callable[[str, str], Front],
    browser: Browser,
    campaign: Campaign,
    ann: Person,
) -> None:
    context = browser.new_context(base_url=fronts(*pair).origin, ignore_https_errors=True)
    with closing(context):
        page = context.new_page()
        page.goto(f"/c/{campaign.slug}/")
        expect(page.locator(".unstyled")).to_be_hidden()
        page.fill("#id_username", ann.user.username)
        page.fill("#id_password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("#stage[data-armed]")
        page.keyboard.press("1")
        expect(page.locator("body")).to_have_attribute("data-mine", "1")
        expect(page.locator("body")).to_have_attribute("data-pending", "0")
    assert Label.objects.filter(annotator_id=ann.annotator_id).count() == 1


# What a proxy may say.


def who_by_socket(site: int, line: str) -> str:
    """Who opens a WebSocket, as the site sees it; or the status of a handshake that is refused."""
    address = f"ws://{THIS_MACHINE}:{site}/who"
    try:
        with connect(address, additional_headers={"X-Forwarded-For": line}) as socket:
            return str(socket.recv(timeout=20))
    except InvalidStatus as refusal:
        return str(refusal.response.status_code)


def test_no_word_of_a_proxy_is_an_error_and_only_the_last_counts(proxied_site: int) -> None:
    for line, (seen, *_) in TOLD.items():
        headers = {**THROUGH, "X-Forwarded-For": line}
        assert ask(proxied_site, "/accounts/login/", headers)[0] in (200, 400), line
        status, who = ask(proxied_site, "/who", headers)
        # Some signs are no header at all.
        expected = THIS_MACHINE if seen == PROXY else seen
        assert (status, who) == (200, expected) or status == 400, line
        if status == 200:
            assert who_by_socket(proxied_site, line) in (expected, "431"), line


@pytest.mark.parametrize(
    "line", ["6.6.6.6, 203.0.113.7", "[2001:db8::7]:4711", "nonsense", "ü" * 50, "6" * 10_000, ""]
)
def test_a_failed_log_in_is_that_addresss(proxied_site: int, line: str) -> None:
    name = make_user().username
    headers = {
        **THROUGH,
        "X-Forwarded-For": line,
        "Origin": "https://localhost",
        "Cookie": f"__Host-csrftoken={SECRET}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    form = f"csrfmiddlewaretoken={SECRET}&username={name}&password=guess"
    assert ask(proxied_site, "/accounts/login/", headers, form)[0] == 200
    seen = TOLD.get(line, (PROXY,))[0]
    attempt = AccessAttempt.objects.get(username=name)
    # Of an IPv6 address, its network.
    network = network_of(THIS_MACHINE if seen == PROXY else seen).partition("/")[0]
    assert attempt.ip_address == network


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Host": "localhost"}, NO_SCHEME),
        ({"Host": "localhost", "X-Forwarded-Proto": "on"}, NO_SCHEME),
        ({**THROUGH, "Host": "127.0.0.1:8000"}, NO_HOST),
        ({**THROUGH, "X-Forwarded-Prefix": "/labels"}, SUB_PATH),
        ({**THROUGH, "X-Script-Name": "/labels"}, SUB_PATH),
    ],
)
def test_a_proxy_that_leaves_something_out_is_told(
    proxied_site: int, headers: dict[str, str], words: str
) -> None:
    assert ask(proxied_site, "/accounts/login/", headers) == (400, f"{words}\n")
    assert ask(proxied_site, "/readyz", headers)[0] == 200
    assert ask(proxied_site, "/i/x.png", headers)[1] != f"{words}\n"


def test_the_server_is_given_no_path_by_a_header(proxied_site: int) -> None:
    status, page = ask(proxied_site, "/accounts/login/", {**THROUGH, "Daphne-Root-Path": "/labels"})
    assert status == 400 or "/labels" not in page


@pytest.mark.parametrize(
    ("host", "origin", "status", "words"),
    [
        ("localhost", "https://localhost", 302, ""),
        ("localhost:443", "https://localhost", 302, ""),
        ("localhost:8443", "https://localhost:8443", 302, ""),
        ("localhost", "https://localhost:8443", 400, NO_PORT),
        ("localhost:8443", "https://localhost", 403, ""),
    ],
)
def test_a_form_comes_from_the_port_of_the_site(
    proxied_site: int, host: str, origin: str, status: int, words: str
) -> None:
    """However the proxy writes the usual port; one that hides another is told so."""
    headers = {
        **THROUGH,
        "Host": host,
        "Origin": origin,
        "Cookie": f"__Host-csrftoken={SECRET}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    form = f"csrfmiddlewaretoken={SECRET}&language=de&next=/"
    said, page = ask(proxied_site, "/language/", headers, form)
    assert said == status
    assert words in page


# nginx alone.


@pytest.fixture(scope="module")
def limited(
    proxied_sites: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """nginx with the documented limits, too."""
    folder = tmp_path_factory.mktemp("limited")
    with in_front("nginx", proxied_sites["daphne"], folder, limits=True) as proxy:
        yield proxy


def test_the_limits_by_address_spare_an_office(limited: Front) -> None:
    asked = ["/accounts/login/"] * 20 + ["/admin/login/"] * 20
    stranger, office = Visitor(limited), Visitor(limited, OFFICE)
    assert 429 in {stranger.ask("HEAD", path).status for path in asked}
    assert stranger.get("/static/css/base.css").status == 200
    assert 429 not in {office.ask("HEAD", path).status for path in asked}


def test_a_page_below_a_path_says_that_it_does_not_work_there(
    limited: Front, browser: Browser
) -> None:
    context = browser.new_context(locale="de-DE")
    with closing(context):
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{limited.below_a_path}/labels/accounts/login/")
        expect(page.locator(".unstyled")).to_be_visible()
        expect(page.locator(".unstyled")).to_contain_text("unter einem Pfad")
