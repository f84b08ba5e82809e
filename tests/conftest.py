"""Fixtures for a real PostgreSQL, a real web server and a real browser.

Unless DATABASE_URL is set, the tests use the bundled PostgreSQL in a folder of their own
(own_var.py). It starts with the first test that needs a database and stops at the end of the run.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import pbkdf2_hmac
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connections
from django.utils import translation
from playwright.sync_api import Browser, sync_playwright

from annotator_site.accounts.hashing import Hasher

Derive = Callable[[Hasher, str, str, int], bytes]
ROOT = Path(__file__).resolve().parent.parent
WEB_START_TIMEOUT_S = 60.0
# Tests that take minutes: they start, and kill, whole sites or runs of experiments.
LONG = ("tests/unit/lab/test_running.py", "tests/faults/", "tests/integration/engine/")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """English in every test: a German page through the test client leaves German active."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True, scope="session")
def derive() -> Iterator[Derive]:
    """Password hashes take no time and no process in tests; the product's own way to derive one."""

    def at_once(self: Hasher, password: str, salt: str, iterations: int) -> bytes:
        return pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)

    with pytest.MonkeyPatch.context() as patch:
        derive: Derive = Hasher._derive
        patch.setattr(Hasher, "_derive", at_once)
        patch.setattr(Hasher, "iterations", 1)
        yield derive


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Start the bundled PostgreSQL just before pytest-django creates the test database in it."""
    if settings.USES_BUNDLED_POSTGRES:
        from annotator_site import embedded_postgres

        embedded_postgres.ensure_running(settings.VAR)


@pytest.fixture(scope="session")
def test_environment(django_db_setup: None) -> dict[str, str]:
    """The environment for child processes: the test database and the same SECRET_KEY."""
    database = str(connections["default"].settings_dict["NAME"])
    if settings.USES_BUNDLED_POSTGRES:
        from bundled_postgres import connection_url

        url = connection_url(settings.VAR, database)
    else:
        address, mark, query = os.environ["DATABASE_URL"].partition("?")
        url = f"{address.rpartition('/')[0]}/{quote(database)}{mark}{query}"
    return {**os.environ, "DATABASE_URL": url, "SECRET_KEY": settings.SECRET_KEY}


@pytest.fixture
def free_port() -> int:
    """A free port of this machine."""
    return _free_port()


@pytest.fixture(scope="session")
def live_site(test_environment: dict[str, str]) -> Iterator[str]:
    """The base URL of a real web process on the test database, for the whole run.

    It sees committed data only: use it with `@pytest.mark.django_db(transaction=True)`.
    """
    with web_process(test_environment, "live_site") as address:
        yield address


@pytest.fixture(scope="module")
def second_site(test_environment: dict[str, str]) -> Iterator[str]:
    """The base URL of another web process on the same database, for one module."""
    with web_process(test_environment, "second_site") as address:
        yield address


@pytest.fixture(scope="module")
def attentive_site(test_environment: dict[str, str]) -> Iterator[str]:
    """The base URL of a web process that pings every second, and closes after one of silence."""
    pings = ("--ping-interval=1", "--ping-timeout=1")
    with web_process(test_environment, "attentive_site", *pings) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for one module; tests/browser shares one among all its modules."""
    with a_browser() as chromium:
        yield chromium


def chromium_path() -> str | None:
    """The system's Chromium, its headless shell if there is one; None if there is neither.

    Playwright then takes the one that it installed.
    """
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A headless Chromium.

    Not for a whole run: playwright's event loop occupies this thread as long as the browser lives,
    and asynchronous tests need the thread for their own loops.
    """
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Because of playwright's loop, Django would refuse every query as made in async code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(
            executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS
        )
        yield chromium
        chromium.close()
        # Connections made beside playwright's loop are not those of the rest of the run.
        connections.close_all()


@contextmanager
def web_process(environment: dict[str, str], name: str, *options: str) -> Iterator[str]:
    """The base URL of a web process in this environment; it ends with the block."""
    port = _free_port()
    log = settings.VAR / "logs" / f"{name}.log"
    command = [sys.executable, "-m", "daphne", "--port", str(port), "--verbosity", "0"]
    command += ["--websocket-max-message-size=131072", "--websocket-max-frame-size=131072"]
    command += options
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "annotator_site.asgi:application"],
            env={**environment, "NOWAIT_ROLE": "web"},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + WEB_START_TIMEOUT_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the web process does not answer:\n{log.read_text()[-3000:]}")
            time.sleep(0.05)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    with suppress(OSError, http.client.HTTPException), closing(client):
        client.request("GET", "/healthz", headers={"Host": "localhost"})
        return client.getresponse().status < 500
    return False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the LONG tests first; at the end they would keep one process busy and the others idle.

    The tests in tests/browser stay together, so that they can share a browser.
    """

    def place(item: pytest.Item) -> int:
        if item.nodeid.startswith(LONG):
            return 0
        return 1 if item.nodeid.startswith("tests/browser/") else 2

    items.sort(key=place)  # stable: the random order stays within each group
