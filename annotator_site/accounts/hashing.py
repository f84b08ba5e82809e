"""Passwords are hashed a few at a time, out of the way of those who label.

A hash takes a core for a third of a second on purpose. Here is the one place where it happens,
whoever asks for it: a log-in by any page, a name that nobody has, a new password.
"""

import os
import subprocess
import sys
import threading
from base64 import b64encode
from typing import Final

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection

AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 4)
"""In each process."""
GIVES_WAY: Final = 10
"""Steps of `nice`, half way to training: a busy machine serves labels first."""

_turns = threading.BoundedSemaphore(AT_ONCE)
# The password comes by the pipe: arguments and environments can be read by others.
_CHILD: Final = f"""
import hashlib, os, sys
if hasattr(os, "nice"):
    os.nice({GIVES_WAY})
digest, iterations, salt, password = sys.stdin.read().split(",")
hashed = hashlib.pbkdf2_hmac(digest, bytes.fromhex(password), bytes.fromhex(salt), int(iterations))
sys.stdout.buffer.write(hashed)
"""


class Hasher(PBKDF2PasswordHasher):
    """Django's own hash, made by a child process.

    A thread of this process would not do: one that is slow on purpose holds the interpreter now and
    then, and when it must wait for a core in that moment, so must all who label.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash of a password, once there is a turn for it, as Django stores it."""
        self._check_encode_args(password, salt)  # type: ignore[attr-defined]  # not in its stubs
        _give_connection_back()
        iterations = iterations or self.iterations
        with _turns:
            try:
                hashed = self._derive(password, salt, iterations)
            except OSError:  # no process can be started now
                return super().encode(password, salt, iterations)
        return f"{self.algorithm}${iterations}${salt}${b64encode(hashed).decode('ascii')}"

    def _derive(self, password: str, salt: str, iterations: int) -> bytes:
        values = (self.digest().name, str(iterations), salt.encode().hex(), password.encode().hex())
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CHILD],
            input=",".join(values).encode(),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout


def _give_connection_back() -> None:
    """Who waits here takes no connection of the pool from others.

    The next query gets one again. In a transaction, where staff set passwords, it stays.
    """
    if "pool" in connection.settings_dict["OPTIONS"] and not connection.in_atomic_block:
        connection.close()
