"""Frozen networks of timm: its features, whatever they are built from, and errors that help."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from al_engine import architectures
from al_engine.architectures import from_timm, hub, weight_sources
from al_engine.training import checkpoint
from al_engine.training.pixels import normalize

LITE = "frozen:tf_efficientnet_lite0"
# A small network that no package brings.
SMALL = "lcnet_050"


def pixels(side: int, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch.hub's cache folder, empty, and an empty cache of a hub that cannot be reached."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "WAIT_SECONDS", 1.0)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def weights_of(name: str) -> dict[str, Tensor]:
    """Weights as timm publishes them: under its names, with a classifier for 1,000 classes."""
    made: dict[str, Tensor] = from_timm.import_timm().create_model(name).state_dict()
    return made


@pytest.mark.parametrize("side", [32, 224, 256])
def test_embeddings_are_those_of_timms_own_pipeline(side: int) -> None:
    ours = architectures.build(LITE, classes=3, image_size=side, pretrained=True).eval()
    theirs = from_timm.import_timm().create_model("tf_efficientnet_lite0").eval()
    packaged = weight_sources.packaged_file()
    assert packaged is not None
    given = torch.load(packaged, weights_only=True)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), given.values(), strict=True)))
    images = pixels(side)
    seen = (images.float() / 255 - 0.5) / 0.5  # the network's own mean and standard deviation
    if side < 224:
        seen = torch.nn.functional.interpolate(seen, size=(224, 224), mode="bilinear")
    with torch.inference_mode():
        wanted = theirs.forward_head(theirs.forward_features(seen), pre_logits=True)
        features = ours.features_of(normalize(images))
    assert features.shape == (2, ours.width) == (2, 1280)
    assert torch.allclose(features, wanted, atol=1e-4 * float(wanted.abs().max()))
    assert ours.frozen_backbone
    assert not any(each.requires_grad for each in ours.backbone.parameters())


@pytest.mark.parametrize(
    ("name", "side", "seen", "width"),
    [
        (SMALL, 32, 224, 1280),
        (SMALL, 300, 224, 1280),
        ("vit_small_patch14_dinov2", 32, 224, 384),
        ("vit_small_patch14_dinov2.lvd142m", 300, 308, 384),
        ("vit_small_patch14_dinov2", 1024, 518, 384),
        ("levit_128s", 64, 224, 384),
        ("vgg11", 64, 224, 4096),
    ],
)
def test_a_network_sees_the_side_it_was_published_for_and_says_how_wide_it_is(
    name: str, side: int, seen: int, width: int
) -> None:
    with torch.device("meta"):
        model = architectures.build(f"frozen:{name}", classes=3, image_size=side)
        model = model.to("meta")
        assert model.smallest_side == seen
        assert model.features_of(torch.zeros(2, 3, side, side)).shape == (2, width)
    assert model.width == width
    assert architectures.wants_pretrained(f"frozen:{name}")


@pytest.mark.parametrize("name", [LITE, "frozen:levit_128s"], ids=["plain", "with fixed tensors"])
def test_a_frozen_network_comes_back_from_its_checkpoint(cache: Path, name: str) -> None:
    model = architectures.build(name, classes=2, image_size=32).eval()
    data = checkpoint.to_bytes(model, architecture=name, image_size=32, classes=[4, 5])
    back, _ = checkpoint.from_bytes(data, device=torch.device("cpu"))
    with torch.inference_mode():
        images = normalize(pixels(32))
        assert torch.allclose(back(images), model(images), atol=1e-4)
    assert architectures.backbone_sha256(back) == architectures.backbone_sha256(model)


def test_a_backbones_identity_follows_from_its_weights_alone() -> None:
    packaged = architectures.build(LITE, classes=3, image_size=224, pretrained=True)
    known = "d35b2d96232ce48eefd10b5511ef11d07eecb23712a26fc457cd30f6727e2dc3"
    assert architectures.backbone_sha256(packaged) == known
    packaged = packaged.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    again = architectures.build(LITE, classes=7, image_size=32, pretrained=True)
    assert architectures.backbone_sha256(again) == known
    other = architectures.build(LITE, classes=3, image_size=224)
    assert architectures.backbone_sha256(other) != known
    with pytest.raises(ValueError, match="frozen"):
        architectures.backbone_sha256(architectures.build("small_cnn", classes=2, image_size=8))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("frozen:tf_efficientnet_light0", "Did you mean tf_efficientnet_lite0"),
        ("frozen:vit_smal_patch14_dinov2", "vit_small_patch14_dinov2"),
        ("frozen:qqqq", r"no model named 'qqqq'. timm.list_models\(\) in Python lists all"),
        ("frozen:", "no model named ''"),
        ("frozen:tf_efficientnet_lite0.in22k", "there are: tf_efficientnet_lite0.in1k"),
        ("frozn:tf_efficientnet_lite0", f"Did you mean {LITE}"),
    ],
)
def test_an_unknown_name_is_answered_with_those_close_to_it(name: str, said: str) -> None:
    with pytest.raises(architectures.UnknownArchitecture, match=said):
        architectures.build(name, classes=2, image_size=32)


def test_weights_are_taken_from_a_file_or_from_a_sites_own(cache: Path, tmp_path: Path) -> None:
    given = weights_of(SMALL)
    key = "conv_stem.weight"
    save_file(given, tmp_path / "mine.safetensors")
    model = architectures.build(
        f"frozen:{SMALL}",
        classes=2,
        image_size=32,
        weights_path=tmp_path / "mine.safetensors",
    )
    assert torch.equal(model.backbone.state_dict()[f"network.{key}"], given[key])
    save_file(given, cache / f"{SMALL}.safetensors")
    model = architectures.build(f"frozen:{SMALL}", classes=2, image_size=32, pretrained=True)
    assert torch.equal(model.backbone.state_dict()[f"network.{key}"], given[key])


@pytest.mark.parametrize("other", ["lcnet_075", "levit_128s"])
@pytest.mark.parametrize("name", [SMALL, "vit_tiny_patch16_224"])
def test_weights_of_another_network_are_refused(tmp_path: Path, name: str, other: str) -> None:
    save_file(weights_of(other), tmp_path / "other.safetensors")
    with pytest.raises(architectures.UnfitWeights, match=name):
        architectures.build(
            f"frozen:{name}",
            classes=2,
            image_size=32,
            weights_path=tmp_path / "other.safetensors",
        )


def test_a_damaged_file_is_refused(cache: Path) -> None:
    (cache / f"{SMALL}.safetensors").write_bytes(b"cut")
    with pytest.raises(architectures.UnfitWeights, match=f"{SMALL}.safetensors cannot be read"):
        architectures.build(f"frozen:{SMALL}", classes=2, image_size=32, pretrained=True)


def test_a_package_with_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    file = tmp_path / "changed.pth"
    file.write_bytes(b"something else")
    monkeypatch.setattr(weight_sources, "packaged_file", lambda: file)
    with pytest.raises(architectures.UnfitWeights, match=r"Install .* again") as caught:
        architectures.build(LITE, classes=2, image_size=32, pretrained=True)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)


def test_without_a_network_the_error_says_what_to_copy_where(cache: Path) -> None:
    with pytest.raises(architectures.MissingWeights) as caught:
        architectures.build(f"frozen:{SMALL}", classes=2, image_size=32, pretrained=True)
    said = str(caught.value)
    assert "http://127.0.0.1:9 did not send model.safetensors of timm/lcnet_050" in said
    assert "https://huggingface.co/timm/lcnet_050.ra2_in1k/resolve/main/model.safetensors" in said
    assert str(cache / f"{SMALL}.safetensors") in said


def test_a_network_that_nobody_publishes_asks_for_a_file(cache: Path) -> None:
    with pytest.raises(architectures.MissingWeights, match=r"Nobody publishes.*mixer_s32_224\.saf"):
        architectures.build("frozen:mixer_s32_224", classes=2, image_size=32, pretrained=True)


def test_a_hub_that_never_answers_holds_a_training_up_for_a_bounded_time(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(hub.HubUnreachable, match=r"did not send .* within 0 s"):
            hub.download("timm/silent", "model.safetensors", wait_s=0.3)


class _Hub(BaseHTTPRequestHandler):
    """A hub with one file, which it begins to send when it is told to; without content, none."""

    content = b""
    may_answer = threading.Event()

    def do_HEAD(self) -> None:
        self.may_answer.wait()
        self.send_response(200 if self.content else 404)
        digest = hashlib.sha256(self.content).hexdigest()
        for header in (("ETag", f'"{digest}"'), ("X-Repo-Commit", "0" * 40)):
            self.send_header(*header)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def slow_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    with HTTPServer(("127.0.0.1", 0), _Hub) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield _Hub
        server.shutdown()
        serving.join()
    _Hub.content = b""
    _Hub.may_answer.clear()


def test_a_hub_that_lacks_the_file_is_named_with_its_answer(
    cache: Path, slow_hub: type[_Hub]
) -> None:
    slow_hub.may_answer.set()
    with pytest.raises(architectures.MissingWeights, match=r"did not give model\.safe.*404"):
        architectures.build(f"frozen:{SMALL}", classes=2, image_size=32, pretrained=True)


def test_a_slow_download_goes_on_and_is_there_for_a_later_training(
    cache: Path, tmp_path: Path, slow_hub: type[_Hub]
) -> None:
    save_file(weights_of(SMALL), tmp_path / "published.safetensors")
    slow_hub.content = (tmp_path / "published.safetensors").read_bytes()
    repository, file = from_timm.hub_file(SMALL) or ("", "")
    with pytest.raises(hub.HubUnreachable):
        hub.download(repository, file, wait_s=0.1)
    slow_hub.may_answer.set()
    model = architectures.build(f"frozen:{SMALL}", classes=2, image_size=32, pretrained=True)
    assert model.frozen_backbone
    assert hub.download(repository, file, wait_s=0).read_bytes() == slow_hub.content
