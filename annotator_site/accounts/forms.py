"""The form that creates a token, on the account page and in the admin."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy as pgettext

from annotator_site.accounts.models import TOKEN_DAYS, Scope, Token

if TYPE_CHECKING:
    FormOfToken = forms.ModelForm[Token]
else:
    FormOfToken = forms.ModelForm

MAX_TOKENS: Final = 100
"""Tokens per user; a program needs one."""
_NEVER: Final = "never"
_LIFETIMES: Final = [
    ("7", _("in 7 days")),
    ("30", _("in 30 days")),
    (str(TOKEN_DAYS), _("in 90 days")),
    ("365", _("in a year")),
    (_NEVER, pgettext("expires", "never")),
]


class TokenForm(FormOfToken):
    """A token's name, scopes and lifetime."""

    scopes = forms.MultipleChoiceField(
        label=_("What it is for"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    lifetime = forms.ChoiceField(
        label=_("Expires"), choices=_LIFETIMES, initial=str(TOKEN_DAYS), widget=forms.RadioSelect
    )

    class Meta:
        model = Token
        fields = ["name"]

    @property
    def days(self) -> int | None:
        """The token's lifetime in days; None: it never expires."""
        lifetime = self.cleaned_data["lifetime"]
        return None if lifetime == _NEVER else int(lifetime)


class OwnTokenForm(TokenForm):
    """For a user's own tokens, with the scopes that are `offered` to them."""

    name = forms.CharField(label=_("Name of the program"), max_length=100)

    def __init__(self, *args: Any, offered: Sequence[Scope], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = cast("forms.MultipleChoiceField", self.fields["scopes"])
        scopes.choices = [(scope.value, scope.label) for scope in offered]
