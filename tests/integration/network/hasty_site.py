"""The site, with little time for strangers: what takes twenty seconds there takes one here.

At `TOLD_AT` it tells the networks of the connections that owe a request, as a JSON list.
"""

import json
import sys
from typing import Any, Final

from annotator_site.network import limits

limits.FORM_S = limits.ADMIN_S = limits.HEADERS_S = 1.0  # type: ignore[misc]
# Whoever runs this site may have read them already.
for name in ("with_daphne", "with_uvicorn"):
    if module := sys.modules.get(f"annotator_site.network.{name}"):
        module.HEADERS_S = limits.HEADERS_S  # type: ignore[attr-defined]

from annotator_site.asgi import application as site  # noqa: E402
from annotator_site.network.unfinished import unfinished  # noqa: E402

TOLD_AT: Final = "/networks-that-owe-a-request"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The site, or what is told."""
    if scope.get("path") != TOLD_AT:
        await site(scope, receive, send)
        return
    body = json.dumps([network for _, network, _ in unfinished._waiting.values()]).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
