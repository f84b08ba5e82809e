"""Whatever the pool, every strategy keeps what all strategies promise."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from al_engine import strategies

torch.set_num_threads(1)

EVERY = strategies.names()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pool(
    images: int, classes: int, seed: int, *, sharpness: float = 1.0, labels: int | None = 5
) -> strategies.Evidence:
    generator = seeded(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return strategies.Evidence(
        probabilities=(sharpness * normal(images, classes)).softmax(dim=1),
        embeddings=normal(images, 4),
        members=(sharpness * normal(3, images, classes)).softmax(dim=2),
        labeled=None if labels is None else normal(labels, 4),
    )


def test_the_built_in_strategies_are_these() -> None:
    assert EVERY[:4] == ["random", "entropy", "least_confidence", "margin"]
    assert sorted(EVERY[4:]) == [
        "badge",
        "balanced_margin",
        "bald",
        "cluster_margin",
        "committee",
        "core_set",
        "herding",
        "power_margin",
        "typiclust",
        "uherding",
    ]


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(EVERY),
    images=st.sampled_from([0, 1, 2, 7, 40]),
    classes=st.integers(1, 5),
    budget=st.sampled_from([0, 1, 3, 50]),
    labels=st.sampled_from([None, 0, 5]),
    sharpness=st.sampled_from([0.0, 1.0, 300.0]),
    seed=st.integers(0, 1000),
)
def test_distinct_images_come_best_first_and_are_the_same_again(
    name: str,
    images: int,
    classes: int,
    budget: int,
    labels: int | None,
    sharpness: float,
    seed: int,
) -> None:
    evidence = pool(images, classes, seed, sharpness=sharpness, labels=labels)
    chosen = strategies.select(name, evidence, budget, generator=seeded(seed))
    again = strategies.select(name, evidence, budget, generator=seeded(seed))
    assert torch.equal(chosen.indices, again.indices)
    assert len(chosen.indices) == len(chosen.scores) == min(budget, images)
    assert len(set(chosen.indices.tolist())) == len(chosen.indices)
    assert chosen.indices.dtype == torch.int64
    assert chosen.scores.dtype == torch.float32
    assert bool(torch.isfinite(chosen.scores).all())
    assert chosen.scores.tolist() == sorted(chosen.scores.tolist(), reverse=True)


@pytest.mark.parametrize("name", EVERY)
def test_images_that_are_all_the_same_are_chosen_from_at_random(name: str) -> None:
    same = pool(1, 3, seed=0)
    assert same.embeddings is not None
    assert same.members is not None
    evidence = strategies.Evidence(
        same.probabilities.repeat(50, 1),
        same.embeddings[:].repeat(50, 1),
        same.members.repeat(1, 50, 1),
    )
    generator = seeded()
    seen = torch.zeros(50)
    for _ in range(60):
        seen[strategies.select(name, evidence, 10, generator=generator).indices] += 1
    # Each of 50 images is chosen in 12 of 60 draws on average, with a deviation of 3.1.
    assert float(seen.min()) >= 1
    assert float(seen.max()) <= 26


@pytest.mark.parametrize("name", EVERY)
def test_a_negative_budget_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="budget"):
        strategies.select(name, pool(5, 2, seed=0), -1, generator=seeded())


@pytest.mark.parametrize("name", EVERY)
def test_half_precision_is_taken(name: str) -> None:
    whole = pool(60, 3, seed=1)
    half = strategies.Evidence(
        *(
            value[:].to(torch.bfloat16) if value is not None else None
            for value in (whole.probabilities, whole.embeddings, whole.members, whole.labeled)
        )  # type: ignore[arg-type]  # probabilities are never None
    )
    chosen = strategies.select(name, half, 7, generator=seeded())
    assert len(set(chosen.indices.tolist())) == 7
    assert chosen.scores.dtype == torch.float32
