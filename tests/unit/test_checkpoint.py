"""A model survives the way into bytes and back, and nothing else passes for one."""

import pytest
import torch
from safetensors.torch import save

from al_engine.architectures import build
from al_engine.training.checkpoint import BadCheckpoint, Metadata, from_bytes, to_bytes
from al_engine.training.evaluate import predict

torch.set_num_threads(1)

CPU = torch.device("cpu")
PICTURES = torch.randint(
    0, 256, (9, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def checkpoint(architecture: str = "small_cnn") -> bytes:
    model = build(architecture, classes=3, image_size=8)
    return to_bytes(model, architecture=architecture, image_size=8, classes=[40, 7, 12])


@pytest.mark.parametrize("architecture", ["small_cnn", "resnet18"])
def test_a_restored_model_predicts_the_same_to_the_bit(architecture: str) -> None:
    model = build(architecture, classes=3, image_size=8)
    before = predict(model, PICTURES, device=CPU)
    data = to_bytes(model, architecture=architecture, image_size=8, classes=[40, 7, 12])
    restored, metadata = from_bytes(data, device=CPU)
    assert metadata == Metadata(architecture=architecture, image_size=8, classes=[40, 7, 12])
    assert not restored.training
    assert torch.equal(predict(restored, PICTURES, device=CPU), before)


def test_restoring_leaves_the_global_generator_alone_and_can_train_on() -> None:
    data = checkpoint()
    state = torch.get_rng_state()
    model, _ = from_bytes(data, device=CPU)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(weights.requires_grad for weights in model.parameters())


def test_a_temperature_travels_with_the_model_and_older_checkpoints_have_none() -> None:
    model = build("small_cnn", classes=3, image_size=8)
    data = to_bytes(
        model, architecture="small_cnn", image_size=8, classes=[1, 2, 3], temperature=1.75
    )
    assert from_bytes(data, device=CPU)[1].temperature == 1.75
    assert from_bytes(checkpoint(), device=CPU)[1].temperature == 1.0
    older = {"format": "nowait-1", "architecture": "small_cnn", "image_size": "8"}
    data = save(model.state_dict(), metadata=older | {"classes": "[1, 2, 3]"})
    assert from_bytes(data, device=CPU)[1].temperature == 1.0


def test_a_checkpoint_cut_off_anywhere_is_refused() -> None:
    data = checkpoint()
    for length in [0, 4, 8, 100, 2000, len(data) // 2, len(data) - 1]:
        with pytest.raises(BadCheckpoint, match="not a complete safetensors file"):
            from_bytes(data[:length], device=CPU)


def test_foreign_files_are_refused() -> None:
    with pytest.raises(BadCheckpoint, match="not a complete safetensors file"):
        from_bytes(b"\x80\x04\x95 a pickle" * 20, device=CPU)
    with pytest.raises(BadCheckpoint, match="not a checkpoint in the format"):
        from_bytes(save({"weight": torch.zeros(2)}), device=CPU)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("architecture", "vgg99", "no architecture named"),
        ("architecture", "vgg16", "no such model"),
        ("classes", "[1, 2]", "no such model"),
        ("classes", "[]", "no such model"),
        ("classes", "{", "metadata is damaged"),
        ("image_size", "big", "metadata is damaged"),
        ("temperature", "0", "metadata is damaged"),
        ("temperature", "nan", "metadata is damaged"),
        ("format", "nowait-99", "format"),
    ],
)
def test_metadata_that_does_not_match_the_weights_is_refused(
    key: str, value: str, reason: str
) -> None:
    weights = build("small_cnn", classes=3, image_size=8).state_dict()
    metadata = {
        "format": "nowait-1",
        "architecture": "small_cnn",
        "image_size": "8",
        "classes": "[40, 7, 12]",
    }
    from_bytes(save(weights, metadata=metadata), device=CPU)
    with pytest.raises(BadCheckpoint, match=reason):
        from_bytes(save(weights, metadata=metadata | {key: value}), device=CPU)


def test_classes_must_be_as_many_as_outputs() -> None:
    model = build("small_cnn", classes=3, image_size=8)
    with pytest.raises(ValueError, match="3 outputs, but 2 classes"):
        to_bytes(model, architecture="small_cnn", image_size=8, classes=[1, 2])
