"""What people sent and no transaction has done, each person's messages in the order of sending."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final

from annotator_site.labeling.batch import Resume, Submission, take
from annotator_site.labeling.protocol import UndoMessage

MAX_WAITING_MESSAGES: Final = 50_000
"""Messages that this process keeps in memory while they cannot be stored; clients keep the rest."""


class Pending:
    """The queue of messages, and beside it those of people who were set aside (`aside.py`).

    Whatever comes back into the line, because a transaction failed or may be lost, takes the place
    that it had: an undo never passes the label that it is about.
    """

    def __init__(self) -> None:
        self._line: deque[Submission] = deque()
        self._places = count()
        # By annotator: what they sent goes past the common transactions (aside.py).
        self.aside: dict[int, list[Submission]] = {}

    def __len__(self) -> int:
        return len(self._line) + sum(map(len, self.aside.values()))

    @property
    def is_full(self) -> bool:
        """Whether no more can be kept here."""
        return len(self._line) >= MAX_WAITING_MESSAGES

    def add(self, sub: Submission) -> None:
        """Another message, the last of all."""
        sub.place = next(self._places)
        if self.aside and (theirs := self.aside.get(sub.session.annotator_id)) is not None:
            theirs.append(sub)
        else:
            self._line.append(sub)

    def take(self) -> list[Submission]:
        """Remove from the queue what may go into one transaction now."""
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
        """These cannot be done now; all else that their people send waits for them."""
        people = {sub.session.annotator_id for sub in subs}
        theirs = [sub for sub in self._line if sub.session.annotator_id in people]
        self._line = deque(sub for sub in self._line if sub.session.annotator_id not in people)
        for person in people:
            self.aside.setdefault(person, [])
        self.put_back([*subs, *theirs])

    def answered_aside(self, resumes: Iterable[Resume]) -> set[int]:
        """Turns that were answered by people set aside whose connections are resumed."""
        people = {each.session.annotator_id for each in resumes} & self.aside.keys()
        return {
            message.turn_id
            for person in people
            for sub in self.aside[person]
            if not isinstance(message := sub.message, UndoMessage)
        }

    def done_aside(self, sub: Submission) -> None:
        """This one, set aside, is done."""
        if sub in (theirs := self.aside.get(sub.session.annotator_id, [])):
            theirs.remove(sub)


def _in_order(subs: Iterable[Submission]) -> list[Submission]:
    by_place = {sub.place: sub for sub in subs if not sub.answered}
    return [by_place[place] for place in sorted(by_place)]
