"""Batches that are committed but not known to be on disk, and the receipts that wait for that."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from annotator_site.labeling import protocol
from annotator_site.labeling.batch import Batch, Outcome, Submission
from annotator_site.labeling.disk import Disk
from annotator_site.labeling.faults import LONGEST_PAUSE_SECONDS, InDoubt
from annotator_site.labeling.people import People
from annotator_site.labeling.protocol import LabelMessage, SkipMessage
from annotator_site.labeling.receipts import receipt_of, reply
from annotator_site.labeling.session import Session

_REMEMBERED_ANSWERS: Final = 10_000
"""Far more answers than are sent again after a connection was lost."""

log = logging.getLogger(__name__)


class Committed:
    """Batches of one desk, in the order of their commits, until the disk has them."""

    def __init__(
        self, disk: Disk, people: People, *, again: Callable[[list[Submission]], None]
    ) -> None:
        """`again` takes messages to be done again; those done already have no second effect."""
        self._disk = disk
        self._people = people
        self._again = again
        self._unsure: dict[Batch, Outcome] = {}
        self._sure = asyncio.Event()
        # The newest counted answers: (annotator, message id).
        self._counted: dict[tuple[int, int], None] = {}
        # Set when there are new labels for servers.
        self.news = asyncio.Event()
        # Set when a browser reports an image that it could not show.
        self.reported = asyncio.Event()
        # Turns to ask again, since the classes changed before their answers came, and the sessions
        # of these answers; `unasked` is set when there are some.
        self.to_ask: list[tuple[int, Session]] = []
        self.unasked = asyncio.Event()

    def __len__(self) -> int:
        return len(self._unsure)

    def enter(self, batch: Batch, outcome: Outcome, *, told: Callable[[], None]) -> None:
        """Take a committed batch; `told` is called after its receipts, or once it is requeued."""
        if batch.submissions:
            self._unsure[batch] = outcome
        self._disk.tell(partial(self._tell, batch, outcome, told), since=batch.began)

    def may_be_lost(self, *, before: float) -> bool:
        """Whether a connection opened at `before` may lead to a server that lost some batches.

        A connection that is younger than a transaction may lead to a server that lost it in a
        crash. Later messages must not be done before the lost ones are done again.
        """
        return any(batch.began < before for batch in self._unsure)

    async def settle(self) -> None:
        """Wait until no batch is unsure.

        Raises InDoubt if one was lost; by then its messages are queued to be done again.
        """
        unsure = dict(self._unsure)
        if unsure:
            self._sure.clear()
            await self._sure.wait()
        if any(not sub.answered for batch in unsure for sub in batch.submissions):
            raise InDoubt("what was committed before is done again first")

    def _tell(
        self, batch: Batch, outcome: Outcome, told: Callable[[], None], durable: bool
    ) -> None:
        # A batch that is not there any more was queued again with an earlier one.
        if self._unsure.pop(batch, None) is not None:
            if durable:
                self._acknowledge(batch, outcome)
            else:
                self._do_again({batch: outcome, **self._unsure})
            if not self._unsure:
                self._sure.set()
        told()

    def _acknowledge(self, batch: Batch, outcome: Outcome) -> None:
        self.news.set()
        now = time.monotonic()
        for sub in batch.submissions:
            try:
                self._answer(sub, outcome, now)
            except Exception:
                log.exception("Somebody could not be told what became of a message.")
                asyncio.get_running_loop().call_later(LONGEST_PAUSE_SECONDS, self._again, [sub])

    def _do_again(self, lost: dict[Batch, Outcome]) -> None:
        """Queue again what a crash may have lost, and what was done later, perhaps without it."""
        self._unsure.clear()
        for batch, outcome in lost.items():
            for sub in batch.submissions:
                sub.took_effect |= outcome.did(sub)
        self._again([sub for batch in lost for sub in batch.submissions])

    def _count(self, annotator_id: int, message: int) -> None:
        """Count an answer for the rate, once, even if its message came over two connections."""
        if (annotator_id, message) in self._counted:
            return
        self._people.window.answers += 1
        self._counted[annotator_id, message] = None
        if len(self._counted) > _REMEMBERED_ANSWERS:
            del self._counted[next(iter(self._counted))]

    def _answer(self, sub: Submission, outcome: Outcome, now: float) -> None:
        if sub.answered:
            return
        session, receipt = sub.session, receipt_of(sub, outcome)
        anew = outcome.did(sub)
        if isinstance(sub.message, LabelMessage):
            if anew or (sub.took_effect and receipt == "repeated"):
                self._count(session.annotator_id, sub.message.id.int)
            if anew:
                session.mine += 1
        elif isinstance(sub.message, SkipMessage):
            if sub.message.sender == "machine":
                self.reported.set()
        elif anew:
            session.mine -= 1
        session.mine = outcome.mine.get(session.annotator_id, session.mine)
        close(sub, reply(sub, receipt, outcome), now)
        if isinstance(sub.message, LabelMessage) and receipt in ("other_choices", "unknown_choice"):
            self.to_ask.append((sub.message.turn_id, session))
            self.unasked.set()


def close(sub: Submission, receipt: str, now: float) -> None:
    """Send `receipt`, a message's ack or nack; `now` by time.monotonic()."""
    session = sub.session
    sub.answered = True
    session.unanswered -= 1
    session.unanswered_since = now
    session.deliver(receipt)
    if session.delayed_since is not None and not session.unanswered:
        session.delayed_since = None
        session.deliver(protocol.notice("saving_again"))
