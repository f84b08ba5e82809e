"""WebSockets of the live page."""

from typing import Any

from django.urls import path

from annotator_site.monitor.consumer import monitor

# Django's `path` is typed for views; Channels calls the same patterns with ASGI callables.
_application: Any = monitor

websocket_urlpatterns = [
    path("ws/campaigns/<slug:slug>/monitor/", _application),
]
