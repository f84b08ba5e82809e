"""One person's connection: log-in, limits, frames in, frames out. The desk does everything else.

A plain ASGI callable: Channels' consumers close old database connections in a thread before
every message, which costs a third of an echo's time.
"""

import time
from functools import partial
from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable

from al_engine.pools.labeled import Progress, Standing
from annotator_site.accounts.entrance import let_in, looking_up, too_many
from annotator_site.accounts.guard import guard, pass_of
from annotator_site.accounts.models import Scope
from annotator_site.labeling import protocol
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.desks import Desks
from annotator_site.labeling.protocol import BadMessage
from annotator_site.labeling.session import Session
from annotator_site.network.close_codes import CloseCode
from annotator_site.network.refusals import RefusedError

MAX_CONNECTIONS: Final = 5
"""Connections of one annotator to one campaign through one web process."""

_MAX_STRIKES: Final = 100
"""Refused messages in a row after which a connection is closed."""

_GOOD_BYE: Final = 1000
"""The close code of a client that will not come back: its leases end at once."""

desks = Desks()


async def labeling(scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
    """Serve `ws/campaigns/<slug>/label/` until the connection ends.

    Raises RefusedError before anything is accepted.
    """
    slug = scope["url_route"]["kwargs"]["slug"]
    with looking_up():
        desk, person, progress = await _admit(scope, slug)
    let_in(scope)
    await receive()  # websocket.connect
    if desk.people.connections[person.annotator_id] >= MAX_CONNECTIONS:
        raise too_many(scope["user"], f"{MAX_CONNECTIONS} connections to one campaign")
    offered = scope.get("subprotocols", [])
    accepted = protocol.SUBPROTOCOL if protocol.SUBPROTOCOL in offered else None
    await send({"type": "websocket.accept", "subprotocol": accepted})
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
        session.deliver(_welcome(desk, session, scope["user"].get_username(), progress))
        held = pass_of(scope, annotator_id=person.annotator_id)
        with guard.watching(held, partial(_send_away, desk, session)):
            for_good = await _listen(desk, session, receive)
    finally:
        desk.people.leave(session, for_good=for_good)


def _welcome(desk: Desk, session: Session, name: str, progress: Progress) -> str:
    campaign = desk.campaign
    return protocol.welcome(
        session=session.id,
        annotator={"id": session.annotator_id, "name": name},
        campaign=campaign.described(),
        choices_version=campaign.choices_version,
        choices=campaign.choices,
        lease_seconds=campaign.lease_seconds,
        progress=progress,
        mine=session.mine,
    )


async def _listen(desk: Desk, session: Session, receive: Any) -> bool:
    """Act on frames until the connection ends; returns whether its client will not come back."""
    while (event := await receive())["type"] == "websocket.receive":
        text = event.get("text")
        handle(desk, session, event.get("bytes") or b"" if text is None else text)
    # A page that is closed or loaded again sends 1001; a network that dies sends nothing.
    return bool(event.get("code") == _GOOD_BYE)


def handle(desk: Desk, session: Session, frame: str | bytes) -> None:
    """Act on one frame. An invalid one gets a nack and has no other effect."""
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
        # Outside the rate limit: every connection has to send a first `ready`.
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


def _send_away(desk: Desk, session: Session, code: int) -> None:
    """Close a connection whose log-in or right has ended; what it sent before is still stored."""
    desk.people.leave(session)
    session.close(code)


async def _admit(scope: Any, slug: str) -> tuple[Desk, Standing, Progress]:
    user = scope["user"]
    name = user.get_username()
    if Scope.LABEL not in scope.get("token_scopes", {Scope.LABEL}):
        raise RefusedError(403, "This token is not for labeling.", name=name)
    desk = await desks.desk(slug)
    if desk is None:
        raise RefusedError(404, "There is no such campaign.", name=name)
    received = await desk.reception.receive(user.pk)
    if received is None:
        raise RefusedError(403, f"{name} is no annotator of this campaign.", name=name)
    return desk, *received
