"""Give a test run its own folder for state; loaded by `-p` in pyproject.toml.

A plugin rather than a part of conftest.py, because pytest-django loads the settings, which read the
environment once, before any conftest.py is imported.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

VAR = Path(tempfile.mkdtemp(prefix="nowait-tests-"))
VAR.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through

os.environ["NOWAIT_VAR"] = str(VAR)
os.environ["NOWAIT_ROLE"] = "test"
for name in (
    *("ALLOWED_HOSTS", "HTTPS", "HSTS_SUBDOMAINS", "BEHIND_PROXY", "SECURITY_CONTACT"),
    *("DEBUG", "STORAGE_URL"),
):
    os.environ.pop(name, None)

# SIGTERM ends the run like Ctrl-C, so that no server is left behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Stop this run's bundled PostgreSQL, if a test has started it, and remove the folder."""
    if (VAR / "postgres").exists():
        from annotator_site import embedded_postgres

        embedded_postgres.stop(VAR)
    shutil.rmtree(VAR, ignore_errors=True)
