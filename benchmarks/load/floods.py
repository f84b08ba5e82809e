"""Floods that could keep people from labeling; each kind is sent by a process of its own.

Bounded in count and time, and for this machine only. The process has the lowest priority, because
real floods come from elsewhere and use none of the server's cores.
"""

import http.client
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from socket import MSG_DONTWAIT, create_connection, socket
from typing import Final
from urllib.parse import urlencode

from annotator_site.network.descriptors import raise_limit

HOST: Final = "127.0.0.1"
FRAMES: Final = {
    "texts": b"\x81\x80\x00\x00\x00\x00",
    "binaries": b"\x82\x80\x00\x00\x00\x00",
    "pings": b"\x89\x80\x00\x00\x00\x00",
    "fragments": b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 9,
}
"""Tiny frames; a quarter of a megabyte holds some ten thousand."""
UNFINISHED: Final = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nX-"
PATIENCE_S: Final = 10.0
_dice = random.Random()  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class Target:
    """The site: its port, a campaign's WebSocket path, and the token of an abusive annotator."""

    port: int
    path: str
    token: str


class Flood:
    """One kind of flood, sent until `over` is set; `told` counts the answers."""

    def __init__(self, target: Target, source: str) -> None:
        self.target = target
        self.source = source
        self.told: Counter[str] = Counter()
        self.over = threading.Event()

    def call(self, timeout: float = PATIENCE_S) -> socket:
        """A new connection from `source`, or from a random address if `source` is empty."""
        source = self.source or f"127.{_dice.randint(1, 250)}.{_dice.randint(1, 250)}.9"
        return create_connection((HOST, self.target.port), timeout, (source, 0))

    def count(self, answer: bytes) -> None:
        """Count an answer by its status."""
        self.told[answer[9:12].decode("latin-1") if answer else "nothing"] += 1

    def repeat(self, people: int, act: Callable[[], None]) -> None:
        """Repeat `act` until the flood is over, in `people` threads."""

        def go_on() -> None:
            while not self.over.is_set():
                try:
                    act()
                except OSError as error:
                    self.told[type(error).__name__] += 1
                    time.sleep(0.01)

        for _ in range(people):
            threading.Thread(target=go_on, daemon=True).start()

    def upgrade(self, path: str, *headers: str) -> bytes:
        """The request of a WebSocket handshake."""
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: localhost:{self.target.port}",
            f"Origin: http://localhost:{self.target.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode()


def frames(flood: Flood, *, people: int, request: bytes) -> None:
    """Send handshakes, and then frames whatever the answer is."""
    kinds = [frames * (65_536 // len(frames)) for frames in FRAMES.values()]

    def act() -> None:
        with closing(flood.call()) as connection:
            connection.sendall(request)
            flood.count(connection.recv(4096))
            burst = _dice.choice(kinds)
            while not flood.over.is_set():
                connection.sendall(burst)
                with suppress(BlockingIOError):
                    while connection.recv(65_536, MSG_DONTWAIT):
                        pass

    flood.repeat(people, act)


def of_strangers(flood: Flood) -> None:
    """Frames on 20 connections without a log-in."""
    frames(flood, people=20, request=flood.upgrade(flood.target.path))


def of_somebody(flood: Flood) -> None:
    """Frames on five connections of one annotator."""
    token = f"Authorization: Token {flood.target.token}"
    frames(flood, people=5, request=flood.upgrade(flood.target.path, token))


def log_ins(flood: Flood) -> None:
    """Try passwords, 64 attempts at a time."""

    def act() -> None:
        client = http.client.HTTPConnection(HOST, flood.target.port, PATIENCE_S)
        with closing(client):
            client.sock = flood.call()
            client.request("GET", "/accounts/login/")
            answer = client.getresponse()
            cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
            answer.read()
            name = f"person-{_dice.getrandbits(32)}"
            form = {"csrfmiddlewaretoken": cookie.partition("=")[2], "username": name}
            form |= {"login": name, "password": "a guess"}
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
            client.request("POST", "/accounts/login/", urlencode(form), headers)
            flood.told[str(client.getresponse().status)] += 1

    flood.repeat(64, act)


def bodies(flood: Flood) -> None:
    """Bodies of 1.2 GB to the log-in, two at a time, with Content-Length or in chunks."""
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\n"

    def act() -> None:
        with closing(flood.call()) as connection:
            encoding = _dice.choice([b"Content-Length: 1200000000", b"Transfer-Encoding: chunked"])
            connection.sendall(head + encoding + b"\r\n\r\n")
            try:
                for _ in range(1_200_000_000 // len(piece)):
                    connection.sendall(piece)
                    if flood.over.is_set():
                        return
            finally:
                with suppress(OSError):
                    flood.count(connection.recv(4096))

    flood.repeat(2, act)


def handshakes(flood: Flood) -> None:
    """150 handshakes a second, to various paths, with no, a wrong token or a wrong session."""
    said = ["X-Nothing: 1", "Authorization: Token nobodys", "Cookie: sessionid=" + "0" * 32]
    paths = [flood.target.path, "/", "/ws/", "/ws/campaigns/none/label/", "/admin/"]

    def act() -> None:
        with closing(flood.call()) as connection:
            connection.sendall(flood.upgrade(_dice.choice(paths), _dice.choice(said)))
            flood.count(connection.recv(4096))

    _paced(flood, per_s=150, act=act)


def half_sent(flood: Flood) -> None:
    """Requests that do not end, on up to 5,000 connections, 500 new ones a second."""
    held: list[socket] = []

    def act() -> None:
        connection = flood.call()
        connection.sendall(UNFINISHED)
        held.append(connection)
        flood.told["opened"] += 1
        if len(held) > 5_000:
            held.pop(0).close()

    _paced(flood, per_s=500, act=act)


def _paced(flood: Flood, *, per_s: int, act: Callable[[], None]) -> None:
    """Call `act` `per_s` times a second, each in a thread of its own, at most 600 at a time."""
    free = threading.Semaphore(600)

    def one() -> None:
        try:
            act()
        except OSError as error:
            flood.told[type(error).__name__] += 1
        finally:
            free.release()

    def pace() -> None:
        at = time.monotonic()
        while not flood.over.is_set():
            free.acquire()
            threading.Thread(target=one, daemon=True).start()
            at = max(at + 1 / per_s, time.monotonic() - 0.1)
            time.sleep(max(at - time.monotonic(), 0))

    threading.Thread(target=pace, daemon=True).start()


KINDS: Final[dict[str, Callable[[Flood], None]]] = {
    "frames of strangers on 20 connections": of_strangers,
    "frames of somebody logged in on five": of_somebody,
    "150 handshakes a second": handshakes,
    "64 log-ins at a time": log_ins,
    "half-sent requests": half_sent,
    "bodies of 1.2 GB": bodies,
}


def _run(kind: str, target: Target, source: str, ends: Connection) -> None:
    os.nice(19)
    raise_limit()
    flood = Flood(target, source)
    KINDS[kind](flood)
    ends.send("begun")
    ends.recv()
    flood.over.set()
    ends.send(flood.told)
    os._exit(0)  # at once, although threads may still wait for answers


@contextmanager
def flooding(kind: str, target: Target, source: str) -> Iterator[Counter[str]]:
    """Run a flood in a process of its own; the counter has its answers after the block."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_run, args=(kind, target, source, theirs))
    process.start()
    told: Counter[str] = Counter()
    try:
        ours.recv()
        yield told
        ours.send("enough")
        told.update(ours.recv())
    finally:
        process.join(5.0)
        process.kill()
