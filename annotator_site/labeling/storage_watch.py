"""Watches the files of a desk's images: whether the storage is there, and which files are faulty.

While no file can be read, no new queries are handed out, and people keep the turns that they hold.
Files are read in threads: a mount whose server is gone may not answer for minutes.
"""

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from typing import Final

from django.db import Error as DatabaseError
from django.db import connection

from al_engine.pools import faults, storage
from al_engine.pools.storage import Presence, StorageAway
from annotator_site.labeling.desk import Desk
from annotator_site.storage_threads import with_files

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
REST_SECONDS: Final = 30.0
"""How often images that are set aside are checked again, some at a time."""


async def watch_storage(desk: Desk) -> None:
    """Hold new queries back while the files of the campaign are away, forever."""
    while True:
        if desk.people.sessions:
            try:
                # The default thread pool runs these short checks alone.
                presence = await asyncio.to_thread(_look, desk.campaign.id)
                _judge(desk, presence.problem)
            except DatabaseError as error:
                log.warning("The storage was not looked at: %s", " ".join(str(error).split()))
        await asyncio.sleep(LOOK_SECONDS)


async def watch_files(desk: Desk) -> None:
    """Set images aside whose files are proven to be faulty, and put back whole ones, forever."""
    known: dict[int, int] = {}
    after = 0
    rested_since = 0.0
    while True:
        try:
            out = await with_files(
                partial(faults.check_reported, campaign_id=desk.campaign.id, known=known)
            )
            if out:
                log.warning("%d images of %s are set aside.", len(out), desk.campaign.slug)
            if time.monotonic() - rested_since >= REST_SECONDS:
                rested_since = time.monotonic()
                after = await with_files(
                    partial(faults.check_aside, campaign_id=desk.campaign.id, after=after)
                )
        except (DatabaseError, StorageAway) as error:
            log.warning("Files were not looked at: %s", " ".join(str(error).split()))
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                await desk.committed.reported.wait()
        desk.committed.reported.clear()


def _judge(desk: Desk, problem: str) -> None:
    changed = desk.storage_away != bool(problem)
    if changed and problem:
        log.error("Nothing is handed out for %s: %s", desk.campaign.slug, problem)
    elif changed:
        log.warning("The files of %s are there again.", desk.campaign.slug)
    desk.storage_away = bool(problem)
    if problem:
        # Nobody can answer: people who wait are not away, and keep the turns that they hold.
        now = time.monotonic()
        for session in desk.people.sessions.values():
            if not session.away:
                session.active_at = now
    if changed:
        desk.poke()  # people who wait are told why, or served


def _look(campaign_id: int) -> Presence:
    try:
        return storage.look(campaign_id)
    finally:
        connection.close()
