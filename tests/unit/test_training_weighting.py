"""How much a label counts follows from its consensus and from how rare its class is."""

import pytest
import torch

from al_engine.training.weighting import label_weights

TARGETS = torch.tensor([0, 0, 0, 0, 1])


def test_without_balance_a_label_counts_as_much_as_its_consensus_is_sure() -> None:
    plain = label_weights(TARGETS, None, classes=3, balance="none")
    assert plain.tolist() == [1, 1, 1, 1, 1]
    sure = torch.tensor([1.0, 0.5, 0.0, 1.0, 0.2])
    assert torch.equal(label_weights(TARGETS, sure, classes=3, balance="none"), sure)


def test_a_class_four_times_as_rare_counts_twice_as_much_for_each_label() -> None:
    weights = label_weights(TARGETS, None, classes=3, balance="sqrt")
    assert weights[4] / weights[0] == pytest.approx(2)
    assert float(weights.sum()) == pytest.approx(5)


def test_how_rare_a_class_is_is_counted_by_confidence() -> None:
    sure = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.5, 0.0])
    targets = torch.tensor([0, 0, 0, 0, 1, 1])
    weights = label_weights(targets, sure, classes=2, balance="sqrt")
    assert weights[4] / weights[0] == pytest.approx(2)
    assert weights[5] == 0
    assert float(weights.sum()) == pytest.approx(2.5)
