"""Images that look alike lie together before any model knows them."""

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import silhouette_score

from al_engine.training.embedding_file import EmbeddingFile
from al_engine.training.raw_features import (
    COMPONENTS,
    group_alike,
    project_on_components,
    raw_features,
)


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


def test_rows_on_disk_are_projected_block_by_block_as_those_in_memory(tmp_path: Path) -> None:
    rows = torch.randn(5_000, 40, generator=chance()).half()
    file = EmbeddingFile(tmp_path, 40)
    file.write(range(5_000), rows)
    on_disk = project_on_components(file.among(range(5_000)), generator=chance(2))
    assert torch.equal(on_disk, project_on_components(rows.float(), generator=chance(2)))


def test_groups_of_neighboring_numbers_are_similar() -> None:
    # Thirty clusters around a half circle, in no order.
    angles = torch.randperm(30, generator=chance()).repeat_interleave(20) * torch.pi / 30
    points = torch.stack([angles.cos(), angles.sin()], dim=1)
    points += 0.001 * torch.randn(600, 2, generator=chance())
    groups = group_alike(points, 30, generator=chance())
    centers = torch.stack(
        [points[groups == each].mean(dim=0) for each in sorted({*groups.tolist()})]
    )
    steps = (centers[1:] - centers[:-1]).norm(dim=1)
    assert len(centers) > 20
    assert steps.max() < 0.5, "the half circle is 3.1 long"
    assert (centers[0] - centers[-1]).norm() > 1.5


def test_no_images_and_fewer_than_groups_are_grouped_as_well() -> None:
    assert group_alike(torch.empty(0, 3), 64, generator=chance()).tolist() == []
    groups = group_alike(torch.eye(3), 64, generator=chance())
    assert sorted(groups.tolist()) == [0, 1, 2]
