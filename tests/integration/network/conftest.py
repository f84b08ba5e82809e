"""Real web processes of both kinds, with little time for strangers, and raw connections to them."""

import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from itertools import product

import pytest
from conftest import ROOT, WEB_START_TIMEOUT_S

from annotator_site.running import ASGI_SERVERS, listen, web_argv

from .real_proxies import Front, in_front

APPLICATION = "tests.integration.network.hasty_site:application"
TELLING = "tests.integration.network.telling_site:application"
PROXIES = ("nginx", "caddy")
BEHIND_PROXY = {"ALLOWED_HOSTS": "localhost", "BEHIND_PROXY": "1"}


@pytest.fixture(scope="module", params=ASGI_SERVERS)
def port(request: pytest.FixtureRequest, test_environment: dict[str, str]) -> Iterator[int]:
    """Where a web process answers on this machine, under each server."""
    with web_process(request.param, APPLICATION, test_environment) as port:
        yield port


@pytest.fixture(scope="module")
def proxied_sites(test_environment: dict[str, str]) -> Iterator[dict[str, int]]:
    """Where a web process that knows of a proxy answers, by its server; none starts twice.

    daphne is told to read the headers of proxies, too, as somebody may do by hand.
    """
    environment = {**test_environment, **BEHIND_PROXY}
    options = {"daphne": ["--proxy-headers"]}
    with ExitStack() as stack:
        yield {
            server: stack.enter_context(
                web_process(server, TELLING, environment, *options.get(server, []))
            )
            for server in ASGI_SERVERS
        }


@pytest.fixture(params=ASGI_SERVERS)
def proxied_site(request: pytest.FixtureRequest, proxied_sites: dict[str, int]) -> int:
    """Where it answers, under each server."""
    return proxied_sites[request.param]


@pytest.fixture(scope="module")
def fronts(
    proxied_sites: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], Front]]:
    """A documented proxy in front of a server, started when it is asked for first."""
    with ExitStack() as stack:

        @cache
        def start(proxy: str, asgi_server: str) -> Front:
            folder = tmp_path_factory.mktemp(proxy)
            return stack.enter_context(in_front(proxy, proxied_sites[asgi_server], folder))

        yield start


@pytest.fixture(params=[*product(PROXIES, ASGI_SERVERS)], ids="-".join)
def front(request: pytest.FixtureRequest, fronts: Callable[[str, str], Front]) -> Front:
    """Each documented proxy in front of each server."""
    return fronts(*request.param)


@contextmanager
def web_process(
    asgi_server: str, application: str, environment: dict[str, str], *options: str
) -> Iterator[int]:
    """Where it answers, while the context lasts."""
    with closing(listen(0)) as listener:
        *argv, _ = web_argv(asgi_server, listener.fileno())
        process = subprocess.Popen(
            [*argv, *options, application],
            env={**environment, "NOWAIT_ROLE": "web"},
            cwd=ROOT,
            pass_fds=(listener.fileno(),),
        )
        port = listener.getsockname()[1]
        try:
            with closing(call(port, timeout=WEB_START_TIMEOUT_S)) as first:
                first.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert first.recv(12) == b"HTTP/1.1 200"
            yield port
        finally:
            process.terminate()
            process.wait(WEB_START_TIMEOUT_S)


def ask(port: int, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, str]:
    """Status and words of an answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=WEB_START_TIMEOUT_S)
    with closing(client):
        client.request("POST" if body else "GET", path, body, headers)
        answer = client.getresponse()
        return answer.status, answer.read().decode()


def call(port: int, timeout: float = 20.0) -> socket.socket:
    """A connection that nothing was sent over."""
    return socket.create_connection(("127.0.0.1", port), timeout)


def answer(connection: socket.socket) -> bytes:
    """All that the server says until it ends the connection, by whatever means."""
    said = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            said += piece
    return said


def status(said: bytes) -> int:
    """Of an answer; 0: it is none."""
    return int(said[9:12]) if said.startswith(b"HTTP/1.1 ") else 0


def seconds_until_answer(connection: socket.socket) -> tuple[bytes, float]:
    """The answer, and how long it took until the connection was ended."""
    began = time.monotonic()
    return answer(connection), time.monotonic() - began
