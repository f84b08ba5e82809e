"""Images that look alike lie together before any model knows them."""

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import silhouette_score

from al_engine.training.raw_features import COMPONENTS, raw_features


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """600 digits: uint8 (600, 3, 8, 8), and their classes."""
    data = load_digits()
    pixels = torch.from_numpy(data.images[:600] * 15).to(torch.uint8)
    return pixels[:, None].expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(data.target[:600])


def chance(seed: int = 1) -> torch.Generator:
    """A generator."""
    return torch.Generator().manual_seed(seed)


def test_digits_of_one_class_lie_nearer_to_each_other_than_by_chance() -> None:
    images, classes = digits()
    features = raw_features(images, generator=chance())
    shuffled = classes[torch.randperm(600, generator=chance())]
    assert features.shape == (600, COMPONENTS)
    assert silhouette_score(features, classes) > 0.1 > silhouette_score(features, shuffled)


def test_distances_are_those_of_the_coarse_pixels_but_for_what_hardly_varies() -> None:
    images, _ = digits()
    features = raw_features(images, generator=chance())
    pixels = images.float().div(255).flatten(1)
    kept = torch.cdist(features, features).pow(2).sum() / torch.cdist(pixels, pixels).pow(2).sum()
    assert 0.9 < kept <= 1.0001


def test_few_images_and_none_are_no_trouble() -> None:
    images, _ = digits()
    assert raw_features(images[:3], generator=chance()).shape == (3, 3)
    assert raw_features(images[:0], generator=chance()).shape == (0, 0)
    assert torch.isfinite(raw_features(images[:1], generator=chance())).all()


def test_the_same_generator_gives_the_same_features() -> None:
    images, _ = digits()
    assert torch.equal(
        raw_features(images, generator=chance(5)), raw_features(images, generator=chance(5))
    )
