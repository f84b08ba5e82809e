"""Messages that no transaction has done yet, each person's in the order of sending."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final

from annotator_site.labeling.batch import Resume, Submission, take
from annotator_site.labeling.protocol import UndoMessage

MAX_WAITING_MESSAGES: Final = 50_000
"""Messages that this process keeps in memory while they cannot be stored; clients keep the rest."""


class Pending:
    """The queue of messages, and separately those of people who were set aside (`aside.py`).

    A message that is put back, because its transaction failed or may be lost, returns to its former
    place: an undo never passes the label that it retracts.
    """

    def __init__(self) -> None:
        self._line: deque[Submission] = deque()
        self._places = count()
        # By annotator: messages that are kept out of the common transactions (aside.py).
        self.aside: dict[int, list[Submission]] = {}

    def __len__(self) -> int:
        return len(self._line) + sum(map(len, self.aside.values()))

    @property
    def is_full(self) -> bool:
        """Whether no more messages can be kept here."""
        return len(self._line) >= MAX_WAITING_MESSAGES

    def add(self, sub: Submission) -> None:
        """Append a message."""
        sub.place = next(self._places)
        if self.aside and (theirs := self.aside.get(sub.session.annotator_id)) is not None:
            theirs.append(sub)
        else:
            self._line.append(sub)

    def take(self) -> list[Submission]:
        """Remove from the queue the messages that may go into one transaction now."""
        return take(self._line)

    def put_back(self, subs: Iterable[Submission]) -> None:
        """Put taken messages back into their places, except those that are answered."""
        line: list[Submission] = list(self._line)
        for sub in subs:
            theirs = self.aside.get(sub.session.annotator_id)
            (line if theirs is None else theirs).append(sub)
        self._line = deque(_in_order(line))
        for person, theirs in self.aside.items():
            self.aside[person] = _in_order(theirs)

    def set_aside(self, subs: Sequence[Submission]) -> None:
        """Set these messages aside; all others of their people wait behind them."""
        people = {sub.session.annotator_id for sub in subs}
        theirs = [sub for sub in self._line if sub.session.annotator_id in people]
        self._line = deque(sub for sub in self._line if sub.session.annotator_id not in people)
        for person in people:
            self.aside.setdefault(person, [])
        self.put_back([*subs, *theirs])

    def answered_aside(self, resumes: Iterable[Resume]) -> set[int]:
        """Turns with answers among the messages set aside, of people whose connections resume."""
        people = {each.session.annotator_id for each in resumes} & self.aside.keys()
        return {
            message.turn_id
            for person in people
            for sub in self.aside[person]
            if not isinstance(message := sub.message, UndoMessage)
        }

    def done_aside(self, sub: Submission) -> None:
        """Remove a message that was set aside and is done."""
        if sub in (theirs := self.aside.get(sub.session.annotator_id, [])):
            theirs.remove(sub)


def _in_order(subs: Iterable[Submission]) -> list[Submission]:
    by_place = {sub.place: sub for sub in subs if not sub.answered}
    return [by_place[place] for place in sorted(by_place)]
