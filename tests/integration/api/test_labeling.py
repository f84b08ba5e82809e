"""Labeling by requests: the ids, receipts and promises of the socket, over the real site."""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from pools.check import violations
from pytest_django import DjangoDbBlocker
from stock import Person, choices_of, committing, make_annotator, make_campaign, stock

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Image, Label, Turn


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of this module."""
    with committing(django_db_blocker):
        yield
        for campaign in Campaign.objects.exclude(images=None):
            assert violations(campaign.pk) == []


class Program:
    """An annotator's program, which sends requests to a site."""

    def __init__(self, site: str, campaign: Campaign, person: Person) -> None:
        self.host = urlsplit(site).netloc
        self.base = f"/api/v1/campaigns/{campaign.slug}"
        self.token = person.token

    def post(self, what: str, body: Any) -> dict[str, Any]:
        """The answer to a POST, with its `status`."""
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        client = http.client.HTTPConnection(self.host, timeout=30)
        with closing(client):
            client.request("POST", f"{self.base}/{what}", json.dumps(body), headers)
            answer = client.getresponse()
            return {**json.load(answer), "status": answer.status}

    def claim(self, count: int, session: str | None = None) -> dict[str, Any]:
        return self.post("claim", {"count": count, "session": session})

    def act(self, *messages: dict[str, Any]) -> list[dict[str, Any]]:
        receipts: list[dict[str, Any]] = self.post("labels", {"messages": messages})["receipts"]
        return receipts


def label(query: dict[str, Any], choice: int) -> dict[str, Any]:
    """An answer to a query that was claimed."""
    return {
        "id": str(uuid4()), "query": query["query"], "proof": query["proof"], "choice": choice,
        "shown_ms": 700,
    }  # fmt: skip


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    campaign = make_campaign()
    stock(campaign, 12)
    return campaign


@pytest.fixture
def program(live_site: str, campaign: Campaign) -> Program:
    return Program(live_site, campaign, make_annotator(campaign))


def test_a_batch_is_stored_once_however_often_it_is_sent(
    campaign: Campaign, program: Program
) -> None:
    cat, dog = choices_of(campaign)
    claimed = program.claim(3)
    assert len({query["image"]["id"] for query in claimed["queries"]}) == 3
    batch = [label(query, dog) for query in claimed["queries"]]
    first = program.act(*batch)
    assert [each["type"] for each in first] == ["ack"] * 3
    assert [each["id"] for each in first] == [each["id"] for each in batch]
    stored = Label.objects.filter(campaign=campaign, choice=dog)
    assert sorted(str(each.client_id) for each in stored) == sorted(each["id"] for each in batch)
    assert program.act(*batch, batch[0]) == [
        {**each, "progress": first[2]["progress"]} for each in [*first, first[0]]
    ]
    (nack,) = program.act({**batch[0], "choice": cat})
    assert nack["code"] == "bad_message"
    assert Label.objects.filter(campaign=campaign).count() == 3


def test_leases_last_and_are_taken_up_by_the_session(campaign: Campaign, program: Program) -> None:
    first = program.claim(2)
    held = Turn.objects.filter(campaign=campaign, state="leased")
    assert {turn.pk for turn in held} == {query["query"] for query in first["queries"]}
    again = program.claim(4, first["session"])
    assert {query["query"] for query in first["queries"]} < {
        query["query"] for query in again["queries"]
    }
    assert len(again["queries"]) == 4
    assert held.all().count() == 4


def test_skips_undos_and_wrong_messages_have_the_sockets_receipts(
    campaign: Campaign, program: Program
) -> None:
    cat, _ = choices_of(campaign)
    one, two, three = program.claim(3)["queries"]
    answer = label(one, cat)
    receipts = program.act(
        answer,
        {"type": "skip", "id": str(uuid4()), "query": two["query"], "reason": "unsure"},
        {"id": str(uuid4()), "query": three["query"], "choice": cat},
        label({**three, "query": 2**62}, cat),
        label(three, 2**62),
    )
    assert [each.get("code", each["type"]) for each in receipts] == [
        "ack", "ack", "bad_message", "unknown_query", "unknown_choice",
    ]  # fmt: skip
    undone = program.post(
        "labels", {"messages": [{"type": "undo", "id": str(uuid4()), "label": answer["id"]}]}
    )
    assert undone["receipts"][0]["type"] == "ack"
    assert [each["query"] for each in undone["queries"]] == [one["query"]]
    assert Image.objects.get(pk=one["image"]["id"]).state == "queried"


def test_an_empty_pool_says_why_and_so_does_a_pause(campaign: Campaign, program: Program) -> None:
    assert len(program.claim(20)["queries"]) == 12
    nothing = program.claim(1)
    assert nothing["queries"] == []
    assert nothing["idle"]["reason"] == "pool_empty"
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)
    for _ in range(100):
        if (idle := program.claim(1)["idle"]) and idle["reason"] == "paused":
            break
    assert idle["reason"] == "paused"


def test_who_may_not_label_is_told_so(live_site: str, campaign: Campaign, program: Program) -> None:
    elsewhere = Program(live_site, campaign, make_annotator(make_campaign()))
    assert elsewhere.claim(1)["status"] == 404
    assert program.post("claim", {"count": 21})["errors"][0]["field"] == "count"
    assert program.post("labels", {"messages": []})["status"] == 400
    assert program.post("labels", {"messages": [{"id": "1"}]})["errors"][0]["field"] == (
        "messages.0.id"
    )
    person = make_annotator(campaign)
    campaigns.set_active(annotators=campaign.annotators.filter(user=person.user), active=False)
    assert Program(live_site, campaign, person).claim(1)["status"] in (403, 404)


def test_programs_side_by_side_never_answer_an_image_twice(
    live_site: str, campaign: Campaign
) -> None:
    cat, _ = choices_of(campaign)

    def run(program: Program) -> int:
        done = 0
        while queries := program.claim(2)["queries"]:
            receipts = program.act(*[label(query, cat) for query in queries])
            done += sum(each["type"] == "ack" for each in receipts)
        return done

    programs = [Program(live_site, campaign, make_annotator(campaign)) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        assert sum(threads.map(run, programs)) == 12
    assert Label.objects.filter(campaign=campaign).count() == 12
