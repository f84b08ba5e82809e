"""Half-sent requests take nobody's place, and a crowd that comes at once is let be."""

import pytest

from annotator_site.network import unfinished
from annotator_site.network.unfinished import Unfinished


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(unfinished, "monotonic", lambda: now[0])
    return now


def test_a_newcomer_takes_the_place_of_who_has_waited_longest(clock: list[float]) -> None:
    waiting, ended = Unfinished(most=10, young_s=2.0), []
    for number in range(500):
        clock[0] += 1.0
        waiting.begin(number, lambda number=number: ended.append(number))  # type: ignore[misc]
    assert ended == list(range(490))
    assert len(waiting) == 10


def test_a_crowd_that_comes_at_once_is_let_in(clock: list[float]) -> None:
    waiting, ended = Unfinished(most=10, young_s=2.0), []
    for number in range(500):
        waiting.begin(number, lambda number=number: ended.append(number))  # type: ignore[misc]
    assert ended == []
    for number in range(500):
        waiting.done(number)
    assert len(waiting) == 0
