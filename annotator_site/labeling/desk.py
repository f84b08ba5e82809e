"""The desk of a campaign: labels come in, are made durable together, fresh queries go out.

Each transaction takes everything that arrived during the one before. There is no timer: an idle
desk takes a single label at once. Only acknowledgements wait for the disk (`committed.py`). No
other process needs the state kept here or in `people.py`: the truth is in PostgreSQL, and clients
of a killed process reconnect. Messages that fail are kept and tried again (`faults.py`,
`aside.py`).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from al_engine.pools import supply
from al_engine.pools.labeled import Progress
from al_engine.pools.turns import LeasedTurn, Shortage
from annotator_site.labeling import faults, protocol, transaction
from annotator_site.labeling.aside import Aside
from annotator_site.labeling.batch import Act, Batch, Outcome, Resume, Submission
from annotator_site.labeling.campaign_view import CampaignView
from annotator_site.labeling.committed import Committed
from annotator_site.labeling.database import Pool
from annotator_site.labeling.disk import Disk
from annotator_site.labeling.faults import Trouble
from annotator_site.labeling.pending import Pending
from annotator_site.labeling.people import People, Waiting, demands, why_idle
from annotator_site.labeling.protocol import SkipMessage, UndoMessage
from annotator_site.labeling.receipts import refusal
from annotator_site.labeling.reception import Reception
from annotator_site.labeling.session import Bucket, Buckets, Session

log = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 0.005
"""Longer than most disks take, and shorter than a frame of the screen."""
_EXACT_CLAIMS: Final = 16
"""Connections served one by one after a common claim that left them short."""


class Desk:
    """Everybody who labels one campaign through this web process."""

    def __init__(self, campaign: CampaignView, pool: Pool, disk: Disk) -> None:
        self.campaign = campaign
        self.pool = pool
        self.reception = Reception(pool, campaign.id)
        self._buckets = Buckets()
        self._pending = Pending()
        self._resumes: list[Resume] = []
        self._wake = asyncio.Event()
        self.people = People(Waiting(disk), changed=self._wake.set)
        self.committed = Committed(disk, self.people, again=self._do_again)
        self.aside = Aside(self._pending, self._attempt, self._is_at_fault)
        self._to_hand_out: list[Callable[[], None]] = []
        # The batch under way, for a loop that is restarted in the middle of it.
        self._current = Batch()
        self._saving = Trouble("Saving answers fails")
        self._claiming = Trouble("Handing out queries fails")
        self._no_claims_until = 0.0
        # Set when somebody waits for a query that S does not have.
        self.hungry = asyncio.Event()
        # Set when somebody comes to a campaign that nobody was at: its engine may rest.
        self.arrived = asyncio.Event()
        # Set when S may have queries that a newer model chose.
        self.fresher = asyncio.Event()
        self.progress = Progress(labeled=0, total=0, answers=0)
        # No image can be shown now: nothing more is handed out.
        self.storage_away = False
        # Why S last had too little for somebody.
        self._shortage: Shortage | None = None

    # Called by connections; none of these methods waits.

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
            # Its former leases are counted before more is claimed for it.
            self._resumes.append(Resume(session, message.resume))
        else:
            self.people.waiting.add(session)
        if len(self.people.sessions) == 1:
            self.arrived.set()
        self._wake.set()

    def submit(self, session: Session, message: Act) -> None:
        """Take a label, skip or undo; its receipt follows the commit."""
        if nack := refusal(self.campaign, session, message, full=self._pending.is_full):
            session.deliver(nack)
            return
        now = time.monotonic()
        if isinstance(message, SkipMessage) and message.sender == "machine":
            # Not an action of the person: a page that is left alone must not use up S.
            session.away |= now - session.active_at >= self.campaign.lease_seconds
        else:
            session.active_at = now
            session.away = False
        if not session.unanswered:
            session.unanswered_since = now
        session.unanswered += 1
        image = 0 if isinstance(message, UndoMessage) else self.people.answers(session, message)
        self._pending.add(Submission(session, message, image))
        self._wake.set()

    def poke(self) -> None:
        """S may have queries again: serve the connections that found none."""
        if self.people.waiting.wake():
            self._wake.set()

    def revoke(self, turns: list[tuple[UUID, int]], *, fresher: bool = False) -> None:
        """Tell people which queries are no longer theirs; `fresher`: a newer model chose others."""
        self.people.revoke(turns, away_after=self.campaign.lease_seconds, fresher=fresher)

    # The loop.

    async def run(self) -> None:
        """Serve forever: each transaction takes all that is there when it starts.

        One at a time: two in parallel share the same people and the same cores, and batches of half
        the size cost more than the parallelism gains (docs/benchmarks/labeling.md).
        """
        # The batch in which a former run ended; messages done already have no second effect.
        if self._current:
            self._pending.put_back(self._current.submissions)
            self.people.ask_anew()
        while True:
            while batch := self._next_batch():
                self._current = batch
                await self._serve(batch)
                self._current = Batch()
            await self._wake.wait()
            self._wake.clear()

    def _next_batch(self) -> Batch:
        batch = Batch(self._pending.take())
        if time.monotonic() < self._no_claims_until:
            return batch
        batch.left, batch.gone = self.people.departures.take()
        resumes, self._resumes = self._resumes, []
        wanting = self.people.waiting.take()
        running = self.campaign.state == "running"
        if running:
            batch.resumes = resumes
        else:
            # No resumes: the leases of lost connections run out.
            wanting += [each.session for each in resumes if each.session.id in self.people.sessions]
        if running and not self.storage_away:
            batch.answered = self._pending.answered_aside(resumes)
            resuming = {resume.session.id for resume in resumes}
            batch.demands = demands(each for each in wanting if each.id not in resuming)
            self.people.expect(batch.demands, 1)
        else:
            # Nothing new is handed out.
            for session in wanting:
                self.people.waiting.starve(session, *self._why_idle())
        return batch

    async def _serve(self, batch: Batch) -> None:
        """Do a batch; what fails is tried again later, and holds up nothing else."""
        error = await self._attempt(batch)
        if error is None:
            return
        said, rest = batch.submissions, batch.without_messages()
        rest_error: Exception | None = error
        if not faults.is_everybodys(error) or self._saving.is_to_be_divided:
            if said and rest and not batch.committed:
                rest_error = await self._attempt(rest)
            said = await self.aside.divide(said)
        if rest and rest_error is not None:
            maybe_claimed = batch.committed or faults.is_unsure(rest_error)
            self._claim_later(rest, rest_error, maybe_claimed=maybe_claimed)
        if said:
            self._pending.put_back(said)
            await asyncio.sleep(self._saving.failed(error))

    async def _attempt(self, batch: Batch) -> Exception | None:
        """Do a batch and hand out its outcome; returns the error if it failed."""
        try:
            outcome = await self._commit(batch)
        except Exception as error:
            if faults.is_unsure(error) and not batch.committed:
                for sub in batch.submissions:
                    sub.took_effect = True
            return error
        try:
            await self._deliver(batch, outcome)
        except Exception:
            # The batch is committed: its receipts are sent despite this bug.
            log.exception("What a batch did could not be handed out.")
        if batch.submissions:
            self._saving.over()
        return None

    async def _commit(self, batch: Batch) -> Outcome:
        while True:
            async with self.pool.connection() as conn:
                if not self.committed.may_be_lost(before=self.pool.opened_at(conn)):
                    batch.began = time.monotonic()
                    return await transaction.run(
                        conn,
                        batch,
                        campaign_id=self.campaign.id,
                        lease_seconds=self.campaign.lease_seconds,
                        resume_seconds=self.campaign.resume_seconds,
                    )
            await self.committed.settle()

    async def _is_at_fault(self, sub: Submission) -> bool:
        choices = [choice["choice"] for choice in self.campaign.choices]
        async with self.pool.connection() as conn:
            return await transaction.values_are_at_fault(
                conn, sub, campaign_id=self.campaign.id, choices=choices
            )

    def _do_again(self, subs: list[Submission]) -> None:
        self._pending.put_back(subs)
        self._wake.set()

    # What goes out.

    async def _deliver(self, batch: Batch, outcome: Outcome) -> None:
        """Send what is committed: receipts once it is on disk, and fresh queries with them.

        Queries wait for a slow disk no longer than _PATIENCE_SECONDS.
        """
        # Hand out earlier leases first: this batch may answer some of them.
        for hand_out in self._to_hand_out:
            hand_out()
        self._to_hand_out.clear()
        if batch.answered:
            outcome.turns = [turn for turn in outcome.turns if turn.turn_id not in batch.answered]
        short = self.people.expect_leased(batch.demands, outcome.turns)
        self._hand_out_soon(batch, outcome)
        self.progress = outcome.progress
        for sub in batch.submissions:
            if not isinstance(sub.message, UndoMessage):
                self.people.let_go(sub.session, sub.message.turn_id)
        for resume in batch.resumes:
            if resume.session.id in self.people.sessions:
                self.people.waiting.add(resume.session)
            else:
                self.people.departures.add(resume.session, for_good=False)
        if batch.demands:
            self._claiming.over()
        if short:
            await self._serve_short(short)

    def _hand_out_soon(self, batch: Batch, outcome: Outcome) -> None:
        """Hand out once the batch is on disk, or after _PATIENCE_SECONDS if that is sooner."""
        hand_out = partial(self._hand_out, batch, outcome.turns)
        if not (batch.submissions or outcome.turns):
            hand_out()
            return
        self._to_hand_out.append(hand_out)
        self.committed.enter(batch, outcome, told=hand_out)
        asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, hand_out)

    def _hand_out(self, batch: Batch, turns: Sequence[LeasedTurn]) -> None:
        if not batch.handed_out:
            batch.handed_out = True
            self.people.expect(batch.demands, -1)
            self.people.hand_out(turns)

    async def _serve_short(self, sessions: list[Session]) -> None:
        """Claim one by one for those left short: S is dry, or dealt them images they know."""
        sessions.sort(key=lambda session: len(session.held))
        claim = Batch(demands=demands(sessions[:_EXACT_CLAIMS]), began=time.monotonic())
        wanted = sum(session.want for session in sessions)
        self.people.expect(claim.demands, 1)
        try:
            async with self.pool.connection() as conn:
                turns = await transaction.claim_exactly(
                    conn,
                    claim.demands,
                    campaign_id=self.campaign.id,
                    lease_seconds=self.campaign.lease_seconds,
                )
                if len(turns) < wanted:
                    self._shortage = await supply.shortage(conn, campaign_id=self.campaign.id)
                    self.hungry.set()
        except Exception as error:
            self._claim_later(claim, error, maybe_claimed=True)
            for session in sessions[_EXACT_CLAIMS:]:
                self.people.waiting.add(session)
            return
        self.people.expect_leased(claim.demands, turns)
        self._hand_out_soon(claim, Outcome({}, {}, set(), turns, set(), self.progress))
        for session in sessions:
            if session.want and session.id in self.people.sessions:
                self.people.waiting.starve(session, *self._why_idle())

    def _claim_later(self, rest: Batch, error: BaseException, *, maybe_claimed: bool) -> None:
        """Try again, after a pause, all of a batch except its messages.

        Nobody is sent `idle`. `maybe_claimed`: turns may have been leased without being handed out,
        so the connections that claimed ask for their own leases again.
        """
        self._hand_out(rest, [])
        self.people.departures.put_back(rest.left, rest.gone)
        for resume in rest.resumes:
            if resume.session.id in self.people.sessions:
                self._resumes.append(resume)
        for demand in rest.demands:
            if session := self.people.sessions.get(demand.session):
                if maybe_claimed:
                    self._resumes.append(Resume(session, session.id))
                else:
                    self.people.waiting.add(session)
        pause = self._claiming.failed(error)
        self._no_claims_until = time.monotonic() + pause
        asyncio.get_running_loop().call_later(pause, self._wake.set)

    def _why_idle(self) -> tuple[protocol.IdleReason, Shortage | None]:
        return why_idle(
            self.campaign, self.progress, self._shortage, storage_away=self.storage_away
        )
