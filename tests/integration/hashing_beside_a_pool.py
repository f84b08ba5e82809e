"""A web process of whose people many log in at once: prints what was seen as one JSON object.

`queued`: the attempts that waited for their turn at the same moment; `connections`: those of the
pool that were taken then; `at_once`: the most that were hashed together; `nice`: how much later
than this process those come at the processor who hash.
"""

import json
import os
import subprocess
import threading
from contextlib import suppress
from typing import Any

import django
import psutil
from django.contrib.auth import authenticate
from django.test import RequestFactory

django.setup(set_prefix=False)

from django.db import connection  # noqa: E402

from annotator_site.accounts import hashing  # noqa: E402

ATTEMPTS = 24
run = subprocess.run
running: set[int] = set()
waiting: set[int] = set()
most = 0
niceness: set[int] = set()
over = threading.Event()


def watched(*args: Any, **options: Any) -> Any:
    """What a child process does, beside how many others."""
    global most
    running.add(threading.get_ident())
    most = max(most, len(running))
    try:
        return run(*args, **options)
    finally:
        running.discard(threading.get_ident())


def attempt(number: int) -> None:
    """One person's log-in; every second name is nobody's."""
    request = RequestFactory().post("/", REMOTE_ADDR=f"192.0.2.{number}")
    authenticate(request, username="cy" if number % 2 else f"nobody {number}", password="x")
    connection.close()


def look_at_children() -> None:
    """How nice they get."""
    while not over.wait(0.001):
        with suppress(psutil.Error):
            niceness.update(child.nice() for child in psutil.Process().children())


class Counting(threading.BoundedSemaphore):
    """Who waits in front of it is counted."""

    def __enter__(self, blocking: bool = True, timeout: float | None = None) -> bool:
        waiting.add(threading.get_ident())
        try:
            return super().__enter__()
        finally:
            waiting.discard(threading.get_ident())


subprocess.run = watched
hashing.Hasher.iterations = 1000
hashing._turns = Counting(hashing.AT_ONCE)
for _ in range(hashing.AT_ONCE):
    hashing._turns.acquire()
people = [threading.Thread(target=attempt, args=[number]) for number in range(ATTEMPTS)]
for thread in people:
    thread.start()
for _ in range(1000):
    if len(waiting) == ATTEMPTS:
        break
    people[0].join(0.01)
queued = len(waiting)
stats = connection.pool.get_stats()  # type: ignore[attr-defined]
hashing._turns.release(hashing.AT_ONCE)
watcher = threading.Thread(target=look_at_children)
watcher.start()
for thread in people:
    thread.join()
over.set()
watcher.join()
seen = {
    "queued": queued,
    "connections": stats["pool_size"] - stats["pool_available"],
    "at_once": most,
    "nice": max(niceness) - os.getpriority(os.PRIO_PROCESS, 0),
}
connection.close_pool()  # type: ignore[attr-defined]
print(json.dumps(seen))
