"""Making the tokens by which programs log in; `newcomers.py` looks them up."""

from annotator_site.accounts.models import Token, User, new_token_text, token_digest


def create_token(*, user: User) -> str:
    """Make a token for `user` and return it; it cannot be shown a second time."""
    token = new_token_text()
    Token.objects.create(user=user, digest=token_digest(token))
    return token
