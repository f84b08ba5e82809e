"""What `auto` means for a campaign: chosen by the first process that computes, once for all."""

import logging
from collections.abc import Callable
from typing import Final

import torch

from al_engine import architectures
from al_engine.decisions import architecture as decisions
from al_engine.pools import campaigns, images
from al_engine.pools.models import Campaign
from al_engine.roles.life import Ending

log = logging.getLogger(__name__)

WAITING: Final = "waiting for images"
_POLL_SECONDS: Final = 2.0


def wait_for_choice(
    campaign: Campaign, device: torch.device, *, ending: Ending, say: Callable[[str], None]
) -> None:
    """Return once architecture and image size are known, which takes images; SystemExit ends it."""
    while not settle(campaign, device):
        say(WAITING)
        ending.sleep(_POLL_SECONDS)
        ending.check()


def settle(campaign: Campaign, device: torch.device) -> bool:
    """Choose what the campaign's settings leave open; False as long as it has no images.

    The first process decides for all, by its device. `campaign` is read anew where it is not known.
    """
    if campaign.is_settled:
        return True
    campaign.refresh_from_db()  # another process may have chosen
    return campaign.is_settled or _choose(campaign, device)


def _choose(campaign: Campaign, device: torch.device) -> bool:
    sides = images.longer_sides(campaign_id=campaign.pk)
    if not sides:
        return False
    choice = decisions.choose(
        sides,
        architectures=campaign.architectures,
        image_size=campaign.image_size,
        device=device.type,
        missing=_missing(campaign, sides, device),
    )
    if campaigns.keep_choice(campaign_id=campaign.pk, choice=choice):
        log.info("%s at %d px: %s", choice.architecture, choice.image_size, choice.reason)
    campaign.refresh_from_db()
    return campaign.is_settled


def _missing(campaign: Campaign, sides: list[int], device: torch.device) -> str:
    """Why a GPU's own default cannot be had, empty if it can or is not wanted."""
    wanted = decisions.AUTO in campaign.architectures and decisions.wants_gpu_weights(
        sides, image_size=campaign.image_size, device=device.type
    )
    if not wanted:
        return ""
    try:
        architectures.fetch_weights(decisions.PUBLISHED_FOR_GPU)
    except (architectures.MissingWeights, architectures.UnfitWeights) as error:
        return str(error)
    return ""
