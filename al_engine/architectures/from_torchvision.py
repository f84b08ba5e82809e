"""torchvision's networks, with stems and heads that suit small images.

The backbones keep torchvision's parameter names, so that published weights fit, and torchvision's
initialization. Each network is made for photographs of 224 px and reduces their side 32-fold, which
would leave a single point of a small image. So up to `SMALL_SIDE` all convolutional networks but
VGG reduce the side only 8-fold: 32 px become 4 x 4, at the cost of an image four times as large.

A network depends on nothing but its name, the number of classes and the image size: a checkpoint
stores no more than these.
"""

import math

from torch import Tensor, nn

from al_engine.architectures.classifier import Classifier
from al_engine.architectures.torchvision_ops import import_torchvision

# Up to this side (px) a network reduces the image's side 8-fold instead of 32-fold.
SMALL_SIDE = 64
# px. VGG halves the side five times; below 32 px its last pooling would have nothing to pool.
VGG_SMALLEST_SIDE = 32
VGG_WIDTH = 512
# The fewest patches along a side of the image for a vision transformer: fewer would leave attention
# little to compare. 7 fits MNIST's 28 px, 8 fits CIFAR's 32 px.
FEWEST_PATCHES = 7
LARGEST_PATCH = 16


class Pooled(nn.Module):
    """Convolutions, a global average and `classifier`: (N, 3, H, W) -> (N, width).

    `classifier` is torchvision's without its last layer, under the same parameter names.
    """

    def __init__(self, features: nn.Module, classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Flatten() if classifier is None else classifier

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings (N, width) of images (N, 3, H, W)."""
        embeddings: Tensor = self.classifier(self.avgpool(self.features(images)))
        return embeddings


def build_vgg16(*, classes: int, image_size: int, batch_norm: bool) -> Classifier:
    """VGG-16 (the paper's model, section 4.1), optionally with batch norm.

    A global average replaces the original's three fully connected layers: they hold 120 of its 138
    million weights, take a 7 x 7 map that small images do not fill, and cannot be learned from a
    few hundred labels.
    """
    import_torchvision()
    from torchvision.models import vgg

    features = vgg.make_layers(vgg.cfgs["D"], batch_norm=batch_norm)
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return Classifier(
        Pooled(features), width=VGG_WIDTH, classes=classes, smallest_side=VGG_SMALLEST_SIDE
    )


def build_resnet(*, classes: int, image_size: int, depth: int) -> Classifier:
    """ResNet-18 or -50; for small images its stem is a 3 x 3 convolution, as is usual for CIFAR.

    This stem has stride 1 and no max-pooling after it. Published 7 x 7 stems are shrunk to 3 x 3
    when they are loaded.
    """
    import_torchvision()
    from torchvision.models import resnet

    backbone = {18: resnet.resnet18, 50: resnet.resnet50}[depth]()
    width: int = backbone.fc.in_features
    backbone.fc = nn.Identity()
    if image_size <= SMALL_SIDE:
        stem = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        backbone.conv1 = stem
        backbone.maxpool = nn.Identity()
    return Classifier(backbone, width=width, classes=classes)


def build_mobilenet_v3_large(*, classes: int, image_size: int) -> Classifier:
    """MobileNetV3 large without the 1280-wide layer of its classifier.

    The momentum of its batch norm is 0.1, as in the other networks. torchvision's 0.01 suits
    trainings of many epochs: after 100 steps, a third of the initial statistics would remain.
    """
    import_torchvision()
    from torchvision.models import mobilenet_v3_large

    features = mobilenet_v3_large().features
    for module in features.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    if image_size <= SMALL_SIDE:
        _halve_later(features)
    return Classifier(Pooled(features), width=features[-1][0].out_channels, classes=classes)


def build_efficientnet_b0(*, classes: int, image_size: int) -> Classifier:
    """EfficientNet-B0 without stochastic depth.

    Stochastic depth draws from torch's global generator, which a training's seed does not set. It
    pays off in hundreds of epochs, not in a training of seconds.
    """
    import_torchvision()
    from torchvision.models import efficientnet_b0

    features = efficientnet_b0(stochastic_depth_prob=0.0).features
    if image_size <= SMALL_SIDE:
        _halve_later(features)
    return Classifier(Pooled(features), width=features[-1][0].out_channels, classes=classes)


def build_convnext_tiny(*, classes: int, image_size: int) -> Classifier:
    """ConvNeXt-T, the norm before its classifier included, without stochastic depth.

    Stochastic depth is left out for the reason given at EfficientNet. For small images a 3 x 3
    convolution of stride 1 replaces the stem of 4 x 4 patches; published stems are shrunk to
    3 x 3 when they are loaded.
    """
    import_torchvision()
    from torchvision.models import convnext_tiny

    network = convnext_tiny(stochastic_depth_prob=0.0)
    if image_size <= SMALL_SIDE:
        stem = nn.Conv2d(3, 96, kernel_size=3, stride=1, padding=1)
        nn.init.trunc_normal_(stem.weight, std=0.02)
        nn.init.zeros_(stem.get_parameter("bias"))
        network.features[0][0] = stem
    norm, flatten, linear = network.classifier
    return Classifier(
        Pooled(network.features, nn.Sequential(norm, flatten)),
        width=linear.in_features,
        classes=classes,
    )


def build_vit_b_16(*, classes: int, image_size: int) -> Classifier:
    """ViT-B with a patch size that suits the image: 16 px from 97 px on, 4 px at 28 and 32 px.

    The side of a patch is the largest power of two, up to 16 px, that leaves at least
    `FEWEST_PATCHES` along a side. Images are enlarged to the next multiple of it.
    """
    import_torchvision()
    from torchvision.models import vision_transformer

    patch = LARGEST_PATCH
    while math.ceil(image_size / patch) < FEWEST_PATCHES:
        patch //= 2
    side = math.ceil(image_size / patch) * patch
    backbone = vision_transformer.VisionTransformer(
        image_size=side,
        patch_size=patch,
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        mlp_dim=3072,
    )
    backbone.heads = nn.Identity()
    return Classifier(backbone, width=768, classes=classes, smallest_side=side)


def _halve_later(features: nn.Module) -> None:
    """Set the stride of the first two strided convolutions to 1; no weight changes its shape."""
    strided = [
        module
        for module in features.modules()
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2)
    ]
    for module in strided[:2]:
        module.stride = (1, 1)
