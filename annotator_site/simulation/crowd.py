"""Many simulated annotators in one process, until there are enough labels."""

import asyncio
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

import orjson

from annotator_site.simulation.bot import Bot, Refused
from annotator_site.simulation.crew import Acknowledged, Identity, Manner, Permits
from annotator_site.simulation.summary import Tally, percentile

# Handshakes at a time: a log-in costs more than a label, and the listen queue is short.
DOORS: Final = 64
# Time for acknowledgements of sent messages after the end of a run.
GRACE_S: Final = 5.0
REPORT_EVERY_S: Final = 1.0
# A run without any connection for this long is given up; a restarting site is back sooner.
PATIENCE_S: Final = 60.0

Ending = Literal["enough", "time", "stopped", "finished", "refused", "unreachable"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a run ended, what it measured, and why the site refused bots for good."""

    ending: Ending
    tally: Tally
    refusals: tuple[str, ...]


class Crowd:
    """The bots of one run and their shared state."""

    def __init__(
        self,
        *,
        identities: Sequence[Identity],
        address: str,
        answers: Mapping[int, int],
        choices: Sequence[int],
        manner: Manner,
        labels: int | None,
        journal: BinaryIO | None,
    ) -> None:
        self.tally = Tally()
        self.labels = labels
        self.journal = journal
        self.permits = Permits(math.inf if labels is None else labels)
        self.over = asyncio.Event()
        self.ending: Ending | None = None
        self.refusals: list[str] = []
        self.error: Exception | None = None
        self.bots = [
            Bot(
                identity=identity,
                address=address,
                answers=answers,
                choices=choices,
                manner=manner,
                tally=self.tally,
                permits=self.permits,
                on_ack=self._record,
            )
            for identity in identities
        ]

    def end(self, ending: Ending) -> None:
        """End the run; only the first reason counts."""
        if self.ending is None:
            self.ending = ending
            self.permits.left = 0
            self.over.set()

    def fail(self, error: Exception) -> None:
        """End the run with an error, which `run` then raises."""
        self.error = self.error or error
        self.end("stopped")

    async def run(self, *, seconds: float | None, report: Callable[[str], None]) -> Outcome:
        """Label until there are enough labels, time is up, nothing is left, or a signal comes.

        `report` gets a line about each second. Raises OSError if the journal cannot be written.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.end, "stopped")
        doors = asyncio.Semaphore(DOORS)
        tasks = [asyncio.create_task(self._play(bot, doors)) for bot in self.bots]
        reporting = asyncio.create_task(self._report(report))
        try:
            async with asyncio.timeout(seconds):
                await self.over.wait()
        except TimeoutError:
            self.end("time")
        try:
            await self._drain()
        finally:
            for task in (*tasks, reporting):
                task.cancel()
            await asyncio.gather(*tasks, reporting, return_exceptions=True)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        if self.error is not None:
            raise self.error
        return Outcome(self.ending or "stopped", self.tally, tuple(self.refusals))

    async def _play(self, bot: Bot, doors: asyncio.Semaphore) -> None:
        try:
            await bot.run(doors)
        except Refused as refusal:
            self.refusals.append(str(refusal))
            for said in bot.unacked.values():
                if said.choice is not None:
                    self.permits.give_back()
            if len(self.refusals) == len(self.bots):
                self.end("refused")
        except Exception as error:
            self.fail(error)

    async def _drain(self) -> None:
        """Wait up to GRACE_S for the acknowledgements of the messages already sent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                for bot in self.bots:
                    await bot.settled.wait()
        # A bot that still waits at the end counts as waiting, unless all images that are left are
        # held by bots.
        if self.tally.total - self.tally.done > sum(bot.held for bot in self.bots):
            now = time.monotonic()
            for bot in self.bots:
                bot.give_up_waiting(now=now)

    async def _report(self, report: Callable[[str], None]) -> None:
        begun = last = reached = time.monotonic()
        labels = waits = acks = 0
        tally = self.tally
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            now = time.monotonic()
            pace = (tally.labels - labels) / (now - last)
            wait, ack = (
                percentile(values, 0.99) for values in (tally.wait_ms[waits:], tally.ack_ms[acks:])
            )
            report(
                f"{now - begun:4.0f} s  {tally.connected} connected  {tally.labels:,} labels  "
                f"{pace:,.0f}/s  wait p99 {_ms(wait)}  saved p99 {_ms(ack)}"
            )
            last, labels = now, tally.labels
            waits, acks = len(tally.wait_ms), len(tally.ack_ms)
            if tally.connected:
                reached = now
            if now - reached > PATIENCE_S:
                self.end("unreachable")
            elif self._nothing_left():
                self.end("finished")

    def _nothing_left(self) -> bool:
        bots = [bot for bot in self.bots if bot.idle is not None]
        if len(bots) + len(self.refusals) < len(self.bots):
            return False
        all_labeled = 0 < self.tally.total <= self.tally.done
        return all_labeled or all(bot.idle == "finished" for bot in bots)

    def _record(self, label: Acknowledged) -> None:
        if self.journal is not None:
            # Unbuffered, one line a write: a line was acknowledged, whichever process is killed.
            try:
                self.journal.write(orjson.dumps(label, option=orjson.OPT_APPEND_NEWLINE))
            except OSError as error:
                self.fail(error)
        if self.tally.labels == self.labels:
            self.end("enough")


def run_crowd(
    *,
    identities: Sequence[Identity],
    address: str,
    answers: Mapping[int, int],
    choices: Sequence[int],
    manner: Manner,
    labels: int | None,
    seconds: float | None,
    journal: Path | None,
    report: Callable[[str], None],
) -> Outcome:
    """Let simulated annotators label at `address` (the full address of a labeling WebSocket).

    `answers` maps image ids to choice ids. Exactly `labels` labels are sent (None: no limit); a
    refused label is replaced by another. `report` gets a line about each second. Raises OSError
    if the journal cannot be written.
    """

    async def run() -> Outcome:
        with ExitStack() as stack:
            crowd = Crowd(
                identities=identities,
                address=address,
                answers=answers,
                choices=choices,
                manner=manner,
                labels=labels,
                journal=stack.enter_context(journal.open("ab", buffering=0)) if journal else None,
            )
            return await crowd.run(seconds=seconds, report=report)

    return asyncio.run(run())


def _ms(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:,.1f} ms"
