"""A crowd that arrives comes in one after the other, and nobody waits for long."""

import asyncio
import time

from annotator_site.labeling.authentication import GAP_S, LONGEST_S, Door


def test_who_comes_alone_does_not_wait() -> None:
    async def arrive() -> bool:
        task = asyncio.ensure_future(Door().wait())
        await asyncio.sleep(0)
        return task.done()

    assert asyncio.run(arrive())


def test_who_comes_together_comes_in_apart_and_in_order() -> None:
    async def arrive() -> list[tuple[int, float]]:
        door, inside = Door(), []

        async def one(number: int) -> None:
            await door.wait()
            inside.append((number, time.monotonic()))

        await asyncio.gather(*(one(number) for number in range(20)))
        return inside

    inside = asyncio.run(arrive())
    assert [number for number, _ in inside] == list(range(20))
    assert inside[-1][1] - inside[0][1] >= 18 * GAP_S


def test_however_many_come_nobody_is_kept_longer_than_a_browser_waits() -> None:
    async def arrive() -> float:
        door = Door()
        tasks = [asyncio.ensure_future(door.wait()) for _ in range(5_000)]
        await asyncio.sleep(0)
        latest = door.free_at
        for task in tasks:
            task.cancel()
        return latest - time.monotonic()

    assert asyncio.run(arrive()) <= LONGEST_S
