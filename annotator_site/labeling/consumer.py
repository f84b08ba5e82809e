"""One person's connection: log-in, limits, frames in, frames out. Everything else is the desk's.

A plain ASGI callable: Channels' consumers close old database connections in a thread before
every message, which costs a third of an echo's time.
"""

import logging
import time
from typing import Any, Final

import psycopg
from asgiref.typing import ASGIReceiveCallable
from django.db import Error as DatabaseError
from psycopg_pool import PoolTimeout

from al_engine.pools import labeled
from al_engine.pools.labeled import Progress, Standing
from annotator_site.labeling import protocol
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.desks import Desks
from annotator_site.labeling.protocol import BadMessage, CloseCode
from annotator_site.labeling.session import Session

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 5
"""Connections of one annotator to one campaign through one web process."""

_MAX_STRIKES: Final = 100
"""Refused messages in a row after which a connection is closed."""

_GOOD_BYE: Final = 1000
"""The close code of a client that does not mean to come back: it gives its queries back."""

desks = Desks()


async def labeling(scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
    """Serve `ws/campaigns/<slug>/label/` until the connection ends."""
    await receive()  # websocket.connect
    offered = scope.get("subprotocols", [])
    accepted = protocol.SUBPROTOCOL if protocol.SUBPROTOCOL in offered else None
    # A refusal is a close code, which a browser sees only on an accepted connection.
    await send({"type": "websocket.accept", "subprotocol": accepted})
    slug = scope["url_route"]["kwargs"]["slug"]
    try:
        desk, refusal = await _admit(scope.get("user"), slug)
        if desk is None:
            await _refuse(send, slug, refusal)
            return
        person, progress = await _stand(desk, scope["user"].pk)
    except (psycopg.Error, PoolTimeout, DatabaseError) as error:
        log.warning("The database is away: %s", " ".join(str(error).split()))
        await send({"type": "websocket.close", "code": int(CloseCode.TRY_AGAIN_LATER)})
        return
    if person is None:
        await _refuse(send, slug, CloseCode.NOT_AN_ANNOTATOR)
        return
    if desk.people.connections[person.annotator_id] >= MAX_CONNECTIONS:
        await _refuse(send, slug, CloseCode.TOO_MANY_CONNECTIONS)
        return
    now = time.monotonic()
    session = Session(
        session_id=desks.new_session_id(),
        annotator_id=person.annotator_id,
        mine=person.mine,
        bucket=desk.bucket(person.annotator_id, now),
        send=send,
        now=now,
    )
    desk.people.enter(session)
    for_good = False
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
            text = event.get("text")
            handle(desk, session, event.get("bytes") or b"" if text is None else text)
        # A page that is closed or loaded again says 1001, a network that dies says nothing.
        for_good = event.get("code") == _GOOD_BYE
    finally:
        desk.people.leave(session, for_good=for_good)


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
    if isinstance(message, protocol.Ready) and not session.buffer:
        # Nobody can do without the first one of a connection.
        desk.ready(session, message)
        return
    if not session.bucket.take(time.monotonic()):
        words = f"At most {session.bucket.rate} messages a second: send it again a little later."
        message_id = None if isinstance(message, protocol.Ready) else message.id
        _strike(session, protocol.nack(message_id, "rate_limited", words))
        return
    session.strikes = 0
    if isinstance(message, protocol.Ready):
        desk.ready(session, message)
    else:
        desk.submit(session, message)


def _strike(session: Session, nack: str) -> None:
    session.strikes += 1
    if session.strikes > _MAX_STRIKES:
        session.close(CloseCode.TOO_FAST)
    else:
        session.deliver(nack)


async def _admit(user: Any, slug: str) -> tuple[Desk | None, CloseCode]:
    if user is None or not user.is_authenticated:
        return None, CloseCode.NOT_LOGGED_IN
    return await desks.desk(slug), CloseCode.NO_SUCH_CAMPAIGN


async def _stand(desk: Desk, user_id: int) -> tuple[Standing | None, Progress]:
    """Who this person is in the campaign, None where they may not label in it; how far it is."""
    try:
        return await _read(desk, user_id)
    except PoolTimeout:
        raise
    except psycopg.OperationalError:
        # Nobody may have used this connection since the server was started again.
        return await _read(desk, user_id)


async def _read(desk: Desk, user_id: int) -> tuple[Standing | None, Progress]:
    campaign_id = desk.campaign.id
    async with desk.pool.connection() as conn:
        person = await labeled.standing(conn, campaign_id=campaign_id, user_id=user_id)
        sizes = await labeled.progress(conn, campaign_id=campaign_id)
        return person, await labeled.read_progress(sizes)


async def _refuse(send: Any, slug: str, code: CloseCode) -> None:
    log.info("Refused a connection to %s: %s", slug, code.name)
    await send({"type": "websocket.close", "code": int(code)})
