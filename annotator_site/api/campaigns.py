"""Campaigns: which there are."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from al_engine.pools.models import Campaign
from al_engine.pools.sizes import sizes
from annotator_site.accounts.campaign_rights import own_campaigns
from annotator_site.accounts.models import Scope, User
from annotator_site.api import paging
from annotator_site.api.base import Resource
from annotator_site.api.rights import may_view, no_campaign, visible
from annotator_site.api.schema import described
from annotator_site.api.shapes import CampaignShape, ClassShape, PoolSizes, SettingsShape


class Campaigns(Resource):
    """The campaigns that somebody runs or labels in."""

    reads_with = (Scope.READ, Scope.MANAGE, Scope.LABEL, Scope.WATCH)

    @described("List campaigns", CampaignShape, many=True)
    def get(self, request: Request) -> Response:
        """In the order in which they were made."""
        return paging.listed(
            request, visible(self.user).prefetch_related("choices"), ("id",),
            lambda found: shaped(self.user, found),
        )  # fmt: skip


class OneCampaign(Resource):
    """A campaign."""

    reads_with = Campaigns.reads_with

    @described("Read a campaign", CampaignShape)
    def get(self, request: Request, slug: str) -> Response:
        """With its classes, its settings and the sizes of its pools."""
        campaign = visible(self.user).filter(slug=slug).first()
        if campaign is None:
            raise no_campaign(slug)
        return Response(shaped(self.user, [campaign])[0])


def shaped(user: User, campaigns: Any) -> list[dict[str, Any]]:
    """Campaigns as the API gives them: whole to those who run them, the job to those who label."""
    own = own_campaigns(user) if may_view(user, "campaign") else []
    return [_shaped(each, whole=own is None or each.pk in own) for each in campaigns]


def _shaped(campaign: Campaign, *, whole: bool) -> dict[str, Any]:
    return {
        "slug": campaign.slug,
        "title": campaign.title,
        "state": campaign.state,
        "instructions": campaign.instructions,
        "created_at": campaign.created_at.isoformat().replace("+00:00", "Z"),
        "choices_version": campaign.choices_version,
        "classes": ClassShape(campaign.choices.all(), many=True).data,
        "settings": SettingsShape(campaign).data if whole else None,
        "pools": PoolSizes(sizes(campaign_id=campaign.pk)).data if whole else None,
    }
