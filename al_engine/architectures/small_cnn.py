"""A small convolutional network that trains in a second or two on two cores of a CPU."""

from torch import nn

from al_engine.architectures.classifier import Classifier

WIDTHS = (32, 64, 128)
# Above this side (px) the first convolution halves the image, so that up to 64 px the cost per
# image stays below about 10 million multiplications.
FULL_RESOLUTION_SIDE = 32


def build_small_cnn(*, classes: int, image_size: int) -> Classifier:
    """Three convolutions with batch norm and a global average, for images of 8 px and more.

    Each pooling comes before the next, wider convolution, so every stage costs about the same; the
    global average makes the weights independent of the image size.
    """
    stages: list[nn.Module] = []
    before = 3
    for number, width in enumerate(WIDTHS):
        first = number == 0
        stride = 2 if first and image_size > FULL_RESOLUTION_SIDE else 1
        stages += [
            *([] if first else [nn.MaxPool2d(2)]),
            nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        before = width
    backbone = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return Classifier(backbone, width=before, classes=classes)
