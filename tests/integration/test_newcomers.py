"""Who opens a connection is looked up past the ORM, and is the person that the ORM knows."""

import asyncio
import itertools
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.db.models.functions import Now
from django.test import Client
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from al_engine.pools.signals import connection_info
from annotator_site.accounts.models import Token, User, token_digest
from annotator_site.accounts.newcomers import Newcomers, Pool
from annotator_site.accounts.tokens import create_token

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = ("pk", "username", "password", "is_active", "is_staff", "is_superuser")


def look_up(*, token: str | None = None, session: str | None = None) -> User | None:
    """Who this is, over a connection of its own."""

    async def run() -> User | None:
        async with AsyncConnectionPool(
            kwargs={**connection_info(), "autocommit": True},
            connection_class=AsyncConnection,
            min_size=1,
            open=False,
        ) as pool:

            async def get() -> Pool:
                return pool

            people = Newcomers(get)
            if token is not None:
                holder = await people.of_token(token_digest(token))
                return holder.user if holder else None
            return await people.of_session(session)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("staff", "superuser"), list(itertools.product((False, True), (False, True)))
)
def test_a_newcomer_has_the_name_and_the_rights_that_the_account_has(
    staff: bool, superuser: bool
) -> None:
    user = User.objects.create_user(
        "ann", password="a-long-secret", is_staff=staff, is_superuser=superuser
    )
    client = Client()
    client.force_login(user)
    found = [look_up(token=create_token(user=user)), look_up(session=client.session.session_key)]
    for each in found:
        assert each is not None
        assert not each.get_deferred_fields() & {"username", "password", "is_staff"}
        assert [getattr(each, name) for name in FIELDS] == [getattr(user, name) for name in FIELDS]


def test_who_was_deactivated_or_logged_out_is_nobody() -> None:
    user = User.objects.create_user("ann", password="a-long-secret")
    client = Client()
    client.force_login(user)
    key, token = client.session.session_key, create_token(user=user)
    assert look_up(session=key)
    User.objects.update(is_active=False)
    assert look_up(session=key) is None
    assert look_up(token=token) is None
    User.objects.update(is_active=True)
    user.set_password("another-long-secret")
    user.save()
    assert look_up(session=key) is None
    assert look_up(token=token)
    client.logout()
    assert look_up(session=key) is None


def test_a_token_is_nobodys_once_it_has_expired() -> None:
    user = User.objects.create_user("ann")
    token = create_token(user=user, days=1)
    assert look_up(token=token)
    Token.objects.update(expires_at=Now())
    assert look_up(token=token) is None
    Token.objects.update(expires_at=None)
    assert look_up(token=token)


@pytest.mark.parametrize("column", ["last_seen_at", "created_at"])
@pytest.mark.parametrize(("staff", "gone"), [(True, True), (False, False)])
def test_a_session_that_staff_left_alone_is_nobodys(column: str, staff: bool, gone: bool) -> None:
    user = User.objects.create_user("ann", is_staff=staff)
    client = Client()
    client.force_login(user)
    key = client.session.session_key
    row = UserSession.objects.create(user=user, session_key=key, ip="127.0.0.1")
    assert look_up(session=key)
    UserSession.objects.filter(pk=row.pk).update(**{column: Now() - timedelta(hours=13)})
    assert (look_up(session=key) is None) == gone
