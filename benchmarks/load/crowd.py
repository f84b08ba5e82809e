"""People of a load test, who answer with or without time to think.

A person without thinking time answers as soon as the last answer is acknowledged and the next query
has arrived, so that each counted label is durable and followed by a query. A person who thinks
answers from a buffer, as at the labeling page; a wait lasts from an answer until the next query is
in the buffer.
"""

import asyncio
import gc
import random
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from benchmarks.load.wire import Fetcher, RefusedError, Socket, open_socket

_AT_ONCE: Final = 32
"""Connections that are opened at the same time."""


@dataclass(slots=True)
class Load:
    """The parameters of a crowd: mean thinking time `think_s` (0: none), `buffer` queries ahead."""

    host: str
    port: int
    path: str
    tokens: Sequence[str]
    choices: Sequence[int] = ()
    # The right answer by image id; images without one are answered with the first class.
    truth: Mapping[int, int] = field(default_factory=dict)
    think_s: float = 0.0
    buffer: int = 1
    seconds: float = 8.0
    warm_up_s: float = 2.0
    # Connections for fetching images; 0: no images are fetched.
    fetchers: int = 0


@dataclass(slots=True)
class Figures:
    """The crowd's measurements after its warm-up; latencies in milliseconds."""

    seconds: float = 0.0
    labels: int = 0
    acks_ms: list[float] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    dry: int = 0
    images: int = 0
    images_ms: list[float] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    connect_s: float = 0.0

    @property
    def per_second(self) -> float:
        """Labels per second."""
        return self.labels / self.seconds


class Person:
    """A person at the labeling page."""

    __slots__ = (
        "acked",
        "crowd",
        "fetcher",
        "held",
        "ids",
        "sent",
        "socket",
        "thinking",
        "waiting_since",
    )

    def __init__(self, crowd: "Crowd") -> None:
        self.crowd = crowd
        # Queries in the buffer, each with the answer that it will get.
        self.held: list[tuple[int, int]] = []
        self.sent: dict[str, float] = {}
        self.acked = True
        self.thinking = False
        self.waiting_since: float | None = None
        self.socket: Socket | None = None
        self.fetcher: Fetches | None = None
        self.ids = random.getrandbits(96) << 32

    def on_text(self, text: bytes) -> None:
        """Handle a message from the server."""
        message = orjson.loads(text)
        kind = message["type"]
        if kind == "ack":
            now = time.perf_counter()
            self.crowd.acked(now - self.sent.pop(message["id"]))
            self.acked = True
            if not self.crowd.load.think_s:
                self.go_on(now)
        elif kind == "query":
            image = message["image"]["id"]
            self.held.append(
                (message["query"], self.crowd.load.truth.get(image, self.crowd.choice))
            )
            if self.fetcher is not None:
                self.fetcher.fetch(message["image"]["url"])
            if not self.thinking:
                self.go_on(time.perf_counter())
        elif kind == "nack":
            self.crowd.figures.problems[f"nack {message['code']}"] += 1
            self.sent.pop(message["id"], None)
            self.acked = True
        elif kind != "welcome":
            self.crowd.figures.problems[f"{kind} {message.get('reason', '')}".strip()] += 1
            if kind == "revoke":
                self.held = [each for each in self.held if each[0] != message["query"]]

    def on_close(self, code: int | None) -> None:
        """Count a connection that the server closed."""
        if not self.crowd.over:
            self.crowd.figures.problems[f"closed with {code}"] += 1

    def go_on(self, now: float) -> None:
        """Answer, or begin to think, if there is a query to answer."""
        crowd = self.crowd
        if not self.held or crowd.over:
            return
        if not crowd.load.think_s:
            if self.acked:
                self.answer()
            return
        if self.waiting_since is not None:
            crowd.waited(now - self.waiting_since)
            self.waiting_since = None
        self.thinking = True
        # Gamma-distributed: most answers take about the mean time, a few much longer.
        crowd.loop.call_later(random.gammavariate(4, crowd.load.think_s / 4), self.thought)

    def thought(self) -> None:
        """Answer at the end of the thinking time."""
        self.thinking = False
        if not self.held or self.crowd.over:
            return
        self.answer()
        now = time.perf_counter()
        if self.held:
            self.crowd.waited(0.0)
            self.go_on(now)
        else:
            self.crowd.ran_dry()
            self.waiting_since = now

    def answer(self) -> None:
        """Answer the oldest query in hand."""
        query, choice = self.held.pop(0)
        self.ids += 1
        message_id = str(uuid.UUID(int=self.ids))
        text = (
            f'{{"type":"label","id":"{message_id}","query":{query},'
            f'"choice":{choice},"shown_ms":700}}'
        )
        self.acked = False
        self.sent[message_id] = time.perf_counter()
        assert self.socket is not None
        self.socket.send(text.encode())


