"""What every network is: a backbone that gives embeddings, and a head on top."""

from typing import Self

from torch import Tensor, nn
from torch.nn import functional

# The statistics, by channel and for pixels from 0 to 1, by which images are normalized for every
# network: ImageNet's.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class Classifier(nn.Module):
    """A backbone (N, 3, H, W) -> (N, width) and a linear head (N, width) -> (N, classes).

    Between the two there may be a `kernel`, (N, width) -> (N, landmarks), see `kernel.py`; the head
    then takes what that says. Inputs are float and normalized by `MEAN` and `STD`; outputs are
    logits. Images with a side below `smallest_side` (px) are enlarged to it before the backbone
    sees them. With `frozen_backbone` only the head learns, so that the embedding of an image never
    changes.
    """

    def __init__(
        self, backbone: nn.Module, *, width: int, classes: int, smallest_side: int = 1
    ) -> None:
        super().__init__()
        self.width = width
        self.classes = classes
        self.smallest_side = smallest_side
        self.frozen_backbone = False
        self.backbone = backbone
        self.kernel: nn.Module = nn.Identity()
        self.head = nn.Linear(width, classes)

    def freeze_backbone(self) -> None:
        """Turn off the backbone's gradients and keep it in evaluation mode from now on."""
        self.frozen_backbone = True
        self.backbone.requires_grad_(False)
        self.backbone.eval()

    def train(self, mode: bool = True) -> Self:
        """As in torch, but a frozen backbone stays in evaluation mode.

        In training mode its batch norm would follow each batch, and embeddings would change.
        """
        super().train(mode)
        if self.frozen_backbone:
            self.backbone.eval()
        return self

    def features_of(self, images: Tensor) -> Tensor:
        """Embeddings (N, width) of images (N, 3, H, W): what the backbone says."""
        if min(images.shape[-2:]) < self.smallest_side:
            # Enlarge rather than pad: with a border of zeros, most of a backbone's pooling windows
            # would hold nothing of the image.
            size = (self.smallest_side, self.smallest_side)
            images = functional.interpolate(images, size=size, mode="bilinear")
        features: Tensor = self.backbone(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, 3, H, W)."""
        return self.logits_of(self.features_of(images))

    def logits_of(self, embeddings: Tensor) -> Tensor:
        """Logits (N, classes) of embeddings (N, width)."""
        logits: Tensor = self.head(self.kernel(embeddings))
        return logits
