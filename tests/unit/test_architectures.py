"""Networks by name: shapes, embeddings, pretrained weights, and what is imported when."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from al_engine import architectures

torch.set_num_threads(2)

ALL = ["small_cnn", "vgg16", "vgg16_bn", "resnet18"]


def images(side: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_the_names_are_those_that_can_be_built() -> None:
    assert architectures.names() == ALL
    with pytest.raises(architectures.UnknownArchitecture, match="small_cnn, vgg16"):
        architectures.build("vgg61", classes=2, image_size=32)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("side", [8, 33, 96])
def test_every_network_takes_small_and_large_images(name: str, side: int) -> None:
    model = architectures.build(name, classes=5, image_size=side).eval()
    with torch.inference_mode():
        logits = model(images(side))
        features = model.features_of(images(side))
        assert logits.shape == (2, 5)
        assert features.shape == (2, model.width)
        assert torch.allclose(model.head(features), logits, atol=1e-4)
        assert bool(torch.isfinite(logits).all())


def test_resnet_keeps_the_resolution_of_small_images_only() -> None:
    small = architectures.build("resnet18", classes=2, image_size=64)
    large = architectures.build("resnet18", classes=2, image_size=65)
    assert small.backbone.state_dict()["conv1.weight"].shape == (64, 3, 3, 3)
    assert large.backbone.state_dict()["conv1.weight"].shape == (64, 3, 7, 7)


def test_small_cnn_is_small() -> None:
    model = architectures.build("small_cnn", classes=10, image_size=32)
    assert sum(weights.numel() for weights in model.parameters()) < 100_000


@pytest.mark.parametrize(("classes", "side"), [(0, 32), (2, 7), (2, 4096)])
def test_sizes_that_no_network_takes_are_refused(classes: int, side: int) -> None:
    with pytest.raises(ValueError, match=r"class|side"):
        architectures.build("small_cnn", classes=classes, image_size=side)


def test_pretrained_weights_fill_the_backbone_and_leave_the_head(tmp_path: Path) -> None:
    teacher = architectures.build("resnet18", classes=2, image_size=32).eval()
    published = teacher.backbone.state_dict() | {"fc.weight": torch.zeros(1000, 512)}
    save_file(published, tmp_path / "weights.safetensors")
    model = architectures.build(
        "resnet18", classes=7, image_size=48, weights_path=tmp_path / "weights.safetensors"
    ).eval()
    with torch.inference_mode():
        assert torch.equal(model.features_of(images(32)), teacher.features_of(images(32)))
        assert model(images(32)).shape == (2, 7)


def test_weights_that_do_not_fit_are_refused_with_the_first_difference(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    small = architectures.build("resnet18", classes=2, image_size=32).backbone.state_dict()
    save_file(small, path)
    with pytest.raises(
        architectures.UnfitWeights, match=r"conv1\.weight has the shape \(64, 3, 3, 3\)"
    ):
        architectures.build("resnet18", classes=2, image_size=224, weights_path=path)
    with pytest.raises(architectures.UnfitWeights, match=r"0\.weight is missing"):
        architectures.build("small_cnn", classes=2, image_size=32, weights_path=path)
    save_file(small | {"layer9.weight": torch.zeros(1)}, path)
    with pytest.raises(architectures.UnfitWeights, match="layer9"):
        architectures.build("resnet18", classes=2, image_size=32, weights_path=path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a pickle of another program"])
def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(architectures.UnfitWeights, match="cannot be read"):
        architectures.build("small_cnn", classes=2, image_size=32, weights_path=path)
    with pytest.raises(architectures.UnfitWeights, match="cannot be read"):
        architectures.build("small_cnn", classes=2, image_size=32, weights_path=tmp_path / "no")


def test_small_cnn_pays_for_no_torchvision_and_nothing_here_for_django() -> None:
    script = (
        "import sys, al_engine.training.loop, al_engine.training.image_cache\n"
        "import al_engine.training.checkpoint, al_engine.strategies, al_engine.refill\n"
        "from al_engine.architectures import build\n"
        "build('small_cnn', classes=2, image_size=8)\n"
        "print([name for name in ('torchvision', 'django') if name in sys.modules])\n"
    )
    root = Path(__file__).parents[2]
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=root, check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == "[]"
