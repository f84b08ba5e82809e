"""Networks by name: shapes, sizes, what learns, and what is imported when."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from al_engine import architectures

torch.set_num_threads(1)

# Millions of weights in the backbone and its embeddings' width; those of torchvision's networks
# are torchvision's own, less their classifiers.
NETWORKS = {
    "small_cnn": (0.1, 128),
    "vgg16": (14.7, 512),
    "vgg16_bn": (14.7, 512),
    "resnet18": (11.2, 512),
    "resnet50": (23.5, 2048),
    "mobilenet_v3_large": (3.0, 960),
    "efficientnet_b0": (4.0, 1280),
    "convnext_tiny": (27.8, 768),
    "vit_b_16": (85.8, 768),
}
PROBES = [f"probe:{name}" for name in NETWORKS if name != "small_cnn"]
ROOT = Path(__file__).parents[2]


def images(side: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def on_meta(name: str, side: int) -> architectures.Classifier:
    with torch.device("meta"):
        return architectures.build(name, classes=5, image_size=side)


def last_map(model: architectures.Classifier, side: int) -> int:
    """The side of the map that a backbone of convolutions averages at its end."""
    sides: list[int] = []
    for module in model.backbone.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, __, made: sides.append(made.shape[-1]))
    model.eval()(torch.empty(2, 3, side, side, device="meta"))
    return min(side for side in sides if side > 1)


LITE = "frozen:tf_efficientnet_lite0"


def test_the_names_are_those_that_can_be_built() -> None:
    assert architectures.names() == [
        *NETWORKS,
        *PROBES,
        LITE,
        f"{LITE}+means",
        f"{LITE}+kernel",
        "finetuned:tf_efficientnet_lite0",
    ]
    for name in ("vgg61", "probe:small_cnn", "probe:"):
        with pytest.raises(architectures.UnknownArchitecture, match="small_cnn, vgg16"):
            architectures.build(name, classes=2, image_size=32)


@pytest.mark.parametrize("name", [*NETWORKS, *PROBES])
def test_every_network_takes_images_of_every_size(name: str) -> None:
    for side in (32,) if name in PROBES else (8, 28, 65, 224):
        model = on_meta(name, side).eval()
        batch = torch.empty(2, 3, side, side, device="meta")
        assert model.features_of(batch).shape == (2, model.width)
        assert model(batch).shape == (2, 5)


@pytest.mark.parametrize(("name", "millions", "width"), [(n, *s) for n, s in NETWORKS.items()])
def test_a_backbone_has_the_size_of_the_published_one(
    name: str, millions: float, width: int
) -> None:
    model = on_meta(name, 224)
    weights = sum(parameter.numel() for parameter in model.backbone.parameters())
    assert (round(weights / 1e6, 1), model.width) == (millions, width)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns(name: str) -> None:
    model = architectures.build(name, classes=5, image_size=32).train()
    logits = model(images(32))
    assert bool(torch.isfinite(logits).all())
    torch.autograd.backward(logits.square().sum())
    idle = [key for key, weights in model.named_parameters() if not _moves(weights)]
    assert not idle


def _moves(weights: nn.Parameter) -> bool:
    return weights.grad is not None and bool(weights.grad.abs().sum() > 0)


def test_logits_are_the_head_of_the_embeddings() -> None:
    model = architectures.build("resnet18", classes=5, image_size=32).eval()
    with torch.inference_mode():
        assert torch.equal(model.head(model.features_of(images(32))), model(images(32)))


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet50", "mobilenet_v3_large", "efficientnet_b0", "convnext_tiny"]
)
def test_small_images_are_reduced_eight_times_and_large_ones_thirty_two(name: str) -> None:
    assert last_map(on_meta(name, 64), 64) == 8
    assert last_map(on_meta(name, 96), 96) == 3


@pytest.mark.parametrize(
    ("side", "patch", "seen"),
    [(8, 1, 8), (28, 4, 28), (32, 4, 32), (33, 4, 36), (64, 8, 64), (96, 8, 96), (224, 16, 224)],
)
def test_a_transformers_patches_suit_the_image(side: int, patch: int, seen: int) -> None:
    model = on_meta("vit_b_16", side)
    assert model.backbone.state_dict()["conv_proj.weight"].shape == (768, 3, patch, patch)
    assert model.smallest_side == seen


@pytest.mark.parametrize("name", ["mobilenet_v3_large", "efficientnet_b0", "convnext_tiny"])
def test_a_training_of_equal_seeds_draws_nothing_from_torchs_generator(name: str) -> None:
    model = architectures.build(name, classes=2, image_size=32).train()
    before = torch.get_rng_state()
    model(images(32))
    assert torch.equal(torch.get_rng_state(), before)


def test_batch_norm_follows_a_short_training() -> None:
    for name in NETWORKS:
        for module in on_meta(name, 32).modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.momentum == 0.1, name


def test_small_cnn_is_small() -> None:
    model = architectures.build("small_cnn", classes=10, image_size=32)
    assert sum(weights.numel() for weights in model.parameters()) < 100_000


@pytest.mark.parametrize(("classes", "side"), [(0, 32), (2, 7), (2, 4096)])
def test_sizes_that_no_network_takes_are_refused(classes: int, side: int) -> None:
    with pytest.raises(ValueError, match=r"class|side"):
        architectures.build("small_cnn", classes=classes, image_size=side)


def test_the_page_has_every_network_and_its_size() -> None:
    lines = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:3] == "| `"]
    told = {row[0].strip("`"): (float(row[1]), int(row[2])) for row in rows}
    assert told == NETWORKS


def test_small_cnn_pays_for_no_torchvision_and_nothing_here_for_django() -> None:
    script = (
        "import sys, al_engine.training.loop, al_engine.training.image_cache\n"
        "import al_engine.training.checkpoint, al_engine.strategies, al_engine.decisions.refill\n"
        "from al_engine.architectures import build\n"
        "build('small_cnn', classes=2, image_size=8)\n"
        "print([name for name in ('torchvision', 'django') if name in sys.modules])\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == "[]"
