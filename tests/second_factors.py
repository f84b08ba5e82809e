"""Second factors for tests: the codes that an authenticator app would show."""

import time

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value

from annotator_site.accounts.models import User

PERIOD_S = 30


def code_of(secret: str, *, later: int = 0) -> str:
    """The code that the app shows now, or `later` periods of 30 s later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD_S + later)))


def give_second_factor(user: User) -> str:
    """Set up TOTP and recovery codes for a user; returns the TOTP secret."""
    secret = str(generate_totp_secret())
    TOTP.activate(user, secret)
    RecoveryCodes.activate(user)
    return secret


def recovery_codes(user: User) -> list[str]:
    """The unused recovery codes."""
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
    return list(row.wrap().get_unused_codes())
