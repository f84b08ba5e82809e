"""The second factor: no way in goes around it, and the administration may ask for it."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from command_runs import run
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from django.urls import URLResolver, get_resolver
from pytest_django import Settings
from second_factors import code_of, give_second_factor, recovery_codes
from stock import make_user

from annotator_site.accounts.models import User
from annotator_site.accounts.second_factor import SecondFactorAdapter

pytestmark = pytest.mark.django_db

PASSWORD: Final = "a long enough one"
LOG_IN: Final = "/accounts/login/"
CODE: Final = "/accounts/login/code/"
SET_UP: Final = "/accounts/second-factor/on/"
OPEN: Final = {"login", "logout"}


@pytest.fixture(autouse=True)
def light(settings: Settings) -> None:
    """Nobody has tried anything before, and hashing takes no time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()


@pytest.fixture
def owner() -> User:
    return make_user(is_staff=True, is_superuser=True, password=PASSWORD)


def credentials(user: User) -> dict[str, str]:
    return {"username": user.username, "password": PASSWORD}


def logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def confirmed(client: Client, user: User, *, code: str = "") -> Client:
    """Logged in, and asked for the password or a code once more just now."""
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    if code:
        client.post("/accounts/confirm/code/", {"code": code})
    else:
        client.post("/accounts/confirm/", {"password": PASSWORD})
    return client


def admin_addresses() -> Iterator[tuple[str, str]]:
    """The name of each address of the administration, and the address with ones in its places."""
    (admin,) = [
        each for each in get_resolver().url_patterns
        if isinstance(each, URLResolver) and each.app_name == "admin"
    ]  # fmt: skip
    for name in {key for key in admin.reverse_dict if isinstance(key, str)}:
        for possibility in admin.reverse_dict.getlist(name):
            ((path, places),) = possibility[0]
            yield name, f"/admin/{path % dict.fromkeys(places, 1)}"


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_address_of_the_administration_opens_without_the_second_factor_that_is_asked(
    client: Client, settings: Settings, owner: User, method: str
) -> None:
    settings.STAFF_SECOND_FACTOR = True
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    addresses = [(name, path) for name, path in admin_addresses() if name not in OPEN]
    assert len(addresses) > 60
    for name, path in addresses:
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.headers.get("Location")) == (302, SET_UP), name
    give_second_factor(owner)
    for name, path in [("index", "/admin/"), ("a list", "/admin/accounts/user/")]:
        assert client.get(path).status_code == 200, name


def test_without_being_asked_staff_need_none(client: Client, owner: User) -> None:
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/").status_code == 200


