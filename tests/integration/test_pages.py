"""What each kind of person gets at each address, and what every page carries."""

import re
from html.parser import HTMLParser
from typing import Protocol
from urllib.parse import quote

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from django.urls import URLPattern, get_resolver
from stock import add_images, choices_of, make_annotator, make_campaign, make_user, shut_out

from al_engine.pools.models import Annotator, Campaign, Image
from annotator_site.accounts.models import User

pytestmark = pytest.mark.django_db

BACKEND = "django.contrib.auth.backends.ModelBackend"
PASSWORD = "a long enough one"
PERSONAS = ("anonymous", "stranger", "member", "owner")
# What each of PERSONAS gets; a path is where they are sent.
PAGES: dict[str, tuple[int | str, ...]] = {
    "/": ("/accounts/login/?next=/", 200, 200, 200),
    "/c/{slug}/": ("/accounts/login/?next=/c/{slug}/", 403, 200, 403),
    "/c/{slug}/examples.json": (
        "/accounts/login/?next=/c/{slug}/examples.json",
        404,
        200,
        404,
    ),
    "/c/{slug}/practice.json": (
        "/accounts/login/?next=/c/{slug}/practice.json",
        404,
        200,
        404,
    ),
    "/c/{slug}/passed/": ("/accounts/login/?next=/c/{slug}/passed/", 405, 405, 405),
    "/c/nowhere/": ("/accounts/login/?next=/c/nowhere/", 404, 404, 404),
    "/accounts/login/": (200, "/", "/", "/"),
    "/accounts/logout/": (405, 405, 405, 405),
    "/accounts/": ("/accounts/login/?next=/accounts/", 200, 200, 200),
    # None of these has a password, which is asked for again before anything can be changed.
    "/accounts/password/": ("/accounts/login/?next=/accounts/password/", 403, 403, 403),
    "/accounts/confirm/": ("/accounts/login/?next=/accounts/confirm/", 403, 403, 403),
    "/accounts/confirm/code/": ("/accounts/login/?next=/accounts/confirm/code/", 403, 403, 403),
    "/accounts/login/code/": ("/accounts/login/", "/", "/", "/"),
    "/accounts/second-factor/": ("/accounts/",) * 4,
    **{
        f"/accounts/{path}": (f"/accounts/login/?next={quote(f'/accounts/{path}', safe='')}", *got)
        for path, got in {
            "second-factor/on/": (403, 403, 403),
            "second-factor/recovery/new/": (403, 403, 403),
            "tokens/new/": (403, 403, 403),
        }.items()
    },
    "/accounts/second-factor/off/": (
        "/accounts/login/?next=/accounts/second-factor/off/",
        404,
        404,
        404,
    ),
    "/accounts/second-factor/recovery/": (
        "/accounts/login/?next=/accounts/second-factor/recovery/",
        404,
        404,
        404,
    ),
    "/accounts/sessions/end/": (405, 405, 405, 405),
    "/accounts/tokens/1/end/": (405, 405, 405, 405),
    "/admin/": ("/admin/login/?next=/admin/",) * 3 + (200,),
    "/admin/login/": ("/accounts/login/?next=/admin/", 403, 403, "/admin/"),
    "/language/": ("/", "/", "/", "/"),
    "/healthz": (200, 200, 200, 200),
    "/readyz": (200, 200, 200, 200),
    "/.well-known/security.txt": (404, 404, 404, 404),
    "/nowhere": (404, 404, 404, 404),
    "/media/images/1.png": (404, 404, 404, 404),
}


class HasContent(Protocol):
    """A response of Django's test client."""

    @property
    def content(self) -> bytes: ...


