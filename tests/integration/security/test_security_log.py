"""The security log: who did what from where, one line each."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from annotator_site.accounts.models import User
from annotator_site.accounts.pauses import CALM

from .scene import FROM, PASSWORD, Lines, Scene, found

BOSS, ANN = object(), object()
Event = tuple[str, object, dict[str, Any]]

# What happens; the event, who did it, and what else the line says.
PEOPLE: dict[str, tuple[Callable[[Scene], object], Event]] = {
    "a log-in": (lambda s: s.log_in(), ("log_in", ANN, {})),
    "a log-out": (lambda s: s.log_in().post("/accounts/logout/"), ("log_out", ANN, {})),
    "a user": (
        lambda s: s.post(
            "accounts_user_add",
            {"username": "new", "password1": PASSWORD, "password2": PASSWORD,
             "usable_password": "true"},
        ),
        ("user_made", BOSS, {"which": "new"}),
    ),
    "a password": (
        lambda s: s.post(
            "auth_user_password_change",
            {"password1": "another long one", "password2": "another long one",
             "usable_password": "true"},
            s.ann.pk,
        ),
        ("user_changed", BOSS, {"password": "new"}),
    ),
    "staff": (
        lambda s: s.change(is_staff="on"), ("user_changed", BOSS, {"is_staff": [False, True]})
    ),
    "a superuser": (
        lambda s: s.change(is_superuser="on"),
        ("user_changed", BOSS, {"is_superuser": [False, True]}),
    ),
    "somebody switched off": (
        lambda s: s.change(is_active=""), ("user_changed", BOSS, {"is_active": [True, False]})
    ),
    "an address": (
        lambda s: s.change(email="x@example.org"),
        ("user_changed", BOSS, {"email": ["", "x@example.org"]}),
    ),
    "somebody deleted": (
        lambda s: s.post("accounts_user_delete", {"post": "yes"}, s.ann.pk),
        ("user_deleted", BOSS, {}),
    ),
    "a group for somebody": (
        lambda s: s.change(groups=[s.group.pk]),
        ("rights_changed", BOSS, {"what": "groups", "how": "add", "names": ["helpers"]}),
    ),
    "a permission for somebody": (
        lambda s: s.change(user_permissions=[s.permission.pk]),
        ("rights_changed", BOSS,
         {"what": "permissions", "how": "add", "names": ["pools.view_image"]}),
    ),
    "a group": (
        lambda s: s.post("auth_group_add", {"name": "more"}),
        ("group_made", BOSS, {"which": "more"}),
    ),
    "a permission for a group": (
        lambda s: s.post(
            "auth_group_change", {"name": "helpers", "permissions": [s.permission.pk]}, s.group.pk
        ),
        ("rights_changed", BOSS, {"of": "group", "which": "helpers", "how": "add"}),
    ),
    "another name for a group": (
        lambda s: s.post("auth_group_change", {"name": "others"}, s.group.pk),
        ("group_changed", BOSS, {"name": ["helpers", "others"]}),
    ),
    "a group deleted": (
        lambda s: s.post("auth_group_delete", {"post": "yes"}, s.group.pk),
        ("group_deleted", BOSS, {"which": "helpers"}),
    ),
    "a token": (
        lambda s: s.post(
            "accounts_token_add",
            {"user": s.ann.pk, "name": "a robot", "scopes": ["label"], "lifetime": "30"},
        ), ("token_made", BOSS, {})
    ),
    "a token deleted": (
        lambda s: s.post("accounts_token_delete", {"post": "yes"}, s.token.pk),
        ("token_deleted", BOSS, {}),
    ),
    "an owner in the shell": (
        lambda s: s.campaign.owners.add(s.boss),
        ("rights_changed", None, {"what": "owners", "how": "add", "from": "shell"}),
    ),
    "an owner taken away": (
        Scene.take_ownership,
        ("rights_changed", None, {"what": "owners", "how": "clear", "of": "user"}),
    ),
    "a second factor": (
        lambda s: Authenticator.objects.create(user=s.ann, type="totp", data={}),
        ("authenticator_made", None, {}),
    ),
    "all permissions taken away": (
        Scene.take_permissions,
        ("rights_changed", None, {"how": "clear", "names": ["pools.view_image"]}),
    ),
}  # fmt: skip

STRANGERS: dict[str, tuple[Callable[[Scene], object], Event]] = {
    "a wrong password": (lambda s: s.guess(1), ("log_in_failed", None, {})),
    "a name that nobody has": (
        lambda s: s.log_in(username="hunter2"), ("log_in_failed", None, {"name": None})
    ),
    "a guesser who is locked out": (lambda s: s.guess(CALM.of_pair + 1), ("locked_out", None, {})),
    "and is refused": (lambda s: s.guess(CALM.of_pair + 1), ("refused", None, {"status": 429})),
    "another campaign's page": (
        lambda s: s.log_in().get(f"/c/{s.campaign.slug}/"), ("refused", ANN, {"status": 403})
    ),
    "a page that is not for staff like these": (
        lambda s: (
            User.objects.filter(pk=s.ann.pk).update(is_staff=True),
            s.log_in().get("/admin/accounts/user/"),
        ),
        ("refused", ANN, {"status": 403, "path": "/admin/accounts/user/"}),
    ),
    "a form of another site": (
        lambda s: Client(enforce_csrf_checks=True, REMOTE_ADDR=FROM).post("/accounts/login/"),
        ("refused", None, {"status": 403, "method": "POST"}),
    ),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("what", [*PEOPLE, *STRANGERS])
def test_every_event_is_a_line_that_says_who_where_and_what(
    what: str,
    lines: Lines,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    act, (event, who, says) = {**PEOPLE, **STRANGERS}[what]
    with django_capture_on_commit_callbacks(execute=True):
        scene = Scene()
    lines.security.clear()
    with django_capture_on_commit_callbacks(execute=True):
        act(scene)
    told = found(lines.security if what in PEOPLE else lines.strangers, event)
    assert told, [*lines.security, *lines.strangers]
    line = told[-1]
    names: dict[object, str] = {BOSS: scene.boss.username, ANN: scene.ann.username}
    if what in STRANGERS or who:
        assert (line["who"], line["from"]) == (names.get(who), FROM)
    assert {name: line[name] for name in says} == says
    assert found(lines.strangers if what in PEOPLE else lines.security, event) == []
    assert PASSWORD not in str([lines.security, lines.strangers])


@pytest.mark.django_db
def test_what_is_rolled_back_is_not_told(
    lines: Lines, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        with suppress(ZeroDivisionError), transaction.atomic():
            Group.objects.create(name="never")
            raise ZeroDivisionError
        Group.objects.create(name="there")
    assert [line["which"] for line in found(lines.security, "group_made")] == ["there"]
