"""Messages that fail for one person alone: a locked image, a damaged row.

Each is tried alone, beside the common transactions, which do not wait for it. A person's later
messages wait for their earlier ones.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from annotator_site.labeling.batch import Batch, Submission, halves
from annotator_site.labeling.committed import close
from annotator_site.labeling.faults import Trouble, in_one_line, may_be_of_values
from annotator_site.labeling.pending import Pending
from annotator_site.labeling.receipts import verdict

log = logging.getLogger(__name__)

Attempt = Callable[[Batch], Awaitable[Exception | None]]
"""Does a batch; returns the error if it failed."""

_FAILURES_IN_A_ROW: Final = 8
"""After this many, the search for single faulty messages stops: too much fails."""


class Aside:
    """Tries the messages of people who were set aside, one at a time, beside the desk's loop."""

    def __init__(
        self,
        pending: Pending,
        attempt: Attempt,
        is_at_fault: Callable[[Submission], Awaitable[bool]],
    ) -> None:
        """`is_at_fault` tells whether the database refuses a message because of its own values."""
        self._pending = pending
        self._attempt = attempt
        self._is_at_fault = is_at_fault
        self._wake = asyncio.Event()
        self._trouble = Trouble("Saving single people’s answers fails")

    def take(self, subs: list[Submission]) -> None:
        """Set these messages aside, with all others of their people."""
        self._pending.set_aside(subs)
        self._wake.set()

    async def divide(self, subs: list[Submission]) -> list[Submission]:
        """Bisect messages that failed together: set aside those that fail alone, do the others.

        Halves the people each time, so that one culprit among a thousand costs some twenty
        transactions. Returns the messages still to be done, if nothing works at all.
        """
        pieces, in_a_row = halves(subs), 1
        if len(pieces) == 1:
            self.take(subs)
            return []
        while pieces and in_a_row < _FAILURES_IN_A_ROW:
            piece = pieces.pop(0)
            if await self._attempt(Batch(piece)) is None:
                in_a_row = 0
                continue
            in_a_row += 1
            parts = halves(piece)
            if len(parts) > 1:
                pieces += parts
            else:
                self.take(piece)
        return [sub for piece in pieces for sub in piece]

    async def run(self) -> None:
        """Serve forever."""
        while True:
            while people := list(self._pending.aside):
                failures = [error for person in people if (error := await self._try(person))]
                if len(failures) == len(people):
                    await asyncio.sleep(self._trouble.failed(failures[0]))
            self._trouble.over()
            await self._wake.wait()
            self._wake.clear()

    async def _try(self, person: int) -> Exception | None:
        """Do this person's messages in order, until one fails; returns its error."""
        while subs := self._pending.aside.get(person):
            sub = subs[0]
            error = await self._attempt(Batch([sub]))
            if error is not None and await self._is_proven_at_fault(sub, error):
                # Once more: the cause may have ended before the proof was made.
                error = await self._attempt(Batch([sub]))
                if error is not None and may_be_of_values(error):
                    log.warning("A label was refused: %s", in_one_line(error))
                    close(sub, verdict(sub, error), time.monotonic())
                    error = None
            if error is not None:
                return error
            # By its identity: messages that a crash lost may stand before it by now.
            self._pending.done_aside(sub)
        self._pending.aside.pop(person, None)
        return None

    async def _is_proven_at_fault(self, sub: Submission, error: Exception) -> bool:
        """Whether the database refused this message, tried alone, because of its own values."""
        if not may_be_of_values(error):
            return False
        try:
            return await self._is_at_fault(sub)
        except Exception:
            return False  # nothing is proven
