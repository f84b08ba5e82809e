"""Half-sent requests take nobody's place, and a crowd that comes at once is let be."""

from functools import partial

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
        waiting.begin(number, "127.0.0.1", lambda number=number: ended.append(number))  # type: ignore[misc]
    assert ended == list(range(490))
    assert len(waiting) == 10


def test_a_crowd_that_comes_at_once_is_let_in(clock: list[float]) -> None:
    waiting, ended = Unfinished(most=10, young_s=2.0), []
    for number in range(500):
        waiting.begin(number, "127.0.0.1", lambda number=number: ended.append(number))  # type: ignore[misc]
    assert ended == []
    for number in range(500):
        waiting.done(number)
    assert len(waiting) == 0


def test_a_network_takes_a_part_of_the_places_and_its_own_make_room(clock: list[float]) -> None:
    waiting, ended = Unfinished(most=10, of_network=4, young_s=2.0), list[tuple[int, str]]()
    networks = ["192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:192.0.2.1"]
    for number in range(100):
        clock[0] += 1.0
        name = (number, networks[number % 2])
        waiting.begin(name, networks[number % 2], partial(ended.append, name))
    assert len(waiting) == 8
    assert len({address for _, address in ended}) == 2
    # The same people by other addresses, and a third network, which takes nobody's place.
    for address in networks[2:]:
        clock[0] += 3.0
        waiting.begin(address, address, partial(ended.append, (100, address)))
    assert len(waiting) == 9
    assert len(ended) == 92 + 2
