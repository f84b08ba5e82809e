"""A machine's engine: one supervised set of processes for all of its campaigns.

A campaign has processes while somebody labels it, and rests without any a few minutes later. The
engine listens on one connection for all campaigns, and repeats these steps:

1. Wait for a person, a label or a change of settings of a campaign that rests, 1 s at most.
2. Read the campaigns, and glance at all of them in one statement.
3. Decide who is awake, and who of them has room for models (`decisions/sharing.py`).
4. Start and stop processes so that these run, and no others.
5. Fill S of a campaign at rest that is low, so that nobody who comes has to wait.
6. Report what it does in each campaign.
"""

import logging
import threading
import time
from collections.abc import Collection, Sequence
from typing import Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from al_engine.decisions.architecture import is_published
from al_engine.decisions.refill import DEPTH_FLOOR
from al_engine.decisions.sharing import room_of, share_out
from al_engine.pools import processes
from al_engine.pools.lookup import unfinished
from al_engine.pools.models import Campaign
from al_engine.pools.signals import listening
from al_engine.pools.survey import survey
from al_engine.roles import larder
from al_engine.roles.engine import EMBEDDER, EngineOptions, embedder, servers_of, workers_of
from al_engine.roles.life import BEAT_SECONDS, UNAVAILABLE
from al_engine.roles.resident import WAKING, Resident
from al_engine.supervision.child import Child
from al_engine.supervision.child_output import say
from al_engine.supervision.placement import cores, memory_mb
from al_engine.supervision.placement import devices as devices_of
from al_engine.supervision.process_set import LocalSet, ProcessSet, bring_about
from al_engine.supervision.supervisor import Supervisor

log = logging.getLogger(__name__)

STEP_SECONDS: Final = 1.0
_WAKE_EVERY_SECONDS: Final = 1.0
"""Between two campaigns that wake: what starts takes cores from people, and S is deep enough."""
_STOCKED_UP_SECONDS: Final = 30.0
"""S that cannot be filled any further is tried again after this time."""
_EMBEDDER_RESTS_SECONDS: Final = 60.0
_EMBEDDER_LOADS_SECONDS: Final = 300.0
"""An embedder that has reported nothing for so long has found no campaign that needs it."""

Heard = Collection[tuple[str, int]]


