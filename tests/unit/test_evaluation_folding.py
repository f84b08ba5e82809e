"""A network prepared for scoring says what the network says."""

import pytest
import torch
from torch import Tensor, nn

from al_engine.architectures import Classifier, build
from al_engine.training.evaluate import predict
from al_engine.training.folding import fold_batch_norms

CPU = torch.device("cpu")


def lived(model: Classifier, side: int) -> Classifier:
    """The model with batch norms that have seen something."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            for tensor in (module.weight.data, module.running_mean, module.bias.data):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(
    "name",
    ["small_cnn", "vgg16_bn", "resnet18", "mobilenet_v3_large", "frozen:tf_efficientnet_lite0"],
)
def test_folded_batch_norms_change_nothing_but_the_time(name: str) -> None:
    model = lived(build(name, classes=5, image_size=32), 32)
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    result = fold_batch_norms(model, images[:2])
    assert norms(model) > 0
    assert norms(result) == 0
    with torch.no_grad():
        assert torch.allclose(result(images), model(images), rtol=1e-3, atol=1e-3)


def test_a_network_without_batch_norm_is_left_as_it_is() -> None:
    model = build("vgg16", classes=5, image_size=32).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(fold_batch_norms(model, images)(images), model(images))


class Twice(nn.Module):
    """A convolution whose output is also taken past its batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.convolution(images)
        both: Tensor = self.norm(seen) + seen
        return both.mean(dim=(2, 3))


def test_what_cannot_be_folded_is_not() -> None:
    model = lived(Classifier(Twice(), width=4, classes=2), 8)
    images = torch.randn(2, 3, 8, 8)
    result = fold_batch_norms(model, images)
    assert norms(result) == 1
    with torch.no_grad():
        assert torch.equal(result(images), model(images))


def test_many_images_are_told_the_same_as_few() -> None:
    model = lived(build("small_cnn", classes=10, image_size=8), 8)
    images = torch.randint(0, 256, (300, 3, 8, 8), dtype=torch.uint8)
    # In bfloat16, where a CPU has it, folding rounds elsewhere.
    assert torch.allclose(
        predict(model, images, device=CPU)[:50],
        predict(model, images[:50], device=CPU),
        atol=0.02,
    )
