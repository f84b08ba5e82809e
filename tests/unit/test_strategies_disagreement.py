"""Strategies that compare opinions prefer images about which the members contradict each other."""

import math

import pytest
import torch

from al_engine import strategies


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def choose(name: str, members: list[list[list[float]]]) -> strategies.Selection:
    opinions = torch.tensor(members)
    return strategies.get(name)(opinions.mean(dim=0), 99, generator=seeded(), members=opinions)


def test_bald_is_what_the_members_know_and_the_consensus_does_not() -> None:
    # Images: contradicted with certainty, unsure in unison, contradicted with some doubt.
    first = [[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]]
    second = [[0.0, 1.0], [0.5, 0.5], [0.1, 0.9]]
    chosen = choose("bald", [first, second])
    assert chosen.indices.tolist() == [0, 2, 1]
    # ln 2 - 0, ln 2 - H(0.9, 0.1) = 0.69315 - 0.32508, ln 2 - ln 2
    assert chosen.scores.tolist() == pytest.approx([math.log(2), 0.36806, 0.0], abs=1e-5)


def test_committee_counts_votes_and_not_certainty() -> None:
    # Votes: unanimous though barely so, two to one though surely, one each.
    members = [
        [[0.4, 0.3, 0.3], [1.0, 0.0, 0.0], [0.8, 0.1, 0.1]],
        [[0.4, 0.3, 0.3], [1.0, 0.0, 0.0], [0.1, 0.8, 0.1]],
        [[0.4, 0.3, 0.3], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]],
    ]
    chosen = choose("committee", members)
    assert chosen.indices.tolist() == [2, 1, 0]
    # ln 3, -(2/3 ln 2/3 + 1/3 ln 1/3), 0
    assert chosen.scores.tolist() == pytest.approx([1.09861, 0.63651, 0.0], abs=1e-5)


@pytest.mark.parametrize("name", ["bald", "committee"])
def test_one_member_alone_contradicts_nobody(name: str) -> None:
    chosen = choose(name, [[[0.5, 0.5], [1.0, 0.0], [0.7, 0.3]]])
    assert chosen.scores.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["bald", "committee"])
def test_opinions_that_are_missing_or_of_other_images_are_refused(name: str) -> None:
    probabilities = torch.full((4, 2), 0.5)
    with pytest.raises(ValueError, match="none were given"):
        strategies.get(name)(probabilities, 1, generator=seeded())
    for shape in [(4, 2), (0, 4, 2), (3, 5, 2), (3, 4, 3)]:
        with pytest.raises(ValueError, match="4 images of 2 classes"):
            strategies.get(name)(
                probabilities, 1, generator=seeded(), members=torch.full(shape, 0.5)
            )
    broken = torch.full((3, 4, 2), math.nan)
    with pytest.raises(ValueError, match="finite numbers"):
        strategies.get(name)(probabilities, 1, generator=seeded(), members=broken)
