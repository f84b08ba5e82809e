"""Creation that happens once, however often its request arrives: the header `Idempotency-Key`.

The answer is kept in Django's cache, a table of the same database: it is written in the transaction
of what it tells of, so that neither is there without the other. A second request with the same key
waits for the first to end.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

import orjson
from django.core.cache import cache
from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from annotator_site.api.problems import BadField, Conflict

HEADER: Final = "Idempotency-Key"
KEPT_S: Final = 24 * 3600
LONGEST: Final = 200
REPEATED: Final = "Idempotency-Repeated"
"""Header of an answer that was given before."""


@transaction.atomic
def once(request: Request, create: Callable[[], Any], *, status: int = 201) -> Response:
    """Create something and answer with what `create` returns; with a known key, as before.

    Raises BadField for a bad key, Conflict if the key came with another body before.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return Response(create(), status=status)
    if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise BadField(HEADER, "This is no key.", f"Send 1 to {LONGEST} characters of ASCII.")
    name = f"api:{_digest([request.user.pk, request.path, key])}"
    body = _digest(request.data)
    if cache.add(name, [body, None], KEPT_S):
        created = orjson.loads(orjson.dumps(create(), default=str))
        cache.set(name, [body, created], KEPT_S)
        return Response(created, status=status)
    before, created = cache.get(name, [body, None])
    if before != body or created is None:
        raise Conflict("This key came with another request before: make a new key for each.")
    return Response(created, status=status, headers={REPEATED: "true"})


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
