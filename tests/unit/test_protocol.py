"""The labeling protocol as values: every message, every refusal, and no way to break the parser."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from al_engine.pools.labeled import Progress
from al_engine.pools.turns import LeasedTurn
from annotator_site.images.addresses import image_url
from annotator_site.labeling import protocol
from annotator_site.labeling.protocol import (
    MAX_FRAME_BYTES,
    BadMessage,
    LabelMessage,
    Ready,
    SkipMessage,
    UndoMessage,
)
from annotator_site.network.close_codes import CloseCode

ID = "6b1f1e7c-8c55-4f0e-9a5b-0d6a2f0e4c11"
OTHER = "0a6f7f5e-31d4-4a2b-8d43-0f7f0c1b2d3e"
LABEL = {"type": "label", "id": ID, "query": 7, "choice": 3, "shown_ms": 812}
SKIP = {"type": "skip", "id": ID, "query": 7, "reason": "unsure"}
REPORT = {"type": "report", "id": ID, "query": 7, "problem": "not_found"}
UNDO = {"type": "undo", "id": ID, "label": OTHER}
READY = {"type": "ready", "buffer": 5, "resume": OTHER}


def frame(message: object) -> str:
    return orjson.dumps(message).decode()


def refusal(raw: str | bytes) -> BadMessage:
    """What a frame is answered that is none."""
    with pytest.raises(BadMessage) as caught:
        protocol.parse(raw)
    return caught.value


# In.


def test_a_label_is_read() -> None:
    assert protocol.parse(frame(LABEL)) == LabelMessage(UUID(ID), 7, 3, 812)
    seen = protocol.parse(frame(LABEL | {"choices_version": 4}))
    assert seen == LabelMessage(UUID(ID), 7, 3, 812, 4)
    assert protocol.parse(frame(LABEL | {"choices_version": None})) == protocol.parse(frame(LABEL))


@pytest.mark.parametrize("reason", ["unsure", "bad_image", "other"])
def test_a_skip_is_read(reason: str) -> None:
    assert protocol.parse(frame(SKIP | {"reason": reason})) == SkipMessage(UUID(ID), 7, reason)


def test_a_skip_says_who_decided_it() -> None:
    assert protocol.parse(frame(SKIP)) == SkipMessage(UUID(ID), 7, "unsure", "person")
    for sender in ("person", "machine"):
        message = protocol.parse(frame(SKIP | {"sender": sender}))
        assert isinstance(message, SkipMessage)
        assert message.sender == sender


@pytest.mark.parametrize("bad", ["", "Person", "robot", None, 7, True, [], {}])
def test_nobody_else_decides_a_skip(bad: object) -> None:
    assert "person, machine" in str(refusal(frame(SKIP | {"sender": bad})))


@pytest.mark.parametrize("problem", ["not_found", "not_decodable", "not_loaded"])
def test_a_report_is_read_as_a_skip_of_a_machine(problem: str) -> None:
    report = SkipMessage(UUID(ID), 7, problem, "machine")
    assert protocol.parse(frame(REPORT | {"problem": problem})) == report
    # Whoever sends it is a machine.
    assert protocol.parse(frame(REPORT | {"problem": problem, "sender": "person"})) == report


@pytest.mark.parametrize("bad", ["", "unsure", "bad_image", "NOT_FOUND", None, 7, True, [], {}])
def test_a_report_names_a_problem_that_there_is(bad: object) -> None:
    words = str(refusal(frame(REPORT | {"problem": bad})))
    assert "“problem” must be one of not_found, not_decodable, not_loaded" in words


def test_a_detail_is_one_short_line() -> None:
    for good in ("", "HTTP 404; Firefox 130", "ä" * 200, "𝄞" * 200):
        message = protocol.parse(frame(REPORT | {"detail": good}))
        assert message == SkipMessage(UUID(ID), 7, "not_found", "machine", good)


@pytest.mark.parametrize(
    "bad", ["x" * 201, "two\nlines", "nul\x00", "\x1b[1m", "\u202e", None, 7, [], {}]
)
def test_any_other_detail_is_refused(bad: object) -> None:
    assert "“detail” must be one line" in str(refusal(frame(REPORT | {"detail": bad})))


def test_an_undo_is_read() -> None:
    assert protocol.parse(frame(UNDO)) == UndoMessage(UUID(ID), UUID(OTHER))


@pytest.mark.parametrize("buffer", [1, 20])
def test_a_ready_is_read(buffer: int) -> None:
    ready = READY | {"buffer": buffer}
    assert protocol.parse(frame(ready)) == Ready(buffer, UUID(OTHER))
    assert protocol.parse(frame(ready | {"resume": None})) == Ready(buffer, None)
    assert protocol.parse(frame({"type": "ready", "buffer": buffer})) == Ready(buffer, None)


def test_fields_that_the_protocol_does_not_know_are_left_alone() -> None:
    assert protocol.parse(frame(LABEL | {"mood": "good"})) == protocol.parse(frame(LABEL))


def test_an_id_is_the_same_however_it_is_written_and_is_echoed_as_it_came() -> None:
    written = [ID, ID.upper(), ID.replace("-", ""), f"urn:uuid:{ID}", f"{{{ID}}}"]
    messages = [protocol.parse(frame(LABEL | {"id": text})) for text in written]
    assert set(messages) == {messages[0]}
    for text, message in zip(written, messages, strict=True):
        assert isinstance(message, LabelMessage)
        assert orjson.loads(protocol.ack(message.id, Progress(0, 0, 0), 0))["id"] == text
        assert orjson.loads(protocol.nack(message.id, "too_late", ""))["id"] == text


@pytest.mark.parametrize("message", [LABEL, SKIP, REPORT, UNDO])
@pytest.mark.parametrize("bad", [None, 7, "", "7", ID[:-1], ID + "0", [ID], {"id": ID}, True])
def test_an_id_that_is_no_uuid_is_refused(message: dict[str, Any], bad: object) -> None:
    error = refusal(frame(message | {"id": bad}))
    assert "“id” must be a UUID" in str(error)
    assert error.message_id == (bad if isinstance(bad, str) else None)


@pytest.mark.parametrize(
    ("message", "field", "low", "high"),
    [
        (LABEL, "query", 0, 2**63 - 1),
        (LABEL, "choice", 0, 2**63 - 1),
        (LABEL, "shown_ms", 0, 2**31 - 1),
        (SKIP, "query", 0, 2**63 - 1),
        (REPORT, "query", 0, 2**63 - 1),
        (READY, "buffer", 1, 20),
    ],
)
def test_a_number_is_whole_and_within_its_bounds(
    message: dict[str, Any], field: str, low: int, high: int
) -> None:
    for good in (low, high):
        protocol.parse(frame(message | {field: good}))
    wrong: list[object] = [low - 1, high + 1, 1.5, 1.0, "1", None, True, False, [1], {}]
    for bad in wrong:
        error = refusal(frame(message | {field: bad}))
        assert f"“{field}” must be a whole number from {low} to {high}" in str(error)
    without = {key: value for key, value in message.items() if key != field}
    assert field in str(refusal(frame(without)))


@pytest.mark.parametrize("bad", [None, "", "bored", 1, ["unsure"], {"unsure": 1}])
def test_a_reason_is_one_of_three(bad: object) -> None:
    assert "unsure, bad_image, other" in str(refusal(frame(SKIP | {"reason": bad})))


@pytest.mark.parametrize("bad", ["", "x", 7, True, [], {}])
def test_a_session_to_resume_is_a_uuid_or_null(bad: object) -> None:
    assert "“resume” must be a UUID" in str(refusal(frame(READY | {"resume": bad})))


def test_the_label_to_undo_is_a_uuid() -> None:
    assert "“label” must be a UUID" in str(refusal(frame(UNDO | {"label": 7})))


@pytest.mark.parametrize("kind", ["Label", "welcome", "x" * 5_000, "\x00", "ack"])
def test_an_unknown_type_is_named_and_refused(kind: str) -> None:
    error = refusal(frame(LABEL | {"type": kind}))
    assert repr(kind[:40]) in str(error)
    assert error.message_id == ID


@pytest.mark.parametrize("kind", [None, 7, True, [], {}, ["label"], {"type": "label"}])
def test_a_type_that_is_no_text_is_refused(kind: object) -> None:
    error = refusal(frame(LABEL | {"type": kind}))
    assert "“type”" in str(error)
    assert error.message_id == ID


def test_a_type_that_is_nested_deeply_is_refused_as_well() -> None:
    # orjson reads a depth at which Python cannot write a list down again.
    deep = "[" * 1_000 + "]" * 1_000
    error = refusal(f'{{"type":{deep},"id":"{ID}"}}')
    assert error.message_id == ID


@pytest.mark.parametrize("raw", ["[]", "null", "7", '"label"', "true", "1e400", "[" * 9_000])
def test_what_is_no_object_is_refused(raw: str) -> None:
    assert refusal(raw).message_id is None


@pytest.mark.parametrize(
    "raw", ["", " ", "{", "{'type': 'label'}", '{"type": NaN}', "\ufeff{}", '{"a":1}{"a":1}']
)
def test_what_is_no_json_is_refused(raw: str) -> None:
    assert str(refusal(raw)).startswith("A frame must be JSON")


def test_half_a_surrogate_pair_is_refused() -> None:
    assert "JSON" in str(refusal('{"type":"\ud800"}'))
    assert "JSON" in str(refusal('{"type":"\\ud800"}'))


def test_a_binary_frame_is_refused() -> None:
    assert "text" in str(refusal(frame(LABEL).encode()))
    assert refusal(b"").message_id is None


def test_a_frame_is_as_large_as_it_may_be_in_bytes_and_no_larger() -> None:
    room = MAX_FRAME_BYTES - len(frame(LABEL | {"x": ""}))
    protocol.parse(frame(LABEL | {"x": "a" * room}))
    protocol.parse(frame(LABEL | {"x": "é" * (room // 2)}))
    for text in ("a" * (room + 1), "é" * (room // 2 + 1)):
        assert f"may have {MAX_FRAME_BYTES} bytes" in str(refusal(frame(LABEL | {"x": text})))


def test_an_id_that_is_too_long_is_not_echoed() -> None:
    assert refusal(frame(SKIP | {"id": "9" * 65, "reason": None})).message_id is None
    assert refusal(frame(SKIP | {"id": "9" * 64, "reason": None})).message_id == "9" * 64


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
fields = ["id", "query", "choice", "shown_ms", "reason", "label", "buffer", "resume"]
fields += ["sender", "problem", "detail", "choices_version"]
kinds = st.sampled_from(["label", "skip", "report", "undo", "ready"]) | json_values
almost = st.fixed_dictionaries(
    {"type": kinds}, optional={field: json_values | st.just(ID) | st.just(7) for field in fields}
)


def parses_or_refuses(raw: str | bytes) -> None:
    """A message, or a refusal that can be sent."""
    try:
        message = protocol.parse(raw)
    except BadMessage as error:
        orjson.loads(protocol.nack(error.message_id, "bad_message", str(error)))
    else:
        assert isinstance(message, Ready | LabelMessage | SkipMessage | UndoMessage)


@settings(deadline=None)
@given(st.text())
@example("\ud800")
@example('{"type":"label","id":' + "9" * 5_000 + "}")
def test_no_text_breaks_the_parser(raw: str) -> None:
    parses_or_refuses(raw)


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_break_the_parser(raw: bytes) -> None:
    parses_or_refuses(raw)
    parses_or_refuses(raw.decode(errors="surrogateescape"))
    parses_or_refuses(raw.decode("latin-1"))


@settings(deadline=None)
@given(almost)
def test_no_object_breaks_the_parser(message: dict[str, Any]) -> None:
    try:
        raw = orjson.dumps(message).decode()
    except TypeError:  # integers of more than 64 bits
        return
    parses_or_refuses(raw)


@settings(deadline=None)
@given(st.integers(0, 400), st.characters())
def test_no_character_in_the_wrong_place_breaks_the_parser(place: int, character: str) -> None:
    raw = frame(LABEL)
    place %= len(raw)
    parses_or_refuses(raw[:place] + character + raw[place:])
    parses_or_refuses(raw[:place] + character + raw[place + 1 :])
    parses_or_refuses(raw[:place])


# Out.


def test_the_welcome_says_what_is_labeled_here() -> None:
    session = uuid4()
    told = orjson.loads(
        protocol.welcome(
            session=session,
            annotator={"id": 5, "name": "ann"},
            campaign={"slug": "pets", "title": "Pets", "instructions_html": "<p>Look.</p>"},
            choices_version=4,
            choices=[{"choice": 3, "name": "cat", "hotkey": "1", "color": "#0072B2"}],
            lease_seconds=120,
            progress=Progress(labeled=5, total=9, answers=7),
            mine=2,
        )
    )
    assert told == {
        "type": "welcome",
        "protocol": 1,
        "session": str(session),
        "annotator": {"id": 5, "name": "ann"},
        "campaign": {"slug": "pets", "title": "Pets", "instructions_html": "<p>Look.</p>"},
        "choices_version": 4,
        "choices": [{"choice": 3, "name": "cat", "hotkey": "1", "color": "#0072B2"}],
        "lease_seconds": 120,
        "progress": {"labeled": 5, "total": 9, "mine": 2},
    }


def test_a_query_says_what_to_show_and_until_when_it_is_held() -> None:
    expires = datetime(2026, 3, 4, 5, 6, 7, 891, tzinfo=UTC)
    turn = LeasedTurn(uuid4(), 7, 11, "images/ab/cd.jpg", 640, 480, expires)
    told = orjson.loads(protocol.query(turn, "11.signed"))
    image = told.pop("image")
    assert told == {
        "type": "query",
        "query": 7,
        "lease_expires": "2026-03-04T05:06:07.000891+00:00",
        "proof": "11.signed",
    }
    assert (image["id"], image["width"], image["height"]) == (11, 640, 480)
    assert image["url"] == image_url("images/ab/cd.jpg")


def test_the_other_frames_are_small_and_plain() -> None:
    label = UUID(ID)
    progress = Progress(1, 2, 3)
    told = [
        protocol.ack(label, progress, 4),
        protocol.nack(label, "paused", "The campaign is paused."),
        protocol.nack(None, "bad_message", "A frame must be JSON."),
        protocol.revoke(7),
        protocol.idle("pool_empty", "choosing"),
        protocol.notice("saving_again"),
        protocol.choices(5, [{"choice": 3, "name": "cat"}]),
        protocol.campaign({"slug": "pets", "title": "Cats"}, 60),
    ]
    assert [orjson.loads(each) for each in told] == [
        {"type": "ack", "id": ID, "progress": {"labeled": 1, "total": 2, "mine": 4}},
        {"type": "nack", "id": ID, "code": "paused", "message": "The campaign is paused."},
        {"type": "nack", "id": None, "code": "bad_message", "message": "A frame must be JSON."},
        {"type": "revoke", "query": 7, "fresher": False},
        {"type": "idle", "reason": "pool_empty", "detail": "choosing"},
        {
            "type": "notice",
            "level": "info",
            "code": "saving_again",
            "message": "Your answers are saved.",
        },
        {"type": "choices", "choices_version": 5, "choices": [{"choice": 3, "name": "cat"}]},
        {"type": "campaign", "campaign": {"slug": "pets", "title": "Cats"}, "lease_seconds": 60},
    ]


def test_the_close_codes_are_those_of_the_protocol() -> None:
    assert {code.value for code in CloseCode} == {4401, 4403, 4404, 4409, 4410, 4429}
