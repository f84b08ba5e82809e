"""What every network is: a backbone that gives embeddings, and a linear head on top."""

from torch import Tensor, nn


class Classifier(nn.Module):
    """A backbone (N, 3, H, W) -> (N, width) and a linear head (N, width) -> (N, classes).

    Inputs are float and already normalised; outputs are logits.
    """

    def __init__(self, backbone: nn.Module, *, width: int, classes: int) -> None:
        super().__init__()
        self.width = width
        self.classes = classes
        self.backbone = backbone
        self.head = nn.Linear(width, classes)

    def features_of(self, images: Tensor) -> Tensor:
        """Embeddings (N, width) of images (N, 3, H, W): what the head sees."""
        features: Tensor = self.backbone(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, 3, H, W)."""
        logits: Tensor = self.head(self.features_of(images))
        return logits
