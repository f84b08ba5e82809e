"""Creates annotators in bulk, for programs that label."""

import re
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from al_engine.pools import campaigns
from annotator_site.accounts.models import TOKEN_DAYS, User
from annotator_site.accounts.tokens import create_token


@dataclass(frozen=True, slots=True)
class NewAnnotator:
    """A new annotator; the token cannot be shown a second time."""

    username: str
    token: str


@transaction.atomic
def create_annotators(
    *, campaign_id: int, count: int, prefix: str = "annotator", days: int | None = TOKEN_DAYS
) -> list[NewAnnotator]:
    """Create users `prefix`-1, -2, … (continuing after the highest) as annotators of a campaign.

    They log in by token alone, valid for `days` (None: forever), until staff set a password.
    """
    with connection.cursor() as cursor:
        # Serialize concurrent runs, so that no two take the same number.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('create_annotators'))")
        cursor.execute(
            "SELECT coalesce(max(substring(username FROM %s)::int), 0) FROM accounts_user "
            "WHERE username LIKE %s",
            [f"^{re.escape(prefix)}-([0-9]{{1,8}})$", f"{_like(prefix)}-%"],
        )
        (last,) = cursor.fetchone()
    made = []
    for number in range(last + 1, last + count + 1):
        user = User.objects.create(username=f"{prefix}-{number}", password=make_password(None))
        campaigns.join(campaign_id=campaign_id, user_id=user.pk)
        made.append(NewAnnotator(user.username, create_token(user=user, days=days)))
    return made


def _like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)
