"""The site as an ASGI application: Django serves pages, lean routes serve images and WebSockets."""

import atexit
import gc
import os
import sys
from typing import Any, Final

from channels.routing import ProtocolTypeRouter, URLRouter
from django import setup

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator_site.settings")
setup(set_prefix=False)

# Models can be imported only once Django is set up. The pages are, so that nobody waits for them.
import annotator_site.urls  # noqa: E402, F401
from annotator_site.accounts.newcomers import Newcomers  # noqa: E402
from annotator_site.accounts.socket_authentication import TokenOrSession  # noqa: E402
from annotator_site.images.addresses import PREFIX, load  # noqa: E402
from annotator_site.images.route import serve_image  # noqa: E402
from annotator_site.labeling.consumer import desks  # noqa: E402
from annotator_site.network import descriptors  # noqa: E402
from annotator_site.network.bodies import Bodies  # noqa: E402
from annotator_site.network.proxies import Proxied  # noqa: E402
from annotator_site.network.refusals import RefusedError, refuse  # noqa: E402
from annotator_site.network.strangers import Handshakes  # noqa: E402
from annotator_site.pages import PROBES, Handler, Pages  # noqa: E402
from annotator_site.response_headers import ResponseHeaders  # noqa: E402
from annotator_site.routing import websocket_urlpatterns  # noqa: E402
from annotator_site.security.log import tell_counts  # noqa: E402
from annotator_site.security.refusals import NotedRefusals  # noqa: E402

SOCKETS: Final = "/ws/"

pages = Pages(Handler())
pictures = NotedRefusals(serve_image, "picture")
sockets = TokenOrSession(URLRouter(websocket_urlpatterns), Newcomers(desks.pool))
asked_sockets = NotedRefusals(sockets, "socket")


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Serve HTTP. Images, and requests that ask why a WebSocket did not open, bypass Django."""
    if scope["path"].startswith(PREFIX):
        await pictures(scope, receive, send)
    elif _has_socket(scope["path"]):
        await asked_sockets(scope, receive, send)
    else:
        await pages(scope, receive, send)


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """Serve WebSockets. A handshake at an unknown address is refused and takes no place."""
    if _has_socket(scope["path"]):
        await sockets(scope, receive, send)
    else:
        await refuse(scope, send, RefusedError(404, "There is no WebSocket at this address."))


def _has_socket(path: str) -> bool:
    rest = path.removeprefix("/")
    return path.startswith(SOCKETS) and any(url.resolve(rest) for url in websocket_urlpatterns)


handshakes = NotedRefusals(Handshakes(websocket), "socket")
application = ResponseHeaders(
    Proxied(
        ProtocolTypeRouter({"http": Bodies(http), "websocket": handshakes}),
        spared=(*PROBES, PREFIX),
    )
)

# If daphne serves this application, it is imported by now and has not built its protocols yet.
if "daphne.server" in sys.modules:
    from annotator_site.network import with_daphne

    with_daphne.install()

descriptors.raise_limit()
load()
atexit.register(tell_counts)

# With thousands of connections, full collections at the default thresholds take most of the
# process's time. Freeze the objects from start-up, and make full collections rare. Young objects
# are collected in small steps: 600 refused connections leave garbage worth 50 ms of collecting.
gc.collect()
gc.freeze()
gc.set_threshold(2_000, 4, 15_000)

# A thread that serves a page or a new connection hands over the interpreter after 0.5 ms instead
# of 5: the one thread that serves labels might wait that long in each iteration of its loop.
sys.setswitchinterval(0.0005)
