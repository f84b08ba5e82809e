"""An endless task that fails is started again, and whoever asks is told."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from annotator_site import background as module
from annotator_site.background import Background, Health


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks come back sooner than in life, and count as steady sooner."""
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(module, "STEADY_SECONDS", 0.1)


class Fragile:
    """Work that fails as often as it is told to, and then goes on for ever."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors: Iterator[BaseException] = iter(errors)
        self.begun = 0
        self.runs = asyncio.Event()

    async def run(self) -> None:
        self.begun += 1
        error = next(self.errors, None)
        if error is not None:
            raise error
        self.runs.set()
        await asyncio.Event().wait()


async def test_a_task_that_fails_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Background()
    work = Fragile(ValueError("one"), KeyError("two"), ZeroDivisionError())
    task = tasks.start("work", work.run)
    await work.runs.wait()
    assert work.begun == 4
    (health,) = tasks.report()
    assert (health.failures, health.last_error) == (3, "ZeroDivisionError")
    assert health.is_down, "it has only just begun"
    await asyncio.sleep(0.15)
    assert not tasks.report()[0].is_down
    assert [record.exc_info is not None for record in caplog.records] == [True] * 3
    task.cancel()


async def test_an_essential_task_is_down_while_it_fails_again_and_again() -> None:
    tasks = Background()
    work = Fragile(*[OSError()] * 1_000)
    task = tasks.start("work", work.run)
    for _ in range(5):
        await asyncio.sleep(0.02)
        (health,) = tasks.report()
        assert health.is_down
    task.cancel()


async def test_one_that_never_failed_is_not_down_and_those_that_did_come_first() -> None:
    tasks = Background()
    sound, fragile = Fragile(), Fragile(ValueError())
    started = [tasks.start("sound", sound.run), tasks.start("fragile", fragile.run)]
    await asyncio.gather(sound.runs.wait(), fragile.runs.wait())
    assert [(each.name, each.failures) for each in tasks.report()] == [("fragile", 1), ("sound", 0)]
    assert not tasks.report()[1].is_down
    for task in started:
        task.cancel()


async def test_a_task_that_is_canceled_or_done_is_started_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = Background()
    endless, ended = Fragile(), asyncio.Event()

    async def short() -> None:
        ended.set()

    task, done = tasks.start("endless", endless.run), tasks.start("short", short)
    await asyncio.gather(endless.runs.wait(), ended.wait(), done)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert tasks.report() == []
    assert (endless.begun, caplog.record_tuples) == (1, [])


async def test_pauses_grow_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 30.0)
    monkeypatch.setattr(asyncio, "sleep", note)
    work = Fragile(*[ValueError()] * 12)
    logging.disable()
    try:
        task = Background().start("work", work.run)
        await work.runs.wait()
    finally:
        logging.disable(logging.NOTSET)
    bounds = [1, 2, 4, 8, 16, *[30] * 7]
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    task.cancel()


def test_a_task_that_waits_to_be_started_again_is_down() -> None:
    assert Health("work", essential=True, failures=1, began=None).is_down
