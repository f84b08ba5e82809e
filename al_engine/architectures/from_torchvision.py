"""torchvision's networks, with stems and heads that suit small images.

Their backbones keep torchvision's parameter names, so that published weights fit wherever the
shapes do, and torchvision's (Kaiming) initialisation.
"""

from torch import Tensor, nn
from torch.nn import functional

from al_engine.architectures.classifier import Classifier
from al_engine.architectures.torchvision_ops import import_torchvision

# Up to this side a ResNet keeps the full resolution in its stem, as is usual for CIFAR.
SMALL_SIDE = 64
# Five halvings: below this side the last of VGG's poolings would have nothing left to pool.
VGG_SMALLEST_SIDE = 32
VGG_WIDTH = 512


class VggBackbone(nn.Module):
    """VGG's convolutions and a global average, (N, 3, H, W) -> (N, 512).

    The three fully connected layers of the original hold 120 of its 138 million weights, take a
    7 x 7 map that small images do not fill, and cannot be learned from a few hundred labels.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features
        for module in features.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        if min(images.shape[-2:]) < VGG_SMALLEST_SIDE:
            # Enlarging rather than padding: a border of zeros would leave most of the five
            # poolings with nothing of the image in them.
            images = functional.interpolate(
                images, size=(VGG_SMALLEST_SIDE, VGG_SMALLEST_SIDE), mode="bilinear"
            )
        features: Tensor = self.features(images)
        return features.mean(dim=(2, 3))


def build_vgg16(*, classes: int, image_size: int, batch_norm: bool) -> Classifier:
    """VGG-16 (the paper's model, section 4.1), optionally with batch norm."""
    import_torchvision()
    from torchvision.models import vgg

    features = vgg.make_layers(vgg.cfgs["D"], batch_norm=batch_norm)
    return Classifier(VggBackbone(features), width=VGG_WIDTH, classes=classes)


def build_resnet18(*, classes: int, image_size: int) -> Classifier:
    """ResNet-18; up to 64 px its stem is a 3 x 3 convolution of stride 1 without max-pooling.

    The original stem reduces the image four times before the first block, which would leave 2 x 2
    of an 8 x 8 image.
    """
    import_torchvision()
    from torchvision.models import resnet

    backbone = resnet.resnet18()
    width: int = backbone.fc.in_features
    backbone.fc = nn.Identity()
    if image_size <= SMALL_SIDE:
        stem = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        backbone.conv1 = stem
        backbone.maxpool = nn.Identity()
    return Classifier(backbone, width=width, classes=classes)
