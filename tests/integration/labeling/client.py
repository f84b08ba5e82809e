"""A client of the labeling WebSocket that hides nothing: what it is sent can be asked for."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.connection import Connection

PATIENCE_S: Final = 15.0
"""How long anything may take before it counts as not happening."""

Frame = dict[str, Any]


class Client:
    """One connection. Frames are read when they are asked for; the others wait in `inbox`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.inbox: list[Frame] = []
        # Everything that came, in order and as it came.
        self.raw: list[str] = []

    # Out.

    def send(self, message: Frame) -> None:
        """Send a message as JSON text."""
        self.connection.send(orjson.dumps(message).decode())

    def ready(self, buffer: int = 1, resume: str | None = None) -> None:
        """Ask for queries."""
        self.send({"type": "ready", "buffer": buffer, "resume": resume})

    def label(self, query: int, choice: int, *, id_: str | None = None) -> Frame:
        """Answer a query; returns the ack or the nack."""
        return self.request({"type": "label", "query": query, "choice": choice}, id_)

    def skip(self, query: int, reason: str = "unsure", *, id_: str | None = None) -> Frame:
        """Skip a query; returns the ack or the nack."""
        return self.request({"type": "skip", "query": query, "reason": reason}, id_)

    def report(
        self, query: int, problem: str = "not_found", *, id_: str | None = None, **fields: Any
    ) -> Frame:
        """Report a picture that does not show; returns the ack or the nack."""
        return self.request({"type": "report", "query": query, "problem": problem, **fields}, id_)

    def undo(self, label: str, *, id_: str | None = None) -> Frame:
        """Take an answer back; returns the ack or the nack."""
        return self.request({"type": "undo", "label": label}, id_)

    def request(self, message: Frame, id_: str | None = None) -> Frame:
        """Send a message with an id; returns the ack or the nack."""
        sent = {"id": id_ or str(uuid4()), "shown_ms": 700, **message}
        self.send(sent)
        return self.await_frame(
            lambda frame: frame["type"] in ("ack", "nack") and frame["id"] == sent["id"]
        )

    # In.

    def expect(self, kind: str, **fields: Any) -> Frame:
        """The next frame of this type and with these fields; others stay in the inbox."""
        return self.await_frame(
            lambda frame: (
                frame["type"] == kind
                and all(frame[name] == value for name, value in fields.items())
            )
        )

    def queries(self, count: int) -> list[int]:
        """The next `count` queries."""
        return [int(self.expect("query")["query"]) for _ in range(count)]

    def await_frame(self, wanted: Callable[[Frame], bool]) -> Frame:
        """The first frame that is wanted, of those in the inbox and those to come."""
        for place, frame in enumerate(self.inbox):
            if wanted(frame):
                return self.inbox.pop(place)
        while not wanted(frame := self._receive()):
            self.inbox.append(frame)
        return frame

    def settle(self) -> list[Frame]:
        """Everything that was due to this client, once it has come; empties the inbox.

        A message about no query travels through the desk like any other. The answer to the
        second of two comes a whole round after everything that was under way before the first.
        """
        for _ in range(2):
            self.request({"type": "skip", "query": 0, "reason": "other"})
        frames, self.inbox = self.inbox, []
        return frames

    def close_code(self) -> int:
        """Why the server closed the connection, once it has; what came before is in the inbox."""
        with suppress(ConnectionClosed):
            while True:
                self.inbox.append(self._receive())
        code = self.connection.protocol.close_code
        assert code is not None
        return code

    def close(self) -> None:
        """Say good-bye."""
        self.connection.close()

    def drop(self) -> None:
        """Be gone without a word, as when a network fails."""
        self.connection.socket.close()

    def _receive(self) -> Frame:
        try:
            text = self.connection.recv(timeout=PATIENCE_S)
        except TimeoutError:
            came = [f"{text[:160]}…" for text in self.raw[-5:]]
            raise AssertionError(f"nothing more came; these did: {came}") from None
        assert isinstance(text, str)
        self.raw.append(text)
        frame: Frame = orjson.loads(text)
        return frame


def refusal(opening: Callable[[], object]) -> Frame:
    """What a handshake is refused with: `status`, `message` and `name`."""
    with pytest.raises(InvalidStatus) as refused:
        opening()
    answer = refused.value.response
    assert answer.body
    said: Frame = orjson.loads(answer.body)
    assert said["status"] == answer.status_code
    return said