class Fetches:
    """An HTTP connection for images that measures the time of its answers."""

    def __init__(self, crowd: "Crowd") -> None:
        self.crowd = crowd
        self.asked: list[float] = []
        self.connection: Fetcher | None = None

    async def open(self) -> None:
        """Open the connection."""
        load = self.crowd.load
        _, self.connection = await asyncio.get_running_loop().create_connection(
            lambda: Fetcher(f"{load.host}:{load.port}", self._on_body), load.host, load.port
        )

    def fetch(self, path: str) -> None:
        """Ask for an image."""
        self.asked.append(time.perf_counter())
        assert self.connection is not None
        self.connection.fetch(path)

    def _on_body(self, whole: bool) -> None:
        self.crowd.fetched(time.perf_counter() - self.asked.pop(0), whole)


class Crowd:
    """All people of a load, on one event loop."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.figures = Figures()
        self.over = False
        self.choice = load.choices[0] if load.choices else 0
        self.loop = asyncio.get_running_loop()
        self._counting = False

    def acked(self, seconds: float) -> None:
        """Count a label that was acknowledged after `seconds`."""
        if self._counting:
            self.figures.labels += 1
            self.figures.acks_ms.append(seconds * 1000)

    def waited(self, seconds: float) -> None:
        """Count a wait of `seconds` for the next query."""
        if self._counting:
            self.figures.waits_ms.append(seconds * 1000)

    def ran_dry(self) -> None:
        """Count an answer after which a person had no query left."""
        if self._counting:
            self.figures.dry += 1

    def fetched(self, seconds: float, whole: bool) -> None:
        """Count an image that arrived after `seconds`, or failed if not `whole`."""
        if not whole:
            self.figures.problems["image"] += 1
        elif self._counting:
            self.figures.images += 1
            self.figures.images_ms.append(seconds * 1000)

    async def run(self) -> Figures:
        """Connect all people, warm up, count for `load.seconds`, disconnect."""
        began = time.perf_counter()
        fetchers = [Fetches(self) for _ in range(self.load.fetchers)]
        for each in fetchers:
            await each.open()
        doors = asyncio.Semaphore(_AT_ONCE)
        people = await asyncio.gather(
            *(
                self._admit(token, doors, fetchers[n % len(fetchers)] if fetchers else None)
                for n, token in enumerate(self.load.tokens)
            )
        )
        self.figures.connect_s = time.perf_counter() - began
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        await asyncio.sleep(self.load.warm_up_s)
        self._counting, began = True, time.perf_counter()
        await asyncio.sleep(self.load.seconds)
        self._counting, self.figures.seconds = False, time.perf_counter() - began
        self.over = True
        for person in people:
            if person.socket is not None:
                person.socket.close()
        for each in fetchers:
            if each.connection is not None:
                each.connection.close()
        await asyncio.sleep(0.2)
        return self.figures

    async def _admit(self, token: str, doors: asyncio.Semaphore, fetcher: Fetches | None) -> Person:
        person = Person(self)
        person.fetcher = fetcher
        async with doors:
            try:
                person.socket = await open_socket(
                    self.load.host,
                    self.load.port,
                    self.load.path,
                    token=token,
                    on_text=person.on_text,
                    on_close=person.on_close,
                )
            except (RefusedError, OSError) as error:
                self.figures.problems[f"refused: {error}"] += 1
            else:
                ready = {"type": "ready", "buffer": self.load.buffer, "resume": None}
                person.socket.send(orjson.dumps(ready))
        return person
