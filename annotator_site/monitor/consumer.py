"""One person's connection to the live page: who may watch, and how fast they are told.

Server to client: `history` first, then `state` about once a second and `version` for each new
model. The client answers each `state` with `{"type": "seen"}`; without that answer it is sent no
more than two, so that nobody's slow network fills this process's memory.
"""

import asyncio
import logging
import time
from contextlib import suppress
from enum import IntEnum
from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable
from django.db import DatabaseError

from al_engine.pools.models import Campaign
from annotator_site.accounts.models import User
from annotator_site.monitor.hub import Hub, Watcher
from annotator_site.off_loop import off_loop

log = logging.getLogger(__name__)

UNSEEN_STATES: Final = 2
SILENCE_SECONDS: Final = 60.0
"""A page that has not answered for so long is not there any more."""
PERMISSION_SECONDS: Final = 60.0
"""So often it is asked again whether the person may watch."""

hub = Hub()


class CloseCode(IntEnum):
    """Why a connection is refused or ended."""

    NOT_LOGGED_IN = 4401
    NOT_ALLOWED = 4403
    NO_SUCH_CAMPAIGN = 4404
    SILENT = 4408
    TRY_LATER = 4503


class Credit:
    """How many states the page has not answered yet."""

    def __init__(self) -> None:
        self.unseen = 0
        self._answered = asyncio.Event()

    def seen(self) -> None:
        """The page drew what it was sent."""
        self.unseen = 0
        self._answered.set()

    async def wait(self) -> bool:
        """Wait until there is room for another state; false after a long silence."""
        while self.unseen >= UNSEEN_STATES:
            self._answered.clear()
            try:
                await asyncio.wait_for(self._answered.wait(), timeout=SILENCE_SECONDS)
            except TimeoutError:
                return False
        return True


async def monitor(scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
    """Serve `ws/campaigns/<slug>/monitor/` until the connection ends."""
    await receive()  # websocket.connect
    # A refusal is a close code, which a browser sees only on an accepted connection.
    await send({"type": "websocket.accept"})
    slug = scope["url_route"]["kwargs"]["slug"]
    user = scope.get("user")
    try:
        campaign_id, refusal = await _admit(user.pk if user is not None else None, slug)
    except DatabaseError:
        campaign_id, refusal = None, CloseCode.TRY_LATER
    if campaign_id is None:
        await send({"type": "websocket.close", "code": int(refusal)})
        return
    watcher, credit = hub.join(campaign_id), Credit()
    pushing = asyncio.create_task(_push_or_close(watcher, credit, send, user.pk))
    try:
        while (await receive())["type"] == "websocket.receive":
            credit.seen()
    finally:
        hub.leave(watcher)
        pushing.cancel()
        # Its end is of no interest: the page is gone.
        await asyncio.gather(pushing, return_exceptions=True)


async def _push_or_close(watcher: Watcher, credit: Credit, send: Any, user_id: int) -> None:
    """Push for as long as the page is there; a page that cannot be served comes again."""
    try:
        await _push(watcher, credit, send, user_id)
    except Exception as error:
        log.warning("A live page is not served any more: %s: %s", type(error).__name__, error)
        with suppress(Exception):  # it may have gone by itself
            await send({"type": "websocket.close", "code": int(CloseCode.TRY_LATER)})


async def _push(watcher: Watcher, credit: Credit, send: Any, user_id: int) -> None:
    """Send the news as they come and as the page takes them."""
    asked = time.monotonic()
    while True:
        if not await credit.wait():
            await send({"type": "websocket.close", "code": int(CloseCode.SILENT)})
            return
        frames = await watcher.take()
        if watcher.gone:
            await send({"type": "websocket.close", "code": int(CloseCode.NO_SUCH_CAMPAIGN)})
            return
        if time.monotonic() - asked > PERMISSION_SECONDS:
            asked = time.monotonic()
            if not await _still_allowed(user_id):
                await send({"type": "websocket.close", "code": int(CloseCode.NOT_ALLOWED)})
                return
        credit.unseen += 1
        for frame in frames:
            await send({"type": "websocket.send", "text": frame.decode()})


@off_loop
def _admit(user_id: int | None, slug: str) -> tuple[int | None, CloseCode]:
    """The campaign that this person may watch, or why not."""
    if user_id is None:
        return None, CloseCode.NOT_LOGGED_IN
    if not _is_allowed(user_id):
        return None, CloseCode.NOT_ALLOWED
    campaign_id = Campaign.objects.filter(slug=slug).values_list("pk", flat=True).first()
    return campaign_id, CloseCode.NO_SUCH_CAMPAIGN


async def _still_allowed(user_id: int) -> bool:
    try:
        return await off_loop(_is_allowed)(user_id)
    except DatabaseError:
        # Whoever watches now is told that the database is away, and asked about later.
        return True


def _is_allowed(user_id: int) -> bool:
    """Whether this person may see campaigns in the admin, as things are now."""
    user = User.objects.filter(pk=user_id, is_active=True, is_staff=True).first()
    if user is None:
        return False
    return user.has_perm("pools.view_campaign") or user.has_perm("pools.change_campaign")
