"""A linear head on fixed embeddings is the best there is, at once, and trains with a probe."""

import math

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from al_engine.architectures import build
from al_engine.training.evaluate import predict_with_features
from al_engine.training.head import PENALTY_LABELS, train_head
from al_engine.training.loop import train
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


def test_a_head_is_about_as_good_as_an_exact_solution() -> None:
    features, targets = clouds(2_000)
    head = train_head(features, targets, classes=4, device=CPU)
    deviation = features.std(dim=0)
    exact = LogisticRegression(C=1 / PENALTY_LABELS, max_iter=5_000).fit(
        features / deviation, targets
    )
    state = {
        "weight": torch.from_numpy(exact.coef_).float() / deviation,
        "bias": torch.from_numpy(exact.intercept_).float(),
    }
    assert head.loss == pytest.approx(loss_of(state, features, targets), rel=0.01)
    assert head.loss == pytest.approx(loss_of(head.state, features, targets), rel=0.02)


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
    features[:, :5] = 0
    features[:, 5] = features[:, 6]
    head = train_head(features, targets, classes=9, device=CPU)
    assert head.state["weight"].shape == (9, 20)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in head.state.values())
    assert math.isfinite(head.loss)


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
