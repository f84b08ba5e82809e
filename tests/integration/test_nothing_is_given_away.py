"""What goes wrong tells strangers nothing of the machine, and no log anything of a secret."""

import http.client
import re
import secrets
import socket
import time
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.test import Client
from stock import make_user
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from al_engine.pools.models import Annotator

PASSWORD = "a long enough one"
SOCKET = "/ws/campaigns/nowhere/label/"


def ask(site: str, method: str, path: str, body: str = "", **headers: str) -> dict[str, str]:
    """The cookies of the answer."""
    client = http.client.HTTPConnection(urlsplit(site).netloc, timeout=30)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(client):
        client.request(method, path, body, sent)
        answer = client.getresponse()
        answer.read()
        cookies = answer.headers.get_all("Set-Cookie") or []
    return dict(cookie.partition(";")[0].split("=", 1) for cookie in cookies)


@pytest.mark.django_db(transaction=True)
def test_no_log_has_a_password_a_token_or_a_session(live_site: str) -> None:
    user = make_user(password=PASSWORD)
    said = {
        kind: secrets.token_hex(16) for kind in ("password", "token", "session", "form", "name")
    }
    form = {"Content_Type": "application/x-www-form-urlencoded", "Referer": f"{live_site}/"}
    cookie = ask(live_site, "GET", "/accounts/login/")[settings.CSRF_COOKIE_NAME]
    for page in ("/accounts/login/", "/admin/login/"):
        token = re.sub(r"\W", "", cookie)
        for password, named in ((said["password"], token), (said["password"], said["form"])):
            body = {"username": user.username, "password": password, "csrfmiddlewaretoken": named}
            cookies = f"{settings.CSRF_COOKIE_NAME}={cookie}"
            ask(live_site, "POST", page, urlencode(body), Cookie=cookies, **form)
    for path in ("/", "/c/nowhere/", "/admin/", "/nowhere", "/i/x.png"):
        cookies = f"{settings.SESSION_COOKIE_NAME}={said['session']}"
        ask(live_site, "GET", path, Cookie=cookies, Authorization=f"Token {said['token']}")
        ask(live_site, "POST", path, "x" * 20_000, Cookie=cookies)
    for header in (
        {"Authorization": f"Token {said['token']}"},
        {"Cookie": f"{settings.SESSION_COOKIE_NAME}={said['session']}", "Origin": live_site},
        {"Authorization": said["token"]},
    ):
        with suppress(InvalidStatus, ConnectionClosed):
            address = live_site.replace("http", "ws", 1) + SOCKET
            with connect(address, additional_headers=header, proxy=None, close_timeout=1) as opened:
                opened.recv(timeout=10)

    # "There is no such page" is among what is logged: the log is the right one.
    ask(live_site, "GET", f"/{said['name']}")
    logs = [path for path in (settings.VAR / "logs").iterdir() if path.is_file()]
    written = "\n".join(path.read_text(errors="replace") for path in logs)
    assert said.pop("name") in written
    for kind, secret in said.items():
        assert secret not in written, kind


ERRORS = [
    DatabaseError("connection to server at /srv/nowait/var/postgres failed: secret"),
    ValueError("secret"),
    KeyError("SECRET_KEY"),
    RuntimeError("File /srv/nowait/annotator_site/settings.py, secret"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_page_that_fails_says_nothing_of_why(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(Annotator.objects, "filter", fail)
    browser = Client(raise_request_exception=False)
    browser.force_login(make_user(), "django.contrib.auth.backends.ModelBackend")
    answer = browser.get("/")
    assert answer.status_code == 500
    text = answer.content.decode()
    assert "Something broke on our side" in text
    for part in ("secret", "SECRET_KEY", "Traceback", "/srv/", type(error).__name__, "Django"):
        assert part not in text, part
    assert any(record.exc_info and record.exc_info[1] is error for record in caplog.records)


@pytest.fixture
def browser(db: None) -> Client:
    """One that was here before anybody logged in."""
    browser = Client()
    browser.get("/accounts/login/")
    session = browser.session
    session["planted"] = "by somebody else"
    session.save()
    browser.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return browser


def test_a_log_in_has_a_new_session_and_a_log_out_ends_it(browser: Client) -> None:
    user = make_user(password=PASSWORD)
    before = browser.cookies[settings.SESSION_COOKIE_NAME].value
    form = {"username": user.username, "password": PASSWORD}
    assert browser.post("/accounts/login/", form)["Location"] == "/"
    during = browser.cookies[settings.SESSION_COOKIE_NAME].value
    assert during != before
    assert len(during) >= 32
    assert not Session.objects.filter(pk=before).exists()

    browser.post("/accounts/logout/")

    assert not Session.objects.filter(pk=during).exists()
    for key in (before, during):
        stranger = Client()
        stranger.cookies[settings.SESSION_COOKIE_NAME] = key
        assert stranger.get("/").status_code == 302


PATIENCE_S = 2.0
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
# A request whose end could be read in two ways, behind which another one hides.
FRAMINGS = {
    "both a length and chunks": (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"0\r\n\r\n" + HIDDEN,
    ),
    "chunks and a length": (
        b"Transfer-Encoding: chunked\r\nContent-Length: %d" % (5 + len(HIDDEN)),
        b"0\r\n\r\n" + HIDDEN,
    ),
    "two lengths": (
        b"Content-Length: 0\r\nContent-Length: %d" % len(HIDDEN),
        HIDDEN,
    ),
    "a length with a sign": (b"Content-Length: +0", HIDDEN),
    "a list of lengths": (b"Content-Length: 0, %d" % len(HIDDEN), HIDDEN),
    "a length in hexadecimal": (b"Content-Length: 0x0", HIDDEN),
    "chunks that are none": (b"Transfer-Encoding: xchunked", b"0\r\n\r\n" + HIDDEN),
    "chunks and something else": (b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n" + HIDDEN),
    "a blank before the colon": (b"Content-Length : 0", HIDDEN),
    "chunks of a negative size": (b"Transfer-Encoding: chunked", b"-1\r\n\r\n" + HIDDEN),
}


def test_no_request_hides_behind_another_whose_end_is_in_doubt(live_site: str) -> None:
    parts = urlsplit(live_site)
    with ExitStack() as stack:
        wires = {}
        for name, (header, body) in FRAMINGS.items():
            wire = socket.create_connection((parts.hostname or "", parts.port or 80), 10)
            wires[name] = stack.enter_context(closing(wire))
            head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n"
            wire.sendall(head + header + b"\r\n\r\n" + body)
        until = time.monotonic() + PATIENCE_S
        for name, wire in wires.items():
            said = b""
            with suppress(ConnectionError, TimeoutError):
                # A connection that is kept says nothing more.
                while (left := until - time.monotonic()) > 0:
                    wire.settimeout(left)
                    if not (piece := wire.recv(65536)):
                        break
                    said += piece
            assert b"\r\n\r\nok\n" not in said, name
