"""URL patterns of the site."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from annotator_site import security_contact
from annotator_site.accounts.log_in import admin_log_in, admin_password_change
from annotator_site.health import healthz, readyz

admin.autodiscover()
# The site's own log-in and password change replace the administration's, which would bypass them.
admin.site.login = admin_log_in  # type: ignore[method-assign, assignment]
admin.site.password_change = admin_password_change  # type: ignore[method-assign, assignment]

handler500 = "annotator_site.api.site_errors.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("annotator_site.accounts.urls")),
    path("language/", set_language, name="set_language"),
    path("healthz", healthz),
    path("readyz", readyz),
    path(security_contact.PATH, security_contact.security_txt, name="security_txt"),
    path("", include("annotator_site.api.urls")),
    path("", include("annotator_site.labeling.page.urls")),
]
