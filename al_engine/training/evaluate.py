"""What a model says about images, and how often it is right."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from al_engine.architectures import Classifier
from al_engine.training.devices import placed
from al_engine.training.pixels import normalise

# The 97.5 % point of the normal distribution, for two-sided 95 % intervals.
Z_95 = 1.959964

# Images a batch: large enough to keep a device busy, and within 100 MB of activations for
# small_cnn at 64 px.
BATCH_SIZE = 256


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy on `count` images with its 95 % Wilson interval, and the mean loss in nats."""

    count: int
    accuracy: float
    low: float
    high: float
    loss: float


def predict(
    model: Classifier, images: Tensor, *, device: torch.device, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Class probabilities, float32 (n, C) on the CPU, of images, uint8 (n, 3, S, S), n >= 0.

    The model is moved to the device and put into evaluation mode.
    """
    return predict_with_features(model, images, device=device, batch_size=batch_size)[0]


def predict_with_features(
    model: Classifier, images: Tensor, *, device: torch.device, batch_size: int = BATCH_SIZE
) -> tuple[Tensor, Tensor]:
    """As `predict`, and the embeddings, float32 (n, d) on the CPU, from the same pass."""
    model = placed(model, device).eval()
    count = images.shape[0]
    probabilities = torch.empty(count, model.classes, device=device)
    features = torch.empty(count, model.width, device=device)
    with torch.inference_mode():
        for start in range(0, count, batch_size):
            part = slice(start, start + batch_size)
            batch = normalise(images[part].to(device, non_blocking=True))
            batch = batch.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                seen = model.features_of(batch)
                logits = model.head(seen)
            features[part] = seen.float()
            probabilities[part] = functional.softmax(logits.float(), dim=1)
    return probabilities.cpu(), features.cpu()


def evaluate(
    model: Classifier,
    images: Tensor,
    targets: Tensor,
    *,
    device: torch.device,
    batch_size: int = BATCH_SIZE,
) -> Evaluation:
    """Compares the model with the truth, targets int64 (n,). Raises ValueError for no images."""
    count = images.shape[0]
    if count == 0 or targets.shape != (count,):
        raise ValueError(
            "An evaluation needs at least one image and a target for each; there are "
            f"{count} images and targets of the shape {tuple(targets.shape)}."
        )
    probabilities = predict(model, images, device=device, batch_size=batch_size)
    truth = targets.cpu()
    correct = int((probabilities.argmax(dim=1) == truth).sum())
    low, high = wilson(correct, count)
    # A probability that rounds to 0 would make the mean infinite; the smallest normal float32
    # bounds it at 87 nats.
    given = probabilities[torch.arange(count), truth].clamp_min(torch.finfo(torch.float32).tiny)
    return Evaluation(
        count=count,
        accuracy=correct / count,
        low=low,
        high=high,
        loss=float(-given.log().mean()),
    )


def wilson(correct: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927), also right near 0 and 1 and for few."""
    if not 0 <= correct <= count or count == 0:
        raise ValueError(f"A proportion needs 0 <= correct <= count > 0, not {correct} of {count}.")
    share, z = correct / count, Z_95
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)
