"""A published backbone is built once; models on it are stored as their heads."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save_file

from al_engine.architectures import backbone_sha256, build
from al_engine.training import backbones, checkpoint
from al_engine.training.checkpoint import BadCheckpoint
from al_engine.training.evaluate import predict, predict_with_features

CPU = torch.device("cpu")
NAME = "probe:resnet18"
PICTURES = torch.randint(
    0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Published weights of resnet18, drawn by chance; no backbone is built yet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(backbones, "_built", {})
    file = tmp_path / "hub" / "checkpoints" / "resnet18.safetensors"
    file.parent.mkdir(parents=True)
    draw(file, seed=1)
    return file


def draw(file: Path, *, seed: int) -> None:
    torch.manual_seed(seed)
    save_file(build("resnet18", classes=2, image_size=224).backbone.state_dict(), file)


def test_models_share_one_backbone_and_differ_by_their_heads(weights: Path) -> None:
    before = torch.get_rng_state()
    backbone = backbones.published(NAME, image_size=32, device=CPU)
    assert backbones.published(NAME, image_size=32, device=CPU) is backbone
    first, second = backbone.with_head(2), backbone.with_head(5)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.backbone is second.backbone
    assert (first.classes, second.classes, first.frozen_backbone) == (2, 5, True)
    assert predict(second, PICTURES, device=CPU).tolist() == [[pytest.approx(0.2)] * 5] * 3
    with torch.no_grad():
        first.head.weight.fill_(1.0)
    assert not bool(second.head.weight.any())
    seen = predict_with_features(first, PICTURES, device=CPU)[1]
    # Some processors compute with eight bits.
    assert torch.allclose(backbone.embed(PICTURES), seen, atol=3e-2, rtol=3e-2)
    with pytest.raises(ValueError, match="backbone of small_cnn learns"):
        backbones.published("small_cnn", image_size=32, device=CPU)


def test_a_head_finds_its_backbone_again_or_says_what_is_wrong(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = backbones.published(NAME, image_size=32, device=CPU)
    model = backbone.with_head(3)
    torch.nn.init.normal_(model.head.weight)
    said = predict(model, PICTURES, device=CPU)
    data, whole = (
        checkpoint.to_bytes(
            model, architecture=NAME, image_size=32, classes=[4, 5, 6], backbone=digest
        )
        for digest in (backbone.sha256, None)
    )
    assert sorted(load(data)) == ["head.bias", "head.weight"]
    assert len(data) < 10_000 < len(whole)
    restored, metadata = checkpoint.from_bytes(data, device=CPU)
    assert (metadata.classes, metadata.backbone) == ([4, 5, 6], backbone.sha256)
    assert restored.backbone is model.backbone
    assert torch.equal(predict(restored, PICTURES, device=CPU), said)
    older, metadata = checkpoint.from_bytes(whole, device=CPU)
    assert metadata.backbone is None
    assert backbone_sha256(older) == backbone.sha256
    assert torch.equal(predict(older, PICTURES, device=CPU), said)

    draw(weights, seed=2)
    monkeypatch.setattr(backbones, "_built", {})
    with pytest.raises(BadCheckpoint, match="Give all machines the same weights"):
        checkpoint.from_bytes(data, device=CPU)
    checkpoint.from_bytes(whole, device=CPU)
