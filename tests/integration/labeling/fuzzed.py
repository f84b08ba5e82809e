"""A campaign where some label and others send rubbish, and what must be so in the end."""

from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models import Max, Min
from pools.check import violations
from stock import choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign, Label

from .honest import Honest
from .rubbish import Prey

FIRST_LABEL = 0x5EED << 64
"""Ids of labels that somebody may guess: those of person n begin n × 10⁶ after this."""
_PER_PERSON = 1_000_000
_SOCKETS = 5
"""Connections that one annotator may have."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """Who is there; of liars and takers a token for each socket."""

    campaign: Campaign
    site: str
    honest: list[Honest]
    liars: list[str]
    takers: list[str]
    foreign: Campaign
    known: Prey

    @property
    def path(self) -> str:
        """Of the labeling WebSocket."""
        return f"/ws/campaigns/{self.campaign.slug}/label/"

    def prey(self) -> Prey:
        """What there is to attack, once the honest have entered."""
        return replace(self.known, sessions=tuple(each.session for each in self.honest))

    def wrong(self) -> list[str]:
        """Rows that are not what was acknowledged to the honest, and rules that are broken."""
        found = [*violations(self.campaign.pk), *violations(self.foreign.pk)]
        promised = [
            (UUID(message), query, choice)
            for each in self.honest
            for message, query, choice in each.acknowledged
        ]
        rows = Label.objects.filter(campaign=self.campaign, retracted_at=None)
        stored = list(rows.values_list("client_id", "turn_id", "choice_id"))
        found += [f"acknowledged, and not there: {each}" for each in {*promised} - {*stored}]
        found += [f"there, and never acknowledged: {each}" for each in {*stored} - {*promised}]
        if len(set(stored)) != len(stored) or len(set(promised)) != len(promised):
            found.append("something is there twice")
        if Label.objects.filter(campaign=self.campaign).count() != len(stored):
            found.append("an answer was retracted")
        if len({query for _, query, _ in stored}) != len(stored):
            found.append("a query was answered twice")
        if Label.objects.filter(campaign=self.foreign).exists():
            found.append("a label is in another campaign")
        return found


def make_fuzzed(
    site: str,
    *,
    images: int,
    honest: int,
    liars: int,
    takers: int,
    think_s: float,
    messages_per_second: int = 0,
) -> Fuzzed:
    """A campaign; without a limit of messages all that is sent is dealt with."""
    campaign = make_campaign(lease_seconds=3600, messages_per_second=messages_per_second)
    foreign = make_campaign(title="Elsewhere")
    stock(campaign, images)
    stock(foreign, 20)
    choices = choices_of(campaign)
    return Fuzzed(
        campaign,
        site,
        [
            Honest(
                site,
                campaign.slug,
                make_annotator(campaign).token,
                choices,
                FIRST_LABEL + number * _PER_PERSON,
                think_s,
            )
            for number in range(honest)
        ],
        [make_annotator(campaign).token for _ in range(liars)] * _SOCKETS,
        [make_annotator(campaign).token for _ in range(takers)] * _SOCKETS,
        foreign,
        Prey(
            choices=tuple(choices),
            foreign_choices=tuple(choices_of(foreign)),
            foreign_turns=tuple(foreign.turns.values_list("pk", flat=True)),
            turns=_ends(campaign),
            sessions=(),
            first_label=FIRST_LABEL,
        ),
    )


def _ends(campaign: Campaign) -> tuple[int, int]:
    ends = campaign.turns.aggregate(first=Min("pk"), last=Max("pk"))
    return ends["first"], ends["last"]
