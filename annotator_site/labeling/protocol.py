"""The labeling protocol `nowait.v1` as values: parsing what comes in, writing what goes out.

Pure: no network, no database. The protocol itself is described in docs/protocol.md. The field
`query` on the wire carries the id of a person's turn, which is `turn_id` from here on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import orjson

from al_engine.pools.labeled import Progress
from al_engine.pools.turns import LeasedTurn, Sender, Shortage
from annotator_site.images.addresses import image_url

SUBPROTOCOL: Final = "nowait.v1"
MAX_FRAME_BYTES: Final = 16 * 1024
MAX_BUFFER: Final = 20
_MAX_SHOWN_MS: Final = 2**31 - 1
_MAX_VERSION: Final = 2**31 - 1
_MAX_ID: Final = 2**63 - 1
_MAX_ID_LENGTH: Final = 64
_SKIP_REASONS: Final = ("unsure", "bad_image", "other")
_PROBLEMS: Final = ("not_found", "not_decodable", "not_loaded")
_SENDERS: Final = ("person", "machine")
MAX_DETAIL_LENGTH: Final = 200

NackCode = Literal[
    "bad_message",
    "unknown_query",
    "not_yours",
    "unknown_choice",
    "other_choices",
    "too_late",
    "rate_limited",
    "paused",
]
IdleReason = Literal["pool_empty", "paused", "finished"]
NoticeCode = Literal["saving_delayed", "saving_again"]

_NOTICES: Final[dict[NoticeCode, tuple[str, str]]] = {
    "saving_delayed": (
        "warning",
        "Saving is delayed. Nothing is lost: your answers are saved as soon as that is possible.",
    ),
    "saving_again": ("info", "Your answers are saved."),
}


class BadMessage(ValueError):
    """A frame that is not a message of the protocol; says what is wrong with it."""

    def __init__(self, problem: str, message_id: str | None = None) -> None:
        super().__init__(problem)
        self.message_id = message_id


class ClientId(UUID):
    """A message's id: equal to any UUID of its value, but sent back as the client wrote it."""

    _written: str

    def __init__(self, written: str) -> None:
        super().__init__(written)
        object.__setattr__(self, "_written", written)  # a UUID refuses plain assignment

    def __str__(self) -> str:
        return self._written


@dataclass(frozen=True, slots=True)
class Ready:
    """How many queries to hold ahead, and which earlier session to take up again."""

    buffer: int
    resume: UUID | None


@dataclass(frozen=True, slots=True)
class LabelMessage:
    """An answer, and the version of the list of classes that was on the screen (None: unknown)."""

    id: UUID
    turn_id: int
    choice: int
    shown_ms: int
    choices_version: int | None = None
    proof: str = ""


@dataclass(frozen=True, slots=True)
class SkipMessage:
    """A query that the person does not want to answer, or whose image did not show."""

    id: UUID
    turn_id: int
    reason: str
    sender: Sender = "person"
    detail: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class UndoMessage:
    """Retracts a label of the person's own."""

    id: UUID
    label: UUID


Message = Ready | LabelMessage | SkipMessage | UndoMessage


def parse(frame: str | bytes) -> Message:
    """The message in a frame. Raises BadMessage, with the frame's `id` if it has one."""
    if isinstance(frame, bytes):
        raise BadMessage("A frame must be text: JSON, and nothing binary.")
    # Half a surrogate pair is no UTF-8; the parser refuses it.
    encoded = frame.encode(errors="surrogatepass")
    if len(encoded) > MAX_FRAME_BYTES:
        raise BadMessage(f"A frame may have {MAX_FRAME_BYTES} bytes; this one has {len(encoded)}.")
    try:
        data = orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        raise BadMessage(f"A frame must be JSON: {error}.") from error
    if not isinstance(data, dict):
        raise BadMessage("A frame must be a JSON object with a “type”.")
    raw_id = data.get("id")
    echo = raw_id if isinstance(raw_id, str) and len(raw_id) <= _MAX_ID_LENGTH else None
    try:
        return _message(data)
    except BadMessage as error:
        raise BadMessage(str(error), echo) from None


def _message(data: dict[str, Any]) -> Message:
    match data.get("type"):
        case "label":
            return LabelMessage(
                _uuid(data, "id"),
                _integer(data, "query", 0, _MAX_ID),
                _integer(data, "choice", 0, _MAX_ID),
                _integer(data, "shown_ms", 0, _MAX_SHOWN_MS),
                # Programs may leave it out.
                None
                if data.get("choices_version") is None
                else _integer(data, "choices_version", 0, _MAX_VERSION),
                _proof(data),
            )
        case "skip":
            return SkipMessage(
                _uuid(data, "id"),
                _integer(data, "query", 0, _MAX_ID),
                _one_of(data, "reason", _SKIP_REASONS),
                _sender(data),
                proof=_proof(data),
            )
        case "report":
            # The turn ends as by a skip, and nothing is said of the image.
            return SkipMessage(
                _uuid(data, "id"),
                _integer(data, "query", 0, _MAX_ID),
                _one_of(data, "problem", _PROBLEMS),
                "machine",
                _detail(data),
                _proof(data),
            )
        case "undo":
            return UndoMessage(_uuid(data, "id"), _uuid(data, "label"))
        case "ready":
            resume = None if data.get("resume") is None else _uuid(data, "resume")
            return Ready(_integer(data, "buffer", 1, MAX_BUFFER), resume)
        case str(other):
            raise BadMessage(f"There is no message of type {other[:40]!r}.")
        case _:
            # The value is not repeated: formatting a deeply nested one fails.
            raise BadMessage('A message needs a “type”, like "label".')


