"""Every image is in one pool at every moment, and nobody is asked about one twice."""

from collections import Counter
from typing import Any

import pytest
from tiny_campaigns import POOL, run, setting

from al_lab.config.settings import Clock, People
from al_lab.simulation.world import Label, Query, World

MANY = People(count=6, answers_per_image=3, error_rate=0.3)


class Watched(World):
    """Says so when an image is in two pools or none, or a queue has lost a query."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.changes = 0

    def check(self) -> None:
        self.changes += 1
        in_d, in_s = self.unlabeled.tolist(), list(self.queries)
        in_l = [label.row for label in self.labels]
        assert sorted(in_d + in_s + in_l) == list(range(len(self.owner)))
        for worker, mine in enumerate(self.untouched):
            assert all(self.owner[row] == worker for row in mine)
            assert all(not query.people and row in self.queries for row, query in mine.items())
            assert not set(self.unlabeled_of(worker).tolist()) & set(in_s)
        assert all(query.place < 0 or query.turns for query in self.queries.values())

    def label(self, *args: Any, **kwargs: Any) -> Label:
        label = super().label(*args, **kwargs)
        self.check()
        return label

    def put(self, *args: Any, **kwargs: Any) -> None:
        super().put(*args, **kwargs)
        self.check()

    def withdraw(self, *args: Any, **kwargs: Any) -> None:
        super().withdraw(*args, **kwargs)
        self.check()

    def take(self, person: int) -> Query | None:
        query = super().take(person)
        self.check()
        return query


@pytest.mark.parametrize(
    ("people", "arrangement"),
    [
        (People(count=4), {"strategies": ("entropy", "random", "badge"), "servers": 2}),
        (People(count=3), {"refresh": False, "batch_size": 12}),
        (People(count=4, ahead=2), {"partition": "clusters"}),
        (MANY, {"take": "best", "strategies": ("margin", "entropy")}),
        (MANY, {"mode": "synchronous", "batch_size": 9, "strategies": ("margin", "random")}),
    ],
)
def test_pools_are_disjoint_and_nobody_is_asked_twice(
    people: People, arrangement: dict[str, Any]
) -> None:
    course = run(
        setting(
            budget=50,
            people=people,
            clock=Clock(training=3.0, scoring=0.2),
            **{"workers": 3, "depth_floor": 8} | arrangement,
        ),
        world=Watched,
    )
    assert course.finished["labels"] == 50
    asked = Counter((each.person, each.row) for each in course.asked)
    assert max(asked.values()) == 1
    by_row = Counter(each.row for each in course.asked)
    assert max(by_row.values()) == people.answers_per_image
    assert course.finished["answers"] >= 40 * people.answers_per_image


def test_a_pool_can_be_labeled_to_its_last_image() -> None:
    course = run(setting(initial=150, budget=POOL, workers=4), world=Watched)
    assert (course.finished["labels"], course.finished["distinct"]) == (POOL, POOL)
    assert course.finished["wrong"] == 0


def test_answers_of_several_people_are_outvoted_and_weighed() -> None:
    alone = run(setting(budget=100, people=People(count=3, error_rate=0.3)))
    together = run(setting(budget=100, people=MANY))
    assert 15 < alone.finished["wrong"] < 45
    assert together.finished["wrong"] < alone.finished["wrong"]
    assert together.finished["answers"] >= 3 * 90


def test_workers_choose_of_their_own_images_alone() -> None:
    course = run(setting(budget=60, workers=5, strategies=("margin", "entropy"), depth_floor=10))
    strategy_of: dict[int, set[str]] = {}
    for each in course.asked:
        strategy_of.setdefault(each.worker, set()).add(each.strategy)
    assert len(strategy_of) == 5
    assert all(len(names) == 1 for names in strategy_of.values())
    # Five workers, two strategies: three have one of them, two the other.
    dealt = Counter(name for names in strategy_of.values() for name in names)
    assert sorted(dealt.values()) == [2, 3]
    chosen_by = course.finished["chosen_by"]
    assert sum(chosen_by.values()) == 50
