"""The second factor: TOTP codes of an app on the user's phone, besides the password.

It is optional. With STAFF_SECOND_FACTOR on, staff without one can reach no page of the admin, which
redirects them to its set-up, and no live page.
"""

import logging
from base64 import b32encode, urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.encoding import force_bytes

from annotator_site.accounts.models import User

log = logging.getLogger(__name__)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Stores TOTP secrets encrypted, so that a copy of the database yields no codes."""

    def get_totp_label(self, user: User) -> str:
        """The name that the app on the phone shows: the one typed at log-in."""
        return user.get_username()

    def encrypt(self, text: str) -> str:
        """Encrypt `text` with a key derived from SECRET_KEY."""
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt; under another SECRET_KEY return a random secret, which no code matches."""
        try:
            return _cipher().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            log.error(
                "A second factor was set up under another SECRET_KEY and cannot be checked: "
                "`manage.py remove_second_factor NAME` lets its person set up a new one."
            )
            return b32encode(token_bytes(20)).decode()


def has_second_factor(user: Any) -> bool:
    """Whether a log-in of this user asks for a code."""
    return bool(is_mfa_enabled(user, [Authenticator.Type.TOTP]))


def lacks_second_factor(user: Any) -> bool:
    """Whether this staff member has to set up a second factor first."""
    return settings.STAFF_SECOND_FACTOR and user.is_staff and not has_second_factor(user)


def remove_second_factor(user: User) -> bool:
    """Remove a user's second factor and its recovery codes; False: there was none."""
    return bool(Authenticator.objects.filter(user=user).delete()[0])


def _cipher() -> MultiFernet:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    keys = [sha256(b"second factor:" + force_bytes(each)).digest() for each in secrets]
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
