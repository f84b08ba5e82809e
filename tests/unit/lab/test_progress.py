"""What is said while an experiment runs: how much is done, and about how long the rest takes."""

import io

import pytest

from al_lab.runs.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_the_work_done() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress(total=12, already=2, weight=1_000.0, out=out, clock=clock)
    clock.now += 60
    progress.show(runs=1, done=100.0)
    clock.now += 60
    progress.show(runs=3, done=500.0)
    progress.show(runs=10, done=1_000.0)
    assert out.getvalue().splitlines() == [
        "3 of 12 runs done, about 9 min left",
        "5 of 12 runs done, about 2 min left",
        "12 of 12 runs done",
    ]


def test_there_is_no_estimate_of_what_has_just_begun() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress(total=2, already=0, weight=10.0, out=out, clock=clock)
    clock.now += 1
    progress.show(runs=1, done=5.0)
    assert out.getvalue() == "1 of 2 runs done\n"


def test_outside_a_terminal_there_is_a_line_for_each_run_and_one_a_minute() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress(total=2, already=0, weight=10.0, out=out, clock=clock)
    for _ in range(121):
        clock.now += 1
        progress.show(runs=0, done=1.0)
    assert len(out.getvalue().splitlines()) == 2
    progress.show(runs=1, done=5.0)
    progress.show(runs=1, done=5.0)
    assert len(out.getvalue().splitlines()) == 3


def test_in_a_terminal_one_line_is_rewritten_and_what_is_said_stays() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress(total=2, already=0, weight=10.0, out=out, clock=clock)
    progress.show(runs=0, done=0.0)
    progress.say("Failed: one")
    progress.show(runs=1, done=5.0)
    progress.close()
    assert "".join(out.getvalue().split("\r\x1b[K")) == (
        "0 of 2 runs doneFailed: one\n1 of 2 runs done"
    )
    assert out.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (59.4, "59 s"),
        (61, "1 min"),
        (3_000, "50 min"),
        (3_600, "1 h"),
        (5_000, "1 h 23 min"),
        (9_000, "2 h 30 min"),
        (100_000, "27 h 50 min"),
    ],
)
def test_a_time_is_told_as_exactly_as_an_estimate_is(seconds: float, words: str) -> None:
    assert duration(seconds) == words
