"""A desk in this process whose database can be made to fail, and people at it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from pools.check import violations
from pytest_django import DjangoDbBlocker
from stock import choices_of, committing, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign
from annotator_site.labeling import caretaker, database, faults

from .injector import Injector, injecting
from .people import Person
from .web import WebProcess, is_settled

BUFFER = 5
Sit = Callable[..., "Table"]


class Table:
    """A campaign's desk and the people at it."""

    def __init__(self, web: WebProcess, campaign: Campaign, count: int) -> None:
        self.web = web
        self.campaign = campaign
        self.desk = web.open(campaign.slug)
        choices = choices_of(campaign)
        people = [make_annotator(campaign).annotator_id for _ in range(count)]
        self.people = [Person(web, self.desk, each, choices) for each in people]
        for person in self.people:
            self.act(partial(person.ready, BUFFER))

    def act(self, what: Callable[[], object]) -> None:
        """Do something in the loop of the desk, in one breath."""
        self.web.call(what)

    def wait(self, seconds: float) -> None:
        """Let the desk work for so long, wherever that gets it."""
        self.web.run(asyncio.sleep(seconds))

    def until(self, true: Callable[[], bool]) -> None:
        """Return once something is so of the people or the desk."""
        self.web.until(true)

    def settle(self, *, held: int = 1) -> None:
        """Return once everything is answered and everybody holds something."""
        self.until(
            lambda: (
                is_settled(self.desk)
                and all(not person.open and len(person.held) >= held for person in self.people)
            )
        )

    def check(self) -> None:
        """Everything that people were told is so, and everything that must always hold, holds."""
        wrong = [wrong for person in self.people for wrong in person.wrong()]
        assert wrong == [], f"{len(wrong)} wrong:\n" + "\n".join(wrong[:8])
        assert violations(self.campaign.pk) == []
        labels = [m for p in self.people for m in p.acked.values() if m["type"] == "label"]
        assert self.desk.people.window.answers == len(labels), "the rate counts each of them once"


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of a module."""
    with committing(django_db_blocker):
        yield


@pytest.fixture(scope="module")
def injector(transactional_db: None) -> Iterator[Injector]:
    """Makes the database of the desks fail; they try again sooner than in life."""
    with pytest.MonkeyPatch.context() as patch, injecting(patch) as made:
        patch.setattr(faults, "_FIRST_PAUSE_SECONDS", 0.001)
        patch.setattr(faults, "LONGEST_PAUSE_SECONDS", 0.004)
        patch.setattr(caretaker, "SAMPLE_SECONDS", 3600.0)
        shorter = database.OPTIONS.replace("lock_timeout=5s", "lock_timeout=200ms")
        patch.setattr(database, "OPTIONS", shorter)
        yield made


@pytest.fixture(scope="module")
def web(injector: Injector) -> Iterator[WebProcess]:
    """The desks of this module."""
    process = WebProcess()
    yield process
    process.stop()


@pytest.fixture
def sit(web: WebProcess, injector: Injector) -> Iterator[Sit]:
    """Opens a desk with `people` at it and `images` in S; checked and closed in the end."""
    with ExitStack() as stack:

        def begin(images: int, *, people: int = 3) -> Table:
            campaign = make_campaign()
            stock(campaign, images)
            table = Table(web, campaign, people)
            stack.callback(web.forget, table.desk)
            table.settle()
            return table

        yield begin
