"""A token opens what it is for while it lasts; sessions of staff have to do with more."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, Final, TypeVar

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models.functions import Now
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings
from stock import committing, make_annotator, make_campaign, make_user
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from al_engine.pools.models import Campaign
from annotator_site.accounts.guard import Guard, Pass, pass_of
from annotator_site.accounts.models import Token, User
from annotator_site.accounts.tokens import create_token

LABEL, WATCH = "label", "monitor"
IN: Final = None
T = TypeVar("T")

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of this module."""
    with committing(django_db_blocker):
        yield


@pytest.fixture(scope="module")
def campaign(transactional_db: None) -> Campaign:
    return make_campaign()


def owner(campaign: Campaign) -> User:
    """Somebody who may label and watch."""
    return make_annotator(campaign, is_staff=True, is_superuser=True).user


def annotator(campaign: Campaign) -> User:
    return make_annotator(campaign).user


def stranger(campaign: Campaign) -> User:
    return make_annotator(make_campaign()).user


def expired(user: User) -> str:
    token = create_token(user=user)
    Token.objects.filter(user=user).update(expires_at=Now() - timedelta(seconds=1))
    return token


def of_before(user: User) -> str:
    """As the migration leaves the tokens that were there."""
    return create_token(user=user, days=None)


def scoped(*scopes: str) -> Callable[[User], str]:
    return lambda user: create_token(user=user, scopes=scopes)


# Whose token, which, and the close codes of the labeling socket and of the live page's.
TOKENS: Final[list[tuple[Callable[[Campaign], User], Callable[[User], str], Any, Any]]] = [
    (owner, scoped("label", "watch"), IN, IN),
    (owner, scoped("label"), IN, 4403),
    (owner, scoped("watch"), 4403, IN),
    (owner, of_before, IN, IN),
    (owner, expired, 4401, 4401),
    (annotator, scoped("label", "watch"), IN, 4403),
    (annotator, scoped("label"), IN, 4403),
    (annotator, scoped("watch"), 4403, 4403),
    (annotator, of_before, IN, 4403),
    (annotator, expired, 4401, 4401),
    (stranger, scoped("label", "watch"), 4403, 4403),
    (stranger, of_before, 4403, 4403),
    (stranger, expired, 4401, 4401),
]


def code_of(site: str, campaign: Campaign, kind: str, token: str) -> int | None:
    """With which code the socket is closed; None where it is let in."""
    address = f"{site.replace('http', 'ws', 1)}/ws/campaigns/{campaign.slug}/{kind}/"
    headers = {"Authorization": f"Token {token}"}
    with connect(address, additional_headers=headers, compression=None, proxy=None) as socket:
        try:
            while '"refused"' in socket.recv(timeout=15):
                pass
        except ConnectionClosed:
            assert socket.protocol.close_code
            return socket.protocol.close_code
    return IN


def test_a_token_opens_what_it_is_for_and_nothing_else(live_site: str, campaign: Campaign) -> None:
    for whose, make, label, watch in TOKENS:
        token = make(whose(campaign))
        found = [code_of(live_site, campaign, kind, token) for kind in (LABEL, WATCH)]
        assert found == [label, watch], (whose.__name__, make)


def by_guard(act: Callable[[Guard], Awaitable[T]]) -> T:
    """What a guard of its own does, which then lets go of the database."""

    async def run() -> T:
        guard = Guard()
        try:
            return await act(guard)
        finally:
            if guard._conn:
                await guard._conn.close()

    return asyncio.run(run())


def session_of(user: User) -> tuple[Client, Pass]:
    """A browser, and what its live page rests on."""
    browser = Client()
    browser.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return browser, pass_of({"user": user, "session": browser.session}, annotator_id=None)


@pytest.mark.parametrize("asked_for", [False, True])
@pytest.mark.parametrize("has_one", [False, True])
def test_a_live_page_asks_staff_for_a_second_factor_where_the_site_does(
    campaign: Campaign, settings: Settings, asked_for: bool, has_one: bool
) -> None:
    settings.STAFF_SECOND_FACTOR = asked_for
    user = owner(campaign)
    if has_one:
        Authenticator.objects.create(user=user, type="totp", data={})
    _, held = session_of(user)
    token = Pass(user.pk, None, None, Token.objects.get(user=user).digest, None, True)

    async def ask(guard: Guard) -> list[int | None]:
        return [await guard.refusal(held), await guard.refusal(token)]

    assert by_guard(ask) == [4403 if asked_for and not has_one else None, None]


@pytest.mark.parametrize("staff", [False, True])
def test_an_open_connection_is_use_of_a_session_of_staff(campaign: Campaign, staff: bool) -> None:
    user = make_user(is_staff=staff)
    browser, held = session_of(user)
    long_ago = Now() - timedelta(minutes=50)
    UserSession.objects.create(
        user=user, session_key=browser.session.session_key, ip="127.0.0.1", last_seen_at=long_ago
    )
    before = UserSession.objects.get(user=user).last_seen_at

    async def note(guard: Guard) -> None:
        with guard.watching(held, lambda code: None):
            await guard._note_use()

    by_guard(note)
    assert (UserSession.objects.get(user=user).last_seen_at > before) == staff
