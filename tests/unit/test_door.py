"""Who comes at once comes in a few at a time, in order, and waits a bounded time."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from annotator_site.door import RETRY_S, Door, FullError


def run(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(play())


async def settle() -> None:
    """Let everything happen that can happen now."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_who_comes_alone_does_not_wait() -> None:
    async def play() -> None:
        door = Door(places=1, patience_s=1.0)
        task = asyncio.ensure_future(door.enter())
        await asyncio.sleep(0)
        assert task.done()

    run(play)


def test_who_comes_together_comes_in_a_few_at_a_time_and_in_order() -> None:
    async def play() -> None:
        door, came, inside, most = Door(places=3, patience_s=60.0), [], 0, 0

        async def one(number: int) -> None:
            nonlocal inside, most
            await door.enter()
            came.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            door.leave()

        await asyncio.gather(*(one(number) for number in range(100)))
        assert came == list(range(100))
        assert most == 3

    run(play)


def test_who_comes_with_many_waits_for_itself_and_not_the_others_for_it() -> None:
    async def play() -> None:
        door, came = Door(places=1, patience_s=60.0), []

        async def one(whose: str) -> None:
            await door.enter(whose)
            came.append(whose)
            await asyncio.sleep(0)
            door.leave()

        crowd = [asyncio.create_task(one("crowd")) for _ in range(100)]
        await asyncio.sleep(0)
        others = [asyncio.create_task(one(whose)) for whose in ("ann", "bob", "ann")]
        await asyncio.gather(*crowd, *others)
        assert came[:8] == [*["crowd"] * 3, "ann", "bob", "crowd", "ann", "crowd"]
        assert len(came) == 103
        assert door.waiting == 0

    run(play)


def test_a_place_rests_before_the_next_takes_it() -> None:
    async def play() -> None:
        door = Door(places=2, patience_s=60.0, rest_s=0.05)

        async def one() -> None:
            await door.enter()
            door.leave()

        began = time.monotonic()
        await asyncio.gather(*(one() for _ in range(10)))
        assert time.monotonic() - began >= 4 * 0.05

    run(play)


def test_nobody_waits_longer_than_is_promised_though_nobody_leaves() -> None:
    async def play() -> None:
        door = Door(places=1, patience_s=0.05)
        await door.enter()
        came = [asyncio.ensure_future(door.enter()) for _ in range(500)]
        refused = await asyncio.wait_for(asyncio.gather(*came, return_exceptions=True), 5.0)
        assert {type(each) for each in refused} == {FullError}
        # Not all are to come again at the same moment.
        later = {each.retry_after_s for each in refused if isinstance(each, FullError)}
        assert later == set(range(RETRY_S[0], RETRY_S[1] + 1))
        assert door.waiting == 0
        door.leave()
        await door.enter()

    run(play)


@pytest.mark.parametrize("seed", range(40))
def test_no_place_is_lost_whoever_gives_up_and_whenever(seed: int) -> None:
    """Coming, leaving, giving up and being called, all in the same moments."""

    async def play() -> None:
        dice = random.Random(seed)
        places = dice.randint(1, 4)
        door = Door(places=places, patience_s=dice.choice([0.001, 60.0]))
        inside: list[None] = []
        waiting: list[asyncio.Task[None]] = []

        async def one() -> None:
            await door.enter(dice.choice("abc"))
            inside.append(None)
            assert len(inside) <= places

        for _ in range(300):
            act = dice.random()
            if act < 0.5:
                waiting.append(asyncio.create_task(one()))
            elif act < 0.7 and inside:
                inside.pop()
                door.leave()
            elif act < 0.9 and waiting:
                dice.choice(waiting).cancel()
            if dice.random() < 0.3:
                await asyncio.sleep(0)
            if dice.random() < 0.01:
                await asyncio.sleep(0.002)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        while inside:
            inside.pop()
            door.leave()
        assert door.waiting == 0
        for _ in range(places):
            await asyncio.wait_for(door.enter(), timeout=1.0)
        task = asyncio.create_task(door.enter())
        await settle()
        assert not task.done() or task.exception() is not None
        task.cancel()

    run(play)
