"""People at a desk of this process: what they say, what they are told, and what must be so."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import orjson

from al_engine.pools.models import Label
from annotator_site.labeling import consumer
from annotator_site.labeling.desk import Desk
from annotator_site.labeling.session import Session

from .web import WebProcess


class Person:
    """One annotator's connections, one after the other."""

    def __init__(self, web: WebProcess, desk: Desk, annotator_id: int, choices: list[int]) -> None:
        self.web = web
        self.desk = desk
        self.annotator_id = annotator_id
        self.choices = choices
        # Queries in hand: the proof of each.
        self.held: dict[int, str] = {}
        # What was sent and has no receipt yet.
        self.open: dict[str, dict[str, Any]] = {}
        self.acked: dict[str, dict[str, Any]] = {}
        self.nacked: list[tuple[dict[str, Any], str]] = []
        # The order of the messages, and that of their acknowledgements.
        self.sent: list[str] = []
        self.order: list[str] = []
        self.mine = 0
        self.idle: list[str] = []
        self.notices: list[str] = []
        self.news = asyncio.Event()
        self.session = web.call(self._enter)

    # Called in the loop of the desk.

    def _enter(self) -> Session:
        session = Session(
            session_id=self.web.desks.new_session_id(),
            annotator_id=self.annotator_id,
            mine=self.mine,
            bucket=self.desk.bucket(self.annotator_id, 0.0),
            send=self._hear,
            now=self.web.loop.time(),
        )
        self.desk.people.enter(session)
        return session

    async def _hear(self, event: dict[str, Any]) -> None:
        if event["type"] != "websocket.send":
            return
        frame = orjson.loads(event["text"])
        match frame["type"]:
            case "query":
                # Not what it answered before this was on its way, unless it took that back.
                undone = {each.get("label") for each in self.open.values()}
                answered = {m.get("query") for id_, m in self.open.items() if id_ not in undone}
                if frame["query"] not in answered:
                    self.held[frame["query"]] = frame["proof"]
            case "revoke":
                self.held.pop(frame["query"], None)
            case "ack":
                self.mine = frame["progress"]["mine"]
                # Acknowledged twice: a message that was sent over two connections.
                if said := self.open.pop(frame["id"], None):
                    self.acked[frame["id"]] = said
                    self.order.append(frame["id"])
            case "nack":
                if said := self.open.pop(frame["id"], None):
                    self.nacked.append((said, frame["code"]))
            case "idle":
                self.idle.append(frame["reason"])
            case "notice":
                self.notices.append(frame["code"])
        self.news.set()

    def say(self, kind: str, **fields: Any) -> str:
        """Send a message, in the loop of the desk; its id."""
        id_ = str(uuid4())
        self.sent.append(id_)
        self.open[id_] = {"type": kind, "id": id_, **fields}
        self._send(self.open[id_])
        return id_

    def _send(self, message: dict[str, Any]) -> None:
        consumer.handle(self.desk, self.session, orjson.dumps(message).decode())

    def label(self, *, shown_ms: int = 700, choice: int = 0) -> str:
        """Answer what was handed out first."""
        query = next(iter(self.held))
        proof = self.held.pop(query)
        said = {"choice": self.choices[choice], "shown_ms": shown_ms}
        return self.say("label", query=query, proof=proof, **said)

    def skip(self) -> str:
        """Skip what was handed out first."""
        query = next(iter(self.held))
        return self.say("skip", query=query, proof=self.held.pop(query), reason="unsure")

    def ready(self, buffer: int, resume: str | None = None) -> None:
        """Ask for queries."""
        self._send({"type": "ready", "buffer": buffer, "resume": resume})

    def reconnect(self, buffer: int) -> None:
        """Lose the connection, come back over another one, send again what is not answered."""
        former = self.session
        self.desk.people.leave(former)
        self.session = self._enter()
        self.held.clear()
        self.ready(buffer, str(former.id))
        for message in self.open.values():
            self._send(message)

    def standing(self) -> list[str]:
        """Its labels that nothing which it said takes back."""
        said = {**self.acked, **self.open}
        undone = {message.get("label") for message in said.values()}
        return [id_ for id_, m in said.items() if m["type"] == "label" and id_ not in undone]

    def _saw_it_twice(self, message: dict[str, Any], code: str) -> bool:
        """Whether a crash lost that this person had the image, and it came to them again.

        Then they are told that they answered it before; nor can they take that back.
        """
        if message["type"] == "undo":
            refused = [said for said, _ in self.nacked if said["id"] == message["label"]]
            return bool(refused) and self._saw_it_twice(refused[0], "too_late")
        others = {_image(said) for said in self.acked.values()}
        return code == "too_late" and _image(message) in others

    # What must be so, once all is answered.

    def wrong(self) -> list[str]:
        """What is not as it should be in the database, or was not as it should be told."""
        rows = Label.objects.filter(annotator_id=self.annotator_id)
        stored = {str(row.client_id): row for row in rows}
        retracted = {m["label"] for m in self.acked.values() if m["type"] == "undo"}
        labels = {i: m for i, m in self.acked.items() if m["type"] == "label"}
        wrong = [f"nacked: {each}" for each in self.nacked if not self._saw_it_twice(*each)]
        wrong += [f"unanswered: {each}" for each in self.open.values()]
        for id_, message in labels.items():
            row = stored.pop(id_, None)
            if row is None:
                wrong.append(f"acknowledged and not there: {message}")
            elif row.choice_id != message["choice"]:
                wrong.append(f"stored as something else: {message}")
            elif (row.retracted_at is not None) is not (id_ in retracted):
                wrong.append(f"undone: {id_ in retracted}, retracted: {row.retracted_at}")
        wrong += [f"stored and never acknowledged: {each}" for each in stored]
        standing = len(labels) - len(retracted & set(labels))
        if self.mine != standing:
            wrong.append(f"told {self.mine} are theirs, and it is {standing}")
        twice = [key for key, n in Counter(self.order).items() if n > 1]
        return wrong + [f"acknowledged twice: {key}" for key in twice]


def _image(message: dict[str, Any]) -> str:
    """The image that an answer or a skip is about, by its proof; nothing for an undo."""
    return str(message.get("proof", "")).partition(".")[0]
