"""The input and the outcome of one transaction of the labeling path, as values."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from al_engine.pools.labeled import Progress
from al_engine.pools.turns import Demand, LeasedTurn, Receipt
from annotator_site.labeling.protocol import LabelMessage, SkipMessage, UndoMessage
from annotator_site.labeling.session import Session

MAX_MESSAGES: Final = 1_000
"""Messages in one transaction: more would make the first of them wait for the last."""

Act = LabelMessage | SkipMessage | UndoMessage
_ORDER: Final = {LabelMessage: 0, SkipMessage: 1, UndoMessage: 2}


@dataclass(slots=True, eq=False)
class Submission:
    """A message on its way to the database, and the connection that waits for its receipt."""

    session: Session
    message: Act
    # The image that the person is proven to have been shown; 0 without proof.
    image_id: int = 0
    # Its place among all messages of the desk.
    place: int = 0
    # This process did it before, or may have: `repeated` then means that it was done here.
    took_effect: bool = False
    # Its ack or nack was sent.
    answered: bool = False


@dataclass(slots=True)
class Resume:
    """A connection that takes over the leases of an earlier one, or gets its own again."""

    session: Session
    former: UUID


@dataclass(slots=True, eq=False)
class Batch:
    """What one transaction does."""

    submissions: list[Submission] = field(default_factory=list)
    resumes: list[Resume] = field(default_factory=list)
    # (annotator, session) of connections that dropped: their leases are kept for a while.
    left: list[tuple[int, UUID]] = field(default_factory=list)
    # The same of connections that said good-bye: their leases end now.
    gone: list[tuple[int, UUID]] = field(default_factory=list)
    demands: list[Demand] = field(default_factory=list)
    # Turns whose answers were set aside (aside.py): a resume does not hand them out again.
    answered: set[int] = field(default_factory=set)
    # When its transaction began, by time.monotonic().
    began: float = 0.0
    committed: bool = False
    # The turns that it claimed were handed out.
    handed_out: bool = False

    def __bool__(self) -> bool:
        return bool(self.submissions or self.resumes or self.left or self.gone or self.demands)

    @property
    def is_usual(self) -> bool:
        """Whether it holds nothing but labels and claims."""
        if self.resumes or self.left or self.gone:
            return False
        return all(isinstance(sub.message, LabelMessage) for sub in self.submissions)

    def without_messages(self) -> "Batch":
        """The same batch without people's messages."""
        return Batch([], self.resumes, self.left, self.gone, self.demands, self.answered)


@dataclass(slots=True)
class Outcome:
    """What a transaction did, once it is committed."""

    answers: dict[tuple[int, UUID], Receipt]
    skips: dict[tuple[int, int], Receipt]
    known: set[tuple[int, UUID]]
    turns: list[LeasedTurn]
    # Labels that this transaction retracted.
    undone: set[UUID]
    progress: Progress
    # The number of standing answers by annotator, where it had to be counted again.
    mine: dict[int, int] = field(default_factory=dict)

    def did(self, sub: Submission) -> bool:
        """Whether this very transaction stored or retracted an answer for this message."""
        message = sub.message
        if isinstance(message, LabelMessage):
            return self.answers.get((sub.session.annotator_id, message.id)) == "stored"
        return isinstance(message, UndoMessage) and message.label in self.undone

    def add(self, later: "Outcome") -> None:
        """Merge the outcome of a second try; what the first one stored stays `stored`."""
        done = {said: receipt for said, receipt in self.answers.items() if receipt == "stored"}
        self.answers |= later.answers | done
        self.known |= later.known
        self.turns += later.turns
        self.undone |= later.undone
        self.progress = later.progress


def take(pending: deque[Submission]) -> list[Submission]:
    """Remove from `pending` what may go into one transaction, keeping each person's order.

    A transaction does labels, then skips, then undos. A message waits for the next transaction if
    an earlier message of the same person waits, comes later in that order or has the same id.
    """
    taken: list[Submission] = []
    waiting: list[Submission] = []
    reached: dict[int, int] = {}
    seen: set[tuple[int, UUID]] = set()
    held_up: set[int] = set()
    while pending and len(taken) < MAX_MESSAGES:
        sub = pending.popleft()
        person, order = sub.session.annotator_id, _ORDER[type(sub.message)]
        identity = (person, sub.message.id)
        if person in held_up or order < reached.get(person, 0) or identity in seen:
            held_up.add(person)
            waiting.append(sub)
            continue
        reached[person] = order
        seen.add(identity)
        taken.append(sub)
    pending.extendleft(reversed(waiting))
    return taken


def halves(submissions: Sequence[Submission]) -> list[list[Submission]]:
    """The messages of each half of the people; a single list if there is one person only."""
    people = list(dict.fromkeys(sub.session.annotator_id for sub in submissions))
    if len(people) < 2:
        return [list(submissions)]
    first = set(people[: len(people) // 2])
    return [
        [sub for sub in submissions if (sub.session.annotator_id in first) is whether]
        for whether in (True, False)
    ]
