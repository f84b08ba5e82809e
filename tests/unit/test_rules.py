"""When a server trains, when a worker looks, and which strategy it uses then."""

import pytest

from al_engine.decisions import rules


@pytest.mark.parametrize(
    ("classes", "total", "enough"), [(10, 1_000, 20), (100, 5_000, 100), (10, 30, 15), (2, 1, 2)]
)
def test_the_first_model_waits_for_two_labels_a_class(
    classes: int, total: int, enough: int
) -> None:
    assert rules.enough_for_first_model(classes, total) == enough


def test_a_server_trains_when_l_has_news() -> None:
    def trains(*, labels: int, news: int, trainings: int = 1, least: int = 1) -> bool:
        return rules.is_to_train(
            labels=labels,
            news=news,
            trainings=trainings,
            first_model_at=20,
            min_new_labels=least,
        )

    assert trains(labels=5, news=1)
    assert not trains(labels=5, news=0)
    assert not trains(labels=90, news=9, least=10)
    # The first training waits for enough, the others do not.
    assert not trains(labels=19, news=19, trainings=0)
    assert trains(labels=20, news=20, trainings=0)


def test_a_committee_is_the_newest_model_of_each_server() -> None:
    recent = [(7, "b"), (6, "a"), (5, "b"), (4, "c"), (3, "a")]
    assert rules.committee(recent, 4, server_of=lambda each: each[1]) == [
        (7, "b"),
        (6, "a"),
        (4, "c"),
    ]
    assert rules.committee(recent, 2, server_of=lambda each: each[1]) == [(7, "b"), (6, "a")]
    # A single server's newest models differ as well.
    assert rules.committee([3, 2, 1], 2, server_of=lambda _: "a") == [3, 2]
    assert rules.committee([], 2, server_of=lambda _: "a") == []


def test_typical_images_come_before_the_first_model_and_doubtful_ones_after_it() -> None:
    assert rules.in_use("typiclust", model=False) == "typiclust"
    assert rules.in_use("typiclust", model=True) == "margin"
    assert rules.in_use("herding", model=True) == "margin"
    assert rules.in_use("uherding", model=True) == "uherding"
    assert rules.is_cold("uherding")
    assert rules.in_use("entropy", model=False) == rules.in_use("entropy", model=True) == "entropy"


@pytest.mark.parametrize(
    ("published", "images", "meant"),
    [
        (True, 2_000, "uherding"),
        (True, 10_000, "uherding"),
        (True, 10_001, "herding"),
        (False, 2_000, "power_margin"),
        (False, 1_000_000, "power_margin"),
    ],
)
def test_auto_means_what_suits_network_and_pool(published: bool, images: int, meant: str) -> None:
    assert rules.meant_by("auto", published=published, images=images) == meant
    assert rules.meant_by("entropy", published=published, images=images) == "entropy"


def looks(
    strategy: str = "margin",
    *,
    model: bool = True,
    need: int = 0,
    ahead: int = 0,
    ranked: bool = True,
    outdated: bool = False,
    refresh: bool = False,
) -> bool:
    return rules.is_to_look(
        strategy,
        model=model,
        need=need,
        ahead=ahead,
        ranked=ranked,
        outdated=outdated,
        refresh=refresh,
    )


def test_a_worker_looks_when_what_it_ranked_does_not_do() -> None:
    assert not looks(need=3, ahead=3)
    assert looks(need=4, ahead=3)
    assert looks(need=1, ahead=9, outdated=True)
    # Without anything to add, another model is no reason; unless S is to follow it.
    assert not looks(ahead=9, outdated=True)
    assert looks(ahead=9, refresh=True)


def test_random_selection_never_looks() -> None:
    assert not looks("random", need=5, refresh=True, outdated=True)
    assert not looks("random", model=False, need=5)


def test_before_the_first_model_only_what_needs_none_looks() -> None:
    assert not looks("margin", model=False, need=5, ranked=False)
    assert looks("typiclust", model=False, need=5)
    assert looks("typiclust", model=False, ranked=False)
    assert not looks("typiclust", model=False, need=5, ahead=5)


def test_without_a_look_images_are_drawn_only_where_none_are_ranked() -> None:
    assert rules.is_at_random("random", model=True, ahead=0)
    assert rules.is_at_random("margin", model=False, ahead=0)
    assert not rules.is_at_random("margin", model=True, ahead=0)
    assert not rules.is_at_random("typiclust", model=False, ahead=7)


def test_what_lies_in_s_gives_way_to_a_newer_model_and_to_what_is_typical() -> None:
    assert rules.gives_way(model=True, refresh=True)
    assert rules.gives_way(model=False, refresh=False)
    assert not rules.gives_way(model=True, refresh=False)
