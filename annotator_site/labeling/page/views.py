"""Pages of the people who label: their campaigns, and the labeling page."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import mark_safe

from al_engine.pools import gold
from al_engine.pools.models import Annotator, Campaign
from al_engine.pools.sizes import sizes
from annotator_site.accounts.models import User
from annotator_site.labeling.campaign_view import instructions_html
from annotator_site.labeling.page.introduction import annotator_of
from annotator_site.labeling.page.words import words


@dataclass(frozen=True, slots=True)
class CampaignCard:
    """A campaign as its annotator sees it on the home page."""

    title: str
    slug: str
    state: str
    labeled: int
    total: int
    mine: int


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The campaigns of the person who is logged in."""
    assert isinstance(request.user, User)  # noqa: S101 - login_required
    memberships = (
        Annotator.objects.filter(user=request.user, active=True)
        .select_related("campaign")
        .annotate(mine=Count("labels", filter=Q(labels__retracted_at=None)))
        .order_by("campaign__title")
    )
    cards = []
    for membership in memberships:
        campaign, now = membership.campaign, sizes(campaign_id=membership.campaign_id)
        cards.append(
            CampaignCard(
                campaign.title, campaign.slug, campaign.state, now.labeled, now.total,
                membership.mine,
            )
        )  # fmt: skip
    return render(request, "labeling/home.html", {"campaigns": cards})


@login_required
def label(request: HttpRequest, slug: str) -> HttpResponse:
    """The labeling page of a campaign, for its annotators."""
    annotator = annotator_of(request, slug)
    if annotator is None:
        get_object_or_404(Campaign, slug=slug)
        # Not PermissionDenied, which Django logs with a traceback each time.
        return render(request, "403.html", status=403)
    campaign = annotator.campaign
    has_practice, has_examples = gold.is_shown(campaign=campaign)
    told = bool(campaign.instructions or has_examples)
    context = {
        "annotator": annotator.pk,
        "campaign": {
            "slug": campaign.slug,
            "title": campaign.title,
            # Cleaned by `instructions_html`, so it may stand in the page as it is.
            "instructions_html": mark_safe(instructions_html(campaign.instructions)),  # noqa: S308
        },
        "has_examples": has_examples,
        "has_practice": has_practice,
        "introduce": told and annotator.introduced_at is None,
        "practice": has_practice and annotator.practiced_at is None,
        "words": words(),
    }
    return render(request, "labeling/label.html", context)
