"""The site as an ASGI application: pages by Django, images and WebSockets beside it."""

import atexit
import gc
import os
import sys
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django import setup

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator_site.settings")
setup(set_prefix=False)

# Models can be imported only once Django is set up.
from annotator_site.accounts.newcomers import Newcomers  # noqa: E402
from annotator_site.labeling.authentication import TokenOrSession  # noqa: E402
from annotator_site.labeling.consumer import desks  # noqa: E402
from annotator_site.labeling.image_route import serve_image  # noqa: E402
from annotator_site.labeling.image_urls import PREFIX, load  # noqa: E402
from annotator_site.network import descriptors  # noqa: E402
from annotator_site.network.bodies import Bodies  # noqa: E402
from annotator_site.network.proxies import Proxied  # noqa: E402
from annotator_site.pages import PROBES, Handler, Pages  # noqa: E402
from annotator_site.response_headers import ResponseHeaders  # noqa: E402
from annotator_site.routing import websocket_urlpatterns  # noqa: E402
from annotator_site.security.log import tell_counts  # noqa: E402
from annotator_site.security.refusals import NotedRefusals  # noqa: E402

pages = Pages(Handler())
pictures = NotedRefusals(serve_image)


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Images go past Django; everything else is a page."""
    if scope["path"].startswith(PREFIX):
        await pictures(scope, receive, send)
    else:
        await pages(scope, receive, send)


async def no_such_socket(_scope: Any, receive: Any, send: Any) -> None:
    """Refuse a WebSocket at an address that has none (the browser sees HTTP 403)."""
    await receive()
    await send({"type": "websocket.close"})


sockets = TokenOrSession(URLRouter(websocket_urlpatterns), Newcomers(desks.pool))
noted_sockets = NotedRefusals(sockets)


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """An address without a socket takes no place at the door."""
    path = scope["path"].removeprefix("/")
    known = any(url.resolve(path) for url in websocket_urlpatterns)
    await (noted_sockets if known else no_such_socket)(scope, receive, send)


application = ResponseHeaders(
    Proxied(
        ProtocolTypeRouter({"http": Bodies(http), "websocket": websocket}), spared=(*PROBES, PREFIX)
    )
)

# Where daphne serves this, it is loaded and has built nothing yet.
if "daphne.server" in sys.modules:
    from annotator_site.network import with_daphne

    with_daphne.install()

descriptors.raise_limit()
load()
atexit.register(tell_counts)

# With thousands of connections the collector's defaults make full collections eat the
# process: what start-up left is never looked at again, and the rest seldom.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 50, 50)

# A thread with a page or an arrival in it gives the interpreter back after half a millisecond, not
# after five: labels are served by one thread, which would wait so long at every turn of its loop.
sys.setswitchinterval(0.0005)
