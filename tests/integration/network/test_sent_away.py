"""Who is not let in is told so in the handshake, and nothing is read of them then."""

import json
from contextlib import ExitStack, closing, suppress
from itertools import product

import pytest

from .conftest import answer, call, status
from .frames import FLOODS, handshake

pytestmark = pytest.mark.django_db(transaction=True)


def test_strangers_are_told_so_and_cut_off_whatever_they_send(port: int) -> None:
    """The reason comes, then the connection ends, although they never close it."""
    with ExitStack() as stack:
        waiting = {}
        for name, socket, token in product(FLOODS, ("label", "monitor"), ("", "nobody's")):
            connection = stack.enter_context(closing(call(port)))
            # In one piece, and some more after it.
            frames = FLOODS[name]
            connection.sendall(handshake(port, f"/ws/campaigns/x/{socket}/", token) + frames * 9)
            waiting[name, socket, token] = connection
        for case, connection in waiting.items():
            with suppress(ConnectionError):
                connection.sendall(FLOODS[case[0]] * 50)
            said = answer(connection)
            # Who sends on after being refused may lose the answer, by a reset.
            assert status(said) in (0, 401), case
            if said:
                assert json.loads(said.partition(b"\r\n\r\n")[2])["status"] == 401, case


@pytest.mark.parametrize("token", ["", "nobody's"])
def test_a_stranger_who_listens_hears_why_and_then_the_end(port: int, token: str) -> None:
    with closing(call(port)) as connection:
        connection.sendall(handshake(port, "/ws/campaigns/x/label/", token))
        head, _, body = answer(connection).partition(b"\r\n\r\n")
    assert head.lower().count(b"content-length") == head.lower().count(b"connection: close") == 1
    assert status(head) == 401
    assert json.loads(body)["name"] is None


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
        assert status(answer(connection)) == 404
