"""An answer to an image that the site did show is stored, whatever a crash took from the database.

Claims are lost here as a crash would lose them: the turn is open again, and nobody had it.
"""

from typing import Any
from uuid import uuid4

import pytest
from stock import Person, choices_of

from al_engine.pools.models import Campaign, Label, Turn

from .client import Client, Frame
from .conftest import Connect


def lose(query: Frame) -> None:
    """As if its claim had never been."""
    assert Turn.objects.filter(pk=query["query"], state="leased").update(
        state="open", annotator_id=None, session=None, lease_expires=None
    )


def shown(client: Client) -> Frame:
    """A query that was shown, and of which the database knows nothing."""
    client.ready()
    query = client.expect("query")
    lose(query)
    return query


def answer(client: Client, query: Frame, choice: int, **more: Any) -> Frame:
    """Answer; the ack or nack."""
    fields = {"query": query["query"], "choice": choice, **more}
    return client.request({"type": "label", **fields})


def test_over_the_same_connection_it_needs_no_proof(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    query = shown(client)
    assert answer(client, query, choices_of(campaign)[0])["type"] == "ack"
    assert Label.objects.get(campaign=campaign).image_id == query["image"]["id"]


def test_over_another_connection_to_another_process_its_proof_says_so(
    connect: Connect, campaign: Campaign, ann: Person, second_site: str
) -> None:
    cat, _ = choices_of(campaign)
    query = shown(connect(campaign, ann))
    elsewhere = connect(campaign, ann, site=second_site)
    assert answer(elsewhere, query, cat)["code"] == "not_yours"
    said = {"type": "label", "id": str(uuid4()), "query": query["query"], "choice": cat}
    first = elsewhere.request({**said, "proof": query["proof"]})
    again = connect(campaign, ann).request({**said, "proof": query["proof"]})
    assert (first["type"], again["type"]) == ("ack", "ack")
    assert first["progress"] == again["progress"] == {"labeled": 1, "total": 40, "mine": 1}


def test_a_skip_of_it_is_acknowledged(
    connect: Connect, campaign: Campaign, ann: Person, second_site: str
) -> None:
    query = shown(connect(campaign, ann))
    skip = {"type": "skip", "query": query["query"], "reason": "unsure"}
    elsewhere = connect(campaign, ann, site=second_site)
    assert elsewhere.request(skip)["code"] == "not_yours"
    assert elsewhere.request({**skip, "proof": query["proof"]})["type"] == "ack"


def test_whose_image_it_was_is_proven_by_nothing_else(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person, second_site: str
) -> None:
    cat, _ = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=2)
    query, other = client.expect("query"), client.expect("query")
    lose(query)
    proof = query["proof"]
    image, _, signature = proof.partition(".")
    forged: list[Any] = [
        *("", ".", f"{image}.", signature, f"{image}.{signature[:-1]}", f"{image}.{signature}A"),
        *(f" {proof}", f"{int(image) + 1}.{signature}", f"-{proof}", proof.upper()),
        *(other["proof"], f"{other['image']['id']}.{signature}", "9" * 60 + f".{signature}"[:3]),
        *("é.é", "\x00.\x00", "١.x", f"{image}.{'=' * 20}", 7, None, [proof], {"proof": proof}),
        "x" * 16_000,
    ]
    elsewhere = connect(campaign, ann, site=second_site)
    for each in forged:
        assert answer(elsewhere, query, cat, proof=each).get("code") == "not_yours", each
    stranger = connect(campaign, ben, site=second_site)
    assert answer(stranger, query, cat, proof=proof)["code"] == "not_yours"
    assert not Label.objects.filter(campaign=campaign).exists()
    assert answer(elsewhere, query, cat, proof=proof)["type"] == "ack"


@pytest.mark.parametrize("proof", [None, 7, "", "nonsense"])
def test_what_is_in_hand_needs_none(
    connect: Connect, campaign: Campaign, ann: Person, proof: Any
) -> None:
    client = connect(campaign, ann)
    client.ready()
    query = client.expect("query")
    assert answer(client, query, choices_of(campaign)[0], proof=proof)["type"] == "ack"
