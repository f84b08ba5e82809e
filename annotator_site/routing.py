"""URL patterns of the site's WebSockets."""

from typing import Any

from django.urls import path

from annotator_site.labeling.consumer import labeling
from annotator_site.monitor.consumer import monitor

# Django's `path` is typed for views; Channels calls the same patterns with ASGI callables.
_labeling: Any = labeling
_monitor: Any = monitor

websocket_urlpatterns = [
    path("ws/campaigns/<slug:slug>/label/", _labeling),
    path("ws/campaigns/<slug:slug>/monitor/", _monitor),
]
