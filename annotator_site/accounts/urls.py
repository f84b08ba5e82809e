"""Log-in, log-out and the account page. allauth looks up some addresses by its own names."""

from allauth.account.views import ReauthenticateView
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateByCodeView
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import DeactivateTOTPView
from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.generic import RedirectView

from annotator_site.accounts import views
from annotator_site.accounts.log_in import LogIn

log_in = LogIn.as_view()

urlpatterns = [
    path("", views.account, name="account"),
    path("login/", log_in, name="login"),
    path("login/", log_in, name="account_login"),
    path(
        "login/code/",
        AuthenticateView.as_view(template_name="accounts/code.html"),
        name="mfa_authenticate",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", views.PasswordChange.as_view(), name="account_change_password"),
    path(
        "confirm/",
        ReauthenticateView.as_view(template_name="accounts/confirm.html"),
        name="account_reauthenticate",
    ),
    path(
        "confirm/code/",
        ReauthenticateByCodeView.as_view(template_name="accounts/confirm_by_code.html"),
        name="mfa_reauthenticate",
    ),
    path("second-factor/", RedirectView.as_view(pattern_name="account"), name="mfa_index"),
    path("second-factor/on/", views.SecondFactorOn.as_view(), name="mfa_activate_totp"),
    path(
        "second-factor/off/",
        DeactivateTOTPView.as_view(template_name="accounts/second_factor_off.html"),
        name="mfa_deactivate_totp",
    ),
    path(
        "second-factor/recovery/",
        ViewRecoveryCodesView.as_view(template_name="accounts/recovery_codes.html"),
        name="mfa_view_recovery_codes",
    ),
    path(
        "second-factor/recovery/new/",
        GenerateRecoveryCodesView.as_view(template_name="accounts/new_recovery_codes.html"),
        name="mfa_generate_recovery_codes",
    ),
    path("sessions/end/", views.end_sessions, name="end_sessions"),
    path("tokens/new/", views.new_token, name="new_token"),
    path("tokens/<int:pk>/end/", views.end_token, name="end_token"),
]
