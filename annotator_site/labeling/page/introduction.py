"""What a person sees before the first image that counts: examples, and a short practice.

Answers in a practice are no labels and stay in the browser.
"""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from al_engine.pools import campaigns
from al_engine.pools.gold import GoldImage, shown
from al_engine.pools.models import Annotator
from annotator_site.accounts.models import User
from annotator_site.images.addresses import image_url
from annotator_site.labeling.campaign_view import view_of

_STEPS = {"introduced": campaigns.mark_introduced, "practiced": campaigns.mark_practiced}


def annotator_of(request: HttpRequest, slug: str) -> Annotator | None:
    """The logged-in user's annotator in a campaign; None if they may not label it."""
    assert isinstance(request.user, User)  # noqa: S101 - behind login_required
    annotators = Annotator.objects.filter(campaign__slug=slug, user=request.user, active=True)
    return annotators.select_related("campaign").first()


@login_required
@require_safe
@never_cache
def examples(request: HttpRequest, slug: str) -> HttpResponse:
    """The classes and their example images, for the campaign's annotators."""
    campaign = _annotator(request, slug).campaign
    return JsonResponse(
        {
            "choices_version": campaign.choices_version,
            "choices": view_of(campaign).choices,
            "examples": [
                {"choice": image.choice_id, **_image(image)}
                for image in shown(campaign=campaign).examples
            ],
        }
    )


@login_required
@require_safe
@never_cache
def practice(request: HttpRequest, slug: str) -> HttpResponse:
    """The images of the practice with their classes, for the campaign's annotators."""
    campaign = _annotator(request, slug).campaign
    return JsonResponse(
        {
            "choices": view_of(campaign).choices,
            "images": [
                {"choice": image.choice_id, **_image(image)}
                for image in shown(campaign=campaign).practice
            ],
        }
    )


@login_required
@require_POST
def passed(request: HttpRequest, slug: str) -> HttpResponse:
    """Record, for all of a person's devices, that they are past a step of the introduction."""
    mark = _STEPS.get(request.POST.get("step", ""))
    if mark is None:
        return HttpResponseBadRequest(f"“step” must be one of {', '.join(_STEPS)}.")
    mark(annotator_id=_annotator(request, slug).pk)
    return HttpResponse(status=204)


def _annotator(request: HttpRequest, slug: str) -> Annotator:
    annotator = annotator_of(request, slug)
    if annotator is None:
        raise Http404
    return annotator


def _image(image: GoldImage) -> dict[str, Any]:
    return {"url": image_url(image.key), "width": image.width, "height": image.height}
