"""Users, and the tokens by which programs log in."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

TOKEN_DAYS: Final = 90
"""A token's lifetime in days, unless another is chosen."""


class User(AbstractUser):
    """A person, or a program that labels like one."""


class Scope(models.TextChoices):
    """What a token may be used for, within the rights of its user."""

    LABEL = "label", _("Label images")
    WATCH = "watch", _("Watch the live page of campaigns")
    READ = "read", _("Read campaigns, images and labels")
    MANAGE = "manage", _("Set up and run campaigns")


def every_scope() -> list[str]:
    """The value of every scope; the default of a token."""
    return list(Scope.values)


def usual_expiry() -> datetime:
    """When a token created now expires by default."""
    return timezone.now() + timedelta(days=TOKEN_DAYS)


class Token(models.Model):
    """A program's log-in (`Authorization: Token …`). Only its hash is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=100, blank=True, help_text="Which program this is for, so that it can be told."
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope), default=every_scope)
    # Null: never; has to be chosen explicitly.
    expires_at = models.DateTimeField("expires", null=True, blank=True, default=usual_expiry)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"token of {self.user}"


def token_digest(token: str) -> str:
    """The hash under which a token is stored: plain SHA-256, since tokens are long and random."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token_text() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)
