"""What every answer of a real web process tells browsers, and what it does not tell anybody."""

import http.client
from collections.abc import Callable
from contextlib import closing
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings
from stock import add_images, make_campaign

from al_engine.pools.models import Image
from annotator_site.images.addresses import image_url
from annotator_site.response_headers import completed

STYLE = "/static/css/base.css"
PAGES = [
    "/",
    "/accounts/login/",
    "/admin/",
    "/admin/login/",
    "/nowhere",
    "/c/nowhere/",
    "/language/",
]
OTHERS = [
    *("/healthz", "/readyz", STYLE, "/static/labeling/main.js", "/static/nothing"),
    *("/static/favicon.svg", "/i/forged.png", "/.well-known/security.txt", "//evil.example/"),
]
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
METHODS = ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "PUT", "BREW"]
SECRET = "a-cookie-that-nobody-repeats"
ELSEWHERE = [
    *("/.git/config", "/.git/", "/manage.py", "/var/secret_key", "/secret_key", "/.env"),
    *("/static/", "/static/css/", "/static/../manage.py", "/static/%2e%2e/manage.py"),
    *("/media/", "/i/", "/server-status", "/metrics", "/debug/", "/__debug__/"),
]

Answer = tuple[int, dict[str, str], bytes]
Ask = Callable[..., Answer]


@pytest.fixture
def ask(live_site: str) -> Ask:
    def ask_once(path: str, method: str = "GET") -> Answer:
        client = http.client.HTTPConnection(urlsplit(live_site).netloc, timeout=30)
        with closing(client):
            client.request(method, path, headers={"Cookie": f"x={SECRET}", "X-Secret": SECRET})
            response = client.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, response.read()

    return ask_once


def check(path: str, headers: dict[str, str]) -> None:
    for name, value in ALWAYS.items():
        assert headers[name] == value, (path, name)
    assert "camera=()" in headers["permissions-policy"], path
    policy = headers["content-security-policy"]
    for part in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in policy, path
    assert "access-control-allow-origin" not in headers, path


def test_every_answer_says_what_browsers_may_do_with_it(ask: Ask) -> None:
    for path in (*PAGES, *OTHERS):
        _, headers, body = ask(path)
        check(path, headers)
        if body:
            kind = headers["content-type"].lower().replace('"', "")
            without = ("application/json", "image/svg+xml")
            assert kind in without or kind.endswith("; charset=utf-8"), path


@pytest.mark.django_db(transaction=True)
def test_an_image_keeps_what_it_says_itself(ask: Ask) -> None:
    (image,) = add_images(make_campaign(), 1)
    status, headers, _ = ask(image_url(Image.objects.get(pk=image.pk).key))
    assert status == 200
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    for name, value in ALWAYS.items():
        assert headers[name] == value


def test_no_method_repeats_what_was_sent(ask: Ask) -> None:
    for method, path in product(METHODS, ("/", "/accounts/login/", "/healthz", STYLE)):
        status, headers, body = ask(path, method)
        assert status < 500, (method, path)
        assert SECRET not in str(headers), (method, path)
        assert SECRET.encode() not in body, (method, path)


def test_no_folder_is_listed_and_nothing_but_the_site_is_served(ask: Ask) -> None:
    for path in ELSEWHERE:
        status, _, body = ask(path)
        assert status in (403, 404), path
        assert b"DJANGO_SETTINGS_MODULE" not in body, path


SAID = [(b"Content-Type", b"text/plain"), (b"X-Content-Type-Options", b"mine")]


@pytest.mark.parametrize(
    ("scope", "proxied", "seconds", "below", "expected"),
    [
        ({"scheme": "https"}, False, 100, False, "max-age=100"),
        ({"scheme": "https"}, False, 100, True, "max-age=100; includeSubDomains"),
        ({"scheme": "http"}, False, 100, False, None),
        ({"scheme": "https"}, False, 0, False, None),
        ({"scheme": "http", "forwarded": b"https"}, True, 100, False, "max-age=100"),
        ({"scheme": "http", "forwarded": b"https"}, False, 100, False, None),
        ({"scheme": "http", "forwarded": b"http"}, True, 100, False, None),
    ],
)
def test_who_comes_by_tls_is_told_to_stay_with_it(
    settings: Settings,
    scope: dict[str, Any],
    proxied: bool,
    seconds: int,
    below: bool,
    expected: str | None,
) -> None:
    settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = seconds, below
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if proxied else None
    sent = [(b"x-forwarded-proto", scope["forwarded"])] if "forwarded" in scope else []
    headers = completed(SAID, {"scheme": scope["scheme"], "headers": sent})
    assert headers[:2] == SAID, "what was said stays"
    told = dict(headers)
    assert told.get(b"strict-transport-security") == (expected and expected.encode())
    assert b"x-content-type-options" not in told


@pytest.mark.django_db
@pytest.mark.parametrize("contact", ["mailto:security@example.org", "https://example.org/report"])
def test_a_contact_is_published_where_strangers_look(
    client: Client, settings: Settings, contact: str
) -> None:
    settings.SECURITY_CONTACT = contact
    answer = client.get("/.well-known/security.txt")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    lines = dict(line.split(": ", 1) for line in answer.content.decode().splitlines())
    assert lines["Contact"] == contact
    assert lines["Expires"].endswith("T00:00:00Z")
    settings.SECURITY_CONTACT = ""
    assert client.get("/.well-known/security.txt").status_code == 404
