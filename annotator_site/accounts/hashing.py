"""Passwords are hashed a few at a time, out of the way of those who label.

A hash takes a core for a third of a second on purpose. Here is the one place where it happens,
whoever asks for it: a log-in by any page, a name that nobody has, a new password.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection

AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 4)
"""In each process; OpenSSL gives the interpreter back meanwhile, but no core."""
GIVES_WAY: Final = 10
"""Steps of `nice`, half way to training: a busy machine serves labels first."""


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        thread = threading.get_native_id()
        with suppress(OSError):  # forbidden by some sandboxes
            before = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, before + GIVES_WAY)


_threads = ThreadPoolExecutor(AT_ONCE, "passwords", initializer=_give_way)


class Hasher(PBKDF2PasswordHasher):
    """Django's own, in threads of its own."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash of a password, once there is a turn for it."""
        _give_connection_back()
        return _threads.submit(super().encode, password, salt, iterations).result()


def _give_connection_back() -> None:
    """Who waits here takes no connection of the pool from others.

    The next query gets one again. In a transaction, where staff set passwords, it stays.
    """
    if "pool" in connection.settings_dict["OPTIONS"] and not connection.in_atomic_block:
        connection.close()
