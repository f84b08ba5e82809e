"""Addresses of images: content-addressed, signed, good for one to two weeks.

Whoever was given an address may fetch the image without a session or a query, and caches may
keep it for ever: the bytes under an address never change. An address is the same all week,
so that a browser that has the image does not fetch it again. Where images are in object storage,
its own signed addresses take the place of ours.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from functools import cache
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage

PREFIX: Final = "/i/"
_WEEK_SECONDS: Final = 7 * 24 * 3600


def image_url(key: str) -> str:
    """The address of the image that the storage has under `key` (`images/…`)."""
    if signed_by_storage := _storage_signs():
        return signed_by_storage(key)
    week = _this_week()
    return f"{PREFIX}{key.removeprefix('images/')}?w={week}&s={_signature(key, week)}"


def load() -> None:
    """Load what the first address needs before anybody waits for it; nothing for local files.

    Raises ImproperlyConfigured where addresses cannot be signed.
    """
    if signed_by_storage := _storage_signs():
        try:
            signed_by_storage("images/0")
        except OSError as error:
            raise ImproperlyConfigured(str(error)) from error


def key_of(path: str, week: str, signature: str) -> str | None:
    """The storage key that a signed address names, or None where it is forged or too old."""
    # Compared as text: `int` would raise for thousands of digits.
    this_week = _this_week()
    signed = {str(each): each for each in (this_week, this_week - 1)}.get(week)
    if signed is None:
        return None
    key = f"images/{path.removeprefix(PREFIX)}"
    # As bytes: `compare_digest` raises for text that is not ASCII.
    good = hmac.compare_digest(_signature(key, signed).encode(), signature.encode())
    return key if good else None


def _this_week() -> int:
    return int(time.time()) // _WEEK_SECONDS


def _signature(key: str, week: int) -> str:
    digest = hmac.digest(_signing_key(), f"{week}:{key}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:18]).decode()


@cache
def _signing_key() -> bytes:
    return hashlib.sha256(b"nowait image addresses:" + settings.SECRET_KEY.encode()).digest()


@cache
def _storage_signs() -> Callable[[str], str] | None:
    signed: Callable[[str], str] | None = getattr(default_storage, "signed_url", None)
    return signed
