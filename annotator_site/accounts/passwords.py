"""Rejects passwords made of the site's own words, which attackers try first (docs/security.md)."""

import re
from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

WORDS: Final = (
    *("nowait", "label", "labels", "labeler", "labeling", "labelling", "annotate", "annotator"),
    *("annotation", "campaign", "image", "images", "picture", "pictures", "dataset"),
    *("admin", "administrator", "administration", "owner", "staff", "user", "root", "guest"),
    *("password", "passwort", "login", "welcome", "willkommen", "test", "demo"),
)
"""Words for the site, its roles and its actions."""
MUST_BE_LEFT: Final = 4
"""Letters required besides these words: `nowait-2026!` has none, `nowait-otter` five."""
_LETTERS: Final = re.compile(r"[^\W\d_]+")


class SiteWordsValidator:
    """Rejects a password made of the site's own words, whatever digits and signs surround them.

    Passwords without any letter are left to other validators.
    """

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError for such a password."""
        letters = "".join(_LETTERS.findall(password.casefold()))
        left = letters
        for word in sorted(_words(), key=len, reverse=True):
            left = left.replace(word, " ")
        if left != letters and len(left.replace(" ", "")) < MUST_BE_LEFT:
            raise ValidationError(self.get_help_text(), code="password_of_site_words")

    def get_help_text(self) -> str:
        """The rule, in words for the user."""
        return _("Your password needs more than words that belong to this site.")


def _words() -> Iterator[str]:
    """WORDS, and the parts of the site's host names."""
    yield from WORDS
    for name in settings.ALLOWED_HOSTS:
        yield from (part for part in _LETTERS.findall(name.casefold()) if len(part) > 2)
