"""Whoever follows labels and consensus gets each row once, in whatever order others commit."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker
from stock import committing, make_annotator, make_campaign, make_user, stock

from al_engine.pools import settled, signals
from al_engine.pools.models import Campaign, Consensus, Turn

from .client import Program

pytestmark = pytest.mark.usefixtures("transactional_db")

ANSWER = """
WITH given AS (
    INSERT INTO pools_label (campaign_id, image_id, query_id, turn_id, annotator_id, choice_id,
                             client_id, shown_ms)
    SELECT turn.campaign_id, turn.image_id, turn.query_id, turn.id, %(person)s, %(choice)s,
           %(id)s, 700
    FROM pools_turn turn WHERE turn.id = %(turn)s RETURNING *)
INSERT INTO pools_consensus (image_id, campaign_id, query_id, choice_id, confidence, answers)
SELECT image_id, campaign_id, query_id, choice_id, 1, 1 FROM given
"""


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of this module."""
    with committing(django_db_blocker):
        yield


class Writers:
    """Transactions that each answer one image, and end when they are told to."""

    def __init__(self, stack: ExitStack) -> None:
        self.campaign = make_campaign()
        stock(self.campaign, 12)
        self.turns = list(Turn.objects.filter(campaign=self.campaign).values_list("pk", flat=True))
        self.person = make_annotator(self.campaign).annotator_id
        self.choice = self.campaign.choices.values_list("pk", flat=True)[0]
        self._stack = stack

    def begin(self) -> tuple[psycopg.Connection[Any], str]:
        """A transaction that has answered, and the id of its label."""
        info = signals.connection_info("-c synchronous_commit=off")
        writer: psycopg.Connection[Any] = psycopg.connect(**info)
        self._stack.callback(writer.close)
        label = str(uuid4())
        said = {"turn": self.turns.pop(), "person": self.person, "choice": self.choice, "id": label}
        writer.execute(ANSWER, said)
        return writer, label


class Follower:
    """A program that goes on from the end of each page."""

    def __init__(self, campaign: Campaign, what: str, column: str) -> None:
        self.program = Program(make_user(is_staff=True, is_superuser=True))
        self.path = f"campaigns/{campaign.slug}/{what}?limit=2"
        self.column = column
        self.since = ""

    def more(self) -> list[Any]:
        """What came since, page by page."""
        found = []
        while True:
            page = self.program.get(f"{self.path}{self.since and f'&since={self.since}'}").json()
            self.since = page["since"] or self.since
            found += [row[self.column] for row in page["results"]]
            if page["next"] is None:
                return found


@pytest.fixture
def writers() -> Iterator[Writers]:
    with ExitStack() as stack:
        yield Writers(stack)


def test_an_answer_that_commits_late_is_waited_for_and_comes_in_its_place(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(writers.campaign, "labels", "label_id")
    (first, early), (second, late) = writers.begin(), writers.begin()
    second.commit()
    monkeypatch.setattr(settled, "PATIENCE_S", 0.02)
    assert follower.more() == [], "the later label would hide the earlier one"
    monkeypatch.setattr(settled, "PATIENCE_S", 20.0)
    ending = threading.Timer(0.05, first.commit)
    ending.start()
    assert follower.more() == [early, late]
    ending.join()
    third, lost = writers.begin()
    fourth, newest = writers.begin()
    fourth.commit()
    third.rollback()
    assert follower.more() == [newest]
    assert follower.more() == []
    assert lost not in Follower(writers.campaign, "labels", "label_id").more()


def test_a_consensus_that_commits_late_comes_after_all(writers: Writers) -> None:
    follower = Follower(writers.campaign, "consensus", "image_id")
    first, _ = writers.begin()
    second, _ = writers.begin()
    second.commit()
    assert follower.more() == []
    first.commit()
    came = follower.more()
    assert len(set(came)) == len(came) == 2
    assert follower.more() == []
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pools_consensus SET choice_id = NULL, answers = 0, "
            "changed_in = pg_current_xact_id()::text::bigint WHERE image_id = %s", [came[0]],
        )  # fmt: skip
    assert follower.more() == [came[0]], "an undone answer is a change"


def test_a_restored_database_is_read_anew(writers: Writers) -> None:
    """A dump keeps the numbers of transactions; where it is restored there are others."""
    writers.begin()[0].commit()
    campaign, far = writers.campaign, 10**15
    Consensus.objects.filter(campaign=campaign).update(changed_in=far)
    follower = Follower(campaign, "consensus", "image_id")
    assert len(follower.more() + follower.more()) == 1
    for what, since in (("labels", f"{far}"), ("consensus", f"{far}-1")):
        answer = follower.program.get(f"campaigns/{campaign.slug}/{what}?since={since}")
        assert answer.json()["errors"][0]["field"] == "since"


def test_many_writers_and_one_reader(writers: Writers) -> None:
    labels = Follower(writers.campaign, "labels", "label_id")
    consensus = Follower(writers.campaign, "consensus", "image_id")
    begun = [writers.begin() for _ in range(10)]
    came: list[str] = []
    images: list[int] = []
    for number in (3, 0, 9, 1, 7, 2, 8, 5, 4, 6):
        ending = threading.Timer(0.01, begun[number][0].commit)
        ending.start()
        came += labels.more() if number == 6 else []
        images += consensus.more()
        ending.join()
    came += labels.more()
    images += consensus.more()
    assert sorted(came) == sorted(label for _, label in begun)
    assert len(set(images)) == len(images) == 10
