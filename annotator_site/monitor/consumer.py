"""One WebSocket connection of the live page: who may watch, and how fast states are sent.

Server to client: `history` first, then `state` about once a second and `version` for each new
model. The client answers each `state` with `{"type": "seen"}`; at most UNSEEN_STATES go without
an answer, so that a slow network does not fill this process's memory.
"""

import asyncio
import logging
from dataclasses import replace
from enum import IntEnum
from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable

from al_engine.pools.models import Campaign
from annotator_site.accounts.entrance import let_in, looking_up
from annotator_site.accounts.guard import Pass, guard, pass_of
from annotator_site.monitor.hub import Hub, Watcher
from annotator_site.network.refusals import CLOSE_CODES, RefusedError
from annotator_site.off_loop import off_loop

log = logging.getLogger(__name__)

UNSEEN_STATES: Final = 2
SILENCE_SECONDS: Final = 60.0
"""A page that has not answered for this long is gone."""

hub = Hub()


class CloseCode(IntEnum):
    """Why the server ends a connection."""

    NO_SUCH_CAMPAIGN = 4404
    SILENT = 4408
    TRY_LATER = 4503


class Credit:
    """The number of states that the page has not answered yet."""

    def __init__(self) -> None:
        self.unseen = 0
        self._answered = asyncio.Event()

    def seen(self) -> None:
        """Note that the page drew all states sent so far."""
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
    """Serve `ws/campaigns/<slug>/monitor/` until the connection ends.

    Raises RefusedError before the connection is accepted.
    """
    with looking_up():
        held = await _admit(scope)
    let_in(scope)
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    code = await _serve(held, receive, send)
    if code is not None:
        await send({"type": "websocket.close", "code": int(code)})


async def _admit(scope: Any) -> Pass:
    """The pass that lets this person watch, with pictures if they may see images.

    Raises RefusedError.
    """
    name = scope["user"].get_username()
    campaign_id = await _campaign(scope["url_route"]["kwargs"]["slug"])
    held = pass_of(scope, campaign_id=campaign_id)
    if (refused := await guard.refusal(held)) is not None:
        words = f"{name} may not watch this campaign, or has to log in once more."
        raise RefusedError(refused - CLOSE_CODES, words, name=name)
    if campaign_id is None:
        raise RefusedError(404, "There is no such campaign.", name=name)
    with_pictures = replace(held, pictures=True)
    may_see_pictures = await guard.refusal(with_pictures) is None
    return with_pictures if may_see_pictures else held


async def _serve(held: Pass, receive: ASGIReceiveCallable, send: Any) -> int | None:
    """Push until the page leaves (returns None) or the server ends it (returns a close code)."""
    assert held.campaign_id is not None  # noqa: S101 - see `_admit`
    watcher, credit = hub.join(held.campaign_id, pictures=held.pictures), Credit()
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    tasks: list[asyncio.Future[Any]] = [
        asyncio.create_task(_listen(receive, credit)),
        asyncio.create_task(_push(watcher, credit, send)),
    ]
    try:
        with guard.watching(held, ended.set_result):
            await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(watcher)
        for task in tasks:
            task.cancel()
    came = await asyncio.gather(*tasks, return_exceptions=True)
    if ended.done():
        return ended.result()
    for each in came:
        if isinstance(each, Exception):
            # The page reconnects by itself.
            log.warning("A live page is not served any more: %s: %s", type(each).__name__, each)
            return CloseCode.TRY_LATER
    return next((each for each in came if isinstance(each, int)), None)


async def _listen(receive: ASGIReceiveCallable, credit: Credit) -> None:
    """Note the page's answers until it leaves."""
    while (await receive())["type"] == "websocket.receive":
        credit.seen()


async def _push(watcher: Watcher, credit: Credit, send: Any) -> int:
    """Send frames as they come and as the page answers them; returns the close code."""
    while await credit.wait():
        frames = await watcher.take()
        if watcher.gone:
            return CloseCode.NO_SUCH_CAMPAIGN
        credit.unseen += 1
        for frame in frames:
            await send({"type": "websocket.send", "text": frame.decode()})
    return CloseCode.SILENT


@off_loop
def _campaign(slug: str) -> int | None:
    return Campaign.objects.filter(slug=slug).values_list("pk", flat=True).first()
