"""Find images whose files are faulty or whole again, and set them aside or put them back.

The only proof is the stored file, compared with the imported one by size and SHA-256. An image
whose file is whole stays in its pool, however many browsers cannot show it.
"""

import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from django.core.files.storage import default_storage

from al_engine.pools import excluded, storage
from al_engine.pools.excluded import Fault
from al_engine.pools.models import Image
from al_engine.pools.storage import FileGone, StorageAway

log = logging.getLogger(__name__)

IMAGES_A_CHECK: Final = 20
"""How many images that are set aside are checked together."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was stored; `size` in bytes."""

    key: str
    size: int
    sha256: str


def check_reported(*, campaign_id: int, known: dict[int, int]) -> list[int]:
    """Check the files of images in S that did not show, and set the faulty ones aside.

    `known` maps each image that was checked before to its newest report, a turn's id; it is
    updated. Returns the ids of the images set aside. Raises StorageAway.
    """
    reports = excluded.unshown(campaign_id=campaign_id).order_by("pk")
    newest = dict(reports.values_list("image_id", "pk"))
    for image_id in known.keys() - newest.keys():
        del known[image_id]
    due = [image_id for image_id, turn in newest.items() if known.get(image_id) != turn]
    out: list[int] = []
    for image in Image.objects.filter(pk__in=due):
        found = _faults(campaign_id, [shown_file(image)])
        if found is None:
            continue
        for fault in found:
            out += excluded.set_aside(campaign_id=campaign_id, faults={image.pk: fault}, asked=True)
        known[image.pk] = newest[image.pk]
    return out


def check_aside(*, campaign_id: int, after: int) -> int:
    """Check images that are set aside, and put back those whose files are whole again.

    Begins after the id `after` and goes on, `IMAGES_A_CHECK` at a time, as long as some are whole:
    where one file came back, others often did. Returns the id to go on after, 0 after the last
    image. Raises StorageAway.
    """
    rest = excluded.aside(campaign_id=campaign_id).order_by("pk")
    while some := list(rest.filter(pk__gt=after)[:IMAGES_A_CHECK]):
        whole = [image.pk for image in some if _faults(campaign_id, files_of(image)) == []]
        excluded.put_back(image_ids=whole)
        after = some[-1].pk
        if not whole:
            return after
    return 0


def fault_of(file: StoredFile, *, campaign_id: int) -> Fault | None:
    """The fault of a file as it is stored now; None if it is whole. Raises StorageAway."""
    try:
        size = default_storage.size(file.key)
    except OSError as error:
        failure = storage.failure_of(error, key=file.key, campaign_id=campaign_id)
        if isinstance(failure, FileGone):
            return gone(file.key)
        raise failure from error
    if size != file.size:
        return Fault("damaged", f"{file.key} has {size:,} bytes; {file.size:,} were stored.")
    try:
        data = storage.read(file.key, campaign_id=campaign_id)
    except FileGone:
        return gone(file.key)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        return Fault("damaged", f"{file.key} is not what was stored: its SHA-256 differs.")
    return None


def gone(key: str) -> Fault:
    """The fault of a missing file."""
    return Fault("gone", f"The storage has no {key}.")


def imported_file(image: Image) -> StoredFile:
    """The file as it was imported, which models see."""
    return StoredFile(image.key, image.size, image.sha256)


def shown_file(image: Image) -> StoredFile:
    """The file that people are shown: the copy, named by its SHA-256, or the imported file."""
    if image.display_key is None or image.display_size is None:
        return imported_file(image)
    return StoredFile(image.display_key, image.display_size, PurePosixPath(image.display_key).stem)


def files_of(image: Image) -> Collection[StoredFile]:
    """All files of an image."""
    return {imported_file(image), shown_file(image)}


def _faults(campaign_id: int, files: Collection[StoredFile]) -> list[Fault] | None:
    """The faults of these files; None if one cannot be read, so that nothing is known.

    Raises StorageAway if no file of the campaign can be read.
    """
    try:
        found = [fault_of(file, campaign_id=campaign_id) for file in files]
    except StorageAway as error:
        storage.require(campaign_id)
        log.warning("A file could not be looked at: %s", error)
        return None
    return [fault for fault in found if fault is not None]
