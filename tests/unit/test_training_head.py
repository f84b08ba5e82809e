"""A linear head on fixed embeddings is the best there is, at once, and trains with a probe."""

import math

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from al_engine.architectures import build
from al_engine.training.evaluate import predict_with_features
from al_engine.training.head import train_head
from al_engine.training.logistic import TOLERANCE
from al_engine.training.loop import train
from al_engine.training.penalty import (
    BIAS_PENALTY,
    GROWTH,
    PenaltyMemory,
    choose_penalty,
    usual_penalty,
)
from al_engine.training.recipe import default_recipe

CPU = torch.device("cpu")


def clouds(count: int, *, width: int = 20, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Points around one center a class, in features that are far from independent."""
    generator = torch.Generator().manual_seed(1)
    mixed = torch.randn(width, width, generator=generator)
    targets = torch.randint(0, classes, (count,), generator=generator)
    centers = 1.5 * torch.randn(classes, width, generator=generator)
    points = centers[targets] + 2 * torch.randn(count, width, generator=generator)
    return points @ mixed + 5, targets


def loss_of(state: dict[str, Tensor], features: Tensor, targets: Tensor) -> float:
    logits = functional.linear(features, state["weight"], state["bias"])
    return float(functional.cross_entropy(logits, targets))


@pytest.mark.parametrize(("count", "width"), [(600, 20), (40, 90), (70, 90)])
def test_a_head_is_the_exact_solution(count: int, width: int) -> None:
    features, targets = clouds(count, width=width)
    trust = torch.rand(count, generator=torch.Generator().manual_seed(2)) + 0.1
    head = train_head(
        features, targets, weights=trust, classes=4, device=CPU, penalty=2.0, tolerance=1e-5
    )
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    # scikit-learn leaves the intercept out of the penalty, so here it is a feature.
    constant = torch.full((count, 1), math.sqrt(2.0 / BIAS_PENALTY))
    points = torch.cat([(features - mean) / deviation, constant], dim=1).double()
    exact = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-8, max_iter=5_000)
    exact.fit(points, targets, sample_weight=trust)
    there = torch.from_numpy(exact.predict_proba(points)).float()
    logits = functional.linear(features, head.state["weight"], head.state["bias"])
    assert torch.allclose(logits.softmax(dim=1), there, atol=0.01)
    each = -there.gather(1, targets[:, None]).squeeze(1).log()
    assert head.loss == pytest.approx(float((trust * each).sum() / trust.sum()), abs=2e-4)
    assert head.gap <= 1e-5


def test_a_former_head_saves_steps_and_changes_nothing_else() -> None:
    features, targets = clouds(600)
    former = train_head(features[:580], targets[:580], classes=4, device=CPU, penalty=2.0)
    cold, warm = (
        train_head(features, targets, classes=4, device=CPU, penalty=2.0, former=start)
        for start in (None, former.state)
    )
    assert warm.steps < cold.steps
    assert warm.loss == pytest.approx(cold.loss, abs=1e-3)
    other = {"weight": torch.zeros(3, 20), "bias": torch.zeros(3)}
    ignored = train_head(features, targets, classes=4, device=CPU, penalty=2.0, former=other)
    assert torch.equal(ignored.state["weight"], cold.state["weight"])


def test_the_penalty_follows_what_the_labels_say() -> None:
    features, targets = clouds(200)
    chosen = {
        noise: choose_penalty(
            features,
            torch.where(torch.arange(200) % noise == 0, torch.arange(200) % 4, targets),
            torch.ones(200),
            classes=4,
        )
        for noise in (2, 300)
    }
    assert chosen[2] > 3 * chosen[300]
    one_each = choose_penalty(features[:4], torch.arange(4), torch.ones(4), classes=4)
    assert one_each == usual_penalty(20)  # nothing to learn it from


def test_the_penalty_is_remembered_until_there_are_a_fifth_more_labels() -> None:
    features, targets = clouds(200)
    memory = PenaltyMemory()

    def remembered(count: int) -> float:
        return memory.choose(features[:count], targets[:count], torch.ones(count), classes=4)

    first = remembered(100)
    assert first == choose_penalty(features[:100], targets[:100], torch.ones(100), classes=4)
    assert remembered(110) == pytest.approx(first * 1.1**GROWTH)
    assert remembered(200) == choose_penalty(features, targets, torch.ones(200), classes=4)


def test_labels_of_no_weight_teach_a_head_nothing() -> None:
    features, targets = clouds(400)
    wrong = torch.arange(400) % 2 == 0
    noisy = torch.where(wrong, (targets + 1) % 4, targets)
    taught = train_head(features, noisy, weights=(~wrong).double(), classes=4, device=CPU)
    logits = functional.linear(features, taught.state["weight"], taught.state["bias"])
    assert float((logits.argmax(dim=1) == targets).float().mean()) > 0.8


@pytest.mark.parametrize("count", [1, 2, 30])
def test_few_labels_silent_features_and_missing_classes_give_a_finite_head(count: int) -> None:
    features, targets = clouds(count)
    features[:, :5] = 7
    features[:, 5] = features[:, 6]
    head = train_head(features, targets, classes=9, device=CPU)
    assert head.state["weight"].shape == (9, 20)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in head.state.values())
    assert math.isfinite(head.loss)
    assert head.gap <= TOLERANCE


@pytest.mark.parametrize(
    "features",
    [torch.zeros(12, 6), torch.ones(12, 40), torch.randn(3, 50).repeat(4, 1), torch.ones(12, 1)],
    ids=["zeros", "constant", "copies", "one feature"],
)
def test_rows_that_tell_nothing_or_are_equal_give_a_finite_head(features: Tensor) -> None:
    targets = torch.arange(12) % 3
    head = train_head(features, targets, classes=4, device=CPU)
    logits = functional.linear(features, head.state["weight"], head.state["bias"])
    assert bool(torch.isfinite(logits).all())
    said = logits.softmax(dim=1)
    assert torch.allclose(said[:3].sum(dim=1), torch.ones(3))
    assert float(said[:, 3].max()) < 0.2  # of a class without labels


def test_features_of_half_precision_far_from_the_origin_are_fitted() -> None:
    features, targets = clouds(300)
    far = (features * 1e-2 + 8).half()
    head = train_head(far, targets, classes=4, device=CPU)
    logits = functional.linear(far.float(), head.state["weight"], head.state["bias"])
    assert float((logits.argmax(dim=1) == targets).float().mean()) > 0.8


def test_a_thousand_classes_are_told_apart() -> None:
    generator = torch.Generator().manual_seed(1)
    targets = torch.arange(2_000) % 1_000
    centers = torch.randn(1_000, 32, generator=generator)
    features = centers[targets] + 0.1 * torch.randn(2_000, 32, generator=generator)
    head = train_head(features, targets, classes=1_000, device=CPU)
    logits = functional.linear(features, head.state["weight"], head.state["bias"])
    assert float((logits.argmax(dim=1) == targets).float().mean()) > 0.95


def test_a_frozen_backbone_learns_by_its_head_alone_from_embeddings_old_or_new() -> None:
    images = torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8)
    targets = (images.float().mean(dim=(1, 2, 3)) > 127).long()
    former = build("probe:mobilenet_v3_large", classes=2, image_size=8)
    recipe = default_recipe("probe:mobilenet_v3_large", image_size=8, labels=40, device=CPU)
    _, features = predict_with_features(former, images, device=CPU)

    def trained(known: Tensor | None) -> dict[str, Tensor]:
        done = train(
            images,
            targets,
            classes=2,
            recipe=recipe,
            device=CPU,
            seed=0,
            initial=former.state_dict(),
            features=known,
        )
        assert done.model.frozen_backbone
        assert not done.model.training
        return done.model.state_dict()

    before, seen, known = former.state_dict(), trained(None), trained(features)
    assert all(torch.equal(seen[name], known[name]) for name in seen)
    kept = [name for name in before if torch.equal(before[name], seen[name])]
    assert set(before) - set(kept) == {"head.weight", "head.bias"}
