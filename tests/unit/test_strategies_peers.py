"""On random images the strategies agree with those of scikit-activeml, where it has the same.

Its strategies take a classifier, which these tests replace with given probabilities by asking its
scoring functions; where only the whole strategy can be asked, it gets a real classifier.
"""

import numpy as np
import pytest
import torch
from skactiveml.classifier import ParzenWindowClassifier
from skactiveml.pool import Badge, CoreSet, TypiClust, batch_bald, uncertainty_scores
from skactiveml.pool import vote_entropy as peer_vote_entropy
from torch import Tensor

from al_engine import strategies
from al_engine.strategies.geometry import Points

torch.set_num_threads(1)

IMAGES, CLASSES, WIDTH = 120, 4, 6


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def probabilities(seed: int, *shape: int) -> Tensor:
    logits = torch.randn(*shape, IMAGES, CLASSES, generator=seeded(seed), dtype=torch.float64)
    return logits.softmax(dim=-1)


def scores_by_image(selection: strategies.Selection) -> Tensor:
    scores = torch.empty(IMAGES)
    scores[selection.indices] = selection.scores
    return scores


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("name", "method", "shift"),
    [
        ("entropy", "entropy", 0.0),
        ("least_confidence", "least_confident", 0.0),
        ("margin", "margin_sampling", -1.0),  # there it is 1 - (p1 - p2)
    ],
)
def test_uncertainties_are_those_of_the_peer(
    name: str, method: str, shift: float, seed: int
) -> None:
    given = probabilities(seed)
    mine = strategies.get(name)(given, IMAGES, generator=seeded())
    theirs = torch.tensor(uncertainty_scores(given.numpy(), method=method)) + shift
    assert torch.allclose(scores_by_image(mine).double(), theirs, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_disagreement_is_that_of_the_peer(seed: int) -> None:
    members = probabilities(seed, 5)
    mean = members.mean(dim=0)
    bald = strategies.bald(mean, IMAGES, generator=seeded(), members=members)
    theirs = torch.tensor(batch_bald(members.numpy(), batch_size=1)[0])
    assert torch.allclose(scores_by_image(bald).double(), theirs, atol=1e-5)
    committee = strategies.committee(mean, IMAGES, generator=seeded(), members=members)
    votes = members.argmax(dim=2).T.numpy()
    votes_entropy = torch.tensor(peer_vote_entropy(votes, np.arange(CLASSES)))
    assert torch.allclose(scores_by_image(committee).double(), votes_entropy, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_core_set_chooses_what_the_peer_chooses(seed: int) -> None:
    embeddings = torch.randn(IMAGES, WIDTH, generator=seeded(seed))
    labels = np.full(IMAGES, np.nan)
    labels[:8] = 0
    theirs = CoreSet(random_state=0).query(embeddings.double().numpy(), labels, batch_size=30)
    mine = strategies.core_set(
        probabilities(seed)[8:],
        30,
        generator=seeded(),
        embeddings=embeddings[8:],
        labeled=embeddings[:8],
    )
    assert (mine.indices + 8).tolist() == theirs.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_badge_draws_with_the_chances_of_the_peer(seed: int) -> None:
    embeddings = torch.randn(IMAGES, WIDTH, generator=seeded(seed), dtype=torch.float64)
    labels = np.full(IMAGES, np.nan)
    labels[:12] = np.arange(12) % CLASSES
    classifier = ParzenWindowClassifier(classes=range(CLASSES)).fit(embeddings.numpy(), labels)
    theirs, chances = Badge(random_state=0).query(
        embeddings.numpy(), labels, classifier, fit_clf=False, batch_size=10, return_utilities=True
    )
    given = torch.tensor(classifier.predict_proba(embeddings.numpy()))[12:]
    mine = strategies.badge(given, 1, generator=seeded(), embeddings=embeddings[12:])
    assert (mine.indices + 12).tolist() == theirs[:1]
    # The chances of each draw are proportional to the squared distances to all drawn before. (The
    # peer also counts the distance to 0, as if a gradient of 0 had been drawn; the authors do not.)
    errors = given - torch.eye(CLASSES)[given.argmax(dim=1)]
    points = Points.of(errors.float(), embeddings[12:].float())
    nearest = points.squares.clone()
    for place in range(1, 10):
        points.approach(nearest, points.take(torch.tensor([theirs[place - 1] - 12])))
        expected = torch.tensor(chances[place][12:]).nan_to_num()
        assert torch.allclose(nearest.double() / nearest.sum(), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_typiclust_chooses_what_the_peer_chooses_of_clear_clusters(seed: int) -> None:
    # Groups so far apart that both find the same, and large enough for K = 20 neighbors.
    generator = seeded(seed)
    sizes = (70, 60, 50, 45)
    groups = [
        1000.0 * torch.nn.functional.one_hot(torch.tensor(n), WIDTH)
        + torch.randn(size, WIDTH, generator=generator)
        for n, size in enumerate(sizes)
    ]
    embeddings = torch.cat(groups)
    labels = np.full(len(embeddings), np.nan)
    labels[0] = 0  # the largest group is covered
    theirs = TypiClust(random_state=seed, k=20).query(embeddings.numpy(), labels, batch_size=3)
    mine = strategies.typiclust(
        torch.full((len(embeddings) - 1, 2), 0.5),
        3,
        generator=seeded(seed),
        embeddings=embeddings[1:],
        labeled=embeddings[:1],
    )
    assert (mine.indices + 1).tolist() == theirs.tolist()
