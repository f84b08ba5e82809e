"""Pages of the people who label."""

from django.urls import path

from annotator_site.labeling import views

urlpatterns = [
    path("", views.home, name="home"),
    path("c/<slug:slug>/", views.label, name="label"),
]
