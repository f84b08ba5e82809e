"""Hashes passwords a few at a time, so that labeling is not slowed down.

By design a hash takes a third of a second of one core. All hashing goes through this module:
log-ins by any page, unknown user names, new passwords.
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
"""Concurrent hashes per process."""
GIVES_WAY: Final = 10
"""Niceness of a hash, about half that of training: a busy machine serves labels first."""

_turns = threading.BoundedSemaphore(AT_ONCE)
# The password comes by stdin: other users can read arguments and environments.
_CHILD: Final = f"""
import hashlib, os, sys
if hasattr(os, "nice"):
    os.nice({GIVES_WAY})
digest, iterations, salt, password = sys.stdin.read().split(",")
hashed = hashlib.pbkdf2_hmac(digest, bytes.fromhex(password), bytes.fromhex(salt), int(iterations))
sys.stdout.buffer.write(hashed)
"""


class Hasher(PBKDF2PasswordHasher):
    """Django's PBKDF2 hash, computed by a child process.

    A thread would hold the interpreter now and then, and if it had to wait for a core in that
    moment, labeling would wait with it.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash of a password in Django's format; waits until fewer than AT_ONCE are running."""
        self._check_encode_args(password, salt)  # type: ignore[attr-defined]  # not in its stubs
        _give_connection_back()
        iterations = iterations or self.iterations
        with _turns:
            try:
                hashed = self._derive(password, salt, iterations)
            except (OSError, subprocess.SubprocessError):  # none can be started, or it was killed
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
    """Return this thread's pooled connection while it waits; its next query takes one again.

    Within a transaction, where staff set passwords, the connection is kept.
    """
    if "pool" in connection.settings_dict["OPTIONS"] and not connection.in_atomic_block:
        connection.close()
