"""What one transaction of the labeling path does, and what came of it, as values."""

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
    # The image that the person surely saw; 0 where nothing proves it.
    image_id: int = 0
    # Its place among all that came to the desk.
    place: int = 0
    # This process did it before, or may have: where it is found done, it was done here.
    took_effect: bool = False
    # Its ack or nack went out.
    answered: bool = False


@dataclass(slots=True)
class Resume:
    """A connection that takes up the leases of an earlier one, or of its own."""

    session: Session
    former: UUID


@dataclass(slots=True, eq=False)
class Batch:
    """What one transaction does."""

    submissions: list[Submission] = field(default_factory=list)
    resumes: list[Resume] = field(default_factory=list)
    # (annotator, session) of connections that dropped: their leases are kept for a while.
    left: list[tuple[int, UUID]] = field(default_factory=list)
    # The same of those that said good-bye: their leases end now.
    gone: list[tuple[int, UUID]] = field(default_factory=list)
    demands: list[Demand] = field(default_factory=list)
    # Turns whose answers are on their way beside it: a resume does not hand them out again.
    answered: set[int] = field(default_factory=set)
    # When its transaction began, by time.monotonic().
    began: float = 0.0
    committed: bool = False
    # What it claimed went out.
    handed_out: bool = False

    def __bool__(self) -> bool:
        return bool(self.submissions or self.resumes or self.left or self.gone or self.demands)

    @property
    def is_usual(self) -> bool:
        """Whether there are labels and claims in it and nothing else."""
        if self.resumes or self.left or self.gone:
            return False
        return all(isinstance(sub.message, LabelMessage) for sub in self.submissions)

    def without_messages(self) -> "Batch":
        """All that is not something that a person said."""
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
    # Answers that stand of those people of whom that had to be asked, by annotator.
    mine: dict[int, int] = field(default_factory=dict)

    def did(self, sub: Submission) -> bool:
        """Whether this very transaction stored or retracted an answer for this message."""
        message = sub.message
        if isinstance(message, LabelMessage):
            return self.answers.get((sub.session.annotator_id, message.id)) == "stored"
        return isinstance(message, UndoMessage) and message.label in self.undone

    def add(self, later: "Outcome") -> None:
        """Take in what a second try did for the same messages; what the first one did stays."""
        done = {said: receipt for said, receipt in self.answers.items() if receipt == "stored"}
        self.answers |= later.answers | done
        self.known |= later.known
        self.turns += later.turns
        self.undone |= later.undone
        self.progress = later.progress


def take(pending: deque[Submission]) -> list[Submission]:
    """Remove from `pending` what may go into one transaction, keeping each person's order.

    A transaction does labels, then skips, then undos. A message of somebody whose earlier
    message comes later in that order, or is the same message, waits for the next one.
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
    """The messages of one half of the people and of the other; of one person alone, one list."""
    people = list(dict.fromkeys(sub.session.annotator_id for sub in submissions))
    if len(people) < 2:
        return [list(submissions)]
    first = set(people[: len(people) // 2])
    return [
        [sub for sub in submissions if (sub.session.annotator_id in first) is whether]
        for whether in (True, False)
    ]
