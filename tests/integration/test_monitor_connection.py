"""The live page's WebSocket: who may watch, and what they are sent."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.contrib.sessions.backends.db import SessionStore
from stock import make_annotator, make_campaign, make_user
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket

from al_engine.pools import campaigns, processes, versions
from al_engine.pools.models import Campaign, ModelVersion
from annotator_site.accounts.models import User
from annotator_site.accounts.tokens import create_token

PATIENCE_S = 15.0

Watch = Callable[..., ClientConnection]


def publish(campaign: Campaign, server: processes.Part, accuracy: float) -> ModelVersion:
    """A version of the model of this accuracy."""
    return versions.publish(
        campaign_id=campaign.pk,
        weights=uuid4().bytes,
        publication=versions.Publication(
            server_id=server.id, architecture="small_cnn", labels_seen=10, trained_on=9,
            train_seconds=1.5, audit=None,
            holdout=versions.Score(accuracy, accuracy - 0.1, accuracy + 0.1, 50),
        ),
    )  # fmt: skip


@contextmanager
def watching(site: str, slug: str, user: User | None, **headers: str) -> Iterator[ClientConnection]:
    """A connection of a program that is logged in as `user` by a token."""
    if user is not None:
        headers["Authorization"] = f"Token {create_token(user=user)}"
    address = f"{site.replace('http', 'ws', 1)}/ws/campaigns/{slug}/monitor/"
    with open_websocket(
        address, additional_headers=headers, compression=None, proxy=None, close_timeout=2
    ) as opened:
        yield opened


@pytest.fixture
def watch(live_site: str, transactional_db: None) -> Iterator[Watch]:
    """Opens connections to the live page's WebSocket: `watch(slug, user)`."""
    with ExitStack() as stack:
        yield lambda slug, user=None, **headers: stack.enter_context(
            watching(live_site, slug, user, **headers)
        )


def receive(opened: ClientConnection) -> dict[str, Any]:
    """The next frame."""
    frame: dict[str, Any] = orjson.loads(opened.recv(timeout=PATIENCE_S))
    return frame


def status(opening: Callable[[], object]) -> int:
    """The HTTP status with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as refused:
        opening()
    return refused.value.response.status_code


def staff(**fields: Any) -> User:
    """An owner of the installation."""
    return make_user(is_staff=True, is_superuser=True, **fields)


def test_a_history_comes_first_then_states_then_new_versions(watch: Watch) -> None:
    campaign = make_campaign()
    server = processes.register(campaign_id=campaign.pk, role="server", name="server-1")
    publish(campaign, server, 0.5)
    opened = watch(campaign.slug, staff())
    first, second = receive(opened), receive(opened)
    assert (first["type"], first["protocol"], second["type"]) == ("history", 1, "state")
    assert [row["version"] for row in first["history"]["versions"]] == [1]
    assert second["state"]["model"]["accuracy"] == 0.5
    publish(campaign, server, 0.75)
    while (frame := receive(opened))["type"] == "state":
        opened.send('{"type":"seen"}')
    assert (frame["type"], frame["version"]["version"]) == ("version", 2)
    assert frame["version"]["low"] == 0.65


def test_a_change_of_state_is_pushed(watch: Watch) -> None:
    campaign = make_campaign()
    opened = watch(campaign.slug, staff())
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)
    states = []
    while "paused" not in states:
        frame = receive(opened)
        if frame["type"] == "state":
            states.append(frame["state"]["campaign"]["state"])
            opened.send('{"type":"seen"}')


def test_a_page_that_does_not_answer_is_sent_two_states_and_no_more(watch: Watch) -> None:
    campaign = make_campaign()
    silent, other = watch(campaign.slug, staff()), watch(campaign.slug, staff())
    seen = 0
    while seen < 5:
        if receive(other)["type"] == "state":
            seen += 1
            other.send('{"type":"seen"}')
    came = []
    with suppress(TimeoutError):
        while True:
            came.append(orjson.loads(silent.recv(timeout=0.2))["type"])
    assert came == ["history", "state", "state"]
    silent.send('{"type":"seen"}')
    assert receive(silent)["type"] == "state"


def test_only_staff_who_may_see_campaigns_watch(watch: Watch) -> None:
    campaign = make_campaign()
    for user in (make_user(is_staff=True), make_annotator(campaign).user):
        assert status(partial(watch, campaign.slug, user)) == 403
    assert status(partial(watch, "nothing-there", staff())) == 404
    assert status(partial(watch, campaign.slug, None, Authorization="Token wrong")) == 401


def test_a_browser_needs_its_session_and_an_origin_of_ours(watch: Watch, live_site: str) -> None:
    campaign, user = make_campaign(), staff()
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.save()
    cookie = f"sessionid={session.session_key}"
    ours = watch(campaign.slug, Cookie=cookie, Origin=live_site)
    assert receive(ours)["type"] == "history"
    assert status(partial(watch, campaign.slug, Origin=live_site)) == 401
    elsewhere = {"Cookie": cookie, "Origin": "https://elsewhere.example"}
    assert status(partial(watch, campaign.slug, **elsewhere)) == 403
