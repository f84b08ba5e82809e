"""Whoever looks after people makes nobody more powerful than themselves, on no page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from stock import make_user

from annotator_site.accounts.models import Token, User
from annotator_site.accounts.power import people_within
from annotator_site.accounts.tokens import create_token

pytestmark = pytest.mark.django_db

OFFICE = [
    *("add_user", "change_user", "delete_user", "view_user", "add_token", "delete_token"),
    *("view_token", "add_group", "change_group", "delete_group", "view_group"),
]
"""All that somebody needs who looks after people, and nothing of the pools."""
PASSWORD = "a long enough password"


@dataclass(frozen=True, slots=True)
class Office:
    """Somebody who looks after people, in a browser, and whom and what there is to look after."""

    browser: Client
    officer: User
    owner: User
    sleeping_owner: User
    manager: User
    """Staff who may change campaigns, by a group."""
    annotator: User
    managers: Group
    helpers: Group
    """A group that gives a part of what the officer has."""

    def change(self, user: User, **fields: Any) -> int:
        """Post the form of a person with these fields; the status."""
        values = {
            "username": user.username, "first_name": "", "last_name": "", "email": "",
            "is_active": "on", "is_staff": "on", "date_joined_0": "2026-01-01",
            "date_joined_1": "12:00:00", "memberships-TOTAL_FORMS": 0,
            "memberships-INITIAL_FORMS": 0, **fields,
        }  # fmt: skip
        return self.post("accounts_user_change", values, user.pk)

    def post(self, page: str, values: dict[str, Any], *args: Any) -> int:
        """Post to a page of the admin; the status."""
        return self.browser.post(reverse(f"admin:{page}", args=args), values).status_code


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


@pytest.fixture
def office(client: Client) -> Office:
    managers, helpers = Group.objects.create(name="managers"), Group.objects.create(name="helpers")
    managers.permissions.add(permission("change_campaign"))
    helpers.permissions.add(permission("view_user"))
    officer = make_user(is_staff=True)
    officer.user_permissions.set(Permission.objects.filter(codename__in=OFFICE))
    manager = make_user(is_staff=True)
    manager.groups.add(managers)
    owner = make_user(is_staff=True, is_superuser=True)
    asleep = make_user(is_staff=True, is_superuser=True, is_active=False)
    for person in (officer, manager, owner, asleep):
        create_token(user=person)
    client.force_login(officer)
    return Office(client, officer, owner, asleep, manager, make_user(), managers, helpers)


def new_password(office: Office, user: User) -> None:
    values = {"password1": "another long one", "password2": "another long one"}
    office.post("auth_user_password_change", {**values, "usable_password": "true"}, user.pk)


def token_of(user: User) -> dict[str, Any]:
    """The form of a token that could be made, were its person another one."""
    return {"user": user.pk, "scopes": ["label", "watch"], "lifetime": "never"}


def delete_all(office: Office, page: str, rows: list[Any]) -> None:
    office.post(
        f"{page}_changelist",
        {"action": "delete_selected", "_selected_action": [row.pk for row in rows], "post": "yes"},
    )


def new_person(office: Office) -> User:
    values = {"username": "new", "password1": PASSWORD, "password2": PASSWORD}
    office.post("accounts_user_add", {**values, "usable_password": "true"})
    return User.objects.get(username="new")


ATTEMPTS: dict[str, Callable[[Office], object]] = {
    "oneself an owner": lambda o: o.change(o.officer, is_superuser="on"),
    "oneself a permission": lambda o: o.change(
        o.officer, user_permissions=[permission("change_campaign").pk]
    ),
    "oneself a group": lambda o: o.change(o.officer, groups=[o.managers.pk]),
    "another an owner": lambda o: o.change(o.annotator, is_superuser="on"),
    "another a permission": lambda o: o.change(
        o.annotator, user_permissions=[permission("view_image").pk]
    ),
    "another a group": lambda o: o.change(o.annotator, groups=[o.managers.pk]),
    "a new person an owner": lambda o: o.change(new_person(o), is_superuser="on"),
    "a new person a group": lambda o: o.change(new_person(o), groups=[o.managers.pk]),
    "an owner's password": lambda o: new_password(o, o.owner),
    "a sleeping owner's password": lambda o: new_password(o, o.sleeping_owner),
    "waking an owner": lambda o: o.change(o.sleeping_owner),
    "an owner's name and address": lambda o: o.change(o.owner, username="x", email="me@here.org"),
    "a manager's password": lambda o: new_password(o, o.manager),
    "a manager switched off": lambda o: o.change(o.manager, is_active=""),
    "a token of an owner": lambda o: o.post("accounts_token_add", token_of(o.owner)),
    "a token of a sleeping owner": lambda o: o.post(
        "accounts_token_add", token_of(o.sleeping_owner)
    ),
    "a token of a manager": lambda o: o.post("accounts_token_add", token_of(o.manager)),
    "an owner's second factor": lambda o: o.post(
        "accounts_user_changelist",
        {"action": "take_second_factor", "_selected_action": [o.owner.pk, o.manager.pk]},
    ),
    "an owner deleted": lambda o: o.post("accounts_user_delete", {"post": "yes"}, o.owner.pk),
    "a manager deleted": lambda o: o.post("accounts_user_delete", {"post": "yes"}, o.manager.pk),
    "many deleted": lambda o: delete_all(o, "accounts_user", [o.owner, o.manager]),
    "a token deleted": lambda o: delete_all(
        o, "accounts_token", list(Token.objects.filter(user=o.owner))
    ),
    "more for a group": lambda o: o.post(
        "auth_group_change",
        {"name": "helpers", "permissions": [permission("change_campaign").pk]},
        o.helpers.pk,
    ),
    "a group that has more": lambda o: o.post(
        "auth_group_change",
        {"name": "managers", "permissions": [permission("view_user").pk]},
        o.managers.pk,
    ),
    "a new group with more": lambda o: o.post(
        "auth_group_add", {"name": "x", "permissions": [permission("delete_campaign").pk]}
    ),
    "a group deleted": lambda o: delete_all(o, "auth_group", [o.managers]),
}


def powers() -> dict[str, Any]:
    """What everybody may do and how they log in, but for people and groups that may do nothing."""
    people = {
        user.username: (
            user.is_superuser, user.is_active, user.email, user.password,
            sorted(user.user_permissions.values_list("codename", flat=True)),
            sorted(user.groups.values_list("name", flat=True)),
            sorted(Token.objects.filter(user=user).values_list("digest", flat=True)),
        )
        for user in User.objects.exclude(username="new")
    }  # fmt: skip
    groups = {
        group.name: sorted(group.permissions.values_list("codename", flat=True))
        for group in Group.objects.exclude(name="x")
    }
    fresh = User.objects.filter(username="new", is_superuser=True).exists()
    given = Group.objects.filter(name="x", permissions__isnull=False).exists()
    return {"people": people, "groups": groups, "fresh": fresh, "given": given}


@pytest.mark.parametrize("what", ATTEMPTS)
def test_nobody_rises(office: Office, what: str) -> None:
    before = powers()
    ATTEMPTS[what](office)
    after = powers()
    # The form of a person who is within reach is saved, without what it may not give.
    for name, row in after["people"].items():
        if name in (office.officer.username, office.annotator.username):
            gained = set(row[4]) - set(before["people"][name][4])
            assert gained <= set(OFFICE)
            assert row[0] is False
            assert office.managers.name not in row[5]
        else:
            assert row == before["people"][name]
    assert set(after["people"]) == set(before["people"])
    assert (after["groups"], after["fresh"], after["given"]) == (before["groups"], False, False)
    assert office.managers.name not in [
        name for user in User.objects.filter(username="new")
        for name in user.groups.values_list("name", flat=True)
    ]  # fmt: skip


def test_an_office_does_its_work(office: Office) -> None:
    """What it has, it may give; whoever has no more than it, it looks after."""
    assert office.change(office.annotator, first_name="Ada", groups=[office.helpers.pk]) == 302
    office.annotator.refresh_from_db()
    assert office.annotator.first_name == "Ada"
    assert list(office.annotator.groups.all()) == [office.helpers]
    assert office.post("accounts_token_add", token_of(office.annotator)) == 302
    assert Token.objects.filter(user=office.annotator).count() == 1
    password = office.annotator.password
    new_password(office, office.annotator)
    office.annotator.refresh_from_db()
    assert office.annotator.password != password
    assert office.post("accounts_user_delete", {"post": "yes"}, office.annotator.pk) == 302
    assert not User.objects.filter(pk=office.annotator.pk).exists()


def test_an_owner_does_everything(office: Office) -> None:
    office.browser.force_login(office.owner)
    assert office.change(office.manager, is_superuser="on") == 302
    office.manager.refresh_from_db()
    assert office.manager.is_superuser
    assert set(people_within(office.owner)) == set(User.objects.all())
    assert office.owner not in people_within(office.officer)
