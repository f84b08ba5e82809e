"""Storing one image's file and the copy that people are shown."""

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
# Two files with the same pixels have one copy, which two threads may store at the same moment.
_storing: Final = tuple(Lock() for _ in range(64))

Inspect = Callable[[bytes], ImageFacts]
"""Returns the facts about a file or raises BrokenImageError, as `Decoders.inspect` does."""


def store_image(
    campaign_id: int,
    sha256: str,
    name: str,
    data: bytes,
    facts: ImageFacts,
    choice_id: int | None,
) -> NewImage:
    """Store a file and its copy. Raises SourceError if the storage changes the file's name."""
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
    """A file's name as the image's row holds it: of a very long name only the end."""
    return name if len(name) <= _NAME_LENGTH else f"…{name[1 - _NAME_LENGTH :]}"


def mend_image(
    campaign_id: int, image: KnownImage, data: bytes, inspect: Inspect
) -> DisplayFile | None:
    """Store the file and the copy of a known image again where they are missing or cut short.

    If the image is marked as faulty, both are stored anew. Returns the copy if its bytes differ
    from the earlier copy's (another version of the encoder made it): the image's row does not
    name the new copy yet. Raises SourceError.
    """
    _store(image.key, data, anew=image.faulty)
    if image.display_key is None or (
        not image.faulty and _is_stored(image.display_key, image.display_size)
    ):
        return None
    try:
        display = _store_copy(campaign_id, inspect(data).copy, anew=image.faulty)
    except BrokenImageError:
        return None  # an earlier version of this program accepted the file
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
    """Store a file whole, and flush it to disk if the storage is local.

    Does not write if a file of the same size is there, unless `anew`. Raises SourceError and, if
    the storage fails, OSError.
    """
    with _storing[hash(key) % len(_storing)]:
        try:
            if default_storage.size(key) == len(data) and not anew:
                return
            # Left behind by an import that was killed, or damaged.
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
