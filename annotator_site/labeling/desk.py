"""The desk of a campaign: labels come in, are made durable together, fresh queries go out.

What arrives while a transaction runs is taken together by the next. Nobody waits for a timer: when
the desk is idle, a single label goes at once. Nobody waits for the disk but for the word that an
answer is kept. Nothing here or in `people.py` is state that another process needs: all of it is in
PostgreSQL, and a killed desk's people come back.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from functools import partial
from typing import Final
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from al_engine.pools import query
from al_engine.pools.labeled import Progress
from al_engine.pools.query import Connection
from al_engine.pools.signals import NOTIFY, payload
from al_engine.pools.turns import Shortage
from annotator_site.labeling import batch as batches
from annotator_site.labeling import protocol
from annotator_site.labeling.batch import Act, Batch, Outcome, Resume, Submission
from annotator_site.labeling.campaign_view import CampaignView
from annotator_site.labeling.demand import Waiting, demands, why_idle
from annotator_site.labeling.disk import Disk
from annotator_site.labeling.people import People
from annotator_site.labeling.protocol import LabelMessage, UndoMessage
from annotator_site.labeling.receipts import receipt_of, refusal, reply
from annotator_site.labeling.session import Bucket, Buckets, Session

log = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 0.005
"""Longer than most disks take, and shorter than a frame of the screen."""
_EXACT_CLAIMS: Final = 16
"""People served one by one in a round, after the common claim left them short."""


class Desk:
    """Everybody who labels one campaign through this web process."""

    def __init__(
        self, campaign: CampaignView, pool: AsyncConnectionPool[Connection], disk: Disk
    ) -> None:
        self.campaign = campaign
        self.pool = pool
        self._disk = disk
        self._buckets = Buckets()
        self._pending: deque[Submission] = deque()
        self._resumes: list[Resume] = []
        self._wake = asyncio.Event()
        self.people = People(Waiting(disk), changed=self._wake.set)
        # Set when servers have something to learn.
        self.news = asyncio.Event()
        # Set when S may have what a newer model chose.
        self.fresher = asyncio.Event()
        self.progress = Progress(labeled=0, total=0, answers=0)
        # Why S had nothing for somebody, when that was last so.
        self._shortage: Shortage | None = None
        # Turns whose answers the change of the classes overtook, and who gave these.
        self.to_ask: list[tuple[int, Session]] = []
        self.unasked = asyncio.Event()

    # What connections say. None of these waits.

    def bucket(self, annotator_id: int, now: float) -> Bucket:
        """The rate limit that one annotator's connections share."""
        return self._buckets.of(annotator_id, rate=self.campaign.messages_per_second, now=now)

    def ready(self, session: Session, message: protocol.Ready) -> None:
        """A client is ready for queries, and may take up an earlier session."""
        session.buffer = message.buffer
        session.away = False
        session.active_at = time.monotonic()
        if message.resume is not None and message.resume != session.id:
            self.people.takes_over(session, message.resume)
            # What it held is counted before more is claimed for it.
            self._resumes.append(Resume(session, message.resume))
        else:
            self.people.waiting.add(session)
        self._wake.set()

    def submit(self, session: Session, message: Act) -> None:
        """Take a label, skip or undo; its receipt follows the commit."""
        if nack := refusal(self.campaign, session, message):
            session.deliver(nack)
            return
        session.active_at = time.monotonic()
        session.away = False
        session.unanswered += 1
        if not isinstance(message, UndoMessage):
            self.people.answers(session, message.query)
        self._pending.append(Submission(session, message))
        self._wake.set()

    def poke(self) -> None:
        """S may have something again: serve those who wanted it."""
        if self.people.waiting.wake():
            self._wake.set()

    def revoke(self, turns: list[tuple[UUID, int]], *, fresher: bool = False) -> None:
        """Tell people which queries are no longer theirs; `fresher`: since a newer model chose."""
        self.people.revoke(turns, away_after=self.campaign.lease_seconds, fresher=fresher)

    # The loop.

    async def run(self) -> None:
        """Serve for ever: each transaction takes all that is there when it starts.

        One at a time: two beside each other share the same people and the same cores, and half as
        many labels in each cost more than they gain (docs/benchmarks/labeling.md).
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._next_batch():
                try:
                    await self._serve(batch)
                except Exception:
                    # Nobody waits for ever because of one bug: other messages go on.
                    log.exception("A batch failed.")

    async def _serve(self, batch: Batch) -> None:
        try:
            outcome = await batches.commit(self.pool, batch, self.campaign)
        except BaseException as error:
            self.people.expect(batch.demands, -1)
            if not isinstance(error, psycopg.Error):
                raise
            log.exception("A batch was refused; its messages go one by one.")
            await self._one_by_one(batch)
        else:
            await self._deliver(batch, outcome)

    def _next_batch(self) -> Batch:
        resumes, self._resumes = self._resumes, []
        left, gone = self.people.departures.take()
        batch = Batch(batches.take(self._pending), left=left, gone=gone)
        wanting = self.people.waiting.take()
        if self.campaign.state == "running":
            batch.resumes = resumes
            resuming = {resume.session.id for resume in resumes}
            batch.demands = demands(each for each in wanting if each.id not in resuming)
            self.people.expect(batch.demands, 1)
        else:
            # Nothing is handed out: the leases of lost connections run out.
            wanting += [each.session for each in resumes if each.session.id in self.people.sessions]
            for session in wanting:
                self.people.waiting.starve(session, *self._why_idle())
        return batch

    async def _one_by_one(self, batch: Batch) -> None:
        """After a batch that the database refuses: find the message that it refuses."""
        for sub in batch.submissions:
            alone = Batch([sub])
            try:
                outcome = await batches.commit(self.pool, alone, self.campaign)
            except psycopg.Error:
                log.exception("A message was refused.")
                sub.session.unanswered -= 1
                sub.session.deliver(
                    protocol.nack(sub.message.id, "bad_message", "This cannot be stored.")
                )
            else:
                await self._deliver(alone, outcome)
        self.people.departures.put_back(batch.left, batch.gone)
        for session_id in [each.session for each in batch.demands] + [
            each.session.id for each in batch.resumes
        ]:
            if session := self.people.sessions.get(session_id):
                self.people.waiting.add(session)

    async def _deliver(self, batch: Batch, outcome: Outcome) -> None:
        """What is committed goes out: receipts once it is on disk, and fresh queries with them.

        But where the disk takes long, nobody's next image waits for it.
        """
        self.progress = outcome.progress
        for sub in batch.submissions:
            if not isinstance(sub.message, UndoMessage):
                self.people.let_go(sub.session, sub.message.query)
        handed = Counter(turn.session for turn in outcome.turns)
        for resume in batch.resumes:
            if resume.session.id in self.people.sessions:
                self.people.waiting.add(resume.session)
            else:
                self.people.departures.add(resume.session, for_good=False)
        short: list[Session] = []
        for demand in batch.demands:
            session = self.people.sessions.get(demand.session)
            if session is not None and handed[demand.session] < demand.want:
                short.append(session)
        if batch.submissions:
            self._disk.tell(partial(self._acknowledge, batch, outcome))
            loop = asyncio.get_running_loop()
            loop.call_later(_PATIENCE_SECONDS, self._hand_out_all, batch, outcome)
        if short or not batch.submissions:
            self._hand_out_all(batch, outcome)
        if short:
            await self._serve_short(short)

    def _acknowledge(self, batch: Batch, outcome: Outcome, durable: bool) -> None:
        """Tell people what became of their messages; do again what may be lost.

        Done already, a message has no second effect.
        """
        if durable:
            self.news.set()
            for sub in batch.submissions:
                self._answer_for(sub, outcome)
        else:
            self._pending.extendleft(reversed(batch.submissions))
            self._wake.set()
        self._hand_out_all(batch, outcome)

    def _hand_out_all(self, batch: Batch, outcome: Outcome) -> None:
        """Hand out what a batch claimed, once."""
        if not batch.handed_out:
            batch.handed_out = True
            self.people.expect(batch.demands, -1)
            self.people.hand_out(outcome.turns)

    def _answer_for(self, sub: Submission, outcome: Outcome) -> None:
        session, message = sub.session, sub.message
        session.unanswered -= 1
        receipt = receipt_of(sub, outcome)
        if receipt == "stored" and isinstance(message, LabelMessage):
            session.mine += 1
            self.people.window.answers += 1
        elif isinstance(message, UndoMessage) and message.label in outcome.undone:
            session.mine -= 1
        session.deliver(reply(sub, receipt, outcome))
        if receipt in ("other_choices", "unknown_choice") and isinstance(message, LabelMessage):
            self.to_ask.append((message.query, session))
            self.unasked.set()

    async def _serve_short(self, sessions: list[Session]) -> None:
        """Those whom the common claim left short: S is dry, or it dealt them known images."""
        sessions.sort(key=lambda session: len(session.held))
        asked = demands(sessions[:_EXACT_CLAIMS])
        wanted = sum(session.want for session in sessions)
        self.people.expect(asked, 1)
        try:
            async with self.pool.connection() as conn:
                turns = await batches.claim_exactly(
                    conn,
                    asked,
                    campaign_id=self.campaign.id,
                    lease_seconds=self.campaign.lease_seconds,
                )
                if len(turns) < wanted:
                    self._shortage = await query.shortage(conn, campaign_id=self.campaign.id)
                    # Workers refill at once when people wait, not when they look next.
                    await conn.execute(NOTIFY, {"payload": payload("hungry", self.campaign.id)})
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("No query could be claimed: %s", " ".join(str(error).split()))
            turns = []
        finally:
            self.people.expect(asked, -1)
        self.people.hand_out(turns)
        for session in sessions:
            if session.want and session.id in self.people.sessions:
                self.people.waiting.starve(session, *self._why_idle())

    def _why_idle(self) -> tuple[protocol.IdleReason, Shortage | None]:
        return why_idle(self.campaign, self.progress, self._shortage)
