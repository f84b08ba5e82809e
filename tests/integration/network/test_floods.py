"""Beside any flood, of strangers or of somebody who is logged in, honest people go on."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import product
from socket import MSG_DONTWAIT, socket
from typing import Any
from uuid import uuid4

import pytest
from stock import make_annotator, make_campaign, stock
from websockets.sync.client import ClientConnection, connect

from al_engine.pools.models import Campaign
from annotator_site.network.limits import UNGRANTED, UNGRANTED_PER_S

from .conftest import answer, call, status
from .frames import FLOODS, handshake

pytestmark = pytest.mark.django_db(transaction=True)

ACKS = 4
PATIENCE_S = 2.0
"""A person's receipt takes some milliseconds; beside the floods of old it took six seconds."""
ELSEWHERE = "127.0.0.2"
"""Not this machine's own address, so that its network has limits."""
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="has one address of its own only")


class Honest:
    """Somebody who labels, one image after the other."""

    def __init__(self, port: int, campaign: Campaign, token: str, choice: int) -> None:
        self._choice = choice
        self.socket: ClientConnection = connect(
            f"ws://localhost:{port}/ws/campaigns/{campaign.slug}/label/",
            additional_headers={"Authorization": f"Token {token}"},
            proxy=None,
        )
        self._send({"type": "ready", "buffer": 1, "resume": None})
        self._query = self._hear("query")

    def label(self) -> float:
        """Answer and have the next; the seconds until the receipt."""
        began, query = time.monotonic(), self._query["query"]
        answer = {"type": "label", "id": str(uuid4()), "query": query, "choice": self._choice}
        self._send({**answer, "shown_ms": 1})
        self._hear("ack")
        seconds = time.monotonic() - began
        self._query = self._hear("query")
        return seconds

    def _send(self, message: dict[str, Any]) -> None:
        self.socket.send(json.dumps(message))

    def _hear(self, kind: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(self.socket.recv(timeout=15))
            if message["type"] == kind:
                return message


def send_on(connection: socket, frames: bytes, over: threading.Event) -> None:
    """Send as fast as it is taken, and take what comes."""
    burst = frames * max(1, 32_768 // len(frames))
    connection.settimeout(0.05)
    with suppress(TimeoutError):  # they are read more slowly now: come again
        while not over.is_set():
            connection.sendall(burst)
            with suppress(BlockingIOError):
                while connection.recv(65_536, MSG_DONTWAIT):
                    pass


@contextmanager
def flood(port: int, request: bytes, frames: bytes) -> Iterator[list[int]]:
    """Somebody elsewhere who comes again and again; the answers to their handshakes."""
    over, answers = threading.Event(), list[int]()
    source = ELSEWHERE if sys.platform == "linux" else "127.0.0.1"

    def send() -> None:
        while not over.is_set():
            with suppress(OSError), closing(call(port, timeout=1.0, source=source)) as connection:
                connection.sendall(request)
                answers.append(status(connection.recv(4096)))
                send_on(connection, frames, over)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        while not answers:
            time.sleep(0.001)
        yield answers
    finally:
        over.set()
        thread.join(10)


def test_honest_people_go_on_beside_each_flood(port: int) -> None:
    campaign = make_campaign()
    stock(campaign, 400)
    choice = campaign.choices.values_list("id", flat=True)[0]
    ann, eve = make_annotator(campaign), make_annotator(campaign, stem="eve")
    path = f"/ws/campaigns/{campaign.slug}/label/"
    honest = Honest(port, campaign, ann.token, choice)
    honest.label()
    took = {}
    for name, token in product(FLOODS, ("", eve.token)):
        with flood(port, handshake(port, path, token), FLOODS[name]) as answers:
            seconds = max(honest.label() for _ in range(ACKS))
            took[name, "logged in" if token else "stranger"] = seconds
        expected = {101, 429} if token else {401}
        assert set(answers) <= {0, *expected}, (name, answers)
    honest.socket.close()
    slow = {case: seconds for case, seconds in took.items() if seconds > PATIENCE_S}
    assert slow == {}
    assert len(took) == 2 * len(FLOODS)


REFUSED = {
    "a page": b"GET /no/such HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a handshake": handshake(0),
    "no request": b"\x16\x03\x01\r\n\r\n",
    "nothing": b"",
}


@on_linux
def test_who_is_refused_again_and_again_waits_and_nobody_else_does(port: int) -> None:
    """Two hundred in a burst, then ten a second."""
    more = 20
    with ExitStack() as stack:
        for request in [*REFUSED.values()] * (UNGRANTED // len(REFUSED)):
            first = stack.enter_context(closing(call(port, source="127.0.1.1")))
            first.sendall(request)
        began = time.monotonic()
        last = [stack.enter_context(closing(call(port, source="127.0.1.1"))) for _ in range(more)]
        for each in last:
            each.sendall(handshake(port))
        for source in ("127.0.0.1", "127.0.1.2"):
            assert ask(port, source) == 200
        others = time.monotonic() - began
        assert all(status(each.recv(4096)) == 401 for each in last)
        waited = time.monotonic() - began
    assert others < 0.5
    assert 0.5 < waited < 2.0 + more / UNGRANTED_PER_S


ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def ask(port: int, source: str) -> int:
    with closing(call(port, source=source)) as connection:
        connection.sendall(ASK)
        return status(answer(connection))


@on_linux
def test_who_is_granted_what_they_ask_never_waits(port: int) -> None:
    """However many people come from one address."""
    began = time.monotonic()
    assert all(ask(port, "127.0.9.1") == 200 for _ in range(UNGRANTED + 100))
    assert time.monotonic() - began < 0.5 * 100 / UNGRANTED_PER_S
