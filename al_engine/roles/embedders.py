"""The process that embeds the images of all campaigns of a machine, each backbone loaded once.

It repeats these steps until it is told to end:

1. Find the campaigns with a frozen backbone. Where `auto` is not decided yet, it decides, since
   servers and workers of a campaign without people rest.
2. Embed a block of each campaign that people are at, or else a block of each.
3. If nothing is missing anywhere, wait for images, 2 s at most.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch

from al_engine.decisions.architecture import backbone_of, is_published
from al_engine.pools import presence, processes
from al_engine.pools.models import Campaign
from al_engine.pools.processes import Part
from al_engine.pools.signals import Listener, listening
from al_engine.roles.campaign_files import ASK_AGAIN_SECONDS
from al_engine.roles.choosing import settle
from al_engine.roles.embedder import Embedder
from al_engine.roles.life import Ending, Heartbeat
from al_engine.training import devices

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0

Key = tuple[int, str, int]
"""A campaign's id, a backbone and the image size: another embedder for each."""


class Embedders:
    """An embedder for each frozen backbone of each campaign, in one process."""

    def __init__(
        self, campaigns: Callable[[], Sequence[Campaign]], device: torch.device, ending: Ending
    ) -> None:
        """`campaigns` reads those to look after."""
        self._campaigns = campaigns
        self._device = device
        self._ending = ending
        self._embedders: dict[Key, Embedder] = {}
        # When a backbone that could not be had is asked for again (time.monotonic, seconds).
        self._ask_again_at: dict[Key, float] = {}
        self._registered: dict[Key, Part] = {}
        self._found_at = float("-inf")
        # Of all embedders; a heartbeat reads it.
        self.parts: list[Part] = []

    def step(self, listener: Listener) -> None:
        """Steps 1 to 3, once."""
        if time.monotonic() - self._found_at >= POLL_SECONDS:
            self.find()
            self._found_at = time.monotonic()
        if not self.embed():
            listener.wait("pool", "campaign", seconds=POLL_SECONDS)
            self._found_at = float("-inf")

    def embed(self) -> bool:
        """Embed a block of each campaign that people are at, or else of each; whether any was."""
        present = presence.campaigns_with_people()
        everybody = list(self._embedders.values())
        served = [each for each in everybody if each.campaign.pk in present]
        others = [each for each in everybody if each.campaign.pk not in present]
        return self._take_turns(served) or self._take_turns(others)

    def _take_turns(self, embedders: Sequence[Embedder]) -> bool:
        worked = False
        for embedder in embedders:
            self._ending.check()
            worked |= embedder.step()
        return worked

    def find(self) -> None:
        """Begin with new campaigns and architectures, and leave those that are gone."""
        wanted = {key: campaign for campaign in self._campaigns() for key in self._keys(campaign)}
        for key in self._registered.keys() - wanted.keys():
            self._leave(key)
        for key, campaign in wanted.items():
            if key in self._embedders or time.monotonic() < self._ask_again_at.get(key, 0.0):
                continue
            self._begin(key, campaign)

    def _keys(self, campaign: Campaign) -> Iterator[Key]:
        if not settle(campaign, self._device):
            return
        named = [*campaign.model_architectures, campaign.delivery_architecture]
        # Heads on the same backbone share its embeddings.
        for backbone in {backbone_of(each) for each in named if is_published(each)}:
            yield campaign.pk, backbone, campaign.model_image_size

    def _begin(self, key: Key, campaign: Campaign) -> None:
        """Take an embedder up; if its backbone cannot be had now, that is reported."""
        if key not in self._registered:
            part = processes.register(
                campaign_id=campaign.pk, role="embedder", name="embedder-1", strategy=key[1]
            )
            self._registered[key] = part
            self.parts.append(part)
            processes.report(process_id=part.id, device=devices.describe(self._device))
        part = self._registered[key]
        try:
            self._embedders[key] = Embedder(campaign, part, self._device, self._ending)
        except ValueError as error:  # no such network, no weights, or weights that do not fit
            log.warning("%s", error)
            processes.report(process_id=part.id, state="waiting for the backbone", error=str(error))
            self._ask_again_at[key] = time.monotonic() + ASK_AGAIN_SECONDS

    def _leave(self, key: Key) -> None:
        part = self._registered.pop(key)
        self._embedders.pop(key, None)
        self._ask_again_at.pop(key, None)
        self.parts.remove(part)
        processes.retire(parts=[part])


def embed(*, campaigns: Callable[[], Sequence[Campaign]], device_name: str, ending: Ending) -> None:
    """Embed the images of these campaigns until the process is told to end."""
    embedders = Embedders(campaigns, devices.resolve(device_name), ending)
    with Heartbeat(embedders.parts), listening(None) as listener:
        ending.repeat(lambda: embedders.step(listener))
