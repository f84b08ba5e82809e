"""Account pages: users manage their own password, second factor, sessions and tokens."""

from typing import Any, cast

from allauth.account.decorators import reauthentication_required
from allauth.account.views import PasswordChangeView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from annotator_site.accounts.forms import MAX_TOKENS, OwnTokenForm
from annotator_site.accounts.models import Scope, Token, User
from annotator_site.accounts.own_sessions import end_one, end_others, sessions_of
from annotator_site.accounts.second_factor import lacks_second_factor
from annotator_site.accounts.tokens import create_token


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """The whole account on one page."""
    user = _person(request)
    factors = {each.type: each for each in Authenticator.objects.filter(user=user)}
    codes = factors.get(Authenticator.Type.RECOVERY_CODES)
    return render(
        request,
        "accounts/account.html",
        {
            "second_factor": factors.get(Authenticator.Type.TOTP),
            "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
            "lacks_second_factor": lacks_second_factor(user),
            "sessions": sessions_of(request),
            "tokens": [
                {"token": token, "scopes": [Scope(each).label for each in token.scopes]}
                for token in _live_tokens(user)
            ],
        },
    )


class PasswordChange(PasswordChangeView):  # type: ignore[misc]
    """Changes the password; all other sessions end, as they began under the former one."""

    template_name = "accounts/password.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse users without a password: staff set their first one."""
        if request.user.is_authenticated and not request.user.has_usable_password():
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


class SecondFactorOn(ActivateTOTPView):  # type: ignore[misc]
    """Shows the TOTP secret to the app on the phone, and asks for its first code."""

    template_name = "accounts/second_factor_on.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add `asked_for`: whether the site requires a second factor of this user."""
        asked_for = lacks_second_factor(self.request.user)
        return {**super().get_context_data(**kwargs), "asked_for": asked_for}

    def form_valid(self, form: Any) -> HttpResponse:
        """The code is right: end other sessions, so that they need a code as well."""
        response: HttpResponse = super().form_valid(form)
        end_others(self.request)
        return response


@require_POST
@login_required
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End all other sessions, or the one whose pk is given."""
    number = request.POST.get("session", "")
    if number.isascii() and number.isdigit() and len(number) < 19:
        end_one(request, int(number))
        messages.success(request, gettext("That session is ended."))
    elif "others" in request.POST:
        end_others(request)
        messages.success(request, gettext("All other sessions are ended."))
    return redirect("account")


@reauthentication_required  # type: ignore[untyped-decorator]
def new_token(request: HttpRequest) -> HttpResponse:
    """Create a token for a program of the user's, and show it once."""
    user = _person(request)
    if _live_tokens(user).count() >= MAX_TOKENS:
        messages.error(request, gettext("You have too many tokens: end some first."))
        return redirect("account")
    form = OwnTokenForm(request.POST or None, offered=_scopes_within(user))
    if not form.is_valid():
        return render(request, "accounts/new_token.html", {"form": form})
    name, scopes = form.cleaned_data["name"], form.cleaned_data["scopes"]
    text = create_token(user=user, name=name, scopes=scopes, days=form.days)
    return render(request, "accounts/token_made.html", {"name": name, "text": text})


@require_POST
@login_required
def end_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one of the user's own tokens."""
    Token.objects.filter(user=_person(request), pk=pk).delete()
    messages.success(request, gettext("That token is ended."))
    return redirect("account")


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)


def _live_tokens(user: User) -> Any:
    return Token.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), user=user)


def _scopes_within(user: User) -> list[Scope]:
    """The scopes that a token of this user can have."""
    sees = any(user.has_perm(f"pools.{verb}_campaign") for verb in ("view", "change"))
    runs_some = user.is_staff and sees and not lacks_second_factor(user)
    return list(Scope) if runs_some else [Scope.LABEL]
