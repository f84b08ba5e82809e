"""A campaign as the labeling path needs it: read once, and again when it changes."""

from dataclasses import dataclass
from typing import Any

import nh3
from markdown_it import MarkdownIt

from al_engine.pools.models import Campaign
from annotator_site.off_loop import off_loop


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign's words, classes and limits at one moment."""

    id: int
    slug: str
    title: str
    instructions_html: str
    state: str
    lease_seconds: int
    resume_seconds: int
    messages_per_second: int
    budget: int
    refresh: bool
    asks_at_random: bool
    choices_version: int
    choices: tuple[dict[str, Any], ...]

    def described(self) -> dict[str, str]:
        """The `campaign` of a welcome."""
        return {
            "slug": self.slug,
            "title": self.title,
            "instructions_html": self.instructions_html,
        }


def instructions_html(markdown: str) -> str:
    """Markdown rendered as sanitized HTML."""
    return nh3.clean(MarkdownIt("js-default").render(markdown))


def view_of(campaign: Campaign) -> CampaignView:
    """The view of a campaign row and its classes."""
    # The classes are read after their version: a change in between makes the list newer than its
    # number, so that answers are asked again; the list is never older than its number.
    choices = tuple(
        {"choice": row.pk, "name": row.name, "hotkey": row.hotkey, "color": row.color}
        for row in campaign.choices.all()
    )
    return CampaignView(
        id=campaign.pk,
        slug=campaign.slug,
        title=campaign.title,
        instructions_html=instructions_html(campaign.instructions),
        state=campaign.state,
        refresh=campaign.refresh,
        asks_at_random="random" in campaign.strategies,
        lease_seconds=campaign.lease_seconds,
        resume_seconds=campaign.resume_seconds,
        messages_per_second=campaign.messages_per_second,
        budget=campaign.budget,
        choices_version=campaign.choices_version,
        choices=choices,
    )


@off_loop
def read_campaign(**by: Any) -> CampaignView | None:
    """The campaign with this `slug` or `id`, or None."""
    campaign = Campaign.objects.filter(**by).prefetch_related("choices").first()
    return None if campaign is None else view_of(campaign)
