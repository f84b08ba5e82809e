"""No input forges a line of the security log, and no flood hides one."""

import http.client
import json
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from stock import make_campaign, make_user
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from annotator_site.accounts.tokens import create_token
from annotator_site.security import log

from .scene import FROM, Lines, Scene, found

FORGERIES = [
    '\n{"event": "log_in", "who": "boss"}', "\r\nx", "\x1b[2J\x1b[31m", '", "who": "boss', "\\",
    "\x00", "\u2028x\u2029", "\u202eevil", "\x85", "\x7f", "ü", "\ud800", "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", FORGERIES, ids=ascii)
def test_no_input_forges_a_line(lines: Lines, text: str) -> None:
    actor = log.Actor(text, text)
    log.note("log_in", actor, which=text, names=[text])
    log.note_stranger("refused", actor, path=text)
    assert len(lines.security) == len(lines.strangers) == 1
    for raw in (*lines.security, *lines.strangers):
        assert raw.isascii()
        assert raw.isprintable()
        assert len(raw) < 6_000
        assert json.loads(raw)["who"] == text[: log.LONGEST]


@pytest.mark.django_db
def test_a_flood_of_strangers_hides_no_log_in(lines: Lines) -> None:
    scene = Scene()
    for number in range(3_000):
        log.note_stranger("refused", log.Actor(None, f"2001:db8::{number:x}"), path="/")
    scene.log_in()
    log.tell_counts()
    assert [line["who"] for line in found(lines.security, "log_in")][-1] == scene.ann.username
    told = found(lines.strangers, "refused")
    assert len(told) == 11
    assert told[-1]["more"] == 2_990
    assert told[-1]["of"] == "2001:db8::/64"


def test_somebody_who_logs_in_all_the_time_hides_nobody_else(lines: Lines) -> None:
    for _ in range(1_000):
        log.note_if_rare("log_in", log.Actor("robot", FROM))
    log.note_if_rare("log_in", log.Actor("ann", FROM))
    log.tell_counts()
    who = [
        line["who"] or f"{line['of']}: {line['more']}" for line in found(lines.security, "log_in")
    ]
    assert who == ["robot"] * 10 + ["ann", "robot: 990"]


@pytest.mark.django_db(transaction=True)
def test_refused_sockets_and_pictures_are_in_the_file_of_a_web_process(live_site: str) -> None:
    campaign, user = make_campaign(), make_user()
    sockets = live_site.replace("http", "ws", 1)
    token = {"Authorization": f"Token {create_token(user=user)}"}
    for kind in ("label", "monitor"):
        address = f"{sockets}/ws/campaigns/{campaign.slug}/{kind}/"
        with (
            suppress(ConnectionClosed, InvalidStatus),
            # From another network than all other tests, which have had their ten a minute.
            connect(
                address, additional_headers=token, proxy=None, source_address=("127.9.8.7", 0)
            ) as socket,
        ):
            while True:
                socket.recv(timeout=15)
    site = http.client.HTTPConnection(
        urlsplit(live_site).netloc, timeout=15, source_address=("127.9.8.7", 0)
    )
    with closing(site):
        site.request("GET", f"/i/{campaign.slug}.png")
        assert site.getresponse().status == 403
    path = settings.VAR / "logs" / "strangers.log"
    told = [
        line for each in path.read_text().splitlines()
        if campaign.slug in (line := json.loads(each)).get("path", "")
    ]  # fmt: skip
    assert [(line["who"], line["status"], line["kind"]) for line in told] == [
        *[(user.username, 403, "socket")] * 2,
        (None, 403, "picture"),
    ]
    assert {line["from"] for line in told} == {"127.9.8.7"}
    assert path.stat().st_mode & 0o777 == 0o600
