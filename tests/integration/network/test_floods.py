"""Beside any flood, of strangers or of somebody who is logged in, honest people go on."""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import product
from socket import MSG_DONTWAIT, socket
from typing import Any
from uuid import uuid4

import pytest
from stock import make_annotator, make_campaign, stock
from websockets.sync.client import ClientConnection, connect

from al_engine.pools.models import Annotator
from annotator_site.network.limits import UNGRANTED, UNGRANTED_PER_S
from annotator_site.network.trickle import FIRST_BYTES, FRAMES_PER_S, IDLE_FRAMES

from .conftest import answer, call, status
from .frames import FLOODS, handshake

pytestmark = pytest.mark.django_db(transaction=True)

ACKS = 3
PATIENCE_S = 2.0
"""A person's receipt takes some milliseconds; beside the floods of old it took six seconds."""
PONG = b"\x8a\x00"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="has one address of its own only")


class Honest:
    """Somebody who labels, one image after the other."""

    def __init__(self, socket: ClientConnection, choice: int) -> None:
        self.socket = socket
        self._choice = choice
        self._queries: list[int] = []
        self._send({"type": "ready", "buffer": 2, "resume": None})

    def label(self) -> float:
        """Answer a query; the seconds until the receipt."""
        while not self._queries:
            self._hear()
        began, query = time.monotonic(), self._queries.pop()
        answer = {"type": "label", "id": str(uuid4()), "query": query, "choice": self._choice}
        self._send({**answer, "shown_ms": 1})
        while self._hear() != "ack":
            pass
        return time.monotonic() - began

    def _send(self, message: dict[str, Any]) -> None:
        self.socket.send(json.dumps(message))

    def _hear(self) -> str:
        """The type of the next message."""
        message = json.loads(self.socket.recv(timeout=15))
        if message["type"] == "query":
            self._queries.append(message["query"])
        return str(message["type"])


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
def flood(port: int, number: int, request: bytes, frames: bytes) -> Iterator[list[int]]:
    """Somebody elsewhere who comes again and again; the answers to their handshakes."""
    over, answers = threading.Event(), list[int]()
    # Not this machine's own address, so that its network has limits.
    source = f"127.0.2.{number}" if sys.platform == "linux" else "127.0.0.1"

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
    logged_in = {"Authorization": f"Token {ann.token}"}
    address, took = f"ws://localhost:{port}{path}", {}
    with connect(address, additional_headers=logged_in, proxy=None) as opened:
        honest = Honest(opened, choice)
        for number, (name, token) in enumerate(product(FLOODS, ("", eve.token)), 1):
            request = handshake(port, path, token)
            with flood(port, number, request, FLOODS[name]) as answers:
                seconds = max(honest.label() for _ in range(ACKS))
                took[name, "logged in" if token else "stranger"] = seconds
            expected = {101, 429} if token else {401}
            assert set(answers) <= {0, *expected}, (name, answers)
    slow = {case: seconds for case, seconds in took.items() if seconds > PATIENCE_S}
    assert slow == {}
    assert len(took) == 2 * len(FLOODS)


def test_pings_are_answered_no_faster_than_the_budget(port: int) -> None:
    """What the server takes in of what says nothing shows in its pongs."""
    ann = make_annotator(make_campaign())
    path = f"/ws/campaigns/{Annotator.objects.get(pk=ann.annotator_id).campaign.slug}/label/"
    with closing(call(port)) as connection:
        connection.sendall(handshake(port, path, ann.token))
        assert status(connection.recv(4096)) == 101
        began, pongs = time.monotonic(), 0
        connection.sendall(FLOODS["pings"] * 5_000)
        connection.settimeout(0.1)
        while time.monotonic() - began < 0.5:
            with suppress(TimeoutError):
                pongs += connection.recv(65_536).count(PONG)
        seconds = time.monotonic() - began
    each_s = FRAMES_PER_S / IDLE_FRAMES
    assert each_s < pongs <= each_s * (seconds + 2) + FIRST_BYTES / len(FLOODS["pings"])


REFUSED = [handshake(0), b"\x16\x03\x01\r\n\r\n", b"GET /i/2/no.png HTTP/1.1\r\nHost: x\r\n\r\n"]
"""A handshake of nobody, no request, and an image without a signature."""


@on_linux
def test_who_is_refused_again_and_again_waits_and_nobody_else_does(port: int) -> None:
    """Two hundred in a burst, then ten a second."""
    with ExitStack() as stack:
        began, sent = time.monotonic(), []
        for number in range(UNGRANTED + 100):
            sent.append(stack.enter_context(closing(call(port, source="127.0.1.1"))))
            sent[-1].sendall(REFUSED[number % len(REFUSED)])
        asked = time.monotonic()
        for source in ("127.0.0.1", "127.0.1.2"):
            assert ask(port, source) == 200
        others = time.monotonic() - asked
        told = Counter(status(each.recv(4096)) for each in sent)
        seconds = time.monotonic() - began
    assert others < PATIENCE_S
    # Time is short at this site: who waited for a second is told so.
    assert set(told) == {400, 401, 403, 408}
    assert told.total() - told[408] <= UNGRANTED + UNGRANTED_PER_S * seconds + 1


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
