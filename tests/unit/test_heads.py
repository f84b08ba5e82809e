"""The heads of a frozen backbone beside the logistic one: class means, and a kernel."""

from typing import Final

import pytest
import torch
from torch import Tensor, nn

from al_engine.architectures import Classifier, UnknownArchitecture, check_name
from al_engine.training import checkpoint, heads, opinions
from al_engine.training.embedding_cache import predict_from_embeddings

CPU: Final = torch.device("cpu")
WIDTH: Final = 40
HEADS: Final = ("", "means", "kernel")


def clouds(
    count: int, *, classes: int, seed: int, width: int = WIDTH, apart: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Embeddings (n, width) around the classes' centers, which are the same for every seed."""
    chance = torch.Generator().manual_seed(seed)
    centers = torch.randn(classes, width, generator=torch.Generator().manual_seed(0)) * apart
    targets = torch.arange(count) % classes
    return centers[targets] + torch.randn(count, width, generator=chance) * 1.5, targets


def rings(count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Two classes that no plane parts: one all around the other."""
    chance = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    points = nn.functional.normalize(torch.randn(count, 2, generator=chance))
    radius = torch.tensor([0.5, 2.0])[targets, None]
    return points * radius + 0.1 * torch.randn(count, 2, generator=chance), targets


def fitted(
    head: str, features: Tensor, targets: Tensor, *, classes: int, weights: Tensor | None = None
) -> Classifier:
    """A model whose images are its embeddings."""
    model = Classifier(nn.Identity(), width=features.shape[1], classes=classes)
    model.freeze_backbone()
    trust = torch.ones(len(targets)) if weights is None else weights
    found = heads.fit_head(head, features, targets, weights=trust, classes=classes, device=CPU)
    heads.put_on(model, found)
    return model.eval()


def says(model: Classifier, features: Tensor) -> Tensor:
    return predict_from_embeddings(model, features, device=CPU)


def share_right(said: Tensor, targets: Tensor) -> float:
    return float((said.argmax(dim=1) == targets).float().mean())


@pytest.mark.parametrize("head", HEADS)
def test_a_head_learns_and_its_probabilities_are_about_honest(head: str) -> None:
    seen, truth = clouds(300, classes=5, seed=1, apart=0.8)
    new, answers = clouds(2_000, classes=5, seed=2, apart=0.8)
    said = says(fitted(head, seen, truth, classes=5), new)
    assert torch.allclose(said.sum(dim=1), torch.ones(len(said)), atol=1e-5)
    right = share_right(said, answers)
    assert 0.75 < right < 0.99, "neither trivial nor hopeless"
    assert abs(float(said.max(dim=1).values.mean()) - right) < 0.06


def test_a_kernel_tells_apart_what_no_plane_parts() -> None:
    seen, truth = rings(120, seed=1)
    new, answers = rings(500, seed=2)
    assert share_right(says(fitted("", seen, truth, classes=2), new), answers) < 0.7
    assert share_right(says(fitted("kernel", seen, truth, classes=2), new), answers) > 0.98


@pytest.mark.parametrize("head", ["means", "kernel"])
def test_few_labels_wide_features_and_a_class_without_labels_are_no_trouble(head: str) -> None:
    for count in (1, 2, 7):
        seen, truth = clouds(count, classes=3, seed=1, width=200)
        said = says(
            fitted(head, seen, truth, classes=4), clouds(50, classes=3, seed=2, width=200)[0]
        )
        assert bool(torch.isfinite(said).all())
        assert float(said[:, 3].max()) < 0.5, "nobody has named it"


@pytest.mark.parametrize("head", ["means", "kernel"])
def test_equal_images_and_features_that_never_change_are_no_trouble(head: str) -> None:
    seen = torch.ones(30, WIDTH)
    seen[:, 0] = torch.arange(30) % 2 * 1.0
    said = says(fitted(head, seen, torch.arange(30) % 2, classes=2), seen)
    assert share_right(said, torch.arange(30) % 2) == 1.0


@pytest.mark.parametrize("head", ["means", "kernel"])
def test_labels_count_by_their_weights(head: str) -> None:
    seen, truth = clouds(200, classes=4, seed=1)
    wrong = truth.clone()
    wrong[:80] = (truth[:80] + 1) % 4
    trust = torch.ones(200)
    trust[:80] = 0.0
    doubted = says(fitted(head, seen, wrong, classes=4, weights=trust), seen[:80])
    kept = says(fitted(head, seen[80:], truth[80:], classes=4), seen[:80])
    assert torch.allclose(doubted, kept, atol=1e-4)
    assert bool(
        torch.isfinite(says(fitted(head, seen, wrong, classes=4, weights=trust * 0), seen)).all()
    )


@pytest.mark.parametrize("head", ["means", "kernel"])
def test_equal_labels_give_equal_heads(head: str) -> None:
    seen, truth = clouds(100, classes=4, seed=1)
    one, other = (fitted(head, seen, truth, classes=4) for _ in range(2))
    assert torch.equal(says(one, seen), says(other, seen))


@pytest.mark.parametrize("head", ["means", "kernel"])
def test_a_thousand_classes_work(head: str) -> None:
    seen, truth = clouds(1_500, classes=1_000, seed=1, width=64, apart=3.0)
    new, answers = clouds(1_000, classes=1_000, seed=2, width=64, apart=3.0)
    assert share_right(says(fitted(head, seen, truth, classes=1_000), new), answers) > 0.5


def test_models_with_different_heads_form_a_committee_and_know_a_class_that_was_added() -> None:
    seen, truth = clouds(200, classes=3, seed=1)
    asked = clouds(60, classes=3, seed=2)[0]
    for head in HEADS:
        model = fitted(head, seen, truth, classes=3)
        alike = opinions.align_classes(model, has=[7, 8, 9], wanted=[9, 5, 7, 8])
        assert alike is not None
        said, there = says(alike, asked), says(model, asked)
        assert torch.allclose(said[:, [2, 3, 0]], there, atol=1e-5)
        assert not bool(said[:, 1].any())


@pytest.mark.parametrize("head", ["means", "kernel"])
def test_samples_of_a_head_agree_near_its_labels_and_not_between_them(head: str) -> None:
    seen, truth = clouds(200, classes=2, seed=1, apart=2.0)
    model = fitted(head, seen, truth, classes=2)
    between = seen[truth == 0][:40] / 2 + seen[truth == 1][:40] / 2
    chance = torch.Generator().manual_seed(1)
    near, far = (
        opinions.ask_posterior(
            model.head, model.kernel(rows), model.kernel(seen), count=8, generator=chance
        )
        .std(dim=0)
        .mean()
        for rows in (seen[:40], between)
    )
    assert float(near) < float(far)


def test_an_unknown_head_is_named_with_those_that_there_are() -> None:
    check_name("probe:resnet18+kernel")
    with pytest.raises(
        UnknownArchitecture, match=r"no head named 'mean' .* one of \+means, \+kern"
    ):
        check_name("frozen:tf_efficientnet_lite0+mean")
    with pytest.raises(UnknownArchitecture, match="no architecture named 'small_cnn"):
        check_name("small_cnn+means")
    with pytest.raises(ValueError, match="no head named 'trees'"):
        heads.fit_head(
            "trees", torch.ones(2, 3), torch.tensor([0, 1]), weights=torch.ones(2), classes=2,
            device=CPU,
        )  # fmt: skip


def test_a_kernel_head_is_refused_with_landmarks_of_another_backbone() -> None:
    seen, truth = clouds(20, classes=2, seed=1)
    model = fitted("kernel", seen, truth, classes=2)
    data = checkpoint.to_bytes(
        model, architecture="small_cnn", image_size=8, classes=[1, 2], backbone=None
    )
    with pytest.raises(checkpoint.BadCheckpoint, match="no such model can be made of it"):
        checkpoint.from_bytes(data, device=CPU)
