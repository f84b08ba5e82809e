"""One image on its way into the storage, with the copy that people are shown."""

import hashlib
import os
from collections.abc import Callable
from threading import Lock
from typing import Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from al_engine.pools.images import DisplayFile, KnownImage, NewImage
from annotator_site.importing.display_copies import DisplayCopy
from annotator_site.importing.entries import SourceError
from annotator_site.importing.image_files import BrokenImageError, ImageFacts

_NAME_LENGTH: Final = 500
# Two files whose pictures are the same have one copy, and may be taken in the same moment.
_storing: Final = tuple(Lock() for _ in range(64))

Inspect = Callable[[bytes], ImageFacts]
"""What says what a file is, or raises BrokenImageError: `Decoders.inspect`."""


def store_image(
    campaign_id: int,
    sha256: str,
    name: str,
    data: bytes,
    facts: ImageFacts,
    choice_id: int | None,
) -> NewImage:
    """Store a file and its copy. Raises SourceError where the storage takes another name for it."""
    key = _key(campaign_id, sha256, facts.extension)
    _store(key, data)
    return NewImage(
        sha256=sha256,
        name=stored_name(name),
        key=key,
        width=facts.width,
        height=facts.height,
        size=len(data),
        known_choice_id=choice_id,
        display=_store_copy(campaign_id, facts.copy),
    )


def stored_name(name: str) -> str:
    """A file's name as the image's row has it: the end of a very long one."""
    return name if len(name) <= _NAME_LENGTH else f"…{name[1 - _NAME_LENGTH :]}"


def mend_image(
    campaign_id: int, image: KnownImage, data: bytes, inspect: Inspect
) -> DisplayFile | None:
    """Have again what is stored of an image that the campaign has: the file and its copy.

    Of one whose files were found to be faulty all is stored anew. Returns the copy where it has
    other bytes now, as another version of the library that makes copies writes them: the image's
    row does not name it yet. Raises SourceError.
    """
    _store(image.key, data, anew=image.faulty)
    if image.display_key is None or (
        not image.faulty and _is_stored(image.display_key, image.display_size)
    ):
        return None
    try:
        display = _store_copy(campaign_id, inspect(data).copy, anew=image.faulty)
    except BrokenImageError:
        return None  # it came in under an earlier version that took it
    return None if display is None or display.key == image.display_key else display


def _store_copy(
    campaign_id: int, copy: DisplayCopy | None, *, anew: bool = False
) -> DisplayFile | None:
    if copy is None:
        return None
    key = _key(campaign_id, hashlib.sha256(copy.data).hexdigest(), copy.extension)
    _store(key, copy.data, anew=anew)
    return DisplayFile(key=key, width=copy.width, height=copy.height, size=len(copy.data))


def _key(campaign_id: int, sha256: str, extension: str) -> str:
    return f"images/{campaign_id}/{sha256[:2]}/{sha256}.{extension}"


def _is_stored(key: str, size: int | None) -> bool:
    try:
        return default_storage.size(key) == size
    except FileNotFoundError:
        return False


def _store(key: str, data: bytes, *, anew: bool = False) -> None:
    """Have the file in the storage, whole, and on disk where the storage is a local one.

    With `anew` whatever is there. Raises SourceError and, where the storage fails, OSError.
    """
    with _storing[hash(key) % len(_storing)]:
        try:
            if default_storage.size(key) == len(data) and not anew:
                return
            # What an import that was killed left behind, or what was damaged.
            default_storage.delete(key)
        except FileNotFoundError:
            pass
        stored = default_storage.save(key, ContentFile(data))
    if stored != key:
        default_storage.delete(stored)
        raise SourceError(
            f"The storage does not take {key} under that name: does something else write to it?"
        )
    try:
        path = default_storage.path(key)
    except NotImplementedError:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
