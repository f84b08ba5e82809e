"""Who is not let in is told so, and whatever they send then is not read."""

import base64
from contextlib import ExitStack, closing, suppress
from itertools import product

import pytest

from .conftest import answer, call

pytestmark = pytest.mark.django_db(transaction=True)

TINY = b"\x81\x80\x00\x00\x00\x00"
FLOODS = {
    "empty texts": TINY,
    "empty binaries": b"\x82\x80\x00\x00\x00\x00",
    "fragments": b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 9,
    "pings": b"\x89\x80\x00\x00\x00\x00",
    "pongs": b"\x8a\x80\x00\x00\x00\x00",
    "rubbish": b"\x81\x82\x00\x00\x00\x00{]",
    "large": b"\x81\xfe\x40\x00\x00\x00\x00\x00" + b"x" * 0x4000,
}


def handshake(port: int, path: str = "/ws/campaigns/no-such/label/", token: str = "") -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: localhost:{port}",
        f"Origin: http://localhost:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *([f"Authorization: Token {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_strangers_are_told_so_and_cut_off_whatever_they_send(port: int) -> None:
    """The reason comes, then the connection ends, although they never close it."""
    with ExitStack() as stack:
        waiting = {}
        for name, socket, token in product(FLOODS, ("label", "monitor"), ("", "nobody's")):
            connection = stack.enter_context(closing(call(port)))
            connection.sendall(handshake(port, f"/ws/campaigns/no-such/{socket}/", token))
            waiting[name, socket, token] = connection
        for case, connection in waiting.items():
            said = connection.recv(4096)
            assert said.startswith(b"HTTP/1.1 101"), case
            with suppress(ConnectionError):
                connection.sendall(FLOODS[case[0]] * 50)
            said += answer(connection)
            # The first frame is the close, with its code: nothing that was sent had an answer.
            assert said.partition(b"\r\n\r\n")[2][2:4] in (b"", (4401).to_bytes(2, "big")), case


@pytest.mark.parametrize(
    "long",
    [b"X: " + b"y" * 9_000, b"\r\n".join([b"X: y"] * 200), b"X: " + b"y" * 15_000],
    ids=["line", "headers", "longer line"],
)
@pytest.mark.parametrize("path", ["/ws/campaigns/x/label/", "/", "/" + "x" * 9_000])
def test_a_long_handshake_is_answered_and_ended(port: int, long: bytes, path: str) -> None:
    """Whatever the library that reads it makes of it, the connection does not stay."""
    with closing(call(port)) as connection:
        connection.sendall(handshake(port, path)[:-2] + long + b"\r\n\r\n")
        said = answer(connection)
    assert said.startswith((b"HTTP/1.1 4", b"HTTP/1.1 101"))


@pytest.mark.parametrize(
    "path", ["/ws/", "/ws/campaigns/x/", "/", "/admin/", "/ws/campaigns/x/label", "/i/x.png"]
)
def test_an_address_without_a_socket_is_refused_in_the_handshake(port: int, path: str) -> None:
    with closing(call(port)) as connection:
        connection.sendall(handshake(port, path))
        assert answer(connection).startswith((b"HTTP/1.1 403", b"HTTP/1.1 404"))
