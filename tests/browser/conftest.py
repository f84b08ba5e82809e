"""Browsers in which somebody is logged in, campaigns of real digits, and an ear at the console."""

import re
from collections.abc import Callable, Generator, Iterator
from functools import cache
from itertools import islice
from typing import Any

import pytest
from conftest import a_browser
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from pytest_django import DjangoDbBlocker
from stock import Person, add_pictures, ask, committing, make_annotator, make_campaign

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign
from annotator_site.simulation.demo_data import Picture, digits

from .labeler import Labeler

SCREENSHOTS = settings.BASE_DIR / "var" / "screenshots"
FAILED = pytest.StashKey[bool]()
MakeDigits = Callable[..., Campaign]
OpenPage = Callable[..., Page]
Start = Callable[..., Labeler]


class Console:
    """What the consoles of all pages of a test said, but for what it allows."""

    def __init__(self) -> None:
        self.allowed: list[str] = []
        self._heard: list[str] = []

    def listen(self, context: BrowserContext) -> None:
        """Hear what the pages of a browser complain of: errors, warnings, blocked content."""

        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self._heard.append(message.text)

        context.on("console", hear)
        context.on("weberror", lambda error: self._heard.append(str(error.error)))

    def allow(self, *parts: str) -> None:
        """Complaints with one of these in them are what the test provokes."""
        self.allowed += parts

    def allow_lost_links(self) -> None:
        """The network goes away, and with it the WebSocket, open or not yet."""
        self.allow("ERR_INTERNET_DISCONNECTED", "closed before the connection is established")
        self.allow("already in CLOSING or CLOSED state")

    def allow_refusals(self) -> None:
        """A WebSocket is refused, in the handshake and to the page that asks why.

        Who may connect by the time that the page asks is answered 426: this address is a socket's.
        """
        self.allow("Unexpected response code: 40", "HTTP Authentication failed", "status of 40")
        self.allow("status of 426")

    @property
    def complaints(self) -> list[str]:
        """What nobody expected."""
        return [text for text in self._heard if not any(part in text for part in self.allowed)]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all tests of this folder, each of which has profiles of its own."""
    with a_browser() as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser, live_site: str) -> Iterator[Page]:
    """A page of a fresh browser profile, with `live_site` as the base of relative addresses."""
    context = browser.new_context(base_url=live_site)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of a module."""
    with committing(django_db_blocker):
        yield


@cache
def pictures(count: int) -> list[Picture]:
    """The first handwritten digits of scikit-learn."""
    return [picture for picture in islice(digits(), 2 * count) if picture.split == "pool"][:count]


@pytest.fixture
def make_digits(transactional_db: None) -> MakeDigits:
    """Makes a campaign of `images` real digits, `asked` of them (all) in S."""

    def make(images: int = 16, asked: int | None = None, **options: Any) -> Campaign:
        campaign = make_campaign(
            **{"title": "Handwritten digits", "classes": list("0123456789"), **options}
        )
        add_pictures(campaign, pictures(images))
        ask(campaign, images if asked is None else asked)
        return campaign

    return make


@pytest.fixture
def console() -> Console:
    """What the consoles of this test's pages said."""
    return Console()


@pytest.fixture
def open_page(
    browser: Browser, live_site: str, console: Console, request: pytest.FixtureRequest
) -> Iterator[OpenPage]:
    """Opens pages, each in a browser of its own; `person` is logged in there.

    A complaint in the console that the test does not allow fails it in the end.
    """
    contexts: list[BrowserContext] = []

    def open_one(person: Person | None = None, **options: Any) -> Page:
        usual = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
        context = browser.new_context(base_url=live_site, **{**usual, **options})
        contexts.append(context)
        console.listen(context)
        if person is not None:
            log_in(context, live_site, person)
        return context.new_page()

    yield open_one
    failed = request.node.stash.get(FAILED, False)
    pages = [page for context in contexts for page in context.pages]
    for number, page in enumerate(pages if failed else []):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"\W+", "-", request.node.name).strip("-")
        page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png")
    for context in contexts:
        context.close()
    assert failed or console.complaints == []


def log_in(context: BrowserContext, site: str, person: Person) -> None:
    """Log somebody in without the page for it, which has tests of its own."""
    client = Client()
    client.force_login(person.user, "django.contrib.auth.backends.ModelBackend")
    value = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": value, "url": site}])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test failed, for the screenshots."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def start(make_digits: MakeDigits, open_page: OpenPage) -> Start:
    """Opens the labeling page of a new campaign for its only annotator, who knows what to do.

    With `clock`, the test may turn the page's clock on; else it goes as clocks go.
    """

    def begin(
        page_options: dict[str, Any] | None = None, *, clock: bool = False, **options: Any
    ) -> Labeler:
        campaign = make_digits(**options)
        person = make_annotator(campaign)
        campaigns.mark_introduced(annotator_id=person.annotator_id)
        page = open_page(person, **(page_options or {}))
        if clock:
            page.clock.install()
        return Labeler(page, campaign, person.annotator_id).open()

    return begin
