"""Pages of the people who label."""

from django.urls import path

from annotator_site.labeling.page import introduction, views

urlpatterns = [
    path("", views.home, name="home"),
    path("c/<slug:slug>/", views.label, name="label"),
    path("c/<slug:slug>/examples.json", introduction.examples, name="examples"),
    path("c/<slug:slug>/practice.json", introduction.practice, name="practice"),
    path("c/<slug:slug>/passed/", introduction.passed, name="passed"),
]