def test_a_password_alone_opens_nothing_to_who_has_a_second_factor(
    client: Client, owner: User
) -> None:
    secret = give_second_factor(owner)
    first = client.post(LOG_IN, {**credentials(owner), "next": "/admin/"})
    assert first["Location"] == CODE
    for path in ("/", "/admin/", "/accounts/"):
        assert LOG_IN in client.get(path, follow=True).redirect_chain[-1][0], path
    wrong = client.post(CODE, {"code": code_of(secret, later=9)})
    assert wrong.status_code == 200
    assert b'role="alert"' in wrong.content
    assert not logged_in(client)
    right = client.post(CODE, {"code": code_of(secret)})
    assert right["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("kind", ["code", "recovery code"])
def test_a_code_is_good_for_one_log_in(owner: User, kind: str) -> None:
    secret = give_second_factor(owner)
    code = code_of(secret) if kind == "code" else recovery_codes(owner)[3]
    for expected in (True, False):
        client = Client()
        client.post(LOG_IN, credentials(owner))
        client.post(CODE, {"code": code})
        assert logged_in(client) == expected
    assert len(recovery_codes(owner)) == (10 if kind == "code" else 9)


def test_codes_cannot_be_guessed(client: Client, owner: User) -> None:
    secret = give_second_factor(owner)
    client.post(LOG_IN, credentials(owner))
    for guess in range(5):
        client.post(CODE, {"code": f"{guess:06}"})
    answer = client.post(CODE, {"code": code_of(secret)})
    assert b"Too many" in answer.content
    assert not logged_in(client)


@pytest.mark.parametrize("who", ["nobody", "other staff"])
def test_the_administrations_own_log_in_goes_around_nothing(owner: User, who: str) -> None:
    give_second_factor(owner)
    client = Client()
    other = make_user(is_staff=True)
    if who == "other staff":
        client.force_login(other, "django.contrib.auth.backends.ModelBackend")
    answer = client.post("/admin/login/?next=/admin/", {**credentials(owner), "next": "/admin/"})
    assert answer.status_code == 302
    assert client.session.get("_auth_user_id") == (None if who == "nobody" else str(other.pk))


@pytest.mark.parametrize(
    ("has_one", "path"),
    [
        (False, SET_UP),
        *((True, f"/accounts/second-factor/{path}") for path in ("off/", "recovery/")),
        *((has_one, "/accounts/second-factor/recovery/new/") for has_one in (False, True)),
        *((has_one, "/accounts/tokens/new/") for has_one in (False, True)),
    ],
)
def test_what_could_be_used_against_somebody_asks_who_they_are_again(
    client: Client, owner: User, has_one: bool, path: str
) -> None:
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    page, right = "/accounts/confirm/", {"password": PASSWORD}
    wrong = [{"password": "guess"}]
    if has_one:  # a password that was found out would else turn it off
        page, right = f"{page}code/", {"code": code_of(give_second_factor(owner))}
        wrong = [{"code": "000000"}, {"password": PASSWORD}]
    confirm = f"{page}?next={quote(path, safe='')}"
    for form in wrong:
        assert client.get(path)["Location"] == confirm
        assert client.post(confirm, form).status_code == 200
    assert client.get(path)["Location"] == confirm
    assert client.post(confirm, right)["Location"] == path
    assert client.get(path).status_code == 200


def test_setting_it_up_ends_other_sessions_and_shows_recovery_codes_once(owner: User) -> None:
    elsewhere = Client()
    elsewhere.post(LOG_IN, credentials(owner))
    client = confirmed(Client(), owner)
    secret = client.get(SET_UP).context["form"].secret

    answer = client.post(SET_UP, {"code": code_of(secret)}, follow=True)

    assert answer.redirect_chain[-1][0] == "/accounts/second-factor/recovery/"
    page = answer.content.decode()
    assert all(code in page for code in recovery_codes(owner))
    again = client.get("/accounts/second-factor/recovery/").content.decode()
    assert not any(code in again for code in recovery_codes(owner))
    assert logged_in(client)
    assert elsewhere.get("/").status_code == 302
    assert UserSession.objects.filter(user=owner).count() == 1


def test_turning_it_off_leaves_nothing_of_it(client: Client, owner: User) -> None:
    secret = give_second_factor(owner)
    confirmed(client, owner).post("/accounts/second-factor/off/")
    assert Authenticator.objects.count() == 2
    confirmed(client, owner, code=code_of(secret)).post("/accounts/second-factor/off/")
    assert not Authenticator.objects.exists()
    client.logout()
    assert client.post(LOG_IN, credentials(owner))["Location"] == "/"


def test_what_codes_are_made_of_cannot_be_read_from_the_database(
    client: Client, settings: Settings, owner: User
) -> None:
    secret = give_second_factor(owner)
    stored: dict[str, Any] = Authenticator.objects.get(user=owner, type="totp").data
    assert secret not in str(stored)
    assert SecondFactorAdapter().decrypt(stored["secret"]) == secret
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 10
    client.post(LOG_IN, credentials(owner))
    assert client.post(CODE, {"code": code_of(secret)}).status_code == 200
    settings.SECRET_KEY_FALLBACKS = [former]
    assert client.post(CODE, {"code": code_of(secret)}).status_code == 302


def test_staff_take_it_away_from_who_lost_theirs_within_their_own_power(client: Client) -> None:
    officer = make_user(is_staff=True)
    officer.user_permissions.set(
        Permission.objects.filter(codename__in=["change_user", "view_user"])
    )
    lost, stronger = make_user(), make_user(is_staff=True, is_superuser=True)
    for user in (lost, stronger):
        give_second_factor(user)
    client.force_login(officer, "django.contrib.auth.backends.ModelBackend")
    client.post(
        "/admin/accounts/user/",
        {"action": "take_second_factor", "_selected_action": [lost.pk, stronger.pk]},
    )
    assert set(Authenticator.objects.values_list("user", flat=True)) == {stronger.pk}
    said = run("remove_second_factor", stronger.username).out
    assert said == f"{stronger.username} has no second factor any more.\n"
    assert not Authenticator.objects.exists()
