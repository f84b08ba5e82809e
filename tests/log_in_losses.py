"""All ways to lose a log-in or a right, and the person who loses it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from allauth.usersessions.models import UserSession
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.http import HttpRequest
from django.test import Client as Browser
from stock import Person, make_annotator, make_campaign, make_user

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign
from annotator_site.accounts.models import Token, User

BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
LABEL: Final = ("label",)
WATCH: Final = ("monitor",)
BOTH: Final = (*LABEL, *WATCH)


class Visitor:
    """A person with a browser and a token, who may label and watch one campaign."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.person: Person = make_annotator(campaign, is_staff=True)
        self.user = self.person.user
        self.group = Group.objects.create(name=self.user.username)
        self.group.permissions.add(permission("view_campaign"), permission("all_campaigns"))
        self.browser = Browser()
        self.browser.force_login(self.user, BACKEND)

    def own_right(self) -> None:
        self.user.user_permissions.add(permission("change_campaign"), permission("all_campaigns"))

    def own_campaign(self) -> None:
        """And the right to see its pictures."""
        self.user.user_permissions.add(permission("view_campaign"), permission("view_image"))
        self.campaign.owners.add(self.user)

    def groups_right(self) -> None:
        self.user.groups.add(self.group)

    def every_right(self) -> None:
        self.user.is_superuser = True
        self.user.save()

    @property
    def session(self) -> Session:
        return Session.objects.get(pk=self.browser.cookies["sessionid"].value)

    @property
    def annotator(self) -> Any:
        return Annotator.objects.filter(pk=self.person.annotator_id)

    def change_own_password(self) -> None:
        """As in the administration: this browser stays logged in, under another key."""
        request = HttpRequest()
        request.user, request.session = self.user, self.browser.session
        self.user.set_password("another one")
        self.user.save()
        update_session_auth_hash(request, self.user)

    def with_password(self) -> None:
        self.groups_right()
        self.user.set_password("a long enough one")
        self.user.save()
        self.browser.force_login(self.user, BACKEND)

    def take_password(self) -> None:
        self.user.set_password("set by an owner")
        self.user.save()

    def headers(self, site: str, by: str) -> dict[str, str]:
        if by == "token":
            return {"Authorization": f"Token {self.person.token}"}
        return {"Cookie": f"sessionid={self.browser.cookies['sessionid'].value}", "Origin": site}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to lose a log-in or a right: by what it was had, and which code says so."""

    name: str
    by: str
    code: int
    act: Callable[[Visitor], Any]
    kinds: Sequence[str] = BOTH
    prepare: Callable[[Visitor], Any] = Visitor.groups_right


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def expire(visitor: Visitor) -> None:
    Session.objects.filter(pk=visitor.session.pk).update(expire_date=Now())


def clear(visitor: Visitor) -> None:
    expire(visitor)
    call_command("clearsessions")


def let_time_pass(visitor: Visitor) -> None:
    """The session ends by itself, in a moment."""
    sql(
        "UPDATE django_session SET expire_date = clock_timestamp() + interval '300 ms' "
        "WHERE session_key = %s",
        visitor.session.pk,
    )


def leave_session(visitor: Visitor, **ago: timedelta) -> None:
    """The session was last used, or begun, so long ago."""
    key = visitor.session.pk
    UserSession.objects.get_or_create(user=visitor.user, session_key=key, ip="127.0.0.1")
    past = {column: Now() - time for column, time in ago.items()}
    UserSession.objects.filter(session_key=key).update(**past)


def elsewhere(visitor: Visitor) -> Browser:
    """Another browser of this person; what is open in the first one is in the list."""
    key = visitor.session.pk
    UserSession.objects.create(user=visitor.user, session_key=key, ip="127.0.0.1")
    browser = Browser()
    browser.force_login(visitor.user, BACKEND)
    return browser


def log_in_as_another(visitor: Visitor) -> None:
    visitor.browser.force_login(make_user(), BACKEND)


def change(**fields: Any) -> Callable[[Visitor], Any]:
    """Changes columns of the person."""
    return lambda visitor: User.objects.filter(pk=visitor.user.pk).update(**fields)


WAYS = [
    Way("log-out", "session", 4401, lambda v: v.browser.logout()),
    Way("log-in of somebody else", "session", 4401, log_in_as_another),
    Way("a session deleted by SQL", "session", 4401,
        lambda v: sql("DELETE FROM django_session WHERE session_key = %s", v.session.pk)),
    Way("a session that expired", "session", 4401, expire),
    Way("a session that expires by itself", "session", 4401, let_time_pass),
    Way("clearsessions", "session", 4401, clear),
    Way("a password that an owner set", "session", 4401, Visitor.take_password),
    Way("a password of one’s own", "session", 4401, Visitor.change_own_password),
    Way("a session of staff left alone", "session", 4401,
        lambda v: leave_session(v, last_seen_at=timedelta(minutes=61))),
    Way("a session of staff too old", "session", 4401,
        lambda v: leave_session(v, created_at=timedelta(hours=13))),
    Way("a session ended from elsewhere", "session", 4401,
        lambda v: elsewhere(v).post("/accounts/sessions/end/", {"others": ""})),
    Way("a password changed elsewhere", "session", 4401,
        lambda v: elsewhere(v).post("/accounts/password/", {
            "oldpassword": "a long enough one", "password1": "quite another one",
            "password2": "quite another one"}),
        prepare=Visitor.with_password),
    Way("a token ended by its person", "token", 4401,
        lambda v: elsewhere(v).post(
            f"/accounts/tokens/{Token.objects.get(user=v.user).pk}/end/")),
    Way("a token that expires by itself", "token", 4401,
        lambda v: sql("UPDATE accounts_token SET expires_at = clock_timestamp() + "
                      "interval '300 ms' WHERE user_id = %s", v.user.pk)),
    Way("a token not for labeling any more", "token", 4403,
        lambda v: Token.objects.filter(user=v.user).update(scopes=["watch"]), LABEL),
    Way("a token not for watching any more", "token", 4403,
        lambda v: Token.objects.filter(user=v.user).update(scopes=["label"]), WATCH),
    Way("a token deleted", "token", 4401, lambda v: Token.objects.filter(user=v.user).delete()),
    Way("a token renewed", "token", 4401,
        lambda v: Token.objects.filter(user=v.user).update(digest="0" * 56 + f"{v.user.pk:08}")),
    Way("a token given to somebody else", "token", 4401,
        lambda v: Token.objects.filter(user=v.user).update(user=make_user())),
    *(
        Way(f"{name}, by {by}", by, 4401, act)
        for by in ("session", "token")
        for name, act in {
            "a person deactivated": change(is_active=False),
            "a person deleted": lambda v: v.user.delete(),
        }.items()
    ),
    *(
        Way(f"{name}, by {by}", by, 4403, act, LABEL)
        for by in ("session", "token")
        for name, act in {
            "a part switched off": lambda v: campaigns.set_active(
                annotators=v.annotator, active=False
            ),
            "a part of nobody": lambda v: v.annotator.update(user=None),
            "a part of somebody else": lambda v: v.annotator.update(user=make_user()),
            "a part removed": lambda v: sql(
                "DELETE FROM pools_annotator WHERE id = %s", v.person.annotator_id
            ),
        }.items()
    ),
    Way("staff no more", "session", 4403, change(is_staff=False), WATCH),
    Way("owner no more", "token", 4403, change(is_superuser=False), WATCH, Visitor.every_right),
    Way("a right taken back", "session", 4403, lambda v: v.user.user_permissions.clear(), WATCH,
        Visitor.own_right),
    Way("all campaigns no more", "token", 4403,
        lambda v: v.user.user_permissions.remove(permission("all_campaigns")), WATCH,
        Visitor.own_right),
    Way("owner of the campaign no more", "session", 4403,
        lambda v: v.campaign.owners.remove(v.user), WATCH, Visitor.own_campaign),
    Way("owner of another campaign instead", "token", 4403,
        lambda v: sql("UPDATE pools_campaign_owners SET campaign_id = %s WHERE user_id = %s",
                      make_campaign().pk, v.user.pk), WATCH, Visitor.own_campaign),
    Way("pictures no more", "token", 4403,
        lambda v: v.user.user_permissions.remove(permission("view_image")), WATCH,
        Visitor.own_campaign),
    Way("out of the group", "token", 4403, lambda v: v.user.groups.clear(), WATCH),
    Way("the group’s right taken back", "session", 4403, lambda v: v.group.permissions.clear(),
        WATCH),
]  # fmt: skip
