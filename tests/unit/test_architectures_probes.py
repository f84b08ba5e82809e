"""Probes: a backbone that never changes, and a head that learns."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from al_engine import architectures
from al_engine.training import checkpoint


def images(side: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", [n for n in architectures.names() if n.startswith("probe:")])
def test_only_the_head_of_a_probe_learns(name: str) -> None:
    with torch.device("meta"):
        model = architectures.build(name, classes=3, image_size=32)
    learning = [key for key, weights in model.named_parameters() if weights.requires_grad]
    assert model.frozen_backbone
    assert learning == ["head.weight", "head.bias"]


def test_a_training_step_leaves_the_embeddings_of_a_probe_as_they_were() -> None:
    model = architectures.build("probe:resnet18", classes=3, image_size=32).train()
    before = model.features_of(images(32))
    torch.autograd.backward(model(images(32)).square().sum())
    assert model.head.weight.grad is not None
    assert all(weights.grad is None for weights in model.backbone.parameters())
    assert torch.equal(model.features_of(images(32)), before)
    assert model.training
    assert not model.backbone.training


def test_a_probe_sees_small_images_enlarged_by_the_published_network() -> None:
    probe = architectures.build("probe:resnet18", classes=3, image_size=32).eval()
    published = architectures.build("resnet18", classes=3, image_size=224).eval()
    published.backbone.load_state_dict(probe.backbone.state_dict())
    enlarged = functional.interpolate(images(32), size=(128, 128), mode="bilinear")
    with torch.inference_mode():
        assert torch.equal(probe.features_of(images(32)), published.features_of(enlarged))


@pytest.mark.parametrize(
    ("name", "side", "seen"),
    [
        ("probe:resnet18", 8, 128),
        ("probe:resnet18", 128, 128),
        ("probe:resnet18", 224, 224),
        ("probe:vit_b_16", 32, 128),
        ("probe:vit_b_16", 200, 208),
    ],
)
def test_a_probe_enlarges_small_images_only(name: str, side: int, seen: int) -> None:
    with torch.device("meta"):
        assert architectures.build(name, classes=2, image_size=side).smallest_side == seen


def test_frozen_backbones_alone_must_have_pretrained_weights() -> None:
    for name in architectures.names():
        frozen = name.startswith(("probe:", "frozen:"))
        assert architectures.wants_pretrained(name) == frozen


def test_a_probe_comes_back_from_its_checkpoint_without_asking_for_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = architectures.build("probe:resnet18", classes=3, image_size=32).eval()
    data = checkpoint.to_bytes(
        model, architecture="probe:resnet18", image_size=32, classes=[4, 5, 6]
    )
    back, metadata = checkpoint.from_bytes(data, device=torch.device("cpu"))
    assert metadata.architecture == "probe:resnet18"
    assert back.frozen_backbone
    assert [key for key, weights in back.named_parameters() if weights.requires_grad] == [
        "head.weight",
        "head.bias",
    ]
    with torch.inference_mode():
        assert torch.allclose(back(images(32)), model(images(32)), atol=1e-5)
