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
"""What became of a message. The first two are acknowledged; “repeated” had its effect before."""


Shortage = Literal["choosing", "no_workers", "nothing_left_for_you", "no_images", "storage_away"]
"""Why S had nothing for somebody: workers are choosing, no worker runs, all that is left was
answered or skipped by this person or is with others, or no picture can be shown now."""

Sender = Literal["person", "machine"]
"""Who decided to skip. Only what a person decides is a verdict."""


@dataclass(frozen=True, slots=True)
class LeasedTurn:
    """A turn that is leased: what its person is shown, and until when it is theirs.

    `key`, `width` and `height` (pixels) are those of the file that is shown: the display copy
    where the image has one, else the file as it was imported.
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

    `image_id` is what the person saw, 0 where that is not known; `choices_version` that of the
    list of classes that was on the screen, None: the newest.
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
    """What the site put before somebody, whatever the database still knows of it."""

    annotator_id: int
    turn_id: int
    image_id: int


@dataclass(frozen=True, slots=True)
class Skip:
    """A turn that leaves its person without an answer: a wish, or a picture that did not show."""

    annotator_id: int
    turn_id: int
    reason: str
    sender: Sender = "person"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """A label that its author takes back, and the connection that gets the turn again."""

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

    `ready`: it has had the time to be in the browser. `keep`: how many ready ones that connection
    must be left with.
    """

    turn_id: int
    session: UUID
    keep: int
    ready: bool
