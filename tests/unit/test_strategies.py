"""Strategies choose what their formulas say, and chance decides only between equals."""

import math
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from al_engine import strategies
from al_engine.decisions.dealing import deal, share_of_server
from al_engine.strategies import registry
from al_engine.strategies.base import best

torch.set_num_threads(1)

PAPER = ["random", "entropy", "least_confidence", "margin"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def choose(name: str, rows: list[list[float]], budget: int = 99) -> strategies.Selection:
    return strategies.get(name)(torch.tensor(rows), budget, generator=seeded())


# Three images on which the three strategies disagree about the best:
#   0: p = (0.50, 0.25, 0.25)  entropy 1.0397  confidence 0.50  margin 0.25
#   1: p = (0.45, 0.45, 0.10)  entropy 0.9489  confidence 0.45  margin 0.00
#   2: p = (0.80, 0.10, 0.10)  entropy 0.6390  confidence 0.80  margin 0.70
ROWS = [[0.50, 0.25, 0.25], [0.45, 0.45, 0.10], [0.80, 0.10, 0.10]]


def test_entropy_is_in_nats_and_highest_first() -> None:
    chosen = choose("entropy", ROWS)
    assert chosen.indices.tolist() == [0, 1, 2]
    assert chosen.scores.tolist() == pytest.approx([1.03972, 0.94889, 0.63903], abs=1e-4)


def test_least_confidence_is_one_minus_the_likeliest() -> None:
    chosen = choose("least_confidence", ROWS)
    assert chosen.indices.tolist() == [1, 0, 2]
    assert chosen.scores.tolist() == pytest.approx([0.55, 0.50, 0.20], abs=1e-6)


def test_margin_is_the_negative_gap_between_the_two_likeliest() -> None:
    chosen = choose("margin", ROWS)
    assert chosen.indices.tolist() == [1, 0, 2]
    assert chosen.scores.tolist() == pytest.approx([0.0, -0.25, -0.70], abs=1e-6)


def test_random_scores_are_uniform_and_blind_to_the_probabilities() -> None:
    certain, unsure = torch.tensor([[1.0, 0.0]] * 4000), torch.tensor([[0.5, 0.5]] * 4000)
    first = strategies.random(certain, 4000, generator=seeded(5))
    second = strategies.random(unsure, 4000, generator=seeded(5))
    assert torch.equal(first.indices, second.indices)
    assert float(first.scores.min()) >= 0
    assert float(first.scores.max()) < 1
    assert float(first.scores.mean()) == pytest.approx(0.5, abs=0.03)


def test_a_class_of_probability_zero_makes_no_nan() -> None:
    rows = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    assert choose("entropy", rows).scores.tolist() == pytest.approx([math.log(2), 0.0])
    assert choose("margin", rows).scores.tolist() == [0.0, -1.0]


@pytest.mark.parametrize("name", PAPER)
def test_equal_scores_are_chosen_from_at_random(name: str) -> None:
    same = torch.full((50, 4), 0.25)
    generator = seeded()
    seen = Counter[int]()
    for _ in range(200):
        seen.update(strategies.get(name)(same, 10, generator=generator).indices.tolist())
    # Each of 50 images is chosen in 40 of 200 draws on average, with a deviation of 5.7.
    assert len(seen) == 50
    assert max(seen.values()) < 75
    assert min(seen.values()) > 12


@pytest.mark.parametrize("name", PAPER)
def test_the_same_generator_state_gives_the_same_selection(name: str) -> None:
    probabilities = torch.rand(30, 3, generator=seeded(1)).softmax(dim=1)
    first = strategies.get(name)(probabilities, 5, generator=seeded(2))
    second = strategies.get(name)(probabilities, 5, generator=seeded(2))
    assert torch.equal(first.indices, second.indices)


@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -3.0, 2.0])
def test_what_is_no_probability_is_refused_in_words(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match="finite numbers from 0 to 1"):
        choose(name, [[0.5, 0.5], [bad, 0.5]])


def test_shapes_and_budgets_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        strategies.margin(torch.rand(5), 1, generator=seeded())
    with pytest.raises(ValueError, match="at least one class"):
        strategies.margin(torch.rand(5, 0), 1, generator=seeded())
    with pytest.raises(ValueError, match="budget"):
        strategies.margin(torch.rand(5, 2), -1, generator=seeded())


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(PAPER),
    images=st.integers(0, 40),
    classes=st.integers(1, 6),
    budget=st.integers(0, 50),
    sharpness=st.sampled_from([0.0, 1.0, 300.0]),
    seed=st.integers(0, 1000),
)
def test_any_pool_gives_distinct_images_best_first(
    name: str, images: int, classes: int, budget: int, sharpness: float, seed: int
) -> None:
    logits = torch.randn(images, classes, generator=seeded(seed)) * sharpness
    chosen = strategies.get(name)(logits.softmax(dim=1), budget, generator=seeded(seed))
    assert len(chosen.indices) == min(budget, images)
    assert chosen.indices.dtype == torch.int64
    assert chosen.scores.dtype == torch.float32
    assert len(set(chosen.indices.tolist())) == len(chosen.indices)
    assert bool(torch.isfinite(chosen.scores).all())
    assert chosen.scores.tolist() == sorted(chosen.scores.tolist(), reverse=True)


