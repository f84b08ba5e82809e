"""Addresses of images: content-addressed, signed, good for one to two weeks.

An address is enough to fetch its image, without a session or a database query, and caches may keep
it forever: the bytes under an address never change. An address stays the same all week, so that a
browser does not fetch an image again. For images in object storage, the storage's own signed
addresses are used instead.

An address also names the key that signed it, so that an address of another host with another
SECRET_KEY is told from a forged one.
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
_KEY_NAME_LENGTH: Final = 6


def image_url(key: str) -> str:
    """The address of the image stored under `key` (`images/…`)."""
    if signed_by_storage := _storage_signs():
        return signed_by_storage(key)
    week = _this_week()
    signature = f"k={_key_name()}&s={_signature(key, week)}"
    return f"{PREFIX}{key.removeprefix('images/')}?w={week}&{signature}"


def load() -> None:
    """Load what the first address needs before anybody waits for it; does nothing for local files.

    Raises ImproperlyConfigured if addresses cannot be signed.
    """
    if signed_by_storage := _storage_signs():
        try:
            signed_by_storage("images/0")
        except OSError as error:
            raise ImproperlyConfigured(str(error)) from error


class SignedElsewhere(ValueError):
    """An address that was signed with another key than this process has."""


def key_of(path: str, week: str, key_name: str, signature: str) -> str | None:
    """The storage key that a signed address names, or None if it is forged or too old.

    Raises SignedElsewhere if it names another signing key.
    """
    if len(key_name) == _KEY_NAME_LENGTH and key_name != _key_name():
        raise SignedElsewhere
    # Compared as text: `int` would raise for thousands of digits.
    this_week = _this_week()
    signed = {str(each): each for each in (this_week, this_week - 1)}.get(week)
    if signed is None:
        return None
    key = f"images/{path.removeprefix(PREFIX)}"
    # As bytes: `compare_digest` raises for text that is not ASCII.
    good = hmac.compare_digest(_signature(key, signed).encode(), signature.encode())
    return key if good and key_name == _key_name() else None


def _this_week() -> int:
    return int(time.time()) // _WEEK_SECONDS


def _signature(key: str, week: int) -> str:
    digest = hmac.digest(_signing_key(), f"{week}:{key}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:18]).decode()


@cache
def _signing_key() -> bytes:
    return hashlib.sha256(b"nowait image addresses:" + settings.SECRET_KEY.encode()).digest()


@cache
def _key_name() -> str:
    """Identifies the signing key without revealing it."""
    digest = hashlib.sha256(b"name of a key:" + _signing_key()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_KEY_NAME_LENGTH]


@cache
def _storage_signs() -> Callable[[str], str] | None:
    signed: Callable[[str], str] | None = getattr(default_storage, "signed_url", None)
    return signed
