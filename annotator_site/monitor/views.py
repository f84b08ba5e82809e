"""The live page and the view behind its button; CampaignAdmin routes both."""

from http import HTTPStatus
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign
from annotator_site.accounts.campaign_rights import actor, may_see_pictures


@require_safe
def live_page(
    request: HttpRequest, campaign_id: int, model_admin: "ModelAdmin[Campaign]"
) -> HttpResponse:
    """The page; its numbers come over the WebSocket."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    if not model_admin.has_view_permission(request, campaign):
        raise PermissionDenied
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": campaign.title,
        "opts": Campaign._meta,
        "original": campaign,
        "campaign": campaign,
        "is_fullwidth": "1",
        "socket_path": f"/ws/campaigns/{campaign.slug}/monitor/",
        "state_path": reverse("admin:pools_campaign_state", args=[campaign.pk]),
        "may_change": model_admin.has_change_permission(request, campaign),
        "may_see_pictures": may_see_pictures(actor(request)),
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "monitor/live.html", context)


@require_POST
def change_state(
    request: HttpRequest, campaign_id: int, model_admin: "ModelAdmin[Campaign]"
) -> HttpResponse:
    """Run, pause or finish the campaign (form field `state`); answers with the new state."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    if not model_admin.has_change_permission(request, campaign):
        raise PermissionDenied
    try:
        state = Campaign.State(request.POST.get("state", ""))
    except ValueError:
        allowed = ", ".join(Campaign.State.values)
        return JsonResponse(
            {"message": f"A campaign's state is one of: {allowed}."}, status=HTTPStatus.BAD_REQUEST
        )
    if campaigns.set_state(campaign_id=campaign.pk, state=state):
        model_admin.log_change(request, campaign, f"Set to {state.label}.")
    return JsonResponse({"state": state.value})
