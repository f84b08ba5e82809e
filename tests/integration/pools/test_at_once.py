"""Two web processes, a caretaker and a worker at the same few images at the same moment.

test_any_order.py draws one transaction after the other; here several are under way together,
of people who answer, skip and undo at both processes, also the same message at both. However
they meet, none fails, and after each step all rules hold. NOWAIT_EXAMPLES as there.
"""

import asyncio
import os
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from al_engine.pools import query
from al_engine.pools.models import Image, Query
from al_engine.pools.query import Connection
from al_engine.pools.turns import Spare
from annotator_site.labeling.batch import Batch, Outcome, Submission
from annotator_site.labeling.protocol import LabelMessage

from .conftest import OpenConnection, Run, in_background
from .desk import Desk, run_out
from .machine import IMAGES, Acts, SmallCampaign, several, which


class AtOnceMachine(SmallCampaign):
    """Nearly all of it happens in several transactions at once."""

    caretaker: ClassVar[Connection]
    stored: ClassVar[int]
    """Answers of all examples: a machine that does nothing breaks no rule."""

    @rule(
        here=several,
        there=several,
        wants=st.tuples(which, which),
        again=st.booleans(),
        ends=st.none() | which,
        pick=st.sets(which, max_size=3),
        drop=st.sets(which, max_size=2),
        recalled=st.booleans(),
    )
    def at_both_processes(
        self,
        here: Acts,
        there: Acts,
        wants: tuple[int, int],
        again: bool,
        ends: int | None,
        pick: set[int],
        drop: set[int],
        recalled: bool,
    ) -> None:
        ours, theirs = (
            self.gather(desk, acts, want)
            for desk, acts, want in zip(self.desks, (here, there), wants, strict=True)
        )
        if again:
            self._send_here_too(ours, theirs)
        lease = self.pick_turn(ends, state="leased") if ends is not None else None
        if lease is not None:
            run_out(lease.pk)
        refilled = in_background(self._refill, pick, drop)
        # The leases are those of either process.
        sweeper = Desk(self.caretaker, self.pools.id)
        sweeper.prefix = self.desks[wants[0] % 2].prefix
        leased = self.turns(state="leased") if recalled else []
        held = [Spare(turn.pk, turn.session, 0, True) for turn in leased if turn.session]
        newest = self.versions[len(pick) % 2]
        done = self.run_async(self._together(ours, theirs, sweeper, held, newest))
        refilled.result()
        for work, outcome in zip((ours, theirs), done, strict=True):
            self.note(work, outcome)

    def _send_here_too(self, ours: Batch, theirs: Batch) -> None:
        """Somebody came to the other process and sends again what nobody acknowledged."""
        labels = [sub for sub in theirs.submissions if isinstance(sub.message, LabelMessage)]
        for sub in labels:
            session = self.desks[0].session(sub.session.annotator_id)
            ours.submissions.insert(0, Submission(session, sub.message))

    async def _together(
        self, ours: Batch, theirs: Batch, sweeper: Desk, held: list[Spare], newest: int
    ) -> list[Outcome]:
        here, there, _ = await asyncio.gather(
            self.desks[0].run(ours), self.desks[1].run(theirs), self._sweep(sweeper, held, newest)
        )
        return [here, there]

    async def _sweep(self, sweeper: Desk, held: list[Spare], newest: int) -> None:
        await sweeper.expire()
        await query.recall(
            sweeper.conn,
            campaign_id=self.pools.id,
            spares=held,
            newest=newest,
            at_random=True,
            most=100,
        )

    def _refill(self, pick: set[int], drop: set[int]) -> None:
        images = list(Image.objects.filter(campaign=self.pools.campaign).order_by("pk"))
        asked = list(Query.objects.filter(campaign=self.pools.campaign).order_by("pk"))
        query.refill(
            campaign_id=self.pools.id,
            worker_id=self.worker,
            picks=[self.pick_of(images[place % IMAGES].pk) for place in pick],
            withdraw=[asked[place % len(asked)].pk for place in drop] if asked else [],
        )

    def teardown(self) -> None:
        type(self).stored += len(getattr(self, "said", ()))
        super().teardown()


def test_whatever_happens_at_two_processes_at_once_everything_holds(
    open_connection: OpenConnection, run: Run
) -> None:
    times = int(os.environ.get("NOWAIT_EXAMPLES", "1"))
    AtOnceMachine.run_async = staticmethod(run)
    AtOnceMachine.connections = [open_connection(), open_connection()]
    AtOnceMachine.caretaker = open_connection()
    AtOnceMachine.stored = 0
    run_state_machine_as_test(
        AtOnceMachine,
        settings=settings(
            max_examples=20 * times,
            stateful_step_count=30,
            deadline=None,
            # Who comes first is chance here: an example that failed cannot be made smaller.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert AtOnceMachine.stored > 12 * times
