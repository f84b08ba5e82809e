"""What a model says about images does not depend on how it is asked, and is counted rightly."""

import pytest
import torch

from al_engine.architectures import build
from al_engine.training.evaluate import evaluate, predict, predict_with_features, wilson

torch.set_num_threads(2)

CPU = torch.device("cpu")
PICTURES = torch.randint(
    0, 256, (70, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def test_predictions_do_not_depend_on_the_batch_size_and_may_be_of_nothing() -> None:
    model = build("small_cnn", classes=10, image_size=8)
    images = PICTURES
    whole, features = predict_with_features(model, images, device=CPU)
    parts = predict(model, images, device=CPU, batch_size=16)
    assert whole.shape == (70, 10)
    assert features.shape == (70, model.width)
    assert torch.allclose(whole, parts, atol=1e-5)
    assert torch.allclose(whole.sum(dim=1), torch.ones(70), atol=1e-5)
    assert torch.allclose(model.head(features).softmax(dim=1), whole, atol=1e-5)
    assert predict(model, images[:0], device=CPU).shape == (0, 10)


def test_an_evaluation_counts_what_is_right() -> None:
    model = build("small_cnn", classes=10, image_size=8)
    images = PICTURES[:40]
    said = predict(model, images, device=CPU)
    targets = said.argmax(dim=1)
    targets[:10] = (targets[:10] + 1) % 10
    result = evaluate(model, images, targets, device=CPU)
    assert (result.count, result.accuracy) == (40, 0.75)
    assert result.loss == pytest.approx(
        float(-said[torch.arange(40), targets].log().mean()), rel=1e-4
    )
    with pytest.raises(ValueError, match="at least one image"):
        evaluate(model, images[:0], targets[:0], device=CPU)


@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0)],
)
def test_wilson_intervals_match_published_ones(
    correct: int, count: int, low: float, high: float
) -> None:
    assert wilson(correct, count) == pytest.approx((low, high), abs=1e-4)