class Markup(HTMLParser):
    """Collects what the policy of the site would block, and the ids of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.blocked: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.blocked += [name for name in values if name == "style" or name.startswith("on")]
        # What is not run is not blocked.
        code = tag == "script" and values.get("type") != "application/json"
        if tag == "style" or (code and not values.get("src")):
            self.blocked.append(tag)


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign()


@pytest.fixture
def member(campaign: Campaign) -> User:
    return make_annotator(campaign).user


@pytest.fixture
def people(campaign: Campaign, member: User) -> dict[str, Client]:
    """A browser of each of PERSONAS."""
    users = {
        "stranger": make_annotator(make_campaign()).user,
        "member": member,
        "owner": make_user(is_staff=True, is_superuser=True),
    }
    return {"anonymous": Client(), **{name: browser_of(user) for name, user in users.items()}}


def browser_of(user: User) -> Client:
    """A browser in which `user` is logged in."""
    browser = Client()
    browser.force_login(user, BACKEND)
    return browser


def give_password(user: User) -> None:
    """The password that the tests log in by."""
    user.password = make_password(PASSWORD)
    user.save()


def text_of(response: HasContent) -> str:
    """A page as text."""
    return response.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_everybody_gets_what_is_meant_for_them(
    people: dict[str, Client], campaign: Campaign, path: str
) -> None:
    for persona, expected in zip(PERSONAS, PAGES[path], strict=True):
        response = people[persona].get(path.format(slug=campaign.slug))
        if isinstance(expected, int):
            assert response.status_code == expected, persona
        else:
            assert response.status_code == 302, persona
            assert response["Location"] == expected.format(slug=campaign.slug), persona


def test_every_address_outside_the_admin_is_looked_at_here() -> None:
    known = [re.sub(r"\{.*?\}|\b1\b(?!\.)", "x", path).lstrip("/") for path in PAGES]
    for pattern in get_resolver().url_patterns:
        for each in [pattern] if isinstance(pattern, URLPattern) else pattern.url_patterns:
            # rights/table.py has these.
            if getattr(pattern, "app_name", None) in ("admin", "api"):
                continue
            prefix = "" if each is pattern else str(pattern.pattern)
            route = re.sub(r"<.*?>", "x", prefix + str(each.pattern))
            assert route in known, f"{route} is not in PAGES: say who gets what there"


@pytest.mark.parametrize("path", ["/", "/c/{slug}/", "/accounts/login/", "/nowhere", "/api/docs/"])
def test_every_page_keeps_to_its_own_policy(
    people: dict[str, Client], campaign: Campaign, path: str
) -> None:
    for persona, browser in people.items():
        response = browser.get(path.format(slug=campaign.slug))
        policy = response["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Referrer-Policy"] == "same-origin"
        page = Markup(text_of(response))
        assert page.blocked == [], persona
        assert len(page.ids) == len(set(page.ids)), persona


def test_a_person_sees_their_own_campaigns_alone(people: dict[str, Client]) -> None:
    for persona, browser in people.items():
        page = text_of(browser.get("/", follow=True))
        count = 1 if persona in ("stranger", "member") else 0
        assert page.count("data-campaign=") == count, persona
        assert ("You are not in a campaign yet" in page) == (persona == "owner")
        assert ("/admin/" in page) == (persona == "owner")


def test_the_home_page_tells_how_far_each_campaign_is(campaign: Campaign, member: User) -> None:
    images = [image.pk for image in add_images(campaign, 1200)[:1000]]
    for state in ("queried", "labeled"):
        Image.objects.filter(pk__in=images).update(state=state)
    page = text_of(browser_of(member).get("/"))
    assert re.search(r"<b>1,000</b> of 1,200 images labeled", page)
    assert re.search(r"<b>0</b> answers yours", page)
    assert f'href="/c/{campaign.slug}/"' in page


@pytest.mark.parametrize(
    ("state", "words"),
    [("running", ">Label<"), ("paused", ">Open<"), ("finished", "Done, thanks")],
)
def test_the_home_page_offers_what_the_campaigns_state_allows(
    campaign: Campaign, member: User, state: str, words: str
) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(state=state)
    page = text_of(browser_of(member).get("/"))
    assert f'data-state="{state}"' in page
    assert words in page


def test_who_was_shut_out_sees_the_campaign_no_more(campaign: Campaign) -> None:
    person = make_annotator(campaign)
    shut_out(person)
    browser = browser_of(person.user)
    assert "data-campaign=" not in text_of(browser.get("/"))
    assert browser.get(f"/c/{campaign.slug}/").status_code == 403


def test_the_labeling_page_says_where_its_socket_is_and_nothing_of_the_answers(
    campaign: Campaign, member: User
) -> None:
    images = add_images(campaign, 6)
    page = text_of(browser_of(member).get(f"/c/{campaign.slug}/"))
    assert f'data-socket="/ws/campaigns/{campaign.slug}/label/"' in page
    assert not any(image.name in page or image.sha256 in page for image in images)
    assert str(choices_of(campaign)[0]) not in re.findall(r'data-choice="(\d+)"', page)


def test_what_people_write_cannot_run_in_anothers_browser(campaign: Campaign, member: User) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(
        title="<script>alert(1)</script>",
        instructions="<img src=x onerror=alert(2)> [here](javascript:alert(3)) *well*\n\n"
        "<script>alert(4)</script>",
    )
    browser = browser_of(member)
    for path in ("/", f"/c/{campaign.slug}/"):
        page = text_of(browser.get(path))
        assert Markup(page).blocked == []
        assert "<script>alert" not in page
        assert "javascript:" not in re.sub(r"\[here\]\(javascript:alert\(3\)\)", "", page)
    assert "<em>well</em>" in page


def test_logging_in_leads_to_where_one_wanted_to_go(campaign: Campaign, member: User) -> None:
    give_password(member)
    form = {"username": member.username, "password": PASSWORD}
    browser = Client()
    wanted = f"/c/{campaign.slug}/"
    login = browser.get(wanted, follow=True)
    assert f'name="next" value="{wanted}"' in text_of(login)
    answer = browser.post("/accounts/login/", {**form, "next": wanted})
    assert answer["Location"] == wanted
    assert browser.get(wanted).status_code == 200
    assert browser.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert browser.get(wanted).status_code == 302
    # And nowhere else.
    away = browser.post("/accounts/login/", {**form, "next": "https://evil.example/"})
    assert away["Location"] == "/"


def test_a_wrong_password_is_refused_in_the_same_words_as_a_wrong_name(member: User) -> None:
    give_password(member)
    browser = Client()
    words = []
    for name in (member.username, "nobody"):
        answer = browser.post("/accounts/login/", {"username": name, "password": "wrong"})
        assert answer.status_code == 200
        page = text_of(answer)
        found = re.search(r'role="alert" id="login-error">(.*?)</div>', page, re.DOTALL)
        assert found
        words.append(found[1].strip())
        assert "wrong" not in page  # the password does not come back
    assert words[0] == words[1]


def test_a_form_without_its_token_changes_nothing(member: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(member, BACKEND)
    answer = browser.post("/accounts/logout/")
    assert answer.status_code == 403
    assert "That form was too old" in text_of(answer)
    assert browser.get("/").status_code == 200


def test_a_site_whose_migrations_wait_is_not_ready(campaign: Campaign) -> None:
    browser = Client()
    assert browser.get("/readyz").json()["ready"] is True
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'pools'")
    waiting = browser.get("/readyz")
    assert waiting.status_code == 503
    assert b"migrate" in waiting.content
    assert browser.get("/healthz").status_code == 200
    assert Annotator.objects.filter(campaign=campaign).count() == 0


def test_a_campaign_without_images_says_so_to_people_and_to_whoever_runs_it(client: Client) -> None:
    campaign = make_campaign()
    person = make_annotator(campaign)
    owner = make_user(is_staff=True, is_superuser=True)
    change = f"/admin/pools/campaign/{campaign.pk}/change/"
    command = f"manage.py import_images {campaign.slug} PATH"

    client.force_login(person.user, BACKEND)
    assert b"No images yet" in client.get("/").content
    client.force_login(owner, BACKEND)
    assert command.encode() in client.get(change).content

    add_images(campaign, 1)
    assert command.encode() not in client.get(change).content
    client.force_login(person.user, BACKEND)
    assert b"No images yet" not in client.get("/").content
