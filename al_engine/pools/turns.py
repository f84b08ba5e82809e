"""The values of the labeling path that cross from SQL to the desk."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Receipt = Literal[
    "stored",
    "repeated",
    "conflict",
    "unknown_query",
    "too_late",
    "not_yours",
    "unknown_choice",
    "other_choices",
]
"""The result of a message. The first two are acknowledged; “repeated” had its effect before."""


Shortage = Literal["choosing", "no_workers", "nothing_left_for_you", "no_images", "storage_away"]
"""Why S had nothing for an annotator: workers are choosing; no worker runs; every remaining image
was answered or skipped by this annotator or is held by others; the campaign has no images; no
picture can be shown now."""

Sender = Literal["person", "machine"]
"""Who decided to skip. Only what a person decides is a verdict."""


@dataclass(frozen=True, slots=True)
class LeasedTurn:
    """A leased turn: the file that its annotator is shown, and when the lease ends.

    `key`, `width` and `height` (pixels) are those of the file that is shown: the display copy if
    the image has one, else the imported file.
    """

    session: UUID
    turn_id: int
    image_id: int
    key: str
    width: int
    height: int
    lease_expires: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """A label as it comes in. `client_id` makes its effect happen once.

    `image_id` is the image that the person saw, 0 if unknown; `choices_version` the version of the
    list of classes on the screen, None for the newest.
    """

    client_id: UUID
    annotator_id: int
    turn_id: int
    choice_id: int
    shown_ms: int
    image_id: int = 0
    choices_version: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """An image that the site showed to an annotator, even if the database has lost the lease."""

    annotator_id: int
    turn_id: int
    image_id: int


@dataclass(frozen=True, slots=True)
class Skip:
    """A turn that ends without an answer: the person skipped it, or its picture did not show."""

    annotator_id: int
    turn_id: int
    reason: str
    sender: Sender = "person"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """A label that its author takes back, and the session that gets the turn again."""

    annotator_id: int
    label: UUID
    session: UUID


@dataclass(frozen=True, slots=True)
class Demand:
    """How many more turns a connection wants."""

    annotator_id: int
    session: UUID
    want: int


@dataclass(frozen=True, slots=True)
class Spare:
    """A turn that a connection holds beyond the image in view.

    `ready`: enough time has passed for the browser to have the image. `keep`: how many ready turns
    the connection must keep.
    """

    turn_id: int
    session: UUID
    keep: int
    ready: bool
