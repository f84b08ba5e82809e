"""How much strangers may send to which address, and how long they may take over it."""

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from itertools import product

import pytest
from django.conf import settings
from django.core.signing import TimestampSigner
from django.test import Client
from stock import make_user

from annotator_site.network.large_forms import limit_at, ticket
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
SESSION, OTHER_SESSION = "a" * 32, "b" * 32
ENCODINGS = ("content-length", "chunked")
METHODS = ("POST", "PUT", "GET")
MIB = 1024 * 1024


def cookies(session: str | None, ticket: str | None) -> str:
    """The line of a request that comes with a session and a ticket for large forms."""
    shown = {settings.SESSION_COOKIE_NAME: session, settings.LARGE_FORMS_COOKIE_NAME: ticket}
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in shown.items() if value)


def head(method: str, path: str, *, length: int | None, line: str = "X-Nothing: 1") -> bytes:
    encoding = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", encoding, line]
    lines.append("Content-Type: application/x-www-form-urlencoded")
    return "\r\n".join([*lines, "", ""]).encode()


def chunks(size: int) -> Iterator[bytes]:
    for at in range(0, size, 8192):
        piece = min(8192, size - at)
        yield b"%x\r\n" % piece + b"x" * piece + b"\r\n"
    yield b"0\r\n\r\n"


def ask(
    port: int, method: str, path: str, size: int, encoding: str, line: str = "X-Nothing: 1"
) -> int:
    """The status of the answer to a body of so many bytes; 0 where there is none."""
    with closing(call(port)) as connection:
        with suppress(ConnectionError):  # it was refused before all of it was sent
            if encoding == "chunked":
                begin = head(method, path, length=None, line=line)
                connection.sendall(begin + b"".join(chunks(size)))
            else:
                connection.sendall(head(method, path, length=size, line=line) + b"x" * size)
        return status(answer(connection))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("path", "known"), [*product(FORMS, [True]), *product(ADMIN, [True, False])]
)
def test_a_body_is_taken_up_to_the_limit_of_its_address(
    port: int, path: str, known: bool, encoding: str
) -> None:
    limit = ADMIN_BYTES if known and path in ADMIN else FORM_BYTES
    line = cookies(SESSION, ticket(SESSION) if known else None)
    # uvicorn hands bodies on as they come, and some answer without reading them.
    refusals = (0, 413, 403, 401) if path.startswith(("/i/", "/ws/")) else (0, 413)
    assert ask(port, "POST", path, limit, encoding, line) not in (0, 413)
    for size in (limit + 1, limit + 200_000):
        # A server that ends a connection with bytes unread may lose its own words.
        assert ask(port, "POST", path, size, encoding, line) in refusals, size


FORGED: dict[str, tuple[str | None, str | None]] = {
    "no ticket": (SESSION, None),
    "no session": (None, ticket(SESSION)),
    "another session": (OTHER_SESSION, ticket(SESSION)),
    "another key": (SESSION, TimestampSigner(key="x").sign(SESSION).removeprefix(f"{SESSION}:")),
    "another purpose": (SESSION, TimestampSigner().sign(SESSION).removeprefix(f"{SESSION}:")),
    "another signature": (SESSION, ticket(SESSION)[:-1]),
    "another time": (SESSION, "1" + ticket(SESSION)),
    "the session itself": (SESSION, SESSION),
    "nonsense": (SESSION, ":" * 99),
    "bytes": ("\xff", "\xff:\xfe:\xfd"),
}


@pytest.mark.parametrize("name", FORGED)
def test_large_forms_are_not_taken_from_strangers(port: int, name: str) -> None:
    with closing(call(port)) as connection:
        request = head("POST", "/admin/", length=FORM_BYTES + 1, line=cookies(*FORGED[name]))
        connection.sendall(request)
        said = answer(connection)
    assert status(said) == 413
    assert b"log in, open any page of the administration" in said


def test_a_ticket_is_good_as_long_as_a_session(port: int) -> None:
    for age in (-60, 60):
        made_at = time.time() - settings.STAFF_SESSION_AGE.total_seconds() - age
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda made_at=made_at: made_at)
            line = cookies(SESSION, ticket(SESSION))
        said = ask(port, "POST", "/admin/", FORM_BYTES + 1, "content-length", line)
        assert (said == 413) is (age > 0)


def test_people_of_the_administration_get_a_ticket_and_no_others(client: Client) -> None:
    for staff in (False, True):
        client.force_login(make_user(is_staff=staff))
        for path in ("/", "/admin/"):
            client.get(path)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        shown = client.cookies.get(settings.LARGE_FORMS_COOKIE_NAME)
        assert (shown is not None) is staff
    assert shown is not None
    assert shown["httponly"]
    line = cookies(session, shown.value).removeprefix("Cookie: ").encode()
    assert limit_at("/admin/", line) == ADMIN_BYTES
    assert limit_at("/", line) == FORM_BYTES


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
    "half of a large body": head(
        "POST", "/admin/", length=2_000_000, line=cookies(SESSION, ticket(SESSION))
    )
    + b"x" * 1_500_000,
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
