"""The images most similar to one, for people who review: a part of the image's page in the admin.

The page loads it after itself. A look through a million embeddings takes a second, without torch
and beside the event loop.
"""

import threading
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe

from al_engine import embedded
from al_engine.decisions.architecture import backbone_of, is_published
from al_engine.embedded import EmbeddedRows, Similar
from al_engine.pools.models import Campaign, Consensus, Image
from annotator_site.campaigns.admin.base import SiteModelAdmin
from annotator_site.images.addresses import image_url

SHOWN_IMAGES: Final = 12
LOOK_SECONDS: Final = 0.8
_one_at_a_time = threading.Lock()
"""People who review leave most of this process to those who label."""


class NoneFound(Exception):
    """There is no row for an image; the message says why and what comes next."""


@require_safe
def similar_images(
    request: HttpRequest, image_id: int, model_admin: SiteModelAdmin
) -> HttpResponse:
    """The row as JSON: `words` on how it was found, or why there is none, and the `images`."""
    image = get_object_or_404(Image.objects.select_related("campaign"), pk=image_id)
    if not model_admin.has_view_permission(request, image):
        raise PermissionDenied
    try:
        architecture, found = _look(image)
    except NoneFound as why:
        return JsonResponse({"words": str(why), "images": []})
    images = _told(image, architecture, found)
    return JsonResponse({"words": _found(found, len(images)), "images": images})


def _look(image: Image) -> tuple[str, Similar]:
    """The frozen architecture that sees the image, and what it finds similar; raises NoneFound."""
    campaign = image.campaign
    wanted = [*campaign.model_architectures, campaign.delivery_architecture]
    frozen = list(dict.fromkeys(map(backbone_of, filter(is_published, wanted))))
    if not frozen:
        raise NoneFound(_why_never(campaign))
    there = 0
    for architecture in frozen:
        rows = _open(campaign, architecture)
        if rows is None:
            continue
        if rows.is_filled(image.position):
            with _one_at_a_time:
                found = rows.most_similar(image.position, SHOWN_IMAGES, seconds=LOOK_SECONDS)
            return architecture, found
        there = max(there, rows.count_filled())
    if image.state == Image.State.EXCLUDED:
        raise NoneFound("This image is excluded and was not embedded before.")
    raise NoneFound(
        "This image is not embedded yet: the engine does that in the background while it runs, "
        f"and has embedded {there:,} images of this campaign on this machine. Come back later."
    )


def _open(campaign: Campaign, architecture: str) -> EmbeddedRows | None:
    """The campaign's embeddings by this architecture, if there are any on this machine."""
    folder = embedded.find_folder(
        Path(settings.VAR) / "cache",
        campaign_id=campaign.pk,
        architecture=architecture,
        image_size=campaign.model_image_size,
    )
    try:
        return None if folder is None else EmbeddedRows(folder)
    except embedded.Unreadable as error:
        raise NoneFound(str(error)) from error


def _why_never(campaign: Campaign) -> str:
    if not campaign.model_architecture:
        return (
            "No network is chosen for this campaign yet: the engine chooses one once it runs and "
            "there are images. A published one finds similar images."
        )
    return (
        f"The network of this campaign, {campaign.model_architecture}, learns from nothing: what "
        "it finds similar changes with every version. A published network (frozen:…) finds "
        "similar images."
    )


def _found(found: Similar, shown: int) -> str:
    """Among how many images these were found, in words."""
    if not shown:
        return "No other image of this campaign is embedded yet."
    among = f"{found.embedded - 1:,} other images"
    if found.compared < found.embedded:
        among = f"{found.compared:,} images, drawn at random from {found.embedded:,} embedded ones"
    return (
        f"The closest of {among}, by the angle between their embeddings; 1 is the same direction."
    )


def _told(image: Image, architecture: str, found: Similar) -> list[dict[str, Any]]:
    """The images found, most similar first, with what is known of them in words."""
    places = found.positions.tolist()
    rows = Image.objects.filter(campaign=image.campaign_id, position__in=places)
    images = {each.position: each for each in rows.select_related("known_choice")}
    agreed = dict(
        Consensus.objects.filter(
            image__in=[each.pk for each in images.values()], choice__isnull=False
        ).values_list("image_id", "choice__name")
    )
    near = embedded.near_copy_cosine(architecture) or 1.0
    return [
        {
            "id": each.pk,
            "address": reverse("admin:pools_image_change", args=[each.pk]),
            "url": image_url(each.shown_key),
            "name": each.name,
            "words": _words(each, agreed.get(each.pk)),
            "width": each.width,
            "height": each.height,
            "cosine": round(cosine, 3),
            "near_copy": cosine >= near,
        }
        for place, cosine in zip(places, found.cosines.tolist(), strict=True)
        if (each := images.get(place)) is not None
    ]


def _words(image: Image, agreed: str | None) -> str:
    """What people said of an image, else what was known before, else its state."""
    if agreed is not None:
        return f"labeled {agreed}"
    if image.known_choice is not None:
        return f"{image.get_state_display()}, known as {image.known_choice.name}"
    return image.get_state_display()
