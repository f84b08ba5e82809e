"""Addresses of the site's WebSockets."""

from annotator_site.labeling.routing import websocket_urlpatterns as labeling_urls
from annotator_site.monitor.routing import websocket_urlpatterns as monitor_urls

websocket_urlpatterns = [*labeling_urls, *monitor_urls]