@settings(max_examples=60, deadline=None)
@given(
    # The short way and the way through blocks of scores, each with many equal scores.
    count=st.sampled_from([0, 1, 50, 127, 128, 700, 3000]),
    kinds=st.sampled_from([1, 2, 7, 10_000]),
    budget=st.integers(0, 60),
    seed=st.integers(0, 1000),
)
def test_the_best_are_those_of_a_full_sort(count: int, kinds: int, budget: int, seed: int) -> None:
    scores = torch.randint(-kinds, kinds, (count,), generator=seeded(seed)).tolist()
    chosen = best(torch.tensor(scores, dtype=torch.float32), budget, generator=seeded(seed))
    assert chosen.scores.tolist() == sorted(scores, reverse=True)[:budget]
    assert [scores[row] for row in chosen.indices.tolist()] == chosen.scores.tolist()
    assert len(set(chosen.indices.tolist())) == len(chosen.indices)


def test_of_a_large_pool_too_equals_are_chosen_with_equal_chances() -> None:
    # Two images are best for sure, 30 of the pool are equal, and six of those are wanted.
    scores = torch.zeros(6400)
    equal = torch.arange(0, 6400, 213)[:30]
    scores[equal] = 1.0
    scores[[17, 4000]] = 2.0
    generator = seeded()
    seen, firsts = Counter[int](), Counter[int]()
    for _ in range(500):
        rows = best(scores, 8, generator=generator).indices.tolist()
        assert set(rows[:2]) == {17, 4000}
        firsts[rows[0]] += 1
        seen.update(rows[2:])
    # Each of the 30 is chosen in 100 of 500 draws on average, with a deviation of 8.9.
    assert set(seen) == set(equal.tolist())
    assert max(seen.values()) < 140
    assert min(seen.values()) > 60
    assert 200 < firsts[17] < 300


def test_a_column_of_a_table_is_taken_for_scores() -> None:
    table = torch.arange(2000.0).repeat(3, 1).T.contiguous()
    assert best(table[:, 1], 3, generator=seeded()).indices.tolist() == [1999, 1998, 1997]


@pytest.mark.parametrize("count", [10, 6400])
def test_there_is_no_best_among_scores_that_are_no_numbers(count: int) -> None:
    scores = torch.zeros(count)
    scores[-1] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        best(scores, 3, generator=seeded())


def test_half_precision_probabilities_are_taken() -> None:
    probabilities = torch.tensor(ROWS, dtype=torch.bfloat16)
    chosen = strategies.entropy(probabilities, 2, generator=seeded())
    assert chosen.indices.tolist() == [0, 1]
    assert chosen.scores.dtype == torch.float32


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    assert strategies.names()[:4] == PAPER
    with pytest.raises(strategies.UnknownStrategy, match="random, entropy, least_confidence"):
        strategies.get("entropie")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="already"):
        strategies.register(strategies.entropy)


def install_package(folder: Path, *, entries: str, module: str, content: str) -> None:
    """Writes a real installed package with entry points into a folder of the import path."""
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINT_GROUP}]\n{entries}\n")
    (folder / f"{module}.py").write_text(content)


def test_another_package_adds_a_strategy_through_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(
        tmp_path,
        entries="mine = whole_package:choose\nentropy = whole_package:choose",
        module="whole_package",
        content="from al_engine.strategies import margin\nchoose = margin\n",
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert strategies.names()[:4] == PAPER
    assert strategies.names()[-1] == "mine"
    assert strategies.names().count("entropy") == 1
    assert "whole_package" not in sys.modules
    assert strategies.get("mine") is strategies.margin
    assert strategies.get("entropy") is strategies.entropy


def test_a_package_that_cannot_be_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(
        tmp_path, entries="torn = torn_package:absent", module="torn_package", content=""
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(strategies.UnknownStrategy, match="torn_package:absent"):
        strategies.get("torn")


@settings(max_examples=60, deadline=None)
@given(
    hand=st.lists(st.sampled_from(PAPER), min_size=1, max_size=4, unique=True),
    workers=st.integers(0, 25),
    seed=st.integers(0, 2**31),
)
def test_strategies_are_dealt_as_evenly_as_possible(
    hand: list[str], workers: int, seed: int
) -> None:
    dealt = deal(hand, workers, seed)
    assert len(dealt) == workers
    fewest = workers // len(hand)
    assert {dealt.count(name) for name in hand} <= {fewest, fewest + (workers % len(hand) > 0)}
    assert dealt == deal(hand, workers, seed)


def test_chance_decides_who_gets_which_strategy_and_who_gets_one_more() -> None:
    hands = [deal(["entropy", "least_confidence", "margin"], 10, s) for s in range(60)]
    assert {hand[0] for hand in hands} == {"entropy", "least_confidence", "margin"}
    assert {Counter(hand).most_common(1)[0] for hand in hands} == {
        ("entropy", 4),
        ("least_confidence", 4),
        ("margin", 4),
    }


@pytest.mark.parametrize(
    ("servers", "dealt"),
    [(1, ["abc"]), (2, ["ac", "b"]), (3, ["a", "b", "c"]), (5, ["a", "b", "c", "a", "b"])],
)
def test_every_architecture_has_a_server_and_every_server_an_architecture(
    servers: int, dealt: list[str]
) -> None:
    shares = [share_of_server("abc", index=index, servers=servers) for index in range(servers)]
    assert ["".join(share) for share in shares] == dealt


def test_nothing_to_deal_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        deal([], 3, 0)
    with pytest.raises(ValueError, match="number of workers"):
        deal(["margin"], -1, 0)
    with pytest.raises(ValueError, match="an architecture at least"):
        share_of_server([], index=0, servers=1)
