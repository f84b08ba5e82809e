"""The site as it is while there is no place at any of its doors."""

from annotator_site import asgi
from annotator_site.door import Door

application = asgi.application

_pages, _sockets = asgi.pages, asgi.sockets
_pages.short = _pages.slow = _pages.passwords = _sockets.door = Door(places=0, patience_s=0.0)
