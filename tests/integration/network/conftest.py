"""Real web processes of both kinds, with little time for strangers, and raw connections to them."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from conftest import ROOT, WEB_START_TIMEOUT_S

from annotator_site.running import ASGI_SERVERS, listen, web_argv

APPLICATION = "tests.integration.network.hasty_site:application"


@pytest.fixture(scope="package", params=ASGI_SERVERS)
def port(request: pytest.FixtureRequest, test_environment: dict[str, str]) -> Iterator[int]:
    """Where a web process answers on this machine, under each server."""
    with closing(listen(0)) as listener:
        *argv, _ = web_argv(request.param, listener.fileno())
        process = subprocess.Popen(
            [*argv, APPLICATION],
            env={**test_environment, "NOWAIT_ROLE": "web"},
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


def call(port: int, timeout: float = 20.0, source: str = "127.0.0.1") -> socket.socket:
    """A connection that nothing was sent over."""
    return socket.create_connection(("127.0.0.1", port), timeout, (source, 0))


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
