"""One person's connection: log-in, limits, frames in, frames out. Everything else is the desk's.

A plain ASGI callable: Channels' consumers close old database connections in a thread before
every message, which costs a third of an echo's time.
"""

import logging
import time
from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable
from psycopg import AsyncConnection

from al_engine.pools import labeled
from al_engine.pools.labeled import Progress
from al_engine.pools.models import Annotator
from annotator_site.labeling import protocol
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.desks import Desks
from annotator_site.labeling.protocol import BadMessage, CloseCode
from annotator_site.labeling.session import Session
from annotator_site.off_loop import off_loop

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 5
"""Connections of one annotator to one campaign through one web process."""

_MAX_STRIKES: Final = 100
"""Refused messages in a row after which a connection is closed."""

desks = Desks()


async def labeling(scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
    """Serve `ws/campaigns/<slug>/label/` until the connection ends."""
    await receive()  # websocket.connect
    offered = scope.get("subprotocols", [])
    accepted = protocol.SUBPROTOCOL if protocol.SUBPROTOCOL in offered else None
    # A refusal is a close code, which a browser sees only on an accepted connection.
    await send({"type": "websocket.accept", "subprotocol": accepted})
    slug = scope["url_route"]["kwargs"]["slug"]
    desk, annotator, refusal = await _admit(scope.get("user"), slug)
    if desk is None or annotator is None:
        log.info("Refused a connection to %s: %s", slug, refusal)
        await send({"type": "websocket.close", "code": int(refusal or CloseCode.NOT_LOGGED_IN)})
        return
    now = time.monotonic()
    session = Session(
        session_id=desks.new_session_id(),
        annotator_id=annotator.pk,
        mine=0,
        bucket=desk.bucket(annotator.pk, now),
        send=send,
        now=now,
    )
    async with desk.pool.connection() as conn:
        progress, session.mine = await _standing(conn, desk, session)
    desk.enter(session)
    try:
        session.deliver(
            protocol.welcome(
                session=session.id,
                campaign=desk.campaign.described(),
                choices=desk.campaign.choices,
                lease_seconds=desk.campaign.lease_seconds,
                progress=progress,
                mine=session.mine,
            )
        )
        while (event := await receive())["type"] == "websocket.receive":
            handle(desk, session, event.get("text") or event.get("bytes") or "")
    finally:
        desk.leave(session)


def handle(desk: Desk, session: Session, frame: str | bytes) -> None:
    """Act on one frame; whatever is wrong with it is said and harms nothing else."""
    if session.closing:
        return
    try:
        message = protocol.parse(frame)
    except BadMessage as error:
        within = session.bucket.take(time.monotonic())
        _strike(session, protocol.nack(error.message_id, "bad_message", str(error)))
        if not within:
            session.strikes += 9
        return
    if isinstance(message, protocol.Ready):
        desk.ready(session, message)
        return
    if not session.bucket.take(time.monotonic()):
        words = f"At most {session.bucket.rate} messages a second: send it again a little later."
        _strike(session, protocol.nack(message.id, "rate_limited", words))
        return
    session.strikes = 0
    desk.submit(session, message)


def _strike(session: Session, nack: str) -> None:
    session.strikes += 1
    if session.strikes > _MAX_STRIKES:
        session.close(CloseCode.TOO_FAST)
    else:
        session.deliver(nack)


async def _admit(user: Any, slug: str) -> tuple[Desk | None, Annotator | None, CloseCode | None]:
    if user is None or not user.is_authenticated:
        return None, None, CloseCode.NOT_LOGGED_IN
    desk = await desks.desk(slug)
    if desk is None:
        return None, None, CloseCode.NO_SUCH_CAMPAIGN
    annotator = await _annotator(desk.campaign.id, user.pk)
    if annotator is None:
        return None, None, CloseCode.NOT_AN_ANNOTATOR
    if desk.connections[annotator.pk] >= MAX_CONNECTIONS:
        return None, None, CloseCode.TOO_MANY_CONNECTIONS
    return desk, annotator, None


@off_loop
def _annotator(campaign_id: int, user_id: int) -> Annotator | None:
    return Annotator.objects.filter(campaign_id=campaign_id, user_id=user_id, active=True).first()


async def _standing(
    conn: AsyncConnection[tuple[Any, ...]], desk: Desk, session: Session
) -> tuple[Progress, int]:
    """How far the campaign is, and how many of its answers are this person's."""
    progress = await labeled.read_progress(
        await labeled.progress(conn, campaign_id=desk.campaign.id)
    )
    return progress, await labeled.count_answers(conn, annotator_id=session.annotator_id)
