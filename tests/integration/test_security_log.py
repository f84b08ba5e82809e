"""The security log: who did what from where, one line each, whatever strangers send."""

import http.client
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from stock import make_campaign, make_user
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from annotator_site.accounts.models import Token, User, token_digest
from annotator_site.accounts.tokens import create_token
from annotator_site.security import log

PASSWORD = "a long enough password"
FROM = "198.51.100.7"


class Lines(logging.Handler):
    """What is written, by file."""

    def __init__(self) -> None:
        super().__init__()
        self.security: list[str] = []
        self.strangers: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        file = self.security if record.name == "nowait.security" else self.strangers
        file.append(record.getMessage())


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Both files, in a minute of their own."""
    floods = log._Floods()
    monkeypatch.setattr(log, "_floods", floods)
    handler = Lines()
    for logger in (log.PEOPLE, log.STRANGERS):
        logger.addHandler(handler)
    yield handler
    floods.close_all()
    for logger in (log.PEOPLE, log.STRANGERS):
        logger.removeHandler(handler)


@dataclass
class Scene:
    """A superuser in a browser, and whom and what there is to change."""

    boss: User = field(default_factory=lambda: make_user(is_staff=True, is_superuser=True))
    ann: User = field(default_factory=lambda: make_user(password=PASSWORD))
    group: Group = field(default_factory=lambda: Group.objects.create(name="helpers"))

    def __post_init__(self) -> None:
        self.browser = Client(REMOTE_ADDR=FROM)
        self.browser.force_login(self.boss, "django.contrib.auth.backends.ModelBackend")
        self.permission = Permission.objects.get(codename="view_image")
        self.token = Token.objects.get(digest=token_digest(create_token(user=self.ann)))
        self.campaign = make_campaign()

    def post(self, page: str, values: dict[str, Any], *args: Any) -> Any:
        return self.browser.post(reverse(f"admin:{page}", args=args), values)

    def change(self, **fields: Any) -> Any:
        values = {
            "username": self.ann.username, "first_name": "", "last_name": "", "email": "",
            "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00",
            "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0, **fields,
        }  # fmt: skip
        return self.post("accounts_user_change", values, self.ann.pk)

    def log_in(self, page: str = "/accounts/login/", **fields: str) -> Client:
        visitor = Client(REMOTE_ADDR=FROM)
        visitor.post(page, {"username": self.ann.username, "password": PASSWORD, **fields})
        return visitor

    def take_ownership(self) -> None:
        self.campaign.owners.add(self.boss)
        self.boss.owned_campaigns.clear()

    def take_permissions(self) -> None:
        self.ann.user_permissions.add(self.permission)
        self.ann.user_permissions.clear()

    def guess(self, times: int) -> None:
        visitor = Client(REMOTE_ADDR=FROM)
        for _ in range(times):
            visitor.post("/accounts/login/", {"username": self.ann.username, "password": "wrong"})


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
        lambda s: s.post("accounts_token_add", {"user": s.ann.pk}), ("token_made", BOSS, {})
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
    "all permissions taken away": (
        Scene.take_permissions,
        ("rights_changed", None, {"how": "clear", "names": ["pools.view_image"]}),
    ),
}  # fmt: skip

STRANGERS: dict[str, tuple[Callable[[Scene], object], Event]] = {
    "a wrong password": (lambda s: s.guess(1), ("log_in_failed", None, {})),
    "a name that nobody has": (
        lambda s: s.log_in(username="nobody"), ("log_in_failed", None, {"name": "nobody"})
    ),
    "the administration's log-in": (
        lambda s: s.log_in("/admin/login/", password="wrong"), ("log_in_failed", None, {})
    ),
    "a guesser who is locked out": (lambda s: s.guess(3), ("locked_out", None, {})),
    "and is refused": (lambda s: s.guess(3), ("refused", None, {"status": 429})),
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


def found(raw: list[str], event: str) -> list[dict[str, Any]]:
    return [line for each in raw if (line := json.loads(each))["event"] == event]


@pytest.mark.django_db
@pytest.mark.parametrize("what", [*PEOPLE, *STRANGERS])
def test_every_event_is_a_line_that_says_who_where_and_what(
    what: str,
    lines: Lines,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.AXES_FAILURE_LIMIT = 2
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


FORGERIES = [
    '\n{"event": "log_in", "who": "boss"}', "\r\nx", "\x1b[2J\x1b[31m", '", "who": "boss', "\\",
    "\x00", "\u2028x\u2029", "\u202eevil", "\x85", "\x7f", "ü", "\ud800", "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", FORGERIES, ids=ascii)
def test_no_input_forges_a_line(lines: Lines, text: str) -> None:
    actor = log.Actor(text, text)
    log.note("log_in", actor, which=text, names=[text])
    log.note_stranger("refused", actor, path=text)
    assert len(lines.security) == len(lines.strangers) == 1
    for raw in (*lines.security, *lines.strangers):
        assert raw.isascii()
        assert raw.isprintable()
        assert len(raw) < 6_000
        assert json.loads(raw)["who"] == text[: log.LONGEST]


@pytest.mark.django_db
def test_a_flood_of_strangers_hides_no_log_in(lines: Lines) -> None:
    scene = Scene()
    for number in range(3_000):
        log.note_stranger("refused", log.Actor(None, f"203.0.113.{number % 200}"), path="/")
    scene.log_in()
    log.tell_counts()
    assert [line["who"] for line in found(lines.security, "log_in")][-1] == scene.ann.username
    told = found(lines.strangers, "refused")
    assert len(told) == 11
    assert told[-1]["more"] == 2_990
    assert told[-1]["of"] == "203.0.113.0/24"


def test_somebody_who_logs_in_all_the_time_hides_nobody_else(lines: Lines) -> None:
    for _ in range(1_000):
        log.note_if_rare("log_in", log.Actor("robot", FROM))
    log.note_if_rare("log_in", log.Actor("ann", FROM))
    log.tell_counts()
    who = [
        line["who"] or f"{line['of']}: {line['more']}" for line in found(lines.security, "log_in")
    ]
    assert who == ["robot"] * 10 + ["ann", "robot: 990"]


@pytest.mark.django_db(transaction=True)
def test_refused_sockets_and_pictures_are_in_the_file_of_a_web_process(live_site: str) -> None:
    campaign, user = make_campaign(), make_user()
    sockets = live_site.replace("http", "ws", 1)
    token = {"Authorization": f"Token {create_token(user=user)}"}
    for kind in ("label", "monitor"):
        address = f"{sockets}/ws/campaigns/{campaign.slug}/{kind}/"
        with (
            suppress(ConnectionClosed, InvalidStatus),
            # From another network than all other tests, which have had their ten a minute.
            connect(
                address, additional_headers=token, proxy=None, source_address=("127.9.8.7", 0)
            ) as socket,
        ):
            while True:
                socket.recv(timeout=15)
    site = http.client.HTTPConnection(
        urlsplit(live_site).netloc, timeout=15, source_address=("127.9.8.7", 0)
    )
    with closing(site):
        site.request("GET", f"/i/{campaign.slug}.png")
        assert site.getresponse().status == 403
    path = settings.VAR / "logs" / "strangers.log"
    told = [
        line for each in path.read_text().splitlines()
        if campaign.slug in (line := json.loads(each)).get("path", "")
    ]  # fmt: skip
    assert [(line["who"], line["status"], line["kind"]) for line in told] == [
        *[(user.username, 403, "socket")] * 2,
        (None, 403, "picture"),
    ]
    assert {line["from"] for line in told} == {"127.9.8.7"}
    assert path.stat().st_mode & 0o777 == 0o600
