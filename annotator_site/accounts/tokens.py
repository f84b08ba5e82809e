"""Making and checking the tokens by which programs log in."""

from annotator_site.accounts.models import Token, User, new_token_text, token_digest


def create_token(*, user: User) -> str:
    """Make a token for `user` and return it; it cannot be shown a second time."""
    token = new_token_text()
    Token.objects.create(user=user, digest=token_digest(token))
    return token


def user_of_token(token: str) -> User | None:
    """Whose token this is, or None where it is nobody's or the person was deactivated."""
    row = Token.objects.select_related("user").filter(digest=token_digest(token)).first()
    if row is None or not row.user.is_active:
        return None
    return row.user
