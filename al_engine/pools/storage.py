"""The files of images and models: what it means when one cannot be read or written.

That a file is truly not there is a finding about this file. Every other failure (no descriptor, no
permission, an I/O error, a full disk, a mount or an endpoint that is away) is the machine's: it
says nothing about any file, and whoever meets it waits and tries again. Where a mount is lost, no
file seems to be there: so one that is missing counts as gone only while others of its campaign are
there.

All of this blocks; a web process calls it in threads. Each process judges for itself.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Max

from al_engine.pools.models import Image

PATIENCE_SECONDS: Final = 5.0
"""A storage that has not said for so long whether it has a file is away."""
_FRESH_SECONDS: Final = 3.0
_WITNESS_FILES: Final = 8
"""Files of a campaign that are asked for before all of them count as away."""


class StorageAway(OSError):
    """A failure of the machine; the message says which. Try again later."""


class FileGone(FileNotFoundError):
    """The storage is there, and this file is not in it."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether the files of a campaign can be read at all now, and why not, for people."""

    problem: str = ""

    @property
    def there(self) -> bool:
        """Whether they can."""
        return not self.problem


def read(key: str, *, campaign_id: int) -> bytes:
    """A whole file. Raises FileGone or StorageAway."""
    try:
        return _read(key)
    except OSError as error:
        raise failure_of(error, key=key, campaign_id=campaign_id) from error


def save(key: str, data: bytes, *, campaign_id: int) -> str:
    """Store a file whole, under this name or another that is free; the name. Raises StorageAway.

    Never into the empty folder that a lost mount leaves.
    """
    require(campaign_id)
    try:
        return str(default_storage.save(key, ContentFile(data)))
    except OSError as error:
        raise StorageAway(_words(error)) from error


def require(campaign_id: int) -> None:
    """Return if the files of a campaign are there. Raises StorageAway."""
    if problem := look(campaign_id).problem:
        raise StorageAway(problem)


def failure_of(error: OSError, *, key: str, campaign_id: int | None) -> FileGone | StorageAway:
    """What a failed reading of a file means: that it is gone, or nothing about it.

    Gone is proven: others of its campaign are there, before and after it was asked for once more.
    Without a campaign nothing can be.
    """
    if not _says_missing(error) or campaign_id is None:
        return StorageAway(_words(error))
    if problem := look(campaign_id).problem:
        return StorageAway(problem)
    try:
        _read(key)
    except OSError as again:
        if not _says_missing(again):
            return StorageAway(_words(again))
        if problem := look(campaign_id).problem:
            return StorageAway(problem)
        return FileGone(f"The storage has no {key}.")
    return StorageAway(f"{key} was away for a moment.")


def look(campaign_id: int) -> Presence:
    """Look for files of a campaign, for at most about PATIENCE_SECONDS.

    One that was there the last time is enough; else some are drawn from all that the campaign
    has. A campaign without images misses none. Raises django.db.Error.
    """
    return _lookout.look(campaign_id)


def glance(campaign_id: int) -> Presence:
    """What was seen of a campaign's files a moment ago; looks where that is too long ago."""
    return _lookout.lately(campaign_id) or look(campaign_id)


def known_away(campaign_id: int) -> bool:
    """Whether the files of a campaign were away a moment ago, without looking."""
    presence = _lookout.lately(campaign_id)
    return presence is not None and not presence.there


class _Lookout:
    """What this process knows of the storage."""

    def __init__(self) -> None:
        # A file of each campaign that was there when it was last looked for.
        self._witness: dict[int, str] = {}
        self._judged: dict[int, tuple[Presence, float]] = {}
        self._silent: Thread | None = None

    def look(self, campaign_id: int) -> Presence:
        witness = self._witness.get(campaign_id)
        presence = self._ask(campaign_id, [witness]) if witness else None
        if presence is None or not presence.there:
            some = _some_files(campaign_id)
            presence = self._ask(campaign_id, some) if some else Presence()
        self._judged[campaign_id] = presence, time.monotonic()
        return presence

    def lately(self, campaign_id: int) -> Presence | None:
        presence, at = self._judged.get(campaign_id, (None, 0.0))
        return presence if time.monotonic() - at < _FRESH_SECONDS else None

    def _ask(self, campaign_id: int, keys: Sequence[str]) -> Presence:
        """Whether one of these files is there, asked in a thread: a dead mount never answers."""
        if self._silent is not None and self._silent.is_alive():
            return Presence("The storage does not answer.")
        answer: SimpleQueue[tuple[str, str]] = SimpleQueue()
        thread = Thread(target=lambda: answer.put(_find(keys)), name="storage", daemon=True)
        thread.start()
        try:
            found, problem = answer.get(timeout=PATIENCE_SECONDS)
        except Empty:
            self._silent = thread
            return Presence(f"The storage has not answered for {PATIENCE_SECONDS:g} s.")
        if found:
            self._witness[campaign_id] = found
        return Presence(problem)


_lookout: Final = _Lookout()


def _some_files(campaign_id: int) -> list[str]:
    """Some of a campaign's files, drawn from all; first of those that are not known to be gone."""
    rows = Image.objects.filter(campaign_id=campaign_id)
    last = rows.aggregate(last=Max("position"))["last"]
    if last is None:
        return []
    drawn = random.sample(range(last + 1), min(_WITNESS_FILES, last + 1))
    there = rows.exclude(excluded_for=Image.ExcludedFor.GONE)
    keys = there.filter(position__in=drawn).values_list("key", flat=True)
    return list(keys) or list(rows.values_list("key", flat=True)[:_WITNESS_FILES])


def _find(keys: Sequence[str]) -> tuple[str, str]:
    """The first of these files that is there, or else what is wrong."""
    problem = "Of the files that were looked for none is there."
    for key in keys:
        try:
            default_storage.size(key)
        except OSError as error:
            if not _says_missing(error):
                problem = _words(error)
        else:
            return key, ""
    return "", problem


def _read(key: str) -> bytes:
    with default_storage.open(key, "rb") as file:
        data: bytes = file.read()
        return data


def _says_missing(error: OSError) -> bool:
    """Whether a failure says that there is no such file; a folder in its place says so, too."""
    return isinstance(error, (FileNotFoundError, IsADirectoryError))


def _words(error: OSError) -> str:
    return f"The storage cannot be used: {error.strerror or error}."
