"""Frames that nobody should send, drawn at random: whole WebSocket frames, header and all."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

import orjson

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_NO_MASK: Final = b"\x00\x00\x00\x00"
_LAST: Final = 0.08
"""Of the frames, so many end their connection."""
_WITHIN, _BEYOND = 16 * 1024, 128 * 1024


@dataclass(frozen=True, slots=True)
class Prey:
    """What a malicious annotator may know or guess of the site."""

    choices: tuple[int, ...]
    # Of other campaigns.
    foreign_choices: tuple[int, ...]
    foreign_turns: tuple[int, ...]
    # Turns of the campaign lie between these; others hold them, or did, or will.
    turns: tuple[int, int]
    # Sessions of people who label.
    sessions: tuple[str, ...]
    # Their labels have ids that count up from here.
    first_label: int


class Drawn(NamedTuple):
    """A kind of frame, one of it, and whether the connection is not for more."""

    kind: str
    data: bytes
    is_last: bool


def frame(opcode: int, payload: bytes, *, first: int = 0x80) -> bytes:
    """A WebSocket frame from a client; `first` are the bits before the opcode."""
    size = len(payload)
    if size < 126:
        head = bytes((first | opcode, 0x80 | size))
    elif size < 2**16:
        head = bytes((first | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first | opcode, 0xFF)) + size.to_bytes(8, "big")
    return head + _NO_MASK + payload


def _text(message: object) -> bytes:
    return frame(_TEXT, orjson.dumps(message))


def last_word(id_: str) -> bytes:
    """A message that has an answer, whoever sends it."""
    return _text({"type": "undo", "id": id_, "label": str(uuid.UUID(int=0))})


class Liar:
    """Draws frames for somebody who was never given a query: no answer of theirs may count."""

    def __init__(self, prey: Prey, dice: Random) -> None:
        self.prey = prey
        self.dice = dice
        self.kinds: dict[str, Callable[[], bytes]] = {
            "binary": lambda: frame(_BINARY, dice.randbytes(dice.randrange(400))),
            "no JSON": lambda: frame(_TEXT, self._letters(dice.randrange(200)).encode()),
            "too large for the protocol": lambda: self._large(_WITHIN + 1, _BEYOND - 200),
            "deeply nested": self._nested,
            "a wrong type": self._wrong_type,
            "an unknown type": lambda: _text({**self._label(), "type": self._letters(12)}),
            "bytes changed": self._mutated,
            "a label before ready": lambda: _text(self._label()),
            "a label of a foreign query": lambda: _text(
                {**self._label(), "query": dice.choice(prey.foreign_turns)}
            ),
            "a foreign class": lambda: _text(
                {**self._label(), "choice": dice.choice(prey.foreign_choices)}
            ),
            "another's id": lambda: _text({**self._label(), "id": self._others_label()}),
            "the same id twice": self._twice,
            "a skip of another's query": lambda: _text(
                {"type": "skip", "id": self._id(), "query": self._turn(), "reason": "bad_image"}
            ),
            "a report of another's query": lambda: _text(
                {
                    "type": "report",
                    "id": self._id(),
                    "query": self._turn(),
                    "problem": dice.choice(("not_found", "not_decodable", "bad_image", None)),
                    "detail": self._letters(dice.choice((9, 300))),
                }
            ),
            "an undo of another's label": lambda: _text(
                {"type": "undo", "id": self._id(), "label": self._others_label()}
            ),
            "an undo of nothing": lambda: _text(
                {"type": "undo", "id": self._id(), "label": self._id()}
            ),
            "pings": lambda: frame(_PING, dice.randbytes(dice.randrange(126))) * 5,
            "a pong": lambda: frame(_PONG, dice.randbytes(8)),
        }
        # What ends the connection: nothing after it is heard.
        self.last: dict[str, Callable[[], bytes]] = {
            "bad UTF-8": lambda: frame(_TEXT, b"\xff\xc0" + dice.randbytes(dice.randrange(60))),
            "cut off": self._cut_off,
            "too large for the server": lambda: self._large(_BEYOND + 1, 4 * _BEYOND),
            "a broken frame": self._broken_frame,
            "a fragment": self._fragment,
            "a close": lambda: frame(_CLOSE, dice.randbytes(dice.choice((0, 1, 2, 9)))),
        }

    def draw(self) -> Drawn:
        """A frame of any kind."""
        is_last = self.dice.random() < _LAST
        kinds = self.last if is_last else self.kinds
        kind = self.dice.choice(list(kinds))
        return Drawn(kind, kinds[kind](), is_last)

    def _id(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128)))

    def _others_label(self) -> str:
        return str(uuid.UUID(int=self.prey.first_label + self.dice.randrange(2_000)))

    def _turn(self) -> int:
        return self.dice.randint(*self.prey.turns)

    def _label(self) -> dict[str, Any]:
        choice = self.dice.choice(self.prey.choices)
        return {"type": "label", "id": self._id(), "query": self._turn(), "choice": choice,
                "shown_ms": 5}  # fmt: skip

    def _letters(self, count: int) -> str:
        return "".join(self.dice.choices('abc{}[]":,\\ä€\u0000', k=count))

    def _cut_off(self) -> bytes:
        whole = _text(self._label())
        return whole[: self.dice.randrange(1, len(whole))]

    def _large(self, least: int, most: int) -> bytes:
        return _text({**self._label(), "x": "x" * self.dice.randint(least, most)})

    def _nested(self) -> bytes:
        depth = self.dice.choice((100, 2_000, 7_900))
        return frame(_TEXT, self.dice.choice((b"[", b'{"a":')) * depth)

    def _wrong_type(self) -> bytes:
        message = self._label()
        name = self.dice.choice(list(message))
        values: tuple[Any, ...] = (None, True, -1, 1.5, 2**63, 2**70, "", "1", "\u0000")
        values += ([], {}, [1], {"a": 1})
        # Written by hand: orjson has no whole numbers beyond 64 bits.
        text = orjson.dumps({**message, name: "?"}).decode()
        value = self.dice.choice(values)
        said = str(value) if isinstance(value, int) else orjson.dumps(value).decode()
        return frame(_TEXT, text.replace('"?"', said, 1).encode())

    def _mutated(self) -> bytes:
        payload = bytearray(orjson.dumps(self._label()))
        for _ in range(self.dice.randint(1, 6)):
            at = self.dice.randrange(len(payload))
            match self.dice.randrange(3):
                case 0:
                    payload[at] = self.dice.randrange(256)
                case 1:
                    del payload[at]
                case _:
                    payload[at:at] = self.dice.randbytes(2)
        return frame(_TEXT, bytes(payload))

    def _twice(self) -> bytes:
        message = self._label()
        another = {**message, "choice": self.dice.choice(self.prey.choices)}
        return _text(message) + _text(another)

    def _broken_frame(self) -> bytes:
        payload = orjson.dumps(self._label())
        whole = frame(_TEXT, payload)
        return self.dice.choice(
            (
                bytes((0x80 | _TEXT, len(payload) & 0x7F)) + payload,  # without a mask
                frame(self.dice.choice((3, 7, 11, 15)), payload),  # of a kind that is none
                frame(_TEXT, payload, first=0xF0),  # with bits of an extension
                frame(_PING, b"x" * 200),  # too large for its kind
                self.dice.randbytes(len(whole)),
            )
        )

    def _fragment(self) -> bytes:
        payload = orjson.dumps(self._label())
        begun = frame(_TEXT, payload[:20], first=0)
        return self.dice.choice(
            (
                begun,  # without an end
                begun + frame(0, payload[20:]),  # a whole message in two
                frame(0, payload),  # without a beginning
                begun + frame(_TEXT, payload),  # another one in between
            )
        )


class Taker:
    """Draws frames for somebody who takes queries and never answers one."""

    def __init__(self, prey: Prey, dice: Random) -> None:
        self.prey = prey
        self.dice = dice

    def draw(self) -> Drawn:
        """A frame of any kind."""
        kind, said = self._said()
        return Drawn(kind, _text({"type": "ready", **said}), is_last=False)

    def _said(self) -> tuple[str, dict[str, Any]]:
        dice = self.dice
        size = dice.choice((1, 2, 3))
        match dice.randrange(4):
            case 0:
                resume = dice.choice(self.prey.sessions)
                return "a resume of another's session", {"buffer": size, "resume": resume}
            case 1:
                return "a resume of nothing", {"buffer": size, "resume": str(uuid.uuid4())}
            case 2:
                return "ready", {"buffer": size, "resume": None}
            case _:
                wrong = dice.choice((0, -1, 21, 2**31, None, "3", 1.5))
                return "a wrong buffer", {"buffer": wrong, "resume": None}
