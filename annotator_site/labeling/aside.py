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
"""Does a batch; returns why that failed, if it did."""

_FAILURES_IN_A_ROW: Final = 8
"""After so many the fault is not one person's, or too many people's to search for now."""


class Aside:
    """Tries the messages of people who were set aside, one at a time, beside the desk's loop."""

    def __init__(
        self,
        pending: Pending,
        attempt: Attempt,
        is_at_fault: Callable[[Submission], Awaitable[bool]],
    ) -> None:
        """`is_at_fault` tells whether a message's own values are what the database refuses."""
        self._pending = pending
        self._attempt = attempt
        self._is_at_fault = is_at_fault
        self._wake = asyncio.Event()
        self._trouble = Trouble("Saving single people’s answers fails")

    def take(self, subs: list[Submission]) -> None:
        """Look at these people's messages from now on."""
        self._pending.set_aside(subs)
        self._wake.set()

    async def divide(self, subs: list[Submission]) -> list[Submission]:
        """Messages that failed together: find those that fail alone, and do the others.

        Half of the people at a time, so that one culprit among a thousand costs some twenty
        transactions. Returns what is still to be done, where nothing works at all.
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
        """Serve for ever."""
        while True:
            while people := list(self._pending.aside):
                failures = [error for person in people if (error := await self._try(person))]
                if len(failures) == len(people):
                    await asyncio.sleep(self._trouble.failed(failures[0]))
            self._trouble.over()
            await self._wake.wait()
            self._wake.clear()

    async def _try(self, person: int) -> Exception | None:
        """Do this person's messages in order, up to one that fails; returns why that one failed."""
        while subs := self._pending.aside.get(person):
            sub = subs[0]
            error = await self._attempt(Batch([sub]))
            if error is not None and await self._is_proven_at_fault(sub, error):
                # Once more: what kept it may have ended before that was looked for.
                error = await self._attempt(Batch([sub]))
                if error is not None and may_be_of_values(error):
                    log.warning("A label was refused: %s", in_one_line(error))
                    close(sub, verdict(sub, error), time.monotonic())
                    error = None
            if error is not None:
                return error
            # Others may have come before it meanwhile: what a crash took, and is done again.
            self._pending.done_aside(sub)
        self._pending.aside.pop(person, None)
        return None

    async def _is_proven_at_fault(self, sub: Submission, error: Exception) -> bool:
        """Whether it is a message's own values that the database refused with `error`, alone."""
        if not may_be_of_values(error):
            return False
        try:
            return await self._is_at_fault(sub)
        except Exception:
            return False  # nothing is proven
