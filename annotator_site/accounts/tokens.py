"""Creates the tokens by which programs log in; `newcomers.py` looks them up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from annotator_site.accounts.models import (
    TOKEN_DAYS,
    Token,
    User,
    every_scope,
    new_token_text,
    token_digest,
)


def create_token(
    *,
    user: User,
    name: str = "",
    scopes: Sequence[str] | None = None,
    days: int | None = TOKEN_DAYS,
) -> str:
    """Create a token for `user` and return its text, which cannot be shown a second time.

    It is valid for `scopes` (None: all) and for `days` (None: forever).
    """
    token = new_token_text()
    Token.objects.create(
        user=user,
        name=name,
        digest=token_digest(token),
        scopes=every_scope() if scopes is None else list(scopes),
        expires_at=expiry(days),
    )
    return token


def expiry(days: int | None) -> datetime | None:
    """When a token created now for `days` expires; None: never."""
    return None if days is None else timezone.now() + timedelta(days=days)
