"""The protocol that docs/protocol.md tells is the one that the server speaks."""

import re
from typing import get_args
from uuid import UUID

import orjson
import pytest
from django.utils import timezone
from documents import first, names, page, section, source, table

from al_engine.pools.labeled import Progress
from al_engine.pools.turns import LeasedTurn, Shortage
from annotator_site.labeling import consumer, protocol
from annotator_site.network.close_codes import CloseCode

UUID_TEXT = str(UUID(int=1))
OPTIONAL = {"resume", "sender", "detail", "proof"}


def refusal(message: dict[str, object]) -> str:
    with pytest.raises(protocol.BadMessage) as caught:
        protocol.parse(orjson.dumps(message).decode())
    return str(caught.value)


def test_the_messages_of_a_client_are_those_that_the_server_takes() -> None:
    rows = table(section(page("protocol.md"), "## From client to server"), "message | fields")
    code = source("annotator_site/labeling/protocol.py")
    assert sorted(first(rows)) == sorted(re.findall(r'case "(\w+)":', code))
    values = {"buffer": 3, "reason": "other", "resume": None, "query": 1, "choice": 1}
    values |= {"choices_version": 1, "shown_ms": 1, "id": UUID_TEXT, "label": UUID_TEXT}
    values |= {"sender": "person", "problem": "not_found", "detail": "", "proof": "1.x"}
    for kind, fields, *_ in rows:
        message = {"type": names(kind)[0], **{name: values[name] for name in names(fields)}}
        protocol.parse(orjson.dumps(message).decode())
        for name in set(names(fields)) - {"resume", "detail", "proof"}:
            assert f"“{name}”" in refusal({**message, name: "?"}), (message, name)
        for name in OPTIONAL & set(names(fields)):
            protocol.parse(orjson.dumps({k: v for k, v in message.items() if k != name}).decode())
    text = section(page("protocol.md"), "## From client to server")
    for name in OPTIONAL:
        assert f"`{name}`" in text.partition("All fields are required, but")[2]
    for kind, field in (("skip", "reason"), ("skip", "sender"), ("report", "problem")):
        sent = {"type": kind, "id": UUID_TEXT, "query": 1, "reason": "other", field: "?"}
        told = re.findall(r"\w+", refusal(sent).partition("one of")[2])
        (said,) = [row[2] for row in rows if names(row[0]) == [kind]]
        assert set(told) <= set(names(said)), (kind, field)
    assert f"at most {protocol.MAX_DETAIL_LENGTH} characters" in " ".join(text.split())


def test_the_messages_of_the_server_have_the_fields_that_are_listed() -> None:
    progress = Progress(labeled=1, total=2, answers=1)
    turn = LeasedTurn(UUID(int=1), 1, 1, "images/1/aa/aa.png", 8, 8, timezone.now())
    sent = [
        protocol.welcome(
            session=UUID(int=1),
            annotator={},
            campaign={},
            choices_version=1,
            choices=[],
            lease_seconds=1,
            progress=progress,
            mine=1,
        ),
        protocol.query(turn, "1.x"),
        protocol.ack(UUID(int=1), progress, 1),
        protocol.nack(None, "paused", ""),
        protocol.revoke(1),
        protocol.idle("paused", None),
        protocol.notice("saving_again"),
        protocol.choices(1, []),
        protocol.campaign({}, 1),
    ]
    text = section(page("protocol.md"), "## From server to client")
    listed = {names(row[0])[0]: set(names(row[1])) for row in table(text, "message | fields")}
    assert {
        message["type"]: set(message) - {"type"} for message in map(orjson.loads, sent)
    } == listed
    assert set(orjson.loads(sent[0])["progress"]) <= set(names(text))
    assert set(orjson.loads(sent[1])["image"]) <= set(names(text))
    assert first(table(text, "nack code | meaning")) == list(get_args(protocol.NackCode))
    assert first(table(text, "notice code | meaning")) == list(get_args(protocol.NoticeCode))
    assert first(table(text, "idle reason | meaning")) == list(get_args(protocol.IdleReason))
    assert first(table(text, "idle detail | meaning")) == list(get_args(Shortage))


def test_close_codes_and_limits_are_those_of_the_code() -> None:
    text = page("protocol.md")
    codes = [*map(int, CloseCode)]
    assert list(map(int, first(table(text, "close code | meaning")))) == codes
    assert f"subprotocol `{protocol.SUBPROTOCOL}`" in text
    assert f"A frame has {protocol.MAX_FRAME_BYTES:,} bytes at most" in text
    assert f"ahead (1 to {protocol.MAX_BUFFER})" in text
    assert f"at most {consumer.MAX_CONNECTIONS} of one annotator" in text


def test_the_exchange_in_the_protocol_is_one_of_this_protocol() -> None:
    lines = re.findall(r"^[<>] (\{.*)$", page("protocol.md"), re.MULTILINE)
    clients = re.findall(r"^> (\{.*)$", page("protocol.md"), re.MULTILINE)
    assert len(clients) > 5
    for line in clients:
        protocol.parse(line)
    assert {orjson.loads(line)["type"] for line in lines} >= {"welcome", "query", "ack", "nack"}
