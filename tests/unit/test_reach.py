"""By which names a site is reached, and behind what: said wrongly, it does not start."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from annotator_site.network.proxies import NO_HOST, NO_PORT, NO_SCHEME, SUB_PATH, fault
from annotator_site.network.reach import NO_SUB_PATH, host_names, proxies, refuse_sub_path

GOOD_NAMES = [
    *("labels.example.org", "localhost", "a", "labels-2.example.org", "LABELS.example.org"),
    *("*", ".example.org", "192.0.2.1", "[2001:db8::1]", "xn--mnchen-3ya.example", "a.b, c.d,"),
]
# What no request can match, and a part of the remedy.
BAD_NAMES = {
    "labels.example.org:8443": "without a port, like labels.example.org",
    "192.0.2.1:80": "without a port, like 192.0.2.1",
    "[2001:db8::1]:8443": "without a port, like [2001:db8::1]",
    "labels.example.org:": "without a port, like labels.example.org",
    "https://labels.example.org": "without https:// and without a port, like labels.example.org",
    "https://labels.example.org:8443/": "like labels.example.org",
    "labels.example.org/": "like labels.example.org",
    "good.example, bad.example:1": "like bad.example",
    "example.org/labels": NO_SUB_PATH,
    "https://example.org/labels/": NO_SUB_PATH,
    "*.example.org": "write .example.org",
    "2001:db8::1": "like [2001:db8::1]",
    "münchen.example": "write it as browsers send it",
    "a.example b.example": "separate names by commas",
    "labels_1.example.org": "no name of a machine",
    "-": "no name of a machine",
    "example.org.": "no name of a machine",
}


@pytest.mark.parametrize("value", ["", " , ", *GOOD_NAMES])
def test_names_are_taken(value: str) -> None:
    expected = [name.strip() for name in value.split(",") if name.strip()]
    assert host_names({"ALLOWED_HOSTS": value}, "ALLOWED_HOSTS") == expected


@pytest.mark.parametrize("value", BAD_NAMES)
def test_what_no_request_can_match_is_refused_with_a_remedy(value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        host_names({"ALLOWED_HOSTS": value}, "ALLOWED_HOSTS")
    assert str(refusal.value).startswith("ALLOWED_HOSTS holds ")
    assert BAD_NAMES[value] in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "count"),
    [("", 0), ("0", 0), ("off", 0), ("1", 1), (" yes ", 1), ("on", 1), ("2", 2), ("9", 9)],
)
def test_the_number_of_proxies(value: str, count: int) -> None:
    assert proxies({"BEHIND_PROXY": value}, "BEHIND_PROXY") == count


@pytest.mark.parametrize("value", ["-1", "10", "1.5", "perhaps", "²", "2 3", "127.0.0.1"])
def test_what_is_no_number_of_proxies_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="is no number of proxies: set it to 1"):
        proxies({"BEHIND_PROXY": value}, "BEHIND_PROXY")


@pytest.mark.parametrize(
    ("env", "argv"),
    [
        *(({name: "/labels"}, []) for name in ("SCRIPT_NAME", "FORCE_SCRIPT_NAME", "ROOT_PATH")),
        ({"UVICORN_ROOT_PATH": "labels/"}, []),
        ({}, ["daphne", "--root-path", "/labels", "annotator_site.asgi:application"]),
        ({}, ["uvicorn", "--root-path=/labels", "annotator_site.asgi:application"]),
    ],
)
def test_a_path_below_a_name_is_refused(env: dict[str, str], argv: list[str]) -> None:
    with pytest.raises(ImproperlyConfigured, match=NO_SUB_PATH):
        refuse_sub_path(env, argv)


@pytest.mark.parametrize(
    ("env", "argv"),
    [
        ({}, []),
        ({"SCRIPT_NAME": "", "ROOT_PATH": "/"}, ["daphne", "--root-path", "/", "x:y"]),
        ({}, ["daphne", "--root-path="]),
        ({}, ["daphne", "--root-path"]),
        ({"PATH": "/usr/bin"}, ["manage.py", "export_labels", "--output", "/root-path"]),
    ],
)
def test_no_path_is_not_refused(env: dict[str, str], argv: list[str]) -> None:
    refuse_sub_path(env, argv)


HTTPS = {"x-forwarded-proto": "https"}
# A request behind a proxy, as ASGI has it, and what is told of it.
REQUESTS: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({}, HTTPS, ""),
    ({}, {"x-forwarded-proto": "http"}, ""),
    ({}, {"x-forwarded-proto": "https, http"}, ""),
    ({}, {}, NO_SCHEME),
    *(({}, {"x-forwarded-proto": word}, NO_SCHEME) for word in ("", "on", "HTTPS", "wss", "1")),
    ({"type": "websocket"}, {}, ""),
    ({"type": "websocket"}, {"x-forwarded-proto": "wss"}, ""),
    ({"root_path": "/labels"}, HTTPS, SUB_PATH),
    ({}, {**HTTPS, "x-forwarded-prefix": "/labels"}, SUB_PATH),
    ({}, {**HTTPS, "x-script-name": "/labels"}, SUB_PATH),
    ({"type": "websocket"}, {"x-forwarded-prefix": "/labels/"}, SUB_PATH),
    ({}, {**HTTPS, "x-forwarded-prefix": "/"}, ""),
    ({}, {**HTTPS, "x-script-name": ""}, ""),
    *(
        (said, {**HTTPS, "host": host, "origin": origin}, words)
        for said in ({"method": "POST"}, {"type": "websocket"})
        for host, origin, words in (
            ("labels.example", "https://labels.example:8443", NO_PORT),
            ("LABELS.example", "https://Labels.Example:8443", NO_PORT),
            ("[::1]", "https://[::1]:8443", NO_PORT),
            ("labels.example:8443", "https://labels.example:8443", ""),
            ("labels.example", "https://labels.example", ""),
            ("labels.example", "https://other.example:8443", ""),
            ("labels.example:8443", "https://labels.example:9443", ""),
            ("labels.example", "null", ""),
            ("labels.example", "https://labels.example:port", ""),
            ("labels.example", "https://[labels.example", ""),
        )
    ),
    ({}, {**HTTPS, "host": "labels.example", "origin": "https://labels.example:8443"}, ""),
    ({"type": "websocket"}, {"host": "127.0.0.1:8000"}, ""),
    *(
        ({}, {**HTTPS, "host": host}, NO_HOST)
        for host in ("", "127.0.0.1:8000", "nowait_web", "other.example", "labels.example:80x")
    ),
]


@pytest.mark.parametrize(("said", "headers", "words"), REQUESTS)
def test_what_a_proxy_does_wrong_is_told(
    said: dict[str, Any], headers: dict[str, str], words: str, settings: Settings
) -> None:
    settings.BEHIND_PROXY, settings.HTTPS = 1, True
    settings.ALLOWED_HOSTS = ["labels.example", "[::1]"]
    said_in_full = {"host": "labels.example", **headers}
    pairs = [(name.encode(), value.encode()) for name, value in said_in_full.items()]
    plain = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": pairs}
    assert fault({**plain, **said}) == words
    settings.BEHIND_PROXY = 0
    assert fault({**plain, **said}) == (words if words == SUB_PATH else "")
