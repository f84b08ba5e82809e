"""WebSockets of the labeling page."""

from typing import Any

from django.urls import path

from annotator_site.labeling.consumer import labeling

# Django's `path` is typed for views; Channels calls the same patterns with ASGI callables.
_application: Any = labeling

websocket_urlpatterns = [
    path("ws/campaigns/<slug:slug>/label/", _application),
]
