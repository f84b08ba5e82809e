"""Log-in by name and password, then by code for users with a second factor.

All people log in here; the admin's own form would not ask for the code.
"""

from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import perform_login
from django.contrib import admin, messages
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from annotator_site.accounts.own_sessions import make_room
from annotator_site.network.addresses import request_address

_UNKNOWN_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - no address is bound
# Our texts for allauth's messages; others are dropped, as the next page says the same.
_SAID: Final = {
    "account/messages/password_changed.txt": _(
        "Your password is changed, and you are logged out everywhere but here."
    ),
    "mfa/messages/totp_activated.txt": _(
        "Your second factor is on, and you are logged out everywhere but here."
    ),
    "mfa/messages/totp_deactivated.txt": _("Your second factor is off."),
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Adapts allauth: accounts are created by staff, and no mail is sent."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Sign-up is closed."""
        return False

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """The user was deactivated between the password and the code: log in again."""
        return redirect("login")

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        """End surplus sessions, and redirect to the page that was asked for."""
        make_room(user)
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to the account page."""
        return reverse("account")

    def is_ajax(self, request: HttpRequest) -> bool:
        """Always answer with pages, also to clients that ask for JSON."""
        return False

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Only by code for users with a second factor: else the password could turn it off."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        by_code = [each for each in methods if each["id"] == "mfa_reauthenticate"]
        return by_code or methods

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that a session begins from; 0.0.0.0 over a Unix socket."""
        return request_address(request) or _UNKNOWN_ADDRESS

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *_args: Any,
        **_kwargs: Any,
    ) -> None:
        """Show our text for allauth's message, if there is one."""
        if said := _SAID.get(message_template or ""):
            messages.add_message(request, level, said)


class LogIn(LoginView):
    """Django's log-in page; allauth then asks for the second factor and logs in."""

    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """The password is right: let allauth go on."""
        wanted = self.get_redirect_url() or None
        response: HttpResponse = perform_login(self.request, form.get_user(), redirect_url=wanted)
        return response


def admin_log_in(
    request: HttpRequest, extra_context: dict[str, Any] | None = None
) -> HttpResponseBase:
    """Replaces the admin's log-in form: redirects to the site's log-in page, and from there back.

    Raises PermissionDenied for users without access to the admin.
    """
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if not admin.site.has_permission(request):
        raise PermissionDenied
    return redirect("admin:index")


def admin_password_change(
    request: HttpRequest, extra_context: dict[str, Any] | None = None
) -> HttpResponseBase:
    """Replaces the admin's own form: redirects to the account's."""
    return redirect("account_change_password")
