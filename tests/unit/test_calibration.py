"""Probabilities are brought to mean what they say, and how far off they are is counted rightly."""

import pytest
import torch
from torch import Tensor

from al_engine.architectures import build
from al_engine.training import calibration
from al_engine.training.calibration import (
    COLDEST,
    HOTTEST,
    at_temperature,
    calibrate,
    expected_calibration_error,
    fit_temperature,
)
from al_engine.training.evaluate import evaluate, predict

CPU = torch.device("cpu")


def said_and_true(count: int, *, overconfident: float) -> tuple[Tensor, Tensor]:
    """What a model says whose logits are so many times too large, and what is true."""
    generator = torch.Generator().manual_seed(count)
    honest = (2 * torch.randn(count, 10, generator=generator)).softmax(dim=1)
    truth = torch.multinomial(honest, 1, generator=generator).squeeze(1)
    return (honest.log() * overconfident).softmax(dim=1), truth


@pytest.mark.parametrize("overconfident", [0.7, 1.0, 1.5, 3.0])
def test_the_temperature_undoes_what_the_logits_were_multiplied_by(overconfident: float) -> None:
    said, truth = said_and_true(20_000, overconfident=overconfident)
    assert fit_temperature(said, truth) == pytest.approx(overconfident, rel=0.03)


def test_no_other_temperature_has_a_smaller_loss() -> None:
    said, truth = said_and_true(500, overconfident=1.6)
    best = fit_temperature(said, truth)
    losses = [
        calibration.loss(at_temperature(said, best * factor), truth) for factor in (0.97, 1, 1.03)
    ]
    assert losses[1] == min(losses)


def test_the_temperature_stays_within_its_bounds() -> None:
    sure = torch.tensor([[0.9, 0.1]]).repeat(200, 1)
    right, wrong = torch.zeros(200, dtype=torch.int64), torch.ones(200, dtype=torch.int64)
    assert fit_temperature(sure, right) == pytest.approx(COLDEST, rel=1e-4)
    assert fit_temperature(sure, wrong) == pytest.approx(HOTTEST, rel=1e-4)


def test_a_few_labels_fit_nothing() -> None:
    said, truth = said_and_true(calibration.FEWEST_LABELS - 1, overconfident=3.0)
    found = calibrate(said, truth)
    assert found.temperature == 1
    assert found.loss == pytest.approx(calibration.loss(said, truth))
    assert found.ece == pytest.approx(expected_calibration_error(said, truth))


def test_what_is_reported_is_of_labels_that_had_no_part_in_the_fit() -> None:
    said, truth = said_and_true(4_000, overconfident=3.0)
    found = calibrate(said, truth)
    flattered = at_temperature(said, found.temperature)
    assert found.ece < 0.3 * expected_calibration_error(said, truth)
    assert calibration.loss(flattered, truth) < found.loss < calibration.loss(said, truth)


def test_the_calibration_error_matches_one_computed_by_hand() -> None:
    # Bins of 1/15: 0.55 and 0.59 lie in the ninth, (0.533, 0.6]; 0.95 in the last.
    said = torch.tensor([[0.55, 0.45], [0.41, 0.59], [0.95, 0.05], [0.05, 0.95]])
    truth = torch.tensor([0, 0, 0, 1])
    by_hand = (abs(0.55 + 0.59 - 1) + abs(0.95 + 0.95 - 2)) / 4
    assert expected_calibration_error(said, truth) == pytest.approx(by_hand, abs=1e-6)


def test_probabilities_of_nought_and_one_are_fine() -> None:
    said = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert expected_calibration_error(said, torch.tensor([0, 1])) == 0
    assert expected_calibration_error(said, torch.tensor([1, 0])) == 1
    assert calibration.loss(said, torch.tensor([1, 1])) == pytest.approx(87.3 / 2, abs=0.1)
    assert torch.equal(at_temperature(said, 2.0).round(), said)


def test_a_temperature_softens_predictions_as_it_softens_probabilities() -> None:
    model = build("small_cnn", classes=10, image_size=8)
    images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8)
    plain, soft = (predict(model, images, device=CPU, temperature=t) for t in (1.0, 2.0))
    assert torch.allclose(soft, at_temperature(plain, 2.0), atol=1e-5)
    assert torch.equal(soft.argmax(dim=1), plain.argmax(dim=1))


def test_an_evaluation_calibrates_only_when_asked_to() -> None:
    model = build("small_cnn", classes=10, image_size=8)
    images = torch.randint(0, 256, (120, 3, 8, 8), dtype=torch.uint8)
    truth = torch.randint(0, 10, (120,))
    said = predict(model, images, device=CPU)
    asked = evaluate(model, images, truth, device=CPU, calibrate=True)
    assert asked.calibration == calibrate(said, truth)
    assert asked.ece == pytest.approx(expected_calibration_error(said, truth))
    assert evaluate(model, images, truth, device=CPU).calibration is None
