"""Those who ask at the same time are answered by one reading, each with what is theirs."""

import asyncio
import random
from collections.abc import Mapping, Sequence

import pytest

from annotator_site.together import Together


class Reader:
    """Reads squares, of even numbers alone; keeps what it was asked for."""

    def __init__(self) -> None:
        self.readings: list[list[int]] = []
        self.fails = False

    async def read(self, numbers: Sequence[int]) -> Mapping[int, int]:
        self.readings.append(list(numbers))
        await asyncio.sleep(0)
        if self.fails:
            raise OSError("away")
        return {number: number**2 for number in numbers if number % 2 == 0}


def test_who_asks_while_a_reading_runs_is_answered_by_the_next() -> None:
    async def play() -> None:
        reader = Reader()
        together: Together[int, int] = Together(reader.read)
        first = asyncio.create_task(together.get(0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert reader.readings == [[0]]
        rest = await asyncio.gather(*(together.get(number) for number in (1, 2, 2, 4)))
        assert (await first, rest) == (0, [None, 4, 4, 16])
        assert reader.readings == [[0], [1, 2, 4]]

    asyncio.run(play())


def test_a_reading_that_fails_fails_those_who_asked_and_nobody_after() -> None:
    async def play() -> None:
        reader = Reader()
        together: Together[int, int] = Together(reader.read)
        reader.fails = True
        found = await asyncio.gather(*(together.get(n) for n in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [OSError] * 3
        reader.fails = False
        assert await together.get(2) == 4

    asyncio.run(play())


@pytest.mark.parametrize("seed", range(20))
def test_whoever_goes_away_everybody_else_has_their_answer(seed: int) -> None:
    async def play() -> None:
        dice = random.Random(seed)
        together: Together[int, int] = Together(Reader().read)
        asking: list[tuple[int, asyncio.Task[int | None]]] = []
        gone: set[asyncio.Task[int | None]] = set()
        for _ in range(200):
            number = dice.randrange(10)
            asking.append((number, asyncio.create_task(together.get(number))))
            if dice.random() < 0.3:
                _, task = dice.choice(asking)
                if task.cancel():
                    gone.add(task)
            if dice.random() < 0.3:
                await asyncio.sleep(0)
        for number, task in asking:
            if task in gone:
                await asyncio.gather(task, return_exceptions=True)
            else:
                assert await asyncio.wait_for(task, 5.0) == (None if number % 2 else number**2)

    asyncio.run(play())
