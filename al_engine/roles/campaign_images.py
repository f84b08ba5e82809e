"""A campaign's images as tensors: out of the shared cache, filled on the way."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.core.files.storage import default_storage
from torch import Tensor

from al_engine.pools import unlabeled
from al_engine.pools.models import Campaign, Image
from al_engine.training.image_cache import ImageCache

log = logging.getLogger(__name__)

ASK_AGAIN_SECONDS: Final = 60.0

Positions = npt.NDArray[np.int64]


class OutOfTime(Exception):
    """The time for filling the cache is over; what was filled stays."""


class CampaignImages:
    """Images by position, decoded once per machine to the size that the models see."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign_id = campaign.pk
        folder = Path(settings.VAR) / "cache" / f"{campaign.pk}-{campaign.image_size}"
        self.cache = ImageCache(folder, image_size=campaign.image_size)
        # Files that cannot be read for now, and when they may be asked for again.
        self._gone: dict[int, float] = {}

    def available(
        self,
        positions: Positions,
        *,
        seconds: float | None = None,
        tell: Callable[[int], None] | None = None,
    ) -> Positions:
        """Fill the cache for `positions` and return those that it has, in their order.

        With `seconds`, filling stops after about so long. Images that cannot be decoded are
        excluded from the pools, and the admin shows why.
        """
        if not positions.size:
            return positions
        self.cache.grow(int(positions.max()) + 1)
        now = time.monotonic()
        missing = [
            int(p) for p in self.cache.missing(positions) if self._gone.get(int(p), 0.0) <= now
        ]
        reasons: dict[int, str] = self._fill(missing, seconds, tell) if missing else {}
        filled = self.cache.is_filled(positions)
        absent = set(self.cache.missing(positions[~filled]).tolist())
        # Also those that a process found to be broken before it died.
        bad = {
            position: reasons.get(position, "This file cannot be decoded as an image.")
            for position in positions[~filled].tolist()
            if position not in absent
        }
        if bad:
            # Those in S and L stay there: what people said of them is theirs.
            excluded = unlabeled.exclude(campaign_id=self.campaign_id, problems=bad)
            if excluded:
                log.warning("%d images cannot be decoded and are excluded.", excluded)
        return positions[filled]

    def rows(self, positions: Positions) -> Tensor:
        """The images of filled positions: uint8 (n, 3, S, S)."""
        return self.cache.rows(positions)

    def _fill(
        self, missing: list[int], seconds: float | None, tell: Callable[[int], None] | None
    ) -> dict[int, str]:
        """Fill these rows; return what is wrong with those that are unusable."""
        keys = dict(
            Image.objects.filter(campaign_id=self.campaign_id, position__in=missing).values_list(
                "position", "key"
            )
        )
        ends = None if seconds is None else time.monotonic() + seconds

        def read(position: int) -> bytes:
            try:
                with default_storage.open(keys[position], "rb") as file:
                    data: bytes = file.read()
                    return data
            except FileNotFoundError:
                raise
            except OSError as error:
                # One file that cannot be read must not stop the work with all the others.
                log.warning("%s cannot be read: %s", keys[position], error)
                raise FileNotFoundError(keys[position]) from error

        def progress(filled: int) -> None:
            if tell is not None:
                tell(filled)
            if ends is not None and time.monotonic() > ends:
                raise OutOfTime

        try:
            report = self.cache.fill([p for p in missing if p in keys], read, progress=progress)
        except OutOfTime:
            return {}
        again = time.monotonic() + ASK_AGAIN_SECONDS
        self._gone |= dict.fromkeys(self.cache.missing(np.array(missing)).tolist(), again)
        return dict(report.broken)
