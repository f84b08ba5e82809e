"""Read and store the files of images and models, and tell what a failure means.

Only a missing file is a finding about that file. Every other failure (no descriptor, no permission,
an I/O error, a full disk, an absent mount or endpoint) is the machine's and says nothing about any
file; the caller waits and tries again. Without its mount every file seems missing, so a missing
file counts as gone only while other files of its campaign are there.

The functions block; a web process calls them in threads. Each process keeps its own findings.
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
"""A storage counts as away if it does not say within this time whether it has a file."""
_FRESH_SECONDS: Final = 3.0
_WITNESS_FILES: Final = 8
"""How many files of a campaign are looked for before all of them count as away."""


class StorageAway(OSError):
    """The storage cannot be used now; the message says why. Try again later."""


class FileGone(FileNotFoundError):
    """The storage can be used, but it has no such file."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether the files of a campaign can be read now; if not, `problem` says why, for people."""

    problem: str = ""

    @property
    def there(self) -> bool:
        """Whether the files can be read."""
        return not self.problem


def read(key: str, *, campaign_id: int) -> bytes:
    """Read a whole file. Raises FileGone or StorageAway."""
    try:
        return _read(key)
    except OSError as error:
        raise failure_of(error, key=key, campaign_id=campaign_id) from error


def save(key: str, data: bytes, *, campaign_id: int) -> str:
    """Store a file under this name, or a free one if it is taken; return the name.

    The storage is checked first, so that nothing is written into the empty folder of a lost mount.
    Raises StorageAway.
    """
    require(campaign_id)
    try:
        return str(default_storage.save(key, ContentFile(data)))
    except OSError as error:
        raise StorageAway(_words(error)) from error


def require(campaign_id: int) -> None:
    """Raise StorageAway unless the files of a campaign are there."""
    if problem := look(campaign_id).problem:
        raise StorageAway(problem)


def failure_of(error: OSError, *, key: str, campaign_id: int | None) -> FileGone | StorageAway:
    """Tell what a failed read means: FileGone if the file is missing, else StorageAway.

    FileGone needs proof: other files of the campaign are there, both before and after a second try
    to read this one. Without a campaign there is no proof.
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
    """Check that files of a campaign are there, within about PATIENCE_SECONDS.

    Tries the file that was found last time, then some drawn from all files of the campaign. A
    campaign without images misses none. Raises django.db.Error.
    """
    return _lookout.look(campaign_id)


def glance(campaign_id: int) -> Presence:
    """The last result of `look` if it is at most _FRESH_SECONDS old, else a new one."""
    return _lookout.lately(campaign_id) or look(campaign_id)


def known_away(campaign_id: int) -> bool:
    """Whether a fresh result says that the files of a campaign are away; never looks itself."""
    presence = _lookout.lately(campaign_id)
    return presence is not None and not presence.there


class _Lookout:
    """What this process has found out about the storage, by campaign id."""

    def __init__(self) -> None:
        # The file of each campaign that was found at the last look.
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
        """Whether one of these files is there; asked in a thread, as a dead mount never answers."""
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
    """Some files of a campaign, drawn at random, if possible without those known to be gone."""
    rows = Image.objects.filter(campaign_id=campaign_id)
    last = rows.aggregate(last=Max("position"))["last"]
    if last is None:
        return []
    drawn = random.sample(range(last + 1), min(_WITNESS_FILES, last + 1))
    there = rows.exclude(excluded_for=Image.ExcludedFor.GONE)
    keys = there.filter(position__in=drawn).values_list("key", flat=True)
    return list(keys) or list(rows.values_list("key", flat=True)[:_WITNESS_FILES])


def _find(keys: Sequence[str]) -> tuple[str, str]:
    """The first of these files that is there, or else a problem for people."""
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
    """Whether an error means that there is no such file; so does a folder in its place."""
    return isinstance(error, (FileNotFoundError, IsADirectoryError))


def _words(error: OSError) -> str:
    return f"The storage cannot be used: {error.strerror or error}."
