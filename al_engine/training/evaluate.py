"""A model's predictions on images, and how good they are."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from al_engine.architectures import Classifier
from al_engine.training import calibration
from al_engine.training.calibration import Calibration
from al_engine.training.devices import autocast, to_device
from al_engine.training.feed import Images, stream_batches
from al_engine.training.folding import fold_batch_norms
from al_engine.training.pixels import normalize

# The 97.5 % point of the normal distribution, for two-sided 95 % intervals.
Z_95 = 1.959964

# Pixels in a batch. A CPU is fastest while a layer's output fits its caches: 64 images of 32 px;
# with 256 each image takes a third longer. A GPU needs thousands of images.
_CPU_PIXELS_A_BATCH: Final = 64 * 32 * 32
_GPU_PIXELS_A_BATCH: Final = 4096 * 32 * 32
_LARGEST_BATCH_IMAGES: Final = 8192
# From this many images on, folding batch norms saves more time than it takes.
_FOLD_FROM_IMAGES: Final = 256


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy on `count` images with its 95 % Wilson interval, and the quality of probabilities.

    `loss` (mean, nats) and `ece` (expected calibration error, 15 bins) are of the probabilities as
    predicted. `calibration`, if asked for, holds a temperature fitted to these images, and `loss`
    and `ece` at it.
    """

    count: int
    accuracy: float
    low: float
    high: float
    loss: float
    ece: float
    calibration: Calibration | None = None


def batch_size_for(device: torch.device, image_size: int) -> int:
    """Images in a batch of prediction; `image_size` is the side (px) that the network sees."""
    pixels = _CPU_PIXELS_A_BATCH if device.type == "cpu" else _GPU_PIXELS_A_BATCH
    return min(_LARGEST_BATCH_IMAGES, max(8, pixels // image_size**2))


def predict(
    model: Classifier,
    images: Images,
    *,
    device: torch.device,
    batch_size: int | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Class probabilities, float32 (n, C) on the CPU, of images, uint8 (n, 3, S, S), n >= 0.

    The model is moved to the device and put into evaluation mode. `temperature`, as stored in the
    checkpoint, divides the logits (Guo et al. 2017).
    """
    return _pass(model, images, device, batch_size, temperature, keep_features=False)[0]


def predict_with_features(
    model: Classifier,
    images: Images,
    *,
    device: torch.device,
    batch_size: int | None = None,
    temperature: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """As `predict`, with the embeddings, float32 (n, d) on the CPU, from the same pass."""
    return _pass(model, images, device, batch_size, temperature, keep_features=True)


def _pass(
    model: Classifier,
    images: Images,
    device: torch.device,
    batch_size: int | None,
    temperature: float,
    *,
    keep_features: bool,
) -> tuple[Tensor, Tensor]:
    model = to_device(model, device).eval()
    count, side = images.shape[0], max(images.shape[-1], model.smallest_side)
    step = batch_size or batch_size_for(device, side)
    parts = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    probabilities = torch.empty(count, model.classes, device=device)
    features = torch.empty(count if keep_features else 0, model.width, device=device)
    with torch.inference_mode():
        network = model
        if count >= _FOLD_FROM_IMAGES:
            network = folded(model, images, device=device)
        # One context for all batches, because it caches the weights in the lower precision.
        with autocast(device):
            for part, batch in stream_batches(images, parts, device):
                seen = network.features_of(normalize(batch)).float()
                with torch.autocast(device.type, enabled=False):
                    logits = model.logits_of(seen)
                probabilities[part] = functional.softmax(logits / temperature, dim=1)
                if keep_features:
                    features[part] = seen
    return probabilities.cpu(), features.cpu()


def folded(model: Classifier, images: Images, *, device: torch.device) -> Classifier:
    """A copy of the model for predictions, faster by its folded batch norms: see `folding.py`.

    `images`: uint8 (n, 3, S, S), n >= 1, such as it will see.
    """
    with torch.inference_mode():
        return fold_batch_norms(to_device(model, device), normalize(images[:2].to(device)))


def evaluate(
    model: Classifier,
    images: Images,
    targets: Tensor,
    *,
    device: torch.device,
    batch_size: int | None = None,
    temperature: float = 1.0,
    calibrate: bool = False,
) -> Evaluation:
    """Compare the model with the true classes, int64 (n,). Raises ValueError for no images.

    With `calibrate` a temperature is fitted to the images, which must then be a fair sample that
    the model was not trained on, such as audit labels.
    """
    said = predict(model, images, device=device, batch_size=batch_size, temperature=temperature)
    return score(said, targets, calibrate=calibrate)


def score(probabilities: Tensor, targets: Tensor, *, calibrate: bool = False) -> Evaluation:
    """As `evaluate`, from class probabilities, float (n, C), and true classes, int64 (n,)."""
    count = probabilities.shape[0]
    if count == 0 or targets.shape != (count,):
        raise ValueError(
            "An evaluation needs at least one image and a target for each; there are "
            f"{count} images and targets of the shape {tuple(targets.shape)}."
        )
    truth = targets.cpu()
    correct = int((probabilities.argmax(dim=1) == truth).sum())
    low, high = wilson(correct, count)
    return Evaluation(
        count=count,
        accuracy=correct / count,
        low=low,
        high=high,
        loss=calibration.loss(probabilities, truth),
        ece=calibration.expected_calibration_error(probabilities, truth),
        calibration=calibration.calibrate(probabilities, truth) if calibrate else None,
    )


def wilson(correct: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927), valid near 0 and 1 and for small counts.

    Raises ValueError for a count of 0 and for `correct` outside 0 to `count`.
    """
    if not 0 <= correct <= count or count == 0:
        raise ValueError(f"A proportion needs 0 <= correct <= count > 0, not {correct} of {count}.")
    share, z = correct / count, Z_95
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)