class Machine:
    """The campaigns of an engine, and the processes that they have."""

    def __init__(
        self,
        running: ProcessSet,
        options: EngineOptions,
        slugs: Sequence[str] = (),
        *,
        room: int | None = None,
    ) -> None:
        """For these campaigns, or for all. `room`: processes with torch that there is room for."""
        self.running = running
        self.options = options
        self.slugs = slugs
        self.devices = devices_of(options.device)
        self.residents: dict[int, Resident] = {}
        self._room = room_of(memory_mb=memory_mb(), cores=cores()) if room is None else room
        self._reported_at = self._woke_at = float("-inf")
        # Images came, or the embedder had something to do; and when it was started.
        self._embedded_at = self._embedder_began = float("-inf")

    def step(self, heard: Heard | None, now: float) -> bool:
        """Steps 2 to 6, `now` of `time.monotonic`; whether another S is to be filled.

        `heard`: kinds of notifications with their campaigns; None if some may have been lost.
        """
        self._take_in(now)
        glances = survey(campaign_ids=list(self.residents), enough=DEPTH_FLOOR)
        for resident in self.residents.values():
            if (glance := glances.get(resident.campaign.pk)) is not None:
                resident.notice(glance, heard or (), self.options, now)
        wanted = self._wanted(now)
        if self._is_to_embed(heard, now):
            wanted.append(embedder(self.slugs, self.devices))
        self._bring_about(wanted, now)
        left = self._stock_up(now)
        if now - self._reported_at >= BEAT_SECONDS:
            self._reported_at = now
            self._report()
        return left

    def is_for_rest(self, kind: str, campaign_id: int) -> bool:
        """Whether a notification is about a campaign that rests and should not."""
        resident = self.residents.get(campaign_id)
        return kind in WAKING | {"campaign"} and resident is not None and not resident.awake

    def retire(self) -> None:
        """Record that this engine has ended."""
        processes.retire(parts=[resident.part for resident in self.residents.values()])

    def _take_in(self, now: float) -> None:
        """Read the campaigns: their settings, new ones, and those that are finished or gone."""
        campaigns = {campaign.pk: campaign for campaign in unfinished(self.slugs)}
        for gone in self.residents.keys() - campaigns.keys():
            processes.retire(parts=[self.residents.pop(gone).part])
        new = campaigns.keys() - self.residents.keys()
        processes.sweep_dead(campaign_ids=list(new))
        for campaign_id, campaign in campaigns.items():
            if campaign_id in new:
                self._add(campaign, now)
            else:
                self.residents[campaign_id].follow(campaign, now=now)

    def _add(self, campaign: Campaign, now: float) -> None:
        part = processes.register(campaign_id=campaign.pk, role="engine", name="engine-1")
        # Whoever names a campaign wants it to work now.
        active_at = now if self.slugs else float("-inf")
        self.residents[campaign.pk] = Resident(campaign, part, active_at=active_at)
        servers = servers_of(campaign, self.options)
        if servers > len(self.devices):
            say(
                f"{campaign.slug}: {servers} servers share {len(self.devices)} device(s): "
                "trainings on one device slow each other down, so this gains little over one "
                "server a device."
            )

    def _wanted(self, now: float) -> list[Child]:
        """The processes of all campaigns that are awake, with models where there is room."""
        awake = [each for each in self.residents.values() if each.awake and self._is_up(each, now)]
        claims = [each.claim(self.options, self.devices, now=now) for each in awake]
        granted = share_out(claims, room=self._room)
        return [
            child
            for each in awake
            for child in each.processes(
                self.options, self.devices, granted=each.campaign.pk in granted, now=now
            )
        ]

    def _is_up(self, resident: Resident, now: float) -> bool:
        """Whether a campaign that is awake has its processes: it waits for others that wake."""
        glance = resident.glance
        can_wait = glance is not None and glance.open_turns >= DEPTH_FLOOR
        if resident.up or not can_wait or now - self._woke_at >= _WAKE_EVERY_SECONDS:
            self._woke_at = self._woke_at if resident.up else now
            resident.up = True
        return resident.up

    def _bring_about(self, wanted: Sequence[Child], now: float) -> None:
        had = set(self.running.needed)
        stopped = bring_about(self.running, wanted)
        names = {child.name for child in wanted}
        for name in stopped:
            if name in names:
                say(f"{name} starts anew: its settings changed, or the room for models")
        if EMBEDDER in names - had:
            self._embedder_began = now

    def _is_to_embed(self, heard: Heard | None, now: float) -> bool:
        """Whether the embedder is to run: some images came, or it has not come to its end yet."""
        there = [each for each in self.residents.values() if _embeds(each)]
        if not there:
            return False
        ids = {each.campaign.pk for each in there}
        if heard is None or any(
            kind in ("pool", "campaign") and campaign_id in ids for kind, campaign_id in heard
        ):
            self._embedded_at = now
        glances = [each.glance for each in there if each.glance is not None]
        alive = sum(glance.embedders for glance in glances)
        if EMBEDDER in self.running.needed:
            loads = not alive and now - self._embedder_began < _EMBEDDER_LOADS_SECONDS
            if loads or alive > sum(glance.idle_embedders for glance in glances):
                self._embedded_at = now
        return now - self._embedded_at < _EMBEDDER_RESTS_SECONDS

    def _stock_up(self, now: float) -> bool:
        """Fill S of one campaign at rest that needs it; whether others need it, too."""
        low = [each for each in self.residents.values() if self._is_to_stock_up(each, now)]
        if low:
            resident = low[0]
            resident.to_stock_up = False
            resident.stocked_up_at = now
            larder.stock_up(resident.campaign, workers=workers_of(resident.campaign, self.options))
        return len(low) > 1

    def _is_to_stock_up(self, resident: Resident, now: float) -> bool:
        glance, campaign = resident.glance, resident.campaign
        if resident.awake or glance is None or glance.workers or not glance.unlabeled:
            return False
        if campaign.state != Campaign.State.RUNNING or not workers_of(campaign, self.options):
            return False
        # Its own workers must have ended: until then they hold the cells.
        if resident.names & self.running.running():
            return False
        is_low = larder.is_low(campaign, glance)
        rested = now - resident.stocked_up_at >= _STOCKED_UP_SECONDS
        return resident.to_stock_up or (is_low and rested)

    def _report(self) -> None:
        processes.report_states(
            states={each.part.id: each.words() for each in self.residents.values()},
            idle=[each.part.id for each in self.residents.values() if not each.awake],
        )


def _embeds(resident: Resident) -> bool:
    """Whether a campaign has images that a frozen backbone embeds, or may have."""
    campaign, glance = resident.campaign, resident.glance
    if glance is None or not glance.total:
        return False
    # What `auto` means is empty until it is known.
    named = [*campaign.model_architectures, campaign.delivery_architecture]
    return not all(campaign.model_architectures) or any(map(is_published, named))


def run_engine(slugs: Sequence[str], options: EngineOptions) -> None:
    """Run the engine of these campaigns, or of all, until told to stop."""
    supervisor = Supervisor(log_dir=settings.VAR / "logs")
    machine = Machine(LocalSet(supervisor), options, slugs)
    follower = threading.Thread(
        target=follow, args=(machine, supervisor.stopping), name="campaigns", daemon=True
    )
    follower.start()
    supervisor.run()
    follower.join(timeout=5.0)


def follow(machine: Machine, stopping: threading.Event) -> None:
    """Repeat the steps of the machine's engine until the end; its processes run on meanwhile."""
    heard: Heard | None = None
    left = False
    with listening(None) as listener:
        while not stopping.is_set():
            try:
                left = machine.step(heard, time.monotonic())
                heard = listener.gather(
                    seconds=0.0 if left else STEP_SECONDS, enough=machine.is_for_rest
                )
            except UNAVAILABLE as error:
                log.warning("Waiting for the database: %s", " ".join(str(error).split()))
                connections.close_all()
                stopping.wait(STEP_SECONDS)
            except Exception:
                log.exception("The engine could not look after its campaigns; it goes on.")
                stopping.wait(STEP_SECONDS)
    try:
        machine.retire()
    except DatabaseError as error:
        log.warning("Not recorded as ended: %s", " ".join(str(error).split()))
    connections.close_all()
