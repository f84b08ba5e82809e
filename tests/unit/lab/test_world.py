"""D, S and L, the virtual clock and chance, each by itself."""

import random
from collections import Counter

import numpy as np
import pytest

from al_lab.config.settings import Take
from al_lab.simulation.seeds import derive_seed, python_random
from al_lab.simulation.timeline import Kind, Timeline
from al_lab.simulation.world import World


def world(*, answers: int = 1, take: Take = "random", comparable: bool = True) -> World:
    """Six images, three for each of two workers."""
    return World(
        np.array([0, 0, 0, 1, 1, 1]),
        workers=2,
        answers_per_image=answers,
        take=take,
        comparable=comparable,
        chance=random.Random(0),
    )


def put(into: World, *rows: int, score: float = 0.0, worker: int = 0) -> None:
    for row in rows:
        into.put(row, worker=worker, strategy="margin", score=score, version=0, at=0.0)


def test_what_somebody_has_in_hand_is_neither_withdrawn_nor_confirmed() -> None:
    one = world()
    put(one, 0, 1)
    held = one.take(7)
    assert held is not None
    other = 1 - held.row
    for row in (0, 1):
        one.confirm(row, 0, strategy="entropy", score=1.0, version=5, at=2.0)
    assert (held.version, one.queries[other].version) == (0, 5)
    for row in (0, 1):
        one.withdraw(row, 0)
    assert list(one.queries) == [held.row]
    assert one.unlabeled_of(0).tolist() == sorted([other, 2])
    assert one.take(8) is None


def test_an_image_that_is_not_in_d_cannot_be_asked() -> None:
    one = world()
    put(one, 0)
    with pytest.raises(ValueError, match="not in D"):
        put(one, 0)


def test_several_people_answer_and_the_first_of_equal_answers_counts() -> None:
    one = world(answers=3)
    put(one, 4, worker=1)
    queries = [one.take(person) for person in (1, 2, 3)]
    assert one.take(1) is None
    assert all(query is queries[0] for query in queries)
    assert queries[0] is not None
    assert [one.answer(queries[0], said) for said in (8, 6, 8)] == [False, False, True]
    assert one.labels[0].answer == 8
    assert one.labels[0].confidence == pytest.approx(2 / 3)
    assert one.label(5, [3, 9], None).answer == 3


def test_everything_in_s_is_as_likely() -> None:
    counts: Counter[int] = Counter()
    for seed in range(600):
        one = World(
            np.zeros(6, dtype=np.int64),
            workers=1,
            answers_per_image=1,
            take="random",
            comparable=True,
            chance=random.Random(seed),
        )
        put(one, 1, 3, 5)
        query = one.take(0)
        assert query is not None
        counts[query.row] += 1
    assert set(counts) == {1, 3, 5}
    assert min(counts.values()) > 150


def test_the_best_is_taken_of_one_strategy_or_of_a_worker_at_random() -> None:
    one = world(take="best")
    put(one, 0, score=0.1)
    put(one, 1, score=0.7)
    put(one, 3, score=0.4, worker=1)
    assert [query.row for query in (one.take(0), one.take(0), one.take(0)) if query] == [1, 3, 0]
    firsts = set()
    for seed in range(20):
        several = world(take="best", comparable=False)
        several._chance.seed(seed)
        put(several, 0, score=0.1)
        put(several, 1, score=0.7)
        put(several, 3, score=0.4, worker=1)
        query = several.take(0)
        firsts.add(query.row if query else None)
    assert firsts == {1, 3}


def test_events_of_an_instant_come_in_their_order() -> None:
    clock, seen = Timeline(), list[str]()
    clock.schedule(0.3, Kind.PASSED, lambda: seen.append("passed"))
    clock.schedule(0.3, Kind.PUBLISHED, lambda: seen.append("published"))
    clock.schedule(0.3, Kind.ANSWERED, lambda: seen.append("answered"))
    clock.schedule(0.1, Kind.PASSED, lambda: clock.schedule(0.1 + 0.1, Kind.ANSWERED, again))

    def again() -> None:
        seen.append("again")

    while clock.run_next() or clock.advance():
        pass
    assert seen == ["published", "answered", "again", "passed"]
    assert clock.seconds == 0.3


def test_each_purpose_has_a_chance_of_its_own() -> None:
    assert derive_seed(1, "a") == derive_seed(1, "a")
    assert len({derive_seed(seed, word) for seed in range(3) for word in "ab"}) == 6
    assert 0 <= derive_seed(0, "x", 3) < 2**63
    assert python_random(0, "a").random() != python_random(0, "b").random()
