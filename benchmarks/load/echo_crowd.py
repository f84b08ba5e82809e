"""People who talk to an echo server: the limit of the load generator itself."""

import asyncio
import time
import uuid

import orjson

from benchmarks.load.crowd import Figures
from benchmarks.load.wire import Socket, open_socket


async def echo(host: str, port: int, people: int, *, seconds: float, warm_up_s: float) -> Figures:
    """Run people who send a message like a label as soon as the last message came back."""
    figures, counting = Figures(), False
    text = orjson.dumps(
        {
            "type": "label",
            "id": str(uuid.uuid4()),
            "query": 1_234_567,
            "choice": 12,
            "shown_ms": 700,
        }
    )
    sockets: list[Socket] = []

    async def enter() -> None:
        sent = 0.0

        def on_text(_text: bytes) -> None:
            nonlocal sent
            now = time.perf_counter()
            if counting:
                figures.labels += 1
                figures.acks_ms.append((now - sent) * 1000)
            sent = now
            socket.send(text)

        socket = await open_socket(
            host, port, "/echo/", token=None, on_text=on_text, on_close=lambda _code: None
        )
        sockets.append(socket)
        sent = time.perf_counter()
        socket.send(text)

    for _ in range(people):
        await enter()
    await asyncio.sleep(warm_up_s)
    counting, began = True, time.perf_counter()
    await asyncio.sleep(seconds)
    counting, figures.seconds = False, time.perf_counter() - began
    for socket in sockets:
        socket.on_text = lambda _text: None
        socket.close()
    await asyncio.sleep(0.2)
    return figures