def welcome(
    *,
    session: UUID,
    annotator: Mapping[str, Any],
    campaign: Mapping[str, str],
    choices_version: int,
    choices: Sequence[Mapping[str, Any]],
    lease_seconds: int,
    progress: Progress,
    mine: int,
) -> str:
    """The first message: the person, the campaign, its classes and its progress."""
    return _frame(
        {
            "type": "welcome",
            "protocol": 1,
            "session": str(session),
            "annotator": annotator,
            "campaign": campaign,
            "choices_version": choices_version,
            "choices": choices,
            "lease_seconds": lease_seconds,
            "progress": _progress(progress, mine),
        }
    )


def choices(version: int, choices: Sequence[Mapping[str, Any]]) -> str:
    """The list of classes changed: this one is shown from now on."""
    return _frame({"type": "choices", "choices_version": version, "choices": choices})


def campaign(described: Mapping[str, str], lease_seconds: int) -> str:
    """The campaign’s words or settings changed."""
    return _frame({"type": "campaign", "campaign": described, "lease_seconds": lease_seconds})


def query(turn: LeasedTurn, proof: str) -> str:
    """A query for the buffer, and the proof that it was sent (`evidence.py`)."""
    return _frame(
        {
            "type": "query",
            "query": turn.turn_id,
            "image": {
                "id": turn.image_id,
                "url": image_url(turn.key),
                "width": turn.width,
                "height": turn.height,
            },
            "lease_expires": turn.lease_expires,
            "proof": proof,
        }
    )


def ack(message_id: UUID, progress: Progress, mine: int) -> str:
    """The message's effect is on disk."""
    return _frame({"type": "ack", "id": str(message_id), "progress": _progress(progress, mine)})


def nack(message_id: UUID | str | None, code: NackCode, message: str) -> str:
    """The message had no effect, and why."""
    echo = None if message_id is None else str(message_id)
    return _frame({"type": "nack", "id": echo, "code": code, "message": message})


def revoke(turn_id: int, *, fresher: bool = False) -> str:
    """A query is no longer this annotator's.

    With `fresher` a better query replaces it, and a person who looks at it may still answer it.
    """
    return _frame({"type": "revoke", "query": turn_id, "fresher": fresher})


def idle(reason: IdleReason, detail: Shortage | None) -> str:
    """There is nothing to label now; the server pushes again by itself.

    The detail of an empty pool: workers are choosing, no worker runs, what is left was answered or
    skipped by this person or is with others, nothing was imported yet, or no picture can be shown.
    None where that is not known yet.
    """
    return _frame({"type": "idle", "reason": reason, "detail": detail})


def notice(code: NoticeCode) -> str:
    """A text for the person, in English; `code` is for clients that have their own texts."""
    level, message = _NOTICES[code]
    return _frame({"type": "notice", "level": level, "code": code, "message": message})


def _frame(message: dict[str, Any]) -> str:
    return orjson.dumps(message).decode()


def _progress(progress: Progress, mine: int) -> dict[str, int]:
    return {"labeled": progress.labeled, "total": progress.total, "mine": mine}


def _uuid(data: dict[str, Any], key: str) -> UUID:
    value = data.get(key)
    if isinstance(value, str) and len(value) <= _MAX_ID_LENGTH:
        try:
            return ClientId(value)
        except ValueError:
            pass
    raise BadMessage(f"“{key}” must be a UUID.")


def _one_of(
    data: dict[str, Any], key: str, words: Sequence[str], default: str | None = None
) -> str:
    value = data.get(key, default)
    if isinstance(value, str) and value in words:
        return value
    raise BadMessage(f"“{key}” must be one of {', '.join(words)}.")


def _sender(data: dict[str, Any]) -> Sender:
    return "machine" if _one_of(data, "sender", _SENDERS, "person") == "machine" else "person"


def _detail(data: dict[str, Any]) -> str:
    value = data.get("detail", "")
    if isinstance(value, str) and len(value) <= MAX_DETAIL_LENGTH and value.isprintable():
        return value
    raise BadMessage(
        f"“detail” must be one line of text, of at most {MAX_DETAIL_LENGTH} characters."
    )


def _proof(data: dict[str, Any]) -> str:
    """The proof that came back with an answer; "" for a value that cannot be one."""
    value = data.get("proof")
    return value if isinstance(value, str) and len(value) <= _MAX_ID_LENGTH else ""


def _integer(data: dict[str, Any], key: str, low: int, high: int) -> int:
    value = data.get(key)
    # bool is an int to Python, not to the protocol.
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise BadMessage(f"“{key}” must be a whole number from {low} to {high}.")
