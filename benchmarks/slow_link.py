"""A TCP proxy that delays every byte in both directions, like a network with a long round trip.

DevTools' network emulation does not slow WebSockets down.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 65_536


@contextmanager
def slow_link(port: int, *, round_trip_s: float) -> Iterator[int]:
    """A proxy before `port` of this machine until the end of the block; yields its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="slow-link", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_serve(port, round_trip_s / 2), loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(port: int, delay_s: float) -> asyncio.Server:
    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Handlers are canceled at the end; Python 3.11's server logs a CancelledError from them.
        with suppress(asyncio.CancelledError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(
                _carry(reader, there_writer, delay_s), _carry(there_reader, writer, delay_s)
            )

    return await asyncio.start_server(join, "127.0.0.1", 0)


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    """Forward all bytes in order, each part `delay_s` after it arrived."""
    clock = asyncio.get_running_loop().time
    parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        part = b"-"
        while part:
            try:
                part = await reader.read(CHUNK_BYTES)
            except ConnectionError:
                part = b""
            parts.put_nowait((clock() + delay_s, part))

    reading = asyncio.create_task(read())
    part = b"-"
    with suppress(ConnectionError):
        while part:
            due, part = await parts.get()
            await asyncio.sleep(due - clock())
            writer.write(part)
            await writer.drain()
    writer.close()
    reading.cancel()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
