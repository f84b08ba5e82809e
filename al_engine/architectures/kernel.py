"""How alike an embedding is to those of some labeled images, the landmarks of a kernel head."""

import torch
from torch import Tensor, nn


class Kernel(nn.Module):
    """The kernel exp(-|x - z|^2 rate) of embeddings and m landmarks: (N, width) -> (N, m).

    Embeddings are standardized first: less `mean` (width,), times `scale` (width,). `landmarks`:
    float16 (m, width), standardized as well: at half precision they are, as a rule, in the file of
    embeddings, and a version takes half of the room.
    """

    def __init__(self, landmarks: Tensor, mean: Tensor, scale: Tensor, rate: Tensor) -> None:
        super().__init__()
        self.register_buffer("landmarks", landmarks)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.register_buffer("rate", rate)

    def forward(self, embeddings: Tensor) -> Tensor:
        """The kernel (N, m) of embeddings, float (N, width)."""
        points = (embeddings - self.get_buffer("mean")) * self.get_buffer("scale")
        landmarks = self.get_buffer("landmarks").to(points.dtype)
        distances = torch.addmm(points.square().sum(dim=1)[:, None], points, landmarks.T, alpha=-2)
        distances += landmarks.square().sum(dim=1)
        return distances.clamp_min_(0).mul_(-self.get_buffer("rate")).exp_()


def empty_kernel(landmarks: int, width: int) -> Kernel:
    """A kernel of this size whose numbers are still to be loaded."""
    return Kernel(
        torch.empty(landmarks, width, dtype=torch.half),
        torch.empty(width),
        torch.empty(width),
        torch.empty(()),
    )
