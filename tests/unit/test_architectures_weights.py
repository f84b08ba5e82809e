"""Pretrained weights: from a file, from the cache, or a clear word about where to get them."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from al_engine import architectures
from al_engine.architectures import weights
from al_engine.architectures.torchvision_ops import import_torchvision

RESNET18 = "resnet18-f37072fd.pth"
ADDRESS = f"https://download.pytorch.org/models/{RESNET18}"


def images(side: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def published_resnet18() -> dict[str, Tensor]:
    """What a published file has: a classifier of its own, and no counts in its batch norms."""
    model = architectures.build("resnet18", classes=2, image_size=224)
    ours = model.backbone.state_dict().items()
    kept = {key: value for key, value in ours if not key.endswith("num_batches_tracked")}
    return kept | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch.hub's cache, empty, on a machine from which nothing can be downloaded."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for proxy in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_pretrained_weights_fill_the_backbone_and_leave_the_head(tmp_path: Path) -> None:
    given = published_resnet18()
    path = tmp_path / "weights.safetensors"
    save_file(given, path)
    model = architectures.build("resnet18", classes=7, image_size=224, weights_path=path)
    loaded = model.backbone.state_dict()
    for key, value in given.items():
        assert key.startswith("fc.") or torch.equal(loaded[key], value), key
    assert model.head.weight.shape == (7, 512)


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
    with pytest.raises(architectures.UnfitWeights, match="fit probe:resnet50 for images of 32 px"):
        architectures.build("probe:resnet50", classes=2, image_size=32, weights_path=path)
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


def test_without_weights_and_offline_the_error_says_what_to_do(cache: Path) -> None:
    with pytest.raises(architectures.MissingWeights) as caught:
        architectures.build("probe:resnet18", classes=2, image_size=32, pretrained=True)
    said = str(caught.value)
    assert f"Download {ADDRESS} elsewhere and copy it to" in said
    assert str(cache / RESNET18) in said
    assert str(cache / "resnet18.safetensors") in said
    assert not list(cache.iterdir())


def test_a_network_that_nobody_publishes_asks_for_a_file(cache: Path) -> None:
    with pytest.raises(architectures.MissingWeights, match=r"small_cnn.*small_cnn\.safetensors"):
        architectures.build("small_cnn", classes=2, image_size=32, pretrained=True)


def test_weights_are_taken_from_the_cache(cache: Path) -> None:
    given = published_resnet18()
    torch.save(given, cache / RESNET18)
    model = architectures.build("probe:resnet18", classes=2, image_size=32, pretrained=True)
    assert torch.equal(model.backbone.state_dict()["conv1.weight"], given["conv1.weight"])


def test_a_sites_own_file_comes_before_the_published_one(cache: Path, tmp_path: Path) -> None:
    torch.save(published_resnet18(), cache / RESNET18)
    own = published_resnet18()
    save_file(own, cache / "resnet18.safetensors")
    model = architectures.build("probe:resnet18", classes=2, image_size=32, pretrained=True)
    assert torch.equal(model.backbone.state_dict()["conv1.weight"], own["conv1.weight"])
    other = published_resnet18()
    save_file(other, tmp_path / "other.safetensors")
    model = architectures.build(
        "probe:resnet18",
        classes=2,
        image_size=32,
        weights_path=tmp_path / "other.safetensors",
        pretrained=True,
    )
    assert torch.equal(model.backbone.state_dict()["conv1.weight"], other["conv1.weight"])


@pytest.mark.parametrize(
    "content",
    [pickle.dumps({"conv1.weight": print}, protocol=2), b"PK\x03\x04 cut", b""],
    ids=["a function", "cut off", "empty"],
)
def test_nothing_but_tensors_is_unpickled(cache: Path, content: bytes) -> None:
    (cache / RESNET18).write_bytes(content)
    with pytest.raises(architectures.UnfitWeights, match=r"resnet18-f37072fd\.pth is damaged"):
        architectures.build("resnet18", classes=2, image_size=32, pretrained=True)


def test_a_shrunk_kernel_sees_in_a_patch_what_the_large_one_sees_in_it_enlarged() -> None:
    generator = torch.Generator().manual_seed(0)
    kernel = torch.randn(5, 3, 16, 16, generator=generator)
    patch = torch.randn(1, 3, 4, 4, generator=generator)
    enlarged = functional.interpolate(patch, size=(16, 16), mode="bilinear")
    wanted = functional.conv2d(enlarged, kernel)
    seen = functional.conv2d(patch, weights.shrunk_kernel(kernel, 4))
    assert torch.allclose(seen, wanted, atol=1e-4)


def test_a_published_stem_is_shrunk_for_small_images(tmp_path: Path) -> None:
    given = published_resnet18()
    path = tmp_path / "weights.safetensors"
    save_file(given, path)
    model = architectures.build("resnet18", classes=2, image_size=32, weights_path=path)
    stem = model.backbone.state_dict()["conv1.weight"]
    assert stem.shape == (64, 3, 3, 3)
    # Each pixel of an enlarged patch is a mean of its pixels, so the sum of a kernel stays.
    assert torch.allclose(stem.sum((2, 3)), given["conv1.weight"].sum((2, 3)), atol=1e-5)


def test_interpolated_positions_keep_the_token_and_a_gradient_across_the_image() -> None:
    across = torch.linspace(0, 1, 14).repeat(14, 1).reshape(1, 196, 1)
    token = torch.full((1, 1, 1), 7.0)
    made = weights.interpolated_positions(torch.cat([token, across], dim=1), 65)
    assert made.shape == (1, 65, 1)
    assert float(made[0, 0, 0]) == 7
    plane = made[0, 1:, 0].reshape(8, 8)
    assert torch.allclose(plane, plane[:1].expand(8, 8), atol=1e-6)
    assert bool((plane[0].diff() > 0.1).all())


def transformer(side: int, patch: int) -> nn.Module:
    """A vision transformer as published, but of one narrow layer."""
    import_torchvision()
    from torchvision.models.vision_transformer import VisionTransformer

    made: nn.Module = VisionTransformer(
        side, patch, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16
    )
    return made


def test_a_published_transformer_fits_other_patches_and_another_grid() -> None:
    published = {
        key.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): value
        for key, value in transformer(224, 16).state_dict().items()
    }
    small = transformer(32, 4)
    small.heads = nn.Identity()
    weights.load_backbone(small, published, source="a file", network="a small one")
    layer = "encoder.layers.encoder_layer_0.mlp"
    assert torch.equal(small.state_dict()[f"{layer}.3.bias"], published[f"{layer}.linear_2.bias"])
    assert small(images(32)).shape == (2, 8)
    published["encoder.pos_embedding"] = torch.zeros(1, 190, 8)
    with pytest.raises(architectures.UnfitWeights, match="pos_embedding has the shape"):
        weights.load_backbone(small, published, source="a file", network="a small one")
