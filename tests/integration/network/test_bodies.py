"""How much strangers may send to which address, and how long they may take over it."""

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from itertools import product

import pytest

from annotator_site.network.limits import ADMIN_BYTES, FORM_BYTES

from .conftest import answer, call, seconds_until_answer, status

pytestmark = pytest.mark.django_db(transaction=True)

FORMS = [
    *("/", "/accounts/login/", "/accounts/logout/", "/language/", "/admin/login/", "/no/such"),
    *("/c/x/", "/c/x/passed/", "/c/x/examples.json", "/c/x/practice.json", "/healthz", "/readyz"),
    *("/static/css/base.css", "/i/2/ab/cd.png", "/ws/campaigns/x/label/", "//admin/", "/ADMIN/"),
    *("/accounts/login/?next=/admin/", "/x/admin/"),
]
ADMIN = ["/admin/", "/admin/pools/campaign/add/", "/admin/accounts/user/1/change/?x=y"]
LIMITS = {**dict.fromkeys(FORMS, FORM_BYTES), **dict.fromkeys(ADMIN, ADMIN_BYTES)}
ENCODINGS = ("content-length", "chunked")
METHODS = ("POST", "PUT", "GET")
MIB = 1024 * 1024


def head(method: str, path: str, *, length: int | None) -> bytes:
    encoding = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", encoding]
    lines.append("Content-Type: application/x-www-form-urlencoded")
    return "\r\n".join([*lines, "", ""]).encode()


def chunks(size: int) -> Iterator[bytes]:
    for at in range(0, size, 8192):
        piece = min(8192, size - at)
        yield b"%x\r\n" % piece + b"x" * piece + b"\r\n"
    yield b"0\r\n\r\n"


def ask(port: int, method: str, path: str, size: int, encoding: str) -> int:
    """The status of the answer to a body of so many bytes; 0 where there is none."""
    with closing(call(port)) as connection:
        with suppress(ConnectionError):  # it was refused before all of it was sent
            if encoding == "chunked":
                connection.sendall(head(method, path, length=None) + b"".join(chunks(size)))
            else:
                connection.sendall(head(method, path, length=size) + b"x" * size)
        return status(answer(connection))


@pytest.mark.parametrize(("path", "encoding"), [*product(LIMITS, ENCODINGS)])
def test_a_body_is_taken_up_to_the_limit_of_its_address(
    port: int, path: str, encoding: str
) -> None:
    limit = LIMITS[path]
    # uvicorn hands bodies on as they come, and some answer without reading them.
    refusals = (0, 413, 403, 401) if path.startswith(("/i/", "/ws/")) else (0, 413)
    assert ask(port, "POST", path, limit, encoding) not in (0, 413)
    for size in (limit + 1, limit + 200_000):
        # A server that ends a connection with bytes unread may lose its own words.
        assert ask(port, "POST", path, size, encoding) in refusals, size


@pytest.mark.parametrize("method", METHODS)
def test_the_limit_is_that_of_every_method(port: int, method: str) -> None:
    assert ask(port, method, "/accounts/login/", FORM_BYTES + 1, "content-length") == 413


@pytest.mark.parametrize("length", ["1288490188", "999999999999999999999", "16385"])
def test_an_announced_size_is_refused_before_anything_is_sent(port: int, length: str) -> None:
    with closing(call(port)) as connection:
        connection.sendall(head("POST", "/accounts/login/", length=int(length)))
        said = answer(connection)
    # A length that no machine has may be no request at all.
    assert status(said) == 413 or (len(length) > 20 and status(said) == 400)
    assert b"16,384 bytes" in said or status(said) == 400


def test_who_asks_whether_to_send_too_much_is_told_not_to(port: int) -> None:
    request = head("POST", "/", length=MIB)[:-2] + b"Expect: 100-continue\r\n\r\n"
    with closing(call(port)) as connection:
        connection.sendall(request)
        assert status(answer(connection)) == 413


HALF_SENT = {
    "nothing": b"",
    "a method": b"POST",
    "a line": b"POST /accounts/login/ HTTP/1.1\r\n",
    "half of the headers": b"POST / HTTP/1.1\r\nHost: localhost\r\nX-",
    "headers": head("POST", "/accounts/login/", length=100),
    "half of a body": head("POST", "/accounts/login/", length=100) + b"x" * 50,
    "half of a large body": head("POST", "/admin/", length=2_000_000) + b"x" * 1_500_000,
    "chunked headers": head("POST", "/", length=None),
    "half of a chunk": head("POST", "/", length=None) + b"ff\r\nxx",
    "chunks without an end": head("POST", "/", length=None) + b"2\r\nxx\r\n",
}


def test_requests_that_do_not_end_are_ended(port: int) -> None:
    """Their time is one second here, for all of them at once."""
    with ExitStack() as stack:
        began, waiting = time.monotonic(), {}
        for name, sent in HALF_SENT.items():
            waiting[name] = stack.enter_context(closing(call(port)))
            waiting[name].sendall(sent)
        for name, connection in waiting.items():
            assert status(answer(connection)) == 408, name
            assert 0.5 < time.monotonic() - began < 10, name


@pytest.mark.parametrize(
    "endless",
    [
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (head("POST", "/", length=10_000), b"x"),
        (head("POST", "/", length=None), b"1\r\nx\r\n"),
    ],
    ids=["headers", "body", "chunks"],
)
def test_a_byte_now_and_then_earns_no_more_time(port: int, endless: tuple[bytes, bytes]) -> None:
    begin, drop = endless
    with closing(call(port, timeout=0.1)) as connection:
        connection.sendall(begin)
        began, said = time.monotonic(), b""
        while not said and time.monotonic() - began < 10:
            with suppress(TimeoutError):
                said = connection.recv(4096)
            with suppress(ConnectionError):
                connection.sendall(drop)
    assert status(said) == 408


def test_a_kept_connection_has_time_until_its_next_request(port: int) -> None:
    """Only what has begun must end; and each request on it has its own time."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with closing(client):
        for _ in range(3):
            client.request("GET", "/healthz", headers={"Host": "localhost"})
            assert client.getresponse().read()
            time.sleep(0.6)  # three of these are more than the time of one request
        client.sock.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        said, seconds = seconds_until_answer(client.sock)
    assert status(said) == 408
    assert 0.5 < seconds < 10
