"""Who asks: a program by its token, or a page of this site by its session."""

from typing import Any, Final

from django.db.models import Q
from django.db.models.functions import Now
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from annotator_site.accounts.models import Token, User, token_digest
from annotator_site.accounts.second_factor import lacks_second_factor

KEYWORD: Final = "token"


class ByToken(BaseAuthentication):
    """`Authorization: Token …`; `request.auth` is then the token's row."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """The user and the token; None without such a header. Raises AuthenticationFailed."""
        keyword, _, text = request.headers.get("Authorization", "").strip().partition(" ")
        if keyword.lower() != KEYWORD:
            return None
        token = (
            Token.objects.select_related("user")
            .filter(Q(expires_at=None) | Q(expires_at__gt=Now()))
            .filter(digest=token_digest(text.strip()), user__is_active=True)
            .first()
        )
        if token is None:
            raise AuthenticationFailed(
                "This token is unknown, has expired, or its user is switched off: create one on "
                "the account page."
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 says in WWW-Authenticate."""
        return "Token"


class BySession(SessionAuthentication):
    """The session of a logged-in person; changes need the CSRF token, as forms do."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """The user. Raises PermissionDenied without the CSRF token or a required second factor."""
        found = super().authenticate(request)
        if found is not None and lacks_second_factor(found[0]):
            raise PermissionDenied(
                "Staff need a second factor here: set it up on the account page, or use a token."
            )
        return found
