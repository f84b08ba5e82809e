"""Whatever is wrong with a message is said, with the message's id, and harms nothing else."""

from typing import Any
from uuid import uuid4

import orjson
from stock import Person, choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign, Label

from .conftest import Connect

ID = "7f8c1f64-6e6c-4a68-9f0e-0d8a6d1c2b3a"
LABEL: dict[str, Any] = {"type": "label", "id": ID, "query": 1, "choice": 1, "shown_ms": 1}
BROKEN_FRAMES: dict[str, str | bytes] = {
    "no JSON": "{",
    "nothing": "",
    "a list": "[]",
    "a number": "17",
    "no type": orjson.dumps({"id": ID}).decode(),
    "an unknown type": orjson.dumps({"type": "dance", "id": ID}).decode(),
    "a type that is no text": orjson.dumps({"type": ["label"], "id": ID}).decode(),
    "NaN": '{"type": "label", "query": NaN}',
    "a lone surrogate": '{"type": "\\ud800"}',
    "a hundred thousand brackets": "[" * 100_000,
    "brackets as deep as a frame can hold": "[" * 8_000 + "]" * 8_000,
    "objects as deep as a frame can hold": '{"a":' * 3_000 + "1" + "}" * 3_000,
    "17 KiB": orjson.dumps({**LABEL, "x": "x" * 17 * 1024}).decode(),
    "17 KiB of two-byte letters": orjson.dumps({**LABEL, "x": "ä" * 17 * 512}).decode(),
    "a binary frame": orjson.dumps(LABEL),
    "bytes that are no UTF-8": b"\xff\xfe\x00",
}
WRONG_FIELDS: dict[str, dict[str, Any]] = {
    "no query": {"query": None},
    "a query that is text": {"query": "1"},
    "a query that is a fraction": {"query": 1.5},
    "a query that is true": {"query": True},
    "a query below zero": {"query": -1},
    "a query beyond 64 bits": {"query": 2**63},
    "a choice that is an object": {"choice": {}},
    "a time that is too long": {"shown_ms": 2**31},
    "a time below zero": {"shown_ms": -1},
    "no time": {"shown_ms": None},
    "a version that is text": {"choices_version": "1"},
    "a version below zero": {"choices_version": -1},
    "a version that is too large": {"choices_version": 2**31},
    "a skip without a reason": {"type": "skip"},
    "a skip with another reason": {"type": "skip", "reason": "bored"},
    "a skip with a list of reasons": {"type": "skip", "reason": ["unsure"]},
    "an undo of nothing": {"type": "undo"},
    "an undo of a number": {"type": "undo", "label": 7},
    "a buffer of none": {"type": "ready", "buffer": 0},
    "a buffer of 21": {"type": "ready", "buffer": 21},
    "a resume of no UUID": {"type": "ready", "buffer": 1, "resume": "me"},
}


def test_a_broken_frame_is_refused_and_the_connection_goes_on(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready(buffer=1)
    for name, frame in BROKEN_FRAMES.items():
        client.connection.send(frame)
        nack = client.expect("nack")
        assert nack["code"] == "bad_message", name
        assert len(nack["message"]) < 200, name
    assert client.label(client.queries(1)[0], choices_of(campaign)[0])["type"] == "ack"


def test_wrong_fields_are_refused_with_the_id_and_the_name_of_the_field(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    for name, fields in WRONG_FIELDS.items():
        message = {**LABEL, **fields}
        client.send(message)
        nack = client.expect("nack")
        assert (nack["code"], nack["id"]) == ("bad_message", ID), name
        wrong = "reason" if message["type"] == "skip" else next(reversed(fields))
        wrong = {"an undo of nothing": "label"}.get(name, wrong)
        assert f"“{wrong}”" in nack["message"], name


def test_a_message_without_a_proper_id_is_refused(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    for id_ in (None, 7, "", "me", "x" * 65, ["7f8c"]):
        client.send({**LABEL, "id": id_})
        nack = client.expect("nack")
        assert nack["code"] == "bad_message"
        assert nack["id"] == (id_ if id_ in ("", "me") else None)


def test_a_query_that_does_not_exist_is_unknown(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    cat, _ = choices_of(campaign)
    assert client.label(2**62, cat)["code"] == "unknown_query"
    assert client.skip(2**62)["code"] == "unknown_query"
    assert client.undo(str(uuid4()))["code"] == "unknown_query"


def test_a_query_of_another_campaign_is_unknown(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    elsewhere = make_campaign()
    stock(elsewhere, 1)
    holder = connect(elsewhere, make_annotator(elsewhere))
    holder.ready()
    (query,) = holder.queries(1)
    client = connect(campaign, ann)
    cat, _ = choices_of(campaign)
    assert client.label(query, cat)["code"] == "unknown_query"
    assert client.skip(query)["code"] == "unknown_query"
    assert holder.label(query, choices_of(elsewhere)[0])["type"] == "ack"


def test_a_query_that_one_never_held_is_not_yours(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    holder = connect(campaign, ann)
    holder.ready()
    (query,) = holder.queries(1)
    client = connect(campaign, ben)
    cat, _ = choices_of(campaign)
    assert client.label(query, cat)["code"] == "not_yours"
    assert client.skip(query)["code"] == "not_yours"
    assert not Label.objects.filter(campaign=campaign).exists()
    assert holder.label(query, cat)["type"] == "ack"


def test_a_class_of_another_campaign_is_unknown(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    foreign, _ = choices_of(make_campaign())
    client = connect(campaign, ann)
    client.ready()
    (query,) = client.queries(1)
    assert client.label(query, foreign)["code"] == "unknown_choice"
    assert client.label(query, 2**62)["code"] == "unknown_choice"
    # The query is still in hand.
    assert client.label(query, choices_of(campaign)[0])["type"] == "ack"


def test_skipping_what_one_has_answered_comes_too_late(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready()
    (query,) = client.queries(1)
    cat, _ = choices_of(campaign)
    client.label(query, cat)
    assert client.skip(query)["code"] == "too_late"
    assert Label.objects.get(campaign=campaign).retracted_at is None


def test_labeling_what_one_has_skipped_comes_too_late(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready()
    (query,) = client.queries(1)
    client.skip(query)
    cat, _ = choices_of(campaign)
    assert client.label(query, cat)["code"] == "too_late"
    assert not Label.objects.filter(campaign=campaign).exists()
