"""People who log in, and the tokens of programs that do."""

import hashlib
import secrets

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Now


class User(AbstractUser):
    """A person, or a program that stands for one."""


class Token(models.Model):
    """A program's log-in (`Authorization: Token …`). Only its hash is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"token of {self.user}"


def token_digest(token: str) -> str:
    """The hash under which a token is stored: SHA-256, since tokens are long and random."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token_text() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)
