"""Who does what in the tests of the security log, and what is written then."""

import json
import logging
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from stock import make_campaign, make_user

from annotator_site.accounts.models import Token, User, token_digest
from annotator_site.accounts.tokens import create_token

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

    def log_in(self, **fields: str) -> Client:
        visitor = Client(REMOTE_ADDR=FROM)
        said = {"username": self.ann.username, "password": PASSWORD, **fields}
        visitor.post("/accounts/login/", said)
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


def found(raw: list[str], event: str) -> list[dict[str, Any]]:
    return [line for each in raw if (line := json.loads(each))["event"] == event]
