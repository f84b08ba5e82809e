"""Addresses of the site."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from annotator_site.health import healthz, readyz

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("annotator_site.accounts.urls")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("", include("annotator_site.labeling.urls")),
]
