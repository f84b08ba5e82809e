"""A campaign of a machine's engine: what the engine remembers of it, and whether it is awake."""

from collections.abc import Collection
from typing import Final

from django.db import models

from al_engine.decisions.rules import enough_for_first_model, is_to_train
from al_engine.decisions.sharing import Claim, Standing, is_awake
from al_engine.pools.models import Campaign
from al_engine.pools.processes import Part
from al_engine.pools.survey import Glance
from al_engine.roles.engine import EngineOptions, children, servers_of
from al_engine.supervision.child import Child

WAKING: Final = frozenset({"people", "hungry", "labels"})
"""Notifications of what a campaign has its processes for."""
_ENGINES: Final = frozenset(
    {"chosen_architecture", "chosen_image_size", "chosen_because", "choices_version"}
)
"""Fields of a campaign that are no settings of people."""


class Resident:
    """A campaign that an engine looks after. Times are of `time.monotonic`, in seconds."""

    def __init__(self, campaign: Campaign, part: Part, *, active_at: float) -> None:
        """`part`: as what the engine is known in this campaign."""
        self.campaign = campaign
        self.part = part
        self.glance: Glance | None = None
        self.awake = False
        # Its processes were started since it woke.
        self.up = False
        # Names of the processes that it had last.
        self.names: frozenset[str] = frozenset()
        # S is to be filled for as many people as came before, because it has just come to rest.
        self.to_stock_up = False
        self.stocked_up_at = float("-inf")
        # The last person, label, model or change of settings.
        self._active_at = active_at
        # The images and answers of L when all servers had nothing to do.
        self._learned: tuple[int, int] | None = None
        self._has_servers = False
        # Since when it has room for its models, and since when it has waited for some.
        self.held_since: float | None = None
        self._waits_since: float | None = None

    def follow(self, campaign: Campaign, *, now: float) -> None:
        """Take the campaign's present settings; a change counts as activity."""
        if settings_of(campaign) != settings_of(self.campaign):
            self._active_at = now
        self.campaign = campaign

    def notice(
        self, glance: Glance, heard: Collection[tuple[str, int]], options: EngineOptions, now: float
    ) -> None:
        """Take in what the engine sees and hears of it, and find out whether it is awake."""
        former, self.glance = self.glance, glance
        kinds = {kind for kind, campaign_id in heard if campaign_id == self.campaign.pk}
        more_answers = former is not None and former.answers != glance.answers
        if glance.people or more_answers or kinds & WAKING or (self.awake and "model" in kinds):
            self._active_at = now
        untrained = self._is_untrained(glance, options)
        runs = self.campaign.state == Campaign.State.RUNNING
        standing = Standing(
            people=runs and glance.people,
            quiet_s=now - self._active_at,
            untrained=runs and untrained,
        )
        was_awake, self.awake = self.awake, is_awake(standing)
        self.to_stock_up |= was_awake and not self.awake
        if not self.awake:
            self.held_since = self._waits_since = None
            self._has_servers = self.up = False

    def _is_untrained(self, glance: Glance, options: EngineOptions) -> bool:
        """Whether L has labels that a server here is to train on.

        Servers know that themselves; while there are none, the sizes tell, unless it is what
        servers had nothing to do with before.
        """
        servers = servers_of(self.campaign, options)
        if not servers:
            return False
        known = (glance.labeled, glance.answers)
        if self._has_servers:
            wanted = servers + bool(self.campaign.delivery_architecture)
            if glance.servers >= wanted and glance.idle_servers == glance.servers:
                self._learned = known
            return self._learned != known
        return self._learned != known and is_to_train(
            labels=glance.labeled,
            news=glance.labeled - (glance.labels_seen or 0),
            trainings=int(glance.labels_seen is not None),
            first_model_at=enough_for_first_model(glance.choices, glance.total),
            min_new_labels=self.campaign.min_new_labels,
        )

    def claim(self, options: EngineOptions, devices: list[str], *, now: float) -> Claim:
        """The room that its models need."""
        # Beside each process of workers there is one that looks at D.
        size = len(children(self.campaign, options, devices))
        return Claim(
            self.campaign.pk,
            size,
            people=self.glance is not None and self.glance.people,
            held_s=None if self.held_since is None else now - self.held_since,
            waited_s=0.0 if self._waits_since is None else now - self._waits_since,
        )

    def processes(
        self, options: EngineOptions, devices: list[str], *, granted: bool, now: float
    ) -> list[Child]:
        """The processes that it has while it is awake; `granted`: there is room for models."""
        if granted:
            self._waits_since = None
            self.held_since = now if self.held_since is None else self.held_since
        else:
            self.held_since = None
            self._waits_since = now if self._waits_since is None else self._waits_since
        wanted = children(self.campaign, options, devices, models=granted)
        self._has_servers = granted
        self.names |= {child.name for child in wanted}
        return wanted

    def words(self) -> str:
        """What the engine does in this campaign, for people."""
        if not self.awake:
            return "at rest"
        return "at work" if self.held_since is not None else "at work, its models wait for room"


def settings_of(campaign: Campaign) -> dict[str, object]:
    """A campaign's settings as people make them, by name."""
    return {
        field.attname: getattr(campaign, field.attname)
        for field in campaign._meta.concrete_fields
        if isinstance(field, models.Field) and field.attname not in _ENGINES
    }
