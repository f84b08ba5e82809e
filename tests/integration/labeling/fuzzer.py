"""Many sockets at once that send what nobody should, and hang up in the middle of it."""

import asyncio
import base64
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Final
from urllib.parse import urlsplit

import orjson

from .rubbish import Liar, Prey, Taker, last_word

_FRAMES_EACH: Final = 40
"""Over one connection, at most; then it ends without a word."""
_STAY: Final = 0.8
"""Of the connections, so many are not dropped in the middle of it."""
_STAY_S: Final = 3.0
_PATIENCE_S: Final = 10.0


class Fuzz:
    """One run; afterwards `sent` has the kinds of frames and `told` what came back."""

    def __init__(
        self, site: str, path: str, prey: Prey, *, seed: int, per_second: float = 0.0
    ) -> None:
        """`per_second`: frames of all sockets together; 0: as fast as they can."""
        parts = urlsplit(site)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.path = path
        self.prey = prey
        self.seed = seed
        self.per_second = per_second
        self._next_at = 0.0
        self.left = 0
        self.sent: Counter[str] = Counter()
        self.told: Counter[str] = Counter()

    async def run(self, frames: int, *, liars: Sequence[str], takers: Sequence[str]) -> None:
        """Send so many frames; each token (one person's may come up to five times) is a socket."""
        self.left = frames
        drawers = [(token, Liar) for token in liars] + [(token, Taker) for token in takers]
        async with asyncio.TaskGroup() as group:
            for number, (token, drawer) in enumerate(drawers):
                dice = Random(self.seed * 1_000 + number)
                group.create_task(self._send_all(token, drawer(self.prey, dice), dice))

    async def _send_all(self, token: str, drawer: Liar | Taker, dice: Random) -> None:
        while self.left > 0:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    reader, writer = await asyncio.open_connection(self.host, self.port)
                    try:
                        await self._attend(reader, writer, token, drawer, dice)
                    finally:
                        writer.transport.abort()
            except (OSError, asyncio.IncompleteReadError):
                self.told["hung up"] += 1

    async def _attend(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        token: str,
        drawer: Liar | Taker,
        dice: Random,
    ) -> None:
        writer.write(self._handshake(token, dice))
        answer = await reader.readuntil(b"\r\n\r\n")
        self.told[answer.split(b"\r\n", 1)[0].decode()] += 1
        if b" 101 " not in answer:
            return
        word = str(uuid.UUID(int=dice.getrandbits(128)))
        welcome = asyncio.Event()
        hearing = asyncio.create_task(self._hear(reader, word, welcome))
        try:
            # Some do not wait to be let in.
            if dice.random() < _STAY:
                welcomed = asyncio.create_task(welcome.wait())
                await asyncio.wait([hearing, welcomed], return_when=asyncio.FIRST_COMPLETED)
                welcomed.cancel()
            for _ in range(dice.randint(1, _FRAMES_EACH)):
                if self.left <= 0 or hearing.done():
                    break
                self.left -= 1
                kind, data, is_last = drawer.draw()
                self.sent[kind] += 1
                await self._pace()
                writer.write(data)
                await writer.drain()
                if is_last:
                    break
            # Most stay until all was dealt with: until the answer to a last, proper message.
            if dice.random() < _STAY:
                writer.write(last_word(word))
                await asyncio.wait([hearing], timeout=_STAY_S)
            else:
                self.told["not waited for"] += 1
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing

    def _handshake(self, token: str, dice: Random) -> bytes:
        """Mostly a proper one, now and then one that is refused."""
        path = self.path if dice.random() < 0.97 else "/ws/campaigns/%00/label/"
        said = token if dice.random() < 0.97 else "nobody's"
        version = "13" if dice.random() < 0.97 else "x"
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: localhost:{self.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(dice.randbytes(16)).decode()}",
            f"Sec-WebSocket-Version: {version}",
            f"Authorization: Token {said}",
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def _pace(self) -> None:
        """Wait for the turn of the next frame of all sockets together."""
        if self.per_second:
            now = asyncio.get_running_loop().time()
            self._next_at = max(self._next_at + 1 / self.per_second, now)
            await asyncio.sleep(self._next_at - now)

    async def _hear(self, reader: asyncio.StreamReader, word: str, welcome: asyncio.Event) -> None:
        """Count what is said, until the end or the answer to the last word."""
        try:
            while await self._hear_one(reader, word, welcome):
                pass
        except (OSError, asyncio.IncompleteReadError):
            # The server does not argue with who breaks the rules of WebSockets.
            self.told["hung up"] += 1

    async def _hear_one(
        self, reader: asyncio.StreamReader, word: str, welcome: asyncio.Event
    ) -> bool:
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
        payload = await reader.readexactly(size)
        if first & 0x0F == 8:
            self.told[f"closed with {int.from_bytes(payload[:2], 'big')}"] += 1
            return False
        if first & 0x0F == 1:
            message = orjson.loads(payload)
            if message["type"] == "welcome":
                welcome.set()
            if message.get("id") == word:
                return False
            self.told[" ".join([message["type"], message.get("code", "")]).strip()] += 1
        return True


def fuzz_apart(
    where: tuple[str, str, Prey],
    frames: int,
    who: tuple[Sequence[str], Sequence[str]],
    *,
    seed: int,
    per_second: float,
) -> tuple[Counter[str], Counter[str]]:
    """A whole run of (site, path, prey) by (liars, takers), for a process of its own."""
    fuzz = Fuzz(*where, seed=seed, per_second=per_second)
    liars, takers = who
    asyncio.run(fuzz.run(frames, liars=liars, takers=takers))
    return fuzz.sent, fuzz.told
