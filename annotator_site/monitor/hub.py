"""One reader for all watchers: a campaign is read once a second while a page shows it.

Campaigns are read in a separate thread, so that a slow or missing database delays no label. A
watcher that does not keep up misses states; its queue does not grow.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import orjson
from django.db import DatabaseError, connection

from annotator_site.background import background
from annotator_site.monitor.history import read_history
from annotator_site.monitor.selectors import CampaignGone, read_state, versions_after
from annotator_site.monitor.values import History, State, Version

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 3.0
"""A database that has not answered for this long is reported as unreachable."""
MAX_WAITING_VERSIONS: Final = 200


@dataclass(frozen=True, slots=True)
class Look:
    """The result of reading a campaign once; with its history if a watcher needs it."""

    state: State
    versions: list[Version]
    history: History | None


Reader = Callable[[int, int | None, bool], Look]


def look_at(campaign_id: int, since_version: int | None, with_history: bool) -> Look:
    """Read a campaign (blocking). With `since_version` None, `versions` is empty."""
    try:
        state = read_state(campaign_id)
        history = read_history(campaign_id) if with_history else None
        new = [] if since_version is None else versions_after(campaign_id, since_version)
        return Look(state=state, versions=new, history=history)
    finally:
        # Back to the pool, or closed: this thread holds no connection between two looks.
        connection.close()


class Watcher:
    """One open page, and the frames still to be sent to it."""

    def __init__(self, campaign_id: int, *, pictures: bool = True) -> None:
        self.campaign_id = campaign_id
        self.pictures = pictures
        self.needs_history = True
        self.gone = False
        self._state: bytes | None = None
        self._others: list[bytes] = []
        self._wake = asyncio.Event()

    async def take(self) -> list[bytes]:
        """Wait for frames and take them: history and versions in order, then the newest state."""
        await self._wake.wait()
        self._wake.clear()
        frames = [*self._others, *([self._state] if self._state is not None else [])]
        self._others, self._state = [], None
        return frames

    def put(self, others: list[bytes], state: bytes) -> None:
        """Add frames for the watcher; `state` replaces a state that was not taken yet."""
        self._others += others
        self._state = state
        if len(self._others) > MAX_WAITING_VERSIONS:
            # Start again with a history once the watcher keeps up.
            self._others, self.needs_history = [], True
        self._wake.set()

    def dismiss(self) -> None:
        """Tell the watcher that its campaign is gone."""
        self.gone = True
        self._wake.set()


class Hub:
    """All watchers of this process."""

    def __init__(self, read: Reader = look_at) -> None:
        self.looks = 0
        self._read = read
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="monitor")
        self._topics: dict[int, Topic] = {}

    def join(self, campaign_id: int, *, pictures: bool = True) -> Watcher:
        """Begin to watch a campaign, with or without the pictures that are being asked."""
        watcher = Watcher(campaign_id, pictures=pictures)
        topic = self._topics.get(campaign_id)
        if topic is None:
            topic = self._topics[campaign_id] = Topic(campaign_id)
            topic.task = background.start(
                f"live page of campaign {campaign_id}",
                partial(self._follow, topic),
                essential=False,
            )
        topic.watchers.add(watcher)
        topic.wake.set()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Stop watching; a campaign without watchers is not read any more."""
        topic = self._topics.get(watcher.campaign_id)
        if topic is None:
            return
        topic.watchers.discard(watcher)
        if not topic.watchers and topic.task is not None:
            topic.task.cancel()
            if topic.reading is not None:
                topic.reading.cancel()
            del self._topics[watcher.campaign_id]

    @property
    def watched(self) -> list[int]:
        """The ids of the campaigns that are read now."""
        return list(self._topics)

    async def _follow(self, topic: "Topic") -> None:
        try:
            while True:
                topic.wake.clear()
                began = time.monotonic()
                await self._tick(topic)
                rest = TICK_SECONDS - (time.monotonic() - began)
                try:
                    await asyncio.wait_for(topic.wake.wait(), timeout=max(rest, 0.01))
                except TimeoutError:
                    continue
        except CampaignGone:
            log.info("Campaign %s is gone: nobody can watch it.", topic.campaign_id)
            self._topics.pop(topic.campaign_id, None)
            for watcher in topic.watchers:
                watcher.dismiss()

    async def _tick(self, topic: "Topic") -> None:
        """Read the campaign once and tell all watchers, or tell them that the database is away.

        Raises CampaignGone. A read that takes longer than PATIENCE_SECONDS goes on in the next
        tick.
        """
        if topic.reading is None:
            with_history = any(watcher.needs_history for watcher in topic.watchers)
            self.looks += 1
            topic.reading = asyncio.get_running_loop().run_in_executor(
                self._thread, self._read, topic.campaign_id, topic.version, with_history
            )
        done, _ = await asyncio.wait({topic.reading}, timeout=PATIENCE_SECONDS)
        reading = topic.reading
        if done:
            topic.reading = None
        try:
            look = reading.result() if done else None
        except (DatabaseError, OSError) as error:
            if topic.unreachable_since is None:
                log.warning("The live page cannot read: %s", " ".join(str(error).split()))
            look = None
        except CampaignGone:
            raise
        except Exception:
            # Mark the last state as old while this task is started again.
            topic.tell(None)
            raise
        topic.tell(look)


class Topic:
    """A watched campaign: its watchers, its task and its latest state."""

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        self.watchers: set[Watcher] = set()
        self.wake = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.reading: asyncio.Future[Look] | None = None
        self.version: int | None = None
        self.unreachable_since: float | None = None
        self._state: State | None = None

    def tell(self, look: Look | None) -> None:
        """Send the results of a look to all watchers; None: the database could not be read."""
        others: list[bytes] = []
        history: bytes | None = None
        if look is None:
            self.unreachable_since = self.unreachable_since or time.time()
        else:
            self.unreachable_since = None
            self._state = look.state
            others = [_frame("version", version=version) for version in look.versions]
            if look.versions:
                self.version = look.versions[-1].version
            if look.history is not None:
                history = _frame("history", protocol=1, history=look.history)
                self.version = max(self.version or 0, look.history.versions_published)
        states = {
            pictures: self._state_frame(pictures=pictures)
            for pictures in {watcher.pictures for watcher in self.watchers}
        }
        for watcher in self.watchers:
            state = states[watcher.pictures]
            if watcher.needs_history and history is not None:
                watcher.needs_history = False
                watcher.put([history], state)
            elif not watcher.needs_history or look is None:
                watcher.put(others, state)

    def _state_frame(self, *, pictures: bool) -> bytes:
        state = self._state
        if state is not None and not pictures:
            state = replace(state, asking=[each.without_picture() for each in state.asking])
        return _frame(
            "state",
            sent_at=time.time(),
            unreachable_since=self.unreachable_since,
            state=state,
        )


def _frame(kind: str, **content: Any) -> bytes:
    return orjson.dumps({"type": kind, **content})
