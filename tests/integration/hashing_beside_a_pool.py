"""A web process of whose people many log in at once: prints what was seen as one JSON object.

`queued`: the attempts that waited for their turn at the same moment; `connections`: those of the
pool that were taken then; `at_once`: the most that were hashed together; `nice`: how much later
than this process they come at the processor.
"""

import json
import os
import threading
from typing import Any

import django
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import RequestFactory

django.setup(set_prefix=False)

from django.db import connection  # noqa: E402

from annotator_site.accounts import hashing  # noqa: E402

ATTEMPTS = 24
encode = PBKDF2PasswordHasher.encode
running: set[int] = set()
most = 0


def watched(*args: Any) -> str:
    """The hash, beside how many others."""
    global most
    running.add(threading.get_ident())
    most = max(most, len(running))
    try:
        return encode(*args)
    finally:
        running.discard(threading.get_ident())


def attempt(number: int) -> None:
    """One person's log-in; every second name is nobody's."""
    request = RequestFactory().post("/", REMOTE_ADDR=f"192.0.2.{number}")
    authenticate(request, username="cy" if number % 2 else f"nobody {number}", password="x")
    connection.close()


def nice() -> int:
    """Of the thread that asks."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


PBKDF2PasswordHasher.encode = watched  # type: ignore[method-assign,assignment]
hashing.Hasher.iterations = 1000
gate = threading.Barrier(hashing.AT_ONCE + 1)
gates = [hashing._threads.submit(gate.wait) for _ in range(hashing.AT_ONCE)]
people = [threading.Thread(target=attempt, args=[number]) for number in range(ATTEMPTS)]
for thread in people:
    thread.start()
waiting = hashing._threads._work_queue
for _ in range(1000):
    if waiting.qsize() == ATTEMPTS:
        break
    people[0].join(0.01)
queued = waiting.qsize()
stats = connection.pool.get_stats()  # type: ignore[attr-defined]
gate.wait()
for thread in people:
    thread.join()
seen = {
    "queued": queued,
    "connections": stats["pool_size"] - stats["pool_available"],
    "at_once": most,
    "nice": hashing._threads.submit(nice).result() - nice(),
}
connection.close_pool()  # type: ignore[attr-defined]
print(json.dumps(seen))
