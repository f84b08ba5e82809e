"""Reading a campaign's files into rows by position, whatever the rows are made of.

If a file is proven to be missing or damaged, its image is set aside. A storage that is away says
nothing about any image, so callers wait for it; nor does a full disk on this machine.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from django.core.files.storage import default_storage

from al_engine.pools import excluded, faults, storage
from al_engine.pools.excluded import Fault
from al_engine.pools.models import Image
from al_engine.pools.storage import FileGone, StorageAway
from al_engine.training.disk import DiskFull
from al_engine.training.filled_rows import FillReport

log = logging.getLogger(__name__)

ASK_AGAIN_SECONDS: Final = 60.0
"""Time until an unreadable file is tried again."""
ASK_STORAGE_AGAIN_SECONDS: Final = 2.0
_FILES_JUDGED_AT_ONCE: Final = 200
"""Unreadable files that one call examines; later calls examine the rest."""

Positions = npt.NDArray[np.int64]


class OutOfTime(Exception):
    """The time for filling is over; filled rows stay."""


class Rows(Protocol):
    """What a campaign's files are read into: `ImageCache`, or the embeddings of a backbone."""

    def fill(
        self,
        positions: Iterable[int],
        read: Callable[[int], bytes],
        *,
        progress: Callable[[int], None],
    ) -> FillReport: ...
    def forget(self, positions: npt.ArrayLike) -> None: ...
    def is_filled(self, positions: npt.ArrayLike) -> npt.NDArray[np.bool_]: ...
    def missing(self, positions: npt.ArrayLike) -> npt.NDArray[np.int64]: ...


class CampaignFiles:
    """A campaign's files by position, each read once per machine into a row of `rows`."""

    def __init__(self, campaign_id: int, rows: Rows) -> None:
        self.campaign_id = campaign_id
        self._rows = rows
        # By position: when an unreadable file may be tried again (time.monotonic, seconds).
        self._later: dict[int, float] = {}

    def available(
        self,
        positions: Positions,
        *,
        seconds: float | None = None,
        tell: Callable[[int], None] | None = None,
    ) -> Positions:
        """Fill the rows at `positions` and return the filled positions, in the given order.

        With `seconds`, filling stops after about that time. Without, raises StorageAway if the
        storage goes away, or this machine's disk is full, before all positions are filled. Images
        with faulty files are set aside, and the admin shows why.
        """
        if due := self.due(positions).tolist():
            try:
                self._fill(due, seconds, tell)
            except StorageAway as error:
                self._ask_later(due, ASK_STORAGE_AGAIN_SECONDS)
                if seconds is None:
                    raise
                log.warning("Images are not read for now: %s", error)
        return positions[self._rows.is_filled(positions)]

    def due(self, positions: Positions) -> Positions:
        """Those of these positions that are not filled and may be read now, in the given order."""
        absent = positions[~self._rows.is_filled(positions)]
        if not self._later:
            return absent
        now = time.monotonic()
        mask = [self._later.get(place, 0.0) <= now for place in absent.tolist()]
        return absent[np.array(mask, dtype=np.bool_)]

    def _fill(
        self, wanted: list[int], seconds: float | None, tell: Callable[[int], None] | None
    ) -> None:
        """Fill these rows and examine those that cannot be filled. Raises StorageAway."""
        images = {
            image.position: image
            for image in Image.objects.filter(
                campaign_id=self.campaign_id, position__in=wanted
            ).only("position", "key", "size", "sha256")
        }
        ends = None if seconds is None else time.monotonic() + seconds
        unread: dict[int, OSError] = {}

        def read(position: int) -> bytes:
            try:
                with default_storage.open(images[position].key, "rb") as file:
                    data: bytes = file.read()
                    return data
            except OSError as error:
                # The row stays empty; one unreadable file must not stop the filling of others.
                unread[position] = error
                raise FileNotFoundError from error

        def progress(filled: int) -> None:
            if tell is not None:
                tell(filled)
            if unread:
                storage.require(self.campaign_id)
            if ends is not None and time.monotonic() > ends:
                raise OutOfTime

        # A file that could not be decoded before may have been repaired.
        self._rows.forget(list(images))
        why: dict[int, str] = {}
        try:
            with suppress(OutOfTime):
                why |= self._rows.fill(images, read, progress=progress).broken
        except DiskFull as error:
            raise StorageAway(str(error)) from error
        self._look_into(images, unread, why)

    def _look_into(
        self, images: dict[int, Image], unread: dict[int, OSError], why: dict[int, str]
    ) -> None:
        """Set aside images with proven faults; schedule another try for all unreadable files.

        `why`: by position, the reason why a file could not be decoded, in words.
        """
        absent = np.array([*images], dtype=np.int64)
        absent = absent[~self._rows.is_filled(absent)]
        missing = set(self._rows.missing(absent).tolist())
        undecoded = [
            place
            for place in absent.tolist()
            if place not in unread and (place in why or place not in missing)
        ]
        self._ask_later([*unread, *undecoded], ASK_AGAIN_SECONDS)
        found: dict[int, Fault] = {}
        for place, error in islice(unread.items(), _FILES_JUDGED_AT_ONCE):
            image = images[place]
            failure = storage.failure_of(error, key=image.key, campaign_id=self.campaign_id)
            if isinstance(failure, FileGone):
                found[image.pk] = faults.gone(image.key)
            else:
                log.warning("%s is not read for now: %s", image.key, failure)
        for place in undecoded[:_FILES_JUDGED_AT_ONCE]:
            image = images[place]
            try:
                fault = faults.fault_of(faults.imported_file(image), campaign_id=self.campaign_id)
            except StorageAway as error:
                log.warning("%s is not looked at for now: %s", image.key, error)
                continue
            if fault is not None:
                found[image.pk] = fault
            elif place not in missing:
                words = why.get(place, "it is no picture that can be used")
                found[image.pk] = Fault("undecodable", f"The file cannot be decoded: {words}.")
        if found:
            # Images in S and L stay there: people are labeling them, or have.
            out = excluded.set_aside(campaign_id=self.campaign_id, faults=found, asked=False)
            if out:
                log.warning("%d images are set aside: their files are faulty.", len(out))

    def _ask_later(self, places: list[int], seconds: float) -> None:
        self._later |= dict.fromkeys(places, time.monotonic() + seconds)
