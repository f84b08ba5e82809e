"""Find campaigns by the slugs that a person typed."""

from collections.abc import Collection
from typing import Final

from al_engine.pools.models import Campaign

_MAX_SLUGS_NAMED: Final = 10


class UnknownCampaignError(LookupError):
    """There is no campaign with this slug; the message lists the existing ones."""


def campaign_of(slug: str) -> Campaign:
    """The campaign with this slug. Raises UnknownCampaignError."""
    campaign = Campaign.objects.filter(slug=slug).first()
    if campaign is None:
        raise UnknownCampaignError(f"There is no campaign “{slug}”. {_existing()}")
    return campaign


def unfinished(slugs: Collection[str]) -> list[Campaign]:
    """The campaigns that are not finished: those with these slugs, or all where none is given."""
    campaigns = Campaign.objects.exclude(state=Campaign.State.FINISHED).order_by("pk")
    return list(campaigns.filter(slug__in=slugs) if slugs else campaigns)


def _existing() -> str:
    slugs = list(Campaign.objects.values_list("slug", flat=True)[: _MAX_SLUGS_NAMED + 1])
    if not slugs:
        return "There is none yet: make one with `manage.py create_campaign SLUG --classes a,b`."
    more = ", …" if len(slugs) > _MAX_SLUGS_NAMED else ""
    return f"Campaigns: {', '.join(slugs[:_MAX_SLUGS_NAMED])}{more}."
